#include "fleet/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "fleet/task_class.h"

enum { WAITS_SHOWN = 8 };

/* ---- hosts that can run the task ---- */

struct explain_able {
	const char *needs; /* the class of the task */
	struct task_class parts;
	unsigned up, able, have;        /* have: its module */
	char names[EXPLAIN_TEXT_BYTES]; /* of hosts that can run the task */
	char lacks[EXPLAIN_TEXT_BYTES]; /* hosts that cannot, each with its reason */
};

__attribute__((format(printf, 2, 3))) static void explain_put(
    char text[EXPLAIN_TEXT_BYTES], const char *format, ...)
{
	va_list args;
	size_t used = strlen(text);
	va_start(args, format);
	vsnprintf(text + used, EXPLAIN_TEXT_BYTES - used, format, args);
	va_end(args);
}

static bool explain_can(const char *lines, const char *needs)
{
	size_t n = strlen(needs);
	for (const char *at = lines; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, needs, n) == 0 && (at[n] == 0 || at[n] == '\n'))
			return true;
	return false;
}

static void explain_lack(struct explain_able *a, const struct engine_host *host)
{
	size_t n = strlen(a->needs);
	for (const char *at = host->lacks; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, a->needs, n) == 0 && at[n] == '\t') {
			explain_put(a->lacks, "; %s: %.*s", host->name,
			    (int)strcspn(at + n + 1, "\n"), at + n + 1);
			return;
		}
}

/* What a host has in place of the module that it lacks. */
static void explain_modules(struct explain_able *a, const struct engine_host *host)
{
	static const char line[] = "module ";
	size_t some = 0;
	explain_put(a->lacks, "; %s has ", host->name);
	for (const char *at = host->has; at; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, line, sizeof line - 1) == 0) {
			const char *name = at + sizeof line - 1;
			explain_put(
			    a->lacks, "%s%.*s", some++ ? ", " : "", (int)strcspn(name, "\n"), name);
		}
	if (!some)
		explain_put(a->lacks, "none");
}

static void explain_host(void *argument, const struct engine_host *host)
{
	struct explain_able *a = argument;
	if (strcmp(host->state, "up") != 0 || host->order[0])
		return;
	bool has = !a->parts.module[0] || task_module_is_in(host->has, a->parts.module);
	bool can = has && (!a->parts.needs[0] || explain_can(host->can, a->needs));
	a->up++;
	a->have += has;
	if (can)
		explain_put(a->names, "%s%s", a->able++ ? ", " : "", host->name);
	else if (has)
		explain_lack(a, host);
	else
		explain_modules(a, host);
}

static int explain_ready(
    struct engine *e, const struct engine_reason *r, struct fleet_explained *ret)
{
	struct explain_able able;
	char needs[TASK_CLASS_BYTES];
	unsigned long long before = r->before;
	snprintf(needs, sizeof needs, "%s", r->needs);
	able = (struct explain_able){ .needs = needs, .parts = task_class_read(needs) };
	int error = engine_hosts(e, explain_host, &able);
	if (error < 0)
		return error;
	ret->code = able.up == 0 ? "no-host"
	    : able.have == 0     ? "module"
	    : able.able == 0     ? "needs"
				 : "queued";
	if (able.up == 0)
		snprintf(
		    ret->text, EXPLAIN_TEXT_BYTES, "no host of the fleet is up (plmctl hosts)");
	else if (able.have == 0)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "no host that is up has module %s, of its function: %.700s; the task waits for "
		    "a host that loads it (plmctl module load FILE)",
		    able.parts.module, able.lacks + 2);
	else if (able.able == 0)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "no host that is up can ever meet its needs, %s: %u host%s can not%.600s",
		    needs, able.up, able.up == 1 ? "" : "s", able.lacks);
	else
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "%llu task%s of equal needs come%s first; it can run on %.600s", before,
		    before == 1 ? "" : "s", before == 1 ? "s" : "", able.names);
	return 0;
}

/* ---- other states ---- */

static void explain_waiting(
    struct engine *e, const struct engine_reason *r, struct fleet_explained *ret)
{
	size_t n = (size_t)snprintf(ret->text, EXPLAIN_TEXT_BYTES, "it waits for");
	for (size_t i = 0; i < r->waits && i < WAITS_SHOWN && n < EXPLAIN_TEXT_BYTES; i++) {
		char text[PLM_REF_TEXT_BYTES];
		const struct engine_wait wait = engine_waits_for(e, i);
		plm_ref_print(engine_ref(e, wait.id), text);
		n += (size_t)snprintf(ret->text + n, EXPLAIN_TEXT_BYTES - n, "%s %s%s (%s)",
		    i ? "," : "",
		    wait.condition == AFTER_ANY          ? "the end of "
			: wait.condition == AFTER_FAILED ? "a failure of "
							 : "",
		    text, wait.state);
	}
	if (r->waits > WAITS_SHOWN && n < EXPLAIN_TEXT_BYTES)
		snprintf(
		    ret->text + n, EXPLAIN_TEXT_BYTES - n, " and %zu more", r->waits - WAITS_SHOWN);
	ret->code = "argument";
}

static void explain_other(const struct engine_reason *r, struct fleet_explained *ret)
{
	ret->code = engine_state_name(r->state);
	if (r->state == ENGINE_PAUSE)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "attempt %u failed (%.400s); the next begins in %llu ms", r->attempt,
		    r->message, (unsigned long long)r->pause_ms);
	else if (r->state == ENGINE_PARKED)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES,
		    "it is parked: `plmctl move --to todo` lets it go on");
	else if (r->state == ENGINE_RUNNING)
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "attempt %u is on host %s for %llu ms",
		    r->attempt, r->host, (unsigned long long)r->began_ms);
	else if (r->message[0])
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "%.900s", r->message);
	else
		snprintf(ret->text, EXPLAIN_TEXT_BYTES, "attempts: %u", r->attempt);
}

int fleet_explain_task(struct engine *e, uint64_t id, struct fleet_explained *ret)
{
	struct engine_reason reason;
	int r = engine_explain(e, id, &reason);
	if (r < 0)
		return r;
	ret->state = reason.state;
	if (reason.state == ENGINE_READY)
		return explain_ready(e, &reason, ret);
	if (reason.state == ENGINE_WAITING)
		explain_waiting(e, &reason, ret);
	else
		explain_other(&reason, ret);
	return 0;
}
