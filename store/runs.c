/* runs.c - runs of free pages, in bins by length. */
#include "base/check.h"
#include "store/arena_map.h"

enum { BIN_BITS = 4, BINS_PER_OCTAVE = 1 << BIN_BITS };

/* Exact below sixteen pages, then sixteen bins to each power of two: within 7 %. */
uint32_t bin_of(uint32_t pages)
{
	if (pages < BINS_PER_OCTAVE)
		return pages;
	uint32_t top = 31 - (uint32_t)__builtin_clz(pages);
	uint32_t octave = top - BIN_BITS + 1;
	return octave << BIN_BITS | ((pages >> (top - BIN_BITS)) & (BINS_PER_OCTAVE - 1));
}

uint32_t bin_floor(uint32_t bin)
{
	if (bin < BINS_PER_OCTAVE)
		return bin;
	uint32_t octave = bin >> BIN_BITS;
	return (BINS_PER_OCTAVE | (bin & (BINS_PER_OCTAVE - 1))) << (octave - 1);
}

void list_push(struct arena *arena, uint32_t *head, uint32_t page)
{
	struct page *map = arena->shm->page;
	uint32_t next = *head;
	sh_set(map[page].next, next, "next, pushed");
	sh_set(map[page].previous, NO_PAGE, "previous, pushed");
	if (next < arena->pages)
		sh_set(map[next].previous, page, "previous, behind a pushed one");
	sh_set(*head, page, "head, pushed");
}

void list_remove(struct arena *arena, uint32_t *head, uint32_t page)
{
	struct page *map = arena->shm->page;
	uint32_t next = map[page].next;
	uint32_t previous = map[page].previous;
	if (next < arena->pages)
		sh_set(map[next].previous, previous, "previous, removed");
	if (previous < arena->pages)
		sh_set(map[previous].next, next, "next, removed");
	else
		sh_set(*head, next, "head, removed");
}

static void runs_bin_push(struct arena *arena, uint32_t run, uint32_t pages)
{
	uint32_t bin = bin_of(pages);
	shared64 *filled = &arena->shm->filled[bin / 64];
	list_push(arena, &arena->shm->bin[bin], run);
	sh_poke(filled, sh_peek(filled) | UINT64_C(1) << bin % 64, "filled, pushed");
}

static void runs_bin_remove(struct arena *arena, uint32_t run, uint32_t pages)
{
	uint32_t bin = bin_of(pages);
	shared64 *filled = &arena->shm->filled[bin / 64];
	list_remove(arena, &arena->shm->bin[bin], run);
	if (arena->shm->bin[bin] >= arena->pages)
		sh_poke(filled, sh_peek(filled) & ~(UINT64_C(1) << bin % 64), "filled, removed");
}

/* The first non-empty bin from `bin` on; BINS if none. */
static uint32_t runs_next_filled(const struct arena_shm *shm, uint32_t bin)
{
	if (bin >= BINS)
		return BINS;
	uint64_t word = sh_peek(&shm->filled[bin / 64]) & (UINT64_MAX << bin % 64);
	for (uint32_t i = bin / 64;;) {
		if (word)
			return i * 64 + (uint32_t)__builtin_ctzll(word);
		if (++i == COUNT_OF(shm->filled))
			return BINS;
		word = sh_peek(&shm->filled[i]);
	}
}

void run_mark(struct arena *arena, uint32_t first, uint32_t pages, enum page_kind kind)
{
	struct page *map = arena->shm->page;
	uint32_t last = first + pages - 1;
	sh_set(map[last].run, pages, "run, last page");
	sh_set(map[last].kind, kind == PAGE_INSIDE ? PAGE_INSIDE : PAGE_END, "kind, last page");
	sh_set(map[first].run, pages, "run, first page");
	sh_set(map[first].kind, (uint8_t)kind, "kind, first page");
}

void run_fill(struct arena *arena, uint32_t first, uint32_t pages, enum page_kind kind)
{
	for (uint32_t i = 0; i < pages; i++)
		sh_set(arena->shm->page[first + i].kind, (uint8_t)kind, "kind, filled");
}

bool run_is_unmarked(const struct arena *arena, uint32_t first, uint32_t pages)
{
	uint32_t reserved = reserved_of(arena);
	if (pages > reserved || first > reserved - pages)
		return false;
	for (uint32_t i = 0; i < pages; i++)
		if (arena->shm->page[first + i].kind != PAGE_INSIDE)
			return false;
	return true;
}

uint32_t run_at(const struct arena *arena, uint32_t first, enum page_kind kind)
{
	const struct page *map = arena->shm->page;
	uint32_t reserved = reserved_of(arena);
	if (first >= reserved || map[first].kind != kind)
		return 0;
	uint32_t pages = map[first].run;
	return pages <= reserved - first ? pages : 0;
}

/* Length of the free run that ends before page `end`, 0 if none. */
static uint32_t runs_free_before(const struct arena *arena, uint32_t end)
{
	const struct page *map = arena->shm->page;
	if (end == 0 || (map[end - 1].kind != PAGE_END && map[end - 1].kind != PAGE_FREE))
		return 0;
	uint32_t pages = map[end - 1].run;
	return pages <= end && run_at(arena, end - pages, PAGE_FREE) == pages ? pages : 0;
}

static void runs_free_insert(struct arena *arena, uint32_t first, uint32_t pages)
{
	run_mark(arena, first, pages, PAGE_FREE);
	runs_bin_push(arena, first, pages);
}

static void runs_free_remove(struct arena *arena, uint32_t first, uint32_t pages)
{
	runs_bin_remove(arena, first, pages);
	run_mark(arena, first, pages, PAGE_INSIDE);
}

void runs_give(struct arena *arena, uint32_t first, uint32_t pages)
{
	uint32_t before = runs_free_before(arena, first);
	uint32_t after = run_at(arena, first + pages, PAGE_FREE);
	run_mark(arena, first, pages, PAGE_INSIDE);
	if (before)
		runs_free_remove(arena, first - before, before);
	if (after)
		runs_free_remove(arena, first + pages, after);
	runs_free_insert(arena, first - before, before + pages + after);
}

static uint32_t runs_align_up(uint32_t page, uint32_t align)
{
	return (page + align - 1) & ~(align - 1);
}

static uint32_t runs_first_fit(
    const struct arena *arena, uint32_t bin, uint32_t pages, uint32_t align, uint32_t looks)
{
	uint32_t run = arena->shm->bin[bin];
	while (looks-- > 0) {
		uint32_t length = run_at(arena, run, PAGE_FREE);
		if (length == 0)
			break;
		if (runs_align_up(run, align) - run + pages <= length)
			return run;
		run = arena->shm->page[run].next;
	}
	return NO_PAGE;
}

/* Takes the low end of the run: in a run never used before, the part next to used pages. */
static uint32_t runs_carve(
    struct arena *arena, uint32_t run, uint32_t pages, uint32_t align, enum page_kind kind)
{
	uint32_t length = run_at(arena, run, PAGE_FREE);
	uint32_t first = runs_align_up(run, align);
	uint32_t rest = run + length - (first + pages);
	runs_free_remove(arena, run, length);
	if (first > run)
		runs_free_insert(arena, run, first - run);
	if (rest)
		runs_free_insert(arena, first + pages, rest);
	run_mark(arena, first, pages, kind);
	return first;
}

/* From the bin after the bin of pages + align - 1 on, the first look succeeds. */
uint32_t runs_take(
    struct arena *arena, uint32_t pages, uint32_t align, enum page_kind kind, uint32_t looks)
{
	uint32_t bin = runs_next_filled(arena->shm, bin_of(pages));
	for (; bin < BINS; bin = runs_next_filled(arena->shm, bin + 1)) {
		uint32_t run = runs_first_fit(arena, bin, pages, align, looks);
		if (run != NO_PAGE)
			return runs_carve(arena, run, pages, align, kind);
	}
	return NO_PAGE;
}

uint32_t runs_largest(const struct arena *arena)
{
	for (uint32_t i = COUNT_OF(arena->shm->filled); i-- > 0;) {
		uint64_t word = sh_peek(&arena->shm->filled[i]);
		if (word)
			return bin_floor(i * 64 + 63 - (uint32_t)__builtin_clzll(word));
	}
	return 0;
}

uint32_t runs_tail(const struct arena *arena)
{
	return runs_free_before(arena, reserved_of(arena));
}
