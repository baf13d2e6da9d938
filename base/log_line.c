#include "base/log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum {
	CHARACTER_BYTES = 8,
	TIME_BYTES = 40,
	LOG_NS_PER_US = 1000,
	FIELD_BYTES = 512, /* so that a few fields leave room for a message */
};

/* A line under construction. `room` keeps bytes for the end of the line. */
struct draft {
	char *text;
	size_t used, room;
};

static void line_add(struct draft *d, const char *bytes, size_t length)
{
	if (length > d->room - d->used)
		return;
	memcpy(d->text + d->used, bytes, length);
	d->used += length;
}

__attribute__((format(printf, 2, 3))) static void line_put(struct draft *d, const char *format, ...)
{
	char piece[128];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(piece, sizeof piece, format, args);
	va_end(args);
	if (n > 0)
		line_add(d, piece, (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1);
}

/* The next character of a text as a line of text has it; returns the bytes taken. */
static unsigned line_printable(const unsigned char *text, size_t length, char *ret, size_t *ret_n)
{
	unsigned bytes;
	bool shown = !utf8_unprintable(utf8_next(text, length, &bytes));
	*ret_n = shown ? bytes : 1;
	memcpy(ret, shown ? (const char *)text : "?", *ret_n);
	return bytes;
}

/* The same inside of a JSON string. */
static unsigned line_escaped(const unsigned char *text, size_t length, char *ret, size_t *ret_n)
{
	unsigned bytes;
	int32_t point = utf8_next(text, length, &bytes);
	if (point < 0)
		*ret_n = (size_t)snprintf(ret, CHARACTER_BYTES, "\xef\xbf\xbd"); /* U+FFFD */
	else if (point == '"' || point == '\\')
		*ret_n = (size_t)snprintf(ret, CHARACTER_BYTES, "\\%c", (int)point);
	else if (utf8_unprintable(point))
		*ret_n = (size_t)snprintf(ret, CHARACTER_BYTES, "\\u%04x", (unsigned)point);
	else
		memcpy(ret, text, *ret_n = bytes);
	return bytes;
}

/* Text of unknown origin, cut before the first character without room. */
static void line_put_text(struct draft *d, const char *text,
    unsigned (*next)(const unsigned char *, size_t, char *, size_t *))
{
	size_t length = strlen(text), n;
	char c[CHARACTER_BYTES];
	for (size_t i = 0; i < length;) {
		i += next((const unsigned char *)text + i, length - i, c, &n);
		if (n > d->room - d->used)
			return;
		line_add(d, c, n);
	}
}

static size_t line_end(struct draft *d, const char *end)
{
	d->room += strlen(end);
	line_add(d, end, strlen(end));
	return d->used;
}

/* ---- text ---- */

static void line_put_start(struct draft *d, const struct log_line *line)
{
	char clock[TIME_BYTES];
	struct tm local;
	localtime_r(&line->time.tv_sec, &local);
	strftime(clock, sizeof clock, "%H:%M:%S", &local);
	line_put(d, "%s plm[%s] %s: %s", clock, line->runtime, line->title,
	    line->level == LEVEL_WARNING ? "warning: " : "");
}

size_t log_line_text(const struct log_line *line, bool priority, char ret[LOG_LINE_BYTES])
{
	struct draft d = { .text = ret, .room = LOG_LINE_BYTES - strlen("\n") };
	if (priority)
		line_put(&d, "<%d>", (int)line->level);
	if (line->level == LEVEL_ERROR)
		line_put(&d, "plm: ");
	else
		line_put_start(&d, line);
	line_put_text(&d, line->message, line_printable);
	return line_end(&d, "\n");
}

/* ---- JSON ---- */

static void line_put_string(struct draft *d, const char *key, const char *text)
{
	size_t room = d->room;
	line_put(d, "\"%s\": \"", key);
	d->room = d->used + FIELD_BYTES;
	line_put_text(d, text, line_escaped);
	d->room = room;
	line_add(d, "\"", 1);
}

static void line_put_fields(struct draft *d, const struct log_field *field)
{
	for (; field && field->name; field++)
		if (field->text) {
			line_add(d, ", ", 2);
			line_put_string(d, field->name, field->text);
		} else if (field->number >= 0) {
			line_put(d, ", \"%s\": %lld", field->name, (long long)field->number);
		}
}

size_t log_line_json(const struct log_line *line, char ret[LOG_LINE_BYTES])
{
	static const char end[] = "\"}\n";
	static const char *const levels[] = {
		[LEVEL_ERROR] = "error", [LEVEL_WARNING] = "warning", [LEVEL_INFO] = "info"
	};
	struct draft d = { .text = ret, .room = LOG_LINE_BYTES - strlen(end) };
	char clock[TIME_BYTES];
	struct tm utc;
	gmtime_r(&line->time.tv_sec, &utc);
	strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S", &utc);
	line_put(&d, "{\"time\": \"%s.%06ldZ\", \"level\": \"%s\", ", clock,
	    line->time.tv_nsec / LOG_NS_PER_US, levels[line->level]);
	line_put_string(&d, "runtime", line->runtime);
	line_add(&d, ", ", 2);
	line_put_string(&d, "role", line->role);
	line_put(&d, ", \"pid\": %d", line->pid);
	line_put_fields(&d, line->self);
	line_put_fields(&d, line->about);
	line_put(&d, ", \"message\": \"");
	line_put_text(&d, line->message, line_escaped);
	return line_end(&d, end);
}
