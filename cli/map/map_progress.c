#include "cli/map/map_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"

enum {
	BAR_CELLS = 30,
	BAR_LEAST = 5,
	PERCENT = 100,
	TIME_BYTES = 32,
	LINE_BYTES = 160,
	WIDTH_STANDARD = 80
};

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
		fprintf(stderr, "\r%*s\r", (int)p->width, "");
	p->shown = false;
}

/* The last column stays free, because some terminals wrap there. */
static unsigned progress_columns(void)
{
	struct winsize size;
	bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
	return (known ? size.ws_col : WIDTH_STANDARD) - 1;
}

static void progress_draw_bar(const struct progress *p, unsigned cells, unsigned full)
{
	char bar[BAR_CELLS + 1];
	for (unsigned i = 0; i < cells; i++)
		bar[i] = i < full ? '#' : '.';
	bar[cells] = 0;
	if (p->colour)
		fprintf(stderr, "\033[32m%.*s\033[0m%s ", (int)full, bar, bar + full);
	else
		fprintf(stderr, "%s ", bar);
}

/* The words behind the bar, the most important first: what finds no room is cut off. */
static size_t progress_words(
    const struct progress *p, const struct tally *tally, unsigned running, char ret[LINE_BYTES])
{
	uint64_t elapsed_ms = (clock_ns() - p->begun_ns) / NS_PER_MS;
	uint64_t missing = tally->total > tally->done ? tally->total - tally->done : 0;
	char left[TIME_BYTES] = "";
	int n = 0;
	if (tally->total)
		n = snprintf(ret, LINE_BYTES, "%3u%% %llu/%llu",
		    (unsigned)(tally->done * PERCENT / tally->total),
		    (unsigned long long)tally->done, (unsigned long long)tally->total);
	else
		n = snprintf(ret, LINE_BYTES, "%llu done", (unsigned long long)tally->done);
	if (tally->done && missing) {
		ms_print(elapsed_ms * missing / tally->done, left, sizeof left);
		n += snprintf(ret + n, LINE_BYTES - (size_t)n, " %s left", left);
	}
	if (tally->failed)
		n += snprintf(ret + n, LINE_BYTES - (size_t)n, ", %llu failed",
		    (unsigned long long)tally->failed);
	if (running)
		n += snprintf(ret + n, LINE_BYTES - (size_t)n, ", %u running", running);
	return (size_t)n;
}

static void map_progress_draw(struct progress *p, const struct tally *tally, unsigned running)
{
	char words[LINE_BYTES];
	unsigned columns = progress_columns();
	size_t length = progress_words(p, tally, running, words);
	unsigned room = length + 1 < columns ? columns - (unsigned)length - 1 : 0;
	unsigned cells = room < BAR_CELLS ? room : BAR_CELLS;
	progress_hide(p);
	p->width = columns;
	if (tally->total && cells >= BAR_LEAST) {
		uint64_t done = tally->done < tally->total ? tally->done : tally->total;
		progress_draw_bar(p, cells, (unsigned)(done * cells / tally->total));
	}
	fprintf(stderr, "%.*s", (int)columns, words);
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
