/* output.h - one description of a list, printed as a table, as JSON Lines, or as ids alone.
 *
 * A list is an array of columns. A column holds its title, its key in JSON, and what its cell
 * shows: a field of the row, or whatever a function prints. table_row() alone prints a row, so a
 * title and its cell cannot come apart. With `upright` a row is printed as lines "title value".
 * Text may come from other processes and from broken files: only printable UTF-8 reaches the
 * terminal, and JSON is valid whatever the bytes are.
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
#include "client/plm.h"

struct output;

enum field_type {
	FIELD_NONE,
	FIELD_U32,
	FIELD_U64,
	FIELD_I32,
	FIELD_I64,
	FIELD_BOOL,
	FIELD_CHARS, /* an array in the row */
	FIELD_TEXT,  /* a pointer; NULL: cell_none() */
	FIELD_REF,
};
enum form { FORM_PLAIN, FORM_MS, FORM_SIZE, FORM_FLAG, FORM_ANY };

struct field {
	enum field_type type;
	enum form form;
	size_t offset;
};

/* A field of the row as the cell of a column: a number, text or reference as it is; the others as
 * cell_ms(), cell_size(), cell_flag(); an empty text as cell_none(). */
#define PLAIN(row, name) FIELD_(row, name, FORM_PLAIN)
#define MS(row, name) FIELD_(row, name, FORM_MS)
#define SIZE(row, name) FIELD_(row, name, FORM_SIZE)
#define FLAG(row, name) FIELD_(row, name, FORM_FLAG)
#define TEXT_IF_ANY(row, name) FIELD_(row, name, FORM_ANY)
/* clang-format off */
#define FIELD_(row, name, form) .field = { _Generic(((row *)NULL)->name, \
	uint32_t: FIELD_U32, uint64_t: FIELD_U64, int32_t: FIELD_I32, int64_t: FIELD_I64, \
	bool: FIELD_BOOL, char *: FIELD_CHARS, const char *: FIELD_TEXT, \
	plm_ref: FIELD_REF), form, offsetof(row, name) }
/* clang-format on */

struct column {
	const char *title;
	const char *key; /* in JSON */
	int width;       /* at least so wide; negative: to the left */
	struct field field;
	/* Prints the cell by one call of cell_...(), instead of the field. */
	void (*cell)(struct output *out, const void *row);
	bool (*known)(const void *row); /* false: cell_none(); NULL: always known */
	uint32_t mask;                  /* the bits of the field that are shown; 0: all */
	unsigned divisor;               /* of the field; 0: none */
};

enum tint { TINT_NONE, TINT_GOOD, TINT_BAD, TINT_DIM };

struct output {
	FILE *file;
	bool json, quiet, colour;
	bool upright;
	const char *section;         /* output_section() */
	const struct column *column; /* table_begin() */
	unsigned columns, at;
};

void output_open(struct output *out, FILE *file, bool json, bool quiet);

/* Flushes; false (with errno) if anything could not be written. */
bool output_close(struct output *out);

void table_begin(struct output *out, const struct column *columns, unsigned n);
/* A whole row: the cell of each column. */
void table_row(struct output *out, const void *row);
/* The field of a column, as a key to sort rows by: a number, or a text in the row (then *ret_text
 * is not NULL). */
int64_t column_key(const struct column *column, const void *row, const char **ret_text);

/* ---- for the function of a column: one call each ---- */

void cell_text(struct output *out, const char *text);
void cell_text_if_any(struct output *out, const char *text); /* "": cell_none() */
void cell_tinted(struct output *out, const char *text, enum tint tint);
void cell_ref(struct output *out, plm_ref ref);
void cell_number(struct output *out, uint64_t number);
void cell_signed(struct output *out, int64_t number);
void cell_flag(struct output *out, bool flag);
void cell_ms(struct output *out, uint64_t ms);      /* "1.5s"; JSON: the number */
void cell_size(struct output *out, uint64_t bytes); /* "1.5 MiB"; JSON: the number */
void cell_moment(struct output *out, int64_t ms);   /* since 1970: local time as in ISO 8601 */
void cell_none(struct output *out);                 /* "-"; JSON: null */
/* JSON only: a string if the bytes are UTF-8, else base64 under the key with "_base64" appended. */
void cell_bytes(struct output *out, const void *data, size_t length);
/* JSON only: an array of strings. */
void cell_list(struct output *out, const char *const *text, unsigned n);

/* Any text for a terminal: control characters and wild bytes become "?". */
void make_printable(const char *text, char *ret, size_t size);

/* Begins one of several lists: a heading for people, "table" in JSON. */
void output_section(struct output *out, const char *section);

#endif
