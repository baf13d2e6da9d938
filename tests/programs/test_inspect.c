/* test_inspect.c - plm_inspect.h on a living runtime, a dead runtime, copies of segments, and
 * damaged copies; pages of a long list; rows of foreign sizes. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm_inspect.h"
#include "tests/support/program_runtime.h"
#include "tests/support/run_suite.h"
#include "tests/support/segment_copy.h"

enum {
	TEST_TIMEOUT_S = 120,
	DAMAGES = 300,
	PATH_BYTES = 256,
	MANY = 100000,
	PAGE = 1000,
	REFS_MAX = 16,
};

static struct runtime rt;

static void boot(void)
{
	runtime_boot(&rt, "--workers", "2", "--tasks", "1024", "--store", "16M", );
}

static void boot_large(void)
{
	runtime_boot(&rt, "--workers", "1", "--tasks", "131072", "--store", "16M", );
}

static void stop(void)
{
	runtime_stop(&rt);
	runtime_end(&rt);
}

static plm_inspect *opened(void)
{
	plm_inspect *in = NULL;
	int r = plm_inspect_open(&in, rt.name);
	ck_assert_msg(r == 0, "%s", plm_why());
	return in;
}

static plm_ref parsed(const char *text)
{
	plm_ref ref;
	ck_assert_int_eq(plm_ref_parse(text, &ref), 0);
	return ref;
}

/* How many tasks pass the filter. */
static unsigned count(plm_inspect *in, const plm_task_filter *filter)
{
	plm_task_row rows[3];
	uint64_t cursor = 0;
	unsigned all = 0;
	int n;
	while ((n = plm_inspect_tasks(
		    in, filter, sizeof *filter, 0, &cursor, rows, sizeof rows[0], 3)) > 0)
		all += (unsigned)n;
	ck_assert_msg(n == 0, "%s", plm_why());
	return all;
}

/* ---- living, dead, copied ---- */

START_TEST(a_living_runtime_is_shown)
{
	char *running = ctl_expect(&rt, 0, "call", "--detach", "probe.sleep", "600000");
	char *waiting = ctl_expect(&rt, 0, "call", "--detach", "probe.sum", running);
	char *command =
	    ctl_expect(&rt, 0, "submit", "--detach", "--label", "mine", "--", "echo", "some words");
	free(ctl_expect(&rt, 0, "wait", command));
	ctl_until(&rt, running, "tasks", "--quiet", "--state", "running");
	plm_inspect *in = opened();
	plm_runtime_row runtime;
	ck_assert_int_eq(plm_inspect_runtime(in, &runtime, sizeof runtime), 0);
	ck_assert_str_eq(runtime.name, rt.name);
	ck_assert_str_eq(plm_mode_name(runtime.mode), "up");

	plm_task_row row;
	ck_assert_int_eq(
	    plm_inspect_task(in, parsed(running), PLM_LOOK_TEXTS, &row, sizeof row), 0);
	ck_assert_str_eq(plm_state_name(row.state), "running");
	ck_assert_str_eq(row.function, "probe.sleep");
	ck_assert_uint_lt(row.worker, 2);
	uint32_t worker = row.worker;
	ck_assert_int_eq(
	    plm_inspect_task(in, parsed(command), PLM_LOOK_TEXTS, &row, sizeof row), 0);
	ck_assert_str_eq(row.command, "echo some words");
	ck_assert_str_eq(row.label, "mine");
	ck_assert_uint_eq(
	    row.marks, PLM_MARK_COMMAND | PLM_MARK_KEPT | PLM_MARK_EXIT | PLM_MARK_OUTPUT);
	ck_assert_uint_eq(row.output_bytes, strlen("some words\n"));

	ck_assert_uint_eq(count(in, NULL), 3);
	ck_assert_uint_eq(
	    count(in, &(plm_task_filter){ .by = PLM_BY_STATE, .states = 1u << PLM_STATE_RUNNING }),
	    1);
	ck_assert_uint_eq(
	    count(in, &(plm_task_filter){ .by = PLM_BY_FUNCTION, .function = "probe.sum" }), 1);
	ck_assert_uint_eq(count(in, &(plm_task_filter){ .by = PLM_BY_LABEL, .label = "mine" }), 1);
	ck_assert_uint_eq(count(in, &(plm_task_filter){ .by = PLM_BY_LABEL, .label = "min" }), 0);
	ck_assert_uint_eq(
	    count(in, &(plm_task_filter){ .by = PLM_BY_WORKER, .worker = worker }), 1);
	ck_assert_uint_eq(count(in, &(plm_task_filter){ .by = PLM_BY_KEPT }), 3);
	ck_assert_int_eq(plm_inspect_tasks(in, &(plm_task_filter){ .by = PLM_BY_LABEL },
			     sizeof(plm_task_filter), 0, &(uint64_t){ 0 }, &row, sizeof row, 1),
	    -EINVAL);
	free(ctl_expect(&rt, 0, "cancel", running));
	plm_inspect_close(&in);
	ck_assert_ptr_null(in);
	free(running);
	free(waiting);
	free(command);
}
END_TEST

START_TEST(what_keeps_a_task_back_is_told)
{
	char *running = ctl_expect(&rt, 0, "call", "--detach", "probe.sleep", "600000");
	char *waiting = ctl_expect(&rt, 0, "call", "--detach", "probe.sum", running);
	ctl_until(&rt, running, "tasks", "--quiet", "--state", "running");
	plm_inspect *in = opened();
	plm_explanation e;
	plm_reason reason[8];
	int n = plm_inspect_explain(in, parsed(waiting), &e, sizeof e, reason, sizeof reason[0], 8);
	ck_assert_msg(n >= 1, "%s", plm_why());
	ck_assert_int_eq(e.state, PLM_STATE_WAITING);
	ck_assert_str_eq(e.function, "probe.sum");
	ck_assert_str_eq(reason[0].code, "argument");
	ck_assert_uint_eq(reason[0].refs, 1);
	ck_assert_uint_eq(reason[0].ref[0].id, parsed(running).id);
	ck_assert_int_eq(
	    plm_inspect_explain(in, parsed(waiting), &e, sizeof e, reason, sizeof reason[0], 0), n);
	free(ctl_expect(&rt, 0, "cancel", running));
	plm_inspect_close(&in);
	free(running);
	free(waiting);
}
END_TEST

START_TEST(processes_and_modules_are_shown)
{
	plm_inspect *in = opened();
	plm_process_row row;
	uint64_t cursor = 0;
	unsigned workers = 0;
	while (
	    plm_inspect_processes(in, 1u << PLM_KIND_WORKER, &cursor, &row, sizeof row, 1) == 1) {
		ck_assert_str_eq(plm_kind_name(row.kind), "worker");
		ck_assert_uint_eq(row.cpus, 1);
		workers++;
	}
	ck_assert_uint_eq(workers, 2);
	plm_function_row function;
	cursor = 0;
	bool echo = false;
	while (plm_inspect_functions(in, &cursor, &function, sizeof function, 1) == 1)
		echo |= strcmp(function.function, "probe.echo") == 0;
	ck_assert(echo);
	plm_policy_row policy;
	cursor = 0;
	ck_assert_int_eq(plm_inspect_policies(in, &cursor, &policy, sizeof policy, 1), 1);
	ck_assert_int_eq(policy.in_force, 1);
	plm_inspect_close(&in);
}
END_TEST

static bool in_force(plm_inspect *in, const char *policy)
{
	plm_policy_row row;
	uint64_t cursor = 0;
	while (plm_inspect_policies(in, &cursor, &row, sizeof row, 1) == 1)
		if (row.in_force)
			return strcmp(row.policy, policy) == 0;
	return false;
}

START_TEST(a_connected_program_asks_the_same)
{
	plm *client;
	plm_inspect *in;
	plm_status status;
	char name[32];
	ck_assert_int_eq(plm_connect(&client, rt.name), 0);
	ck_assert_int_eq(plm_inspect_of(&in, client), 0);
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	ck_assert_uint_eq(status.workers, 2);
	ck_assert_int_eq(plm_status_get_sized(client, (plm_status *)(void *)name, sizeof name), 0);
	ck_assert_str_eq(name, rt.name);
	ck_assert_int_eq(plm_alive(client), 0);
	ck_assert_int_eq(plm_inside(client), 0);
	ck_assert_int_eq(plm_flush(client, 0), 0);
	ck_assert_int_eq(plm_set_policy(client, "random"), 0);
	ck_assert(in_force(in, "random"));
	ck_assert_int_eq(plm_set_policy(client, "nonsense"), -ENOENT);
	ck_assert_int_eq(plm_set_policy(client, NULL), -EINVAL);
	ck_assert(in_force(in, "random"));
	plm_process_row row;
	uint64_t cursor = 0;
	ck_assert_int_eq(
	    plm_inspect_processes(in, 1u << PLM_KIND_CLIENT, &cursor, &row, sizeof row, 1), 1);
	ck_assert_int_eq(row.pid, getpid());
	ck_assert_uint_eq(row.worker, PLM_NOBODY);
	plm_ref ref;
	plm_task_filter mine = { .by = PLM_BY_HOLDER, .holder = row.process };
	ck_assert_uint_eq(count(in, &mine), 0);
	ck_assert_int_eq(plm_submit(client, &(plm_task){ .function = "probe.noop" }, &ref), 0);
	ck_assert_uint_eq(count(in, &mine), 1);
	mine.holder = UINT32_MAX;
	uint64_t first = 0;
	plm_task_row task;
	ck_assert_int_eq(
	    plm_inspect_tasks(in, &mine, sizeof mine, 0, &first, &task, sizeof task, 1), -EINVAL);
	plm_disconnect(&client);
	plm_inspect_close(&in);
}
END_TEST

START_TEST(the_quick_list_of_processes_says_the_same_as_the_long_one)
{
	char *running = ctl_expect(&rt, 0, "call", "--detach", "probe.sleep", "600000");
	ctl_until(&rt, running, "tasks", "--quiet", "--state", "running");
	free(ctl_expect(&rt, 0, "call", "probe.sum", "1", "2"));
	plm_inspect *in = opened();
	plm_task_row task;
	char other[8];
	ck_assert_int_eq(plm_inspect_task(in, parsed(running), 0, &task, sizeof task), 0);
	snprintf(other, sizeof other, "%u", 1 - task.worker);
	free(ctl_expect(&rt, 0, "drain", other));
	plm_process_row slow;
	plm_work_row quick;
	uint64_t slow_at = 0, quick_at = 0;
	unsigned busy = 0, finished = 0, drained = 0;
	while (plm_inspect_processes(in, UINT32_MAX, &slow_at, &slow, sizeof slow, 1) == 1) {
		ck_assert_int_eq(
		    plm_inspect_work(in, UINT32_MAX, &quick_at, &quick, sizeof quick, 1), 1);
		ck_assert_uint_eq(quick_at, slow_at);
		ck_assert_uint_eq(quick.process, slow.process);
		ck_assert_int_eq(quick.kind, slow.kind);
		ck_assert_uint_eq(quick.generation, slow.generation);
		ck_assert_int_eq(quick.pid, slow.pid);
		ck_assert_uint_eq(quick.worker, slow.worker);
		ck_assert_uint_eq(quick.running.id, slow.running.id);
		ck_assert_uint_eq(quick.done, slow.done);
		ck_assert_int_eq(quick.live, slow.live);
		ck_assert_uint_eq(quick.marks, slow.marks);
		busy += quick.running.id == parsed(running).id;
		finished += (unsigned)quick.done;
		drained += (quick.marks & PLM_MARK_DRAINED) != 0;
	}
	ck_assert_int_eq(plm_inspect_work(in, UINT32_MAX, &quick_at, &quick, sizeof quick, 1), 0);
	ck_assert_uint_eq(busy, 1);
	ck_assert_uint_le(finished, 1);
	ck_assert_uint_eq(drained, 1);
	free(ctl_expect(&rt, 0, "cancel", running));
	plm_inspect_close(&in);
	free(running);
}
END_TEST

START_TEST(the_row_of_the_runtime_tells_the_same_as_the_status)
{
	free(ctl_expect(&rt, 0, "pause"));
	char *queued = ctl_expect(&rt, 0, "call", "--detach", "probe.sum", "1", "2");
	ctl_until(&rt, queued, "tasks", "--quiet", "--state", "ready");
	plm_inspect *in = opened();
	plm_runtime_row row;
	plm_status status;
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	do { /* the scheduler puts the task into the task heap when it comes round */
		ck_assert_int_eq(plm_inspect_runtime(in, &row, sizeof row), 0);
	} while (row.queued != 1 && clock_ns() < deadline);
	ck_assert_uint_eq(row.queued, 1);
	ck_assert_int_eq(plm_inspect_status(in, &status, sizeof status), 0);
	ck_assert_int_eq(row.paused, 1);
	ck_assert_int_eq(row.closed, status.closed);
	ck_assert_uint_eq(row.store_used, status.store_used);
	ck_assert_uint_eq(row.store_reserved, status.store_reserved);
	ck_assert_uint_eq(row.memory_total, status.memory_total);
	free(ctl_expect(&rt, 0, "resume"));
	plm_inspect_close(&in);
	free(queued);
}
END_TEST

START_TEST(what_a_dead_runtime_left_is_shown)
{
	char *ref = ctl_expect(&rt, 0, "submit", "--detach", "--", "echo", "the last word");
	free(ctl_expect(&rt, 0, "wait", ref));
	runtime_kill(&rt);
	plm_inspect *in = opened();
	plm_task_row row;
	ck_assert_int_eq(plm_inspect_task(in, parsed(ref), PLM_LOOK_TEXTS, &row, sizeof row), 0);
	ck_assert_str_eq(row.command, "echo the last word");
	const void *data;
	size_t bytes;
	ck_assert_int_eq(plm_inspect_output(in, parsed(ref), 1, &data, &bytes), 0);
	ck_assert_uint_eq(bytes, strlen("the last word\n"));
	ck_assert_int_eq(memcmp(data, "the last word\n", bytes), 0);
	plm_status status;
	ck_assert_int_eq(plm_inspect_status(in, &status, sizeof status), 0);
	ck_assert_uint_eq(status.finished, 1);
	plm_check_row check[32];
	int n = plm_inspect_check(in, check, sizeof check[0], 32);
	ck_assert_int_gt(n, 5);
	for (int i = 0; i < n; i++)
		ck_assert_msg(!check[i].reason[0], "%s: %s", check[i].structure, check[i].reason);
	plm_inspect_close(&in);
	runtime_end(&rt);
	ck_assert_int_eq(plm_inspect_open(&in, rt.name), -ENOENT);
	free(ref);
}
END_TEST

/* ---- damage ---- */

/* Makes every call on segments of any content, and reads each list to the end. */
static void look_at_all(plm_inspect *in, const plm_ref *refs, unsigned n)
{
	static plm_task_row tasks[64];
	static plm_check_row checks[64];
	static plm_reason reasons[8];
	plm_runtime_row runtime;
	plm_status status;
	plm_explanation e;
	plm_command_row command;
	plm_ref outputs[4];
	const void *data;
	size_t bytes;
	uint64_t cursor = 0;
	union {
		plm_process_row process;
		plm_work_row work;
		plm_object_row object;
		plm_function_row function;
		plm_module_row module;
		plm_policy_row policy;
		plm_heap_row heap;
		plm_ring_row ring;
		plm_lock_row lock;
	} row;
	ck_assert_int_eq(plm_inspect_runtime(in, &runtime, sizeof runtime), 0);
	ck_assert_int_eq(plm_inspect_status(in, &status, sizeof status), 0);
	while (
	    plm_inspect_tasks(in, NULL, 0, PLM_LOOK_TEXTS, &cursor, tasks, sizeof tasks[0], 64) > 0)
		for (int i = 0; i < 64; i++)
			ck_assert_uint_lt(strlen(tasks[i].command), sizeof tasks[i].command);
#define TO_THE_END(call)              \
	for (cursor = 0; (call) > 0;) \
		;
	TO_THE_END(plm_inspect_processes(in, 0, &cursor, &row.process, sizeof row.process, 1))
	TO_THE_END(plm_inspect_work(in, 0, &cursor, &row.work, sizeof row.work, 1))
	TO_THE_END(plm_inspect_objects(in, &cursor, &row.object, sizeof row.object, 1))
	TO_THE_END(plm_inspect_functions(in, &cursor, &row.function, sizeof row.function, 1))
	TO_THE_END(plm_inspect_modules(in, &cursor, &row.module, sizeof row.module, 1))
	TO_THE_END(plm_inspect_policies(in, &cursor, &row.policy, sizeof row.policy, 1))
	TO_THE_END(plm_inspect_heap(in, PLM_HEAP_TASKS, &cursor, &row.heap, sizeof row.heap, 1))
	TO_THE_END(plm_inspect_heap(in, PLM_HEAP_WORKERS, &cursor, &row.heap, sizeof row.heap, 1))
	TO_THE_END(plm_inspect_rings(in, &cursor, &row.ring, sizeof row.ring, 1))
	TO_THE_END(plm_inspect_locks(in, &cursor, &row.lock, sizeof row.lock, 1))
#undef TO_THE_END
	ck_assert_int_gt(plm_inspect_check(in, checks, sizeof checks[0], 64), 0);
	for (unsigned i = 0; i < n; i++) {
		plm_inspect_task(in, refs[i], PLM_LOOK_TEXTS, tasks, sizeof tasks[0]);
		plm_inspect_explain(in, refs[i], &e, sizeof e, reasons, sizeof reasons[0], 8);
		plm_inspect_command(in, refs[i], &command, sizeof command);
		plm_inspect_outputs(in, refs[i], outputs, 4);
		unsigned sum = 0;
		if (plm_inspect_output(in, refs[i], 1, &data, &bytes) == 0)
			for (size_t at = 0; at < bytes; at++)
				sum += ((const unsigned char *)data)[at];
		ck_assert_uint_ge(sum + 1, 1);
	}
}

/* Creates a future of each kind and state; returns how many. */
static unsigned fill(plm_ref refs[REFS_MAX])
{
	char *text[] = { ctl_expect(&rt, 0, "call", "--detach", "probe.echo", "in the copy"),
		ctl_expect(&rt, 0, "submit", "--detach", "--label", "mine", "--", "echo", "out"),
		ctl_expect(&rt, 0, "call", "--detach", "--retries", "1", "probe.fail", "5"),
		ctl_expect(&rt, 0, "put", "README.md"),
		ctl_expect(&rt, 0, "call", "--detach", "probe.sleep", "600000"), NULL, NULL };
	unsigned n = sizeof text / sizeof text[0];
	text[5] = ctl_expect(&rt, 0, "call", "--detach", "probe.sum", text[4]);
	text[6] =
	    ctl_expect(&rt, 0, "call", "--detach", "--needs", "cpus=2", "probe.sleep", "600000");
	for (unsigned i = 0; i < 3; i++)
		program_until(&rt, text[i],
		    (const char *const[]){ "tasks", "--quiet", "--state", "done,failed", NULL });
	ctl_until(&rt, text[4], "tasks", "--quiet", "--state", "running");
	for (unsigned i = 0; i < n; i++) {
		refs[i] = parsed(text[i]);
		free(text[i]);
	}
	return n;
}

START_TEST(copies_say_the_same_and_damaged_copies_end_in_rows_or_errors)
{
	plm_ref refs[REFS_MAX];
	unsigned n = fill(refs);
	char control_path[PATH_BYTES], store_path[PATH_BYTES];
	size_t control_bytes, store_bytes;
	unsigned char *control = segment_copy(&rt, "control", &control_bytes);
	unsigned char *store = segment_copy(&rt, "store", &store_bytes);
	unsigned char *broken = malloc(control_bytes), *spoilt = malloc(store_bytes);
	plm_inspect *in;
	plm_task_row row;
	scratch_write(&rt, "control", control, control_bytes, control_path, sizeof control_path);
	scratch_write(&rt, "store", store, store_bytes, store_path, sizeof store_path);
	ck_assert_int_eq(plm_inspect_open_files(&in, control_path, store_path), 0);
	ck_assert_int_eq(plm_inspect_task(in, refs[1], PLM_LOOK_TEXTS, &row, sizeof row), 0);
	ck_assert_str_eq(row.command, "echo out");
	look_at_all(in, refs, n);
	plm_inspect_close(&in);
	ck_assert_int_eq(plm_inspect_open_files(&in, control_path, NULL), 0);
	look_at_all(in, refs, n);
	plm_inspect_close(&in);
	ck_assert_int_eq(plm_inspect_open_files(&in, store_path, NULL), -EPROTO);
	uint64_t random = RANDOM_SEED;
	unsigned accepted = 0;
	for (unsigned i = 0; i < DAMAGES; i++) {
		memcpy(broken, control, control_bytes);
		memcpy(spoilt, store, store_bytes);
		segment_damage(broken, control_bytes, &random);
		segment_damage(spoilt, store_bytes / 8, &random);
		scratch_write(
		    &rt, "control", broken, control_bytes, control_path, sizeof control_path);
		scratch_write(&rt, "store", spoilt, store_bytes, store_path, sizeof store_path);
		int r = plm_inspect_open_files(&in, control_path, i % 4 ? store_path : NULL);
		ck_assert_msg(r == 0 || r == -EPROTO, "seed %u: %d %s", i, r, plm_why());
		if (r < 0)
			continue;
		accepted++;
		look_at_all(in, refs, n);
		plm_inspect_close(&in);
	}
	ck_assert_uint_gt(accepted, DAMAGES / 4);
	for (unsigned i = n - 3; i < n; i++) { /* the last tasks would run or wait for ever */
		char text[PLM_REF_TEXT_BYTES];
		plm_ref_print(refs[i], text);
		free(ctl_expect(&rt, 0, "cancel", text));
	}
	free(control);
	free(store);
	free(broken);
	free(spoilt);
}
END_TEST

/* ---- pages, sizes, references ---- */

START_TEST(a_long_list_is_read_by_pages)
{
	plm *client;
	plm_ref *refs = calloc(MANY, sizeof *refs);
	plm_task *tasks = calloc(MANY, sizeof *tasks);
	ck_assert_int_eq(plm_connect(&client, rt.name), 0);
	ck_assert_int_eq(plm_pause(client), 0);
	for (int i = 0; i < MANY; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .flags = PLM_TIED };
	ck_assert_int_eq(plm_submit_many(client, tasks, MANY, refs), 0);
	plm_inspect *in;
	ck_assert_int_eq(plm_inspect_of(&in, client), 0);
	static plm_task_row rows[PAGE];
	uint64_t cursor = 0, last = 0;
	unsigned all = 0, pages = 0;
	int n;
	while ((n = plm_inspect_tasks(in, NULL, 0, 0, &cursor, rows, sizeof rows[0], PAGE)) > 0) {
		for (int i = 0; i < n; i++) {
			uint32_t index = (uint32_t)rows[i].ref.id;
			ck_assert_msg(all == 0 || index > last, "a row comes twice");
			last = index;
			all++;
		}
		pages++;
	}
	ck_assert_uint_eq(all, MANY);
	ck_assert_uint_eq(pages, MANY / PAGE);
	plm_disconnect(&client);
	cursor = 0; /* the two handles are independent */
	ck_assert_int_ge(plm_inspect_tasks(in, NULL, 0, 0, &cursor, rows, sizeof rows[0], PAGE), 0);
	plm_inspect_close(&in);
	free(refs);
	free(tasks);
}
END_TEST

START_TEST(rows_of_another_size_are_filled_as_far_as_both_know)
{
	struct {
		plm_task_row row;
		unsigned char later[64];
	} large[2];
	struct small { /* an older program knows the first fields alone */
		plm_ref ref;
		int state;
		uint32_t marks;
	} small[2];
	free(ctl_expect(&rt, 0, "call", "--detach", "probe.noop"));
	char *ref = ctl_expect(&rt, 0, "call", "--detach", "probe.noop");
	free(ctl_expect(&rt, 0, "wait", ref));
	plm_inspect *in = opened();
	uint64_t cursor = 0;
	memset(large, 0xff, sizeof large);
	memset(small, 0xff, sizeof small);
	ck_assert_int_eq(plm_inspect_tasks(in, NULL, 0, 0, &cursor, (plm_task_row *)(void *)large,
			     sizeof large[0], 2),
	    2);
	for (int i = 0; i < 2; i++) {
		ck_assert_str_eq(large[i].row.function, "probe.noop");
		for (size_t b = 0; b < sizeof large[i].later; b++)
			ck_assert_uint_eq(large[i].later[b], 0);
	}
	cursor = 0;
	ck_assert_int_eq(plm_inspect_tasks(in, NULL, 0, 0, &cursor, (plm_task_row *)(void *)small,
			     sizeof small[0], 1),
	    1);
	ck_assert_uint_eq(small[0].ref.id, large[0].row.ref.id);
	ck_assert_uint_eq(small[1].ref.id, UINT64_MAX); /* the call wrote nothing behind the page */
	struct {
		plm_status status;
		uint64_t later;
	} status = { .later = 7 };
	ck_assert_int_eq(plm_inspect_status(in, &status.status, sizeof status), 0);
	ck_assert_uint_eq(status.later, 0);
	char name[32];
	ck_assert_int_eq(plm_inspect_status(in, (plm_status *)(void *)name, sizeof name), 0);
	ck_assert_str_eq(name, rt.name);
	plm_inspect_close(&in);
	free(ref);
}
END_TEST

START_TEST(references_that_name_nothing_are_told_apart)
{
	plm_inspect *in = opened();
	plm_task_row row;
	char *text = ctl_expect(&rt, 0, "put", "README.md");
	plm_ref object = parsed(text), other = object, never = object;
	other.runtime++;
	never.id += (uint64_t)1 << 40;
	ck_assert_int_eq(plm_inspect_task(in, PLM_NONE, 0, &row, sizeof row), -EINVAL);
	ck_assert_int_eq(plm_inspect_task(in, object, 0, &row, sizeof row), -EINVAL);
	ck_assert_int_eq(plm_inspect_task(in, other, 0, &row, sizeof row), -EXDEV);
	ck_assert_int_eq(plm_inspect_task(in, never, 0, &row, sizeof row), -ESTALE);
	ck_assert_int_eq(plm_inspect_task(NULL, object, 0, &row, sizeof row), -EINVAL);
	plm_inspect *none;
	ck_assert_int_eq(plm_inspect_open(&none, "no/name"), -EINVAL);
	ck_assert_int_eq(plm_inspect_open(NULL, rt.name), -EINVAL);
	ck_assert_int_eq(plm_inspect_open_files(&none, "/no/such/file", NULL), -ENOENT);
	ck_assert_int_eq(plm_inspect_open_files(&none, "/dev/null", NULL), -EPROTO);
	plm_inspect_close(&in);
	plm_inspect_close(&in);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inspect");
	TCase *running = tcase_create("running");
	tcase_set_timeout(running, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(running, boot, stop);
	tcase_add_test(running, a_living_runtime_is_shown);
	tcase_add_test(running, what_keeps_a_task_back_is_told);
	tcase_add_test(running, processes_and_modules_are_shown);
	tcase_add_test(running, the_quick_list_of_processes_says_the_same_as_the_long_one);
	tcase_add_test(running, the_row_of_the_runtime_tells_the_same_as_the_status);
	tcase_add_test(running, a_connected_program_asks_the_same);
	tcase_add_test(running, copies_say_the_same_and_damaged_copies_end_in_rows_or_errors);
	tcase_add_test(running, rows_of_another_size_are_filled_as_far_as_both_know);
	tcase_add_test(running, references_that_name_nothing_are_told_apart);
	suite_add_tcase(suite, running);
	TCase *large = tcase_create("large");
	tcase_set_timeout(large, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(large, boot_large, stop);
	tcase_add_test(large, a_long_list_is_read_by_pages);
	suite_add_tcase(suite, large);
	TCase *dead = tcase_create("dead");
	tcase_set_timeout(dead, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(dead, boot, NULL);
	tcase_add_test(dead, what_a_dead_runtime_left_is_shown);
	suite_add_tcase(suite, dead);
	return run_suite(suite);
}
