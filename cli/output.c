#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
	NUMBER_BYTES = 32,
	CELL_BYTES = 256,
	UPRIGHT_TITLE_WIDTH = 16,
	MS_PER_SECOND = 1000,
	MS_PER_MINUTE = 60 * MS_PER_SECOND,
	MS_PER_HOUR = 60 * MS_PER_MINUTE,
	BASE64_BITS = 6,
};

static const char *const tint_start[] = {
	[TINT_NONE] = "",
	[TINT_GOOD] = "\033[32m",
	[TINT_BAD] = "\033[31m",
	[TINT_DIM] = "\033[2m",
};

void output_open(struct output *out, FILE *file, bool json, bool quiet)
{
	const char *no_colour = getenv("NO_COLOR");
	bool wanted = !no_colour || no_colour[0] == 0;
	*out = (struct output){ .file = file, .json = json, .quiet = quiet };
	out->colour = wanted && !json && isatty(fileno(file));
}

bool output_close(struct output *out)
{
	errno = 0;
	bool flushed = fflush(out->file) == 0;
	return flushed && !ferror(out->file);
}

/* ---- untrusted text ---- */

static bool output_is_utf8(const unsigned char *text, size_t length)
{
	unsigned bytes;
	for (size_t i = 0; i < length; i += bytes)
		if (utf8_next(text + i, length - i, &bytes) < 0)
			return false;
	return true;
}

/* Prints a JSON string. A byte outside of UTF-8 becomes the character with the same number. */
static void output_put_json_string(FILE *file, const unsigned char *text, size_t length)
{
	putc('"', file);
	for (size_t i = 0; i < length;) {
		unsigned bytes;
		int32_t point = utf8_next(text + i, length - i, &bytes);
		if (point == '"' || point == '\\')
			fprintf(file, "\\%c", (int)point);
		else if (point == '\n')
			fputs("\\n", file);
		else if (utf8_unprintable(point))
			fprintf(file, "\\u%04x", point < 0 ? text[i] : (unsigned)point);
		else
			fwrite(text + i, 1, bytes, file);
		i += bytes;
	}
	putc('"', file);
}

void make_printable(const char *text, char *ret, size_t size)
{
	const unsigned char *from = (const unsigned char *)text;
	size_t length = strlen(text), to = 0;
	for (size_t i = 0; i < length;) {
		unsigned bytes;
		int32_t point = utf8_next(from + i, length - i, &bytes);
		bool shown = !utf8_unprintable(point);
		if (to + bytes >= size)
			break;
		memcpy(ret + to, shown ? text + i : "?", shown ? bytes : 1);
		to += shown ? bytes : 1;
		i += bytes;
	}
	ret[to] = 0;
}

static void output_put_base64(FILE *file, const unsigned char *data, size_t length)
{
	static const char digit[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	putc('"', file);
	for (size_t i = 0; i < length; i += 3) {
		size_t n = length - i < 3 ? length - i : 3;
		uint32_t group = (uint32_t)data[i] << 16 |
		    (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (n > 2 ? data[i + 2] : 0);
		for (unsigned k = 0; k < 4; k++)
			putc(k <= n ? digit[group >> (18 - k * BASE64_BITS) & 63] : '=', file);
	}
	putc('"', file);
}

/* ---- cells ---- */

static const struct column *output_next_column(struct output *out)
{
	CHECK(out->at < out->columns);
	return &out->column[out->at++];
}

static void output_json_key(struct output *out, const struct column *column, const char *suffix)
{
	if (out->at > 1)
		fputs(", ", out->file);
	else if (out->section)
		fprintf(out->file, "{\"table\": \"%s\", ", out->section);
	else
		putc('{', out->file);
	fprintf(out->file, "\"%s%s\": ", column->key, suffix);
}

static void output_cell_plain(
    struct output *out, const struct column *column, const char *text, enum tint tint)
{
	bool first = out->at == 1, last = out->at == out->columns;
	int width = last && column->width < 0 ? 0 : column->width;
	if (out->quiet) {
		fputs(first ? text : "", out->file);
		return;
	}
	if (out->upright) {
		fprintf(out->file, "%-*s %s\n", UPRIGHT_TITLE_WIDTH, column->title, text);
		return;
	}
	bool tinted = out->colour && tint != TINT_NONE;
	fprintf(out->file, "%s%s%*s%s", first ? "" : "  ", tinted ? tint_start[tint] : "", width,
	    text, tinted ? "\033[0m" : "");
}

void cell_tinted(struct output *out, const char *text, enum tint tint)
{
	char printable[CELL_BYTES * 3];
	const struct column *column = output_next_column(out);
	if (out->json) {
		output_json_key(out, column, "");
		output_put_json_string(out->file, (const unsigned char *)text, strlen(text));
		return;
	}
	make_printable(text, printable, sizeof printable);
	output_cell_plain(out, column, printable, tint);
}

void cell_text(struct output *out, const char *text)
{
	cell_tinted(out, text, TINT_NONE);
}

void cell_text_if_any(struct output *out, const char *text)
{
	if (text[0])
		cell_text(out, text);
	else
		cell_none(out);
}

void cell_ref(struct output *out, plm_ref ref)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	cell_text(out, text);
}

void cell_moment(struct output *out, int64_t ms)
{
	enum { TIME_TEXT_BYTES = 32, MS_PER_S = 1000 };
	char text[TIME_TEXT_BYTES];
	time_t seconds = (time_t)(ms / MS_PER_S);
	struct tm tm;
	if (ms <= 0 || !localtime_r(&seconds, &tm)) {
		cell_none(out);
		return;
	}
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	cell_text(out, text);
}

/* A number in JSON, a text for people. */
static void output_cell_bare(struct output *out, const char *json, const char *plain)
{
	const struct column *column = output_next_column(out);
	if (out->json) {
		output_json_key(out, column, "");
		fputs(json, out->file);
	} else {
		output_cell_plain(out, column, plain, TINT_NONE);
	}
}

void cell_number(struct output *out, uint64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	output_cell_bare(out, text, text);
}

void cell_signed(struct output *out, int64_t number)
{
	char text[NUMBER_BYTES];
	snprintf(text, sizeof text, "%lld", (long long)number);
	output_cell_bare(out, text, text);
}

void cell_flag(struct output *out, bool flag)
{
	output_cell_bare(out, flag ? "true" : "false", flag ? "yes" : "no");
}

void cell_none(struct output *out)
{
	output_cell_bare(out, "null", "-");
}

void cell_ms(struct output *out, uint64_t ms)
{
	char number[NUMBER_BYTES], text[NUMBER_BYTES];
	snprintf(number, sizeof number, "%llu", (unsigned long long)ms);
	ms_print(ms, text, sizeof text);
	output_cell_bare(out, number, text);
}

void cell_size(struct output *out, uint64_t bytes)
{
	char number[NUMBER_BYTES], text[NUMBER_BYTES];
	snprintf(number, sizeof number, "%llu", (unsigned long long)bytes);
	size_print(bytes, text, sizeof text);
	output_cell_bare(out, number, text);
}

void cell_bytes(struct output *out, const void *data, size_t length)
{
	const struct column *column = output_next_column(out);
	bool text = output_is_utf8(data, length);
	output_json_key(out, column, text ? "" : "_base64");
	if (text)
		output_put_json_string(out->file, data, length);
	else
		output_put_base64(out->file, data, length);
}

void cell_list(struct output *out, const char *const *text, unsigned n)
{
	output_json_key(out, output_next_column(out), "");
	putc('[', out->file);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", out->file);
		output_put_json_string(out->file, (const unsigned char *)text[i], strlen(text[i]));
	}
	putc(']', out->file);
}

/* ---- fields ---- */

static bool output_field_is_text(const struct field *field)
{
	return field->type == FIELD_CHARS || field->type == FIELD_TEXT;
}

static const char *output_field_text(const struct field *field, const void *row)
{
	const char *at = (const char *)row + field->offset;
	return field->type == FIELD_TEXT ? *(const char *const *)(const void *)at : at;
}

/* Numbers above INT64_MAX keep their bits. */
static int64_t output_field_number(const struct column *column, const void *row)
{
	const void *at = (const char *)row + column->field.offset;
	int64_t number = 0;
	switch (column->field.type) {
	case FIELD_U32: number = *(const uint32_t *)at; break;
	case FIELD_I32: number = *(const int32_t *)at; break;
	case FIELD_U64:
	case FIELD_I64: number = *(const int64_t *)at; break;
	case FIELD_BOOL: number = *(const bool *)at; break;
	case FIELD_REF: number = (uint32_t)((const plm_ref *)at)->id; break; /* the record */
	case FIELD_NONE:
	case FIELD_CHARS:
	case FIELD_TEXT: break;
	}
	return column->mask ? number & column->mask : number;
}

int64_t column_key(const struct column *column, const void *row, const char **ret_text)
{
	bool text = output_field_is_text(&column->field);
	*ret_text = text ? output_field_text(&column->field, row) : NULL;
	return output_field_number(column, row);
}

static void output_cell_number(struct output *out, const struct field *field, int64_t number)
{
	if (field->form == FORM_MS)
		cell_ms(out, (uint64_t)number);
	else if (field->form == FORM_SIZE)
		cell_size(out, (uint64_t)number);
	else if (field->form == FORM_FLAG)
		cell_flag(out, number != 0);
	else if (field->type == FIELD_I32 || field->type == FIELD_I64)
		cell_signed(out, number);
	else
		cell_number(out, (uint64_t)number);
}

static void output_cell_text(struct output *out, const struct field *field, const char *text)
{
	if (!text || (field->form == FORM_ANY && !text[0]))
		cell_none(out);
	else
		cell_text(out, text);
}

static void output_cell_field(struct output *out, const struct column *column, const void *row)
{
	const struct field *field = &column->field;
	CHECK(field->type != FIELD_NONE);
	if (output_field_is_text(field))
		output_cell_text(out, field, output_field_text(field, row));
	else if (field->type == FIELD_REF)
		cell_ref(out, *(const plm_ref *)(const void *)((const char *)row + field->offset));
	else
		output_cell_number(out, field,
		    output_field_number(column, row) / (column->divisor ? column->divisor : 1));
}

/* ---- rows ---- */

void table_begin(struct output *out, const struct column *columns, unsigned n)
{
	out->column = columns;
	out->columns = n;
	out->at = 0;
	if (out->json || out->quiet || out->upright)
		return;
	fputs(out->colour ? tint_start[TINT_DIM] : "", out->file);
	for (unsigned i = 0; i < n; i++) {
		bool last = i == n - 1 && columns[i].width < 0;
		fprintf(out->file, "%s%*s", i ? "  " : "", last ? 0 : columns[i].width,
		    columns[i].title);
	}
	fputs(out->colour ? "\033[0m\n" : "\n", out->file);
}

void table_row(struct output *out, const void *row)
{
	for (unsigned i = 0; i < out->columns; i++) {
		const struct column *column = &out->column[i];
		if (column->known && !column->known(row))
			cell_none(out);
		else if (column->cell)
			column->cell(out, row);
		else
			output_cell_field(out, column, row);
		CHECK(out->at == i + 1); /* one cell for each column */
	}
	out->at = 0;
	if (out->json)
		fputs("}\n", out->file);
	else if (!out->upright || out->quiet)
		putc('\n', out->file);
}

void output_section(struct output *out, const char *section)
{
	if (!out->json && !out->quiet)
		fprintf(out->file, "%s%s:\n", out->section ? "\n" : "", section);
	out->section = section;
}
