/* ring.h - bounded ring of hints: many producers (threads of one process), one consumer.
 *
 * Where: ring_shm in the segment, struct ring in the process of each side.
 * Who may call: the consumer is one thread. Producers are the threads of one other process (an up
 * ring), or the scheduler and the consumer itself (a down ring, where a worker queues successors).
 * Never a third process: the hole left by a dead third process would look like the unfinished work
 * of a live process.
 * Death: messages are hints (law 3). After the death of a consumer before ring_done(), head has not
 * moved, and the next consumer reads some hints again. A producer that dies between taking a place
 * and filling it leaves a hole: the next producer calls ring_fill_holes(); or the consumer, once
 * the producer is fenced, ring_reset(). Blocks: never.  Allocates: never.
 *
 * The top bit of an entry is the parity of its lap. So the consumer recognises a filled place by
 * the place alone, and writes nothing but head: no zeroing, no shared tail to read. */
#ifndef PLM_RING_H
#define PLM_RING_H

#include <stdbool.h>

#include "base/limits.h"
#include "shm/steps.h"

#define RING_LAP ((uint64_t)1 << 63)

struct ring_shm {
	_Alignas(CACHE_LINE_BYTES) shared32 tail; /* W: producers.  R: producers, dump. */
	_Alignas(CACHE_LINE_BYTES) shared32 head; /* W: consumer (release).  R: producers
						   * (acquire). */
	_Alignas(CACHE_LINE_BYTES) shared64 place[];
};

struct ring {
	struct ring_shm *shm;
	uint32_t size; /* a power of two */
};

static inline size_t ring_bytes(uint32_t size)
{
	return sizeof(struct ring_shm) + size * sizeof(uint64_t);
}

/* Zeroed memory is an empty ring. */
static inline struct ring ring_at(void *memory, uint32_t size)
{
	return (struct ring){ .shm = memory, .size = size };
}

/* Appends up to n hints (top bit clear); returns how many fitted. */
uint32_t ring_push(struct ring *ring, const uint64_t *hints, uint32_t n);

/* Reads up to max hints and leaves them in the ring; returns how many. ring_done() takes them off,
 * so a consumer that dies in between leaves them to the next. */
uint32_t ring_look(const struct ring *ring, uint64_t *ret_hints, uint32_t max);
void ring_done(struct ring *ring, uint32_t n);

/* Both at once: for hints that may be lost with the consumer. */
uint32_t ring_pop(struct ring *ring, uint64_t *ret_hints, uint32_t max);

/* True if the consumer would find a hint. */
bool ring_ready(const struct ring *ring);

/* How many hints were ever taken off: a consumer that makes progress moves the number. */
uint32_t ring_position(const struct ring *ring);

/* How many hints were ever appended: all are taken off when ring_position() has come here. */
uint32_t ring_end(const struct ring *ring);

/* How many places are taken; a guess while the other side runs. */
uint32_t ring_used(const struct ring *ring);

/* By the successor of a dead producer: fills places taken and never written. */
void ring_fill_holes(struct ring *ring, uint64_t hint);

/* Empties the ring. Only when neither producer nor consumer but the caller is alive. */
void ring_reset(struct ring *ring);

/* NULL: sound; else the reason why not. */
const char *ring_check(const struct ring *ring);

#endif
