/* top_screen.h - the terminal: shows canvases, gives keys. The one file that knows ncurses.
 *
 * Colours: as the terminal has them, and none if NO_COLOR is set; bold and reversed characters
 * stay. screen_close() gives the terminal back as it was.
 * Blocks: never: screen_fd() is what to wait for. */
#ifndef PLM_CLI_TOP_SCREEN_H
#define PLM_CLI_TOP_SCREEN_H

#include "cli/top/top_canvas.h"

/* Characters are themselves. */
enum screen_key {
	SCREEN_NONE = -1,
	SCREEN_ESCAPE = 27,
	SCREEN_FIRST = 0x200000, /* above every character */
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_BACKSPACE,
	SCREEN_ENTER,
	SCREEN_BACK_TAB,
	SCREEN_RESIZED,
	SCREEN_F1,
	SCREEN_F2,
	SCREEN_F3,
	SCREEN_F4,
	SCREEN_F5,
	SCREEN_F6,
	SCREEN_F7,
	SCREEN_F8,
	SCREEN_F9,
	SCREEN_F10,
	SCREEN_OTHER, /* a key that has no name here */
};

/* 0; -ENOTTY: no terminal, or none on which a frame can be drawn. */
int screen_open(void);
void screen_close(void);
/* Gives the canvas the size of the terminal, empty. 0 or -ENOMEM. */
int screen_fit(struct canvas *canvas);
void screen_show(const struct canvas *canvas);
int screen_fd(void);
/* The next key, or SCREEN_NONE. */
int screen_key(void);

#endif
