/* output.h - one description of a list, printed as a table, as JSON Lines, or as ids alone.
 *
 * A list is an array of columns; a row is one call per column, in order, then row_end(). With
 * `upright` a row is printed as lines "title value". Text may come from other processes and from
 * broken files: only printable UTF-8 reaches the terminal, and JSON is valid whatever the bytes
 * are.
 * Colour: only on a terminal, and not when NO_COLOR is set.
 * Who: plmctl and plmdump.
 * Blocks: in stdio.  Allocates: never. */
#ifndef PLM_CLI_OUTPUT_H
#define PLM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/amount_text.h" /* the texts of cell_size() and cell_ms() */

struct output;

struct column {
	const char *title;
	const char *key; /* in JSON */
	int width;       /* at least so wide; negative: to the left */
};

/* A column that prints its cell itself, so that titles and cells cannot get out of step. */
struct table_column {
	struct column head;
	void (*cell)(struct output *out, const void *row);
};

enum tint { TINT_NONE, TINT_GOOD, TINT_BAD, TINT_DIM };

struct output {
	FILE *file;
	bool json, quiet, colour;
	bool upright;
	const char *section; /* output_section() */
	const char *column;  /* the first column; the next is `stride` bytes behind */
	size_t stride;
	unsigned columns, at;
};

void output_open(struct output *out, FILE *file, bool json, bool quiet);

/* Flushes; false (with errno) if anything could not be written. */
bool output_close(struct output *out);

void list_begin(struct output *out, const struct column *columns, unsigned n);
void cell_text(struct output *out, const char *text);
void cell_tinted(struct output *out, const char *text, enum tint tint);
void cell_number(struct output *out, uint64_t number);
void cell_signed(struct output *out, int64_t number);
void cell_flag(struct output *out, bool flag);
void cell_ms(struct output *out, uint64_t ms);      /* "1.5s"; JSON: the number */
void cell_size(struct output *out, uint64_t bytes); /* "1.5 MiB"; JSON: the number */
void cell_none(struct output *out);                 /* "-"; JSON: null */
/* JSON only: a string if the bytes are UTF-8, else base64 under the key with "_base64" appended. */
void cell_bytes(struct output *out, const void *data, size_t length);
/* JSON only: an array of strings. */
void cell_list(struct output *out, const char *const *text, unsigned n);
void row_end(struct output *out);

void table_begin(struct output *out, const struct table_column *columns, unsigned n);
/* A whole row: the cell of each column. */
void table_row(struct output *out, const void *row);

/* Any text for a terminal: control characters and wild bytes become "?". */
void make_printable(const char *text, char *ret, size_t size);

/* Begins one of several lists: a heading for people, "table" in JSON. */
void output_section(struct output *out, const char *section);

#endif
