#include "spec/injection.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/scan.h"

enum {
	PERCENT_PLACES = 4,
	TIME_PLACES = 3,
	TIME_MAX = 3600, /* of any unit: an hour of seconds */
	GENERATION_ANY = GENERATIONS,
};

static const char *const fault_name[FAULTS] = {
	[FAULT_DELAY] = "delay",
	[FAULT_FAIL] = "fail",
	[FAULT_CRASH] = "crash",
	[FAULT_HANG] = "hang",
};

struct clauses { /* as read; the clause for any generation is the last */
	struct injection of[GENERATIONS + 1];
	bool given[GENERATIONS + 1];
	uint64_t seed;
	bool seed_given;
};

/* ---- times and chances ---- */

/* A number, then us, ms or s. */
static int injection_read_time(
    const struct scan *s, struct piece whole, struct piece time, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "us", NS_PER_MS / 1000 },
		{ "ms", NS_PER_MS },
		{ "s", NS_PER_S },
	};
	const struct range range = { TIME_PLACES, 0, (uint64_t)TIME_MAX * 1000 };
	size_t digits = 0;
	while (digits < time.length && strchr("0123456789.", time.at[digits]))
		digits++;
	struct piece unit = { time.at + digits, time.length - digits };
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		uint64_t n;
		if (!piece_is(unit, units[i].name))
			continue;
		int r = scan_decimal(s, whole, (struct piece){ time.at, digits }, range, &n);
		if (r == 0)
			*ret_ns = n * (units[i].ns / 1000);
		return r;
	}
	return scan_error(s, whole, "expected a time in us, ms or s, such as 5ms");
}

/* LOW..HIGH, or a single time. */
static int injection_read_delay(
    const struct scan *s, struct piece range, struct injection *injection)
{
	struct piece low = range, high = range;
	const char *dots = memmem(range.at, range.length, "..", 2);
	if (dots) {
		low.length = (size_t)(dots - range.at);
		high = (struct piece){ dots + 2, range.length - low.length - 2 };
	}
	int r = injection_read_time(s, range, low, &injection->delay_min_ns);
	if (r == 0)
		r = injection_read_time(s, range, high, &injection->delay_max_ns);
	if (r == 0 && injection->delay_min_ns > injection->delay_max_ns)
		r = scan_error(s, range, "the shorter time comes first");
	return r;
}

static int injection_read_chance(struct scan *s, struct piece what, uint32_t *ret)
{
	const struct range range = { PERCENT_PLACES, 0, CHANCE_ALL };
	if (!scan_take(s, '@'))
		return scan_error(s, what, "expected %.*s@PERCENT%%, such as %.*s@1%%",
		    (int)what.length, what.at, (int)what.length, what.at);
	struct piece chance = scan_peek(s);
	if (chance.length == 0)
		return scan_unexpected(s, "how often, such as 1%");
	scan_piece(s);
	if (chance.at[chance.length - 1] != '%')
		return scan_error(s, chance, "expected a percentage, such as 1%%");
	struct piece number = { chance.at, chance.length - 1 };
	uint64_t n;
	int r = scan_decimal(s, chance, number, range, &n);
	if (r == 0)
		*ret = (uint32_t)n;
	return r;
}

/* ---- clauses ---- */

static enum fault injection_find_fault(struct piece name)
{
	for (enum fault f = FAULT_NONE + 1; f < FAULTS; f++)
		if (piece_is(name, fault_name[f]))
			return f;
	return FAULT_NONE;
}

static uint64_t injection_all_chances(const struct injection *injection)
{
	uint64_t sum = 0;
	for (enum fault f = FAULT_NONE + 1; f < FAULTS; f++)
		sum += injection->chance[f];
	return sum;
}

/* FAULT@PERCENT, delay=TIME@PERCENT */
static int injection_read_fault(struct scan *s, struct injection *injection, uint32_t *given)
{
	struct piece name = scan_peek(s), what = name;
	enum fault fault = injection_find_fault(name);
	if (fault == FAULT_NONE)
		return scan_unexpected(s, "delay, fail, crash, hang, seed or gen");
	if (*given & (1u << fault))
		return scan_error(s, name, "it is given already");
	*given |= 1u << fault;
	scan_piece(s);
	if (fault == FAULT_DELAY) {
		struct piece range = scan_take(s, '=') ? scan_piece(s) : (struct piece){ s->at, 0 };
		int r = range.length == 0
		    ? scan_error(s, name, "expected how long, such as delay=5ms..50ms@10%%")
		    : injection_read_delay(s, range, injection);
		if (r < 0)
			return r;
		what = piece_span(name, range);
	}
	int r = injection_read_chance(s, what, &injection->chance[fault]);
	if (r == 0 && injection_all_chances(injection) > CHANCE_ALL)
		r = scan_error(s, what, "together this is more than 100%%");
	return r;
}

static int injection_read_seed(struct scan *s, struct clauses *c)
{
	const struct range range = { 0, 0, UINT64_MAX };
	struct pair p;
	int r = scan_pair(s, &p);
	if (r == 0 && c->seed_given)
		r = scan_error(s, p.whole, "the seed is given already");
	if (r == 0)
		r = scan_decimal(s, p.whole, p.value, range, &c->seed);
	c->seed_given = true;
	return r;
}

/* gen=N: in front of a clause; a clause without gen= is for any generation. */
static int injection_read_generation(struct scan *s, uint32_t *ret)
{
	const struct range range = { 0, 1, GENERATIONS };
	struct pair p;
	uint64_t n = 0;
	*ret = GENERATION_ANY;
	if (!piece_is(scan_peek(s), "gen"))
		return 0;
	int r = scan_pair(s, &p);
	if (r == 0)
		r = scan_decimal(s, p.whole, p.value, range, &n);
	if (r == 0 && !scan_take(s, ':'))
		r = scan_unexpected(s, "a colon behind the generation");
	if (r == 0)
		*ret = (uint32_t)n - 1;
	return r;
}

static int injection_read_clause(struct scan *s, struct clauses *c)
{
	uint32_t generation, given = 0;
	struct piece first = scan_peek(s);
	int r = injection_read_generation(s, &generation);
	if (r < 0)
		return r;
	do {
		r = piece_is(scan_peek(s), "seed")
		    ? injection_read_seed(s, c)
		    : injection_read_fault(s, &c->of[generation], &given);
		if (r < 0)
			return r;
	} while (scan_take(s, ','));
	if (given && c->given[generation])
		return scan_error(s, piece_span(first, (struct piece){ s->at, 0 }),
		    "there is a clause for these workers already");
	c->given[generation] |= given != 0;
	if (*s->at && *s->at != ';' && *s->at != '\n')
		return scan_unexpected(s, "a comma, a semicolon or the end");
	return 0;
}

int injections_parse(const char *text, struct injections *ret)
{
	struct scan s = { .text = text, .at = text, .what = "inject" };
	struct clauses c = { .seed = 0 };
	bool any = false;
	for (;;) {
		while (scan_take(&s, ';') || scan_take(&s, '\n'))
			continue;
		if (!*s.at)
			break;
		int r = injection_read_clause(&s, &c);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i <= GENERATION_ANY; i++)
		any |= c.given[i];
	if (!any)
		return scan_unexpected(&s, "a fault, such as fail@1%");
	for (uint32_t i = 0; i < GENERATIONS; i++) {
		ret->of_generation[i] = c.of[c.given[i] ? i : GENERATION_ANY];
		ret->of_generation[i].seed = c.seed;
	}
	return 0;
}

/* ---- the fault of an attempt ---- */

const struct injection *injection_for(const struct injections *injections, uint32_t generation)
{
	CHECK(generation >= 1 && generation <= GENERATIONS);
	const struct injection *injection = &injections->of_generation[generation - 1];
	return injection_all_chances(injection) > 0 ? injection : NULL;
}

/* Close inputs give unrelated outputs: the finalizer of splitmix64. */
static uint64_t injection_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Evenly from 0 to n - 1. */
static uint64_t injection_below(uint64_t random, uint64_t n)
{
	return (uint64_t)((unsigned __int128)random * n >> 64);
}

struct injected inject_draw(const struct injection *injection, uint64_t task_key, uint32_t attempt)
{
	static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t state =
	    injection_mix(injection_mix(injection->seed + step) ^ task_key) + step * (attempt + 1);
	uint64_t draw = injection_below(injection_mix(state), CHANCE_ALL);
	struct injected ret = { FAULT_NONE, 0 };
	for (enum fault f = FAULT_NONE + 1; f < FAULTS; f++) {
		if (draw < injection->chance[f]) {
			ret.fault = f;
			break;
		}
		draw -= injection->chance[f];
	}
	if (ret.fault == FAULT_DELAY)
		ret.delay_ns = injection->delay_min_ns +
		    injection_below(injection_mix(state + step),
			injection->delay_max_ns - injection->delay_min_ns + 1);
	return ret;
}
