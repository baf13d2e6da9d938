#include "tests/support/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, KEY_BYTES = 64 };

struct text {
	const char *at, *end;
	int depth;
};

static bool json_value(struct text *t);

static void json_space(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
}

static bool json_take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool json_word(struct text *t, const char *expected)
{
	size_t n = strlen(expected);
	if ((size_t)(t->end - t->at) < n || memcmp(t->at, expected, n) != 0)
		return false;
	t->at += n;
	return true;
}

static bool json_escape(struct text *t)
{
	if (t->at == t->end)
		return false;
	char c = *t->at++;
	if (c != 'u')
		return c && strchr("\"\\/bfnrt", c);
	for (int i = 0; i < 4; i++)
		if (t->at == t->end || !strchr("0123456789abcdefABCDEF", *t->at++))
			return false;
	return true;
}

/* One character beyond ASCII; the first byte tells the length. */
static bool json_wide(struct text *t)
{
	unsigned char c = (unsigned char)t->at[-1];
	int follow = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : -1;
	for (; follow > 0; follow--)
		if (t->at == t->end || ((unsigned char)*t->at++ & 0xc0) != 0x80)
			return false;
	return follow == 0;
}

static bool json_string(struct text *t)
{
	if (!json_take(t, '"'))
		return false;
	while (t->at < t->end) {
		unsigned char c = (unsigned char)*t->at++;
		if (c == '"')
			return true;
		if (c < ' ' || (c == '\\' && !json_escape(t)) || (c >= 0x80 && !json_wide(t)))
			return false;
	}
	return false;
}

static bool json_digits(struct text *t)
{
	const char *from = t->at;
	while (t->at < t->end && *t->at >= '0' && *t->at <= '9')
		t->at++;
	return t->at > from;
}

static bool json_number(struct text *t)
{
	json_take(t, '-');
	const char *from = t->at;
	if (!json_digits(t) || (*from == '0' && t->at - from > 1))
		return false;
	if (json_take(t, '.') && !json_digits(t))
		return false;
	if (json_take(t, 'e') || json_take(t, 'E')) {
		if (!json_take(t, '-'))
			json_take(t, '+');
		return json_digits(t);
	}
	return true;
}

static bool json_member(struct text *t)
{
	json_space(t);
	if (!json_string(t))
		return false;
	json_space(t);
	return json_take(t, ':') && json_value(t);
}

static bool json_container(struct text *t, char close, bool (*item)(struct text *))
{
	t->at++;
	json_space(t);
	if (json_take(t, close))
		return true;
	do {
		if (!item(t))
			return false;
		json_space(t);
	} while (json_take(t, ','));
	return json_take(t, close);
}

static bool json_value(struct text *t)
{
	json_space(t);
	if (t->at == t->end || t->depth == DEPTH_MAX)
		return false;
	t->depth++;
	bool good = *t->at == '{' ? json_container(t, '}', json_member)
	    : *t->at == '['       ? json_container(t, ']', json_value)
	    : *t->at == '"'       ? json_string(t)
				  : json_word(t, "true") || json_word(t, "false") ||
		json_word(t, "null") || json_number(t);
	t->depth--;
	return good;
}

const char *json_lines_check(const char *text, size_t bytes, unsigned *ret_values)
{
	static char why[128];
	unsigned lines = 0;
	for (const char *at = text, *end = text + bytes; at < end; lines++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct text t = { .at = at, .end = newline ? newline : end };
		bool good = newline && json_value(&t);
		json_space(&t);
		if (!good || t.at != t.end) {
			snprintf(why, sizeof why, "line %u, at column %zu: %.60s", lines + 1,
			    (size_t)(t.at - at) + 1, at);
			return why;
		}
		at = newline + 1;
	}
	*ret_values = lines;
	return NULL;
}

/* Knows only the escapes of cli/output.c: \" \\ \n \u00XX. */
static char *json_unescape(const char *at, const char *end)
{
	char *text = calloc((size_t)(end - at) + 1, 1), *to = text;
	while (text && at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		unsigned code = 0;
		if (at[1] == 'u' && sscanf(at + 2, "%4x", &code) == 1) {
			*to++ = (char)code;
			at += 6;
			continue;
		}
		*to++ = at[1] == 'n' ? '\n' : at[1];
		at += 2;
	}
	return text;
}

char *json_field(const char *line, const char *key)
{
	char quoted[KEY_BYTES];
	snprintf(quoted, sizeof quoted, "\"%s\": ", key);
	const char *at = strstr(line, quoted);
	if (!at)
		return NULL;
	struct text t = { .at = at + strlen(quoted), .end = line + strlen(line) };
	const char *from = t.at;
	if (!json_value(&t))
		return NULL;
	bool quotes = *from == '"';
	return json_unescape(from + quotes, t.at - quotes);
}
