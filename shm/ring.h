/* ring.h - bounded ring of hints: many producers (threads of one process), one consumer.
 *
 * Where: ring_shm in the segment, struct ring in each side's process.
 * Who: the consumer is one thread. Producers are the threads of one other process (an up ring), or
 * the scheduler and the consumer itself (a down ring, where a worker queues successors). Never a
 * third process: the hole its death left could not be told from the work of one that lives.
 * Death: messages are hints (law 3). A consumer that dies before ring_done() has not moved head:
 * its successor reads some hints again. A producer that dies between taking a place and filling it
 * leaves a hole: a successor producer calls ring_fill_holes(), or the consumer, once the producer
 * is fenced, ring_reset().
 * Blocks: never.  Allocates: never.
 *
 * An entry carries the parity of its lap in its top bit, so the consumer knows a filled place by
 * looking at the place alone and writes nothing but head: no zeroing, no shared tail to read. */
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

/* Appends up to n hints (top bit clear), returns how many there was room for. */
uint32_t ring_push(struct ring *ring, const uint64_t *hints, uint32_t n);

/* Reads up to max hints and leaves them where they are, returns how many. ring_done() takes them
 * off: a consumer that dies in between leaves them to its successor. */
uint32_t ring_look(const struct ring *ring, uint64_t *ret_hints, uint32_t max);
void ring_done(struct ring *ring, uint32_t n);

/* Both at once: for hints that may be lost with their consumer. */
uint32_t ring_pop(struct ring *ring, uint64_t *ret_hints, uint32_t max);

/* True if the consumer would find something. */
bool ring_ready(const struct ring *ring);

/* How many hints were ever taken off: a consumer that makes progress moves it. */
uint32_t ring_position(const struct ring *ring);

/* How many hints were ever appended: all of them are taken off when ring_position() is there. */
uint32_t ring_end(const struct ring *ring);

/* How many places are taken; a guess while the other side runs. */
uint32_t ring_used(const struct ring *ring);

/* By a successor of a dead producer: fills what it took and did not write. */
void ring_fill_holes(struct ring *ring, uint64_t hint);

/* Empties it. Only when neither producer nor consumer but the caller is alive. */
void ring_reset(struct ring *ring);

/* NULL = sound, else the first thing wrong. */
const char *ring_check(const struct ring *ring);

#endif
