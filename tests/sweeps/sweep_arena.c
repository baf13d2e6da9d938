/* sweep_arena.c - the arena, killed at every step: the map agrees with the records, and nothing
 * leaks. */
#include <sys/mman.h>

#include "store/arena.h"
#include "store/arena_map.h"
#include "tests/support/sweep.h"

enum {
	RECORDS = 40,
	PAGES = 32,
	FIRST_GRANULE = 64,
	ARGUMENTS = 36,
	MORE_ARGUMENTS,
	SUBJECT,
	SURVIVORS_OWN
};

struct record {
	uint64_t length;
	shared32 granule;
};

struct image {
	struct record record[RECORDS];
	_Alignas(64) unsigned char memory[sizeof(struct arena_shm) + PAGES * sizeof(struct page)];
};

static struct arena arena;
static struct record start[RECORDS]; /* the records as the setup left them */

/* Some records have arguments, the rest results. */
static enum arena_use use_of(int i)
{
	return i == ARGUMENTS || i == MORE_ARGUMENTS ? ARENA_ARGUMENTS : ARENA_RESULT;
}

static void each_extent(void *context, arena_visit_f *visit, void *visitor)
{
	struct image *image = context;
	for (int i = 0; i < RECORDS; i++)
		if (sh_load(&image->record[i].granule))
			visit(visitor, sh_load(&image->record[i].granule), image->record[i].length,
			    use_of(i));
}

static int take(struct image *image, int i, uint64_t length)
{
	image->record[i].length = length;
	return arena_alloc(&arena, length, use_of(i), &image->record[i].granule);
}

static int give(struct image *image, int i)
{
	return arena_free(&arena, image->record[i].length, use_of(i), &image->record[i].granule);
}

static void remember(const struct image *image)
{
	for (int i = 0; i < RECORDS; i++) {
		start[i].length = image->record[i].length;
		sh_store(&start[i].granule, sh_load(&image->record[i].granule));
	}
}

static void setup_untouched(void *memory)
{
	struct image *image = memory;
	static int store = -1;
	if (store < 0)
		store = memfd_create("store", MFD_CLOEXEC);
	SWEEP_REQUIRE(store >= 0);
	arena_create(image->memory, PAGES);
	arena_attach(&arena, image->memory, FIRST_GRANULE, PAGES, store,
	    (struct arena_truth){ .each_extent = each_extent, .context = image });
	remember(image);
}

/* Three large extents, the middle one between two free runs; small extents of two classes. */
static void setup_used(void *memory)
{
	struct image *image = memory;
	setup_untouched(memory);
	for (int i = 0; i < 5; i++)
		SWEEP_REQUIRE(take(image, i, 3 * STORE_PAGE_BYTES) == 0);
	SWEEP_REQUIRE(take(image, 5, 100) == 0 && take(image, 6, 100) == 0);
	SWEEP_REQUIRE(take(image, ARGUMENTS, 500) == 0);
	SWEEP_REQUIRE(give(image, 1) == 0 && give(image, 3) == 0);
	remember(image);
}

/* A slab of class 2048 is full, another slab has one cell taken; a third, empty, is the spare. */
static void setup_slabs(void *memory)
{
	struct image *image = memory;
	setup_untouched(memory);
	for (int i = 0; i < 17; i++)
		SWEEP_REQUIRE(take(image, i, 2048) == 0);
	SWEEP_REQUIRE(give(image, 16) == 0);
	SWEEP_REQUIRE(take(image, 20, 8 * STORE_PAGE_BYTES) == 0);
	for (int i = 9; i < 16; i++)
		SWEEP_REQUIRE(give(image, i) == 0);
	remember(image);
}

static void take_small(void *image)
{
	SWEEP_REQUIRE(take(image, SUBJECT, 100) == 0);
}
static void take_new_slab(void *image)
{
	SWEEP_REQUIRE(take(image, SUBJECT, 700) == 0);
}
static void take_large(void *image)
{
	SWEEP_REQUIRE(take(image, SUBJECT, 8000) == 0);
}
static void take_most(void *image)
{
	SWEEP_REQUIRE(take(image, SUBJECT, 12 * 4096) == 0);
}
static void take_too_much(void *image)
{
	SWEEP_REQUIRE(take(image, SUBJECT, 30 * 4096) < 0);
}
static void take_arguments(void *image)
{
	SWEEP_REQUIRE(take(image, MORE_ARGUMENTS, 8000) == 0);
}
static void take_too_many_arguments(void *image)
{
	SWEEP_REQUIRE(take(image, MORE_ARGUMENTS, 16 * 4096) < 0);
}
static void give_arguments(void *image)
{
	SWEEP_REQUIRE(give(image, ARGUMENTS) == 0);
}
static void give_small(void *image)
{
	SWEEP_REQUIRE(give(image, 6) == 0);
}
static void give_large(void *image)
{
	SWEEP_REQUIRE(give(image, 2) == 0);
}
static void give_of_full(void *image)
{
	SWEEP_REQUIRE(give(image, 3) == 0);
}
static void give_last(void *image)
{
	SWEEP_REQUIRE(give(image, 8) == 0);
}

static void rebuild(void *image)
{
	(void)image;
	SWEEP_REQUIRE(arena_rebuild(&arena) == 0);
}

/* The next process that needs room, which also finishes the growth that the victim began. */
static void recover(void *memory)
{
	SWEEP_REQUIRE(
	    give(memory, SURVIVORS_OWN) == 0); /* a killed survivor may have taken the extent */
	SWEEP_REQUIRE(take(memory, SURVIVORS_OWN, 64) == 0);
	SWEEP_REQUIRE(give(memory, SURVIVORS_OWN) == 0);
}

static const char *judge(void *memory)
{
	struct image *image = memory;
	const char *unsound = arena_check(&arena);
	if (unsound)
		return unsound;
	int changed = 0;
	for (int i = 0; i < RECORDS; i++) {
		uint32_t now = sh_load(&image->record[i].granule);
		uint32_t before = sh_load(&start[i].granule);
		if (now != before && now != 0 && before != 0)
			return "an extent moved";
		changed += now != before;
	}
	if (changed > 1)
		return "the records are neither as before nor as after";
	for (int i = 0; i < RECORDS; i++)
		if (give(image, i) < 0)
			return "an extent cannot be given back";
	if (take(image, 0, (uint64_t)PAGES * STORE_PAGE_BYTES) < 0)
		return "bytes were lost";
	return arena_check(&arena);
}

#define OP(what, prepare, act)                                                                 \
	{                                                                                      \
		.name = what, .bytes = sizeof(struct image), .setup = prepare, .operate = act, \
		.recover = recover, .judge = judge                                             \
	}

int main(void)
{
	static const struct sweep_op ops[] = {
		OP("arena alloc, growing", setup_untouched, take_large),
		OP("arena alloc of a cell", setup_used, take_small),
		OP("arena alloc of a cell, new slab", setup_used, take_new_slab),
		OP("arena alloc of pages", setup_used, take_large),
		OP("arena alloc, reclaiming the spare slab", setup_slabs, take_most),
		OP("arena alloc refused", setup_used, take_too_much),
		OP("arena alloc of arguments", setup_used, take_arguments),
		OP("arena alloc of arguments refused", setup_used, take_too_many_arguments),
		OP("arena free of arguments", setup_used, give_arguments),
		OP("arena free of a cell", setup_used, give_small),
		OP("arena free of a full slab's cell", setup_slabs, give_of_full),
		OP("arena free of a slab's last cell", setup_slabs, give_last),
		OP("arena free of pages, merging both sides", setup_used, give_large),
		OP("arena rebuild", setup_used, rebuild),
	};
	return sweep_run(ops, sizeof ops / sizeof ops[0]) ? 1 : 0;
}
