#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command_view.h"
#include "cli/result.h"
#include "cli/task_options.h"

enum { OWN_DIR = OPTION_OF_COMMAND, OWN_ENV, OWN_NO_ENV, OWN_STDIN, OWN_CAP, OWN_SHELL };
enum { PATH_BYTES = 4096, CAP_TEXT_BYTES = 24 };

static const struct option options[] = {
	{ "dir", required_argument, NULL, OWN_DIR },
	{ "env", required_argument, NULL, OWN_ENV },
	{ "no-env", no_argument, NULL, OWN_NO_ENV },
	{ "stdin", required_argument, NULL, OWN_STDIN },
	{ "output-cap", required_argument, NULL, OWN_CAP },
	{ "shell", required_argument, NULL, OWN_SHELL },
	TASK_OPTIONS, COMMON_OPTIONS, { 0 },
};

struct submit {
	struct task_request request;
	const char *directory, *input, *shell;
	uint64_t cap;
	bool no_environment;
	const char **variable;
	size_t variables;
	char *fields, *environment;
};

/* ---- options ---- */

static void add_variable(const struct context *context, struct submit *s, const char *word)
{
	if (word[0] == '=' || !strchr(word, '='))
		usage_error(context, "--env is NAME=VALUE: %s", word);
	s->variable[s->variables++] = word;
}

static void take_own(struct context *context, int option, struct submit *s)
{
	switch (option) {
	case OWN_DIR: s->directory = optarg; break;
	case OWN_ENV: add_variable(context, s, optarg); break;
	case OWN_NO_ENV: s->no_environment = true; break;
	case OWN_STDIN: s->input = optarg; break;
	case OWN_CAP:
		s->cap = size_word(context, "--output-cap", optarg, COMMAND_CAP_MAX);
		break;
	case OWN_SHELL: s->shell = optarg; break;
	default: task_option(context, option, &s->request);
	}
}

static void take_options(struct context *context, int argc, char **argv, struct submit *s)
{
	int option;
	while ((option = next_option(context, argc, argv, "+", options)) != -1)
		take_own(context, option, s);
	if (s->shell && optind < argc)
		usage_error(context, "--shell LINE is a whole command: what is \"%s\" for?",
		    argv[optind]);
	if (!s->shell)
		expect_operands(context, argc, 1, ARGS_MAX - COMMAND_ARG_WORDS);
}

/* ---- the task ---- */

/* Where we are, which is not where the worker is. */
static const char *absolute(const char *path, char ret[PATH_BYTES])
{
	size_t n = 0;
	if (!path || path[0] != '/') {
		if (!getcwd(ret, PATH_BYTES))
			return NULL;
		n = strlen(ret);
		if (path)
			ret[n++] = '/';
	}
	if (n + (path ? strlen(path) : 0) >= PATH_BYTES) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(ret + n, path ? path : "");
	return ret;
}

static int make_fields(struct submit *s, size_t *ret_length)
{
	char directory[PATH_BYTES], input[PATH_BYTES], cap[CAP_TEXT_BYTES];
	size_t room = sizeof directory + sizeof input + sizeof cap, n = 0;
	if (!absolute(s->directory, directory) || (s->input && !absolute(s->input, input)))
		return failed(-errno, "the directory of the command");
	for (size_t i = 0; i < s->variables; i++)
		room += strlen(s->variable[i]) + 2;
	s->fields = malloc(room);
	if (!s->fields)
		return failed(-ENOMEM, "submit");
	n = command_add(s->fields, n, room, COMMAND_DIRECTORY, directory);
	if (s->input)
		n = command_add(s->fields, n, room, COMMAND_STDIN, input);
	snprintf(cap, sizeof cap, "%llu", (unsigned long long)s->cap);
	if (s->cap)
		n = command_add(s->fields, n, room, COMMAND_CAP, cap);
	for (size_t i = 0; i < s->variables; i++)
		n = command_add(s->fields, n, room, COMMAND_VARIABLE, s->variable[i]);
	*ret_length = n;
	return EXIT_FINE;
}

static int make_environment(struct submit *s, size_t *ret_length)
{
	size_t n = 0;
	for (char **v = environ; *v && !s->no_environment; v++)
		n += strlen(*v) + 1;
	*ret_length = n;
	s->environment = malloc(n + 1);
	if (!s->environment)
		return failed(-ENOMEM, "submit");
	n = 0;
	for (char **v = environ; *v && !s->no_environment; v++) {
		size_t bytes = strlen(*v) + 1;
		memcpy(s->environment + n, *v, bytes);
		n += bytes;
	}
	return EXIT_FINE;
}

static int make_arguments(struct submit *s, int argc, char **argv, plm_arg **ret)
{
	const char *const shell[] = { "/bin/sh", "-c", s->shell };
	size_t words = s->shell ? 3 : (size_t)(argc - optind), fields, environment;
	int code = make_fields(s, &fields);
	if (code == EXIT_FINE)
		code = make_environment(s, &environment);
	if (code != EXIT_FINE)
		return code;
	plm_arg *args = *ret = calloc(words + COMMAND_ARG_WORDS, sizeof *args);
	if (!args)
		return failed(-ENOMEM, "submit");
	args[COMMAND_ARG_FIELDS] = PLM_BYTES(s->fields, fields);
	args[COMMAND_ARG_ENVIRONMENT] = PLM_BYTES(s->environment, environment);
	for (size_t i = 0; i < words; i++) {
		const char *word = s->shell ? shell[i] : argv[optind + (int)i];
		args[COMMAND_ARG_WORDS + i] = PLM_BYTES(word, strlen(word));
	}
	plm_task *task = &s->request.task;
	task->function = COMMAND_FUNCTION;
	task->args = args;
	task->nargs = words + COMMAND_ARG_WORDS;
	task->results = s->request.terms.replicas > 1 ? 1 : COMMAND_RESULTS;
	return EXIT_FINE;
}

/* ---- waiting for it ---- */

static bool begins_with(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) == 0;
}

/* How the command ended is for its own output to explain; everything else is said in full. */
static int say_failure(struct context *context, plm_ref ref)
{
	plm_failure f;
	char text[PLM_REF_TEXT_BYTES];
	if (plm_error(context->rt, ref, &f) < 0)
		return print_failure(context, ref, -PLM_EFAILED);
	bool exited = begins_with(f.message, COMMAND_SAYS_EXIT);
	bool own = exited || begins_with(f.message, COMMAND_SAYS_SIGNAL);
	bool unstarted = f.code >= COMMAND_OURS && f.code <= COMMAND_NOT_FOUND;
	plm_ref_print(ref, text);
	if (own && !context->json)
		fprintf(stderr, "plmctl: task %s: %.*s\n", text,
		    (int)strcspn(f.message, exited ? ":" : ")") + !exited, f.message);
	int code = own && !context->json ? EXIT_TASK_FAILED
					 : print_failure(context, ref, -PLM_EFAILED);
	if (f.signal)
		return code;
	if (own || unstarted || !f.message[0])
		return f.code;
	return f.code == ETIMEDOUT ? EXIT_TIMED_OUT : code;
}

/* What the command wrote goes where it would have written it. */
static int show_stream(const struct context *context, const struct command_view *v, int stream)
{
	uint64_t length;
	const plm_view view = { .data = command_kept(v, stream, &length), .len = length };
	if (context->json && stream == STDOUT_FILENO)
		return EXIT_FINE; /* it is in the JSON value, if it is a value */
	return length ? write_value(&view, stream, "the output") : EXIT_FINE;
}

static void say_what_is_odd(const struct command_view *v)
{
	const struct command_log *log = &v->log;
	if (log->out_dropped || log->err_dropped)
		fprintf(stderr, "plmctl: its output was cut at --output-cap: %llu bytes of stdout "
		    "and %llu of stderr were dropped\n", (unsigned long long)log->out_dropped,
		    (unsigned long long)log->err_dropped);
	if (log->left)
		fprintf(stderr, "plmctl: %u processes that it had left behind were ended\n",
		    log->left);
}

static int show(struct context *context, plm_ref ref, uint64_t deadline_ns)
{
	struct command_view v;
	int code = command_look(context, ref, &v);
	if (code == EXIT_FINE && v.state != RECORD_DONE)
		code = show_stream(context, &v, STDOUT_FILENO);
	if (code == EXIT_FINE && v.state == RECORD_DONE)
		code = print_result(context, ref, deadline_ns);
	if (code == EXIT_FINE)
		code = show_stream(context, &v, STDERR_FILENO);
	if (code != EXIT_FINE)
		return code;
	if (v.logged)
		say_what_is_odd(&v);
	if (v.state == RECORD_DONE)
		return EXIT_FINE;
	return v.state == RECORD_FAILED ? say_failure(context, ref)
					: print_failure(context, ref, -PLM_ECANCELLED);
}

static int await(struct context *context, plm_ref ref)
{
	uint64_t deadline_ns = deadline_of(context);
	int r = plm_wait(context->rt, &ref, 1, 1, milliseconds_left(deadline_ns), NULL);
	if (r == 0)
		return show(context, ref, deadline_ns);
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	if (r != -ETIMEDOUT)
		return failed(r, text);
	plm_cancel(context->rt, ref, 0); /* nobody will ask for it any more */
	fprintf(stderr, "plmctl: task %s: --timeout ran out; it is cancelled\n", text);
	return EXIT_TIMED_OUT;
}

static int submit(struct context *context, const struct submit *s)
{
	plm_ref refs[COMMAND_RESULTS];
	int code = runtime(context);
	if (code != EXIT_FINE)
		return code;
	int r = plm_submit(context->rt, &s->request.task, refs);
	if (r < 0)
		return failed(r, "submit");
	if (!s->request.detach)
		return await(context, refs[0]);
	print_reference(context, refs[0]);
	return EXIT_FINE;
}

static int run_submit(struct context *context, int argc, char **argv)
{
	struct submit s = { .cap = 0 };
	plm_arg *args = NULL;
	s.variable = calloc((size_t)argc + 1, sizeof *s.variable);
	if (!s.variable)
		return failed(-ENOMEM, "submit");
	take_options(context, argc, argv, &s);
	int code = make_arguments(&s, argc, argv, &args);
	if (code == EXIT_FINE)
		code = submit(context, &s);
	free(args);
	free(s.variable);
	free(s.fields);
	free(s.environment);
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
	    "  --dir DIR          where it runs (default: here)\n"
	    "  --env NAME=VALUE   one more variable; may be repeated\n"
	    "  --no-env           not our environment, but that of the worker: a few kB less to\n"
	    "                     keep for a command that waits\n"
	    "  --stdin FILE       what it reads (default: nothing)\n"
	    "  --output-cap SIZE  so much is kept of stdout, and of stderr (default 16M); a mark\n"
	    "                     says where it was cut, and the command goes on\n"
	    TASK_OPTIONS_HELP
	    TASK_TIMES_HELP
	    "Exit code: that of the command, 128+N if signal N ended it, 126 not executable, 127\n"
	    "not found, 125 not started, 124 time ran out, 130 cancelled (plmctl --help).\n",
	.run = run_submit,
};
