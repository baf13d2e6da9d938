/* arena.h - room for values in the store: an allocator that keeps no truth of its own.
 *
 * Where: arena_shm in the control segment (map and free lists), the bytes in the store segment,
 * struct arena in each process.  Who may call: any attached process, under the arena's lock.
 * The truth is the extents that live records name {first granule, length}. An extent that no record
 * names is free, so a leak is impossible by construction. The bytes of an extent are a function of
 * its length alone (arena_footprint()), so the map can be derived again from the records:
 * `each_extent` lists them.
 * Death: inside the lock, the next taker rebuilds the map from the records. arena_alloc() writes
 * the caller's record inside the lock, arena_free() clears it there: no extent is lost in between.
 * Blocks: in the lock; arena_grow() also in posix_fallocate(), under a lock of its own.
 * Allocates: never.
 *
 * Layout: pages of 4 KiB. Small extents (up to 2 KiB) share 16 KiB slabs of a size class, each with
 * a bitmap of its cells; larger extents take a run of pages. Free runs hang in lists by size (two
 * levels, as in TLSF: good fit in constant time). The links live in the page map, not in the pages:
 * freed memory is not touched, and a stray write into the store cannot break the allocator. The
 * allocator uses the most recently freed run of a size, and the low end of the untouched rest,
 * first: warm memory before cold. Only the first `reserved` pages may be used: memory is reserved
 * (posix_fallocate()) before it is promised. */
#ifndef PLM_ARENA_H
#define PLM_ARENA_H

#include "base/limits.h"
#include "shm/lock.h"
#include "shm/steps.h"

struct arena_shm; /* see arena_map.h */

/* The use of an extent. Running tasks may fill the whole arena. Work that waits may not: argument
 * blocks, most of them of queued tasks, fill a part at most; objects of clients leave a part free.
 * Otherwise a client that submits faster than workers run would leave no room for results, and the
 * running tasks, whose ends alone give room, would fail. */
enum arena_use {
	ARENA_RESULT, /* also objects that tasks make, and messages of failures */
	ARENA_OBJECT, /* of a client; ARENA_RESULT from the allocation on */
	ARENA_ARGUMENTS,
};
enum { ARENA_ARGUMENTS_SHARE = 2, ARENA_RESULTS_SHARE = 4 }; /* the half, the quarter */

/* Calls visit(visitor, granule, length, use) for every extent of this arena that a live record
 * names. */
typedef void arena_visit_f(void *visitor, uint32_t granule, uint64_t length, enum arena_use use);

struct arena_truth {
	void (*each_extent)(void *context, arena_visit_f *visit, void *visitor);
	void *context;
};

struct arena {
	struct arena_shm *shm;
	uint32_t first_granule; /* of the whole store; never 0, as granule 0 means "none" */
	uint32_t pages;
	int fd; /* the store segment, for arena_grow() */
	struct arena_truth truth;
	struct lock lock;
	struct lock grow_lock;
};

size_t arena_bytes(uint32_t pages);
void arena_create(void *memory, uint32_t pages); /* once, on zeroed memory */
void arena_attach(struct arena *arena, void *memory, uint32_t first_granule, uint32_t pages, int fd,
    struct arena_truth truth);

/* Room for length bytes (> 0). Sets *granule (release), under the lock, to the first granule: a
 * field of the caller's record, whose length field is already written. 64-byte aligned, 4 KiB
 * aligned from 4 KiB on. 0, -ENOSPC (the arena or /dev/shm is full: see why_text()), -EDQUOT (no
 * more room for arguments: only the ends of tasks help), -E2BIG (never fits), the lock's error. */
int arena_alloc(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule);

/* Gives back the extent at *granule and sets *granule to 0, under the lock. */
int arena_free(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule);
/* Also -EBUSY: the lock is taken. For a caller that can come again. */
int arena_try_free(struct arena *arena, uint64_t length, enum arena_use use, shared32 *granule);

/* Makes the map agree with the records. */
int arena_rebuild(struct arena *arena);

/* Bytes that an extent of this length takes. */
uint64_t arena_footprint(uint64_t length);

struct arena_usage {
	uint64_t total_bytes, reserved_bytes, used_bytes, largest_free_bytes;
	uint64_t arguments_bytes;      /* in use by argument blocks */
	uint64_t arguments_most_bytes; /* may be in use by argument blocks */
	uint64_t objects_most_bytes;   /* may be in use after a client has put an object */
};
/* Without the lock: a guess. */
void arena_usage(const struct arena *arena, struct arena_usage *ret);

/* NULL: sound; else the reason why not. On an arena at rest, however broken. */
const char *arena_check(const struct arena *arena);

#endif
