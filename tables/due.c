#include "tables/due.h"

#include <stdio.h>

#include "tables/terms.h"

enum { LIMIT_BYTES = 16 };

const struct terms *due_terms(const struct tables *t, const struct record *r)
{
	return record_terms(t, r);
}

static uint64_t due_exact_ms(const struct tables *t)
{
	return (clock_ns() - t->control->boot_ns) / NS_PER_MS;
}

uint32_t due_ms(const struct tables *t, const struct record *r)
{
	return r->terms ? (uint32_t)due_exact_ms(t) : tables_ms(t);
}

/* A time in a record plus a duration. Records hold 32 bits of milliseconds, rounded down: hence the
 * additional millisecond. */
static uint64_t due_after(const struct tables *t, uint32_t then_ms, uint64_t wait_ms)
{
	uint64_t now_ms = due_exact_ms(t);
	int64_t ago_ms = (int32_t)((uint32_t)now_ms - then_ms);
	return t->control->boot_ns + (now_ms - (uint64_t)ago_ms + wait_ms + 1) * NS_PER_MS;
}

/* The worker writes the start after the claim: before, the field belongs to a former attempt, or to
 * another task. */
static bool due_start_is_known(const struct record *r, uint64_t word)
{
	uint32_t before = word_attempt(word) > 1 ? r->end_ms : r->submit_ms;
	return (int32_t)(r->start_ms - before) >= 0;
}

uint64_t due_limit(const struct tables *t, const struct record *r, uint64_t word, enum limit *ret)
{
	const struct terms *terms = due_terms(t, r);
	enum record_state state = word_state(word);
	bool waits = state == RECORD_WAITING || state == RECORD_READY;
	uint64_t due = DEADLINE_NEVER, own = DEADLINE_NEVER;
	*ret = LIMIT_NONE;
	if (!terms || !(waits || state == RECORD_RUNNING))
		return due;
	if (terms->total_ms) {
		due = due_after(t, r->submit_ms, terms->total_ms);
		*ret = LIMIT_TOTAL;
	}
	if (waits && terms->queue_ms && word_attempt(word) == 0)
		own = due_after(t, r->submit_ms, terms->queue_ms);
	else if (state == RECORD_RUNNING && terms->run_ms && due_start_is_known(r, word))
		own = due_after(t, r->start_ms, terms->run_ms);
	if (own >= due)
		return due;
	*ret = waits ? LIMIT_QUEUE : LIMIT_RUN;
	return own;
}

bool due_total_is_over(const struct tables *t, const struct record *r)
{
	const struct terms *terms = due_terms(t, r);
	return terms && terms->total_ms &&
	    clock_ns() >= due_after(t, r->submit_ms, terms->total_ms);
}

/* ---- back-off ---- */

/* The same for every caller, and different for each record and attempt. */
static uint64_t due_scatter(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint64_t due_backoff(const struct tables *t, const struct record *r, uint64_t word)
{
	const struct terms *terms = due_terms(t, r);
	uint32_t attempt = record_tries(r, word);
	if (!terms || terms->backoff_ms == 0 || attempt == 0 || word_state(word) != RECORD_READY ||
	    word_flags(word) & FLAG_RETURN)
		return 0;
	uint64_t most = terms->backoff_max_ms ? terms->backoff_max_ms : BACKOFF_MAX_DEFAULT_MS;
	uint64_t pause = (uint64_t)terms->backoff_ms << (attempt < 32 ? attempt - 1 : 31);
	if (pause > most)
		pause = most;
	uint64_t who = record_ref(record_index(t, r), word_generation(word));
	uint64_t jitter =
	    due_scatter(who ^ (uint64_t)attempt << 56) % (pause / BACKOFF_JITTER_SHARE + 1);
	return due_after(t, r->end_ms, pause + jitter);
}

/* ---- for people ---- */

static const char *due_what_it_did(const struct tables *t, const struct record *r, uint64_t word)
{
	if (word_state(word) == RECORD_WAITING)
		return "what it waits for has not come";
	if (word_attempt(word) > 0)
		return due_is_resting(t, r, word) ? "it pauses before a retry"
						  : "it waits for a worker to try again";
	return "no worker has been free for it";
}

/* "100ms", "5s", "2m": as the user wrote the limit. */
static void due_print_limit(uint32_t ms, char ret[LIMIT_BYTES])
{
	static const struct {
		uint32_t ms;
		const char *name;
	} units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;
	while (ms % units[i].ms != 0)
		i++;
	snprintf(ret, LIMIT_BYTES, "%u%s", ms / units[i].ms, units[i].name);
}

void due_describe(const struct tables *t, const struct record *r, uint64_t word, enum limit limit,
    char *ret, size_t size)
{
	static const char *const names[] = { "", "queue", "run", "total" };
	struct terms none = { 0 };
	const struct terms *terms = due_terms(t, r);
	terms = terms ? terms : &none;
	char allowed[LIMIT_BYTES];
	due_print_limit(limit == LIMIT_QUEUE ? terms->queue_ms
		: limit == LIMIT_RUN         ? terms->run_ms
					     : terms->total_ms,
	    allowed);
	if (limit == LIMIT_RUN)
		snprintf(ret, size, "killed: ran longer than --run-limit %s", allowed);
	else if (word_state(word) == RECORD_RUNNING)
		snprintf(ret, size,
		    "killed: not done within --%s-limit %s of its submission; "
		    "attempt %u had run for %u ms",
		    names[limit], allowed, word_attempt(word), due_ms(t, r) - r->start_ms);
	else
		snprintf(ret, size, "not %s within --%s-limit %s of its submission: %s",
		    limit == LIMIT_QUEUE ? "started" : "done", names[limit], allowed,
		    due_what_it_did(t, r, word));
}
