/* test_wakes.c - on a full machine short tasks wake no worker; yet no task stays behind a long one.
 * The machine here has one core: the runtime inherits the affinity of the test. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/handle.h"
#include "tests/support/command_case.h"
#include "tests/support/fixture.h"
#include "tests/support/modules/gauge.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 60,
	ROUNDS = 100,
	CHAIN = 500,
	STOPS = 10,
	TEXT_BYTES = 8192,
	LONG_TASKS = 6,
	LINE_BYTES = 256
};

struct gate { /* where tasks stand until it opens */
	struct gauge *gauge;
	char path[128];
};

static struct gate make_gate(const char *name)
{
	static const struct gauge closed;
	struct gate gate;
	scratch_write(&host, name, &closed, sizeof closed, gate.path, sizeof gate.path);
	int fd = open(gate.path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	gate.gauge = mmap(NULL, sizeof *gate.gauge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	ck_assert(gate.gauge != MAP_FAILED);
	return gate;
}

static void leave_gate(struct gate *gate)
{
	munmap(gate->gauge, sizeof *gate->gauge);
}

static bool somebody_stands(void *gate)
{
	return atomic_load(&((struct gate *)gate)->gauge->now) > 0;
}

static void stay_on_one_core(void)
{
	cpu_set_t allowed, one;
	int core = 0;
	ck_assert_int_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	while (!CPU_ISSET(core, &allowed))
		core++;
	CPU_ZERO(&one);
	CPU_SET(core, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

/* Short tasks, each after the last: a worker runs all of them, and the scheduler soon sleeps
 * without a look. Returns the last. */
static plm_ref submit_chain(void)
{
	static char text[TEXT_BYTES];
	memset(text, 'x', sizeof text);
	plm_ref last = submit_args(client, "probe.wordcount", &PLM_BYTES(text, sizeof text), 1);
	for (int i = 0; i < CHAIN; i++) {
		plm_arg args[] = { PLM_BYTES(text, sizeof text), PLM_FUTURE(last) };
		plm_ref next = submit_args(client, "probe.wordcount", args, 2);
		plm_drop(client, last);
		last = next;
	}
	return last;
}

static bool all_stand(void *gate)
{
	return atomic_load(&((struct gate *)gate)->gauge->now) == LONG_TASKS;
}

/* The worker that settles the last task of the chain queues its successors in its own ring, wakes
 * nobody for them, and then runs one of them, which does not end before all others have begun. A
 * round without the look of the scheduler takes a second (SAFETY_TICK_MS), so that the test would
 * end too late. */
START_TEST(successors_behind_a_long_task_run_on_workers_that_slept)
{
	stay_on_one_core();
	runtime_boot(&host, "--workers", "8", "--module", test_module("mod_gauge"), );
	host_join();
	struct gate gate = make_gate("gate");
	for (int round = 0; round < ROUNDS; round++) {
		plm_ref refs[LONG_TASKS];
		ck_assert_int_eq(plm_pause(client), 0);
		plm_ref last = submit_chain();
		for (int i = 0; i < LONG_TASKS; i++) {
			plm_arg args[] = { PLM_BYTES(gate.path, strlen(gate.path)),
				PLM_FUTURE(last) };
			refs[i] = submit_args(client, "gauge.stand", args, 2);
		}
		atomic_store(&gate.gauge->open, 0);
		ck_assert_int_eq(plm_resume(client), 0);
		roles_until(all_stand, &gate, "every long task runs at the same time");
		atomic_store(&gate.gauge->open, 1);
		for (int i = 0; i < LONG_TASKS; i++)
			expect_wait(client, refs[i]);
		plm_drop_many(client, refs, LONG_TASKS);
		plm_drop(client, last);
	}
	leave_gate(&gate);
	host_stop();
}
END_TEST

static plm_ref stand(const struct gate *gate, plm_ref after, int priority)
{
	plm_ref ref;
	plm_arg args[2] = { PLM_BYTES(gate->path, strlen(gate->path)), PLM_FUTURE(after) };
	plm_task task = { .function = "gauge.stand",
		.args = args,
		.nargs = after.id ? 2 : 1,
		.priority = priority };
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

/* In the task heap, or in the ring of the worker behind the running task. */
static bool a_task_is_queued(void *context)
{
	(void)context;
	const struct tables *t = plm_tables(client);
	uint32_t worker = process_nth_slot(t, KIND_WORKER, 0);
	struct ring ring = ring_down(t, worker);
	uint32_t running = sh_load(&t->process[worker].handed) == 0; /* its hint is in the ring */
	return heap_length(&t->task_heap) > 0 || ring_used(&ring) > running;
}

static bool either_stands(void *gates)
{
	struct gate *gate = gates;
	return somebody_stands(&gate[1]) || somebody_stands(&gate[2]);
}

/* The worker that settles a task could run the successor without asking anybody. */
START_TEST(a_queued_task_of_higher_priority_goes_before_a_successor)
{
	runtime_boot(&host, "--workers", "1", "--module", test_module("mod_gauge"), );
	host_join();
	struct gate gate[3] = { make_gate("first"), make_gate("next"), make_gate("high") };
	plm_ref first = stand(&gate[0], PLM_NONE, 0), next = stand(&gate[1], first, 0);
	roles_until(somebody_stands, &gate[0], "the first task runs");
	plm_ref high = stand(&gate[2], PLM_NONE, 1);
	roles_until(a_task_is_queued, NULL, "the task of higher priority is queued");
	atomic_store(&gate[0].gauge->open, 1);
	roles_until(either_stands, gate, "a second task runs");
	ck_assert(somebody_stands(&gate[2]));
	atomic_store(&gate[1].gauge->open, 1);
	atomic_store(&gate[2].gauge->open, 1);
	expect_wait(client, next);
	plm_drop_many(client, (plm_ref[]){ first, next, high }, 3);
	for (int i = 0; i < 3; i++)
		leave_gate(&gate[i]);
	host_stop();
}
END_TEST

static pid_t stop_worker(uint32_t n)
{
	const struct tables *t = plm_tables(client);
	pid_t pid = t->process[process_nth_slot(t, KIND_WORKER, n)].pid;
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	return pid;
}

/* Tasks in the hand and in the ring of a stopped worker are left to the other worker. */
START_TEST(a_worker_stopped_between_two_tasks_delays_no_task)
{
	static plm_ref refs[CHAIN];
	runtime_boot(&host, "--workers", "2", );
	host_join();
	for (uint32_t round = 0; round < STOPS; round++) {
		plm_ref last = submit_chain(); /* both workers are awake */
		expect_wait(client, last);
		pid_t stopped = stop_worker(round % 2);
		for (int i = 0; i < CHAIN; i++)
			refs[i] = submit_args(client, "probe.wordcount", &PLM_BYTES("a b", 3), 1);
		for (int i = 0; i < CHAIN; i++)
			expect_wait(client, refs[i]);
		kill(stopped, SIGCONT);
		plm_drop(client, last);
		plm_drop_many(client, refs, CHAIN);
	}
	host_stop();
}
END_TEST

/* The kernel's slice of the reading process, as /proc tells it; "" where it does not. */
static void own_slice(char line[LINE_BYTES])
{
	FILE *f = fopen("/proc/self/sched", "re");
	while (f && fgets(line, LINE_BYTES, f))
		if (strncmp(line, "se.slice", strlen("se.slice")) == 0) {
			fclose(f);
			return;
		}
	if (f)
		fclose(f);
	line[0] = 0;
}

START_TEST(a_command_has_the_slice_of_the_kernel_and_not_that_of_its_worker)
{
	char expected[LINE_BYTES];
	host_boot_two();
	own_slice(expected);
	if (expected[0])
		check_output(
		    order("--", "grep", "se.slice", "/proc/self/sched"), 0, expected, NULL);
	else
		fprintf(stderr, "skipped: this kernel does not show se.slice\n");
	host_stop();
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		successors_behind_a_long_task_run_on_workers_that_slept,
		a_queued_task_of_higher_priority_goes_before_a_successor,
		a_worker_stopped_between_two_tasks_delays_no_task,
		a_command_has_the_slice_of_the_kernel_and_not_that_of_its_worker,
	};
	return run_tests("wakes", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
