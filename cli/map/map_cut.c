#include "cli/map/map_cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/map/map_regex.h"

enum { WINDOW_BYTES = 4 << 10 };

struct cut {
	struct cut_plan plan;
	struct text end, start, both; /* texts; both: end, then start */
	bool compiled;
	regex_t place, begin, finish; /* (end)start; start alone; end alone */
};

/* ---- making ---- */

/* The escapes of GNU parallel: \0 \r \n \t \' \" */
static void cut_add_escaped(struct text *to, const char *text)
{
	static const char letters[] = "0rnt'\"", bytes[] = "\0\r\n\t'\"";
	for (; *text; text++) {
		const char *letter = *text == '\\' && text[1] ? strchr(letters, text[1]) : NULL;
		text_byte(to, letter ? bytes[letter - letters] : *text);
		text += letter != NULL;
	}
}

static int cut_compile_all(struct cut *cut, const char *end, const char *start)
{
	struct text both = { .data = NULL }, last = { .data = NULL };
	text_format(&both, "(%s)(%s)", end[0] || start[0] ? end : ".|\n", start);
	text_format(&last, "(%s)$", end);
	text_byte(&both, 0);
	text_byte(&last, 0);
	const char *const expression[] = { both.data, start, last.data };
	regex_t *const regex[] = { &cut->place, &cut->begin, &cut->finish };
	int r = 0, n = 0;
	while (n < 3 &&
	    (r = regex_make(regex[n], "--recstart, --recend:", expression[n], REG_NEWLINE)) == 0)
		n++;
	cut->compiled = r == 0;
	while (r < 0 && n > 0)
		regfree(regex[--n]);
	text_free(&both);
	text_free(&last);
	return r;
}

int cut_make(struct cut **ret, const struct cut_plan *plan)
{
	struct cut *cut = calloc(1, sizeof *cut);
	if (!cut)
		return why(-ENOMEM, "no memory");
	const char *end = plan->end ? plan->end : plan->start ? "" : "\n";
	const char *start = plan->start ? plan->start : "";
	*ret = cut;
	cut->plan = *plan;
	if (plan->regexp)
		return cut_compile_all(cut, end, start);
	cut_add_escaped(&cut->end, end);
	cut_add_escaped(&cut->start, start);
	if (cut->end.length)
		text_add(&cut->both, cut->end.data, cut->end.length);
	if (cut->start.length)
		text_add(&cut->both, cut->start.data, cut->start.length);
	return 0;
}

void cut_free(struct cut *cut)
{
	if (!cut)
		return;
	if (cut->compiled) {
		regfree(&cut->place);
		regfree(&cut->begin);
		regfree(&cut->finish);
	}
	text_free(&cut->end);
	text_free(&cut->start);
	text_free(&cut->both);
	free(cut);
}

bool cut_counts(const struct cut *cut)
{
	return cut->plan.records || cut->plan.lines;
}

bool cut_counts_records(const struct cut *cut)
{
	return cut->plan.records > 0;
}

bool cut_is_plain(const struct cut *cut)
{
	return !cut_counts(cut) && !cut->plan.regexp && !cut->plan.remove;
}

size_t cut_overlap(const struct cut *cut)
{
	return cut->both.length;
}

/* ---- places ---- */

struct place {
	size_t from, at, to; /* the end of a record begins, the cut, the start of the next ends */
};

static bool cut_match(
    const regex_t *regex, const char *data, size_t from, size_t length, struct place *ret)
{
	regmatch_t match[2] = { { .rm_so = (regoff_t)from, .rm_eo = (regoff_t)length } };
	if (regexec(regex, data, 2, match, REG_STARTEND) != 0)
		return false;
	*ret = (struct place){ (size_t)match[0].rm_so,
		(size_t)(regex->re_nsub ? match[1].rm_eo : match[0].rm_so),
		(size_t)match[0].rm_eo };
	return true;
}

/* The first place from a byte on. */
static bool cut_find(
    const struct cut *cut, const char *data, size_t from, size_t length, struct place *ret)
{
	if (cut->plan.regexp)
		return cut_match(&cut->place, data, from, length, ret);
	size_t n = cut->both.length;
	if (n == 0) { /* a record is a byte */
		*ret = (struct place){ from + 1, from + 1, from + 1 };
		return from + 1 <= length;
	}
	const char *at = n == 1 ? memchr(data + from, cut->both.data[0], length - from)
				: memmem(data + from, length - from, cut->both.data, n);
	if (!at)
		return false;
	size_t found = (size_t)(at - data);
	*ret = (struct place){ found, found + cut->end.length, found + n };
	return true;
}

/* The next place that leaves a block of one byte at least. */
static bool cut_next(
    const struct cut *cut, const char *data, size_t from, size_t length, struct place *p)
{
	size_t before = from;
	while (cut_find(cut, data, from, length, p)) {
		if (p->at > before)
			return true;
		from = p->from + 1;
		if (from > length)
			return false;
	}
	return false;
}

long cut_first(const struct cut *cut, const char *data, size_t length)
{
	struct place p;
	if (!cut->plan.regexp && cut->both.length == 0)
		return 0;
	return cut_find(cut, data, 0, length, &p) ? (long)p.at : CUT_NOWHERE;
}

static long cut_last_match_from(const struct cut *cut, const char *data, size_t from, size_t length)
{
	struct place p;
	long last = CUT_NOWHERE;
	while (from <= length && cut_find(cut, data, from, length, &p)) {
		if (p.at > 0)
			last = (long)p.at;
		from = p.at > from ? p.at : p.from + 1;
	}
	return last;
}

/* Looks at the end first, and at twice as much each time: a match ends nearby as a rule. */
static long cut_last_match(const struct cut *cut, const char *data, size_t length)
{
	for (size_t window = WINDOW_BYTES;; window *= 2) {
		size_t from = window < length ? length - window : 0;
		long last = cut_last_match_from(cut, data, from, length);
		if (last != CUT_NOWHERE || from == 0)
			return last;
	}
}

long cut_last(const struct cut *cut, const char *data, size_t length)
{
	size_t n = cut->both.length;
	if (cut->plan.regexp)
		return cut_last_match(cut, data, length);
	if (n == 0)
		return length ? (long)length : CUT_NOWHERE;
	for (size_t left = length; left >= n;) {
		const char *at = memrchr(data, cut->both.data[0], left - n + 1);
		if (!at)
			return CUT_NOWHERE;
		size_t found = (size_t)(at - data);
		if (memcmp(at, cut->both.data, n) == 0 && found + cut->end.length > 0)
			return (long)(found + cut->end.length);
		left = found + n - 1;
	}
	return CUT_NOWHERE;
}

/* ---- blocks ---- */

static long cut_after_records(
    const struct cut *cut, const char *data, size_t length, uint64_t records)
{
	struct place p = { 0 };
	for (uint64_t i = 0; i < records; i++)
		if (!cut_next(cut, data, p.at, length, &p))
			return CUT_NOWHERE;
	return (long)p.at;
}

static long cut_after_lines(const char *data, size_t length, uint64_t lines)
{
	long last = CUT_NOWHERE;
	uint64_t n = 0;
	const char *at = data, *newline;
	while ((newline = memchr(at, '\n', length - (size_t)(at - data))) != NULL) {
		at = newline + 1;
		if (++n % lines == 0)
			last = at - data;
	}
	return last;
}

long cut_block(const struct cut *cut, const char *data, size_t length)
{
	const struct cut_plan *plan = &cut->plan;
	if (plan->records)
		return cut_after_records(
		    cut, data, length, plan->records * (plan->lines ? plan->lines : 1));
	return plan->lines ? cut_after_lines(data, length, plan->lines)
			   : cut_last(cut, data, length);
}

/* ---- removing ---- */

static bool cut_begins(const struct cut *cut, const char *data, size_t length, size_t *ret)
{
	struct place p;
	*ret = cut->start.length;
	if (!cut->plan.regexp)
		return length >= *ret && (*ret == 0 || memcmp(data, cut->start.data, *ret) == 0);
	bool found = cut_match(&cut->begin, data, 0, length, &p) && p.from == 0;
	*ret = found ? p.to : 0;
	return found;
}

/* The last end of a record has no start of another record behind it. */
static size_t cut_without_end(const struct cut *cut, const char *data, size_t length)
{
	size_t n = cut->end.length;
	struct place p;
	for (size_t from = 0; cut->plan.regexp && from < length; from = p.from + 1) {
		if (!cut_match(&cut->finish, data, from, length, &p))
			return length;
		if (p.to == length)
			return p.from;
	}
	if (cut->plan.regexp || n == 0 || n > length)
		return length;
	return memcmp(data + length - n, cut->end.data, n) == 0 ? length - n : length;
}

void cut_strip(const struct cut *cut, const char *data, size_t length, struct text *to)
{
	size_t at;
	struct place p;
	if (!cut_begins(cut, data, length, &at))
		at = 0;
	size_t end = cut_without_end(cut, data, length);
	while ((cut->plan.regexp || cut->both.length) && at < end &&
	    cut_find(cut, data, at, end, &p) && p.to > p.from) {
		text_add(to, data + at, p.from - at);
		at = p.to;
	}
	if (at < end)
		text_add(to, data + at, end - at);
}
