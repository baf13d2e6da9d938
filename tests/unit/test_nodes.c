/* test_nodes.c - one arena for each NUMA node: the number of arenas, the first choice, and the
 * sum of all arenas as the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/why.h"
#include "store/nodes.h"
#include "tables/tables.h"
#include "tests/support/run_suite.h"
#include "tests/support/tables_case.h"

enum { NODES = 2, ARENA_BYTES = 4 << 20, PIECE_BYTES = 1 << 20, PIECES = 2 * 4 };

static const struct limits limits = { .processes = 64,
	.workers = 1,
	.records = 64,
	.nodes = NODES,
	.store_bytes = (uint64_t)NODES * ARENA_BYTES };

static void create(void)
{
	tables_case_create(&limits);
}

static uint32_t counted(const char *machine)
{
	ck_assert_int_eq(setenv("HWLOC_SYNTHETIC", machine, 1), 0);
	return nodes_count();
}

START_TEST(each_node_of_the_machine_is_counted_up_to_the_limit)
{
	ck_assert_uint_eq(counted("numa:1 core:4 pu:2"), 1);
	ck_assert_uint_eq(counted("numa:2 core:2 pu:2"), 2);
	ck_assert_uint_eq(counted("package:4 numa:2 core:2 pu:1"), 8);
	ck_assert_uint_eq(counted("numa:16 core:1 pu:1"), ARENAS_MAX);
	ck_assert_uint_eq(counted("this is no machine"), 1);
}
END_TEST

static uint32_t arena_of(uint32_t granule)
{
	return granule >= tables.arena[1].first_granule;
}

/* A record that names the extent, the truth for an arena. */
static struct record *claim(void)
{
	uint32_t slot, n;
	ck_assert_int_eq(pool_take(&tables.pool, &slot, 1, &n), 0);
	struct record *r = record_at(&tables, slot);
	r->value_bytes = PIECE_BYTES;
	return r;
}

START_TEST(memory_comes_from_the_node_that_is_asked_for_while_it_has_any)
{
	for (uint32_t node = 0; node < NODES; node++) {
		struct record *r = claim();
		ck_assert_int_eq(
		    store_alloc(&tables, node, PIECE_BYTES, ARENA_RESULT, &r->value), 0);
		ck_assert_uint_eq(arena_of(sh_load(&r->value)), node);
	}
}
END_TEST

START_TEST(a_full_node_borrows_from_the_others_until_the_store_is_full)
{
	struct record *r[PIECES];
	for (uint32_t i = 0; i < PIECES; i++) {
		r[i] = claim();
		ck_assert_int_eq(
		    store_alloc(&tables, 1, PIECE_BYTES, ARENA_RESULT, &r[i]->value), 0);
		ck_assert_uint_eq(arena_of(sh_load(&r[i]->value)), i < PIECES / 2);
	}
	struct record *more = claim();
	ck_assert_int_eq(store_alloc(&tables, 1, PIECE_BYTES, ARENA_RESULT, &more->value), -ENOSPC);
	for (uint32_t i = 0; i < PIECES; i++)
		ck_assert_int_eq(store_free(&tables, PIECE_BYTES, ARENA_RESULT, &r[i]->value), 0);
	ck_assert_int_eq(store_alloc(&tables, 0, ARENA_BYTES, ARENA_RESULT, &more->value), 0);
	ck_assert_ptr_null(arena_check(&tables.arena[1]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes");
	TCase *machine = tcase_create("machine");
	tcase_add_test(machine, each_node_of_the_machine_is_counted_up_to_the_limit);
	suite_add_tcase(suite, machine);
	TCase *store = tcase_create("store");
	tcase_add_checked_fixture(store, create, tables_case_detach);
	tcase_add_test(store, memory_comes_from_the_node_that_is_asked_for_while_it_has_any);
	tcase_add_test(store, a_full_node_borrows_from_the_others_until_the_store_is_full);
	suite_add_tcase(suite, store);
	return run_suite(suite);
}
