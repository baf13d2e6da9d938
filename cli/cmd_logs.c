#include <poll.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/arguments.h"
#include "cli/command_view.h"
#include "cli/fleet_door.h"
#include "cli/result.h"
#include "cli/short_reference.h"
#include "cli/task_filter.h"

enum { LOOK_AGAIN_MS = 100, PIECE_BYTES = 64 << 10 };

struct asked {
	bool follow, errors;
};

static const struct option_row rows[] = {
	{ "follow", NULL, NULL, OPTION_FLAG,
	    .help = "print until the command is settled, as the output comes",
	    OPTION_FIELD(struct asked, follow) },
	{ "stderr", NULL, NULL, OPTION_FLAG, .help = "stderr in the place of stdout",
	    OPTION_FIELD(struct asked, errors) },
	{ 0 },
};

struct logs { /* how far a command was read */
	struct context *context;
	plm_ref ref;
	int stream;
	uint32_t attempt; /* to which fd and read belong */
	int fd;
	uint64_t read;
};

static int logs_emit(struct logs *l, const char *data, size_t length)
{
	const plm_view view = { .data = data, .len = length };
	l->read += length;
	return length ? print_log(l->context, l->ref, l->stream, l->attempt, &view) : EXIT_FINE;
}

/* Another attempt begins with an empty log. */
static void logs_see_attempt(struct logs *l, uint32_t attempt)
{
	if (l->attempt == attempt)
		return;
	if (l->attempt)
		fprintf(stderr, "plmctl: attempt %u\n", attempt);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->read = 0;
	l->attempt = attempt;
}

static void logs_say_where(const struct command_view *v)
{
	char where[WHERE_TEXT_BYTES];
	fprintf(stderr, "plmctl: its output goes to %s\n", command_where(v, where));
}

static bool logs_is_file(const struct logs *l, const struct command_view *v)
{
	int where = l->stream == STDOUT_FILENO ? v->log.out_where : v->log.err_where;
	return where == PLM_OUTLET_FILE;
}

/* A command that never started has no output; the reader would look for the fault in vain. */
static void logs_say_unstarted(const struct command_view *v)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(v->ref, text);
	bool unstarted = v->logged ? v->log.status < 0 : v->attempt == 0;
	if (unstarted && v->state != PLM_STATE_DONE)
		fprintf(stderr,
		    "plmctl: the command did not start; `plmctl explain %s` tells why\n", text);
}

static int logs_emit_running(struct logs *l, const struct command_view *v)
{
	char piece[PIECE_BYTES];
	int code = EXIT_FINE;
	ssize_t n;
	logs_see_attempt(l, v->attempt);
	int fd = command_stream_open(v, l->stream);
	if (fd >= 0 && l->fd >= 0)
		close(l->fd);
	l->fd = fd >= 0 ? fd : l->fd; /* a closed stream may hold unread bytes */
	while (l->fd >= 0 && code == EXIT_FINE &&
	    (n = pread(l->fd, piece, sizeof piece, (off_t)l->read)) > 0)
		code = logs_emit(l, piece, (size_t)n);
	return code;
}

static int logs_emit_settled(struct logs *l, const struct command_view *v)
{
	uint64_t length;
	const char *kept = command_kept(v, l->stream, &length);
	logs_see_attempt(l, v->attempt);
	int where = l->stream == STDOUT_FILENO ? v->log.out_where : v->log.err_where;
	if (v->logged && where != PLM_OUTLET_KEPT)
		logs_say_where(v);
	logs_say_unstarted(v);
	if (!v->logged && v->attempt > 0 && length == 0)
		fputs("plmctl: no log of it was kept: its worker died, it was one of several "
		      "replicas, or the store was full\n",
		    stderr);
	int code =
	    kept && length > l->read ? logs_emit(l, kept + l->read, length - l->read) : EXIT_FINE;
	return code == EXIT_FINE ? command_say_cut(v, l->stream) : code;
}

static bool logs_settled(int state)
{
	return state == PLM_STATE_DONE || state == PLM_STATE_FAILED || state == PLM_STATE_CANCELLED;
}

static int logs_follow(struct logs *l, bool on)
{
	uint64_t deadline_ns = deadline_of(l->context);
	bool cancelled = false, told = false;
	for (;;) {
		struct command_view v;
		int code = command_look(l->context, l->ref, &v);
		if (code != EXIT_FINE || logs_settled(v.state))
			return code != EXIT_FINE ? code : logs_emit_settled(l, &v);
		bool elsewhere = (v.log.outlet_pid && v.log.outlet_live) ||
		    (!on && logs_is_file(l, &v)); /* with --follow said at the end */
		if (elsewhere && !told)
			logs_say_where(&v);
		told = true;
		if (v.state == PLM_STATE_RUNNING)
			code = logs_emit_running(l, &v);
		if (!on || code != EXIT_FINE)
			return code;
		int left = milliseconds_left(deadline_ns);
		if (left == 0)
			return EXIT_TIMED_OUT;
		int ms = left < 0 || left > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : left;
		if (plm_wait(l->context->rt, &l->ref, 1, 1, ms, NULL) == 0 && cancelled)
			poll(NULL, 0, ms); /* counts as settled, but still runs */
		cancelled = plm_wait(l->context->rt, &l->ref, 1, 1, 0, NULL) == 0;
	}
}

/* Of several tasks of a filter the one submitted last. */
static int logs_choose(struct context *context, const struct selection *selection, plm_ref *ret)
{
	int code = look_open(context);
	*ret = selection->n == 1 ? selection->ref[0] : PLM_NONE;
	if (code == EXIT_FINE && selection->n > 1)
		*ret = reference_latest(context, selection->ref, selection->n);
	if (code != EXIT_FINE || ret->id)
		return code;
	fputs("plmctl: no task passes the filter\n", stderr);
	return EXIT_DATA;
}

static int logs_run(struct context *context, int argc, char **argv)
{
	struct asked asked = { .follow = false };
	struct task_filter filter = { .states = 0 };
	struct selection selection;
	take_options(context, argc, argv, (void *[]){ &asked, &filter });
	struct logs l = {
		.context = context, .stream = asked.errors ? STDERR_FILENO : STDOUT_FILENO, .fd = -1
	};
	bool on = asked.follow;
	expect_operands(context, argc, context->fleet ? 1 : 0, 1);
	if (context->fleet) {
		l.ref = reference_word(argv[optind]);
		return fleet_logs(context, l.ref, l.stream, on);
	}
	context->stays = on;
	int code = select_tasks(context, argc, argv, &filter, &selection);
	if (code == EXIT_FINE)
		code = logs_choose(context, &selection, &l.ref);
	selection_free(&selection);
	if (code != EXIT_FINE)
		return code;
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(l.ref, text);
	int r = plm_hold(context->rt, l.ref);
	code = r < 0 ? failed(r, text) : logs_follow(&l, on);
	if (l.fd >= 0)
		close(l.fd);
	return code;
}

const struct command cmd_logs = {
	.name = "logs",
	.usage = "[OPTION]... @REF  |  [OPTION]... FILTER...",
	.help = "print what a command has written, while it runs and after",
	.about =
	    "Prints its stdout, which is also the value of its future when the command succeeds,\n"
	    "or its stderr; of a command that is tried again, the output of the latest attempt.\n"
	    "Of the tasks that pass a filter the one submitted last counts.\n",
	.options = { rows, task_filter_rows },
	.notes =
	    "Output that a waiting submitter shows (submit without --detach) is not here.\n"
	    "Exit code: 0 also of a command that failed; 65: no such reference, or no command;\n"
	    "74: a part of the output was cut off.\n",
	.run = logs_run,
	.fleet = true,
	.visits = true,
};
