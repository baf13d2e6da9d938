#include "cli/top/top_screen.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "base/why.h"

#undef columns /* ncurses has a macro for each capability */

enum { ESCAPE_MS = 25, RUN_MAX = 512, CONTROL_H = 8, DELETE = 127 };

static SCREEN *the_screen;
static attr_t attributes[PAINTS] = {
	[PAINT_PLAIN] = A_NORMAL,
	[PAINT_BOLD] = A_BOLD,
	[PAINT_DIM] = A_DIM,
	[PAINT_GOOD] = A_NORMAL,
	[PAINT_WARN] = A_BOLD,
	[PAINT_BAD] = A_BOLD,
	[PAINT_HEAD] = A_UNDERLINE,
	[PAINT_CHOSEN] = A_REVERSE,
};
static short colours[PAINTS]; /* pairs; 0: the colours of the terminal */

static void screen_take_colours(void)
{
	static const struct {
		enum paint paint;
		short colour;
	} wanted[] = {
		{ PAINT_GOOD, COLOR_GREEN },
		{ PAINT_WARN, COLOR_YELLOW },
		{ PAINT_BAD, COLOR_RED },
		{ PAINT_HEAD, COLOR_CYAN },
	};
	const char *no_colour = getenv("NO_COLOR");
	if ((no_colour && no_colour[0]) || !has_colors() || start_color() == ERR)
		return;
	short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		short pair = (short)(i + 1);
		if (init_pair(pair, wanted[i].colour, background) == OK)
			colours[wanted[i].paint] = pair;
	}
}

/* Asked first, because a newterm() that fails leaves memory behind. */
static int screen_check_type(const char *type)
{
	int known;
	if (setupterm(type, STDOUT_FILENO, &known) == ERR)
		return why(-ENOTTY,
		    "the terminal type TERM=%s is not known here: try TERM=xterm, or "
		    "`plmctl top --once`",
		    type);
	bool draws = tigetstr("cup") && tigetflag("hc") != 1;
	del_curterm(cur_term);
	return draws
	    ? 0
	    : why(-ENOTTY,
		  "the terminal TERM=%s cannot draw a frame: `plmctl top --once` prints one", type);
}

int screen_open(void)
{
	const char *type = getenv("TERM");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return why(
		    -ENOTTY, "input or output is no terminal: `plmctl top --once` needs none");
	int r = screen_check_type(type ? type : "");
	if (r < 0)
		return r;
	the_screen = newterm(NULL, stdout, stdin);
	if (!the_screen)
		return why(-ENOTTY, "the terminal cannot be used: `plmctl top --once` needs none");
	set_term(the_screen);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	screen_take_colours();
	return 0;
}

void screen_close(void)
{
	if (!the_screen)
		return;
	endwin();
	delscreen(the_screen);
	the_screen = NULL;
}

int screen_fit(struct canvas *canvas)
{
	int rows, columns;
	getmaxyx(stdscr, rows, columns);
	canvas->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return canvas_resize(canvas, rows, columns);
}

/* Characters of the same paint in one call, which ncurses likes better. */
static int screen_show_run(const struct canvas *canvas, int row, int column)
{
	const struct canvas_cell *cell = &canvas->cell[row * canvas->columns];
	wchar_t run[RUN_MAX + 1];
	uint8_t paint = cell[column].paint;
	int n = 0, at = column;
	for (; at < canvas->columns && cell[at].paint == paint && n < RUN_MAX; at++)
		if (cell[at].c)
			run[n++] = cell[at].c;
	run[n] = 0;
	attr_set(attributes[paint], colours[paint], NULL);
	mvaddnwstr(row, column, run, n);
	return at;
}

void screen_show(const struct canvas *canvas)
{
	for (int row = 0; row < canvas->rows; row++)
		for (int column = 0; column < canvas->columns;)
			column = screen_show_run(canvas, row, column);
	attr_set(A_NORMAL, 0, NULL);
	refresh();
}

int screen_fd(void)
{
	return STDIN_FILENO;
}

static int screen_named(int key)
{
	static const struct {
		int theirs, ours;
	} names[] = {
		{ KEY_UP, SCREEN_UP },
		{ KEY_DOWN, SCREEN_DOWN },
		{ KEY_LEFT, SCREEN_LEFT },
		{ KEY_RIGHT, SCREEN_RIGHT },
		{ KEY_PPAGE, SCREEN_PAGE_UP },
		{ KEY_NPAGE, SCREEN_PAGE_DOWN },
		{ KEY_HOME, SCREEN_HOME },
		{ KEY_END, SCREEN_END },
		{ KEY_BACKSPACE, SCREEN_BACKSPACE },
		{ KEY_ENTER, SCREEN_ENTER },
		{ KEY_BTAB, SCREEN_BACK_TAB },
		{ KEY_RESIZE, SCREEN_RESIZED },
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].theirs == key)
			return names[i].ours;
	if (key >= KEY_F(1) && key <= KEY_F(10))
		return SCREEN_F1 + key - KEY_F(1);
	return SCREEN_OTHER;
}

int screen_key(void)
{
	wint_t key;
	int kind = get_wch(&key);
	if (kind == KEY_CODE_YES)
		return screen_named((int)key);
	if (kind != OK)
		return SCREEN_NONE;
	if (key == CONTROL_H || key == DELETE)
		return SCREEN_BACKSPACE;
	return key == '\r' || key == '\n' ? SCREEN_ENTER : (int)key;
}
