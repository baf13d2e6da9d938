/* lent.h - idle slots that are lent to the command a worker runs, for what it starts (a make).
 *
 * Where: one word a process slot, process.lent: {turn:31, wants:1, limit:16, out:16}.
 *	turn   odd: a command runs that may borrow. W: the worker, one more when it begins and when
 *	       nothing of it is left
 *	wants  it could use one more. W: the worker
 *	limit  so many slots it may have. W: the scheduler; the worker lowers what it does not want
 *	out    so many it has: counted before a token for it is handed out, until that is back.
 *	       W: the worker
 * Each change is one CAS of the word, so the two never disagree about one slot. A slot that is lent
 * is booked, as one is that keeps still for a task with several cpus: by LENT_TO(borrower, n) in
 * its own process.booked, before limit counts it, until neither limit nor out does. Both are the
 * truth, and there is no other count: who has how many is read off the process table.
 * Death: of the borrower: everything it had is free when it is buried, for what it had started is
 * dead by then. Of a slot that was lent: the next idle one, or the next one born, takes its place.
 * Of the scheduler: the next one reads the words. Blocks: never. */
#ifndef PLM_LENT_H
#define PLM_LENT_H

#include "tables/process.h"

#define LENT_BOOKED ((uint64_t)1 << 31) /* no reference is so small */
#define LENT_SLOT_BITS 11
/* n: another one each time, so that a slot which says that it keeps still means this loan. */
#define LENT_TO(slot, n) \
	(LENT_BOOKED | ((uint64_t)(n) << LENT_SLOT_BITS & (LENT_BOOKED - 1)) | (uint64_t)(slot))

#define LENT_COUNT_MAX UINT64_C(0xffff)
#define LENT_LIMIT_SHIFT 16
#define LENT_WANTS ((uint64_t)1 << 32)
#define LENT_TURN_SHIFT 33

_Static_assert(PROCESSES_MAX <= 1 << LENT_SLOT_BITS, "a word names any slot");

/* The borrower that a slot is booked for; 0: it is not lent. */
static inline uint32_t lent_to(uint64_t booked)
{
	return booked >> 31 == 1 ? (uint32_t)booked & ((1u << LENT_SLOT_BITS) - 1) : 0;
}

static inline uint32_t lent_out(uint64_t word)
{
	return (uint32_t)(word & LENT_COUNT_MAX);
}

static inline uint32_t lent_limit(uint64_t word)
{
	return (uint32_t)(word >> LENT_LIMIT_SHIFT & LENT_COUNT_MAX);
}

static inline bool lent_open(uint64_t word)
{
	return word >> LENT_TURN_SHIFT & 1;
}

static inline bool lent_wants(uint64_t word)
{
	return lent_open(word) && word & LENT_WANTS;
}

/* So many slots must be kept for it. */
static inline uint32_t lent_claim(uint64_t word)
{
	uint32_t out = lent_out(word), limit = lent_limit(word);
	if (!lent_open(word))
		return 0;
	return out > limit ? out : limit;
}

/* The next turn: nothing is lent, nothing wanted. */
static inline uint64_t lent_next(uint64_t word)
{
	return ((word >> LENT_TURN_SHIFT) + 1) << LENT_TURN_SHIFT;
}

static inline uint64_t lent_with(uint64_t word, bool wants, uint32_t limit, uint32_t out)
{
	return word >> LENT_TURN_SHIFT << LENT_TURN_SHIFT | (wants ? LENT_WANTS : 0) |
	    (uint64_t)(limit & LENT_COUNT_MAX) << LENT_LIMIT_SHIFT | (out & LENT_COUNT_MAX);
}

#endif
