#include "cli/map/map_regex.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/why.h"
#include "cli/text.h"

enum { ERROR_BYTES = 128 };

static const struct {
	char letter;
	const char *outside, *inside; /* of brackets; NULL: stays */
} escapes[] = {
	{ 'd', "[0-9]", "0-9" },
	{ 'D', "[^0-9]", NULL },
	{ 's', "[[:space:]]", "[:space:]" },
	{ 'S', "[^[:space:]]", NULL },
	{ 'w', "[[:alnum:]_]", "[:alnum:]_" },
	{ 'W', "[^[:alnum:]_]", NULL },
	{ 't', "\t", "\t" },
	{ 'n', "\n", "\n" },
	{ 'r', "\r", "\r" },
};

/* Appends what stands for the escape at *at, and moves behind it. */
static void regex_add_escape(struct text *to, const char **at, bool brackets)
{
	char letter = (*at)[1];
	*at += letter ? 2 : 1;
	for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
		const char *text = brackets ? escapes[i].inside : escapes[i].outside;
		if (escapes[i].letter == letter && text) {
			text_words(to, text);
			return;
		}
	}
	if (!brackets || letter == '\\') /* within brackets POSIX has no escapes */
		text_byte(to, '\\');
	if (letter && (letter != '\\' || !brackets))
		text_byte(to, letter);
}

/* Why an expression cannot be written for POSIX; NULL: it can. */
static const char *regex_lacks(const char *at)
{
	bool repeats = at[0] == '*' || at[0] == '+' || at[0] == '?' || at[0] == '}';
	if (repeats && (at[1] == '?' || at[1] == '+'))
		return "lazy and possessive repetition";
	if (strncmp(at, "(?", 2) == 0 && at[2] != ':')
		return "look-around and flags within the expression";
	return NULL;
}

static int regex_translate(const char *option, const char *expression, struct text *to)
{
	bool brackets = false;
	for (const char *at = expression; *at;) {
		const char *lacks = brackets ? NULL : regex_lacks(at);
		if (lacks)
			return why(
			    -EINVAL, "%s \"%s\": %s are Perl's alone", option, expression, lacks);
		if (*at == '\\') {
			regex_add_escape(to, &at, brackets);
			continue;
		}
		if (!brackets && strncmp(at, "(?:", 3) == 0) {
			text_byte(to, '(');
			at += 3;
			continue;
		}
		bool opens = !brackets && *at == '[';
		bool closes = brackets && *at == ']';
		text_byte(to, *at++);
		if (opens && *at == '^')
			text_byte(to, *at++);
		if (opens && *at == ']')
			text_byte(to, *at++);
		brackets = opens || (brackets && !closes);
	}
	text_byte(to, 0);
	return 0;
}

int regex_make(regex_t *ret, const char *option, const char *expression, int flags)
{
	struct text text = { .data = NULL };
	char error[ERROR_BYTES];
	int r = regex_translate(option, expression, &text);
	int code = r == 0 ? regcomp(ret, text.data, REG_EXTENDED | flags) : 0;
	text_free(&text);
	if (code == 0)
		return r;
	regerror(code, NULL, error, sizeof error);
	return why(-EINVAL, "%s \"%s\" is no regular expression: %s", option, expression, error);
}
