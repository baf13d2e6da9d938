#include "cli/top/top_fleet.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/amount_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/top/top_header.h"
#include "cli/top/top_screen.h"
#include "fleet/sample.h"

enum { HISTORY = 512, ONCE_COLUMNS = 120, HEAD_ROWS = 7, TEXT_BYTES = 64, TROUBLE_BYTES = 256 };
enum { WIDTH_NAME = 25, WIDTH_STATE = 6, WIDTH_NUMBER = 8, WIDTH_MEMORY = 19 };

struct fleet_frame {
	struct context *context;
	struct fleet_sample sample;
	double history[HISTORY]; /* the newest last */
	unsigned histories;
	size_t chosen, first; /* rows */
	char asked[100];      /* the host that a question is about; "" */
	char said[TROUBLE_BYTES], trouble[TROUBLE_BYTES];
	struct canvas canvas;
	bool quits;
};

/* ---- numbers ---- */

/* A queue in the place of the former is shown, too. */
static int fleet_top_reopen(struct engine *e)
{
	int r = engine_reopen(e);
	return r == -EXDEV ? engine_reopen(e) : r;
}

static int fleet_top_take(struct fleet_frame *f, bool first)
{
	struct engine *e = f->context->engine;
	int r = fleet_sample_take(e, &f->sample);
	if (r < 0 && fleet_top_reopen(e) == 0)
		r = fleet_sample_take(e, &f->sample);
	snprintf(f->trouble, sizeof f->trouble, "%.255s", r < 0 ? why_text() : "");
	if (r < 0 || first)
		return r;
	if (f->histories == HISTORY)
		memmove(f->history, f->history + 1, --f->histories * sizeof f->history[0]);
	f->history[f->histories++] = f->sample.rate;
	return 0;
}

/* ---- the frame ---- */

static void fleet_top_title(struct fleet_frame *f)
{
	size_t up = f->sample.status.hosts, gone = 0;
	for (size_t i = 0; i < f->sample.hosts; i++)
		gone += strcmp(f->sample.host[i].state, "lost") == 0;
	int at = canvas_put(&f->canvas, 0, 0, PAINT_BOLD, "plm top");
	at =
	    canvas_putf(&f->canvas, 0, at + 2, PAINT_PLAIN, "%s", engine_shown(f->context->engine));
	at = canvas_putf(&f->canvas, 0, at + 2, up ? PAINT_GOOD : PAINT_WARN, "%zu host%s", up,
	    up == 1 ? "" : "s");
	if (gone)
		at = canvas_putf(&f->canvas, 0, at + 2, PAINT_BAD, "%zu lost", gone);
	if (f->trouble[0])
		canvas_putf(&f->canvas, 1, 0, PAINT_BAD, "%s", f->trouble);
}

static void fleet_top_meters(struct fleet_frame *f)
{
	uint64_t busy = 0, cores = 0, used = 0, total = 0;
	struct meter m;
	int width = (f->canvas.columns - 2) / 2;
	for (size_t i = 0; i < f->sample.hosts; i++) {
		const struct fleet_host_sample *host = &f->sample.host[i];
		bool up = strcmp(host->state, "up") == 0;
		busy += up ? host->busy : 0;
		cores += up ? host->cores : 0;
		used += up ? host->memory_used : 0;
		total += up ? host->memory_total : 0;
	}
	m = (struct meter){
		.label = "workers", .used = (double)busy, .all = (double)cores, .paint = PAINT_GOOD
	};
	snprintf(m.text, sizeof m.text, "%llu/%llu busy", (unsigned long long)busy,
	    (unsigned long long)cores);
	header_meter(&f->canvas, 2, 0, width, &m);
	header_bytes(&m, "memory", used, total);
	header_meter(&f->canvas, 2, width + 2, width, &m);
}

static void fleet_top_sums(struct fleet_frame *f)
{
	const struct engine_status *s = &f->sample.status;
	const struct {
		uint64_t n;
		const char *word;
	} sums[] = { { engine_todo(s), "todo:" }, { s->ready, "ready" }, { s->waiting, "waiting" },
		{ s->pause, "in a pause" }, { s->parked, "parked" }, { s->running, "running" },
		{ s->done, "done" }, { s->failed, "failed" }, { s->cancelled, "cancelled" } };
	int at = canvas_put(&f->canvas, 4, 0, PAINT_PLAIN, "tasks ");
	for (size_t i = 0; i < COUNT_OF(sums); i++)
		if (sums[i].n || strcmp(sums[i].word, "parked") != 0) /* seldom */
			at = canvas_putf(&f->canvas, 4, at + (i != 1 ? 2 : 1),
			    sums[i].n && sums[i].word[0] == 'f' ? PAINT_BAD : PAINT_PLAIN,
			    "%llu %s", (unsigned long long)sums[i].n, sums[i].word);
}

static int fleet_top_cell(struct fleet_frame *f, int row, int at, int width, const char *text)
{
	return canvas_put_field(&f->canvas, row, at, width, PAINT_PLAIN, text) + 1;
}

static void fleet_top_host(struct fleet_frame *f, int row, const struct fleet_host_sample *host)
{
	char text[TEXT_BYTES], all[TEXT_BYTES / 3], used[TEXT_BYTES / 3];
	int at = fleet_top_cell(f, row, 0, -WIDTH_NAME, host->name);
	bool up = strcmp(host->state, "up") == 0;
	at = fleet_top_cell(f, row, at, -WIDTH_STATE, host->order[0] ? host->order : host->state);
	ms_print(host->seen_ms, text, sizeof text);
	at = fleet_top_cell(f, row, at, WIDTH_NUMBER, text);
	snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)host->busy,
	    (unsigned long long)host->cores);
	at = fleet_top_cell(f, row, at, WIDTH_NUMBER, up ? text : "-");
	size_print(host->memory_used, used, sizeof used);
	size_print(host->memory_total, all, sizeof all);
	snprintf(text, sizeof text, "%s/%s", used, all);
	at = fleet_top_cell(f, row, at, WIDTH_MEMORY, up ? text : "-");
	snprintf(text, sizeof text, "%llu", (unsigned long long)host->claimed);
	at = fleet_top_cell(f, row, at, WIDTH_NUMBER, text);
	snprintf(text, sizeof text, "%llu", (unsigned long long)host->finished);
	at = fleet_top_cell(f, row, at, WIDTH_NUMBER, text);
	rate_print(host->rate, text, sizeof text);
	fleet_top_cell(f, row, at, WIDTH_NUMBER, up ? text : "-");
	if (!up)
		canvas_paint_row(&f->canvas, row, PAINT_DIM);
}

static void fleet_top_hosts(struct fleet_frame *f, bool choose)
{
	static const struct {
		const char *title;
		int width;
	} columns[] = { { "HOST", -WIDTH_NAME }, { "STATE", -WIDTH_STATE },
		{ "SEEN", WIDTH_NUMBER }, { "BUSY", WIDTH_NUMBER }, { "MEMORY", WIDTH_MEMORY },
		{ "RUNNING", WIDTH_NUMBER }, { "FINISHED", WIDTH_NUMBER },
		{ "TASKS/S", WIDTH_NUMBER } };
	int at = 0, rows = f->canvas.rows - HEAD_ROWS - (choose ? 1 : 0);
	for (size_t i = 0; i < COUNT_OF(columns); i++)
		at = fleet_top_cell(f, HEAD_ROWS - 1, at, columns[i].width, columns[i].title);
	canvas_paint_row(&f->canvas, HEAD_ROWS - 1, PAINT_HEAD);
	if (f->chosen >= f->sample.hosts)
		f->chosen = f->sample.hosts ? f->sample.hosts - 1 : 0;
	if (f->chosen < f->first)
		f->first = f->chosen;
	if (rows > 0 && f->chosen >= f->first + (size_t)rows)
		f->first = f->chosen - (size_t)rows + 1;
	for (int i = 0; i < rows && f->first + (size_t)i < f->sample.hosts; i++) {
		fleet_top_host(f, HEAD_ROWS + i, &f->sample.host[f->first + (size_t)i]);
		if (choose && f->first + (size_t)i == f->chosen)
			canvas_paint_row(&f->canvas, HEAD_ROWS + i, PAINT_CHOSEN);
	}
}

static void fleet_top_draw(struct fleet_frame *f, bool live)
{
	canvas_clear(&f->canvas);
	fleet_top_title(f);
	fleet_top_meters(f);
	header_history(&f->canvas, 3, f->sample.rate, f->history, f->histories);
	fleet_top_sums(f);
	fleet_top_hosts(f, live);
	if (!live)
		return;
	if (f->asked[0])
		canvas_putf(&f->canvas, f->canvas.rows - 1, 0, PAINT_WARN,
		    "Drain %s: no more tasks for the host? y: yes", f->asked);
	else
		canvas_put(&f->canvas, f->canvas.rows - 1, 0, PAINT_HEAD,
		    f->said[0] ? f->said : "Up Down:choose  dDrain  qQuit");
}

/* ---- keys ---- */

static void fleet_top_order(struct fleet_frame *f, const char *host, const char *order)
{
	int n = engine_order(f->context->engine, host, order);
	if (n < 0)
		snprintf(f->said, sizeof f->said, "%.255s", why_text());
	else if (n == 0)
		snprintf(f->said, sizeof f->said, "%.100s is not in the fleet any more", host);
	else
		snprintf(f->said, sizeof f->said, "%.100s %s", host,
		    order[0] ? "takes no more tasks" : "takes tasks again");
}

static void fleet_top_ask_drain(struct fleet_frame *f)
{
	if (f->chosen >= f->sample.hosts)
		return;
	const struct fleet_host_sample *host = &f->sample.host[f->chosen];
	if (strcmp(host->state, "up") != 0)
		snprintf(f->said, sizeof f->said, "%.100s is not up", host->name);
	else if (host->order[0])
		fleet_top_order(f, host->name, "");
	else
		snprintf(f->asked, sizeof f->asked, "%s", host->name);
}

static void fleet_top_press(struct fleet_frame *f, int key)
{
	char asked[sizeof f->asked];
	memcpy(asked, f->asked, sizeof asked);
	f->said[0] = f->asked[0] = 0;
	if (asked[0]) {
		if (key == 'y')
			fleet_top_order(f, asked, "drain");
		return;
	}
	if (key == 'q' || key == SCREEN_ESCAPE || key == SCREEN_F10)
		f->quits = true;
	else if ((key == SCREEN_DOWN || key == 'j') && f->chosen + 1 < f->sample.hosts)
		f->chosen++;
	else if ((key == SCREEN_UP || key == 'k') && f->chosen)
		f->chosen--;
	else if (key == 'd')
		fleet_top_ask_drain(f);
	else if (key == SCREEN_RESIZED)
		screen_fit(&f->canvas);
}

/* ---- modes ---- */

static int fleet_top_once(struct fleet_frame *f, uint64_t interval_ms)
{
	const struct timespec pause = clock_timespec(interval_ms * NS_PER_MS);
	nanosleep(&pause, NULL);
	int r = fleet_top_take(f, false);
	if (r == 0)
		r = canvas_resize(&f->canvas, HEAD_ROWS + (int)f->sample.hosts, ONCE_COLUMNS);
	if (r < 0)
		return failed(r, "top");
	f->canvas.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	fleet_top_draw(f, false);
	canvas_print(&f->canvas, stdout);
	return EXIT_FINE;
}

static void fleet_top_go_on(struct fleet_frame *f, uint64_t interval_ms, const sig_atomic_t *ended)
{
	uint64_t due_ns = clock_ns() + interval_ms * NS_PER_MS;
	while (!f->quits && !*ended) {
		struct pollfd keys = { .fd = screen_fd(), .events = POLLIN };
		uint64_t now = clock_ns();
		int n = poll(&keys, 1, due_ns > now ? (int)((due_ns - now) / NS_PER_MS) + 1 : 0);
		int key;
		if (n > 0 && keys.revents & (POLLHUP | POLLERR | POLLNVAL))
			return; /* the terminal is gone */
		while ((key = screen_key()) != SCREEN_NONE)
			fleet_top_press(f, key);
		if (clock_ns() >= due_ns) {
			fleet_top_take(f, false);
			due_ns = clock_ns() + interval_ms * NS_PER_MS;
		}
		fleet_top_draw(f, true);
		screen_show(&f->canvas);
	}
}

static int fleet_top_live(struct fleet_frame *f, uint64_t interval_ms, const sig_atomic_t *ended)
{
	int r = screen_open();
	if (r < 0)
		return failed(r, "top");
	r = screen_fit(&f->canvas);
	if (r == 0) {
		fleet_top_draw(f, true);
		screen_show(&f->canvas);
		fleet_top_go_on(f, interval_ms, ended);
	}
	screen_close();
	return r < 0 ? failed(r, "top") : EXIT_FINE;
}

int fleet_top(struct context *context, bool once, uint64_t interval_ms, const sig_atomic_t *ended)
{
	static struct fleet_frame f;
	f.context = context;
	int code = fleet_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = fleet_top_take(&f, true);
	if (r < 0)
		return failed(r, "top");
	code = once ? fleet_top_once(&f, interval_ms) : fleet_top_live(&f, interval_ms, ended);
	canvas_free(&f.canvas);
	fleet_sample_free(&f.sample);
	return code;
}
