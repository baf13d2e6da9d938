#include <string.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/watch.h"
#include "cli/worker_rows.h"

enum { NS_PER_US = 1000, FOR_PROGRAMS = 3 };

/* ---- cells ---- */

/* CELL(name, statement): the function status_name(), which prints a cell of the status `s`. */
#define CELL(name, statement)                                          \
	static void status_##name(struct output *out, const void *row) \
	{                                                              \
		const plm_status *s = row;                             \
		statement;                                             \
	}
#define NUMBER(field) CELL(field, cell_number(out, s->field))
#define SIZE(field) CELL(field, cell_size(out, s->field))
#define MICROSECONDS(field) CELL(field, cell_number(out, s->field / NS_PER_US))

static const char *status_state_name(const plm_status *s)
{
	return s->draining    ? "draining"
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
static void status_seen_memory(struct output *out, const plm_status *s, uint64_t bytes)
{
	if (s->memory_total)
		cell_size(out, bytes);
	else
		cell_none(out);
}

static void status_journal_number(struct output *out, const plm_status *s, uint64_t number)
{
	if (s->journal[0])
		cell_number(out, number);
	else
		cell_none(out);
}

static void status_warning(struct output *out, const char *text)
{
	if (text[0])
		cell_tinted(out, text, TINT_BAD);
	else
		cell_none(out);
}

static void status_journal(struct output *out, const void *row)
{
	const plm_status *s = row;
	if (s->journal[0])
		cell_text(out, s->journal);
	else
		cell_none(out);
}

CELL(name, cell_text(out, s->name))
CELL(uptime_ms, cell_ms(out, s->uptime_ms))
CELL(manager_pid, cell_signed(out, s->manager_pid))
CELL(scheduler_pid, cell_signed(out, s->scheduler_pid))
NUMBER(workers)
NUMBER(workers_busy)
NUMBER(workers_drained)
NUMBER(workers_spare)
NUMBER(clients)
NUMBER(processes_max)
NUMBER(restarts)
NUMBER(reassigned)
MICROSECONDS(reassign_median_ns)
MICROSECONDS(reassign_last_ns)
MICROSECONDS(reassign_max_ns)
NUMBER(records_max)
NUMBER(records_used)
NUMBER(waiting)
NUMBER(ready)
NUMBER(running)
NUMBER(done)
NUMBER(failed)
NUMBER(cancelled)
SIZE(store_bytes)
SIZE(store_reserved)
SIZE(store_used)
SIZE(store_arguments)
SIZE(shm_free)
NUMBER(returned)
NUMBER(evicted)
CELL(memory_total, status_seen_memory(out, s, s->memory_total))
CELL(memory_free, status_seen_memory(out, s, s->memory_free))
SIZE(memory_accept_free)
SIZE(memory_return_free)
CELL(keep_finished, cell_text(out, s->keep_finished))
NUMBER(left)
CELL(journal_trouble, status_warning(out, s->journal_trouble))
CELL(journal_damage, status_warning(out, s->journal_damage))
CELL(journal_accepted, status_journal_number(out, s, s->journal_accepted))
CELL(journal_ended, status_journal_number(out, s, s->journal_ended))
CELL(journal_resumed, status_journal_number(out, s, s->journal_resumed))
CELL(journal_to_resume, status_journal_number(out, s, s->journal_to_resume))
CELL(todo, cell_number(out, s->waiting + s->ready))
NUMBER(finished)

static const struct table_column columns[] = {
	{ { "name", "name", -1 }, status_name },
	{ { "state", "state", -1 }, status_state },
	{ { "up", "uptime_ms", -1 }, status_uptime_ms },
	{ { "manager pid", "manager_pid", -1 }, status_manager_pid },
	{ { "scheduler pid", "scheduler_pid", -1 }, status_scheduler_pid },
	{ { "workers", "workers", -1 }, status_workers },
	{ { "  busy", "workers_busy", -1 }, status_workers_busy },
	{ { "  drained", "workers_drained", -1 }, status_workers_drained },
	{ { "  spare", "workers_spare", -1 }, status_workers_spare },
	{ { "clients", "clients", -1 }, status_clients },
	{ { "process slots", "processes_max", -1 }, status_processes_max },
	{ { "restarts", "restarts", -1 }, status_restarts },
	{ { "reassigned", "reassigned", -1 }, status_reassigned },
	{ { "  median us", "reassign_median_us", -1 }, status_reassign_median_ns },
	{ { "  last us", "reassign_last_us", -1 }, status_reassign_last_ns },
	{ { "  longest us", "reassign_max_us", -1 }, status_reassign_max_ns },
	{ { "records", "records_max", -1 }, status_records_max },
	{ { "  used", "records_used", -1 }, status_records_used },
	{ { "  waiting", "waiting", -1 }, status_waiting },
	{ { "  ready", "ready", -1 }, status_ready },
	{ { "  running", "running", -1 }, status_running },
	{ { "  done", "done", -1 }, status_done },
	{ { "  failed", "failed", -1 }, status_failed },
	{ { "  cancelled", "cancelled", -1 }, status_cancelled },
	{ { "store", "store_bytes", -1 }, status_store_bytes },
	{ { "  reserved", "store_reserved", -1 }, status_store_reserved },
	{ { "  used", "store_used", -1 }, status_store_used },
	{ { "  arguments", "store_arguments", -1 }, status_store_arguments },
	{ { "  free in /dev/shm", "shm_free", -1 }, status_shm_free },
	{ { "returned", "returned", -1 }, status_returned },
	{ { "  for memory", "evicted", -1 }, status_evicted },
	{ { "memory", "memory_bytes", -1 }, status_memory_total },
	{ { "  free", "memory_free", -1 }, status_memory_free },
	{ { "  accept from", "accept_free", -1 }, status_memory_accept_free },
	{ { "  return below", "return_free", -1 }, status_memory_return_free },
	{ { "keep finished", "keep_finished", -1 }, status_keep_finished },
	{ { "  left", "left", -1 }, status_left },
	{ { "journal", "journal", -1 }, status_journal },
	{ { "  trouble", "journal_trouble", -1 }, status_journal_trouble },
	{ { "  damaged", "journal_damage", -1 }, status_journal_damage },
	{ { "  accepted", "journal_accepted", -1 }, status_journal_accepted },
	{ { "  ended", "journal_ended", -1 }, status_journal_ended },
	{ { "  queued again", "journal_resumed", -1 }, status_journal_resumed },
	{ { "  to be queued", "journal_to_resume", -1 }, status_journal_to_resume },
	/* for programs; people get a separate line */
	{ { "todo", "todo", -1 }, status_todo },
	{ { "in progress", "in_progress", -1 }, status_running },
	{ { "finished", "finished", -1 }, status_finished },
};

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
	table_begin(out, columns, COUNT_OF(columns) - (out->json ? 0 : FOR_PROGRAMS));
	table_row(out, &status);
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
		 "Arguments: the part of used that argument blocks of tasks fill, half of the\n"
		 "store at most; then submissions wait or fail.\n"
		 "Free in /dev/shm: if that is less than store minus reserved, the store\n"
		 "cannot reach its size; plm warns of it when it boots.\n"
		 "Keep finished: which results stay that only the runtime keeps; left: how many\n"
		 "of them made room since boot (plm --keep-finished).\n"
		 "Reassigned: tasks of workers that died, queued again; so many microseconds\n"
		 "after the death was noticed (median: of the last 64).\n",
	.run = status_run,
	.visits = true,
};
