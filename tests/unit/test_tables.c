/* test_tables.c - arguments, registry, process slots, holds and limits of the control segment; a
 * damaged segment is refused. Records: test_record.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "tables/args.h"
#include "tests/support/run_suite.h"
#include "tests/support/tables_case.h"

enum { TEST_TIMEOUT_S = 60, DAMAGES = 2000 };

static const struct limits limits = {
	.processes = 192, .workers = 2, .records = 64, .nodes = 1, .store_bytes = 1 << 20
};

static void create(void)
{
	tables_case_create(&limits);
}

/* ---- the store ---- */

START_TEST(a_running_task_that_waits_for_room_goes_first_for_a_moment)
{
	shared64 *until_ns = &tables.control->running_waits_ns;
	const uint64_t bytes = RUNNING_WAITS_BYTES;
	shared32 granule = 0;
	sh_store(until_ns, clock_coarse_ns() + RUNNING_WAITS_MS * NS_PER_MS / 2);
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_ARGUMENTS, &granule), -EDQUOT);
	ck_assert(strstr(why_text(), "goes first"));
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_OBJECT, &granule), -EDQUOT);
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_RESULT, &granule), 0);
	ck_assert_int_eq(store_alloc(&tables, 0, bytes - 1, ARENA_ARGUMENTS, &granule), 0);
	sh_store(until_ns, clock_coarse_ns() - 1); /* as a dead worker leaves it */
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_ARGUMENTS, &granule), 0);
	sh_store(until_ns, UINT64_MAX); /* nonsense */
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_ARGUMENTS, &granule), 0);
}
END_TEST

/* ---- arguments ---- */

static char block_text[] = "a text of some length, and not a multiple of eight";

/* Bytes, nothing, a future, bytes: in the store. */
static struct record *write_block(void)
{
	struct record *r = &tables.record[0];
	struct args_writer writer;
	uint64_t bytes = args_header_bytes(4) + args_round(3) + 0 + sizeof(struct arg_future) +
	    args_round(sizeof block_text);
	r->nargs = 4;
	r->args_bytes = (uint32_t)bytes;
	ck_assert_int_eq(store_alloc(&tables, 0, bytes, ARENA_ARGUMENTS, &r->args), 0);
	args_begin(&writer, store_writable(&tables, sh_load(&r->args)), 4);
	args_add_bytes(&writer, "abc", 3);
	args_add_bytes(&writer, NULL, 0);
	args_add_future(&writer, record_ref(11, 22), ARG_VALUE);
	args_add_bytes(&writer, block_text, sizeof block_text);
	ck_assert_uint_eq(writer.at, bytes);
	return r;
}

START_TEST(arguments_come_out_as_they_went_in)
{
	struct record *r = write_block();
	struct args_reader reader;
	struct arg arg;
	ck_assert(args_open(&tables, r, &reader));
	ck_assert(args_next(&reader, &arg) && arg.length == 3 && memcmp(arg.data, "abc", 3) == 0);
	ck_assert(args_next(&reader, &arg) && arg.length == 0 && !arg.future);
	ck_assert(args_next(&reader, &arg) && arg.future && arg.future->ref == record_ref(11, 22));
	ck_assert_ptr_eq(args_future_at(&tables, r, arg.offset), arg.future);
	ck_assert(args_next(&reader, &arg) && arg.length == sizeof block_text);
	ck_assert_int_eq(memcmp(arg.data, block_text, sizeof block_text), 0);
	ck_assert(!args_next(&reader, &arg));
}
END_TEST

START_TEST(a_block_that_reaches_out_of_its_bounds_is_not_read)
{
	struct record *r = write_block();
	struct args_reader reader;
	struct arg arg;
	uint32_t *descriptor = store_writable(&tables, sh_load(&r->args));
	descriptor[0] = ARG_FUTURE - 1;
	ck_assert(args_open(&tables, r, &reader) && !args_next(&reader, &arg));
	r->args_bytes = 8; /* shorter than its descriptors */
	ck_assert(!args_open(&tables, r, &reader));
	r->args_bytes = 1 << 30; /* beyond the store */
	ck_assert(!args_open(&tables, r, &reader));
	sh_store(&r->args, UINT32_MAX);
	ck_assert(!args_open(&tables, r, &reader));
	sh_store(&r->args, 0);
	r->args_bytes = RECORD_INLINE_ARGS + 1;
	ck_assert(!args_open(&tables, r, &reader));
}
END_TEST

START_TEST(no_future_is_found_where_none_can_be)
{
	struct record *r = write_block();
	ck_assert_ptr_null(args_future_at(&tables, r, 0)); /* among the descriptors */
	ck_assert_ptr_null(args_future_at(&tables, r, 17));
	ck_assert_ptr_null(args_future_at(&tables, r, r->args_bytes - 8));
	ck_assert_ptr_null(args_future_at(&tables, r, UINT32_MAX - 7));
}
END_TEST

START_TEST(any_bytes_at_all_end_the_reading_within_the_block)
{
	struct record *r = write_block();
	uint64_t random = RANDOM_SEED;
	unsigned char *block = store_writable(&tables, sh_load(&r->args));
	for (int i = 0; i < DAMAGES; i++) {
		struct args_reader reader;
		struct arg arg;
		for (uint32_t at = 0; at < r->args_bytes; at++)
			block[at] = (unsigned char)random_next(&random);
		r->nargs = (uint16_t)random_next(&random);
		if (!args_open(&tables, r, &reader))
			continue;
		while (args_next(&reader, &arg)) {
			const unsigned char *data = arg.data;
			ck_assert(data >= block && data + arg.length <= block + r->args_bytes);
		}
	}
}
END_TEST

/* ---- registry ---- */

static const char *const names[] = { "dot", "cross", "norm" };

START_TEST(functions_have_numbers_for_ever_and_number_0_is_none)
{
	struct function_entry entry;
	char path[MODULE_PATH_BYTES];
	uint32_t first, count;
	ck_assert_int_eq(registry_add(&tables.registry, "/v.so", "vector", names, 3), 0);
	ck_assert_int_eq(registry_add(&tables.registry, "/w.so", "vec", names, 2), 0);
	ck_assert_uint_eq(registry_find(&tables.registry, "vector.norm"), 3);
	ck_assert_uint_eq(registry_find(&tables.registry, "vec.dot"), 4);
	ck_assert_uint_eq(registry_find(&tables.registry, "vec.norm"), 0);
	ck_assert_uint_eq(registry_find(&tables.registry, "vector"), 0);
	ck_assert(registry_function(&tables.registry, 5, &entry));
	ck_assert_str_eq(entry.name, "vec.cross");
	ck_assert(entry.module == 1 && entry.slot == 1);
	ck_assert(!registry_function(&tables.registry, 0, &entry));
	ck_assert(!registry_function(&tables.registry, 6, &entry));
	ck_assert(registry_module(&tables.registry, 1, path, &first, &count));
	ck_assert_str_eq(path, "/w.so");
	ck_assert(first == 4 && count == 2);
	ck_assert(!registry_module(&tables.registry, 2, path, &first, &count));
}
END_TEST

START_TEST(a_module_that_cannot_be_is_refused_and_leaves_nothing)
{
	char long_name[FUNCTION_NAME_BYTES + 1];
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	struct registry *r = &tables.registry;
	ck_assert_int_eq(registry_add(r, "/v.so", "v", names, 3), 0);
	ck_assert_int_eq(registry_add(r, "/other.so", "v", names, 1), -EEXIST);
	ck_assert_int_eq(registry_add(r, "/a.so", "", names, 1), -EINVAL);
	ck_assert_int_eq(registry_add(r, "/a.so", "a.b", names, 1), -EINVAL);
	ck_assert_int_eq(registry_add(r, "/a.so", "a", names, 0), -EINVAL);
	ck_assert_int_eq(registry_add(r, "/a.so", "a", (const char *const[]){ "" }, 1), -EINVAL);
	ck_assert_int_eq(registry_add(r, "/a.so", long_name, names, 1), -EINVAL);
	ck_assert_uint_eq(registry_modules(r), 1);
	ck_assert_uint_eq(registry_find(r, "v.norm"), 3);
}
END_TEST

START_TEST(a_full_registry_is_an_error_that_names_the_limits)
{
	char module[16];
	struct registry *r = &tables.registry;
	for (int i = 0; i < MODULES_MAX; i++) {
		snprintf(module, sizeof module, "m%d", i);
		ck_assert_int_eq(registry_add(r, "/m.so", module, names, 3), 0);
	}
	ck_assert_int_eq(registry_add(r, "/m.so", "one_more", names, 3), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(why_text(), "at most 64 modules and 1024 functions"));
}
END_TEST

/* In the lock, names written, the entry not committed. */
static void load_half(void *context)
{
	struct registry *r = context;
	if (lock_acquire(&r->lock) < 0)
		_exit(1);
	snprintf(r->shm->function[3].name, FUNCTION_NAME_BYTES, "half.done");
	sh_store(&r->shm->functions, 4);
	kill_self();
}

START_TEST(what_a_loader_had_half_done_when_it_died_is_forgotten)
{
	struct registry *r = &tables.registry;
	ck_assert_int_eq(registry_add(r, "/v.so", "v", names, 3), 0);
	run_until_killed(load_half, r);
	ck_assert_int_eq(registry_add(r, "/w.so", "w", names, 2), 0);
	ck_assert_uint_eq(registry_find(r, "half.done"), 0);
	ck_assert_uint_eq(registry_find(r, "w.dot"), 4);
	ck_assert_ptr_null(tables_check(&tables));
}
END_TEST

/* ---- process slots ---- */

START_TEST(a_process_slot_takes_the_legal_steps_and_no_other)
{
	/* free, starting, live, leaving, dead */
	static const char *const life[] = { ".s...", "..l.d", "...vd", "....d", "f...." };
	for (enum process_state from = 0; from < PROCESS_STATES; from++)
		for (enum process_state to = 0; to < PROCESS_STATES; to++) {
			struct process p = { 0 };
			bool legal = life[from][to] != '.';
			uint64_t seen = process_word(4, KIND_WORKER, from);
			sh_store(&p.state, seen);
			ck_assert_msg(process_step(&p, &seen, to) == legal, "%s -> %s",
			    process_state_name(from), process_state_name(to));
			ck_assert_uint_eq(
			    sh_load(&p.state), process_word(4, KIND_WORKER, legal ? to : from));
		}
}
END_TEST

START_TEST(each_incarnation_of_a_slot_has_a_generation_of_its_own)
{
	struct process *p = &tables.process[9];
	uint64_t word;
	sh_store(&p->unclean, 1);
	for (uint32_t generation = 1; generation < 4; generation++) {
		sh_store(&p->move, 1); /* the last holder died before the scheduler obeyed */
		ck_assert(process_claim(p, KIND_CLIENT, getpid(), "a command of a very long name"));
		ck_assert(!process_claim(p, KIND_CLIENT, getpid(), "late"));
		word = sh_load(&p->state);
		ck_assert_uint_eq(process_generation(word), generation);
		ck_assert_uint_eq(p->start_time, process_start_time(getpid()));
		ck_assert_uint_eq(sh_load(&p->unclean), 0);
		ck_assert_uint_eq(sh_load(&p->move), 0);
		ck_assert_uint_lt(strlen(p->name), sizeof p->name);
		ck_assert(process_step(p, &word, PROCESS_DEAD));
		word = sh_load(&p->state);
		ck_assert(process_step(p, &word, PROCESS_FREE));
	}
}
END_TEST

START_TEST(holds_of_each_process_stand_apart_across_words)
{
	static const uint32_t process[] = { 0, 1, 63, 64, 127, 128, 191 };
	for (size_t i = 0; i < COUNT_OF(process); i++) {
		ck_assert(!hold_any(&tables, 7));
		ck_assert_int_eq(tables_open_slot(&tables, process[i]), 0);
		hold_set(&tables, 7, process[i]);
		ck_assert_uint_eq(hold_count(&tables, 7), 1);
		ck_assert(hold_any(&tables, 7) && !hold_any(&tables, 6) && !hold_any(&tables, 8));
		for (uint32_t p = 0; p < limits.processes; p++)
			ck_assert_int_eq(hold_test(&tables, 7, p), p == process[i]);
		hold_clear(&tables, 7, process[i]);
	}
}
END_TEST

/* A dead process is buried before the process slot is free: no trace may be left. */
START_TEST(what_is_held_or_reserved_by_a_free_slot_is_unsound)
{
	static const uint32_t slots[] = { 63, 64, 191 };
	uint32_t index, n;
	tables.self = 9;
	ck_assert(process_claim(&tables.process[9], KIND_CLIENT, getpid(), "maker"));
	ck_assert(pool_take(&tables.pool, &index, 1, &n) == 0 && n == 1);
	ck_assert_ptr_null(tables_check(&tables));
	struct record *r = record_at(&tables, index);
	uint64_t word = sh_load(&r->state);
	ck_assert(record_step(r, &word, RECORD_DONE, 9, 0, FLAG_OBJECT));
	hold_set(&tables, index, SLOT_MANAGER); /* kept by the runtime: by nobody's slot */
	ck_assert_ptr_null(tables_check(&tables));
	for (size_t i = 0; i < COUNT_OF(slots); i++) {
		hold_set(&tables, index, slots[i]);
		ck_assert_str_eq(
		    tables_check(&tables), "records: a process that is gone holds a record");
		ck_assert(process_claim(&tables.process[slots[i]], KIND_CLIENT, getpid(), "x"));
		ck_assert_ptr_null(tables_check(&tables));
		hold_clear(&tables, index, slots[i]);
	}
	ck_assert(pool_take(&tables.pool, &index, 1, &n) == 0 && n == 1);
	word = sh_load(&tables.process[9].state);
	ck_assert(process_step(&tables.process[9], &word, PROCESS_DEAD));
	ck_assert_ptr_null(tables_check(&tables)); /* not buried yet */
	word = sh_load(&tables.process[9].state);
	ck_assert(process_step(&tables.process[9], &word, PROCESS_FREE));
	ck_assert_str_eq(tables_check(&tables),
	    "records: a process that is gone owns a reserved or running record");
}
END_TEST

/* ---- limits and names ---- */

struct bad_limits {
	struct limits limits;
	const char *named;
};

START_TEST(limits_out_of_bounds_are_refused_by_their_names)
{
	const struct bad_limits bad[] = {
		{ { 100, 2, 64, 1, 1 << 20 }, "--processes" },
		{ { 0, 2, 64, 1, 1 << 20 }, "--processes" },
		{ { 64, 0, 64, 1, 1 << 20 }, "workers" },
		{ { 64, 62, 64, 1, 1 << 20 }, "workers" },
		{ { 64, 2, 63, 1, 1 << 20 }, "tasks" },
		{ { 64, 2, 64, ARENAS_MAX + 1, 1 << 24 }, "NUMA" },
		{ { 64, 2, 64, 2, 1 << 20 }, "store" },
		{ { 64, 2, 64, 1, UINT64_MAX }, "store" },
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ck_assert_int_eq(tables_check_limits(&bad[i].limits), -EINVAL);
		ck_assert_msg(strstr(why_text(), bad[i].named) != NULL, "\"%s\" does not name %s",
		    why_text(), bad[i].named);
	}
	ck_assert_int_eq(tables_check_limits(&limits), 0);
}
END_TEST

START_TEST(a_name_that_could_be_a_path_is_refused)
{
	static const char *const bad[] = { "", "a/b", "..", "a b", "ä",
		"a_name_of_thirty-two_characters_" };
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ck_assert_int_eq(tables_check_name(bad[i]), -EINVAL);
	ck_assert_int_eq(tables_check_name("a_name_of_thirty-one_characters"), 0);
}
END_TEST

/* ---- attaching ---- */

static int attach(struct tables *t)
{
	return tables_attach(fcntl(tables.control_segment.fd, F_DUPFD_CLOEXEC, 3),
	    fcntl(tables.store_segment.fd, F_DUPFD_CLOEXEC, 3), t);
}

static void expect_refused(const char *reason)
{
	struct tables t;
	ck_assert_int_eq(attach(&t), -EPROTO);
	ck_assert_msg(
	    strstr(why_text(), reason) != NULL, "\"%s\" does not say \"%s\"", why_text(), reason);
}

START_TEST(another_view_sees_the_same_tables)
{
	struct tables t;
	ck_assert_int_eq(attach(&t), 0);
	hold_set(&tables, 3, 100);
	ck_assert(hold_test(&t, 3, 100));
	ck_assert_ptr_null(tables_check(&t));
	tables_detach(&t);
}
END_TEST

START_TEST(headers_that_do_not_fit_are_refused_with_a_reason)
{
	struct control *c = tables.control;
	c->limits.records = 256;
	expect_refused("its size does not fit its limits");
	c->limits.records = 0;
	expect_refused("its limits make no sense");
	c->limits = limits;
	c->limits.store_bytes += STORE_PAGE_BYTES * 64;
	expect_refused("does not fit");
	c->limits = limits;
	tables.store_segment.header->runtime++;
	expect_refused("another boot");
	tables.store_segment.header->runtime--;
	sh_store(&tables.control_segment.header->magic, 0);
	expect_refused("not a plm segment");
}
END_TEST

START_TEST(control_and_store_are_not_taken_for_each_other)
{
	struct tables t;
	ck_assert_int_eq(tables_attach(fcntl(tables.store_segment.fd, F_DUPFD_CLOEXEC, 3),
			     fcntl(tables.control_segment.fd, F_DUPFD_CLOEXEC, 3), &t),
	    -EPROTO);
	ck_assert_ptr_nonnull(strstr(why_text(), "for another purpose"));
}
END_TEST

START_TEST(any_limits_at_all_are_refused_or_fit)
{
	uint64_t random = RANDOM_SEED;
	for (int i = 0; i < DAMAGES; i++) {
		struct tables t;
		unsigned char *bytes = (unsigned char *)&tables.control->limits;
		size_t at = random_next(&random) % sizeof(struct limits);
		bytes[at] = (unsigned char)random_next(&random);
		if (attach(&t) == 0)
			tables_detach(&t);
		else
			ck_assert_ptr_nonnull(strstr(why_text(), "refused"));
		tables.control->limits = limits;
	}
}
END_TEST

/* ---- the suite ---- */

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, create, tables_case_detach);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_arguments(Suite *suite)
{
	TCase *args = add_case(suite, "arguments");
	tcase_add_test(args, arguments_come_out_as_they_went_in);
	tcase_add_test(args, a_block_that_reaches_out_of_its_bounds_is_not_read);
	tcase_add_test(args, no_future_is_found_where_none_can_be);
	tcase_add_test(args, any_bytes_at_all_end_the_reading_within_the_block);
}

int main(void)
{
	Suite *suite = suite_create("tables");
	add_arguments(suite);
	tcase_add_test(
	    add_case(suite, "store"), a_running_task_that_waits_for_room_goes_first_for_a_moment);
	TCase *registry = add_case(suite, "registry");
	tcase_add_test(registry, functions_have_numbers_for_ever_and_number_0_is_none);
	tcase_add_test(registry, a_module_that_cannot_be_is_refused_and_leaves_nothing);
	tcase_add_test(registry, a_full_registry_is_an_error_that_names_the_limits);
	tcase_add_test(registry, what_a_loader_had_half_done_when_it_died_is_forgotten);
	TCase *process = add_case(suite, "process");
	tcase_add_test(process, a_process_slot_takes_the_legal_steps_and_no_other);
	tcase_add_test(process, each_incarnation_of_a_slot_has_a_generation_of_its_own);
	tcase_add_test(process, holds_of_each_process_stand_apart_across_words);
	tcase_add_test(process, what_is_held_or_reserved_by_a_free_slot_is_unsound);
	TCase *attaching = add_case(suite, "limits and attaching");
	tcase_add_test(attaching, limits_out_of_bounds_are_refused_by_their_names);
	tcase_add_test(attaching, a_name_that_could_be_a_path_is_refused);
	tcase_add_test(attaching, another_view_sees_the_same_tables);
	tcase_add_test(attaching, headers_that_do_not_fit_are_refused_with_a_reason);
	tcase_add_test(attaching, control_and_store_are_not_taken_for_each_other);
	tcase_add_test(attaching, any_limits_at_all_are_refused_or_fit);
	return run_suite(suite);
}
