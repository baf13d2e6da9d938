#include <string.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/watch.h"
#include "cli/worker_rows.h"

enum { NS_PER_US = 1000, FOR_PROGRAMS = 3, JOURNAL_CELLS = 7 };

static const struct column columns[] = {
	{ "name", "name", -1 },
	{ "state", "state", -1 },
	{ "up", "uptime_ms", -1 },
	{ "manager pid", "manager_pid", -1 },
	{ "scheduler pid", "scheduler_pid", -1 },
	{ "workers", "workers", -1 },
	{ "  busy", "workers_busy", -1 },
	{ "  drained", "workers_drained", -1 },
	{ "  spare", "workers_spare", -1 },
	{ "clients", "clients", -1 },
	{ "process slots", "processes_max", -1 },
	{ "restarts", "restarts", -1 },
	{ "reassigned", "reassigned", -1 },
	{ "  median us", "reassign_median_us", -1 },
	{ "  last us", "reassign_last_us", -1 },
	{ "  longest us", "reassign_max_us", -1 },
	{ "records", "records_max", -1 },
	{ "  used", "records_used", -1 },
	{ "  waiting", "waiting", -1 },
	{ "  ready", "ready", -1 },
	{ "  running", "running", -1 },
	{ "  done", "done", -1 },
	{ "  failed", "failed", -1 },
	{ "  cancelled", "cancelled", -1 },
	{ "store", "store_bytes", -1 },
	{ "  reserved", "store_reserved", -1 },
	{ "  used", "store_used", -1 },
	{ "  free in /dev/shm", "shm_free", -1 },
	{ "returned", "returned", -1 },
	{ "  for memory", "evicted", -1 },
	{ "memory", "memory_bytes", -1 },
	{ "  free", "memory_free", -1 },
	{ "  accept from", "accept_free", -1 },
	{ "  return below", "return_free", -1 },
	{ "keep finished", "keep_finished", -1 },
	{ "  left", "left", -1 },
	{ "journal", "journal", -1 },
	{ "  trouble", "journal_trouble", -1 },
	{ "  damaged", "journal_damage", -1 },
	{ "  accepted", "journal_accepted", -1 },
	{ "  ended", "journal_ended", -1 },
	{ "  queued again", "journal_resumed", -1 },
	{ "  to be queued", "journal_to_resume", -1 },
	/* for programs; people get a separate line */
	{ "todo", "todo", -1 },
	{ "in progress", "in_progress", -1 },
	{ "finished", "finished", -1 },
};

static const char *status_state_name(const plm_status *s)
{
	return s->draining    ? "draining"
	    : s->paused       ? "paused"
	    : s->closed       ? "closed"
	    : s->memory_short ? "memory-short"
			      : "up";
}

/* The scheduler looks at memory from the first task on. */
static void status_memory_cells(struct output *out, const plm_status *s)
{
	if (s->memory_total) {
		cell_size(out, s->memory_total);
		cell_size(out, s->memory_free);
	} else {
		cell_none(out);
		cell_none(out);
	}
	cell_size(out, s->memory_accept_free);
	cell_size(out, s->memory_return_free);
}

static void status_journal_cells(struct output *out, const plm_status *s)
{
	if (!s->journal[0]) {
		for (int i = 0; i < JOURNAL_CELLS; i++)
			cell_none(out);
		return;
	}
	cell_text(out, s->journal);
	if (s->journal_trouble[0])
		cell_tinted(out, s->journal_trouble, TINT_BAD);
	else
		cell_none(out);
	if (s->journal_damage[0])
		cell_tinted(out, s->journal_damage, TINT_BAD);
	else
		cell_none(out);
	cell_number(out, s->journal_accepted);
	cell_number(out, s->journal_ended);
	cell_number(out, s->journal_resumed);
	cell_number(out, s->journal_to_resume);
}

static void status_print(struct output *out, const plm_status *s)
{
	list_begin(out, columns, COUNT_OF(columns) - (out->json ? 0 : FOR_PROGRAMS));
	cell_text(out, s->name);
	const char *state = status_state_name(s);
	cell_tinted(out, state, strcmp(state, "up") == 0 ? TINT_GOOD : TINT_BAD);
	cell_ms(out, s->uptime_ms);
	cell_signed(out, s->manager_pid);
	cell_signed(out, s->scheduler_pid);
	cell_number(out, s->workers);
	cell_number(out, s->workers_busy);
	cell_number(out, s->workers_drained);
	cell_number(out, s->workers_spare);
	cell_number(out, s->clients);
	cell_number(out, s->processes_max);
	cell_number(out, s->restarts);
	cell_number(out, s->reassigned);
	cell_number(out, s->reassign_median_ns / NS_PER_US);
	cell_number(out, s->reassign_last_ns / NS_PER_US);
	cell_number(out, s->reassign_max_ns / NS_PER_US);
	cell_number(out, s->records_max);
	cell_number(out, s->records_used);
	cell_number(out, s->waiting);
	cell_number(out, s->ready);
	cell_number(out, s->running);
	cell_number(out, s->done);
	cell_number(out, s->failed);
	cell_number(out, s->cancelled);
	cell_size(out, s->store_bytes);
	cell_size(out, s->store_reserved);
	cell_size(out, s->store_used);
	cell_size(out, s->shm_free);
	cell_number(out, s->returned);
	cell_number(out, s->evicted);
	status_memory_cells(out, s);
	cell_text(out, s->keep_finished);
	cell_number(out, s->left);
	status_journal_cells(out, s);
	if (out->json) {
		cell_number(out, s->waiting + s->ready);
		cell_number(out, s->running);
		cell_number(out, s->finished);
	}
	row_end(out);
}

static void status_print_for_people(plm_inspect *in, struct output *out, const plm_status *s)
{
	fprintf(out->file, "\n%llu todo, %llu in progress, %llu finished, %llu failed\n\n",
	    (unsigned long long)(s->waiting + s->ready), (unsigned long long)s->running,
	    (unsigned long long)s->finished, (unsigned long long)s->failed);
	rows_workers(in, out);
}

/* With --json each command prints one table, so the workers are for people. */
static int status_show(struct context *context, void *argument)
{
	plm_status status;
	struct output *out = &context->out;
	(void)argument;
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_status_get(context->rt, &status);
	if (r < 0)
		return failed(r, "status");
	out->upright = true;
	status_print(out, &status);
	out->upright = false;
	if (!out->json && !out->quiet)
		status_print_for_people(context->in, out, &status);
	return EXIT_FINE;
}

static int status_run(struct context *context, int argc, char **argv)
{
	struct watch watch = { .wanted = false };
	take_options(context, argc, argv, (void *[]){ &watch });
	expect_operands(context, argc, 0, 0);
	return watch_run(context, &watch, status_show, NULL);
}

const struct command cmd_status = {
	.name = "status",
	.usage = "[OPTION]...",
	.help = "show the runtime at a glance: processes, tasks, store, limits",
	.options = { watch_rows },
	.notes = "Below it, but with --json, how many tasks there are (todo: they wait or\n"
		 "are ready; finished and failed: as long as anybody holds or keeps them), and\n"
		 "a row a worker, as of plmctl workers.\n"
		 "State: up; paused (plmctl pause); closed to new tasks (plmctl drain);\n"
		 "draining, to end (plmctl stop); memory-short: less memory is free than tasks\n"
		 "are accepted from (plm --accept-free), none starts.\n"
		 "Free in /dev/shm: if that is less than store minus reserved, the store\n"
		 "cannot reach its size; plm warns of it when it boots.\n"
		 "Keep finished: which results stay that only the runtime keeps; left: how many\n"
		 "of them made room since boot (plm --keep-finished).\n"
		 "Reassigned: tasks of workers that died, queued again; so many microseconds\n"
		 "after the death was noticed (median: of the last 64).\n",
	.run = status_run,
	.visits = true,
};
