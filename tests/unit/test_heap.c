/* test_heap.c - the heap against a table of keys; the heap must be an index of the table. */
#include <string.h>

#include "heap/heap.h"
#include "tests/support/run_suite.h"

enum { IDS = 300, ROUNDS = 20000 };

struct truth { /* shared, as a table of records would be */
	bool in[IDS];
	uint64_t key[IDS];
};

static struct truth *truth;
static struct heap heap;
static uint64_t seed = RANDOM_SEED;

static void refill(void *context, struct heap *into)
{
	const struct truth *from = context;
	for (uint32_t id = 0; id < IDS; id++)
		if (from->in[id])
			heap_push(into, id, id + 1, from->key[id]);
}

static void setup(void)
{
	truth = shared_memory(sizeof *truth);
	void *memory = shared_memory(heap_bytes(IDS));
	heap_create(memory, IDS);
	heap_attach(&heap, memory, IDS, RANK_TASK_HEAP, refill, truth);
	ck_assert_int_eq(heap_lock(&heap), 0);
}

static void assert_sound(void)
{
	const char *unsound = heap_check(heap.shm, IDS);
	ck_assert_msg(!unsound, "%s", unsound);
}

static void push(uint32_t id, uint64_t key)
{
	truth->in[id] = true;
	truth->key[id] = key;
	heap_push(&heap, id, id + 1, key);
}

static uint64_t largest_key(void)
{
	uint64_t largest = 0;
	for (uint32_t id = 0; id < IDS; id++)
		if (truth->in[id] && truth->key[id] > largest)
			largest = truth->key[id];
	return largest;
}

static uint32_t members(void)
{
	uint32_t n = 0;
	for (uint32_t id = 0; id < IDS; id++)
		n += truth->in[id];
	return n;
}

static void pop_and_compare(void)
{
	struct heap_entry peeked, popped;
	bool any = members() > 0;
	ck_assert(heap_peek(&heap, &peeked) == any);
	ck_assert(heap_pop(&heap, &popped) == any);
	if (!any)
		return;
	ck_assert_mem_eq(&peeked, &popped, sizeof popped);
	ck_assert(truth->in[popped.id]);
	ck_assert_uint_eq(popped.tag, popped.id + 1);
	ck_assert_uint_eq(popped.key, truth->key[popped.id]);
	ck_assert_uint_eq(popped.key, largest_key());
	truth->in[popped.id] = false;
}

static void update(uint32_t id, uint64_t key)
{
	if (!truth->in[id]) { /* pushed with tag 0, which pop_and_compare would not know */
		push(id, key);
		return;
	}
	truth->key[id] = key;
	heap_update(&heap, id, key);
}

static void fill_randomly(void)
{
	for (uint32_t id = 0; id < IDS; id++)
		push(id, random_next(&seed) % 100);
}

START_TEST(pop_gives_the_largest_key_whatever_the_history)
{
	uint64_t range = _i ? 10 : UINT64_MAX; /* also with many equal keys */
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t id = (uint32_t)(random_next(&seed) % IDS);
		uint64_t key = random_next(&seed) % range;
		ck_assert(heap_contains(&heap, id) == truth->in[id]);
		switch (random_next(&seed) % 4) {
		case 0: pop_and_compare(); break;
		case 1:
			ck_assert(heap_remove(&heap, id) == truth->in[id]);
			truth->in[id] = false;
			break;
		default: update(id, key);
		}
		ck_assert_uint_eq(heap_length(&heap), members());
		if (round % 16 == 0)
			assert_sound();
	}
}
END_TEST

START_TEST(zeroed_memory_is_an_empty_heap)
{
	struct heap_entry entry = { .id = 7 };
	assert_sound();
	ck_assert(!heap_pop(&heap, &entry));
	ck_assert(!heap_peek(&heap, &entry));
	ck_assert_uint_eq(entry.id, 7); /* outputs are untouched on failure */
	for (uint32_t id = 0; id < IDS; id++)
		ck_assert(!heap_contains(&heap, id) && !heap_remove(&heap, id));
}
END_TEST

START_TEST(filling_and_emptying_again_and_again_leaves_nothing)
{
	for (int cycle = 0; cycle < 5; cycle++) {
		fill_randomly();
		ck_assert_uint_eq(heap_length(&heap), IDS);
		assert_sound();
		while (members() > 0)
			pop_and_compare();
		pop_and_compare();
		ck_assert_uint_eq(heap_length(&heap), 0);
	}
}
END_TEST

static uint32_t free_id(void)
{
	uint32_t id = (uint32_t)(random_next(&seed) % IDS);
	while (truth->in[id])
		id = (id + 1) % IDS;
	return id;
}

/* The queue goes round its ring many times. A task out of order, a removal from the middle or a
 * new key, at any place of the ring, turns the ring into a heap. */
START_TEST(what_comes_in_order_is_a_queue_until_something_does_not)
{
	uint64_t key = UINT64_MAX / 2;
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t most = 1 + round / 97 % IDS, some = (uint32_t)(random_next(&seed) % IDS);
		if (members() < most)
			push(free_id(), key -= random_next(&seed) % 2);
		else
			pop_and_compare();
		if (round % 1000 == 700) {
			ck_assert(heap_remove(&heap, some) == truth->in[some]);
			truth->in[some] = false;
		} else if (round % 1000 == 800 && members() < IDS) {
			push(free_id(), UINT64_MAX - (uint64_t)round);
		} else if (round % 1000 == 900 && truth->in[some]) {
			update(some, key + random_next(&seed) % 100);
		} else if (round % 1000 == 999) {
			while (members() > 0)
				pop_and_compare();
		}
		if (round % 16 == 0)
			assert_sound();
	}
}
END_TEST

START_TEST(a_queue_moves_nothing_when_its_first_leaves)
{
	struct heap_entry entry;
	for (uint32_t id = 0; id < IDS; id++)
		push(id, 1000 - id);
	for (uint32_t id = 0; id < IDS; id++) {
		ck_assert_uint_eq(heap_entry_at(&heap, 0).id, id);
		ck_assert_uint_eq(heap.shm->entry[IDS - 1].id, IDS - 1);
		ck_assert(heap_pop(&heap, &entry));
		ck_assert_uint_eq(entry.id, id);
	}
}
END_TEST

START_TEST(update_pushes_what_was_not_in)
{
	struct heap_entry entry;
	heap_update(&heap, 3, 42);
	ck_assert(heap_pop(&heap, &entry));
	ck_assert(entry.id == 3 && entry.key == 42);
}
END_TEST

START_TEST(rebuild_holds_what_the_truth_holds)
{
	fill_randomly();
	for (uint32_t id = 0; id < IDS; id += 3) {
		truth->in[id] = false; /* the heap still has the entry */
		truth->key[id + 1] = 1000 + id;
	}
	heap_rebuild(&heap);
	assert_sound();
	ck_assert_uint_eq(heap_length(&heap), members());
	while (members() > 0)
		pop_and_compare();
}
END_TEST

START_TEST(siblings_share_a_cache_line)
{
	ck_assert_uint_eq((uintptr_t)&heap.shm->entry[1] % CACHE_LINE_BYTES, 0);
	ck_assert_uint_eq((uintptr_t)&heap.shm->entry[5] % CACHE_LINE_BYTES, 0);
	ck_assert_uint_eq((uintptr_t)heap.position % sizeof(uint32_t), 0);
	ck_assert_ptr_eq((char *)(heap.position + IDS), (char *)heap.shm + heap_bytes(IDS));
}
END_TEST

static void corrupt_first(void)
{
	heap.shm->first = IDS;
}
static void corrupt_length(void)
{
	heap.shm->length = IDS + 1;
}
static void corrupt_capacity(void)
{
	heap.shm->capacity = IDS - 1;
}
static void corrupt_id(void)
{
	heap.shm->entry[9].id = IDS;
}
static void corrupt_position(void)
{
	heap.position[heap.shm->entry[9].id] = 8;
}
static void corrupt_order(void)
{
	heap.shm->entry[IDS - 1].key = UINT64_MAX;
}
static void corrupt_twice(void)
{
	heap.shm->entry[IDS - 1] = heap.shm->entry[IDS - 2];
}

static const struct {
	void (*corrupt)(void);
	const char *reason;
} corruptions[] = {
	{ corrupt_first, "begins" },
	{ corrupt_length, "longer" },
	{ corrupt_capacity, "capacity" },
	{ corrupt_id, "out of range" },
	{ corrupt_position, "position" },
	{ corrupt_order, "parent" },
	{ corrupt_twice, "position" },
};

START_TEST(check_names_each_seeded_corruption)
{
	fill_randomly();
	assert_sound();
	corruptions[_i].corrupt();
	const char *reason = heap_check(heap.shm, IDS);
	ck_assert_ptr_nonnull(reason);
	ck_assert_msg(strstr(reason, corruptions[_i].reason), "found instead: %s", reason);
}
END_TEST

static void randomize(unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)random_next(&seed);
}

START_TEST(random_bytes_neither_crash_nor_hang_check_or_calls)
{
	size_t after_lock = sizeof(struct lock_shm);
	struct heap_entry entry;
	for (int round = 0; round < 300; round++) {
		randomize((unsigned char *)heap.shm + after_lock, heap_bytes(IDS) - after_lock);
		heap.shm->capacity = IDS;
		heap.shm->length = (uint32_t)random_next(&seed) % (2 * IDS);
		(void)heap_check(heap.shm, IDS);
		for (uint32_t id = 0; id < IDS; id++) {
			heap_remove(&heap, id);
			heap_update(&heap, id / 2, random_next(&seed));
			if (heap_pop(&heap, &entry))
				ck_assert_uint_lt(entry.id, IDS);
		}
	}
	heap_rebuild(&heap); /* a rebuild repairs all damage */
	assert_sound();
}
END_TEST

static void die_half_way(void *unused)
{
	(void)unused;
	if (heap_lock(&heap) != 0)
		return;
	heap.shm->length = IDS / 2; /* and the rest of the operation never happens */
	heap.shm->entry[0].id = IDS + 5;
	memset(heap.position, 0xff, IDS * sizeof(uint32_t));
	kill_self();
}

START_TEST(the_next_locker_recovers_what_a_killed_holder_left)
{
	fill_randomly();
	heap_unlock(&heap);
	run_until_killed(die_half_way, NULL);
	ck_assert_ptr_nonnull(heap_check(heap.shm, IDS));
	ck_assert_int_eq(heap_lock(&heap), 0);
	assert_sound();
	while (members() > 0)
		pop_and_compare();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *rules = tcase_create("rules");
	tcase_add_checked_fixture(rules, setup, NULL);
	tcase_add_loop_test(rules, pop_gives_the_largest_key_whatever_the_history, 0, 2);
	tcase_add_test(rules, zeroed_memory_is_an_empty_heap);
	tcase_add_test(rules, filling_and_emptying_again_and_again_leaves_nothing);
	tcase_add_test(rules, what_comes_in_order_is_a_queue_until_something_does_not);
	tcase_add_test(rules, a_queue_moves_nothing_when_its_first_leaves);
	tcase_add_test(rules, update_pushes_what_was_not_in);
	tcase_add_test(rules, rebuild_holds_what_the_truth_holds);
	tcase_add_test(rules, siblings_share_a_cache_line);
	tcase_add_loop_test(rules, check_names_each_seeded_corruption, 0,
	    sizeof corruptions / sizeof corruptions[0]);
	tcase_add_test(rules, random_bytes_neither_crash_nor_hang_check_or_calls);
	tcase_add_test(rules, the_next_locker_recovers_what_a_killed_holder_left);
	suite_add_tcase(suite, rules);
	return run_suite(suite);
}
