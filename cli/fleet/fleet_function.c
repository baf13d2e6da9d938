/* fleet_function.c - functions that no host has: told at once, instead of a task that waits. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "cli/fleet/fleet_cli.h"
#include "fleet/task_class.h"

enum {
	LOOK_AGAIN_MS = 5,
	RENEW_PART = 5, /* of a lease: a host renews as often */
	MODULES_NOTED = 64,
};

struct fleet_function {
	const char *module;
	uint64_t asked_ns;      /* all hosts were asked to renew; 0: not yet */
	unsigned up, have, old; /* old: the word of the host is older than the question */
};

static void function_host(void *argument, const struct engine_host *host)
{
	struct fleet_function *f = argument;
	uint64_t since_ms = (clock_ns() - f->asked_ns) / NS_PER_MS;
	if (strcmp(host->state, "up") != 0)
		return;
	f->up++;
	f->have += task_module_is_in(host->has, f->module);
	f->old += f->asked_ns == 0 || host->seen_ms > since_ms;
}

static int function_count(struct context *context, struct fleet_function *f)
{
	f->up = f->have = f->old = 0;
	return engine_hosts(context->engine, function_host, f);
}

/* A module may have been loaded since the last renewal of its host: before a refusal each host has
 * renewed, or had the time for it. */
static int function_find(struct context *context, struct fleet_function *f)
{
	int r = function_count(context, f);
	if (r < 0 || f->have || !f->up)
		return r;
	f->asked_ns = clock_ns();
	uint64_t most_ns = engine_lease_ms(context->engine) * NS_PER_MS / RENEW_PART;
	r = engine_freshen(context->engine);
	while (r == 0 && (r = function_count(context, f)) == 0 && f->old && !f->have &&
	    clock_ns() - f->asked_ns < most_ns)
		poll(NULL, 0, LOOK_AGAIN_MS);
	return r;
}

int fleet_function_look(struct context *context, const char *function, bool may_wait)
{
	char module[TASK_MODULE_BYTES];
	struct fleet_function f = { .module = module };
	task_module(function, module);
	int code = module[0] ? fleet_open(context) : EXIT_FINE;
	if (!module[0] || code != EXIT_FINE)
		return code;
	int r = function_find(context, &f);
	if (r < 0)
		return failed(r, function);
	if (f.have || !f.up)
		return EXIT_FINE;
	fprintf(stderr, "plmctl: %s: no host that is up has module %s%s\n", function, module,
	    may_wait ? ": the task waits for one that loads it (plmctl module load FILE there)"
		     : "; load it on a host (plmctl module load FILE there), or let the task wait "
		       "for such a host (--detach)");
	return may_wait ? EXIT_FINE : EXIT_NO_FUNCTION;
}

void fleet_function_note(struct context *context, const char *function)
{
	static char seen[MODULES_NOTED][TASK_MODULE_BYTES];
	static size_t n;
	char module[TASK_MODULE_BYTES];
	task_module(function, module);
	for (size_t i = 0; i < n; i++)
		if (strcmp(seen[i], module) == 0)
			return;
	if (!module[0] || n == MODULES_NOTED)
		return;
	memcpy(seen[n++], module, sizeof module);
	fleet_function_look(context, function, true);
}

bool fleet_lacks_function(const struct engine_result *result)
{
	static const char says[] = ENGINE_SAYS_NO_FUNCTION;
	return result->state == ENGINE_FAILED && result->code == ENOENT &&
	    strncmp(result->message, says, sizeof says - 1) == 0;
}
