/* slabs.c - cells of equal size for small extents, in slabs of sixteen KiB. */
#include "base/check.h"
#include "store/arena_map.h"

/* Chosen so that few bytes are lost: at most a quarter of a cell, little at a slab's end. */
static const uint8_t granules_of[] = { 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 21, 25, 28, 32 };

static_assert(sizeof granules_of == SIZE_CLASSES, "one size a class");

uint32_t class_granules(uint32_t size_class)
{
	return granules_of[size_class];
}

uint32_t class_of(uint64_t length)
{
	CHECK(length > 0 && length <= SMALL_MAX_BYTES);
	uint32_t granules = (uint32_t)((length + STORE_GRANULE_BYTES - 1) / STORE_GRANULE_BYTES);
	uint32_t size_class = granules <= 8 ? granules - 1 : 8;
	while (granules_of[size_class] < granules)
		size_class++;
	return size_class;
}

uint64_t no_cells(uint32_t size_class, uint32_t word)
{
	uint32_t cells = SLAB_GRANULES / granules_of[size_class];
	uint32_t before = word * CELL_WORD_BITS;
	if (cells <= before)
		return UINT64_MAX;
	return cells - before >= CELL_WORD_BITS ? 0 : UINT64_MAX << (cells - before);
}

static bool slabs_is_full(const struct arena *arena, uint32_t slab)
{
	const struct page *page = &arena->shm->page[slab];
	return (page[0].cells & page[1].cells & page[2].cells & page[3].cells) == UINT64_MAX;
}

static bool slabs_is_empty(const struct arena *arena, uint32_t slab, uint32_t size_class)
{
	for (uint32_t word = 0; word < SLAB_PAGES; word++)
		if (arena->shm->page[slab + word].cells != no_cells(size_class, word))
			return false;
	return true;
}

/* Does a slab of this class begin at this page? */
static bool slabs_is_slab(const struct arena *arena, uint32_t page, uint32_t size_class)
{
	return run_at(arena, page, PAGE_SLAB) == SLAB_PAGES &&
	    arena->shm->page[page].size_class == size_class;
}

static void slabs_format(struct arena *arena, uint32_t slab, uint32_t size_class)
{
	struct page *page = &arena->shm->page[slab];
	sh_set(page[0].size_class, (uint8_t)size_class);
	for (uint32_t word = 0; word < SLAB_PAGES; word++)
		sh_set(page[word].cells, no_cells(size_class, word), "cells, formatted");
}

/* A slab with a free cell: the most recently used, else the spare one, else new pages. */
static uint32_t slab_with_room(struct arena *arena, uint32_t size_class, uint32_t looks)
{
	struct arena_shm *shm = arena->shm;
	if (slabs_is_slab(arena, shm->room[size_class], size_class))
		return shm->room[size_class];
	uint32_t slab = shm->spare[size_class];
	if (slabs_is_slab(arena, slab, size_class)) {
		sh_set(shm->spare[size_class], NO_PAGE, "spare, used");
	} else {
		slab = runs_take(arena, SLAB_PAGES, SLAB_PAGES, PAGE_SLAB, looks);
		if (slab == NO_PAGE)
			return NO_PAGE;
		slabs_format(arena, slab, size_class);
	}
	list_push(arena, &shm->room[size_class], slab);
	return slab;
}

/* Takes a free cell and returns its index; NO_GRANULE if the slab is full. */
static uint32_t slabs_cell_take(struct arena *arena, uint32_t slab)
{
	for (uint32_t word = 0; word < SLAB_PAGES; word++) {
		uint64_t *cells = &arena->shm->page[slab + word].cells;
		if (*cells == UINT64_MAX)
			continue;
		uint32_t bit = (uint32_t)__builtin_ctzll(~*cells);
		sh_set(*cells, *cells | UINT64_C(1) << bit, "cells, taken");
		return word * CELL_WORD_BITS + bit;
	}
	return NO_GRANULE;
}

uint32_t slabs_take(struct arena *arena, uint32_t size_class, uint32_t looks)
{
	uint32_t slab = slab_with_room(arena, size_class, looks);
	if (slab == NO_PAGE)
		return NO_GRANULE;
	uint32_t cell = slabs_cell_take(arena, slab);
	if (slabs_is_full(arena, slab))
		list_remove(arena, &arena->shm->room[size_class], slab);
	if (cell == NO_GRANULE) /* damage: the list held a full slab, which is now off the list */
		return NO_GRANULE;
	return slab * PAGE_GRANULES + cell * granules_of[size_class];
}

/* The slab, the bitmap word and the bit of the cell at a place; false if no cell begins there. */
static bool slabs_locate(
    uint32_t size_class, uint32_t place, uint32_t *ret_slab, uint32_t *ret_word, uint64_t *ret_bit)
{
	uint32_t slab = place / SLAB_GRANULES * SLAB_PAGES;
	uint32_t offset = place % SLAB_GRANULES;
	uint32_t cell = offset / granules_of[size_class];
	if (offset % granules_of[size_class] || cell >= SLAB_GRANULES / granules_of[size_class])
		return false;
	*ret_slab = slab;
	*ret_word = cell / CELL_WORD_BITS;
	*ret_bit = UINT64_C(1) << cell % CELL_WORD_BITS;
	return true;
}

/* Keeps an empty slab for each class; a second goes back to the pages. */
static void slabs_retire(struct arena *arena, uint32_t slab, uint32_t size_class)
{
	uint32_t *spare = &arena->shm->spare[size_class];
	if (*spare == NO_PAGE)
		sh_set(*spare, slab, "spare, kept");
	else
		runs_give(arena, slab, SLAB_PAGES);
}

bool slabs_give(struct arena *arena, uint32_t size_class, uint32_t place)
{
	uint32_t slab, word;
	uint64_t bit;
	if (!slabs_locate(size_class, place, &slab, &word, &bit) ||
	    !slabs_is_slab(arena, slab, size_class))
		return false;
	uint64_t *cells = &arena->shm->page[slab + word].cells;
	if (!(*cells & bit))
		return false;
	uint32_t *room = &arena->shm->room[size_class];
	bool was_full = slabs_is_full(arena, slab);
	sh_set(*cells, *cells & ~bit, "cells, freed");
	bool empty = slabs_is_empty(arena, slab, size_class);
	if (was_full && !empty)
		list_push(arena, room, slab);
	else if (!was_full && empty)
		list_remove(arena, room, slab);
	if (empty)
		slabs_retire(arena, slab, size_class);
	return true;
}

void slabs_reclaim(struct arena *arena)
{
	for (uint32_t size_class = 0; size_class < SIZE_CLASSES; size_class++) {
		uint32_t slab = arena->shm->spare[size_class];
		sh_set(arena->shm->spare[size_class], NO_PAGE, "spare, reclaimed");
		if (slabs_is_slab(arena, slab, size_class) &&
		    slabs_is_empty(arena, slab, size_class))
			runs_give(arena, slab, SLAB_PAGES);
	}
}

bool slabs_mark(struct arena *arena, uint32_t size_class, uint32_t place)
{
	uint32_t slab, word;
	uint64_t bit;
	if (!slabs_locate(size_class, place, &slab, &word, &bit))
		return false;
	if (run_is_unmarked(arena, slab, SLAB_PAGES)) {
		run_mark(arena, slab, SLAB_PAGES, PAGE_SLAB);
		run_fill(arena, slab, SLAB_PAGES, PAGE_SLAB);
		slabs_format(arena, slab, size_class);
	}
	if (!slabs_is_slab(arena, slab, size_class))
		return false;
	uint64_t *cells = &arena->shm->page[slab + word].cells;
	bool was_free = !(*cells & bit);
	sh_set(*cells, *cells | bit, "cells, marked");
	return was_free;
}

void slabs_offer(struct arena *arena, uint32_t slab)
{
	uint32_t size_class = arena->shm->page[slab].size_class;
	if (!slabs_is_full(arena, slab))
		list_push(arena, &arena->shm->room[size_class], slab);
}
