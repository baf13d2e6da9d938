#include "tables/retention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/why.h"
#include "tables/tables.h"

#define DAY_MS UINT64_C(86400000)

enum { PART_BYTES = 32 };

static bool retention_is_number(const char *text)
{
	return text[0] && text[strspn(text, "0123456789")] == 0;
}

static int retention_parse_count(const char *what, const char *text, uint32_t *ret)
{
	errno = 0;
	uint64_t n = strtoull(text, NULL, 10);
	if (errno || n == 0 || n > RECORDS_MAX)
		return why(-EINVAL, "%s: a number of results is 1 to %d, not \"%s\"", what,
		    RECORDS_MAX, text);
	*ret = (uint32_t)n;
	return 0;
}

/* Accepts days, too, as no other time does. */
static int retention_parse_age(const char *what, char *text, uint64_t *ret_ms)
{
	size_t n = strlen(text);
	int r = 0;
	if (n > 1 && text[n - 1] == 'd') {
		text[n - 1] = 0;
		uint64_t days = retention_is_number(text) ? strtoull(text, NULL, 10) : 0;
		*ret_ms = days <= RETENTION_AGE_MAX_MS / DAY_MS ? days * DAY_MS : 0;
		text[n - 1] = 'd';
	} else {
		r = text_time(what, text, RETENTION_AGE_MAX_MS, ret_ms);
	}
	return r == 0 && *ret_ms == 0
	    ? why(-EINVAL, "%s: a time is 1ms to 40d, not \"%s\"", what, text)
	    : r;
}

static int retention_parse_part(const char *what, char *part, struct retention *ret)
{
	bool count = retention_is_number(part);
	if (count ? ret->count != 0 : ret->age_ms != 0)
		return why(-EINVAL, "%s: two %s are given", what, count ? "numbers" : "times");
	return count ? retention_parse_count(what, part, &ret->count)
		     : retention_parse_age(what, part, &ret->age_ms);
}

int retention_parse(const char *what, const char *text, struct retention *ret)
{
	struct retention rules = { .stay = strcmp(text, "all") == 0 };
	char part[2][PART_BYTES] = { "", "" };
	const char *comma = strchr(text, ',');
	size_t first = comma ? (size_t)(comma - text) : strlen(text);
	int r = 0;
	if (rules.stay) {
		*ret = rules;
		return 0;
	}
	if (first == 0 || first >= PART_BYTES ||
	    (comma && (!comma[1] || strlen(comma + 1) >= PART_BYTES)))
		return why(-EINVAL,
		    "%s wants how many results, how long, or both, such as 1000, "
		    "7d or 1000,7d; or all: not \"%.60s\"",
		    what, text);
	memcpy(part[0], text, first);
	if (comma)
		snprintf(part[1], sizeof part[1], "%s", comma + 1);
	for (int i = 0; i < (comma ? 2 : 1) && r == 0; i++)
		r = retention_parse_part(what, part[i], &rules);
	if (r == 0)
		*ret = rules;
	return r;
}

static size_t retention_print_age(uint64_t ms, char *ret, size_t size)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {
		{ DAY_MS, "d" },
		{ 3600000, "h" },
		{ 60000, "m" },
		{ 1000, "s" },
		{ 1, "ms" },
	};
	size_t i = 0;
	while (ms % units[i].ms)
		i++;
	return (size_t)snprintf(ret, size, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
}

void retention_print(const struct retention *rules, char *ret, size_t size)
{
	size_t n = 0;
	snprintf(ret, size, "all");
	if (rules->stay || (!rules->count && !rules->age_ms))
		return;
	if (rules->count)
		n = (size_t)snprintf(
		    ret, size, "%" PRIu32 "%s", rules->count, rules->age_ms ? "," : "");
	if (rules->age_ms && n < size)
		retention_print_age(rules->age_ms, ret + n, size - n);
}

enum retention_fate retention_fate(const struct tables *t, uint64_t ref)
{
	if (ref_index(ref) >= t->limits.records || ref_generation(ref) == 0)
		return FATE_UNKNOWN;
	int32_t later = (int32_t)(sh_load(&t->left[ref_index(ref)]) - ref_generation(ref));
	return later < 0 ? FATE_UNKNOWN : later == 0 ? FATE_LEFT : FATE_EITHER;
}

void retention_leaves(struct tables *t, uint32_t index)
{
	uint64_t word = sh_load(&record_at(t, index)->state);
	sh_store(&t->left[index], word_generation(word));
}
