/* fleet_hosts.c - the whole of a fleet: status, hosts, and orders to hosts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"

enum { TEXT_BYTES = 4096 };

/* ---- status ---- */

struct fleet_status_row {
	struct engine_status s;
	uint64_t lease_ms;
	uint64_t todo;
};

#define NUMBER(title, key, field)                                     \
	{                                                             \
		title, key, -1, PLAIN(struct fleet_status_row, field) \
	}

static const struct column status_columns[] = {
	NUMBER("hosts", "hosts", s.hosts), NUMBER("waiting", "waiting", s.waiting),
	NUMBER("ready", "ready", s.ready), NUMBER("pause", "pause", s.pause),
	NUMBER("parked", "parked", s.parked), NUMBER("running", "running", s.running),
	NUMBER("done", "done", s.done), NUMBER("failed", "failed", s.failed),
	NUMBER("cancelled", "cancelled", s.cancelled),
	{ "lease", "lease_ms", -1, MS(struct fleet_status_row, lease_ms) },
	NUMBER("todo", "todo", todo), /* for programs; people get a line */
};

int fleet_status(struct context *context)
{
	struct fleet_status_row row;
	struct output *out = &context->out;
	int code = fleet_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = engine_status(context->engine, &row.s);
	if (r < 0)
		return failed(r, "status");
	row.lease_ms = engine_lease_ms(context->engine);
	row.todo = engine_todo(&row.s);
	out->upright = true;
	table_begin(out, status_columns, COUNT_OF(status_columns) - (out->json ? 0 : 1));
	table_row(out, &row);
	out->upright = false;
	if (out->json || out->quiet)
		return EXIT_FINE;
	fprintf(out->file, "\n%llu todo, %llu in progress, %llu finished, %llu failed\n\n",
	    (unsigned long long)row.todo, (unsigned long long)row.s.running,
	    (unsigned long long)row.s.done, (unsigned long long)row.s.failed);
	return fleet_hosts(context);
}

/* ---- hosts ---- */

static void fleet_hosts_state(struct output *out, const void *row)
{
	const struct engine_host *host = row;
	bool ordered = strcmp(host->state, "up") == 0 && host->order[0];
	const char *state = ordered ? host->order : host->state;
	cell_tinted(out, state,
	    strcmp(state, "up") == 0         ? TINT_GOOD
		: strcmp(state, "lost") == 0 ? TINT_BAD
					     : TINT_NONE);
}

/* Modules and interpreters, in one line. */
static void fleet_hosts_has(struct output *out, const void *row)
{
	char text[TEXT_BYTES];
	snprintf(text, sizeof text, "%s", ((const struct engine_host *)row)->has);
	for (char *at = text; (at = strchr(at, '\n')) != NULL;)
		*at = ',';
	cell_text_if_any(out, text);
}

static const struct column host_columns[] = {
	{ "HOST", "host", -20, PLAIN(struct engine_host, name) },
	{ "STATE", "state", -6, .cell = fleet_hosts_state },
	{ "SEEN", "seen_ms", 7, MS(struct engine_host, seen_ms) },
	{ "CORES", "cores", 5, PLAIN(struct engine_host, cores) },
	{ "USED", "cores_used", 5, PLAIN(struct engine_host, busy) },
	{ "MEMORY", "memory", 9, SIZE(struct engine_host, memory_total) },
	{ "USED", "memory_used", 9, SIZE(struct engine_host, memory_used) },
	{ "RUNNING", "running", 7, PLAIN(struct engine_host, claimed) },
	{ "FINISHED", "finished", 8, PLAIN(struct engine_host, finished) },
	{ "RUNTIME", "runtime", -10, PLAIN(struct engine_host, runtime) },
	{ "PID", "pid", 7, PLAIN(struct engine_host, pid) },
	{ "MEMBER", "member", -16, PLAIN(struct engine_host, member) },
	{ "HAS", "has", -1, .cell = fleet_hosts_has },
};

struct fleet_hosts { /* texts belong to the engine until its next verb */
	struct engine_host *host;
	size_t n, room;
};

static void fleet_hosts_collect(void *context, const struct engine_host *host)
{
	struct fleet_hosts *hosts = context;
	if (hosts->n == hosts->room) {
		size_t room = hosts->room ? hosts->room * 2 : FLEET_PAGE;
		struct engine_host *more = realloc(hosts->host, room * sizeof *more);
		if (!more)
			exit(failed(-ENOMEM, "hosts"));
		hosts->host = more;
		hosts->room = room;
	}
	hosts->host[hosts->n++] = *host;
}

/* By name, the latest sign of life first: rows stay in place from look to look. */
static int fleet_hosts_compare(const void *a, const void *b)
{
	const struct engine_host *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x->seen_ms > y->seen_ms) - (x->seen_ms < y->seen_ms);
}

int fleet_hosts(struct context *context)
{
	int code = fleet_open(context);
	if (code != EXIT_FINE)
		return code;
	table_begin(
	    &context->out, host_columns, context->quiet ? 1 : (unsigned)COUNT_OF(host_columns));
	struct fleet_hosts hosts = { .n = 0 };
	int r = engine_hosts(context->engine, fleet_hosts_collect, &hosts);
	if (hosts.n)
		qsort(hosts.host, hosts.n, sizeof *hosts.host, fleet_hosts_compare);
	for (size_t i = 0; r == 0 && i < hosts.n; i++)
		table_row(&context->out, &hosts.host[i]);
	free(hosts.host);
	return r < 0 ? failed(r, "hosts") : EXIT_FINE;
}

int fleet_order(struct context *context, const char *host, const char *order)
{
	int code = fleet_open(context);
	if (code != EXIT_FINE)
		return code;
	int heard = engine_order(context->engine, host, order);
	if (heard < 0)
		return failed(heard, host);
	if (heard > 0)
		return EXIT_FINE;
	fprintf(stderr, "plmctl: %s: no host of this name is up (plmctl hosts lists all)\n", host);
	return EXIT_DATA;
}

/* ---- commands that are for fleets alone ---- */

static void fleet_hosts_want_fleet(const struct context *context)
{
	if (!context->fleet)
		usage_error(context, "%s is about a fleet: give --fleet URL, or set PLM_FLEET",
		    context->command->name);
}

static int fleet_hosts_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 0, 0);
	fleet_hosts_want_fleet(context);
	return fleet_hosts(context);
}

static int fleet_hosts_run_close(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, 1);
	fleet_hosts_want_fleet(context);
	return fleet_order(context, argv[optind], "close");
}

const struct command cmd_hosts = {
	.name = "hosts",
	.usage = "",
	.help = "list the hosts of a fleet: last sign of life, cores, memory, tasks",
	.notes =
	    "For --fleet alone. SEEN: since the last renewal of its lease. STATE: up; drain or\n"
	    "close, as ordered; left; lost: its lease ended, and its tasks went to others by\n"
	    "their retry rule. A bridge that was killed is a lost host, and its successor a new\n"
	    "one of the same name. RUNNING: tasks of the fleet there. FINISHED: since it joined.\n"
	    "HAS: its modules, and the interpreters of its Python workers.\n",
	.run = fleet_hosts_run,
	.fleet = true,
};

const struct command cmd_close = {
	.name = "close",
	.usage = "HOST",
	.help = "let a host of a fleet end its tasks, then stop its runtime",
	.notes =
	    "For --fleet alone. HOST: a name in plmctl hosts, which shows close until the runtime\n"
	    "is down, then left. Returns at once. `plmctl drain HOST` keeps the runtime up.\n",
	.run = fleet_hosts_run_close,
	.fleet = true,
};
