/* due.h - when a limit or the back-off of a task is over, read from its record alone.
 *
 * Terms (terms.h) may limit the time from submission to the first start (queue), of one attempt
 * (run), and from submission to settlement (total), and ask for a pause before a retry. Nothing
 * here is state: a scheduler that starts anew finds the same times again, and a worker that asks
 * finds the same as the scheduler, since both read one clock.
 * Where: any process.  Blocks: never. */
#ifndef PLM_DUE_H
#define PLM_DUE_H

#include "tables/tables.h"

enum limit { LIMIT_NONE, LIMIT_QUEUE, LIMIT_RUN, LIMIT_TOTAL };

enum {
	BACKOFF_MAX_DEFAULT_MS = 60000,
	BACKOFF_JITTER_SHARE = 4, /* a quarter more, at most */
	LIMIT_MAX_MS = 1 << 30,   /* times in records wrap after 49 days */
};

/* The terms of a record, NULL if it asks for nothing. */
const struct terms *due_terms(const struct tables *t, const struct record *r);

/* Milliseconds since boot, for the times in a record: exact where something is measured by them. */
uint32_t due_ms(const struct tables *t, const struct record *r);

/* The next limit that a record with this word will reach; DEADLINE_NEVER: none. */
uint64_t due_limit(const struct tables *t, const struct record *r, uint64_t word, enum limit *ret);
/* The same of one limit, wherever the record stands: was it this one that stopped it? */
bool due_total_is_over(const struct tables *t, const struct record *r);

/* A READY record that was tried before is not to be run before this; 0: at once. */
uint64_t due_backoff(const struct tables *t, const struct record *r, uint64_t word);
static inline bool due_is_resting(const struct tables *t, const struct record *r, uint64_t word);

/* Which limit, as the option that set it, and what kept the task. */
void due_describe(const struct tables *t, const struct record *r, uint64_t word, enum limit limit,
    char *ret, size_t size);

/* ---- inline bodies ---- */
#include "base/clock.h"

static inline bool due_is_resting(const struct tables *t, const struct record *r, uint64_t word)
{
	return r->terms && word_attempt(word) && clock_ns() < due_backoff(t, r, word);
}

#endif
