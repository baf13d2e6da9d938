/* arena_rebuild.c - derives the map again from the extents of the records. Repeatable: the rebuild
 * believes nothing in the map, so a death inside costs only time. */
#include <string.h>

#include "base/check.h"
#include "store/arena_map.h"

static void arena_rebuild_map_clear(struct arena *arena)
{
	struct arena_shm *shm = arena->shm;
	step_here("map clear");
	memset(shm->page, 0, reserved_of(arena) * sizeof(struct page));
	for (uint32_t bin = 0; bin < BINS; bin++)
		shm->bin[bin] = NO_PAGE;
	for (uint32_t i = 0; i < COUNT_OF(shm->filled); i++)
		sh_poke(&shm->filled[i], 0);
	for (uint32_t size_class = 0; size_class < SIZE_CLASSES; size_class++) {
		shm->room[size_class] = NO_PAGE;
		shm->spare[size_class] = NO_PAGE;
	}
	sh_poke(&shm->used_bytes, 0, "used_bytes, cleared");
	sh_poke(&shm->arguments_bytes, 0, "arguments_bytes, cleared");
}

static bool arena_rebuild_mark_large(struct arena *arena, uint32_t place, uint64_t length)
{
	uint64_t pages = arena_footprint(length) / STORE_PAGE_BYTES;
	uint32_t first = place / PAGE_GRANULES;
	if (place % PAGE_GRANULES || pages > arena->pages ||
	    !run_is_unmarked(arena, first, (uint32_t)pages))
		return false;
	run_fill(arena, first, (uint32_t)pages, PAGE_LARGE);
	run_mark(arena, first, (uint32_t)pages, PAGE_LARGE);
	return true;
}

/* Other processes wrote the records: passes over an extent out of range, or overlapping. */
static void arena_rebuild_mark_extent(
    void *visitor, uint32_t granule, uint64_t length, enum arena_use use)
{
	struct arena *arena = visitor;
	uint32_t place = granule - arena->first_granule;
	if (length == 0 || granule < arena->first_granule ||
	    place / PAGE_GRANULES >= reserved_of(arena))
		return;
	bool fits = length <= SMALL_MAX_BYTES ? slabs_mark(arena, class_of(length), place)
					      : arena_rebuild_mark_large(arena, place, length);
	shared64 *used = &arena->shm->used_bytes, *arguments = &arena->shm->arguments_bytes;
	if (fits)
		sh_poke(used, sh_peek(used) + arena_footprint(length), "used_bytes, marked");
	if (fits && use == ARENA_ARGUMENTS)
		sh_poke(arguments, sh_peek(arguments) + arena_footprint(length),
		    "arguments_bytes, marked");
}

/* Length of the run that ends before `end`, as marking left it. */
static uint32_t arena_rebuild_marked_run_before(const struct arena *arena, uint32_t end)
{
	const struct page *map = arena->shm->page;
	if (map[end - 1].kind != PAGE_INSIDE)
		return map[end - 1].run;
	uint32_t pages = 1;
	while (pages < end && map[end - 1 - pages].kind == PAGE_INSIDE)
		pages++;
	return pages;
}

/* Downwards, so that the lowest free runs and slabs come to the head of their lists. */
static void arena_rebuild_map_complete(struct arena *arena)
{
	uint32_t pages;
	for (uint32_t end = reserved_of(arena); end > 0; end -= pages) {
		pages = arena_rebuild_marked_run_before(arena, end);
		CHECK(pages > 0 && pages <= end); /* marked above, under this lock */
		uint32_t first = end - pages;
		enum page_kind kind = arena->shm->page[first].kind;
		if (kind == PAGE_INSIDE) {
			runs_give(arena, first, pages);
			continue;
		}
		run_fill(arena, first, pages, PAGE_INSIDE);
		run_mark(arena, first, pages, kind);
		if (kind == PAGE_SLAB)
			slabs_offer(arena, first);
	}
}

void map_rebuild(struct arena *arena)
{
	arena_rebuild_map_clear(arena);
	arena->truth.each_extent(arena->truth.context, arena_rebuild_mark_extent, arena);
	arena_rebuild_map_complete(arena);
}
