/* test_place.c - who is given tasks: a scheduler, and workers that are slots of a table and never
 * run anything, so that what stands in front of each can be counted. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "scheduler/scheduler.h"
#include "tables/spin.h"
#include "tests/run_suite.h"
#include "worker/modules.h"

enum {
	CORES = 2,
	CREW = SPIN_CROWD * CORES,
	WORKERS = 32,
	TASKS = 2000,
	TINY_NS = 200,
	LONG_NS = 5000000,
	STEPS_MAX = 10000,
};

static const struct limits limits = { .processes = 64, .workers = WORKERS, .records = 4096,
	.nodes = 1, .store_bytes = 1 << 20 };

static struct tables tables, scheduler_tables;
static struct scheduler scheduler;
static struct plm client;

static uint32_t worker_slot(uint32_t i)
{
	return process_nth_slot(&tables, KIND_WORKER, i);
}

/* LIVE and asleep; its tasks took so long lately. */
static void add_worker(uint32_t i, uint32_t average_ns)
{
	struct process *p = &tables.process[worker_slot(i)];
	p->worker = i;
	ck_assert(process_claim(p, KIND_WORKER, 0, "worker"));
	uint64_t word = sh_load(&p->state);
	ck_assert(process_step(p, &word, PROCESS_LIVE));
	sh_poke(&p->average_ns, average_ns);
	sh_store(&tables.control->changes, sh_load(&tables.control->changes) + 1);
}

static void register_probe(void)
{
	const char *names[64];
	const plm_module *module;
	ck_assert_int_eq(module_open(MODULE_BUILTIN, &module), 0);
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].name;
	ck_assert_int_eq(registry_add(&tables.registry, MODULE_BUILTIN, module->name, names,
	    module->count), 0);
}

/* No look at what is stuck comes by itself, however slow this machine is. */
static void rest(void)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		scheduler.next_look_ns = DEADLINE_NEVER - 1;
		if (scheduler_step(&scheduler) == 0)
			return;
	}
	ck_abort_msg("the scheduler never comes to rest");
}

static void boot(const char *policy, uint32_t average_ns)
{
	char name[RUNTIME_NAME_BYTES];
	snprintf(name, sizeof name, "place-%d", (int)getpid());
	ck_assert_int_eq(tables_create(name, &limits, &tables), 0);
	tables_unlink(name);
	register_probe();
	tables.control->cores = CORES;
	for (uint32_t i = 0; policy_at(i); i++)
		if (strcmp(policy_at(i)->name, policy) == 0)
			sh_store(&tables.control->policy, i);
	ck_assert(process_claim(&tables.process[SLOT_MANAGER], KIND_MANAGER, 0, "manager"));
	ck_assert(process_claim(&tables.process[SLOT_SCHEDULER], KIND_SCHEDULER, 0, "scheduler"));
	tables_share(&tables, &scheduler_tables);
	ck_assert_int_eq(scheduler_open(&scheduler, &scheduler_tables), 0);
	sh_store(&tables.control->mode, MODE_UP);
	for (uint32_t i = 0; i < WORKERS; i++)
		add_worker(i, average_ns);
	client = (struct plm){ .socket = -1 };
	tables_share(&tables, &client.tables);
	uint32_t slot = process_nth_slot(&tables, KIND_CLIENT, 0);
	ck_assert(process_claim(&tables.process[slot], KIND_CLIENT, 0, "client"));
	ck_assert_int_eq(handle_open(&client, slot), 0);
	rest();
}

/* As one batch: tasks that come alone are handed to idle workers by the client itself. */
static void submit_many(void)
{
	static plm_task tasks[TASKS];
	static plm_ref refs[TASKS];
	for (int i = 0; i < TASKS; i++)
		tasks[i].function = "probe.noop";
	ck_assert_int_eq(plm_submit_many(&client, tasks, TASKS, refs), 0);
	rest();
}

static uint32_t workers_with_tasks(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < WORKERS; i++)
		n += place_outstanding(&scheduler, worker_slot(i)) > 0;
	return n;
}

/* The next look at what was given is due: those that took nothing since the last are stuck. */
static void look_again(void)
{
	room_look_for_stuck(&scheduler);
	rest();
}

START_TEST(tiny_tasks_keep_no_more_workers_awake_than_the_cores_carry)
{
	boot("locality", TINY_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), CREW);
	ck_assert_uint_gt(heap_length(&tables.task_heap), 0);
}
END_TEST

START_TEST(twice_as_many_are_woken_at_each_look_that_finds_some_stuck)
{
	boot("locality", TINY_NS);
	submit_many();
	uint32_t expected = CREW;
	for (uint32_t crew = 2 * CREW; expected < WORKERS; crew *= 2) {
		look_again();
		expected = expected + crew < WORKERS ? expected + crew : WORKERS;
		ck_assert_uint_eq(workers_with_tasks(), expected);
	}
}
END_TEST

START_TEST(long_tasks_wake_as_many_workers_as_there_are)
{
	boot("locality", LONG_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), WORKERS);
}
END_TEST

START_TEST(a_policy_that_spreads_wakes_all_for_tiny_tasks_too)
{
	boot("round-robin", TINY_NS);
	submit_many();
	ck_assert_uint_eq(workers_with_tasks(), WORKERS);
}
END_TEST

START_TEST(a_ring_is_filled_by_time)
{
	boot("locality", LONG_NS);
	submit_many();
	for (uint32_t i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(place_outstanding(&scheduler, worker_slot(i)), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *place = tcase_create("place");
	tcase_add_test(place, tiny_tasks_keep_no_more_workers_awake_than_the_cores_carry);
	tcase_add_test(place, twice_as_many_are_woken_at_each_look_that_finds_some_stuck);
	tcase_add_test(place, long_tasks_wake_as_many_workers_as_there_are);
	tcase_add_test(place, a_policy_that_spreads_wakes_all_for_tiny_tasks_too);
	tcase_add_test(place, a_ring_is_filled_by_time);
	suite_add_tcase(suite, place);
	return run_suite(suite);
}
