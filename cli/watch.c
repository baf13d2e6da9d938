#include "cli/watch.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/look.h"

enum { PAUSE_DEFAULT_MS = 2000, PAUSE_LEAST_MS = 10, MS_PER_SECOND = 1000, LINES_DEFAULT = 24 };

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define CUT_LINES "\033[?7l" /* long lines end at the right edge */
#define WRAP_LINES "\033[?7h"

/* The number may also be the next word. */
static int watch_take(void *target, const struct option_given *given)
{
	struct watch *watch = target;
	const char *word = given->text;
	if (!word && given->next && isdigit((unsigned char)given->next[0])) {
		word = given->next;
		optind++;
	}
	watch->wanted = true;
	watch->pause_ms = PAUSE_DEFAULT_MS;
	if (!word)
		return 0;
	char *end;
	double seconds = strtod(word, &end);
	if (end == word || *end || !(seconds * MS_PER_SECOND >= PAUSE_LEAST_MS) ||
	    seconds > INT32_MAX / MS_PER_SECOND)
		return why(-EINVAL, "--watch is a number of seconds, 0.01 at least: %s", word);
	watch->pause_ms = (int)ceil(seconds * MS_PER_SECOND);
	return 0;
}

const struct option_row watch_rows[] = {
	{ "watch", NULL, NULL, OPTION_TEXT, .optional = true, .word = "SECONDS", .standard = "2",
	    .help = "show again every SECONDS, until Ctrl-C", .take = watch_take },
	{ 0 },
};

static unsigned watch_lines_of_terminal(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row
									       : LINES_DEFAULT;
}

/* Clears the rest of each line after writing the line, because clearing first would flicker. */
static void watch_draw(const char *text, size_t length)
{
	unsigned left = watch_lines_of_terminal() - 1;
	const char *end = text + length, *newline;
	fputs(HOME CUT_LINES, stdout);
	for (; left > 0 && (newline = memchr(text, '\n', (size_t)(end - text))) != NULL; left--) {
		fwrite(text, 1, (size_t)(newline - text), stdout);
		fputs(CLEAR_LINE "\n", stdout);
		text = newline + 1;
	}
	fputs(CLEAR_BELOW WRAP_LINES, stdout);
	fflush(stdout);
}

static int watch_show_drawn(struct context *context, watch_show_f *show, void *argument)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	if (!memory)
		return failed(-ENOMEM, "watch");
	context->out.file = memory;
	int code = show(context, argument);
	fclose(memory);
	context->out.file = stdout;
	if (code == EXIT_FINE)
		watch_draw(text, length);
	free(text);
	return code;
}

/* False: a signal has ended it. */
static bool watch_pause_for(int ms, const sigset_t *ends)
{
	const struct timespec pause = { .tv_sec = ms / MS_PER_SECOND,
		.tv_nsec = (long)(ms % MS_PER_SECOND) * (long)NS_PER_MS };
	return sigtimedwait(ends, NULL, &pause) < 0;
}

/* The tables of a runtime that is gone would show its last state for ever. */
static int watch_still_there(const struct context *context)
{
	int r = context->fleet ? 0 : plm_alive(context->rt);
	return r < 0 ? failed(r, "watch") : EXIT_FINE;
}

int watch_run(
    struct context *context, const struct watch *watch, watch_show_f *show, void *argument)
{
	int code = runtime(context);
	if (code != EXIT_FINE || !watch->wanted)
		return code == EXIT_FINE ? show(context, argument) : code;
	bool drawn = isatty(STDOUT_FILENO) && !context->json;
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if (drawn)
		fputs(HOME CLEAR_BELOW, stdout);
	do {
		code = drawn ? watch_show_drawn(context, show, argument) : show(context, argument);
		if (code == EXIT_FINE)
			code = watch_still_there(context);
		if (fflush(stdout) != 0)
			break; /* the reader is gone: plmctl_finish() reports it */
		look_close(context);
		runtime_leave(context);
		if (code != EXIT_FINE || !watch_pause_for(watch->pause_ms, &ends))
			break;
		code = runtime_return(context);
	} while (code == EXIT_FINE);
	return code;
}
