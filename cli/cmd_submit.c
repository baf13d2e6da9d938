#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command_objects.h"
#include "cli/command_stdin.h"
#include "cli/command_view.h"
#include "cli/interrupt.h"
#include "cli/outlets.h"
#include "cli/pump.h"
#include "cli/result.h"

enum { OWN_SHELL = OPTION_OF_SUBMIT, OWN_TMPDIR };

static const struct option options[] = {
	{ "shell", required_argument, NULL, OWN_SHELL },
	{ "tmpdir", required_argument, NULL, OWN_TMPDIR },
	COMMAND_OBJECT_OPTIONS,
	COMMAND_OPTIONS,
	COMMON_OPTIONS,
	{ 0 },
};

struct submit {
	struct command_request request;
	const char *shell, *tmpdir;
};

/* Where the output of the one command of this process goes: as it is written to our stdout and
 * stderr; or, if it is wanted as one thing when the command has ended, and is long, into files. So
 * it is where attempts may fail: what a failed one wrote is no part of the result. Of one that
 * nobody waits for neither, nor of replicas, whose outputs would be mixed. */
static struct pump pump;
static struct outlets outlets;
static struct outlet *outlet;

static bool submit_wants_files(const struct context *context, const struct command_request *request)
{
	const plm_task *task = &request->task.task;
	return context->json || request->cap || task->retries || task->crash_retries;
}

static void submit_take_options(struct context *context, int argc, char **argv, struct submit *s)
{
	int option;
	while ((option = next_option(context, argc, argv, "+", options)) != -1) {
		if (option == OWN_SHELL)
			s->shell = optarg;
		else if (option == OWN_TMPDIR)
			s->tmpdir = optarg;
		else if (!command_object_option(context, option, &s->request))
			command_option(context, option, &s->request);
	}
	if (s->shell && optind < argc)
		usage_error(context,
		    "--shell LINE is the whole command; \"%s\" behind it is too "
		    "much",
		    argv[optind]);
	if (!s->shell)
		expect_operands(context, argc, 1, ARGS_MAX - (int)command_nargs(&s->request, 0));
	command_objects_check(context, &s->request);
	task_check_keep(context, &s->request.task);
	if (s->request.outputs && !s->request.task.detach)
		usage_error(context,
		    "--out needs --detach, which prints the reference of what is "
		    "written");
	s->request.outlet = !s->request.task.detach && s->request.task.terms.replicas <= 1;
	if (s->tmpdir && !(s->request.outlet && submit_wants_files(context, &s->request)))
		usage_error(context,
		    "--tmpdir is for output that is shown at the end (--json, "
		    "--output-cap, --retries, --crash-retries): other output is %s",
		    s->request.outlet ? "shown as it is written" : "kept in the runtime");
}

/* ---- waiting for it ---- */

static bool submit_begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* How the command ended is for its own output to explain; everything else is said in full. */
static int submit_say_failure(
    struct context *context, const struct command_request *request, plm_ref ref)
{
	plm_failure f;
	char text[PLM_REF_TEXT_BYTES];
	if (plm_error(context->rt, ref, &f) < 0)
		return print_failure(context, ref, -PLM_EFAILED);
	bool root = !command_objects_failed(context, request); /* else it never began */
	bool exited = root && submit_begins_with(f.message, COMMAND_SAYS_EXIT);
	bool own = exited || (root && submit_begins_with(f.message, COMMAND_SAYS_SIGNAL));
	bool unstarted = root && f.code >= COMMAND_OURS && f.code <= COMMAND_NOT_FOUND;
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
	return outlet && outlet_bytes(outlet, stream) &&
	    (!v->logged || where == COMMAND_WHERE_FILE);
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

/* What the command wrote goes where it would have written it. */
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
	if (pump.named.pid && v->attempt > 1)
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
	bool value = v->state == RECORD_DONE && !submit_is_in_file(v, STDOUT_FILENO);
	int code = value ? print_result(context, ref, deadline_ns)
	    : context->json && v->state != RECORD_DONE
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
	if (v.state == RECORD_DONE)
		return command_cut(&v, cut) ? EXIT_CUT : EXIT_FINE;
	return v.state == RECORD_FAILED ? submit_say_failure(context, request, ref)
					: print_failure(context, ref, -PLM_ECANCELLED);
}

static int submit_await(struct context *context, const struct command_request *request, plm_ref ref)
{
	uint64_t deadline_ns = deadline_of(context);
	int r = plm_wait_ended(context->rt, &ref, 1, 1, milliseconds_left(deadline_ns), NULL);
	if (r == -EINTR) {
		int code = interrupted(context, ref);
		pump_end(&pump); /* what it wrote while it was being ended */
		return code;
	}
	interrupts_release(context);
	if (r == 0)
		return submit_show(context, request, ref, deadline_ns);
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	if (r != -ETIMEDOUT)
		return failed(r, text);
	plm_cancel(context->rt, ref, PLM_GRACE_OF_TASK); /* nobody will ask for it any more */
	fprintf(stderr, "plmctl: task %s: --timeout ran out; it is cancelled\n", text);
	await_end(context, ref);
	pump_end(&pump);
	return EXIT_TIMED_OUT;
}

/* Its outlet in *ret, if it has one. */
static int submit_open_outlet(struct context *context, const struct submit *s, plm_arg *ret)
{
	const struct command_outlet *named = &pump.named;
	if (!s->request.outlet)
		return 0;
	bool files = submit_wants_files(context, &s->request);
	int r = files ? outlets_open(&outlets, s->tmpdir) : pump_start(&pump);
	if (files && r == 0)
		r = outlet_take(&outlets, &outlet);
	if (outlet)
		named = &outlet->named;
	*ret = PLM_BYTES(named, sizeof *named);
	return r;
}

static int submit_submit(
    struct context *context, const struct submit *s, const char *const *word, size_t count)
{
	plm_ref refs[RESULTS_MAX];
	size_t nargs = command_nargs(&s->request, count);
	plm_arg *args = calloc(nargs, sizeof *args);
	if (!args)
		return failed(-ENOMEM, "submit");
	command_arguments(&s->request, word, count, args);
	int r = submit_open_outlet(context, s, &args[nargs - 1]);
	if (r < 0) {
		free(args);
		return failed(r, "submit"), EXIT_INPUT;
	}
	if (!s->request.task.detach)
		interrupts_catch(context);
	plm_task task = command_task(&s->request, args, nargs);
	task.flags |= s->request.task.detach ? 0 : PLM_TIED;
	r = plm_submit(context->rt, &task, refs);
	free(args);
	if (r < 0) {
		interrupts_release(context);
		return failed(r, "submit");
	}
	if (!s->request.task.detach)
		return submit_await(context, &s->request, refs[0]);
	print_reference(context, refs[0]);
	command_outputs_print(context, &s->request, refs);
	return EXIT_FINE;
}

static int submit_run(struct context *context, int argc, char **argv)
{
	struct submit s = { .shell = NULL };
	submit_take_options(context, argc, argv, &s);
	const char *const shell[] = { "/bin/sh", "-c", s.shell };
	int code = runtime(context);
	if (code == EXIT_FINE)
		code = command_stdin_take(context, &s.request, s.request.task.detach);
	if (code == EXIT_FINE)
		code = command_request_make(&s.request);
	if (code == EXIT_FINE)
		code = command_objects_hold(context, &s.request);
	if (code == EXIT_FINE && s.shell)
		code = submit_submit(context, &s, shell, 3);
	else if (code == EXIT_FINE)
		code = submit_submit(
		    context, &s, (const char *const *)argv + optind, (size_t)(argc - optind));
	command_request_free(context, &s.request);
	return code;
}

const struct command cmd_submit = {
	.name = "submit",
	.usage = "[OPTION]... [--] COMMAND [ARG]...  |  [OPTION]... --shell LINE",
	.help = "run a command as a task, wait, and print what it wrote",
	.details =
	    "COMMAND is executed as it stands, without a shell; --shell LINE gives a line to\n"
	    "/bin/sh -c. It runs in a session of its own, and everything it starts ends with it.\n"
	    "Its stdout is the value of the future. In its environment it finds PLM_TASK,\n"
	    "PLM_ATTEMPT, PLM_WORKER, PLM_SLOT, PLM_CPUS, PLM_NAME and, in a runtime with GPUs,\n"
	    "CUDA_VISIBLE_DEVICES.\n\n"
	    "What it writes is shown as it is written, whatever its length. With --retries,\n"
	    "--crash-retries, --json or --output-cap the output of the last attempt is shown\n"
	    "when it has ended. With --detach 16M of it are kept (--output-cap), for get and\n"
	    "logs; of replicas, too.\n\n"
	    "  --tmpdir DIR       where long output that is shown at the end is put until then,\n"
	    "                     in a file without a name (default: $TMPDIR, else /tmp)\n" COMMAND_OBJECT_OPTIONS_HELP
		COMMAND_OPTIONS_HELP TASK_TIMES_HELP
	    "Exit code: that of the command, 128+N if signal N ended it, 126 not executable, 127\n"
	    "not found, 125 not started, 124 time ran out, 130 cancelled, 74 it succeeded and a\n"
	    "part of its output was cut off (plmctl --help).\n",
	.run = submit_run,
};
