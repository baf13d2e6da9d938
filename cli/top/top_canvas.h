/* top_canvas.h - a frame of plmctl top: a grid of characters, each with a paint.
 *
 * All drawing goes here first, so that a terminal and `--once` show the same, and so that a frame
 * of any size, 1x1 too, clips in one place. Texts may come from other processes and from broken
 * files: a byte or character that is not printable becomes "?", so no escape sequence reaches a
 * terminal.
 * Allocates: canvas_resize().  Blocks: never. */
#ifndef PLM_CLI_TOP_CANVAS_H
#define PLM_CLI_TOP_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

enum paint {
	PAINT_PLAIN,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_GOOD,
	PAINT_WARN,
	PAINT_BAD,
	PAINT_HEAD,   /* titles of columns */
	PAINT_CHOSEN, /* the row and the pane that keys act on */
	PAINTS
};

struct canvas_cell {
	wchar_t c; /* 0: the right half of a wide character */
	uint8_t paint;
};

struct canvas {
	int rows, columns;
	bool utf8; /* the terminal shows more than ASCII */
	struct canvas_cell *cell;
};

/* An empty canvas of this size. 0 or -ENOMEM. */
int canvas_resize(struct canvas *canvas, int rows, int columns);
void canvas_free(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);

/* Puts text, cut at the right edge; returns the column behind the text. A place outside of the
 * canvas is no error. */
int canvas_put(struct canvas *canvas, int row, int column, enum paint paint, const char *text);
__attribute__((format(printf, 5, 6))) int canvas_putf(
    struct canvas *canvas, int row, int column, enum paint paint, const char *format, ...);
/* The same, in a field: cut or filled to |width|; negative: text at the left. */
int canvas_put_field(
    struct canvas *canvas, int row, int column, int width, enum paint paint, const char *text);
/* One character, which may lie outside of ASCII. */
void canvas_put_char(struct canvas *canvas, int row, int column, enum paint paint, wchar_t c);
/* Paints a whole row, and keeps the characters. */
void canvas_paint_row(struct canvas *canvas, int row, enum paint paint);

/* As plain text: no paint, no blanks at the end of a line, no empty lines at the end. */
void canvas_print(const struct canvas *canvas, FILE *file);

#endif
