#include <string.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/look.h"
#include "cli/watch.h"
#include "cli/worker_rows.h"

enum { NS_PER_US = 1000, FOR_PROGRAMS = 3 };

/* ---- cells ---- */

static const char *status_state_name(const plm_status *s)
{
	return s->stopping    ? "stopping"
	    : s->paused       ? "paused"
	    : s->closed       ? "closed"
	    : s->memory_short ? "memory-short"
			      : "up";
}

static void status_state(struct output *out, const void *row)
{
	const char *state = status_state_name(row);
	cell_tinted(out, state, strcmp(state, "up") == 0 ? TINT_GOOD : TINT_BAD);
}

/* Before the first task the scheduler has not looked at the memory. */
static bool status_knows_memory(const void *row)
{
	return ((const plm_status *)row)->memory_total > 0;
}

static bool status_has_journal(const void *row)
{
	return ((const plm_status *)row)->journal[0] != 0;
}

static void status_warning(struct output *out, const char *text)
{
	if (text[0])
		cell_tinted(out, text, TINT_BAD);
	else
		cell_none(out);
}

static void status_journal_trouble(struct output *out, const void *row)
{
	status_warning(out, ((const plm_status *)row)->journal_trouble);
}

static void status_journal_damage(struct output *out, const void *row)
{
	status_warning(out, ((const plm_status *)row)->journal_damage);
}

static void status_todo(struct output *out, const void *row)
{
	const plm_status *s = row;
	cell_number(out, s->waiting + s->ready);
}

struct status_row {
	plm_status status; /* the first field: the columns below name its fields */
	plm_runtime_row runtime;
};

static void status_events(struct output *out, const void *row)
{
	const plm_runtime_row *runtime = &((const struct status_row *)row)->runtime;
	cell_text(out,
	    !runtime->event_ring         ? "none"
		: runtime->events_always ? "always on"
		: runtime->events_on     ? "on"
					 : "off");
}

static const struct column columns[] = {
	{ "name", "name", -1, PLAIN(plm_status, name) },
	{ "state", "state", -1, .cell = status_state },
	{ "up", "uptime_ms", -1, MS(plm_status, uptime_ms) },
	{ "manager pid", "manager_pid", -1, PLAIN(plm_status, manager_pid) },
	{ "scheduler pid", "scheduler_pid", -1, PLAIN(plm_status, scheduler_pid) },
	{ "workers", "workers", -1, PLAIN(plm_status, workers) },
	{ "  busy", "workers_busy", -1, PLAIN(plm_status, workers_busy) },
	{ "  drained", "workers_drained", -1, PLAIN(plm_status, workers_drained) },
	{ "  spare", "workers_spare", -1, PLAIN(plm_status, workers_spare) },
	{ "clients", "clients", -1, PLAIN(plm_status, clients) },
	{ "process slots", "processes_max", -1, PLAIN(plm_status, processes_max) },
	{ "restarts", "restarts", -1, PLAIN(plm_status, restarts) },
	{ "reassigned", "reassigned", -1, PLAIN(plm_status, reassigned) },
	{ "  median us", "reassign_median_us", -1, PLAIN(plm_status, reassign_median_ns),
	    .divisor = NS_PER_US },
	{ "  last us", "reassign_last_us", -1, PLAIN(plm_status, reassign_last_ns),
	    .divisor = NS_PER_US },
	{ "  longest us", "reassign_max_us", -1, PLAIN(plm_status, reassign_max_ns),
	    .divisor = NS_PER_US },
	{ "records", "records_max", -1, PLAIN(plm_status, records_max) },
	{ "  used", "records_used", -1, PLAIN(plm_status, records_used) },
	{ "  waiting", "waiting", -1, PLAIN(plm_status, waiting) },
	{ "  ready", "ready", -1, PLAIN(plm_status, ready) },
	{ "  running", "running", -1, PLAIN(plm_status, running) },
	{ "  done", "done", -1, PLAIN(plm_status, done) },
	{ "  failed", "failed", -1, PLAIN(plm_status, failed) },
	{ "  cancelled", "cancelled", -1, PLAIN(plm_status, cancelled) },
	{ "store", "store_bytes", -1, SIZE(plm_status, store_bytes) },
	{ "  reserved", "store_reserved", -1, SIZE(plm_status, store_reserved) },
	{ "  used", "store_used", -1, SIZE(plm_status, store_used) },
	{ "  arguments", "store_arguments", -1, SIZE(plm_status, store_arguments) },
	{ "  free in /dev/shm", "shm_free", -1, SIZE(plm_status, shm_free) },
	{ "returned", "returned", -1, PLAIN(plm_status, returned) },
	{ "  for memory", "evicted", -1, PLAIN(plm_status, evicted) },
	{ "memory", "memory_bytes", -1, SIZE(plm_status, memory_total),
	    .known = status_knows_memory },
	{ "  free", "memory_free", -1, SIZE(plm_status, memory_free),
	    .known = status_knows_memory },
	{ "  accept from", "accept_free", -1, SIZE(plm_status, memory_accept_free) },
	{ "  return below", "return_free", -1, SIZE(plm_status, memory_return_free) },
	{ "keep finished", "keep_finished", -1, PLAIN(plm_status, keep_finished) },
	{ "  left", "left", -1, PLAIN(plm_status, left) },
	{ "journal", "journal", -1, TEXT_IF_ANY(plm_status, journal) },
	{ "  trouble", "journal_trouble", -1, .cell = status_journal_trouble },
	{ "  damaged", "journal_damage", -1, .cell = status_journal_damage },
	{ "  accepted", "journal_accepted", -1, PLAIN(plm_status, journal_accepted),
	    .known = status_has_journal },
	{ "  ended", "journal_ended", -1, PLAIN(plm_status, journal_ended),
	    .known = status_has_journal },
	{ "  queued again", "journal_resumed", -1, PLAIN(plm_status, journal_resumed),
	    .known = status_has_journal },
	{ "  to be queued", "journal_to_resume", -1, PLAIN(plm_status, journal_to_resume),
	    .known = status_has_journal },
	{ "event log", "events", -1, .cell = status_events },
	{ "  ring", "event_ring", -1, PLAIN(struct status_row, runtime.event_ring) },
	/* for programs; people get a separate line */
	{ "todo", "todo", -1, .cell = status_todo },
	{ "in progress", "in_progress", -1, PLAIN(plm_status, running) },
	{ "finished", "finished", -1, PLAIN(plm_status, finished) },
};

static const struct column watched[] = {
	{ "name", "name", -1, PLAIN(plm_status, name) },
	{ "state", "state", -1, .cell = status_state },
	{ "up", "uptime_ms", -1, MS(plm_status, uptime_ms) },
	{ "records", "records_used", -1, PLAIN(plm_status, records_used) },
	{ "store", "store_used", -1, SIZE(plm_status, store_used) },
	{ "memory free", "memory_free", -1, SIZE(plm_status, memory_free),
	    .known = status_knows_memory },
};

static void status_print_counts(struct output *out, const plm_status *s)
{
	fprintf(out->file, "%llu todo, %llu in progress, %llu finished, %llu failed\n\n",
	    (unsigned long long)(s->waiting + s->ready), (unsigned long long)s->running,
	    (unsigned long long)s->finished, (unsigned long long)s->failed);
}

/* What a person watches fits 24 lines of 80 characters: no limits, and short rows of workers. */
static void status_print_watched(plm_inspect *in, struct output *out, const struct status_row *row)
{
	status_print_counts(out, &row->status);
	out->upright = true;
	table_begin(out, watched, COUNT_OF(watched));
	table_row(out, row);
	out->upright = false;
	fputc('\n', out->file);
	rows_workers_short(in, out);
}

/* With --json each command prints one table, so the workers are for people. */
static int status_show(struct context *context, void *argument)
{
	struct status_row row;
	struct output *out = &context->out;
	const struct watch *watch = argument;
	if (context->fleet)
		return fleet_status(context);
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_status_get(context->rt, &row.status);
	if (r == 0)
		r = plm_inspect_runtime(context->in, &row.runtime, sizeof row.runtime);
	if (r < 0)
		return failed(r, "status");
	bool people = !out->json && !out->quiet;
	if (people && watch->wanted) {
		status_print_watched(context->in, out, &row);
		return EXIT_FINE;
	}
	if (people)
		status_print_counts(out, &row.status);
	out->upright = true;
	table_begin(out, columns, COUNT_OF(columns) - (out->json ? 0 : FOR_PROGRAMS));
	table_row(out, &row);
	out->upright = false;
	if (people) {
		fputc('\n', out->file);
		rows_workers(context->in, out);
	}
	return EXIT_FINE;
}

static int status_run(struct context *context, int argc, char **argv)
{
	struct watch watch = { .wanted = false };
	take_options(context, argc, argv, (void *[]){ &watch });
	expect_operands(context, argc, 0, 0);
	return watch_run(context, &watch, status_show, &watch);
}

const struct command cmd_status = {
	.name = "status",
	.usage = "[OPTION]...",
	.help = "show the runtime at a glance: processes, tasks, store, limits",
	.options = { watch_rows },
	.notes = "Above, but with --json, how many tasks there are (todo: they wait or are\n"
		 "ready; finished and failed: as long as anybody holds or keeps them); below,\n"
		 "a row a worker, as of plmctl workers. --watch shows what fits a terminal of\n"
		 "80 columns and 24 lines.\n"
		 "State: up; paused (plmctl pause); closed to new tasks (plmctl drain);\n"
		 "stopping, to end (plmctl stop); memory-short: less memory is free than tasks\n"
		 "are accepted from (plm --accept-free), none starts.\n"
		 "Arguments: the part of used that argument blocks of tasks fill, half of the\n"
		 "store at most; then submissions wait or fail.\n"
		 "Free in /dev/shm: if that is less than store minus reserved, the store\n"
		 "cannot reach its size; plm warns of it when it boots.\n"
		 "Event log: whether events are written; ring: how many are kept of each process\n"
		 "(plmctl events, plm --events).\n"
		 "Keep finished: which results stay that only the runtime keeps; left: how many\n"
		 "of them made room since boot (plm --keep-finished).\n"
		 "Reassigned: tasks of workers that died, queued again; so many microseconds\n"
		 "after the death was noticed (median: of the last 64).\n",
	.run = status_run,
	.fleet = true,
	.visits = true,
};
