/* cmd_top.c - the runtime live in a terminal, or one frame as text. */
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/top/top.h"
#include "cli/top/top_fleet.h"
#include "cli/top/top_keys.h"
#include "cli/top/top_keys_help.h"
#include "cli/top/top_round.h"
#include "cli/top/top_screen.h"

enum {
	INTERVAL_MS = 1000,
	INTERVAL_LEAST_MS = 100,
	FIRST_INTERVAL_MS = 250, /* rates soon after the first frame */
	ONCE_MS = 50,
	ONCE_ASK_MS = 20,
	ONCE_COLUMNS = 120,
	LOOK_MS = 50,
	ONCE_LOOK_MS = 5,
	KEYS_AT_ONCE = 64,
};

struct asked {
	bool once;
	uint64_t interval_ms; /* 0: not asked for */
};

static const struct option_row rows[] = {
	{ "once", NULL, NULL, OPTION_FLAG,
	    .help = "print one frame as plain text, without a terminal",
	    OPTION_FIELD(struct asked, once) },
	{ "interval", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "1s",
	    .help = "show new numbers after this time, 100ms at least; with --once: measure for "
		    "this time, else for 50ms",
	    OPTION_FIELD(struct asked, interval_ms), .most = INT_MAX },
	{ 0 },
};

static sig_atomic_t top_ended; /* by a signal */

static void top_end(int signal)
{
	(void)signal;
	top_ended = 1;
}

/* A signal that is ignored, as SIGHUP below nohup, stays ignored. */
static void top_take_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction before, action = { .sa_handler = top_end };
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
}

static void top_pause(uint64_t ms)
{
	const struct timespec pause = clock_timespec(ms * NS_PER_MS);
	nanosleep(&pause, NULL);
}

/* ---- one frame ---- */

static int top_once(struct top *top, const struct asked *asked)
{
	uint64_t ms = asked->interval_ms ? asked->interval_ms : ONCE_MS;
	uint64_t end = clock_ns() + ms * NS_PER_MS, now = clock_ns();
	uint64_t pause_ms = ms / 10 < ONCE_LOOK_MS ? ONCE_LOOK_MS
	    : LOOK_MS < ms / 10                    ? LOOK_MS
						   : ms / 10;
	round_follow(top);
	for (; now < end && !top_ended; now = clock_ns()) {
		uint64_t left_ms = (end - now) / NS_PER_MS + 1;
		top_pause(left_ms < pause_ms ? left_ms : pause_ms);
		looks_take(&top->facts.model.looks, top->facts.in);
		flow_read(&top->facts.flow);
	}
	round_finish(top, ONCE_ASK_MS * NS_PER_MS);
	round_measure(top, true);
	top->canvas.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	int r = canvas_resize(&top->canvas, layout_once_rows(), ONCE_COLUMNS);
	if (r < 0)
		return failed(r, "top");
	const struct frame frame = { &top->facts, &top->view, "", top->watched.trouble };
	round_arrange(top);
	layout_draw_once(&top->canvas, &frame);
	canvas_print(&top->canvas, stdout);
	return EXIT_FINE;
}

/* ---- in a terminal ---- */

struct rhythm { /* when what is due */
	uint64_t look_ns, frame_ns, looked_ns;
	uint64_t look_ms;
};

/* False: the terminal is gone. */
static bool top_wait(const struct rhythm *rhythm, uint64_t events_ns)
{
	struct pollfd keys = { .fd = screen_fd(), .events = POLLIN };
	uint64_t now = clock_ns();
	uint64_t next = rhythm->look_ns < rhythm->frame_ns ? rhythm->look_ns : rhythm->frame_ns;
	next = next < events_ns ? next : events_ns;
	int ms = next > now ? (int)((next - now) / NS_PER_MS) + 1 : 0;
	int n = poll(&keys, 1, ms);
	return n <= 0 || !(keys.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* True: the frame has to be drawn again. */
static bool top_take_keys(struct top *top)
{
	bool any = false;
	int key;
	for (int i = 0; i < KEYS_AT_ONCE && (key = screen_key()) != SCREEN_NONE; i++) {
		if (!any)
			round_arrange(top);
		any = true;
		if (key == SCREEN_RESIZED)
			screen_fit(&top->canvas);
		else
			keys_press(top, key);
		/* The next key acts on rows in their present order. */
		round_arrange(top);
	}
	return any;
}

static void top_go_on(struct top *top)
{
	uint64_t now = clock_ns();
	struct rhythm rhythm = { .looked_ns = now, .look_ms = LOOK_MS };
	uint64_t first =
	    top->interval_ms < FIRST_INTERVAL_MS ? top->interval_ms : FIRST_INTERVAL_MS;
	rhythm.look_ns = now + rhythm.look_ms * NS_PER_MS;
	rhythm.frame_ns = now + first * NS_PER_MS;
	while (!top->view.quits && !top_ended && top_wait(&rhythm, flow_due_ns(&top->facts.flow))) {
		bool draw = top_take_keys(top);
		flow_read(&top->facts.flow);
		now = clock_ns();
		if (now >= rhythm.look_ns) {
			round_look(top, now - rhythm.looked_ns);
			rhythm.looked_ns = now;
			rhythm.look_ns = now + rhythm.look_ms * NS_PER_MS;
		}
		if (now >= rhythm.frame_ns) {
			round_find(top);
			round_measure(top, true);
			rhythm.frame_ns = now + top->interval_ms * NS_PER_MS;
			draw = true;
		}
		if (draw) {
			round_draw(top);
			screen_show(&top->canvas);
		}
	}
}

static int top_live(struct top *top)
{
	int r = screen_open();
	if (r < 0)
		return failed(r, "top");
	r = screen_fit(&top->canvas);
	if (r == 0) {
		round_draw(top);
		screen_show(&top->canvas);
		top_go_on(top);
	}
	screen_close();
	return r < 0 ? failed(r, "top") : EXIT_FINE;
}

/* ---- the command ---- */

static int top_run(struct context *context, int argc, char **argv)
{
	struct asked asked = { .once = false };
	struct top top = { .context = context };
	take_options(context, argc, argv, (void *[]){ &asked });
	expect_operands(context, argc, 0, 0);
	if (context->json || context->quiet)
		usage_error(context,
		    "top shows frames for people: --json and --quiet are of "
		    "`plmctl status`, `workers` and `tasks`");
	if (asked.interval_ms && asked.interval_ms < INTERVAL_LEAST_MS)
		usage_error(context, "--interval is 100ms at least");
	top.once = asked.once;
	top.interval_ms = asked.interval_ms ? asked.interval_ms : INTERVAL_MS;
	top.watched.name = context->name;
	setlocale(LC_CTYPE, "");
	top_take_signals();
	if (context->fleet)
		return fleet_top(context, asked.once,
		    asked.interval_ms ? asked.interval_ms
			: asked.once  ? ONCE_MS
				      : INTERVAL_MS,
		    &top_ended);
	view_begin(&top.view);
	int r = round_find(&top), code = EXIT_FINE;
	if (r == -ENOENT) {
		fprintf(stderr, "plmctl: top: no runtime has this name (plm boots one): %s\n",
		    plm_why());
		code = EXIT_NO_RUNTIME;
	} else if (r < 0) {
		code = failed(r, "top");
	} else {
		code = asked.once ? top_once(&top, &asked) : top_live(&top);
	}
	round_close(&top);
	return code;
}

static const char top_notes[] = "Keys:\n"
    /* clang-format off */
    KEYS_HELP(KEYS_AS_TEXT)
    /* clang-format on */
    "\n"
    "BUSY is measured by 20 looks a second. Tasks are counted in passes over the record\n"
    "table, which has running and queued tasks, and settled ones that somebody holds or\n"
    "keeps; with many records a pass takes a while, and the frame tells the age of the\n"
    "counts. Of many queued tasks a few are asked why they wait: ~ marks such counts.\n"
    "Rates and run times of functions come from the event log, which is written while the\n"
    "pane Functions is shown (or with plm --events on); top then holds a process slot.\n"
    "top changes nothing but by the keys above, and goes on with the next boot of the\n"
    "runtime. --timeout: for the answer to a key (default: 2s).\n"
    "With --fleet: the queue, the rate and the hosts. Up and Down choose a host, d drains the\n"
    "host, after a question, or lets a drained host go on; q quits.\n"
    "NO_COLOR in the environment: no colours.\n";

const struct command cmd_top = {
	.name = "top",
	.usage = "[OPTION]...",
	.help = "watch the runtime in the terminal: cpus, queue, rates, workers, why tasks wait",
	.options = { rows },
	.notes = top_notes,
	.run = top_run,
	.fleet = true,
	.visits = true,
};
