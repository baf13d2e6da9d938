/* command_module.c - the module `command`: reads the request, has the command run, and makes the
 * end of the command the end of the task. */
#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scan.h"
#include "command/command_run.h"
#include "command/leftovers.h"
#include "worker/modules.h"

enum {
	US_PER_S = 1000000,
	NS_PER_US = 1000,
	LAST_LINES_BYTES = 420,
	BYTES_PER_KB = 1024,
	ERROR_BYTES = 320
};

/* ---- the request ---- */

/* Texts are used in place, in the arguments; the last text must end with zero, or reading would not
 * end. */
static bool command_ends_with_zero(const char *text, size_t length)
{
	return length == 0 || text[length - 1] == 0;
}

static int command_take_fields(struct command *c)
{
	const char *at = NULL, *text;
	enum command_field field;
	while (command_field(c->fields, c->fields_bytes, &at, &field, &text)) {
		switch (field) {
		case COMMAND_DIRECTORY: c->directory = text; break;
		case COMMAND_STDIN: c->input = text; break;
		case COMMAND_OUTPUT: c->output = text; break;
		case COMMAND_ERROR: c->error = text; break;
		case COMMAND_CAP: c->cap = strtoull(text, NULL, 10); break;
		case COMMAND_MEMORY: c->memory_limit = strtoull(text, NULL, 10); break;
		case COMMAND_VARIABLE: break; /* environment.c */
		case COMMAND_PART: break;     /* input_parts.c */
		case COMMAND_STDIN_VALUE:
		case COMMAND_IN:
		case COMMAND_OUT:
		case COMMAND_AFTER:
		case COMMAND_AFTER_ANY:
		case COMMAND_AFTER_FAILED: break; /* value_files.c */
		case COMMAND_OUTLET: c->has_outlet = true; break;
		case COMMAND_LABEL: c->label = text; break;
		case COMMAND_SHELL: c->shell = true; break;
		default:
			return plm_fail(
			    c->call, EINVAL, "there is no field '%c' of a command", (char)field);
		}
	}
	return 0;
}

/* Adds a word of the command line to the memory of words. */
static char *command_add_word(char *to, char **word, const char *text, size_t length)
{
	if (length)
		memcpy(to, text, length);
	to[length] = 0;
	*word = to;
	return to + length + 1;
}

static int command_take_words(struct command *c, size_t nargs)
{
	static const char *const shell[] = { COMMAND_SHELL_WORDS };
	enum { SHELL_WORDS = sizeof shell / sizeof shell[0], SHELL_BYTES = 16 };
	size_t bytes = SHELL_BYTES, length, n = 0;
	for (size_t i = COMMAND_ARG_WORDS; i < nargs; i++) {
		plm_arg_data(c->call, i, &length);
		bytes += length + 1;
	}
	c->memory = malloc(bytes);
	c->argv = calloc(SHELL_WORDS + nargs - COMMAND_ARG_WORDS + 1, sizeof *c->argv);
	if (!c->memory || !c->argv)
		return plm_fail(
		    c->call, COMMAND_OURS, "no memory for a command of %zu bytes", bytes);
	char *to = c->memory;
	for (size_t i = 0; i < SHELL_WORDS && c->shell; i++)
		to = command_add_word(to, &c->argv[n++], shell[i], strlen(shell[i]));
	for (size_t i = COMMAND_ARG_WORDS; i < nargs; i++) {
		const char *word = plm_arg_data(c->call, i, &length);
		if (length && memchr(word, 0, length))
			return plm_fail(c->call, EINVAL,
			    "word %zu of the command has a zero byte in it, which no program can "
			    "be given",
			    i - COMMAND_ARG_WORDS);
		to = command_add_word(to, &c->argv[n++], word, length);
	}
	return 0;
}

static int command_take_inherited(struct command *c)
{
	if (c->environment_bytes == 0 || !inherited_begins(c->environment))
		return 0;
	c->inherits = inherited_read(c->environment, &c->inherited);
	return c->inherits ? 0
			   : plm_fail(c->call, EINVAL,
				 "umask, nice value and limits of the "
				 "command make no sense: %.80s",
				 c->environment);
}

/* The outlet is the last argument, behind everything else. */
static int command_take_outlet(struct command *c)
{
	size_t length, last = plm_nargs(c->call) - 1;
	if (!c->has_outlet)
		return 0;
	const void *data = plm_arg_data(c->call, last, &length);
	if (last >= COMMAND_ARG_WORDS && command_outlet_read(data, length, &c->outlet))
		return 0;
	return plm_fail(
	    c->call, EINVAL, "the last argument of the command names no place for its output");
}

static int command_take_arguments(struct command *c)
{
	struct plm_call *call = c->call;
	if (plm_nargs(call) <= COMMAND_ARG_WORDS)
		return plm_fail(call, EINVAL,
		    "%zu arguments given; usage: " COMMAND_FUNCTION
		    " FIELDS ENVIRONMENT PROGRAM [WORD]...",
		    plm_nargs(call));
	c->fields = plm_arg_data(call, COMMAND_ARG_FIELDS, &c->fields_bytes);
	c->environment = plm_arg_data(call, COMMAND_ARG_ENVIRONMENT, &c->environment_bytes);
	if (!command_ends_with_zero(c->fields, c->fields_bytes) ||
	    !command_ends_with_zero(c->environment, c->environment_bytes))
		return plm_fail(call, EINVAL,
		    "the fields or the environment of the command do not end with a zero byte");
	if (c->environment_bytes == 0)
		c->environment = command_behind(c->fields, c->fields_bytes, &c->environment_bytes);
	int r = command_take_fields(c);
	if (r == 0)
		r = command_take_inherited(c);
	if (r == 0)
		r = command_take_outlet(c);
	size_t nargs = plm_nargs(call) - c->has_outlet;
	if (r == 0)
		r = value_files_take(c, nargs);
	if (r == 0 && nargs - c->futures <= COMMAND_ARG_WORDS)
		r = plm_fail(call, EINVAL,
		    "%zu arguments, %zu of them futures, leave no word for "
		    "the program",
		    nargs, c->futures);
	if (r == 0)
		r = command_take_words(c, nargs - c->futures);
	if (r == 0)
		r = value_files_open(c);
	return r == 0 ? command_environment(c) : r;
}

static void command_free(struct command *c)
{
	value_files_close(c);
	free(c->memory);
	free(c->makeflags);
	free(c->argv);
	free(c->envp);
}

/* The words with blanks between: for a reader, not for a shell. */
static void command_print_words(const struct command *c, char ret[COMMAND_TEXT_MAX])
{
	size_t n = 0;
	ret[0] = 0;
	for (char **word = c->argv; word && *word && n < COMMAND_TEXT_MAX; word++)
		n += (size_t)snprintf(ret + n, COMMAND_TEXT_MAX - n, "%s%s", n ? " " : "", *word);
}

/* ---- the log ---- */

static uint64_t command_microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_usec;
}

/* A command ended before the first look had one process or few. */
static uint64_t command_memory_kb(const struct run *run)
{
	uint64_t seen = run->memory.peak / BYTES_PER_KB, one = (uint64_t)run->usage.ru_maxrss;
	return seen > one ? seen : one;
}

static uint32_t command_where_is(const struct capture *c)
{
	return c->path           ? COMMAND_WHERE_FILE
	    : capture_is_live(c) ? COMMAND_WHERE_LIVE
	    : c->in_file         ? COMMAND_WHERE_FILE
				 : COMMAND_WHERE_KEPT;
}

static struct command_log command_describe(const struct run *run, uint64_t begun_ns)
{
	return (struct command_log){ .magic = COMMAND_LOG_MAGIC,
		.status = run->pid > 0 ? run->status : -1,
		.attempt = word_attempt(run->call->word),
		.worker = run->call->rt->me->worker,
		.wall_us = (clock_ns() - begun_ns) / NS_PER_US,
		.user_us = command_microseconds(run->usage.ru_utime),
		.system_us = command_microseconds(run->usage.ru_stime),
		.resident_kb = (uint64_t)run->usage.ru_maxrss,
		.memory_kb = command_memory_kb(run),
		.out_bytes = run->out.came,
		.err_bytes = run->err.came,
		.out_dropped = run->out.came - run->out.kept,
		.err_dropped = run->err.came - run->err.kept,
		.out_where = command_where_is(&run->out),
		.err_where = command_where_is(&run->err),
		.left = run->left,
		.asked = run->asked,
		.killed = run->killed };
}

/* How many bytes go into the log; 0: the output is elsewhere. */
static uint64_t command_log_share(const struct capture *c)
{
	return command_where_is(c) == COMMAND_WHERE_KEPT ? c->kept : 0;
}

/* If the store has no room for the texts of the log, the texts go to the outlet. Without an outlet
 * the texts are lost, since no text was promised: the numbers are kept, and say what is missing.
 * Without room even for the numbers, no log is kept. */
static char *command_log_place(struct run *run, struct command_log *log, size_t head)
{
	struct plm_call *call = run->call;
	void *to = NULL;
	size_t texts = log->out_kept + log->err_kept;
	bool outlet = run->out.outlet && run->out.outlet->pid;
	int r = texts == 0 ? -ENOSPC
			   : call_result(call, COMMAND_RESULT_LOG, head + texts,
				 outlet ? 0 : handle_deadline(call->rt), &to);
	if (r == 0)
		return to;
	if (log->out_kept && !capture_spill(&run->out))
		log->out_dropped = log->out_bytes;
	if (log->err_kept && !capture_spill(&run->err))
		log->err_dropped = log->err_bytes;
	log->out_kept = log->err_kept = 0;
	log->out_where = command_where_is(&run->out);
	log->err_where = command_where_is(&run->err);
	return plm_result_at(call, COMMAND_RESULT_LOG, head);
}

/* False: no log was kept. */
static bool command_leave_log(
    const struct command *c, struct run *run, struct command_log log, bool with_stdout)
{
	struct plm_call *call = run->call;
	char text[COMMAND_TEXT_MAX];
	if (call->record->results < COMMAND_RESULTS)
		return false; /* a replica: nobody asks for its log */
	command_print_words(c, text);
	log.text_bytes = (uint32_t)strlen(text);
	log.label_bytes = (uint32_t)strnlen(c->label, COMMAND_LABEL_MAX);
	log.out_kept = with_stdout ? command_log_share(&run->out) : 0;
	log.err_kept = command_log_share(&run->err);
	size_t head = sizeof log + log.text_bytes + log.label_bytes;
	char *to = command_log_place(run, &log, head);
	call->keeps_part = to ? COMMAND_RESULT_LOG : 0;
	if (!to)
		return false;
	memcpy(to, &log, sizeof log);
	memcpy(to + sizeof log, text, log.text_bytes);
	memcpy(to + sizeof log + log.text_bytes, c->label, log.label_bytes);
	if ((log.out_kept && !capture_copy(&run->out, to + head, log.out_kept)) ||
	    (log.err_kept && !capture_copy(&run->err, to + head + log.out_kept, log.err_kept)))
		memset(to, 0, sizeof log); /* an unreadable log is no log */
	return true;
}

/* ---- the end ---- */

static int command_say_end(const struct run *run)
{
	char lines[LAST_LINES_BYTES];
	int status = run->status, signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	capture_last_lines(&run->err, lines, sizeof lines);
	const char *parting = lines[0] ? ": " : "";
	if (signal)
		return plm_fail(run->call, COMMAND_SIGNALLED + signal,
		    COMMAND_SAYS_SIGNAL "%d (%s)%s%s", signal, strsignal(signal), parting, lines);
	return plm_fail(run->call, WEXITSTATUS(status), COMMAND_SAYS_EXIT "%d%s%s",
	    WEXITSTATUS(status), parting, lines);
}

static int command_say_unkept(const struct run *run, const struct capture *c)
{
	char where[ERROR_BYTES];
	capture_say_error(c, where, sizeof where);
	return plm_fail(run->call, COMMAND_OURS, "%llu bytes of the command's %s found no room %s",
	    (unsigned long long)(c->came - c->kept),
	    c->stream == STDOUT_FILENO ? "stdout" : "stderr", where);
}

/* The command's work is done, so do not throw the result away for want of room. Output beyond the
 * room is cut off; the log says so, and so does any program that shows the output (README.md). */
static int command_keep_what_fits(struct run *run)
{
	uint64_t length = run->out.kept;
	void *to;
	do
		length = length / 2 < RECORD_INLINE_VALUE ? 0 : length / 2;
	while (call_result(run->call, 0, length, 0, &to) < 0 && length);
	run->out.kept = length;
	if (length && !capture_copy(&run->out, to, length))
		return plm_fail(run->call, COMMAND_OURS,
		    "the output of the command could not be read back from memory");
	return 0;
}

static int command_leave_stdout(const struct command *c, struct run *run)
{
	struct capture *out = &run->out;
	void *to = NULL;
	if (command_where_is(out) != COMMAND_WHERE_KEPT || out->kept == 0)
		return 0;
	bool outlet = c->outlet.pid && out->outlet;
	int r = outlet ? call_result(run->call, 0, out->kept, 0, &to)
		       : command_room(run->call, 0, out->kept, "its output", &to);
	if (r < 0 && outlet && (capture_spill(out) || out->error))
		return out->error ? command_say_unkept(run, out) : 0;
	if (r < 0)
		return command_keep_what_fits(run);
	return capture_copy(out, to, out->kept)
	    ? 0
	    : plm_fail(run->call, COMMAND_OURS,
		  "the output of the command could not be read back from memory");
}

static int command_say_too_large(const struct run *run)
{
	char used[DECIMAL_TEXT_BYTES], limit[DECIMAL_TEXT_BYTES];
	return plm_fail(run->call, ENOMEM,
	    "killed: used more memory than --mem-limit %s: %s, together with all processes it had "
	    "started",
	    size_text(run->memory.limit, limit), size_text(run->memory.over >> 20 << 20, used));
}

static int command_settle(const struct command *c, struct run *run, uint64_t begun_ns)
{
	int r = run->memory.over ? command_say_too_large(run)
	    : run->status != 0   ? command_say_end(run)
	    : run->out.error     ? command_say_unkept(run, &run->out)
	    : run->err.error     ? command_say_unkept(run, &run->err)
				 : command_leave_stdout(c, run);
	if (r == 0)
		r = value_files_leave(c);
	bool stopped = r != 0 || plm_cancelled(run->call);
	bool logged = command_leave_log(c, run, command_describe(run, begun_ns), stopped);
	uint64_t cut = run->out.came - run->out.kept;
	if (r == 0 && cut && !logged) /* a part would pass for the whole */
		r = plm_fail(run->call, COMMAND_OURS,
		    "of its output %llu bytes were cut off: more "
		    "than is kept of a command or a replica (--output-cap), or than there was "
		    "room for",
		    (unsigned long long)cut);
	return r;
}

/* ---- the run ---- */

static void command_block_interrupts(sigset_t *ret_before)
{
	sigset_t ours;
	sigemptyset(&ours);
	sigaddset(&ours, PROCESS_INTERRUPT);
	sigaddset(&ours, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ours, ret_before);
}

static int command_open_input(struct command *c, struct input_parts *parts, int *ret)
{
	*ret = value_files_stdin(c);
	if (!c->input || *ret >= 0)
		return 0; /* the worker's own stdin is empty */
	*ret = open(c->input, O_RDONLY | O_CLOEXEC);
	int r = *ret < 0 ? -errno : input_parts_open(parts, c->fields, c->fields_bytes, ret);
	return r == 0 ? 0
		      : plm_fail(c->call, COMMAND_OURS,
			    "cannot open the --stdin file %s: "
			    "%s",
			    c->input, strerror(-r));
}

static int command_run_start(const struct command *c, struct run *run, int in)
{
	for (struct capture *to = &run->out; to; to = to == &run->out ? &run->err : NULL)
		if (!capture_open(to))
			return plm_fail(run->call, COMMAND_OURS,
			    "cannot open %s for the output of the command: %s",
			    to->path ? to->path : "a pipe", strerror(errno));
	run->pid = command_start(c, &run->waiting, in, run->out.theirs, run->err.theirs);
	if (run->pid < 0)
		return run->call->code;
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (run->pidfd >= 0)
		return 0;
	int error = errno;
	kill(-run->pid, SIGKILL);
	waitpid(run->pid, NULL, 0);
	run->pid = -1;
	return plm_fail(run->call, COMMAND_OURS,
	    "the process of the command could not be watched: %s", strerror(error));
}

/* Makes every process left behind by the command a child of ours, and remembers which children were
 * there before. */
static void command_adopt_descendants(struct run *run)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run->before.n = 0;
	if (family_exists())
		family_look(&run->before);
}

static int command_run_to_the_end(struct command *c, struct run *run)
{
	struct process *me = run->call->rt->me;
	uint64_t begun_ns = clock_ns();
	int in, r = command_open_input(c, &run->parts, &in);
	if (r == 0)
		r = command_run_start(c, run, in);
	if (in >= 0)
		close(in);
	if (r == 0) {
		sh_store(&me->alert, 1);
		sh_fence(); /* who asks us to stop sees `alert`, or we see the flag */
		command_watch(run);
		sh_store(&me->alert, 0);
		jobserver_close(run->jobserver);
		r = command_settle(c, run, begun_ns);
	} else {
		command_leave_log(c, run, command_describe(run, begun_ns), false);
	}
	if (run->pidfd >= 0)
		close(run->pidfd);
	return r;
}

/* The program, without its directory; of a line for a shell the first word. */
static void command_name(const struct command *c)
{
	const char *word = c->argv[c->shell ? 2 : 0];
	size_t length = c->shell ? strcspn(word, " \t\n;|&") : strlen(word);
	for (size_t i = length; i-- > 0;)
		if (word[i] == '/') {
			word += i + 1;
			length -= i + 1;
			break;
		}
	call_name(c->call, word, length);
}

static int command_run(plm_call *call)
{
	struct command c = { .call = call, .label = "" };
	jobserver_none(&c.jobserver, call);
	int r = command_take_arguments(&c);
	if (r == 0) {
		command_name(&c);
		struct run run = { .call = call,
			.jobserver = &c.jobserver,
			.pid = -1,
			.pidfd = -1,
			.kill_ns = DEADLINE_NEVER,
			.parts = INPUT_PARTS_NONE,
			.out = { .call = call,
			    .stream = 1,
			    .pipe = -1,
			    .theirs = -1,
			    .file = -1,
			    .cap = c.cap,
			    .path = c.output,
			    .outlet = &c.outlet,
			    .outlet_fd = -1 },
			.err = { .call = call,
			    .stream = 2,
			    .pipe = -1,
			    .theirs = -1,
			    .file = -1,
			    .cap = c.cap,
			    .path = c.error,
			    .outlet = &c.outlet,
			    .outlet_fd = -1 },
			.memory = { .limit = c.memory_limit } };
		command_block_interrupts(&run.waiting);
		command_adopt_descendants(&run);
		r = command_run_to_the_end(&c, &run);
		pthread_sigmask(SIG_SETMASK, &run.waiting, NULL);
		input_parts_close(&run.parts);
		capture_close(&run.out);
		capture_close(&run.err);
	}
	jobserver_close(&c.jobserver);
	command_free(&c);
	return r;
}

static const plm_export exports[] = {
	{ "run", command_run, "FIELDS ENVIRONMENT PROGRAM [WORD]...: what plmctl submit submits" },
};

const plm_module command_module = {
	.abi = PLM_MODULE_ABI,
	.view_size = sizeof(plm_view),
	.task_size = sizeof(plm_task),
	.count = sizeof exports / sizeof exports[0],
	.name = COMMAND_MODULE,
	.exports = exports,
};

/* ---- the module in this process ---- */

void command_offer(void)
{
	module_offer(MODULE_COMMANDS, &command_module);
}

void command_begin(const struct tables *t, uint32_t slot)
{
	command_offer();
	command_group_open(t->control->name, slot);
	value_files_sweep(t);
}
