/* heap.h - priority heap of small integers in a segment: largest key first, any entry removable.
 *
 * Where: heap_shm in the segment, struct heap in this process. Who: the holder of the heap's lock.
 * The heap knows nothing of tasks or workers: an entry is an id below `capacity` and a 64-bit key.
 * Used twice: the task heap (priority and turn) and the worker heap (free room).
 * Derived (law 1): the owner of the truth gives a `refill` that pushes everything again.
 * Death: after a death inside the lock, the next heap_lock() clears the heap and calls refill.
 * Blocks: only heap_lock(). Allocates: never.
 * Cost: four children a node, and siblings share a cache line: log4(n) lines a pop. Entries pushed
 * in order, like the tasks of one client, make the heap a plain queue, which is a valid heap as
 * well: a push touches one line, a pop moves the beginning on. */
#ifndef PLM_HEAP_H
#define PLM_HEAP_H

#include "base/limits.h"
#include "shm/lock.h"
#include "shm/steps.h"

#define HEAP_NOWHERE UINT32_MAX

struct heap_entry {
	uint64_t key;
	uint32_t id;
	uint32_t tag; /* the caller's: the heap only carries it */
};

struct heap_shm {
	struct lock_shm lock;
	shared32 length;   /* W: under the lock.  R: anyone, as a guess. */
	uint32_t capacity; /* fixed at creation */
	shared32 first;    /* W: under the lock. Where the root is in entry[], which is a ring. */
	shared32 in_order; /* W: under the lock. Not 0: no entry is larger than one before it. */
	uint8_t align_siblings[32]; /* the root ends this line, so its children begin the next */
	struct heap_entry entry[];  /* W: under the lock; then uint32_t position[capacity] */
};

static_assert(sizeof(struct heap_entry) == 16, "four siblings, one cache line");
static_assert(offsetof(struct heap_shm, entry) % 64 == 48, "entry[1] begins a cache line");

struct heap {
	struct heap_shm *shm;
	/* id -> where in entry[], believed only if its id stands there. So leaving the heap writes
	 * nothing here, clearing the heap is `length = 0`, and zeroed memory is an empty heap. */
	uint32_t *position;
	uint32_t capacity; /* this process's copy: the segment's is not trusted twice */
	struct lock lock;
	void (*refill)(void *context, struct heap *heap); /* pushes everything that belongs in */
	void *context;
};

size_t heap_bytes(uint32_t capacity);
void heap_create(void *memory, uint32_t capacity); /* once, on zeroed memory */
void heap_attach(struct heap *heap, void *memory, uint32_t capacity, enum lock_rank rank,
    void (*refill)(void *context, struct heap *heap), void *context);

int heap_lock(struct heap *heap); /* 0, or the lock's error */
void heap_unlock(struct heap *heap);

/* All functions below: the caller holds the lock. */
void heap_push(struct heap *heap, uint32_t id, uint32_t tag, uint64_t key); /* id not in the heap */
bool heap_pop(struct heap *heap, struct heap_entry *ret);
bool heap_peek(const struct heap *heap, struct heap_entry *ret);
bool heap_remove(struct heap *heap, uint32_t id);               /* false if the id was not in */
void heap_update(struct heap *heap, uint32_t id, uint64_t key); /* pushes an absent id */
bool heap_contains(const struct heap *heap, uint32_t id);
void heap_rebuild(struct heap *heap); /* clear, then refill: start-up and recovery */

/* Without the lock, a guess: the number of entries; entry i, in no order except that the largest
 * comes first. */
uint32_t heap_length(const struct heap *heap);
struct heap_entry heap_entry_at(const struct heap *heap, uint32_t i);

/* NULL: sound; otherwise the first fault found. Without the lock, on a heap at rest, however
 * broken. */
const char *heap_check(const struct heap_shm *shm, uint32_t capacity);

#endif
