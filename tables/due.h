/* due.h - when a limit or a back-off of a task ends, computed from its record alone.
 *
 * Terms (terms.h) may limit the time from submission to the first start (queue), of an attempt
 * (run), and from submission to settlement (total), and ask for a pause before a retry. Nothing
 * here is state: a new scheduler finds the same times again, and a worker the same as the
 * scheduler, since all read the same clock. Where: the record and its terms.  Who may call: any
 * process.  Blocks: never. Death: nothing to undo. */
#ifndef PLM_DUE_H
#define PLM_DUE_H

#include "tables/tables.h"

enum limit { LIMIT_NONE, LIMIT_QUEUE, LIMIT_RUN, LIMIT_TOTAL };

enum {
	BACKOFF_MAX_DEFAULT_MS = 60000,
	BACKOFF_JITTER_SHARE = 4, /* a quarter more, at most */
	LIMIT_MAX_MS = 1 << 30,   /* times in records wrap after 49 days */
};

/* The terms of a record; NULL: none. */
const struct terms *due_terms(const struct tables *t, const struct record *r);

/* Milliseconds since boot for the times in a record: exact if the record's terms measure by them.
 */
uint32_t due_ms(const struct tables *t, const struct record *r);

/* The next limit ahead of a record with this word; DEADLINE_NEVER: none. */
uint64_t due_limit(const struct tables *t, const struct record *r, uint64_t word, enum limit *ret);
/* The total limit alone, in any state: did this limit stop the task? */
bool due_total_is_over(const struct tables *t, const struct record *r);

/* A READY record tried before may not run before this time; 0: at once. */
uint64_t due_backoff(const struct tables *t, const struct record *r, uint64_t word);
static inline bool due_is_resting(const struct tables *t, const struct record *r, uint64_t word);

/* Describes the limit by the option that set it, and what kept the task. */
void due_describe(const struct tables *t, const struct record *r, uint64_t word, enum limit limit,
    char *ret, size_t size);

/* ---- inline bodies ---- */
#include "base/clock.h"

static inline bool due_is_resting(const struct tables *t, const struct record *r, uint64_t word)
{
	return r->terms && word_attempt(word) && clock_ns() < due_backoff(t, r, word);
}

#endif
