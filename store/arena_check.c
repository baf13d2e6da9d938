/* arena_check.c - is the map sound, and does the map agree with the records? Sets of runs or
 * extents are compared by count and by the sum of a hash of each member. The comparison needs no
 * memory, and finds a member counted twice in place of a missing member. */
#include "store/arena_map.h"

struct tally {
	uint64_t members;
	uint64_t hashes;
};

static void arena_check_tally_add(struct tally *tally, uint64_t member)
{
	member += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	member = (member ^ member >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	member = (member ^ member >> 27) * UINT64_C(0x94d049bb133111eb);
	tally->members++;
	tally->hashes += member ^ member >> 31;
}

static bool arena_check_tally_equal(const struct tally *a, const struct tally *b)
{
	return a->members == b->members && a->hashes == b->hashes;
}

/* The tiling of the pages, to compare with lists and records. */
struct survey {
	struct tally free_runs;
	struct tally roomy_slabs;
	struct tally spare_slabs;
	struct tally extents;
	uint64_t used_bytes;
};

static void arena_check_add_extent(struct survey *survey, uint32_t place, uint64_t footprint)
{
	arena_check_tally_add(
	    &survey->extents, (uint64_t)place << 32 | footprint / STORE_GRANULE_BYTES);
	survey->used_bytes += footprint;
}

static const char *arena_check_survey_slab(
    const struct arena *arena, uint32_t slab, struct survey *survey)
{
	const struct page *page = &arena->shm->page[slab];
	uint32_t size_class = page->size_class;
	if (slab % SLAB_PAGES || page->run != SLAB_PAGES || size_class >= SIZE_CLASSES)
		return "arena: a slab of wrong place, size or class";
	uint32_t granules = class_granules(size_class);
	uint32_t taken = 0;
	for (uint32_t cell = 0; cell < SLAB_GRANULES / granules; cell++) {
		if (!(page[cell / CELL_WORD_BITS].cells >> cell % CELL_WORD_BITS & 1))
			continue;
		arena_check_add_extent(survey, slab * PAGE_GRANULES + cell * granules,
		    (uint64_t)granules * STORE_GRANULE_BYTES);
		taken++;
	}
	for (uint32_t word = 0; word < SLAB_PAGES; word++)
		if (~page[word].cells & no_cells(size_class, word))
			return "arena: a slab offers a cell beyond its end";
	if (taken == 0)
		arena_check_tally_add(&survey->spare_slabs, slab);
	else if (taken < SLAB_GRANULES / granules)
		arena_check_tally_add(&survey->roomy_slabs, slab);
	return NULL;
}

static const char *arena_check_survey_run(
    const struct arena *arena, uint32_t first, struct survey *survey)
{
	const struct page *map = arena->shm->page;
	uint32_t pages = map[first].run;
	enum page_kind kind = map[first].kind;
	if (pages == 0 || pages > reserved_of(arena) - first)
		return "arena: a run of impossible length";
	uint32_t last = first + pages - 1;
	if (map[last].run != pages || (last > first && map[last].kind != PAGE_END))
		return "arena: the two ends of a run disagree";
	for (uint32_t inner = first + 1; inner < last; inner++)
		if (map[inner].kind != PAGE_INSIDE)
			return "arena: a run begins inside another";
	switch (kind) {
	case PAGE_FREE:
		if (last + 1 < reserved_of(arena) && map[last + 1].kind == PAGE_FREE)
			return "arena: two free runs side by side";
		arena_check_tally_add(&survey->free_runs, first);
		return NULL;
	case PAGE_LARGE:
		arena_check_add_extent(
		    survey, first * PAGE_GRANULES, (uint64_t)pages * STORE_PAGE_BYTES);
		return NULL;
	case PAGE_SLAB: return arena_check_survey_slab(arena, first, survey);
	default: return "arena: a page that belongs to no run";
	}
}

static const char *arena_check_survey_pages(const struct arena *arena, struct survey *survey)
{
	uint32_t reserved = reserved_of(arena);
	for (uint32_t first = 0; first < reserved; first += arena->shm->page[first].run) {
		const char *unsound = arena_check_survey_run(arena, first, survey);
		if (unsound)
			return unsound;
	}
	return NULL;
}

/* Counts a list's members; false if the list leaves the map, has wrong back links or no end. */
static bool arena_check_walk(const struct arena *arena, uint32_t head, struct tally *tally)
{
	uint32_t previous = NO_PAGE;
	uint32_t reserved = reserved_of(arena);
	for (uint32_t page = head; page != NO_PAGE; page = arena->shm->page[page].next) {
		if (page >= reserved || tally->members >= reserved ||
		    arena->shm->page[page].previous != previous)
			return false;
		arena_check_tally_add(tally, page);
		previous = page;
	}
	return true;
}

static const char *check_bins(const struct arena *arena, const struct survey *survey)
{
	const struct arena_shm *shm = arena->shm;
	struct tally listed = { 0 };
	for (uint32_t bin = 0; bin < BINS; bin++) {
		bool filled = sh_peek(&shm->filled[bin / 64]) >> bin % 64 & 1;
		if (filled != (shm->bin[bin] != NO_PAGE))
			return "arena: the mark of a bin is wrong";
		if (!arena_check_walk(arena, shm->bin[bin], &listed))
			return "arena: a list of free runs is broken";
		for (uint32_t run = shm->bin[bin]; run != NO_PAGE; run = shm->page[run].next)
			if (bin_of(shm->page[run].run) != bin)
				return "arena: a free run hangs in the wrong bin";
	}
	return arena_check_tally_equal(&listed, &survey->free_runs)
	    ? NULL
	    : "arena: the lists of free runs are not the free runs";
}

static const char *check_slab_lists(const struct arena *arena, const struct survey *survey)
{
	const struct arena_shm *shm = arena->shm;
	struct tally roomy = { 0 };
	struct tally spare = { 0 };
	for (uint32_t size_class = 0; size_class < SIZE_CLASSES; size_class++) {
		if (!arena_check_walk(arena, shm->room[size_class], &roomy))
			return "arena: a list of slabs is broken";
		uint32_t slab = shm->room[size_class];
		for (; slab != NO_PAGE; slab = shm->page[slab].next)
			if (shm->page[slab].size_class != size_class)
				return "arena: a slab hangs in the list of another class";
		slab = shm->spare[size_class];
		if (slab == NO_PAGE)
			continue;
		if (slab >= reserved_of(arena) || shm->page[slab].size_class != size_class)
			return "arena: a spare slab is not a slab";
		arena_check_tally_add(&spare, slab);
	}
	if (!arena_check_tally_equal(&roomy, &survey->roomy_slabs))
		return "arena: the lists of slabs are not the slabs with room";
	return arena_check_tally_equal(&spare, &survey->spare_slabs)
	    ? NULL
	    : "arena: the spare slabs are not the empty slabs";
}

static const char *check_map(const struct arena *arena, struct survey *survey)
{
	if (sh_load(&arena->shm->reserved) > arena->pages)
		return "arena: more pages reserved than the arena has";
	const char *unsound = arena_check_survey_pages(arena, survey);
	if (!unsound)
		unsound = check_bins(arena, survey);
	if (!unsound)
		unsound = check_slab_lists(arena, survey);
	if (!unsound && survey->used_bytes != sh_peek(&arena->shm->used_bytes))
		unsound = "arena: the count of used bytes is wrong";
	return unsound;
}

const char *map_check(const struct arena *arena)
{
	struct survey survey = { 0 };
	return check_map(arena, &survey);
}

struct records {
	const struct arena *arena;
	struct survey survey;
	uint64_t arguments_bytes;
};

static void arena_check_visit_record(
    void *visitor, uint32_t granule, uint64_t length, enum arena_use use)
{
	struct records *records = visitor;
	if (use == ARENA_ARGUMENTS)
		records->arguments_bytes += arena_footprint(length);
	arena_check_add_extent(
	    &records->survey, granule - records->arena->first_granule, arena_footprint(length));
}

const char *arena_check(const struct arena *arena)
{
	struct survey survey = { 0 };
	const char *unsound = check_map(arena, &survey);
	if (unsound)
		return unsound;
	struct records records = { .arena = arena };
	arena->truth.each_extent(arena->truth.context, arena_check_visit_record, &records);
	if (!arena_check_tally_equal(&records.survey.extents, &survey.extents))
		return "arena: the map and the records disagree about the taken extents";
	return records.arguments_bytes == sh_peek(&arena->shm->arguments_bytes)
	    ? NULL
	    : "arena: the count of bytes in arguments is wrong";
}
