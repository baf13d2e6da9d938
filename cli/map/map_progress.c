#include "cli/map/map_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"

enum { BAR_CELLS = 30, PERCENT = 100, TIME_BYTES = 32 };

void progress_begin(struct progress *p)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	p->wanted = isatty(STDERR_FILENO);
	p->colour = (!no_colour || !no_colour[0]) && terminal && strcmp(terminal, "dumb") != 0;
	p->begun_ns = clock_ns();
}

/* A dumb terminal cannot be told to clear a line. */
void progress_hide(struct progress *p)
{
	if (!p->shown)
		return;
	if (p->colour)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%*s\r", BAR_CELLS + 49, "");
	p->shown = false;
}

static void progress_draw_bar(const struct progress *p, unsigned full)
{
	char cells[BAR_CELLS + 1];
	for (unsigned i = 0; i < BAR_CELLS; i++)
		cells[i] = i < full ? '#' : '.';
	cells[BAR_CELLS] = 0;
	if (p->colour)
		fprintf(stderr, "\033[32m%.*s\033[0m%s", (int)full, cells, cells + full);
	else
		fputs(cells, stderr);
}

static void map_progress_draw(struct progress *p, const struct tally *tally, unsigned running)
{
	uint64_t elapsed_ms = (clock_ns() - p->begun_ns) / NS_PER_MS;
	char left[TIME_BYTES] = "";
	progress_hide(p);
	if (tally->total) {
		uint64_t missing = tally->total > tally->done ? tally->total - tally->done : 0;
		progress_draw_bar(p, (unsigned)(tally->done * BAR_CELLS / tally->total));
		fprintf(stderr, " %3u%% %llu/%llu",
		    (unsigned)(tally->done * PERCENT / tally->total),
		    (unsigned long long)tally->done, (unsigned long long)tally->total);
		if (tally->done && missing) {
			ms_print(elapsed_ms * missing / tally->done, left, sizeof left);
			fprintf(stderr, " %s left", left);
		}
	} else {
		fprintf(stderr, "%llu done", (unsigned long long)tally->done);
	}
	if (running)
		fprintf(stderr, ", %u running", running);
	if (tally->failed)
		fprintf(stderr, ", %llu failed", (unsigned long long)tally->failed);
	p->shown = true;
}

void progress_draw(struct progress *p, const struct tally *tally, unsigned running)
{
	uint64_t now = clock_ns();
	if (!p->wanted || (p->shown && now - p->drawn_ns < PROGRESS_MS * NS_PER_MS))
		return;
	p->drawn_ns = now;
	map_progress_draw(p, tally, running);
}

void progress_end(struct progress *p, const struct tally *tally)
{
	if (!p->wanted)
		return;
	map_progress_draw(p, tally, 0);
	putc('\n', stderr);
}
