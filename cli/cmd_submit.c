#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/command_view.h"
#include "cli/fleet_door.h"
#include "cli/hook.h"
#include "cli/interrupt.h"
#include "cli/outlets.h"
#include "cli/pump.h"
#include "cli/result.h"
#include "cli/shell_line.h"

struct submit {
	struct command_request request;
	const char *shell, *tmpdir, *on_finish;
};

static const struct option_row rows[] = {
	{ "shell", NULL, NULL, OPTION_TEXT, .word = "LINE",
	    .help = "the command is a line for a shell, also if it is a plain word",
	    OPTION_FIELD(struct submit, shell) },
	{ "output", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "let the command write its stdout into FILE, which is emptied first; the "
		    "runtime keeps none of it",
	    OPTION_FIELD(struct submit, request.options.output) },
	{ "error", NULL, NULL, OPTION_FILE, .word = "FILE",
	    .help = "the same for stderr; it may be the FILE of --output",
	    OPTION_FIELD(struct submit, request.options.error) },
	HOOK_ROW(struct submit, on_finish),
	{ "tmpdir", NULL, NULL, OPTION_DIRECTORY, .word = "DIR", .standard = "$TMPDIR, else /tmp",
	    .help = "put long output that is shown at the end into a file without a name in DIR",
	    OPTION_FIELD(struct submit, tmpdir) },
	{ 0 },
};

/* While plmctl waits for a command, its output is pumped to stdout and stderr at once. Output
 * wanted as a whole goes into files if it is long: with --json, and with retries, since the output
 * of a failed attempt is no part of the result. Detached commands and replicas have neither;
 * outputs of replicas would be mixed. */
static struct pump pump;
static struct outlets outlets;
static struct outlet *outlet;

static bool submit_wants_files(const struct context *context, const struct command_request *request)
{
	const plm_task *task = &request->task.task;
	return context->json || request->options.output_cap || task->retries || task->crash_retries;
}

static void submit_take_options(struct context *context, int argc, char **argv, struct submit *s)
{
	struct command_request *request = &s->request;
	take_options(context, argc, argv, (void *[]){ s, request, request, &request->task });
	if (s->shell && optind < argc)
		usage_error(context,
		    "--shell LINE is the whole command; \"%s\" behind LINE is too much",
		    argv[optind]);
	if (!s->shell)
		expect_operands(context, argc, 1, INT_MAX);
	command_objects_check(context, &s->request);
	task_request_settle(context, &request->task);
	if (command_output_files(request) && !s->request.task.detach)
		usage_error(
		    context, "--out needs --detach, which prints the reference of each file");
	if ((request->options.output || request->options.error) && request->task.terms.replicas > 1)
		usage_error(context,
		    "--output, --error and --replicas cannot be combined: replicas would write the "
		    "same file");
	request->options.outlet = !s->request.task.detach && s->request.task.terms.replicas <= 1;
	if (s->tmpdir && !(request->options.outlet && submit_wants_files(context, &s->request)))
		usage_error(context,
		    "--tmpdir is for output that is shown at the end (--json, "
		    "--output-cap, --retries, --crash-retries): other output is %s",
		    request->options.outlet ? "shown as it is written" : "kept in the runtime");
}

/* ---- waiting ---- */

static bool submit_begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* A failure of the command itself gets a short message, because its output explains more. Every
 * other failure is reported in full. */
static int submit_say_failure(
    struct context *context, const struct command_request *request, plm_ref ref)
{
	plm_failure f;
	char text[PLM_REF_TEXT_BYTES];
	if (plm_error(context->rt, ref, &f) < 0)
		return print_failure(context, ref, -PLM_EFAILED);
	bool root = !command_objects_failed(context, request); /* false: the command never began */
	bool exited = root && submit_begins_with(f.message, PLM_COMMAND_SAYS_EXIT);
	bool own = exited || (root && submit_begins_with(f.message, PLM_COMMAND_SAYS_SIGNAL));
	bool unstarted =
	    root && f.code >= PLM_COMMAND_NOT_STARTED && f.code <= PLM_COMMAND_NOT_FOUND;
	plm_ref_print(ref, text);
	if (own && !context->json)
		fprintf(stderr, "plmctl: task %s: %.*s\n", text,
		    (int)strcspn(f.message, exited ? ":" : ")") + !exited, f.message);
	int code =
	    own && !context->json ? EXIT_TASK_FAILED : print_failure(context, ref, -PLM_EFAILED);
	if (f.signal)
		return code;
	if (own || unstarted || !f.message[0])
		return f.code;
	return root && f.code == ETIMEDOUT ? EXIT_TIMED_OUT : code;
}

static bool submit_is_in_file(const struct command_view *v, int stream)
{
	uint32_t where = stream == STDOUT_FILENO ? v->log.out_where : v->log.err_where;
	return outlet && outlet_bytes(outlet, stream) && (!v->logged || where == PLM_OUTLET_FILE);
}

static int submit_show_file(struct context *context, plm_ref ref, int stream)
{
	uint64_t length;
	const char *data = outlet_map(outlet, stream, &length);
	const plm_view view = { .data = data, .len = length };
	if (!data)
		return failed(-ENOMEM, "the output of the command");
	int code = stream == STDOUT_FILENO ? print_value(context, ref, &view)
					   : write_value(&view, stream, "the output");
	outlet_unmap(data, length);
	return code;
}

/* Writes a stream of the command to the same stream of plmctl. */
static int submit_show_stream(struct context *context, const struct command_view *v, int stream)
{
	uint64_t length;
	if (submit_is_in_file(v, stream))
		return submit_show_file(context, v->ref, stream);
	const plm_view view = { .data = command_kept(v, stream, &length), .len = length };
	return length ? write_value(&view, stream, "the output") : EXIT_FINE;
}

static void submit_say_what_is_odd(const struct command_view *v)
{
	char cut[CUT_TEXT_BYTES];
	if (command_cut(v, cut))
		fprintf(stderr, "plmctl: %s\n", cut);
	if (pump.shown && v->attempt > 1)
		fprintf(stderr,
		    "plmctl: the output of attempts 1 to %u, which were thrown away, "
		    "was shown, too\n",
		    v->attempt - 1);
	if (v->logged && v->log.left)
		fprintf(stderr, "plmctl: ended %u process%s the command left behind\n", v->log.left,
		    v->log.left == 1 ? "" : "es");
}

static int submit_show_streams(
    struct context *context, const struct command_view *v, plm_ref ref, uint64_t deadline_ns)
{
	bool value = v->state == PLM_STATE_DONE && !submit_is_in_file(v, STDOUT_FILENO);
	int code = value ? print_result(context, ref, deadline_ns)
	    : context->json && v->state != PLM_STATE_DONE
	    ? EXIT_FINE
	    : submit_show_stream(context, v, STDOUT_FILENO);
	return code == EXIT_FINE ? submit_show_stream(context, v, STDERR_FILENO) : code;
}

static int submit_show(struct context *context, const struct command_request *request, plm_ref ref,
    uint64_t deadline_ns)
{
	struct command_view v;
	char cut[CUT_TEXT_BYTES];
	int code = EXIT_FINE;
	if (pump_end(&pump) < 0) {
		fprintf(stderr, "plmctl: %s\n", plm_why());
		code = EXIT_OURS;
	}
	if (code == EXIT_FINE)
		code = command_look(context, ref, &v);
	if (code == EXIT_FINE)
		code = submit_show_streams(context, &v, ref, deadline_ns);
	if (code != EXIT_FINE)
		return code;
	submit_say_what_is_odd(&v);
	if (v.state == PLM_STATE_DONE)
		return command_cut(&v, cut) ? EXIT_CUT : EXIT_FINE;
	return v.state == PLM_STATE_FAILED ? submit_say_failure(context, request, ref)
					   : print_failure(context, ref, -PLM_ECANCELLED);
}

static int submit_await(struct context *context, const struct command_request *request, plm_ref ref)
{
	uint64_t deadline_ns = deadline_of(context);
	int r = plm_wait_ended(context->rt, &ref, 1, 1, milliseconds_left(deadline_ns), NULL);
	if (r == -EINTR) {
		int code = interrupted(context, ref);
		pump_end(&pump); /* shows the last output of the cancelled command */
		return code;
	}
	interrupts_release(context);
	if (r == 0)
		return submit_show(context, request, ref, deadline_ns);
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	if (r != -ETIMEDOUT)
		return failed(r, text);
	plm_cancel(context->rt, ref, PLM_GRACE_OF_TASK); /* no client will ask for the result */
	fprintf(stderr, "plmctl: task %s: --timeout ran out; it is cancelled\n", text);
	await_end(context, ref);
	pump_end(&pump);
	return EXIT_TIMED_OUT;
}

/* Opens the outlet, if the command has one. */
static int submit_open_outlet(const struct context *context, const struct submit *s)
{
	if (!s->request.options.outlet)
		return 0;
	if (!submit_wants_files(context, &s->request))
		return pump_start(&pump);
	int r = outlets_open(&outlets, s->tmpdir);
	return r == 0 ? outlet_take(&outlets, &outlet) : r;
}

/* With a hook both tasks are submitted in one step: never a command without its hook. */
static int submit_accept(
    struct context *context, const struct submit *s, const plm_task *task, plm_ref *refs)
{
	struct hook hook = { .command = NULL };
	const char *line = hook_line(context, s->on_finish);
	int r = line ? hook_make(&hook, line, &s->request.options, s->request.command, task) : 0;
	const plm_task both[] = { *task, hook.task };
	if (r == 0)
		r = plm_submit_many(context->rt, both, line ? 2 : 1, refs);
	hook_free(&hook);
	return r;
}

static int submit_task(struct context *context, const struct submit *s, const char *const *word,
    size_t count, plm_arg *args)
{
	plm_ref refs[RESULTS_MAX + PLM_COMMAND_RESULTS];
	plm_task task = s->request.task.task;
	bool detach = s->request.task.detach;
	const plm_command_outlet *named = outlet ? &outlet->named : &pump.named;
	int r = plm_command_task(
	    s->request.command, word, count, s->request.options.outlet ? named : NULL, args, &task);
	task.flags |= detach ? 0 : PLM_TIED;
	if (r == 0 && !detach)
		interrupts_catch(context);
	if (r == 0)
		r = submit_accept(context, s, &task, refs);
	if (r < 0) {
		interrupts_release(context);
		return failed(r, "submit");
	}
	if (!detach)
		return submit_await(context, &s->request, refs[0]);
	print_reference(context, refs[0]);
	command_outputs_print(context, &s->request, refs);
	return EXIT_FINE;
}

static int submit_submit(
    struct context *context, const struct submit *s, const char *const *word, size_t count)
{
	if (submit_open_outlet(context, s) < 0)
		return failed(-EIO, "submit"), EXIT_INPUT;
	plm_arg *args = calloc(plm_command_nargs(s->request.command, count), sizeof *args);
	int code = args ? submit_task(context, s, word, count, args) : failed(-ENOMEM, "submit");
	free(args);
	return code;
}

/* A function that bash has exported, with its words. */
static int submit_function(
    struct context *context, const struct submit *s, char *const *word, size_t count)
{
	static const char *const shell[] = { "/bin/bash", "-c", "\"$0\" \"$@\"" };
	const char **all = calloc(COUNT_OF(shell) + count, sizeof *all);
	if (!all)
		return failed(-ENOMEM, "submit");
	memcpy(all, shell, sizeof shell);
	memcpy(all + COUNT_OF(shell), word, count * sizeof *word);
	int code = submit_submit(context, s, all, COUNT_OF(shell) + count);
	free(all);
	return code;
}

static int submit_words(
    struct context *context, const struct submit *s, char *const *word, size_t count)
{
	const char *line = s->shell;
	if (!line && count == 1 && shell_line_is(word, count))
		line = word[0];
	if (!line && shell_line_is(word, count))
		return submit_function(context, s, word, count);
	if (!line)
		return submit_submit(context, s, (const char *const *)word, count);
	const char *const shell[] = { shell_line_program(line), "-c", line };
	return submit_submit(context, s, shell, COUNT_OF(shell));
}

static int submit_to_fleet(
    struct context *context, struct submit *s, char *const *word, size_t count)
{
	const char *line = s->shell;
	if (s->tmpdir)
		usage_error(context, "--tmpdir is not for a fleet: output comes through its queue");
	if (s->request.options.output || s->request.options.error)
		usage_error(context,
		    "--output and --error are not for a fleet: output comes through its queue");
	if (!line && count == 1 && shell_line_is(word, count))
		line = word[0];
	const char *const shell[] = { SHELL_STANDARD, "-c", line };
	int code = command_objects_settle(context, &s->request);
	if (code == EXIT_FINE)
		code = line
		    ? fleet_submit(context, &s->request, shell, COUNT_OF(shell), s->on_finish)
		    : fleet_submit(
			  context, &s->request, (const char *const *)word, count, s->on_finish);
	command_request_free(context, &s->request);
	return code;
}

static int submit_run(struct context *context, int argc, char **argv)
{
	struct submit s = { .shell = NULL };
	submit_take_options(context, argc, argv, &s);
	if (context->fleet)
		return submit_to_fleet(context, &s, argv + optind, (size_t)(argc - optind));
	int code = runtime(context);
	if (code == EXIT_FINE)
		code = command_stdin_take(context, &s.request, s.request.task.detach);
	if (code == EXIT_FINE)
		code = command_objects_hold(context, &s.request);
	if (code == EXIT_FINE)
		code = command_request_make(&s.request);
	if (code == EXIT_FINE)
		code = submit_words(context, &s, argv + optind, (size_t)(argc - optind));
	command_request_free(context, &s.request);
	return code;
}

const struct command cmd_submit = {
	.name = "submit",
	.usage = "[OPTION]... [--] COMMAND [ARG]...  |  [OPTION]... --shell LINE",
	.help = "run a command as a task, wait, and print what the command wrote",
	.about =
	    "A COMMAND of several words is executed as it stands, without a shell. A single word\n"
	    "that contains a blank or another special character of a shell is a line for\n"
	    "/bin/sh -c (for bash, if the line begins with a function that bash has exported); so\n"
	    "is LINE of --shell, in any case. The command runs in a session of its own, and every\n"
	    "process that it starts ends with it. Its stdout is the value of the future. In its\n"
	    "environment the command finds PLM_TASK, PLM_ATTEMPT, PLM_WORKER, PLM_SLOT, PLM_CPUS,\n"
	    "PLM_NAME and, in a runtime with GPUs, CUDA_VISIBLE_DEVICES.\n\n"
	    "Output is shown while the command writes, whatever its length. With --retries,\n"
	    "--crash-retries, --json or --output-cap the output of the last attempt is shown\n"
	    "after its end. With --detach, and of replicas, 16M of output are kept\n"
	    "(--output-cap), for get and logs.\n",
	.options = { rows, command_object_rows, command_rows, task_rows },
	.notes = TASK_TIMES_HELP
	"Exit code: that of the command, 128+N if signal N ended the command, 126 not\n"
	"executable, 127 not found, 125 not started, 124 time ran out, 130 cancelled, 74 the\n"
	"command succeeded and a part of its output was cut off (plmctl --help).\n",
	.options_end_at_operand = true,
	.run = submit_run,
	.fleet = true,
};
