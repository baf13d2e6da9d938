/* test_awake.c - which worker gets a task by hand, which worker is woken, and when a worker that
 * has nothing to do looks at the others; and which drop wakes the scheduler. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "base/clock.h"
#include "tables/cores.h"
#include "tables/handover.h"
#include "tables/spin.h"
#include "tests/support/run_suite.h"
#include "tests/support/stage.h"
#include "worker/worker.h"

enum {
	TEST_TIMEOUT_S = 60,
	WORKERS = 4,
	QUICK_NS = 3000,
	SLOW_NS = 10000000,
	LOOKS = 50,
	NAPS = 5,
	SMALL_BYTES = 512, /* more than a record holds inline */
	LARGE_BYTES = 64 << 10,
	LOOK_NS = 2000000, /* longer than the time between two looks of task_sleep.c */
};

static const struct limits limits = {
	.processes = 64, .workers = WORKERS, .records = 256, .nodes = 1, .store_bytes = 1 << 20
};
static struct tables *tables = &stage.tables;
static struct worker worker; /* plays worker 0 */

static struct process *row(uint32_t i)
{
	return &tables->process[stage_worker(i)];
}

static void boot(uint32_t average_ns)
{
	stage_boot(&(struct stage_plan){ "locality", WORKERS, average_ns, 0, limits });
	tables_share(tables, &worker.rt.tables);
	worker.rt.self = worker.rt.tables.self = stage_worker(0);
	worker.rt.me = row(0);
	worker.next = NO_RECORD;
}

/* A worker that runs a task. */
static void keep_busy(uint32_t i)
{
	process_set_awake(tables, stage_worker(i), true);
	sh_store(&row(i)->handed, HAND_CLOSED);
}

/* A READY task of which only the caller knows. */
static uint64_t ready_task(const plm_terms *terms)
{
	plm_task task = { .function = "probe.noop", .terms = terms };
	plm_ref ref;
	keep_busy(0); /* so that no worker has it in its hand */
	for (uint32_t i = 1; i < WORKERS; i++)
		sh_store(&row(i)->handed, HAND_CLOSED);
	ck_assert_int_eq(plm_submit(&stage.client[0], &task, &ref), 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		sh_store(&row(i)->handed, 0);
	process_set_awake(tables, stage_worker(0), false);
	return hint_make(HINT_LOOK, ref.id);
}

/* ---- a task by hand ---- */

static enum handover hand_over(uint64_t hint)
{
	uint32_t process;
	return handover(tables, hint, &process);
}

START_TEST(a_worker_that_is_awake_gets_the_task_before_workers_that_sleep)
{
	boot(QUICK_NS);
	uint64_t hint = ready_task(NULL);
	process_set_awake(tables, stage_worker(2), true);
	ck_assert_int_eq(hand_over(hint), HANDOVER_GIVEN);
	ck_assert_uint_eq(sh_load(&row(2)->handed), hint);
}
END_TEST

/* A task to be given while the first `busy` workers run tasks of such a length. */
static uint64_t task_beside_busy(uint32_t busy, uint32_t average_ns)
{
	boot(average_ns);
	uint64_t hint = ready_task(NULL);
	for (uint32_t i = 0; i < busy; i++)
		keep_busy(i);
	return hint;
}

static void expect_wake_of(uint32_t i, uint64_t hint)
{
	ck_assert_int_eq(hand_over(hint), HANDOVER_GIVEN);
	ck_assert_uint_eq(sh_load(&row(i)->handed), hint);
}

START_TEST(no_worker_is_woken_while_quick_workers_use_every_core)
{
	uint64_t hint = task_beside_busy(STAGE_CORES, QUICK_NS);
	ck_assert_int_eq(hand_over(hint), HANDOVER_NOT_WORTH_A_WAKE);
	sh_store(&row(0)->tasks_sleep, 1); /* its core is free most of the time */
	expect_wake_of(STAGE_CORES, hint);
}
END_TEST

START_TEST(a_worker_is_woken_beside_workers_with_long_tasks)
{
	expect_wake_of(STAGE_CORES, task_beside_busy(STAGE_CORES, SLOW_NS));
}
END_TEST

START_TEST(without_an_idle_worker_the_task_is_refused)
{
	ck_assert_int_eq(hand_over(task_beside_busy(WORKERS, QUICK_NS)), HANDOVER_REFUSED);
}
END_TEST

/* ---- a worker with nothing to do ---- */

static void queue_at(uint32_t i, uint64_t hint)
{
	struct ring ring = ring_down(tables, stage_worker(i));
	ck_assert_uint_eq(ring_push(&ring, &hint, 1), 1);
}

START_TEST(a_ready_task_behind_a_busy_worker_is_seen)
{
	boot(QUICK_NS);
	uint64_t hint = ready_task(NULL), word;
	keep_busy(1);
	ck_assert(!steal_would_succeed(&worker));
	queue_at(1, hint);
	ck_assert(steal_would_succeed(&worker));
	struct record *r = record_at(tables, (uint32_t)hint);
	word = sh_load(&r->state);
	ck_assert(record_step(r, &word, RECORD_RUNNING, stage_worker(1), 1, 0));
	ck_assert(!steal_would_succeed(&worker));
}
END_TEST

static void *run_worker(void *context)
{
	worker_run(context);
	return NULL;
}

static void await_sleep(uint32_t i)
{
	uint64_t deadline = clock_ns() + (uint64_t)TEST_TIMEOUT_S / 2 * NS_PER_S;
	while (process_awake(tables, stage_worker(i))) {
		ck_assert_msg(clock_ns() < deadline, "the worker does not sleep");
		sched_yield();
	}
}

/* The task has needs, and this worker is not booked for it. */
START_TEST(a_worker_sleeps_although_it_sees_a_task_that_it_cannot_have)
{
	pthread_t thread;
	boot(QUICK_NS);
	plm_terms terms = { .needs = "cpus=1" };
	queue_at(1, ready_task(&terms));
	process_set_awake(tables, stage_worker(0), true);
	process_set_awake(tables, stage_worker(1), true);
	ck_assert(steal_would_succeed(&worker));
	ck_assert_int_eq(pthread_create(&thread, NULL, run_worker, &worker), 0);
	await_sleep(0);
	atomic_store(&worker.stop, true);
	process_bump(tables, stage_worker(0));
	pthread_join(thread, NULL);
}
END_TEST

/* ---- tasks that sleep ---- */

static void burn(uint64_t ns)
{
	for (uint64_t end = clock_ns() + ns; clock_ns() < end;)
		;
}

static void nap(void)
{
	struct timespec moment = { .tv_nsec = 1000 };
	nanosleep(&moment, NULL);
}

static void end_task(uint64_t ns, bool sleeps)
{
	if (sleeps)
		nap();
	burn(ns);
	worker.now_ns = clock_ns();
	task_sleep_note(&worker);
}

START_TEST(the_kernel_tells_whether_tasks_sleep)
{
	boot(QUICK_NS);
	end_task(LOOK_NS, false); /* begins to count */
	for (int i = 0; i < NAPS; i++)
		end_task(LOOK_NS, true);
	ck_assert_uint_eq(sh_load(&row(0)->tasks_sleep), 1);
	end_task(LOOK_NS, false);
	ck_assert_uint_eq(sh_load(&row(0)->tasks_sleep), 0);
}
END_TEST

START_TEST(the_sleep_of_the_worker_itself_is_not_a_sleep_of_its_tasks)
{
	boot(QUICK_NS);
	end_task(LOOK_NS, false);
	nap();
	worker.task_sleep.parks++;
	end_task(LOOK_NS, false);
	ck_assert_uint_eq(sh_load(&row(0)->tasks_sleep), 0);
}
END_TEST

static bool makes_way(bool *ret_wakes)
{
	const struct event *event = &tables->process[SLOT_SCHEDULER].event;
	uint32_t seen = event_prepare(&tables->process[SLOT_SCHEDULER].event);
	bool made = worker_makes_way(&worker);
	*ret_wakes = sh_load(&event->word) != seen;
	return made;
}

START_TEST(a_worker_without_work_makes_way_for_quick_workers_on_every_core)
{
	bool wakes;
	boot(QUICK_NS);
	sh_store(&tables->control->looks, 0);
	keep_busy(0);
	for (uint32_t i = 1; i < STAGE_CORES; i++)
		keep_busy(i);
	ck_assert(!makes_way(&wakes)); /* a core is left for us */
	keep_busy(STAGE_CORES);
	ck_assert(makes_way(&wakes));
	ck_assert(wakes); /* else nobody would find the tasks behind a task that turns out long */
	sh_store(&tables->control->looks, 1);
	ck_assert(makes_way(&wakes));
	ck_assert(!wakes);
	sh_store(&row(1)->tasks_sleep, 1); /* its core is free most of the time */
	ck_assert(!makes_way(&wakes));
}
END_TEST

/* ---- cores ---- */

START_TEST(a_worker_leaves_the_core_of_a_busy_worker_and_keeps_its_affinity)
{
	cpu_set_t before, after;
	boot(QUICK_NS);
	ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
	cores_note(&worker.rt.tables);
	cores_part_after_wake(&worker.rt.tables);
	ck_assert_uint_eq(worker.rt.tables.may_move_ns, 0); /* alone: it stays */
	keep_busy(1);
	for (int i = 0; i < LOOKS && worker.rt.tables.may_move_ns == 0; i++) {
		sh_store(&row(1)->cpu, (uint32_t)sched_getcpu()); /* the kernel may move us */
		cores_part_after_wake(&worker.rt.tables);
	}
	ck_assert_uint_ne(worker.rt.tables.may_move_ns, 0);
	ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
	ck_assert(CPU_EQUAL(&before, &after));
}
END_TEST

/* Looks between tasks; row(1) stands where `place` puts it before each. True: the worker moved. */
static bool moves_at_work(void (*place)(int look))
{
	struct cores_look look = { 0 };
	uint64_t now = clock_ns();
	worker.rt.tables.may_move_ns = 0;
	for (int i = 0; i < LOOKS && look.may_move_ns == 0; i++) {
		place(i);
		cores_part_at_work(&worker.rt.tables, &look, now += LOOK_NS);
	}
	ck_assert_int_eq(look.may_move_ns != 0, worker.rt.tables.may_move_ns != 0);
	return look.may_move_ns != 0;
}

static void waits_for_our_core(int look)
{
	(void)look;
	sh_store(&row(1)->running, 1);
	sh_store(&row(1)->cpu, (uint32_t)sched_getcpu()); /* the kernel may move us */
}

static void has_another_core(int look)
{
	waits_for_our_core(look);
	sh_store(&row(1)->cpu, CPU_SETSIZE - 1);
}

static void goes_on(int look)
{
	waits_for_our_core(look);
	sh_store(&row(1)->running, (uint64_t)look + 1);
}

static void begins_nothing(int look)
{
	has_another_core(look);
	sh_store(&row(1)->running, 0);
}

START_TEST(a_worker_at_work_leaves_its_core_to_a_worker_that_waits_for_it)
{
	cpu_set_t before, after;
	boot(QUICK_NS);
	ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
	process_set_awake(tables, stage_worker(1), true);
	ck_assert(moves_at_work(waits_for_our_core));
	ck_assert(!moves_at_work(has_another_core));
	ck_assert(!moves_at_work(goes_on));
	ck_assert(!moves_at_work(begins_nothing)); /* it has nothing to begin */
	queue_at(1, hint_make(HINT_LOOK, record_ref(1, 1)));
	ck_assert(moves_at_work(begins_nothing)); /* woken, and has no core yet */
	sh_store(&row(1)->average_ns, SLOW_NS);
	ck_assert(!moves_at_work(waits_for_our_core)); /* it may run a long task elsewhere */
	ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
	ck_assert(CPU_EQUAL(&before, &after));
}
END_TEST

START_TEST(a_worker_at_work_stays_while_no_core_is_free)
{
	boot(QUICK_NS);
	for (uint32_t i = 1; i <= STAGE_CORES; i++)
		process_set_awake(tables, stage_worker(i), true);
	process_set_awake(tables, worker.rt.self, true);
	ck_assert(!moves_at_work(waits_for_our_core));
}
END_TEST

/* ---- the spin of the scheduler ---- */

enum { BATCH = 32, WORK_NS = 10000 }; /* looks before the first yield */

static bool count_looks(void *context)
{
	uint32_t *looks = context;
	++*looks;
	return false;
}

static uint32_t looks_of_a_spin(uint32_t cpu)
{
	struct tables scheduler;
	uint32_t looks = 0;
	tables_share(tables, &scheduler);
	scheduler.self = SLOT_SCHEDULER;
	sh_store(&row(0)->cpu, cpu);
	spin_until(&scheduler, count_looks, &looks);
	return looks;
}

START_TEST(the_scheduler_yields_no_core_to_a_worker_that_keeps_it)
{
	static const uint64_t hints[BATCH];
	cpu_set_t one;
	uint32_t most = 0, here = (uint32_t)sched_getcpu();
	boot(WORK_NS);
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
	for (uint32_t i = 0; i < STAGE_CORES + 1; i++)
		keep_busy(i);
	struct ring ring = ring_down(tables, stage_worker(0));
	ck_assert_uint_eq(ring_push(&ring, hints, BATCH), BATCH);
	for (int i = 0; i < LOOKS; i++)
		ck_assert_uint_le(looks_of_a_spin(here), BATCH);
	for (int i = 0; i < LOOKS && most <= BATCH; i++) /* on a busy machine a yield is long */
		most = looks_of_a_spin(here + 1);
	ck_assert_uint_gt(most, BATCH);
	sh_store(&row(0)->average_ns, 1); /* the ring is done in a moment */
	for (int i = 0; i < LOOKS && (i == 0 || most <= BATCH); i++)
		most = looks_of_a_spin(here);
	ck_assert_uint_gt(most, BATCH);
}
END_TEST

/* ---- the scheduler after a drop ---- */

/* True: the drop of an object of `bytes` bytes has woken the scheduler. */
static bool drop_wakes(size_t bytes)
{
	static const char zeroes[LARGE_BYTES];
	struct event *event = &tables->process[SLOT_SCHEDULER].event;
	plm_ref ref;
	ck_assert_int_eq(plm_put(&stage.client[0], zeroes, bytes, &ref), 0);
	uint32_t seen = event_prepare(event);
	plm_drop(&stage.client[0], ref);
	return sh_load(&event->word) != seen;
}

START_TEST(a_drop_that_gives_back_little_room_lets_the_scheduler_sleep)
{
	boot(QUICK_NS);
	ck_assert(!drop_wakes(SMALL_BYTES));
	ck_assert(drop_wakes(LARGE_BYTES));
	plm_ref filler;
	void *data;
	struct arena_usage usage;
	store_usage(tables, &usage);
	ck_assert_int_eq(plm_create(&stage.client[0], usage.total_bytes / 2, &data, &filler), 0);
	ck_assert(drop_wakes(SMALL_BYTES)); /* may stand between two large holes */
	plm_drop(&stage.client[0], filler);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		a_worker_that_is_awake_gets_the_task_before_workers_that_sleep,
		no_worker_is_woken_while_quick_workers_use_every_core,
		a_worker_is_woken_beside_workers_with_long_tasks,
		without_an_idle_worker_the_task_is_refused,
		a_ready_task_behind_a_busy_worker_is_seen,
		a_worker_sleeps_although_it_sees_a_task_that_it_cannot_have,
		the_kernel_tells_whether_tasks_sleep,
		the_sleep_of_the_worker_itself_is_not_a_sleep_of_its_tasks,
		a_worker_without_work_makes_way_for_quick_workers_on_every_core,
		a_worker_leaves_the_core_of_a_busy_worker_and_keeps_its_affinity,
		a_worker_at_work_leaves_its_core_to_a_worker_that_waits_for_it,
		a_worker_at_work_stays_while_no_core_is_free,
		the_scheduler_yields_no_core_to_a_worker_that_keeps_it,
		a_drop_that_gives_back_little_room_lets_the_scheduler_sleep,
	};
	return run_tests("awake", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
