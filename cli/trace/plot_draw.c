#include "cli/trace/plot_draw.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/trace/plot_panels.h"
#include "cli/trace/trace_file.h"

enum {
	WIDTH = 1200,
	TOP = 56,   /* title of the picture */
	ABOVE = 30, /* title of a panel */
	BELOW = 28, /* numbers of its axis */
	AXIS_NAME = 22,
	LEFT = 150,
	RIGHT = 60,
	COLUMNS = 3, /* of functions */
	FUNCTION_HEIGHT = 150,
	PIXELS_PER_INCH = 96,
};

extern char **environ;

/* ---- terminals ---- */

static const struct {
	const char *suffix, *name, *font;
	double unit; /* pixels */
} plot_terminals[] = {
	{ ".svg", "svg", "sans-serif,12", 1 },
	{ ".png", "pngcairo", "sans,10", 1 },
	{ ".pdf", "pdfcairo", "sans,9", PIXELS_PER_INCH },
};

static int plot_terminal(const char *path)
{
	size_t length = strlen(path);
	for (int i = 0; i < 3; i++)
		if (length > 4 && strcmp(path + length - 4, plot_terminals[i].suffix) == 0)
			return i;
	return -1;
}

int plot_check_name(const char *path)
{
	if (plot_terminal(path) >= 0)
		return 0;
	return why(-EINVAL, "%s: the name of a picture ends in .svg, .pdf or .png", path);
}

/* ---- the script ---- */

struct plot_page {
	FILE *script;
	const struct series *series;
	enum plot_part part;
	unsigned height, at; /* of the page; from the top, already drawn */
	uint32_t function[PLOT_FUNCTIONS_MOST];
	unsigned functions;
};

static bool plot_has(const struct plot_page *page, enum plot_part part)
{
	return page->part == PLOT_ALL || page->part == part;
}

static unsigned plot_panel_height(const struct plot_page *page, unsigned panel)
{
	unsigned height = plot_has(page, (enum plot_part)(panel + 1))
	    ? plot_panels[panel].height(page->series)
	    : 0;
	return height ? height + ABOVE + BELOW + AXIS_NAME : 0;
}

static unsigned plot_page_height(struct plot_page *page)
{
	unsigned height = TOP;
	for (unsigned i = 0; i < PANELS; i++)
		height += plot_panel_height(page, i);
	page->functions =
	    plot_has(page, PLOT_FUNCTIONS) ? plot_busiest(page->series, page->function) : 0;
	unsigned lines = (page->functions + COLUMNS - 1) / COLUMNS;
	return height + lines * (FUNCTION_HEIGHT + ABOVE + BELOW + AXIS_NAME) + BELOW;
}

/* The inside of the next panel: from the left to the right pixel. */
static void plot_margins(
    const struct plot_page *page, unsigned height, unsigned left, unsigned right)
{
	double all = page->height;
	fprintf(page->script,
	    "set lmargin at screen %.6f\nset rmargin at screen %.6f\n"
	    "set tmargin at screen %.6f\nset bmargin at screen %.6f\n",
	    (double)left / WIDTH, (double)right / WIDTH, 1 - (page->at + ABOVE) / all,
	    1 - (page->at + ABOVE + height) / all);
}

static void plot_title(const struct plot_page *page, const struct recording_head *head)
{
	char when[64] = "", text[256];
	time_t seconds =
	    (time_t)(((int64_t)page->series->begin_ns + head->wall_offset_ns) / 1000000000);
	struct tm local;
	if (localtime_r(&seconds, &local))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
	snprintf(text, sizeof text, "plm runtime %.31s, from %s: %.6g s in windows of %.6g ms",
	    head->name, when, (double)(page->series->end_ns - page->series->begin_ns) * 1e-9,
	    (double)page->series->window_ns * 1e-6);
	fputs("set label 1 ", page->script);
	plot_text(page->script, text);
	fprintf(page->script, " at screen %.4f, screen %.4f left font ',13'\n",
	    (double)LEFT / WIDTH, 1 - TOP * 0.45 / page->height);
}

static void plot_panel(struct plot_page *page, unsigned panel)
{
	unsigned height = plot_panel_height(page, panel);
	const struct series *series = page->series;
	if (height == 0)
		return;
	plot_margins(page, height - ABOVE - BELOW - AXIS_NAME, LEFT, WIDTH - RIGHT);
	fprintf(page->script,
	    "set label 2 '%s' at graph 0, graph 1 offset 0,0.7 left\n"
	    "set grid lc rgb '#dddddd' lt 1 lw 0.5\n"
	    "set xlabel 'seconds' offset 0,0.5\nset xtics auto\nset xrange [0:%.9g]\n",
	    plot_panels[panel].title, (double)(series->end_ns - series->begin_ns) * 1e-9);
	plot_panels[panel].draw(page->script, series);
	fputs("unset label 1\nunset label 2\nunset colorbox\n", page->script);
	page->at += height;
}

static void plot_functions(struct plot_page *page)
{
	enum { GAP = 90 };
	unsigned width = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / COLUMNS;
	fputs("unset key\n", page->script);
	for (unsigned i = 0; i < page->functions; i++) {
		unsigned left = LEFT + i % COLUMNS * (width + GAP);
		plot_margins(page, FUNCTION_HEIGHT, left, left + width);
		plot_function_panel(page->script, page->series, page->function[i]);
		fputs("unset label 1\n", page->script);
		if (i % COLUMNS == COLUMNS - 1)
			page->at += FUNCTION_HEIGHT + ABOVE + BELOW + AXIS_NAME;
	}
}

static void plot_script(struct plot_page *page, int terminal, const struct recording_head *head)
{
	page->height = plot_page_height(page);
	page->at = TOP;
	double unit = plot_terminals[terminal].unit;
	FILE *script = page->script;
	fprintf(script, "set terminal %s size %g,%g noenhanced font '%s' background '#ffffff'\n",
	    plot_terminals[terminal].name, WIDTH / unit, page->height / unit,
	    plot_terminals[terminal].font);
	fputs("set encoding utf8\nset multiplot\nset border 3 lc rgb '#444444'\n"
	      "set tics nomirror out scale 0.5\n"
	      "set key at graph 1, graph 1.03 bottom right horizontal samplen 2\n",
	    script);
	plot_title(page, head);
	for (unsigned i = 0; i < PANELS; i++)
		plot_panel(page, i);
	plot_functions(page);
	fputs("unset multiplot\n", script);
}

/* ---- gnuplot ---- */

/* The script is UTF-8, with points in numbers, whatever the locale is. */
static int plot_run(int script_fd, int out_fd)
{
	char gnuplot[] = "gnuplot", *argv[] = { gnuplot, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, script_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	setenv("LC_ALL", "C.UTF-8", 1);
	int error = posix_spawnp(&pid, gnuplot, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		return why(-ENOENT,
		    "gnuplot is not installed (Debian: gnuplot-nox); --csv DIR writes the numbers "
		    "without it");
	if (error)
		return why(-error, "cannot start gnuplot: %s", strerror(error));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return why(-EIO, "gnuplot failed; its message is above");
}

static int plot_copy(int drawn_fd, const char *path)
{
	static char bytes[1 << 16];
	struct trace_file *file;
	ssize_t n;
	int r = trace_file_open(&file, path, false);
	if (r < 0)
		return r;
	lseek(drawn_fd, 0, SEEK_SET);
	while ((n = read(drawn_fd, bytes, sizeof bytes)) > 0)
		trace_file_write(file, bytes, (size_t)n);
	return trace_file_close(&file, n == 0);
}

/* gnuplot says nothing of a full disk, so it draws in memory. */
static int plot_write(int script_fd, const char *path)
{
	int drawn_fd = memfd_create("picture", MFD_CLOEXEC);
	if (drawn_fd < 0)
		return why(-errno, "no memory for a picture: %s", strerror(errno));
	lseek(script_fd, 0, SEEK_SET);
	int r = plot_run(script_fd, drawn_fd);
	if (r == 0)
		r = plot_copy(drawn_fd, path);
	close(drawn_fd);
	return r;
}

int plot_draw(const char *path, enum plot_part part, const struct recording_head *head,
    const struct series *series)
{
	struct plot_page page = { .series = series, .part = part };
	int terminal = plot_terminal(path), fd = memfd_create("gnuplot", MFD_CLOEXEC);
	page.script = fd < 0 ? NULL : fdopen(fd, "w");
	if (!page.script || terminal < 0)
		return why(-errno, "cannot write a script for gnuplot: %s", strerror(errno));
	plot_script(&page, terminal, head);
	int r = fflush(page.script) == 0 ? plot_write(fd, path)
					 : why(-errno, "a script for gnuplot: no room");
	fclose(page.script);
	return r;
}
