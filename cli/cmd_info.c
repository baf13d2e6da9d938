#include <stdlib.h>
#include <sys/wait.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/command_view.h"

enum { US_PER_MS = 1000, OUTPUTS_MAX = 1024 };

static const struct column columns[] = {
	{ "REF", "ref", -1 },
	{ "COMMAND", "command", -1 },
	{ "LABEL", "label", -1 },
	{ "STATE", "state", -1 },
	{ "OUTPUTS", "outputs", -1 },
	{ "WRITES TO", "writes_to", -1 },
	{ "ATTEMPT", "attempt", 0 },
	{ "WORKER", "worker", 0 },
	{ "EXIT CODE", "exit_code", 0 },
	{ "SIGNAL", "signal", 0 },
	{ "QUEUED", "queue_ms", 0 },
	{ "RAN", "run_ms", 0 },
	{ "USER", "user_ms", 0 },
	{ "SYSTEM", "system_ms", 0 },
	{ "LARGEST PROCESS", "resident_bytes", 0 },
	{ "MEMORY", "memory_bytes", 0 },
	{ "STDOUT", "stdout_bytes", 0 },
	{ "STDOUT DROPPED", "stdout_dropped", 0 },
	{ "STDERR", "stderr_bytes", 0 },
	{ "STDERR DROPPED", "stderr_dropped", 0 },
	{ "LEFT BEHIND", "left_behind", 0 },
	{ "ASKED TO STOP", "asked_to_stop", 0 },
	{ "KILLED", "killed", 0 },
};

static void info_cell_number_if(struct output *out, bool known, int number)
{
	if (known)
		cell_signed(out, number);
	else
		cell_none(out);
}

static void info_cell_text_if_any(struct output *out, const char *text)
{
	if (text[0])
		cell_text(out, text);
	else
		cell_none(out);
}

static void info_log_cells(struct output *out, const plm_command_row *log)
{
	cell_ms(out, log->wall_us / US_PER_MS);
	cell_ms(out, log->user_us / US_PER_MS);
	cell_ms(out, log->system_us / US_PER_MS);
	cell_size(out, log->resident_bytes);
	cell_size(out, log->memory_bytes);
	cell_size(out, log->out_bytes);
	cell_size(out, log->out_dropped);
	cell_size(out, log->err_bytes);
	cell_size(out, log->err_dropped);
	cell_number(out, log->left);
	cell_flag(out, log->asked_to_stop);
	cell_flag(out, log->killed);
}

static void info_unlogged_cells(struct output *out, const struct command_view *v)
{
	if (v->attempt)
		cell_ms(out, v->run_ms);
	else
		cell_none(out);
	while (out->at < COUNT_OF(columns))
		cell_none(out);
}

/* The references of --out, for a person who retries a command or has lost the printed ones. */
static void info_outputs_cell(struct context *context, const struct command_view *v)
{
	static plm_ref refs[OUTPUTS_MAX];
	static char text[OUTPUTS_MAX][PLM_REF_TEXT_BYTES], line[sizeof text];
	static const char *list[OUTPUTS_MAX];
	struct output *out = &context->out;
	int n = plm_inspect_outputs(context->in, v->ref, refs, OUTPUTS_MAX);
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

static void info_print(struct context *context, const struct command_view *v)
{
	struct output *out = &context->out;
	const plm_command_row *log = &v->log;
	bool ran = v->logged && log->status >= 0;
	char ref[PLM_REF_TEXT_BYTES], where[WHERE_TEXT_BYTES];
	plm_ref_print(v->ref, ref);
	cell_text(out, ref);
	info_cell_text_if_any(out, log->command);
	info_cell_text_if_any(out, log->label);
	cell_text(out, plm_state_name(v->state));
	info_outputs_cell(context, v);
	cell_text(out, command_where(v, where));
	cell_number(out, v->attempt);
	info_cell_number_if(out, v->logged || v->pid, (int)v->worker);
	info_cell_number_if(out, ran && WIFEXITED(log->status), WEXITSTATUS(log->status));
	info_cell_number_if(out, ran && WIFSIGNALED(log->status), WTERMSIG(log->status));
	cell_ms(out, v->queue_ms);
	if (v->logged)
		info_log_cells(out, log);
	else
		info_unlogged_cells(out, v);
	row_end(out);
}

static int info_info(struct context *context, plm_ref ref, const char *word)
{
	struct command_view v;
	int r = plm_hold(context->rt, ref); /* keeps the log until we have read the log */
	if (r < 0)
		return failed(r, word);
	int code = command_look(context, ref, &v);
	if (code == EXIT_FINE)
		info_print(context, &v);
	plm_drop(context->rt, ref);
	return code;
}

static int info_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, argc);
	size_t n;
	plm_ref *refs = reference_words(argc, argv, &n);
	int worst = runtime(context);
	context->out.upright = true;
	list_begin(&context->out, columns, COUNT_OF(columns));
	for (size_t i = 0; i < n && context->rt; i++) {
		int code = info_info(context, refs[i], argv[optind + (int)i]);
		worst = code == EXIT_FINE ? worst : code;
	}
	free(refs);
	return worst;
}

const struct command cmd_info = {
	.name = "info",
	.usage = "[OPTION]... @REF...",
	.help = "show the record of commands: exit code, times, memory, output",
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
	.visits = true,
};
