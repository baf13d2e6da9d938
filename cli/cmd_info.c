#include <stdlib.h>
#include <sys/wait.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/command_view.h"
#include "cli/fleet_door.h"
#include "cli/short_reference.h"
#include "cli/task_filter.h"

enum { US_PER_MS = 1000, OUTPUTS_MAX = 1024 };

/* The references of --out, for a person who retries a command or has lost the printed ones. */
static void info_outputs(struct output *out, const void *row)
{
	const struct command_view *v = row;
	static plm_ref refs[OUTPUTS_MAX];
	static char text[OUTPUTS_MAX][PLM_REF_TEXT_BYTES], line[sizeof text];
	static const char *list[OUTPUTS_MAX];
	int n = plm_inspect_outputs(v->in, v->ref, refs, OUTPUTS_MAX);
	size_t length = 0;
	for (int i = 0; i < n && i < OUTPUTS_MAX; i++) {
		plm_ref_print(refs[i], text[i]);
		list[i] = text[i];
		length += (size_t)snprintf(
		    line + length, sizeof line - length, "%s%s", i ? " " : "", text[i]);
	}
	if (out->json)
		cell_list(out, list, n > 0 ? (unsigned)n : 0);
	else if (n > 0)
		cell_text(out, line);
	else
		cell_none(out);
}

static void info_id(struct output *out, const void *row)
{
	task_cell_id(out, ((const struct command_view *)row)->ref);
}

static void info_state(struct output *out, const void *row)
{
	cell_text(out, plm_state_name(((const struct command_view *)row)->state));
}

static void info_where(struct output *out, const void *row)
{
	char where[WHERE_TEXT_BYTES];
	cell_text(out, command_where(row, where));
}

static bool info_has_worker(const void *row)
{
	const struct command_view *v = row;
	return v->logged || v->pid;
}

static void info_worker(struct output *out, const void *row)
{
	cell_signed(out, (int)((const struct command_view *)row)->worker);
}

static bool info_exited(const void *row)
{
	const struct command_view *v = row;
	return v->logged && v->log.status >= 0 && WIFEXITED(v->log.status);
}

static void info_exit_code(struct output *out, const void *row)
{
	cell_signed(out, WEXITSTATUS(((const struct command_view *)row)->log.status));
}

static bool info_signalled(const void *row)
{
	const struct command_view *v = row;
	return v->logged && v->log.status >= 0 && WIFSIGNALED(v->log.status);
}

static void info_signal(struct output *out, const void *row)
{
	cell_signed(out, WTERMSIG(((const struct command_view *)row)->log.status));
}

static bool info_has_run(const void *row)
{
	const struct command_view *v = row;
	return v->logged || v->attempt;
}

static void info_ran(struct output *out, const void *row)
{
	const struct command_view *v = row;
	cell_ms(out, v->logged ? v->log.wall_us / US_PER_MS : v->run_ms);
}

static void info_submitted(struct output *out, const void *row)
{
	cell_moment(out, task_moment(((const struct command_view *)row)->age_ms));
}

static void info_started(struct output *out, const void *row)
{
	const struct command_view *v = row;
	cell_moment(out, task_moment(v->age_ms) + (int64_t)v->queue_ms);
}

static bool info_has_ended(const void *row)
{
	const struct command_view *v = row;
	return v->attempt && v->state > PLM_STATE_RUNNING;
}

static void info_ended(struct output *out, const void *row)
{
	const struct command_view *v = row;
	cell_moment(out, task_moment(v->age_ms) + (int64_t)(v->queue_ms + v->run_ms));
}

static bool info_logged(const void *row)
{
	return ((const struct command_view *)row)->logged;
}

#define LOGGED(form, name) form(struct command_view, log.name), .known = info_logged

static const struct column columns[] = {
	{ "REF", "ref", -1, PLAIN(struct command_view, ref) },
	{ "ID", "id", -1, .cell = info_id },
	{ "COMMAND", "command", -1, TEXT_IF_ANY(struct command_view, log.command) },
	{ "LABEL", "label", -1, TEXT_IF_ANY(struct command_view, log.label) },
	{ "STATE", "state", -1, .cell = info_state },
	{ "OUTPUTS", "outputs", -1, .cell = info_outputs },
	{ "WRITES TO", "writes_to", -1, .cell = info_where },
	{ "ATTEMPT", "attempt", 0, PLAIN(struct command_view, attempt) },
	{ "WORKER", "worker", 0, .cell = info_worker, .known = info_has_worker },
	{ "EXIT CODE", "exit_code", 0, .cell = info_exit_code, .known = info_exited },
	{ "SIGNAL", "signal", 0, .cell = info_signal, .known = info_signalled },
	{ "SUBMITTED", "submitted", -1, .cell = info_submitted },
	{ "STARTED", "started", -1, .cell = info_started, .known = info_has_run },
	{ "ENDED", "ended", -1, .cell = info_ended, .known = info_has_ended },
	{ "QUEUED", "queue_ms", 0, MS(struct command_view, queue_ms) },
	{ "RAN", "run_ms", 0, .cell = info_ran, .known = info_has_run },
	{ "USER", "user_ms", 0, LOGGED(MS, user_us), .divisor = US_PER_MS },
	{ "SYSTEM", "system_ms", 0, LOGGED(MS, system_us), .divisor = US_PER_MS },
	{ "LARGEST PROCESS", "resident_bytes", 0, LOGGED(SIZE, resident_bytes) },
	{ "MEMORY", "memory_bytes", 0, LOGGED(SIZE, memory_bytes) },
	{ "STDOUT", "stdout_bytes", 0, LOGGED(SIZE, out_bytes) },
	{ "STDOUT DROPPED", "stdout_dropped", 0, LOGGED(SIZE, out_dropped) },
	{ "STDERR", "stderr_bytes", 0, LOGGED(SIZE, err_bytes) },
	{ "STDERR DROPPED", "stderr_dropped", 0, LOGGED(SIZE, err_dropped) },
	{ "LEFT BEHIND", "left_behind", 0, LOGGED(PLAIN, left) },
	{ "ASKED TO STOP", "asked_to_stop", 0, LOGGED(FLAG, asked_to_stop) },
	{ "KILLED", "killed", 0, LOGGED(FLAG, killed) },
};

static int info_info(struct context *context, plm_ref ref, const char *word)
{
	struct command_view v;
	int r = plm_hold(context->rt, ref); /* keeps the log until we have read the log */
	if (r < 0)
		return failed(r, word);
	int code = command_look(context, ref, &v);
	if (code == EXIT_FINE)
		table_row(&context->out, &v);
	plm_drop(context->rt, ref);
	return code;
}

static int info_of_fleet(struct context *context, int argc, char **argv)
{
	expect_operands(context, argc, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int code = references_settle(context, refs, n, argv + optind);
	if (code == EXIT_FINE)
		code = fleet_info(context, refs, n);
	free(refs);
	return code;
}

static int info_run(struct context *context, int argc, char **argv)
{
	struct task_filter filter = { .states = 0 };
	struct selection selection;
	take_options(context, argc, argv, (void *[]){ &filter });
	if (context->fleet)
		return info_of_fleet(context, argc, argv);
	int settled = select_tasks(context, argc, argv, &filter, &selection), worst = settled;
	context->out.upright = true;
	table_begin(&context->out, columns, COUNT_OF(columns));
	for (size_t i = 0; settled == EXIT_FINE && i < selection.n; i++) {
		char text[PLM_REF_TEXT_BYTES];
		plm_ref_print(selection.ref[i], text);
		int code = info_info(context, selection.ref[i], text);
		worst = code == EXIT_FINE ? worst : code;
	}
	selection_free(&selection);
	return worst;
}

const struct command cmd_info = {
	.name = "info",
	.usage = "[OPTION]... @REF...  |  [OPTION]... FILTER...",
	.help = "show the record of commands: exit code, times, memory, output",
	.options = { task_filter_rows },
	.notes =
	    "QUEUED is the time from submission to the start of the last attempt, RAN from there\n"
	    "until nothing of the command was left; USER and SYSTEM are the processor's, of all\n"
	    "processes of it that were waited for; LARGEST PROCESS is the resident memory of the\n"
	    "largest of them at its peak (not their sum). MEMORY is what all of them had\n"
	    "together at the highest that was seen: it is looked at after 25 ms, then each time\n"
	    "after twice as long, up to a second; ten times a second when memory is short.\n"
	    "LEFT BEHIND are processes that were ended when the command was.\n"
	    "Exit code: 0 also of a command that failed; 65: no such reference, or no command.\n",
	.run = info_run,
	.fleet = true,
	.visits = true,
};
