/* test_replicas.c - one task, run by several workers at once. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/modules/race.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"
#include "tests/support/world.h"

enum { TEST_TIMEOUT_S = 60, MANY = 200, KILLS = 6, TIMES = 20 };

static struct race *race;
static char race_path[128];

static void replicas_boot(const char *workers)
{
	static const struct race empty;
	runtime_boot(&host, "--workers", workers, "--policy", "static-fill", "--module",
	    test_module("mod_race"), );
	host_join();
	scratch_write(&host, "race", &empty, sizeof empty, race_path, sizeof race_path);
	int fd = open(race_path, O_RDWR | O_CLOEXEC);
	race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert(race != MAP_FAILED);
	close(fd);
}

static plm_ref submit_race(const char *function, const plm_terms *terms)
{
	plm_arg path = PLM_BYTES(race_path, strlen(race_path));
	plm_task task = { .function = function, .args = &path, .nargs = 1, .terms = terms };
	plm_ref ref;
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static int wait_one(plm_ref ref)
{
	return plm_wait(client, &ref, 1, 1, DEADLINE_MS, NULL);
}

static void expect_value(plm_ref ref, const char *value)
{
	plm_view view;
	ck_assert_msg(plm_get(client, ref, &view, DEADLINE_MS) == 0, "%s", plm_why());
	ck_assert_uint_eq(view.len, strlen(value));
	ck_assert_int_eq(memcmp(view.data, value, view.len), 0);
	plm_release(client, &view);
}

static void until(_Atomic uint32_t *word, uint32_t least)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (atomic_load(word) < least) {
		ck_assert_msg(clock_ns() < deadline, "a word stays below %u", least);
		nanosleep(&pause, NULL);
	}
}

/* The table has no task and no result, held or not. */
static void expect_nothing_left(void)
{
	static const char none[] =
	    "\"waiting\": 0, \"ready\": 0, \"running\": 0, \"done\": 0, \"failed\": 0, "
	    "\"cancelled\": 0,";
	ctl_until(&host, none, "status", "--json");
}

START_TEST(the_first_good_result_counts_and_the_others_are_cancelled)
{
	replicas_boot("2");
	plm_terms terms = { .replicas = 2 };
	plm_ref ref = submit_race("race.straggle", &terms);
	expect_value(ref, "b");
	until(&race->cancelled, 1);
	plm_drop(client, ref);
	expect_nothing_left();
	host_stop();
}
END_TEST

/* The second replica succeeds while the result of the first is copied. */
START_TEST(a_second_good_result_does_not_queue_the_task_again_that_takes_the_first)
{
	replicas_boot("2");
	plm_terms terms = { .replicas = 2 };
	plm_arg bytes = PLM_BYTES("20000000", 8);
	plm_task task = { .function = "probe.fill", .args = &bytes, .nargs = 1, .terms = &terms };
	for (int i = 0; i < TIMES; i++) {
		plm_ref ref;
		ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
		ck_assert_int_eq(wait_one(ref), 0);
		plm_drop(client, ref);
	}
	expect_nothing_left();
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	ck_assert_uint_eq(status.restarts, 0); /* a worker that loses its task continues */
	host_stop();
}
END_TEST

/* Each worker has cpus for two replicas, and the policy fills one worker before the next. */
START_TEST(replicas_run_on_workers_apart)
{
	replicas_boot("cpus=2 x4");
	plm_terms terms = { .replicas = 4 };
	race->wanted = 4;
	plm_ref ref = submit_race("race.meet", &terms);
	ck_assert_int_eq(wait_one(ref), 0);
	char *save, *out = ctl_expect(&host, 0, "workers", "--json");
	uint32_t workers = 0;
	for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *pid = json_field(line, "pid"), *worker = json_field(line, "worker");
		for (int i = 0; i < 4; i++)
			if (atoi(pid) == race->pid[i])
				workers |= 1u << atoi(worker);
		free(pid);
		free(worker);
	}
	ck_assert_uint_eq(workers, 0xf);
	free(out);
	host_stop();
}
END_TEST

START_TEST(one_good_result_is_enough)
{
	replicas_boot("3");
	plm_terms terms = { .replicas = 3 };
	race->wanted = 3;
	expect_value(submit_race("race.fail", &terms), "c");
	host_stop();
}
END_TEST

START_TEST(a_task_fails_when_all_its_replicas_have)
{
	replicas_boot("3");
	plm_terms terms = { .replicas = 3 };
	race->wanted = 4;
	plm_failure failure;
	plm_ref ref = submit_race("race.fail", &terms);
	ck_assert_int_eq(wait_one(ref), 0);
	ck_assert_int_eq(plm_error(client, ref, &failure), 0);
	ck_assert_int_eq(failure.code, 7);
	ck_assert_uint_eq(atomic_load(&race->begun), 3);
	host_stop();
}
END_TEST

static void refuse(const plm_task *task, const char *why)
{
	plm_ref refs[2];
	ck_assert_int_lt(plm_submit(client, task, refs), 0);
	ck_assert_msg(strstr(plm_why(), why), "\"%s\" says nothing of \"%s\"", plm_why(), why);
}

START_TEST(more_replicas_than_workers_that_can_run_it_are_refused)
{
	replicas_boot("gpus=1 x1; gen=1 x2");
	plm_terms four = { .replicas = 4 }, gpus = { .replicas = 2, .needs = "gpus=1" },
		  many = { .replicas = 1000 }, two = { .replicas = 2 };
	refuse(&(plm_task){ .function = "probe.noop", .terms = &four },
	    "only 3 workers can run the task");
	refuse(&(plm_task){ .function = "probe.noop", .terms = &gpus },
	    "only 1 worker can run the task");
	refuse(&(plm_task){ .function = "probe.noop", .terms = &many }, "at most 64");
	refuse(&(plm_task){ .function = "probe.noop", .terms = &two, .results = 2 }, "2 results");
	char *out = ctl_expect(&host, 64, "call", "--replicas", "0", "probe.noop");
	free(out);
	out = ctl_expect(&host, 0, "call", "--replicas", "3", "probe.echo", "hello");
	ck_assert_str_eq(out, "hello");
	free(out);
	host_stop();
}
END_TEST

START_TEST(cancelling_it_cancels_all_replicas)
{
	replicas_boot("2");
	plm_terms terms = { .replicas = 2 };
	race->wanted = 3; /* two replicas never reach three */
	plm_ref ref = submit_race("race.meet", &terms);
	until(&race->begun, 2);
	ck_assert_int_eq(plm_cancel(client, ref, PLM_GRACE_OF_TASK), 0);
	plm_drop(client, ref);
	expect_nothing_left();
	host_stop();
}
END_TEST

START_TEST(the_death_of_one_worker_changes_nothing)
{
	replicas_boot("2");
	plm_terms terms = { .replicas = 2 };
	plm_ref ref = submit_race("race.straggle", &terms);
	until(&race->begun, 1);
	kill(race->pid[0], SIGKILL);
	plm_view view;
	ck_assert_msg(plm_get(client, ref, &view, DEADLINE_MS) == 0, "%s", plm_why());
	plm_release(client, &view);
	host_stop();
}
END_TEST

static int scheduler_pid(void)
{
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	return (int)status.scheduler_pid;
}

START_TEST(replicas_survive_the_deaths_of_schedulers)
{
	static plm_ref refs[MANY];
	static const char value[100] = "as long as it does not fit into a record";
	replicas_boot("3");
	plm_terms terms = { .replicas = 2 };
	plm_arg arg = PLM_BYTES(value, sizeof value);
	plm_task task = { .function = "probe.echo", .args = &arg, .nargs = 1, .terms = &terms };
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(plm_submit(client, &task, &refs[i]), 0);
	for (int i = 0; i < KILLS; i++) {
		int pid = scheduler_pid();
		if (pid > 0)
			kill(pid, SIGKILL);
		size_t settled = (size_t)(i + 1) * MANY / (KILLS + 1);
		plm_wait(client, refs, MANY, settled, DEADLINE_MS, NULL);
	}
	for (int i = 0; i < MANY; i++) {
		plm_view view;
		ck_assert_msg(plm_get(client, refs[i], &view, DEADLINE_MS) == 0, "%s", plm_why());
		ck_assert_uint_eq(view.len, sizeof value);
		plm_release(client, &view);
	}
	plm_drop_many(client, refs, MANY);
	expect_nothing_left();
	host_stop();
}
END_TEST

/* The scheduler reads the drop before it looks at settled tasks. */
START_TEST(a_task_that_is_cancelled_and_dropped_at_once_takes_its_replicas_with_it)
{
	plm_ref ref;
	world_boot();
	world.tables.control->kind[0].count = 3; /* workers enough for all replicas */
	const plm_terms terms = { .replicas = 3 };
	const plm_arg ms = PLM_BYTES("600000", 6);
	const plm_task task = {
		.function = "probe.sleep", .args = &ms, .nargs = 1, .terms = &terms
	};
	ck_assert_msg(plm_submit(&world.a, &task, &ref) == 0, "%s", plm_why());
	ck_assert_int_eq(plm_cancel(&world.a, ref, PLM_GRACE_OF_TASK), 0);
	plm_drop(&world.a, ref);
	world_settle();
	for (uint32_t i = 0; i < pool_fresh(&world.tables.pool); i++)
		ck_assert(!record_unsettled(sh_load(&record_at(&world.tables, i)->state)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replicas");
	TCase *tests = tcase_create("replicas");
	tcase_set_timeout(tests, TEST_TIMEOUT_S);
	tcase_add_test(tests, the_first_good_result_counts_and_the_others_are_cancelled);
	tcase_add_test(
	    tests, a_second_good_result_does_not_queue_the_task_again_that_takes_the_first);
	tcase_add_test(tests, replicas_run_on_workers_apart);
	tcase_add_test(tests, one_good_result_is_enough);
	tcase_add_test(tests, a_task_fails_when_all_its_replicas_have);
	tcase_add_test(tests, more_replicas_than_workers_that_can_run_it_are_refused);
	tcase_add_test(tests, cancelling_it_cancels_all_replicas);
	tcase_add_test(
	    tests, a_task_that_is_cancelled_and_dropped_at_once_takes_its_replicas_with_it);
	tcase_add_test(tests, the_death_of_one_worker_changes_nothing);
	tcase_add_test(tests, replicas_survive_the_deaths_of_schedulers);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
