#include "cli/top/top_canvas.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/why.h"

enum { TEXT_BYTES = 1024 };

int canvas_resize(struct canvas *canvas, int rows, int columns)
{
	rows = rows < 1 ? 1 : rows;
	columns = columns < 1 ? 1 : columns;
	struct canvas_cell *cell = calloc((size_t)rows * (size_t)columns, sizeof *cell);
	if (!cell)
		return why(-ENOMEM, "no memory for a frame of %d x %d", columns, rows);
	free(canvas->cell);
	canvas->cell = cell;
	canvas->rows = rows;
	canvas->columns = columns;
	canvas_clear(canvas);
	return 0;
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->cell);
	*canvas = (struct canvas){ .cell = NULL };
}

static struct canvas_cell *canvas_at(const struct canvas *canvas, int row, int column)
{
	return &canvas->cell[(size_t)row * (size_t)canvas->columns + (size_t)column];
}

void canvas_clear(struct canvas *canvas)
{
	size_t n = (size_t)canvas->rows * (size_t)canvas->columns;
	for (size_t i = 0; i < n; i++)
		canvas->cell[i] = (struct canvas_cell){ .c = L' ', .paint = PAINT_PLAIN };
}

void canvas_put_char(struct canvas *canvas, int row, int column, enum paint paint, wchar_t c)
{
	if (row < 0 || row >= canvas->rows || column < 0 || column >= canvas->columns)
		return;
	*canvas_at(canvas, row, column) = (struct canvas_cell){ .c = c, .paint = (uint8_t)paint };
}

/* The next character of a text in the encoding of the terminal; '?' for what cannot be shown. */
static wchar_t canvas_next(const char **text, int *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t bytes = mbrtowc(&c, *text, strlen(*text), &state);
	if (bytes == 0 || bytes > MB_LEN_MAX) { /* no character at all */
		bytes = 1;
		c = L'?';
	}
	*text += bytes;
	int width = iswprint((wint_t)c) ? wcwidth(c) : 0;
	if (width < 1) { /* also marks without a width, which turn or overlay other text */
		c = L'?';
		width = 1;
	}
	*ret_width = width;
	return c;
}

/* Cut before `end`. */
static int canvas_put_until(
    struct canvas *canvas, int row, int column, int end, enum paint paint, const char *text)
{
	end = end < canvas->columns ? end : canvas->columns;
	while (*text && column < end) {
		int width;
		wchar_t c = canvas_next(&text, &width);
		if (column + width > end)
			break;
		canvas_put_char(canvas, row, column, paint, c);
		if (width == 2)
			canvas_put_char(canvas, row, column + 1, paint, L'\0');
		column += width;
	}
	return column;
}

int canvas_put(struct canvas *canvas, int row, int column, enum paint paint, const char *text)
{
	return canvas_put_until(canvas, row, column, canvas->columns, paint, text);
}

int canvas_putf(
    struct canvas *canvas, int row, int column, enum paint paint, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list words;
	va_start(words, format);
	vsnprintf(text, sizeof text, format, words);
	va_end(words);
	return canvas_put(canvas, row, column, paint, text);
}

static int canvas_width(const char *text)
{
	int all = 0, width;
	while (*text && all < TEXT_BYTES) {
		canvas_next(&text, &width);
		all += width;
	}
	return all;
}

int canvas_put_field(
    struct canvas *canvas, int row, int column, int width, enum paint paint, const char *text)
{
	int room = abs(width), used = canvas_width(text), at = column;
	for (; width > 0 && used < room; used++)
		canvas_put_char(canvas, row, at++, paint, L' ');
	at = canvas_put_until(canvas, row, at, column + room, paint, text);
	while (at < column + room)
		canvas_put_char(canvas, row, at++, paint, L' ');
	return at;
}

void canvas_paint_row(struct canvas *canvas, int row, enum paint paint)
{
	for (int column = 0; row >= 0 && row < canvas->rows && column < canvas->columns; column++)
		canvas_at(canvas, row, column)->paint = (uint8_t)paint;
}

static int canvas_length(const struct canvas *canvas, int row)
{
	int length = canvas->columns;
	while (length > 0 && canvas_at(canvas, row, length - 1)->c == L' ')
		length--;
	return length;
}

void canvas_print(const struct canvas *canvas, FILE *file)
{
	int rows = canvas->rows;
	while (rows > 0 && canvas_length(canvas, rows - 1) == 0)
		rows--;
	for (int row = 0; row < rows; row++) {
		int length = canvas_length(canvas, row);
		for (int column = 0; column < length; column++) {
			wchar_t c = canvas_at(canvas, row, column)->c;
			if (c)
				fprintf(file, "%lc", (wint_t)c);
		}
		putc('\n', file);
	}
}
