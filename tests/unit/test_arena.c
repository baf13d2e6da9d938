/* test_arena.c - the arena against a plain table of extents and a bitmap of granules. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "store/arena.h"
#include "store/arena_map.h"
#include "tests/support/run_suite.h"

enum {
	FIRST_GRANULE = 64, /* a page of segment header before the store's first page */
	PAGES = 1024,
	GRANULES = PAGES * PAGE_GRANULES,
	RECORDS = 4096,
};

struct record {
	uint64_t length;
	shared32 granule;
	enum arena_use use;
};

static struct record *records; /* shared: the truth */
static struct arena arena;
static uint64_t seed = RANDOM_SEED;

static void each_extent(void *context, arena_visit_f *visit, void *visitor)
{
	struct record *table = context;
	for (int i = 0; i < RECORDS; i++)
		if (sh_load(&table[i].granule))
			visit(visitor, sh_load(&table[i].granule), table[i].length, table[i].use);
}

static void setup(void)
{
	records = shared_memory(RECORDS * sizeof *records);
	void *memory = shared_memory(arena_bytes(PAGES));
	int fd = memfd_create("store", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	arena_create(memory, PAGES);
	arena_attach(&arena, memory, FIRST_GRANULE, PAGES, fd,
	    (struct arena_truth){ .each_extent = each_extent, .context = records });
}

static void teardown(void)
{
	close(arena.fd);
}

static void assert_sound(void)
{
	const char *unsound = arena_check(&arena);
	ck_assert_msg(!unsound, "%s", unsound);
}

static struct arena_usage usage(void)
{
	struct arena_usage now;
	arena_usage(&arena, &now);
	return now;
}

static int take(struct record *record, uint64_t length)
{
	record->length = length;
	record->use = ARENA_RESULT;
	return arena_alloc(&arena, length, record->use, &record->granule);
}

static int give(struct record *record)
{
	return arena_free(&arena, record->length, record->use, &record->granule);
}

static void give_all(void)
{
	for (int i = 0; i < RECORDS; i++)
		ck_assert_int_eq(give(&records[i]), 0);
	assert_sound();
	ck_assert_uint_eq(usage().used_bytes, 0);
}

/* No two extents share a granule, all lie inside, and each is aligned. */
static void assert_disjoint(void)
{
	static unsigned char taken[GRANULES];
	memset(taken, 0, sizeof taken);
	uint64_t bytes = 0;
	for (int i = 0; i < RECORDS; i++) {
		uint32_t granule = sh_load(&records[i].granule);
		if (granule == 0)
			continue;
		uint64_t granules = arena_footprint(records[i].length) / STORE_GRANULE_BYTES;
		ck_assert_uint_ge(granules * STORE_GRANULE_BYTES, records[i].length);
		ck_assert_uint_ge(granule, FIRST_GRANULE);
		ck_assert_uint_le(granule - FIRST_GRANULE + granules, GRANULES);
		if (records[i].length >= STORE_PAGE_BYTES)
			ck_assert_uint_eq(granule % PAGE_GRANULES, 0);
		for (uint32_t g = 0; g < granules; g++)
			ck_assert_uint_eq(taken[granule - FIRST_GRANULE + g]++, 0);
		bytes += granules * STORE_GRANULE_BYTES;
	}
	ck_assert_uint_eq(bytes, usage().used_bytes);
}

static uint64_t random_length(void)
{
	switch (random_next(&seed) % 4) {
	case 0: return 1 + random_next(&seed) % 64;
	case 1: return 1 + random_next(&seed) % SMALL_MAX_BYTES;
	case 2: return 1 + random_next(&seed) % (4 * STORE_PAGE_BYTES);
	default: return 1 + random_next(&seed) % (100 * STORE_PAGE_BYTES);
	}
}

static void churn(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		struct record *record = &records[random_next(&seed) % RECORDS];
		if (sh_load(&record->granule)) {
			ck_assert_int_eq(give(record), 0);
			continue;
		}
		int r = take(record, random_length());
		ck_assert(r == 0 || r == -ENOSPC);
		ck_assert((r == 0) == (sh_load(&record->granule) != 0));
	}
}

START_TEST(extents_never_overlap_whatever_the_history)
{
	for (int i = 0; i < 40; i++) {
		churn(2000);
		assert_sound();
		assert_disjoint();
	}
	give_all();
}
END_TEST

START_TEST(footprint_is_a_function_of_length_alone)
{
	uint64_t before = 0;
	for (uint64_t length = 1; length <= 3 * STORE_PAGE_BYTES; length++) {
		uint64_t footprint = arena_footprint(length);
		ck_assert_uint_ge(footprint, length);
		ck_assert_uint_ge(footprint, before);
		ck_assert_uint_eq(footprint % STORE_GRANULE_BYTES, 0);
		if (length <= SMALL_MAX_BYTES)
			ck_assert_uint_lt(footprint - length, 64 + length / 4);
		before = footprint;
	}
}
END_TEST

START_TEST(every_length_around_each_class_gets_its_bytes)
{
	int i = 0;
	for (uint32_t size_class = 0; size_class < SIZE_CLASSES; size_class++)
		for (int offset = -1; offset <= 1; offset++) {
			uint64_t size = class_granules(size_class) * STORE_GRANULE_BYTES;
			ck_assert_int_eq(take(&records[i++], size + (uint64_t)offset), 0);
		}
	for (uint64_t pages = 1; pages < 20; pages++)
		for (int offset = -1; offset <= 1; offset++)
			ck_assert_int_eq(
			    take(&records[i++], pages * STORE_PAGE_BYTES + (uint64_t)offset), 0);
	assert_sound();
	assert_disjoint();
	give_all();
}
END_TEST

START_TEST(one_byte_and_the_whole_store_both_fit)
{
	ck_assert_int_eq(take(&records[0], 1), 0);
	ck_assert_uint_eq(usage().used_bytes, STORE_GRANULE_BYTES);
	ck_assert_int_eq(give(&records[0]), 0);
	/* The spare slab of the one-byte class is not in the way. */
	ck_assert_int_eq(take(&records[1], (uint64_t)PAGES * STORE_PAGE_BYTES), 0);
	ck_assert_uint_eq(sh_load(&records[1].granule), FIRST_GRANULE);
	assert_sound();
	ck_assert_int_eq(take(&records[0], 1), -ENOSPC);
	give_all();
}
END_TEST

START_TEST(a_request_that_never_fits_says_so)
{
	struct record *record = &records[0];
	ck_assert_int_eq(take(record, (uint64_t)PAGES * STORE_PAGE_BYTES + 1), -E2BIG);
	ck_assert_int_eq(take(record, UINT64_MAX), -E2BIG);
	ck_assert(strstr(why_text(), "--store"));
	ck_assert_uint_eq(sh_load(&record->granule), 0);
}
END_TEST

START_TEST(every_byte_can_be_given_out_and_comes_back)
{
	static const uint64_t lengths[] = { 64, 256, 512, 2048, 4096, 16384 };
	uint64_t length = lengths[_i];
	uint64_t capacity = (uint64_t)PAGES * STORE_PAGE_BYTES / length;
	for (int cycle = 0; cycle < 3; cycle++) {
		uint64_t n = 0;
		while (n < capacity && n < RECORDS && take(&records[n], length) == 0)
			n++;
		ck_assert_uint_eq(n, capacity < RECORDS ? capacity : RECORDS);
		assert_sound();
		give_all();
	}
	ck_assert_int_eq(take(&records[0], (uint64_t)PAGES * STORE_PAGE_BYTES), 0);
}
END_TEST

START_TEST(a_full_store_names_the_size_what_is_free_and_the_remedy)
{
	ck_assert_int_eq(take(&records[0], (PAGES - 2) * STORE_PAGE_BYTES), 0);
	ck_assert_int_eq(take(&records[1], 12345), -ENOSPC);
	ck_assert_uint_eq(sh_load(&records[1].granule), 0);
	ck_assert(strstr(why_text(), "12345"));
	ck_assert(strstr(why_text(), "8192"));
	ck_assert(strstr(why_text(), "plm --store SIZE"));
	ck_assert(strstr(why_text(), "drop references"));
	assert_sound();
}
END_TEST

static int take_for(struct record *record, uint64_t length, enum arena_use use)
{
	record->length = length;
	record->use = use;
	return arena_alloc(&arena, length, use, &record->granule);
}

START_TEST(arguments_fill_half_and_objects_of_clients_leave_a_quarter)
{
	const uint64_t quarter = (uint64_t)PAGES / 4 * STORE_PAGE_BYTES;
	ck_assert_int_eq(take_for(&records[0], 2 * quarter + 1, ARENA_ARGUMENTS), -E2BIG);
	ck_assert_int_eq(take_for(&records[0], 3 * quarter + 1, ARENA_OBJECT), -E2BIG);
	ck_assert_int_eq(take_for(&records[0], quarter, ARENA_ARGUMENTS), 0);
	ck_assert_int_eq(take_for(&records[1], quarter + 1, ARENA_ARGUMENTS), -EDQUOT);
	ck_assert_int_eq(take_for(&records[1], quarter, ARENA_ARGUMENTS), 0);
	ck_assert_int_eq(take_for(&records[2], 1, ARENA_ARGUMENTS), -EDQUOT);
	ck_assert_uint_eq(usage().arguments_bytes, 2 * quarter);
	ck_assert_int_eq(take_for(&records[2], quarter + 1, ARENA_OBJECT), -ENOSPC);
	ck_assert_int_eq(take_for(&records[2], quarter, ARENA_OBJECT), 0);
	ck_assert_int_eq(take_for(&records[3], 1, ARENA_OBJECT), -ENOSPC);
	ck_assert(strstr(why_text(), "results of running tasks"));
	ck_assert_int_eq(take_for(&records[3], quarter, ARENA_RESULT), 0);
	assert_sound();
	ck_assert_int_eq(give(&records[0]), 0);
	ck_assert_uint_eq(usage().arguments_bytes, quarter);
	ck_assert_int_eq(arena_rebuild(&arena), 0);
	ck_assert_uint_eq(usage().arguments_bytes, quarter);
	assert_sound();
}
END_TEST

START_TEST(only_reserved_memory_is_promised)
{
	ck_assert_uint_eq(usage().reserved_bytes, 0);
	ck_assert_int_eq(take(&records[0], 100), 0);
	struct stat file;
	ck_assert_int_eq(fstat(arena.fd, &file), 0);
	ck_assert_uint_ge(
	    (uint64_t)file.st_size, FIRST_GRANULE * STORE_GRANULE_BYTES + usage().reserved_bytes);
	ck_assert_uint_ge((uint64_t)file.st_blocks * 512, usage().reserved_bytes);
}
END_TEST

START_TEST(without_memory_the_error_is_an_error_not_a_signal)
{
	close(arena.fd);
	arena.fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(arena.fd, 8 * STORE_PAGE_BYTES), 0);
	ck_assert_int_eq(fcntl(arena.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_lt(take(&records[0], 100), 0);
	ck_assert_uint_eq(sh_load(&records[0].granule), 0);
	assert_sound();
}
END_TEST

START_TEST(what_was_freed_last_is_used_first)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(take(&records[i], _i ? 100 : 3 * STORE_PAGE_BYTES), 0);
	uint32_t warm = sh_load(&records[4].granule);
	ck_assert_int_eq(give(&records[4]), 0);
	ck_assert_int_eq(take(&records[11], _i ? 90 : 3 * STORE_PAGE_BYTES), 0);
	ck_assert_uint_eq(sh_load(&records[11].granule), warm);
}
END_TEST

START_TEST(freeing_what_is_free_is_no_error_and_nonsense_is)
{
	ck_assert_int_eq(give(&records[0]), 0);
	ck_assert_int_eq(take(&records[1], 5000), 0);
	static const uint32_t wild[] = { 1, FIRST_GRANULE + 1, FIRST_GRANULE + 64, UINT32_MAX };
	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
		sh_store(&records[0].granule, wild[i]);
		records[0].length = i % 2 ? 100 : 5000;
		ck_assert_int_eq(give(&records[0]), -EINVAL);
		ck_assert_uint_eq(sh_load(&records[0].granule), 0);
	}
	assert_sound();
	ck_assert_int_eq(give(&records[1]), 0);
}
END_TEST

START_TEST(a_rebuilt_map_equals_the_one_before)
{
	churn(20000);
	struct arena_usage before = usage();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(arena_rebuild(&arena), 0);
		assert_sound();
	}
	ck_assert_uint_eq(usage().used_bytes, before.used_bytes);
	ck_assert_uint_eq(usage().reserved_bytes, before.reserved_bytes);
	churn(20000);
	assert_sound();
	assert_disjoint();
	give_all();
}
END_TEST

START_TEST(a_rebuild_passes_over_records_of_nonsense)
{
	ck_assert_int_eq(take(&records[0], 100), 0);
	ck_assert_int_eq(take(&records[1], 10000), 0);
	uint32_t small = sh_load(&records[0].granule);
	uint32_t large = sh_load(&records[1].granule);
	const struct record nonsense[] = {
		{ 100, 1, ARENA_RESULT },
		{ 100, UINT32_MAX, ARENA_RESULT },
		{ 100, small + 1, ARENA_RESULT },
		{ 100, small, ARENA_RESULT },
		{ 2000, small, ARENA_RESULT },
		{ 0, small + 2, ARENA_RESULT },
		{ 10000, large + 64, ARENA_RESULT },
		{ 10000, large + 1, ARENA_RESULT },
		{ UINT64_MAX, large, ARENA_RESULT },
		{ 5000, small + 64, ARENA_RESULT },
		{ 64, large, ARENA_RESULT },
		{ (uint64_t)1 << 40, FIRST_GRANULE, ARENA_RESULT },
		{ 8192, FIRST_GRANULE + GRANULES - 64, ARENA_RESULT },
	};
	memcpy(&records[2], nonsense, sizeof nonsense);
	ck_assert_int_eq(arena_rebuild(&arena), 0);
	ck_assert_ptr_null(map_check(&arena));
	ck_assert_ptr_nonnull(arena_check(&arena)); /* the check reports the damage */
	memset(&records[2], 0, sizeof nonsense);
	assert_sound();
}
END_TEST

static uint32_t a_free_run(void)
{
	for (uint32_t bin = 0; bin < BINS; bin++)
		if (arena.shm->bin[bin] != NO_PAGE)
			return arena.shm->bin[bin];
	ck_abort_msg("no free run");
}

static struct page *page_of(int record)
{
	return &arena.shm->page[(records[record].granule - FIRST_GRANULE) / PAGE_GRANULES];
}

static void corrupt_reserved(void)
{
	arena.shm->reserved = PAGES + 1;
}
static void corrupt_run(void)
{
	page_of(1)->run = 0;
}
static void corrupt_tag(void)
{
	page_of(1)[2].run = 7;
}
static void corrupt_kind(void)
{
	page_of(1)[1].kind = PAGE_FREE;
}
static void corrupt_no_run(void)
{
	page_of(1)->kind = PAGE_INSIDE;
}
static void corrupt_class(void)
{
	page_of(0)->size_class = SIZE_CLASSES;
}
static void corrupt_cells(void)
{
	page_of(0)->cells ^= 1 << 9;
}
static void corrupt_beyond(void)
{
	page_of(2)[3].cells = 0;
}
static void corrupt_next(void)
{
	arena.shm->page[a_free_run()].next = PAGES;
}
static void corrupt_circle(void)
{
	arena.shm->page[a_free_run()].next = a_free_run();
}
static void corrupt_previous(void)
{
	arena.shm->page[a_free_run()].previous = 3;
}
static void corrupt_filled(void)
{
	arena.shm->filled[0] ^= 1;
}
static void corrupt_used(void)
{
	arena.shm->used_bytes += 64;
}
static void corrupt_spare(void)
{
	arena.shm->spare[0] = 5;
}
static void corrupt_room(void)
{
	arena.shm->room[0] = NO_PAGE;
}
static void corrupt_record(void)
{
	records[0].granule = records[3].granule;
}
static void corrupt_length(void)
{
	records[1].length += 4096;
}

static const struct {
	void (*corrupt)(void);
	const char *reason;
} corruptions[] = {
	{ corrupt_reserved, "more pages reserved" },
	{ corrupt_run, "impossible length" },
	{ corrupt_tag, "two ends" },
	{ corrupt_kind, "inside another" },
	{ corrupt_no_run, "belongs to no run" },
	{ corrupt_class, "class" },
	{ corrupt_cells, "count of used" },
	{ corrupt_beyond, "beyond its end" },
	{ corrupt_next, "list of free runs is broken" },
	{ corrupt_circle, "is broken" },
	{ corrupt_previous, "is broken" },
	{ corrupt_filled, "the mark of a bin is wrong" },
	{ corrupt_used, "count of used" },
	{ corrupt_spare, "spare" },
	{ corrupt_room, "slabs with room" },
	{ corrupt_record, "disagree" },
	{ corrupt_length, "disagree" },
};

START_TEST(check_names_each_seeded_corruption)
{
	ck_assert_int_eq(take(&records[0], 10), 0);
	ck_assert_int_eq(take(&records[1], 10000), 0);
	ck_assert_int_eq(take(&records[2], 1000), 0);
	ck_assert_int_eq(take(&records[3], 10), 0);
	assert_sound();
	corruptions[_i].corrupt();
	const char *reason = arena_check(&arena);
	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, corruptions[_i].reason), "found instead: %s", reason);
	if (strstr(reason, "disagree"))
		return; /* records are the truth, and cannot be repaired */
	arena.shm->reserved = PAGES;
	ck_assert_int_eq(arena_rebuild(&arena), 0);
	assert_sound();
}
END_TEST

/* Random words of few values: more dangerous than random bits, which bounds refuse at once. */
static void damage(uint32_t times)
{
	size_t first = offsetof(struct arena_shm, used_bytes) / sizeof(uint32_t);
	size_t words = arena_bytes(PAGES) / sizeof(uint32_t) - first;
	uint32_t *word = (uint32_t *)(void *)arena.shm + first;
	for (uint32_t i = 0; i < times; i++) {
		uint32_t value = (uint32_t)random_next(&seed);
		word[random_next(&seed) % words] = value & 1 ? value : value % (PAGES + 8);
	}
}

START_TEST(random_bytes_neither_crash_nor_hang_check_or_calls)
{
	for (int round = 0; round < 200; round++) {
		damage(_i ? 20000 : 50);
		(void)arena_check(&arena);
		for (int i = 0; i < 200; i++) {
			struct record *record = &records[random_next(&seed) % RECORDS];
			if (sh_load(&record->granule))
				(void)give(record);
			else
				(void)take(record, random_length());
		}
		for (int i = 0; i < RECORDS; i += 7)
			sh_store(&records[i].granule, (uint32_t)random_next(&seed) % GRANULES);
		(void)arena_check(&arena);
	}
	memset(records, 0, RECORDS * sizeof *records);
	arena.shm->reserved = PAGES;
	ck_assert_int_eq(arena_rebuild(&arena), 0); /* a rebuild repairs all damage */
	assert_sound();
}
END_TEST

static void die_half_way(void *unused)
{
	(void)unused;
	if (lock_acquire(&arena.lock) != 0)
		return;
	damage(500);
	arena.shm->reserved = PAGES;
	kill_self();
}

START_TEST(the_next_locker_recovers_what_a_killed_holder_left)
{
	churn(5000);
	uint64_t used = usage().used_bytes;
	run_until_killed(die_half_way, NULL);
	ck_assert_ptr_nonnull(arena_check(&arena));
	struct record *record = &records[0];
	ck_assert_int_eq(give(record), 0);
	ck_assert_int_eq(take(record, 1), 0);
	ck_assert_int_eq(give(record), 0);
	assert_sound();
	assert_disjoint();
	ck_assert_uint_le(usage().used_bytes, used);
}
END_TEST

static void die_growing(void *unused)
{
	(void)unused;
	if (lock_acquire(&arena.grow_lock) == 0)
		kill_self();
}

START_TEST(a_death_while_growing_does_not_stop_growth)
{
	run_until_killed(die_growing, NULL);
	ck_assert_int_eq(take(&records[0], 100000), 0);
	assert_sound();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *rules = tcase_create("rules");
	tcase_set_timeout(rules, 30);
	tcase_add_checked_fixture(rules, setup, teardown);
	tcase_add_test(rules, extents_never_overlap_whatever_the_history);
	tcase_add_test(rules, footprint_is_a_function_of_length_alone);
	tcase_add_test(rules, every_length_around_each_class_gets_its_bytes);
	tcase_add_test(rules, one_byte_and_the_whole_store_both_fit);
	tcase_add_test(rules, a_request_that_never_fits_says_so);
	tcase_add_loop_test(rules, every_byte_can_be_given_out_and_comes_back, 0, 6);
	tcase_add_test(rules, a_full_store_names_the_size_what_is_free_and_the_remedy);
	tcase_add_test(rules, arguments_fill_half_and_objects_of_clients_leave_a_quarter);
	tcase_add_test(rules, only_reserved_memory_is_promised);
	tcase_add_test(rules, without_memory_the_error_is_an_error_not_a_signal);
	tcase_add_loop_test(rules, what_was_freed_last_is_used_first, 0, 2);
	tcase_add_test(rules, freeing_what_is_free_is_no_error_and_nonsense_is);
	tcase_add_test(rules, a_rebuilt_map_equals_the_one_before);
	tcase_add_test(rules, a_rebuild_passes_over_records_of_nonsense);
	tcase_add_loop_test(rules, check_names_each_seeded_corruption, 0,
	    sizeof corruptions / sizeof corruptions[0]);
	tcase_add_loop_test(rules, random_bytes_neither_crash_nor_hang_check_or_calls, 0, 2);
	tcase_add_test(rules, the_next_locker_recovers_what_a_killed_holder_left);
	tcase_add_test(rules, a_death_while_growing_does_not_stop_growth);
	suite_add_tcase(suite, rules);
	return run_suite(suite);
}
