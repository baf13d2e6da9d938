/* lent.h - idle cpus lent to the command of a worker, for the processes the command starts (a
 *make).
 *
 * Where: a word of the process slot, process.lent: {turn:31, wants:1, limit:16, out:16}.
 *	turn   odd: a command that may borrow runs. W: the worker, plus 1 when the command begins
 *	       and when its last process has ended
 *	wants  the command could use another cpu. W: the worker
 *	limit  cpus that the command may have. W: the scheduler; the worker lowers an unused limit
 *	out    cpus that the command has: counted before a token is handed out, until the token is
 *	       back. W: the worker
 * Each change is a CAS of the word, so scheduler and worker never disagree about a cpu. A lent cpu
 * is an idle worker process, booked like one that keeps still for a task with several cpus: its
 * process.booked is LENT_TO(borrower, n) before limit counts the cpu, until neither limit nor out
 * does. These words are the truth; there is no other count.
 * Who may call: the scheduler, and the borrowing worker.  Blocks: never.
 * Death: of the borrower: its cpus are free at the burial, because all processes of the command are
 * dead by then. Of a lent process: the next idle process, or the next born, takes its place. Of the
 * scheduler: the next scheduler reads the words. */
#ifndef PLM_LENT_H
#define PLM_LENT_H

#include "tables/process.h"

#define LENT_BOOKED ((uint64_t)1 << 31) /* no reference is so small */
#define LENT_SLOT_BITS 11
/* n: different for each loan, so a process that reports to keep still means the present loan. */
#define LENT_TO(slot, n) \
	(LENT_BOOKED | ((uint64_t)(n) << LENT_SLOT_BITS & (LENT_BOOKED - 1)) | (uint64_t)(slot))

#define LENT_COUNT_MAX UINT64_C(0xffff)
#define LENT_LIMIT_SHIFT 16
#define LENT_WANTS ((uint64_t)1 << 32)
#define LENT_TURN_SHIFT 33

_Static_assert(PROCESSES_MAX <= 1 << LENT_SLOT_BITS, "a word names any slot");

/* The borrower's process slot; 0: not lent. */
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

/* Cpus that must be kept for the borrower. */
static inline uint32_t lent_claim(uint64_t word)
{
	uint32_t out = lent_out(word), limit = lent_limit(word);
	if (!lent_open(word))
		return 0;
	return out > limit ? out : limit;
}

/* The next turn: no cpu lent, none wanted. */
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
