/* test_nested.c - tasks that wait in their functions for tasks: spares stand in, up to the cap; at
 * the cap a wait is refused. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/modules/gauge.h"
#include "tests/support/pool_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	WORKERS = 2,
	TASKS = 8,
	ROUNDS = 24,
	NOT_LONG_MS = 200, /* how long the test watches for an event that must not happen */
};

static struct gauge *hall;
static char hall_path[128];

static void make_hall(void)
{
	static const struct gauge closed;
	scratch_write(&host, "hall", &closed, sizeof closed, hall_path, sizeof hall_path);
	int fd = open(hall_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	hall = mmap(NULL, sizeof *hall, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	ck_assert(hall != MAP_FAILED);
}

static bool stand_there(uint64_t wanted)
{
	return (uint64_t)atomic_load(&hall->now) == wanted;
}

static void nested_boot(const char *workers, const char *spares)
{
	runtime_boot(&host, "--workers", workers, "--spares", spares, "--tasks", "16384", "--store",
	    "16M", "--module", test_module("mod_gauge"), );
	host_join();
	make_hall();
}

static void stop(void)
{
	munmap(hall, sizeof *hall);
	host_stop();
}

/* ---- tasks ---- */

static plm_ref submit_one(
    const char *function, const char *first, const char *second, const char *needs)
{
	plm_ref ref;
	plm_arg args[2] = { PLM_BYTES(first, strlen(first)) };
	if (second)
		args[1] = (plm_arg)PLM_BYTES(second, strlen(second));
	plm_terms terms = { .needs = needs };
	plm_task task = { .function = function,
		.args = args,
		.nargs = second ? 2 : 1,
		.crash_retries = 100,
		.terms = needs ? &terms : NULL };
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

/* An object that tasks wait for and the test seals later. */
static plm_ref create(void)
{
	void *data;
	plm_ref ref;
	ck_assert_int_eq(plm_create(client, 1, &data, &ref), 0);
	return ref;
}

static uint32_t count_processes(bool (*which)(const struct process *p))
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		n += process_kind(word) == KIND_WORKER && process_present(word) &&
		    which(&t->process[i]);
	}
	return n;
}

static bool any(const struct process *p)
{
	return p != NULL;
}

static bool waits(const struct process *p)
{
	return sh_load(&p->waiting_ns) != 0;
}

static bool is_spare(const struct process *p)
{
	return p->spare != 0;
}

static bool rests(const struct process *p)
{
	return sh_load(&p->booked) == BOOKED_FOR_NOBODY;
}

static bool waiting_are(uint64_t wanted)
{
	return count_processes(waits) == wanted;
}

static bool spares_are(uint64_t wanted)
{
	return count_processes(is_spare) == wanted;
}

static bool resting_are(uint64_t wanted)
{
	return count_processes(rests) == wanted;
}

static plm_ref submit_await(plm_ref awaited, const char *then_stand)
{
	char name[PLM_REF_TEXT_BYTES];
	plm_ref_print(awaited, name);
	return submit_one("gauge.await", name, then_stand, NULL);
}

static plm_ref submit_waiting(plm_ref awaited, const char *then_stand)
{
	uint32_t before = count_processes(waits);
	plm_ref ref = submit_await(awaited, then_stand);
	pool_until(waiting_are, before + 1, "workers that wait");
	return ref;
}

static void expect_done(const plm_ref *ref, unsigned n)
{
	ck_assert_int_eq(plm_wait(client, ref, n, n, DEADLINE_MS, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		plm_failure failure = { 0 };
		plm_error(client, ref[i], &failure);
		ck_assert_msg(pool_state_of(ref[i], NULL) == RECORD_DONE, "task %u: %d, %s", i,
		    failure.code, failure.message);
	}
}

static void expect_refused(plm_ref ref, const char *says)
{
	plm_failure failure;
	ck_assert_int_eq(plm_wait(client, &ref, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_error(client, ref, &failure), 0);
	ck_assert_int_eq(failure.code, EDEADLK);
	ck_assert_msg(strstr(failure.message, says) != NULL, "%s", failure.message);
}

/* ---- at the cap ---- */

START_TEST(without_spares_the_youngest_wait_is_refused_and_the_rest_goes_on)
{
	nested_boot("2", "0");
	plm_ref object = create();
	plm_ref older = submit_waiting(object, NULL), younger = submit_waiting(object, NULL);
	plm_ref queued = pool_submit("probe.echo", "x", 0);
	expect_refused(younger,
	    "2 workers wait inside tasks for others, and no spare is left "
	    "(--spares 0)");
	expect_done(&queued, 1);
	ck_assert_int_eq(pool_state_of(older, NULL), RECORD_RUNNING);
	ck_assert(pool_workers_are(WORKERS));
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&older, 1);
	ck_assert_uint_eq(pool_status().restarts, 0);
	stop();
}
END_TEST

START_TEST(while_nothing_is_queued_nobody_is_refused)
{
	nested_boot("1", "0");
	plm_ref object = create(), waiter = submit_waiting(object, NULL);
	ck_assert_int_eq(plm_wait(client, &waiter, 1, 1, 1500, NULL), -ETIMEDOUT);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	stop();
}
END_TEST

START_TEST(with_a_spare_what_is_queued_behind_waits_runs)
{
	nested_boot("2", "1");
	plm_ref object = create(),
		waiter[2] = { submit_waiting(object, NULL), submit_waiting(object, NULL) },
		queued[TASKS];
	for (int i = 0; i < TASKS; i++)
		queued[i] = pool_submit("probe.echo", "x", 0);
	expect_done(queued, TASKS);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(waiter, 2);
	stop();
}
END_TEST

START_TEST(there_are_never_more_processes_than_workers_and_spares)
{
	plm_ref object, waiter[TASKS], queued;
	nested_boot("2", "3");
	object = create();
	for (int i = 0; i < TASKS; i++)
		waiter[i] = submit_await(object, NULL);
	queued = pool_submit("probe.echo", "x", 0);
	while (plm_wait(client, &queued, 1, 1, 1, NULL) == -ETIMEDOUT)
		ck_assert_uint_le(count_processes(any), 5);
	ck_assert_uint_eq(count_processes(is_spare), 3);
	ck_assert_int_eq(plm_seal(client, object), 0);
	ck_assert_int_eq(plm_wait(client, waiter, TASKS, TASKS, DEADLINE_MS, NULL), 0);
	stop();
}
END_TEST

START_TEST(a_deep_tree_runs_in_place_of_its_waits)
{
	plm_view view;
	nested_boot("2", "2");
	plm_ref tree = submit_one("probe.tree", "12", "2", NULL);
	while (plm_wait(client, &tree, 1, 1, 1, NULL) == -ETIMEDOUT)
		ck_assert_uint_le(count_processes(any), 4);
	expect_done(&tree, 1);
	ck_assert_int_eq(plm_get(client, tree, &view, 0), 0);
	ck_assert_uint_eq(view.len, 4);
	ck_assert_mem_eq(view.data, "4096", 4);
	plm_release(client, &view);
	stop();
}
END_TEST

/* ---- spares come and go ---- */

START_TEST(beside_one_that_waits_as_many_run_at_once_as_there_are_workers)
{
	plm_ref standing[TASKS];
	nested_boot("2", "2");
	plm_ref object = create(), waiter = submit_waiting(object, NULL);
	for (int i = 0; i < TASKS; i++)
		standing[i] = submit_one("gauge.stand", hall_path, NULL, NULL);
	pool_until(stand_there, WORKERS, "that run at once");
	ctl_until(&host, "yes", "workers"); /* the column SPARE */
	ck_assert_int_eq(plm_wait(client, standing, TASKS, 1, NOT_LONG_MS, NULL), -ETIMEDOUT);
	ck_assert_int_eq(atomic_load(&hall->most), WORKERS);
	atomic_store(&hall->open, 1);
	expect_done(standing, TASKS);
	ck_assert_int_eq(atomic_load(&hall->most), WORKERS);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	pool_until(pool_workers_are, WORKERS, "workers when no spare is needed");
	ck_assert_uint_eq(count_processes(is_spare), 0);
	stop();
}
END_TEST

START_TEST(when_the_wait_is_over_its_spare_rests)
{
	plm_ref standing[TASKS];
	nested_boot("1", "1");
	plm_ref object = create(), waiter = submit_waiting(object, hall_path);
	plm_ref queued = pool_submit("probe.echo", "x", 0);
	expect_done(&queued, 1);
	ck_assert_uint_eq(count_processes(is_spare), 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	pool_until(stand_there, 1, "that goes on"); /* the task that waited for the object */
	pool_until(resting_are, 1, "spares that rest");
	for (int i = 0; i < TASKS; i++)
		standing[i] = submit_one("gauge.stand", hall_path, NULL, NULL);
	ck_assert_int_eq(plm_wait(client, standing, TASKS, 1, NOT_LONG_MS, NULL), -ETIMEDOUT);
	ck_assert_int_eq(atomic_load(&hall->most), 1);
	pool_until(spares_are, 0, "spares");
	ck_assert_int_eq(atomic_load(&hall->now), 1);
	atomic_store(&hall->open, 1);
	expect_done(&waiter, 1);
	expect_done(standing, TASKS);
	stop();
}
END_TEST

START_TEST(the_spare_of_one_that_is_killed_leaves)
{
	nested_boot("1", "1");
	plm_ref object = create(), waiter = submit_waiting(object, NULL);
	const struct process *blocked = pool_worker_process(0, PROCESS_LIVE);
	plm_ref standing = submit_one("gauge.stand", hall_path, NULL, NULL);
	pool_until(stand_there, 1, "that runs");
	ck_assert_uint_eq(count_processes(is_spare), 1);
	ck_assert_int_eq(plm_cancel(client, waiter, PLM_GRACE_OF_TASK), 0);
	pid_t pid = blocked->pid;
	kill(pid, SIGKILL);
	pool_until(pool_leaving_are, 1, "spares that leave");
	atomic_store(&hall->open, 1);
	expect_done(&standing, 1);
	pool_until(pool_workers_are, 1, "workers");
	ck_assert_uint_eq(count_processes(is_spare), 0);
	stop();
}
END_TEST

START_TEST(a_killed_spare_is_replaced_while_it_is_wanted)
{
	nested_boot("1", "1");
	plm_ref object = create(), waiter = submit_waiting(object, NULL);
	plm_ref standing = submit_one("gauge.stand", hall_path, NULL, NULL);
	pool_until(stand_there, 1, "that runs");
	const struct tables *t = plm_tables(client);
	for (uint32_t i = 0; i < t->limits.processes; i++)
		if (process_present(sh_load(&t->process[i].state)) && is_spare(&t->process[i]))
			ck_assert_int_eq(kill(t->process[i].pid, SIGKILL), 0);
	atomic_store(&hall->open, 1);
	expect_done(&standing, 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	stop();
}
END_TEST

START_TEST(a_new_scheduler_lets_spares_rest_and_go)
{
	nested_boot("1", "1");
	plm_ref object = create(), waiter = submit_waiting(object, NULL);
	plm_ref queued = pool_submit("probe.echo", "x", 0);
	expect_done(&queued, 1);
	pid_t scheduler = pool_status().scheduler_pid;
	ck_assert_int_eq(kill(scheduler, SIGKILL), 0);
	ck_assert(wait_for_death(scheduler));
	queued = pool_submit("probe.echo", "x", 0);
	expect_done(&queued, 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	pool_until(pool_workers_are, 1, "workers");
	ck_assert_uint_eq(count_processes(is_spare), 0);
	object = create(); /* the next waiting task gets a spare, too */
	waiter = submit_waiting(object, NULL);
	queued = pool_submit("probe.echo", "x", 0);
	expect_done(&queued, 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	stop();
}
END_TEST

START_TEST(a_drained_worker_has_no_spare)
{
	nested_boot("2", "2");
	plm_ref object = create(),
		waiter[2] = { submit_waiting(object, NULL), submit_waiting(object, NULL) };
	plm_ref standing[2] = { submit_one("gauge.stand", hall_path, NULL, NULL),
		submit_one("gauge.stand", hall_path, NULL, NULL) };
	pool_until(stand_there, 2, "that run");
	ck_assert_int_eq(plm_drain_worker(client, 1), 0);
	pool_until(pool_leaving_are, 2, "processes that leave"); /* the worker and its spare */
	atomic_store(&hall->open, 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(standing, 2);
	expect_done(waiter, 2);
	pool_until(pool_workers_are, 1, "workers");
	stop();
}
END_TEST

/* ---- needs ---- */

/* The spare runs the awaited task, not another task that would wait. */
START_TEST(tasks_with_needs_that_others_wait_for_run_on_a_spare)
{
	nested_boot("gen=1,cpus=1,disk=1 x1", "1");
	plm_ref waiter[TASKS];
	for (int i = 0; i < TASKS; i++)
		waiter[i] = submit_one("gauge.await_needing", "disk=1", NULL, NULL);
	expect_done(waiter, TASKS);
	stop();
}
END_TEST

/* The worker's only cpu was booked for the task before the running task began to wait. */
START_TEST(what_is_booked_for_a_slot_whose_task_begins_to_wait_moves_to_its_spare)
{
	nested_boot("gen=1,cpus=1,disk=1 x1", "1");
	plm_ref object = create();
	plm_ref waiter = submit_await(object, NULL);
	plm_ref needing = submit_one("probe.echo", "x", NULL, "disk=1");
	expect_done(&needing, 1);
	ck_assert(!state_settled(pool_state_of(waiter, NULL)));
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(&waiter, 1);
	stop();
}
END_TEST

START_TEST(resources_are_not_counted_twice_because_there_are_spares)
{
	plm_ref standing[TASKS];
	nested_boot("gen=1,cpus=3,disk=1 x1", "3");
	plm_ref object = create(),
		waiter[2] = { submit_waiting(object, NULL), submit_waiting(object, NULL) };
	for (int i = 0; i < TASKS; i++)
		standing[i] = submit_one("gauge.stand", hall_path, NULL, "disk=1");
	pool_until(stand_there, 1, "that run");
	plm_ref plain[TASKS];
	for (int i = 0; i < TASKS; i++)
		plain[i] = pool_submit("probe.echo", "x", 0);
	expect_done(plain, TASKS);
	ck_assert_int_eq(plm_wait(client, standing, TASKS, 1, NOT_LONG_MS, NULL), -ETIMEDOUT);
	atomic_store(&hall->open, 1);
	expect_done(standing, TASKS);
	ck_assert_int_eq(atomic_load(&hall->most), 1);
	ck_assert_int_eq(plm_seal(client, object), 0);
	expect_done(waiter, 2);
	stop();
}
END_TEST

/* ---- deaths ---- */

static void kill_scheduler(void)
{
	pid_t scheduler = pool_status().scheduler_pid;
	if (scheduler > 0)
		ck_assert_int_eq(kill(scheduler, SIGKILL), 0);
}

static void kill_a_spare(void)
{
	const struct tables *t = plm_tables(client);
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) == KIND_WORKER && is_spare(p) &&
		    process_state(word) == PROCESS_LIVE) {
			kill(p->pid, SIGKILL); /* ignore a spare that has just ended */
			return;
		}
	}
}

START_TEST(kills_of_spares_and_schedulers_lose_nothing_that_waits_or_is_waited_for)
{
	nested_boot("2", "2");
	for (int round = 0; round < ROUNDS; round++) {
		plm_ref object = create(), waiter[2], queued[TASKS], tree;
		for (int i = 0; i < 2; i++)
			waiter[i] = submit_await(object, NULL);
		for (int i = 0; i < TASKS; i++)
			queued[i] = submit_one("probe.sleep", i % 2 ? "3" : "12", NULL, NULL);
		tree = submit_one("probe.tree", "4", "2", NULL);
		if (round % 4 == 1) /* the successor of a scheduler that died young comes late */
			kill_scheduler();
		ck_assert_int_eq(plm_wait(client, queued, TASKS, 1, DEADLINE_MS, NULL), 0);
		kill_a_spare();
		expect_done(queued, TASKS);
		expect_done(&tree, 1);
		ck_assert_uint_le(count_processes(any), 4);
		ck_assert_int_eq(plm_seal(client, object), 0);
		expect_done(waiter, 2);
		plm_drop(client, object);
		plm_drop_many(client, waiter, 2);
		plm_drop_many(client, queued, TASKS);
		plm_drop(client, tree);
	}
	pool_until(pool_workers_are, WORKERS, "workers");
	ck_assert_uint_eq(count_processes(is_spare), 0);
	stop();
}
END_TEST

START_TEST(more_spares_than_process_slots_are_refused)
{
	runtime_boot(&host, "--workers", "1", "--store", "16M", );
	host_join();
	struct output_of o = program_run(&host, "plm",
	    (const char *const[]){ "--processes", "64", "--workers", "2", "--spares", "60", NULL },
	    NULL, 0);
	ck_assert_int_eq(o.code, 64);
	ck_assert_msg(strstr(o.err, "beside 2 workers there is room for 59") != NULL, "%s", o.err);
	output_free(&o);
	ck_assert_uint_eq(
	    plm_tables(client)->control->spares, 1); /* by default as many spares as workers */
	host_stop();
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		without_spares_the_youngest_wait_is_refused_and_the_rest_goes_on,
		while_nothing_is_queued_nobody_is_refused,
		with_a_spare_what_is_queued_behind_waits_runs,
		there_are_never_more_processes_than_workers_and_spares,
		a_deep_tree_runs_in_place_of_its_waits,
		beside_one_that_waits_as_many_run_at_once_as_there_are_workers,
		when_the_wait_is_over_its_spare_rests,
		the_spare_of_one_that_is_killed_leaves,
		a_killed_spare_is_replaced_while_it_is_wanted,
		a_new_scheduler_lets_spares_rest_and_go,
		a_drained_worker_has_no_spare,
		tasks_with_needs_that_others_wait_for_run_on_a_spare,
		what_is_booked_for_a_slot_whose_task_begins_to_wait_moves_to_its_spare,
		resources_are_not_counted_twice_because_there_are_spares,
		kills_of_spares_and_schedulers_lose_nothing_that_waits_or_is_waited_for,
		more_spares_than_process_slots_are_refused,
	};
	return run_tests("nested", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
