/* arena_map.h - the map of an arena: which pages and cells are free. Private to store/.
 *
 * Where: arena_shm in the control segment.  Who may call: the holder of the arena's lock.
 * Death: the map is thrown away and derived again from the records (arena_rebuild.c).
 * Blocks: never.  Allocates: never.
 *
 * The pages below `reserved` are tiled by runs: free, large (one extent), or slab (four aligned
 * pages of equal cells). The first page of a run carries kind and length; the last page (PAGE_END,
 * if the run has more than one page) repeats the length, so a freed run finds its neighbours
 * (boundary tags). The pages between are PAGE_INSIDE, so a wild page number never looks like a run.
 * Every number from the map is bounded before it indexes, and loops are bounded by `reserved`:
 * damage here may cost room or give wrong answers, never a crash or a hang. */
#ifndef PLM_ARENA_MAP_H
#define PLM_ARENA_MAP_H

#include <stdbool.h>

#include "store/arena.h"

#define NO_PAGE UINT32_MAX
#define NO_GRANULE UINT32_MAX

enum {
	PAGE_GRANULES = STORE_PAGE_BYTES / STORE_GRANULE_BYTES,
	SLAB_PAGES = 4,
	SLAB_GRANULES = SLAB_PAGES * PAGE_GRANULES,
	CELL_WORD_BITS = 64,
	SMALL_MAX_BYTES = 2048,
	SIZE_CLASSES = 17,
	BINS = 29 * 16,  /* sixteen for each power of two, as bin_of() counts */
	LOOKS_USUAL = 8, /* runs tried in a bin where not all fit: the "constant" of the time */
};

static_assert(SLAB_GRANULES == SLAB_PAGES * CELL_WORD_BITS, "a word of the bitmap a page");
static_assert((SLAB_PAGES & (SLAB_PAGES - 1)) == 0, "slabs are aligned to their own size");

enum page_kind { PAGE_INSIDE, PAGE_FREE, PAGE_LARGE, PAGE_SLAB, PAGE_END };

struct page {               /* all: W, R: under the arena's lock */
	uint32_t run;       /* first and last of a run: its length */
	uint8_t kind;       /* enum page_kind */
	uint8_t size_class; /* first of a slab */
	uint16_t unused;
	uint32_t next; /* first page of a free run, or of a slab with room: list links */
	uint32_t previous;
	uint64_t cells; /* page i of a slab: cells 64 i to 64 i + 63; set: taken, or no cell */
};

static_assert(sizeof(struct page) == 24, "24 bytes of map for 4096 of store");

struct arena_shm {
	struct lock_shm lock;
	struct lock_shm grow_lock;
	shared64 used_bytes;      /* W: under the lock.  R: anyone, for statistics. */
	shared64 arguments_bytes; /* the same. The part of argument blocks. */
	shared32 reserved;        /* W: under both locks, grows only.  R: anyone. In pages. */
	uint32_t pages;
	uint32_t room[SIZE_CLASSES];  /* W: under the lock, as all below. Slabs, part free. */
	uint32_t spare[SIZE_CLASSES]; /* an empty slab kept back, so that a free and an alloc in
					 turn move no run */
	shared64 filled[(BINS + 63) / 64]; /* which bins are not empty.  R: anyone, as a guess */
	uint32_t bin[BINS]; /* first pages of free runs, the most recently freed first */
	struct page page[];
};

static inline uint32_t reserved_of(const struct arena *arena)
{
	uint32_t reserved = sh_load(&arena->shm->reserved);
	return reserved <= arena->pages ? reserved : arena->pages;
}

/* runs.c */
uint32_t bin_of(uint32_t pages);
uint32_t bin_floor(uint32_t bin); /* the shortest run of a bin */
void list_push(struct arena *arena, uint32_t *head, uint32_t page);
void list_remove(struct arena *arena, uint32_t *head, uint32_t page);
/* Length of the run of this kind that begins at `first`; 0 if the map has none. */
uint32_t run_at(const struct arena *arena, uint32_t first, enum page_kind kind);
/* Takes an aligned run, marks the kind, and returns the first page; NO_PAGE if `looks` in each bin
 * find none. */
uint32_t runs_take(
    struct arena *arena, uint32_t pages, uint32_t align, enum page_kind kind, uint32_t looks);
/* Gives a run back and merges it with free neighbours. */
void runs_give(struct arena *arena, uint32_t first, uint32_t pages);
void run_mark(struct arena *arena, uint32_t first, uint32_t pages, enum page_kind kind);
/* For the rebuild: marks every page of the run, so that an overlap shows; PAGE_INSIDE is "not
 * marked". */
void run_fill(struct arena *arena, uint32_t first, uint32_t pages, enum page_kind kind);
bool run_is_unmarked(const struct arena *arena, uint32_t first, uint32_t pages);
uint32_t runs_largest(const struct arena *arena); /* pages; without the lock, a guess from below */
uint32_t runs_tail(const struct arena *arena);    /* pages of the free run that ends at reserved */

/* slabs.c: places are granules counted from the arena's first. */
uint32_t class_of(uint64_t length); /* length <= SMALL_MAX_BYTES */
uint32_t class_granules(uint32_t size_class);
uint64_t no_cells(uint32_t size_class, uint32_t word); /* bits of a bitmap word that are no cells */
uint32_t slabs_take(struct arena *arena, uint32_t size_class, uint32_t looks);
bool slabs_give(struct arena *arena, uint32_t size_class, uint32_t place); /* false: not taken */
void slabs_reclaim(struct arena *arena); /* gives the spare slabs back */
/* For the rebuild: marks the cell at place as taken. False if the cell overlaps an earlier mark. */
bool slabs_mark(struct arena *arena, uint32_t size_class, uint32_t place);
void slabs_offer(struct arena *arena, uint32_t slab); /* lists a marked slab with room */

/* arena_rebuild.c */
void map_rebuild(struct arena *arena);

/* arena_check.c: the map alone, without the records. */
const char *map_check(const struct arena *arena);

#endif
