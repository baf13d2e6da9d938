#include "base/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"

enum { QUOTE_BYTES = 40, MESSAGE_BYTES = 320, UNIT_SHIFT = 10 };

static const char size_units[] = "KMGT";

/* ---- pieces ---- */

static bool scan_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool scan_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void scan_blanks(struct scan *s)
{
	s->at += strspn(s->at, " \t\r");
	if (*s->at == '#')
		s->at += strcspn(s->at, "\n");
}

bool scan_take(struct scan *s, char c)
{
	scan_blanks(s);
	if (*s->at != c)
		return false;
	s->at++;
	return true;
}

struct piece scan_piece(struct scan *s)
{
	scan_blanks(s);
	struct piece piece = { s->at, strcspn(s->at, " \t\r\n,;|=:@#") };
	s->at += piece.length;
	return piece;
}

struct piece scan_peek(const struct scan *s)
{
	struct scan ahead = *s;
	return scan_piece(&ahead);
}

struct piece piece_span(struct piece first, struct piece last)
{
	return (struct piece){ first.at, (size_t)(last.at + last.length - first.at) };
}

bool piece_is(struct piece piece, const char *word)
{
	return strlen(word) == piece.length && memcmp(piece.at, word, piece.length) == 0;
}

/* ---- errors ---- */

/* Other bytes than printable ASCII become ?, and a long piece is cut. */
static void scan_quote(struct piece piece, char ret[QUOTE_BYTES])
{
	static const char cut[] = "...";
	size_t n = 0, room = QUOTE_BYTES - sizeof "\"\"" - strlen(cut);
	ret[n++] = '"';
	for (size_t i = 0; i < piece.length && i < room; i++)
		ret[n++] = piece.at[i] >= ' ' && piece.at[i] <= '~' ? piece.at[i] : '?';
	snprintf(ret + n, QUOTE_BYTES - n, "%s\"", piece.length > room ? cut : "");
}

static size_t scan_line_of(const struct scan *s, const char *at)
{
	size_t line = 1;
	for (const char *c = s->text; c < at; c++)
		line += *c == '\n';
	return line;
}

int scan_error(const struct scan *s, struct piece piece, const char *format, ...)
{
	char message[MESSAGE_BYTES], quoted[QUOTE_BYTES] = "the end";
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (piece.length > 0 && piece.at[0] != '\n')
		scan_quote(piece, quoted);
	if (s->is_file)
		return why(
		    -EINVAL, "%s:%zu: %s: %s", s->what, scan_line_of(s, piece.at), quoted, message);
	return why(-EINVAL, "%s: %s at character %zu: %s", s->what, quoted,
	    (size_t)(piece.at - s->text) + 1, message);
}

int scan_unexpected(const struct scan *s, const char *expected)
{
	struct piece piece = scan_peek(s);
	if (piece.length == 0 && *piece.at)
		piece.length = 1;
	return scan_error(s, piece, "expected %s", expected);
}

/* ---- pairs and numbers ---- */

static bool scan_is_identifier(struct piece piece)
{
	if (piece.length == 0 || !scan_is_letter(piece.at[0]))
		return false;
	for (size_t i = 1; i < piece.length; i++)
		if (!scan_is_letter(piece.at[i]) && !scan_is_digit(piece.at[i]))
			return false;
	return true;
}

int scan_pair(struct scan *s, struct pair *ret)
{
	struct piece key = scan_peek(s);
	if (key.length == 0)
		return scan_unexpected(s, "KEY=VALUE");
	scan_piece(s);
	if (!scan_is_identifier(key))
		return scan_error(s, key, "a key is a letter and then letters, digits or _");
	if (!scan_take(s, '='))
		return scan_error(s, key, "expected %.*s=VALUE", (int)key.length, key.at);
	struct piece value = scan_peek(s);
	if (value.length == 0)
		return scan_unexpected(s, "a value");
	scan_piece(s);
	*ret = (struct pair){ key, value, piece_span(key, value) };
	return 0;
}

/* Appends the digits at *at to *number. False: no digit, or the number is too large. */
static bool scan_take_digits(
    const char **at, const char *end, uint64_t *number, unsigned *ret_count)
{
	*ret_count = 0;
	for (; *at < end && scan_is_digit(**at); (*at)++, (*ret_count)++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
			return false;
	return *ret_count > 0;
}

static bool scan_parse_decimal(struct piece piece, unsigned places, uint64_t *ret)
{
	const char *at = piece.at, *end = piece.at + piece.length;
	uint64_t n = 0;
	unsigned count, behind = 0;
	if (!scan_take_digits(&at, end, &n, &count))
		return false;
	if (at < end && *at == '.') {
		at++;
		if (!scan_take_digits(&at, end, &n, &behind) || behind > places)
			return false;
	}
	for (; behind < places; behind++)
		if (__builtin_mul_overflow(n, 10, &n))
			return false;
	*ret = n;
	return at == end;
}

int scan_decimal(const struct scan *s, struct piece whole, struct piece number, struct range range,
    uint64_t *ret)
{
	char low[DECIMAL_TEXT_BYTES], high[DECIMAL_TEXT_BYTES];
	uint64_t n;
	if (scan_parse_decimal(number, range.places, &n) && n >= range.low && n <= range.high) {
		*ret = n;
		return 0;
	}
	decimal_text(range.low, range.places, low);
	decimal_text(range.high, range.places, high);
	if (range.places == 0)
		return scan_error(s, whole, "expected a whole number from %s to %s", low, high);
	return scan_error(s, whole, "expected a number from %s to %s, with up to %u decimals", low,
	    high, range.places);
}

int scan_size(
    const struct scan *s, struct piece whole, struct piece number, uint64_t max, uint64_t *ret)
{
	const char *at = number.at, *end = at + number.length;
	char text[DECIMAL_TEXT_BYTES];
	uint64_t n = 0;
	unsigned count, shift = 0;
	bool good = scan_take_digits(&at, end, &n, &count);
	const char *unit = good && at < end ? strchr(size_units, *at & ~0x20) : NULL;
	if (unit && *unit) {
		shift = UNIT_SHIFT * (unsigned)(unit - size_units + 1);
		at++;
	}
	if (!good || at != end || n == 0 || n > max >> shift)
		return scan_error(s, whole, "expected a size such as 512M or 4G, at most %s",
		    size_text(max, text));
	*ret = n << shift;
	return 0;
}

int text_time(const char *what, const char *text, uint64_t max_ms, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	enum { PLACES = 3, PARTS = 1000 };
	struct piece number = { text, strspn(text, "0123456789.") };
	uint64_t n;
	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (strcmp(text + number.length, units[i].name) == 0 &&
		    scan_parse_decimal(number, PLACES, &n) && n <= max_ms / units[i].ms * PARTS) {
			*ret_ms = (n * units[i].ms + PARTS - 1) / PARTS;
			return 0;
		}
	return why(
	    -EINVAL, "%s wants a time such as 500ms, 1.5s, 5m or 1h, not \"%s\"", what, text);
}

/* ---- back to text ---- */

const char *decimal_text(uint64_t units, unsigned places, char ret[DECIMAL_TEXT_BYTES])
{
	uint64_t one = 1;
	for (unsigned i = 0; i < places; i++)
		one *= 10;
	uint64_t rest = units % one;
	for (; places > 0 && rest % 10 == 0; places--)
		rest /= 10;
	int n = snprintf(ret, DECIMAL_TEXT_BYTES, "%" PRIu64, units / one);
	if (places > 0)
		snprintf(
		    ret + n, (size_t)(DECIMAL_TEXT_BYTES - n), ".%0*" PRIu64, (int)places, rest);
	return ret;
}

const char *size_text(uint64_t bytes, char ret[DECIMAL_TEXT_BYTES])
{
	unsigned unit = 0;
	while (bytes > 0 && size_units[unit] && bytes % (1 << UNIT_SHIFT) == 0) {
		bytes >>= UNIT_SHIFT;
		unit++;
	}
	snprintf(ret, DECIMAL_TEXT_BYTES, "%" PRIu64 "%.*s", bytes, unit > 0,
	    size_units + (unit ? unit - 1 : 0));
	return ret;
}
