/* test_slots.c - no worker ever runs more tasks than its processes, cpus and resources allow.
 *
 * Each task notes its begin and end, its process, and the cpus and GPUs that it was given
 * (mod_events.c). Then the test replays the notes in the order of time and compares the tasks that
 * ran at once with the declared resources: for each policy, with workers and schedulers killed
 * meanwhile. PLM_SLOTS_SEED repeats a run's choices. */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "spec/spec.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	TASKS = 1200,
	EVENTS_MAX = 1 << 16,
	PROCESSES_EVER = 512,
	WORKERS = 5,
	CRASH_RETRIES = 200,
	WORKER_KILLS = 16,
	SCHEDULER_KILLS = 3,
	LONGEST_US = 600,
	NEST_EVERY = 16,
	CHILDREN = 3,
	SHORT_US = 1000,
	LONG_US = 300000,
	LONGER_US = 900000,
	NEEDS_NOTHING = 0, /* indices of needs_of */
	NEEDS_2_CPUS = 1,
	NEEDS_LICENCE = 3,
	NEEDS_3_CPUS = 7,
	NEEDS_4_CPUS = 12,
};

static const char mixed[] = "gen=4,cpus=3,gpus=2,licence=2 x1; gen=2,cpus=2,gpus=1 x2; "
			    "gen=1,cpus=2,licence=1 x1; gen=1,cpus=1 x1";
static const char *const policies[] = { "locality", "load-aware", "power-of-two", "round-robin",
	"random", "static-fill" };

/* The alternatives of a task differ in cpus, so the notes tell which alternative was taken. */
static const char *const needs_of[] = { NULL, "cpus=2", NULL, "licence=1", "gpus=0.5",
	"cpus=2,gpus=1", NULL, "cpus=3", "gpus=0.25", "licence=0.5", "gpus=1", "mem=400M", "cpus=4",
	"licence=2 | cpus=3", "gpus=2", "mem=300M,licence=1",
	"gpus=1 | cpus=2 | cpus=3,licence=1" };

struct order { /* argument of mod_events.c */
	uint64_t task, us, children;
};

struct run_event { /* note of mod_events.c */
	uint64_t begin_ns, end_ns, process, task, cpus, gpus;
};

struct events {
	uint64_t count;
	struct run_event event[EVENTS_MAX];
};

struct process_ever { /* a worker process, living or killed */
	uint64_t pid, killed_ns;
	uint32_t worker, kind;
	unsigned depth;                /* during the replay: tasks on the stack */
	const struct run_event *event; /* the lowest task; the tasks above run in its place */
};

static struct events *events;
static struct process_ever process_ever[PROCESSES_EVER];
static size_t processes_ever;
static uint64_t random_state;
static plm_ref refs[TASKS];
static uint64_t seed;
static struct terms terms_of[COUNT_OF(needs_of)];

/* ---- the run ---- */

/* No spares: a spare runs while a task waits, and the notes do not show waiting. */
static void slots_boot(const char *workers, const char *policy)
{
	events = shared_file(sizeof *events, "TEST_EVENTS");
	runtime_boot(&host, "--workers", workers, "--module", test_module("mod_events"), "--policy",
	    policy, "--memory", "1G", "--spares", "0", );
	host_join();
	for (size_t i = 0; i < COUNT_OF(needs_of); i++)
		if (needs_of[i] && workers == mixed)
			ck_assert_int_eq(spec_needs(needs_of[i],
					     &plm_tables(client)->control->resources, &terms_of[i]),
			    0);
	seed = random_state = number_from("PLM_SLOTS_SEED", clock_ns()) | 1;
	printf("slots: %s, PLM_SLOTS_SEED=%" PRIu64 "\n", policy, seed);
}

static void submit_order(size_t i, const struct order *order)
{
	const char *needs = needs_of[order->task];
	plm_terms terms = { .needs = needs };
	plm_task task = { .function = "events.run",
		.args = &PLM_BYTES(order, sizeof *order),
		.nargs = 1,
		.terms = needs ? &terms : NULL,
		.crash_retries = CRASH_RETRIES };
	ck_assert_msg(plm_submit(client, &task, &refs[i]) == 0, "%s", plm_why());
}

static void submit_all(void)
{
	for (size_t i = 0; i < TASKS; i++) {
		size_t needs = random_next(&random_state) % COUNT_OF(needs_of);
		struct order order = { .task = needs,
			.us = random_next(&random_state) % LONGEST_US,
			.children = random_next(&random_state) % NEST_EVERY ? 0 : CHILDREN };
		submit_order(i, &order);
	}
}

static struct process_ever *find_process(uint64_t pid)
{
	for (size_t i = 0; i < processes_ever; i++)
		if (process_ever[i].pid == pid)
			return &process_ever[i];
	return NULL;
}

/* Only the test ends workers, so each noted process is a killed or a living worker process. */
static struct process_ever *remember(const struct process *p)
{
	struct process_ever *known = find_process((uint64_t)p->pid);
	if (known)
		return known;
	ck_assert_uint_lt(processes_ever, PROCESSES_EVER);
	known = &process_ever[processes_ever++];
	*known = (struct process_ever){
		.pid = (uint64_t)p->pid, .worker = p->worker, .kind = p->worker_kind
	};
	ck_assert_uint_lt(known->worker, WORKERS);
	return known;
}

static void remember_all(void)
{
	const struct tables *t = plm_tables(client);
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_LIVE)
			remember(&t->process[i]);
	}
}

static void kill_one(enum process_kind kind)
{
	const struct process *victim = pick_member(client, kind, &random_state);
	if (victim && kind == KIND_WORKER)
		remember(victim)->killed_ns = clock_ns(); /* end of the running task */
	if (victim)
		kill_member(&host, victim);
}

static void kill_on_the_way(unsigned kills, unsigned scheduler_kills)
{
	for (unsigned i = 1; i <= kills; i++) {
		size_t settled = (size_t)i * TASKS / (kills + 1);
		expect_settled(&host, client, refs, TASKS, settled);
		kill_one(KIND_WORKER);
		if (scheduler_kills && i % (kills / scheduler_kills) == 0)
			kill_one(KIND_SCHEDULER);
	}
}

static void expect_all_done(void)
{
	expect_settled(&host, client, refs, TASKS, TASKS);
	for (size_t i = 0; i < TASKS; i++) {
		plm_view view;
		int r = plm_get(client, refs[i], &view, 0);
		ck_assert_msg(r == 0, "task %zu: %s", i, plm_why());
		plm_release(client, &view);
	}
	plm_drop_many(client, refs, TASKS);
}

/* ---- the replay of the notes ---- */

struct moment {
	uint64_t ns;
	bool begins;
	struct run_event *event;
};

struct use { /* of all resources: now, and the most ever */
	unsigned running[WORKERS], most_running[WORKERS];
	uint64_t cpus[WORKER_KINDS_MAX], most_cpus[WORKER_KINDS_MAX];
	uint64_t amount[WORKERS][RESOURCES_MAX], most_amount[WORKERS][RESOURCES_MAX];
	uint64_t memory, most_memory;
	uint64_t device[DEVICES_MAX];
};

static struct use use;

/* An end makes room for a start in the same nanosecond. */
static int in_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;
	return x->ns != y->ns ? (x->ns > y->ns) - (x->ns < y->ns) : x->begins - y->begins;
}

static uint64_t end_of(const struct run_event *event)
{
	const struct process_ever *p = find_process(event->process);
	ck_assert_msg(p, "process %" PRIu64 " ran a task and is of no worker", event->process);
	uint64_t end_ns = event->end_ns ? event->end_ns : p->killed_ns;
	ck_assert_msg(end_ns, "all tasks are settled, but one never ended in process %" PRIu64,
	    event->process);
	return end_ns > event->begin_ns ? end_ns : event->begin_ns;
}

static size_t moments_of(struct moment *moments)
{
	size_t n = 0;
	ck_assert_uint_le(events->count, EVENTS_MAX);
	for (size_t i = 0; i < events->count; i++) {
		struct run_event *event = &events->event[i];
		if (event->begin_ns == 0)
			continue; /* killed before the start */
		uint64_t end_ns = end_of(event);
		if (end_ns == event->begin_ns)
			continue; /* the end is not later than the death */
		moments[n++] = (struct moment){ event->begin_ns, true, event };
		moments[n++] = (struct moment){ end_ns, false, event };
	}
	qsort(moments, n, sizeof *moments, in_time);
	return n;
}

/* The alternative with this number of cpus; NULL: a task without needs, on one cpu. */
static const struct demand *demand_of(const struct run_event *event)
{
	const struct terms *terms = &terms_of[event->task % COUNT_OF(needs_of)];
	for (uint32_t i = 0; i < terms->alternatives; i++)
		if (terms->alternative[i].amount[RESOURCE_CPUS] == event->cpus * AMOUNT_UNIT)
			return &terms->alternative[i];
	ck_assert_msg(terms->alternatives == 0 && event->cpus == 1,
	    "a task of \"%s\" was told of %" PRIu64 " cpus", needs_of[event->task], event->cpus);
	return NULL;
}

/* Takes or returns an amount, and checks that so much was free. */
static void change(uint64_t *used, uint64_t *most, uint64_t amount, bool begins, uint64_t there,
    const char *what, const struct run_event *event)
{
	*used = begins ? *used + amount : *used - amount;
	ck_assert_msg(*used <= there,
	    "%s: %" PRIu64 " in use at once, of %" PRIu64 "; the last to begin was a task of "
	    "\"%s\" in process %" PRIu64 " at %" PRIu64 " ns; PLM_SLOTS_SEED=%" PRIu64,
	    what, *used, there, needs_of[event->task] ? needs_of[event->task] : "", event->process,
	    event->begin_ns, seed);
	if (most && *used > *most)
		*most = *used;
}

static void change_devices(const struct demand *demand, bool begins, const struct run_event *event)
{
	uint64_t all = demand->amount[RESOURCE_GPUS];
	uint64_t part = all < AMOUNT_UNIT ? all : AMOUNT_UNIT, dealt = 0;
	for (unsigned gpu = 0; gpu < DEVICES_MAX; gpu++)
		if (event->gpus >> gpu & 1) {
			change(&use.device[gpu], NULL, part, begins, AMOUNT_UNIT, "a GPU", event);
			dealt += part;
		}
	ck_assert_msg(dealt == all, "a task of \"%s\" sees GPUs %#" PRIx64, needs_of[event->task],
	    event->gpus);
}

static void change_amounts(const struct process_ever *p, const struct demand *demand, bool begins,
    const struct run_event *event)
{
	const struct control *c = plm_tables(client)->control;
	for (uint32_t i = RESOURCE_GPUS; i < RESOURCES_MAX; i++)
		change(&use.amount[p->worker][i], &use.most_amount[p->worker][i], demand->amount[i],
		    begins, c->kind[p->kind].amount[i], spec_resource_name(&c->resources, i),
		    event);
	change(&use.memory, &use.most_memory, demand->amount[RESOURCE_MEMORY], begins, c->memory,
	    "memory", event);
	change_devices(demand, begins, event);
}

/* A task in the place of a waiting task uses the resources of that task alone. */
static bool in_its_place(struct process_ever *p, const struct moment *m)
{
	if (m->begins && p->depth++ == 0)
		p->event = m->event;
	if (!m->begins)
		p->depth--;
	return p->event != m->event;
}

/* The cpus of one task may belong to several workers of a kind. */
static void play(const struct moment *m)
{
	const struct control *c = plm_tables(client)->control;
	struct process_ever *p = find_process(m->event->process);
	if (in_its_place(p, m))
		return;
	const struct worker_kind *kind = &c->kind[p->kind];
	const struct demand *demand = demand_of(m->event);
	unsigned *running = &use.running[p->worker];
	*running = m->begins ? *running + 1 : *running - 1;
	ck_assert_msg(*running <= kind->cpus,
	    "worker %u of %u slots runs %u tasks; "
	    "PLM_SLOTS_SEED=%" PRIu64,
	    p->worker, kind->cpus, *running, seed);
	if (*running > use.most_running[p->worker])
		use.most_running[p->worker] = *running;
	change(&use.cpus[p->kind], &use.most_cpus[p->kind], m->event->cpus, m->begins,
	    (uint64_t)kind->cpus * kind->count, "cpus of the workers of a kind", m->event);
	if (demand)
		change_amounts(p, demand, m->begins, m->event);
}

static bool was_killed(uint32_t kind)
{
	for (size_t i = 0; i < processes_ever; i++)
		if (process_ever[i].kind == kind && process_ever[i].killed_ns)
			return true;
	return false;
}

/* Notes of an idle runtime would prove nothing, so each kind must have been full once. A kind with
 * a killed worker is excepted: the successor may have come after the last task. */
static void expect_it_was_full(void)
{
	const struct control *c = plm_tables(client)->control;
	unsigned full = 0;
	for (uint32_t i = 0; i < c->kinds; i++) {
		bool was_full = use.most_cpus[i] == (uint64_t)c->kind[i].cpus * c->kind[i].count;
		ck_assert_msg(
		    was_full || was_killed(i), "kind %u never had all its slots in use", i);
		full += was_full;
	}
	ck_assert_uint_gt(full, 0);
	for (size_t i = 0; i < processes_ever; i++) {
		const struct process_ever *p = &process_ever[i];
		for (uint32_t r = RESOURCE_GPUS; r < RESOURCES_MAX; r++)
			if (c->kind[p->kind].amount[r] && !was_killed(p->kind))
				ck_assert_uint_gt(use.most_amount[p->worker][r], 0);
	}
	ck_assert_uint_gt(use.most_memory, 0);
}

static void expect_rule(void)
{
	struct moment *moments = calloc(2 * EVENTS_MAX, sizeof *moments);
	ck_assert_ptr_nonnull(moments);
	size_t n = moments_of(moments);
	for (size_t i = 0; i < n; i++)
		play(&moments[i]);
	free(moments);
}

static void run(unsigned kills, unsigned scheduler_kills, const char *policy)
{
	slots_boot(mixed, policy);
	submit_all();
	kill_on_the_way(kills, scheduler_kills);
	expect_all_done();
	remember_all();
	expect_nothing_left(&host, client);
	expect_rule();
	expect_it_was_full();
	host_stop();
}

START_TEST(what_runs_at_once_never_exceeds_slots_cpus_and_resources)
{
	run(0, 0, policies[_i]);
}
END_TEST

START_TEST(use_never_exceeds_resources_when_workers_are_killed)
{
	run(WORKER_KILLS, 0, policies[_i]);
}
END_TEST

START_TEST(use_never_exceeds_resources_when_workers_and_schedulers_are_killed)
{
	run(WORKER_KILLS, SCHEDULER_KILLS, policies[_i]);
}
END_TEST

/* ---- processes that are kept for a task ---- */

static size_t submitted;

static void submit_needs(uint64_t needs, uint64_t us)
{
	submit_order(submitted++, &(struct order){ .task = needs, .us = us });
}

static bool all_have_begun(void *context)
{
	(void)context;
	for (size_t i = 0; i < submitted; i++)
		if (events->event[i].begin_ns == 0)
			return false;
	return true;
}

/* A worker process that is booked for this task, is idle, and is not the one to run the task. */
static const struct process *find_still(plm_ref task)
{
	const struct tables *t = plm_tables(client);
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		if (sh_load(&p->booked) == task.id && sh_load(&p->booked_way) == 0 &&
		    process_state(sh_load(&p->state)) == PROCESS_LIVE && sh_load(&p->running) == 0)
			return p;
	}
	return NULL;
}

static bool a_slot_is_kept(void *task)
{
	return find_still(*(plm_ref *)task) != NULL;
}

static uint32_t alive_at_first;

static uint32_t count_workers(void)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		n += process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_LIVE;
	}
	return n;
}

static bool is_replaced(void *dead)
{
	return kill(*(pid_t *)dead, 0) < 0 && count_workers() == alive_at_first;
}

/* Kills a kept process, and waits for its successor. */
static void kill_still(plm_ref task)
{
	until(a_slot_is_kept, &task, "a slot keeps still for the task");
	const struct process *still = find_still(task);
	ck_assert_ptr_nonnull(still);
	pid_t pid = still->pid;
	alive_at_first = count_workers();
	ck_assert(kill_member(&host, still));
	until(is_replaced, &pid, "a worker in the place of the one that kept still");
}

static void expect_submitted_done(void)
{
	expect_settled(&host, client, refs, submitted, submitted);
	plm_drop_many(client, refs, submitted);
	expect_nothing_left(&host, client);
}

START_TEST(a_slot_that_keeps_still_and_dies_is_made_good)
{
	slots_boot("cpus=2 x1", policies[0]);
	submit_needs(NEEDS_2_CPUS, LONG_US);
	until(all_have_begun, NULL, "the task of two cpus begins");
	kill_still(refs[0]);
	ck_assert_uint_eq(events->event[0].end_ns, 0);
	for (int i = 0; i < 8; i++)
		submit_needs(NEEDS_NOTHING, SHORT_US);
	expect_submitted_done();
	for (size_t i = 1; i < submitted; i++)
		ck_assert_msg(events->event[i].begin_ns >= events->event[0].end_ns,
		    "a task began while another had both cpus");
	host_stop();
}
END_TEST

/* Five cpus: one runs the task with the licence, two are busy for long. The task of three cpus gets
 * the other two and waits for a busy one. The task of four cpus waits behind, and gets the cpu of
 * the licence. If it also got the successor of the process that then dies, both tasks would wait
 * for ever. */
START_TEST(a_task_that_loses_a_slot_goes_before_those_that_came_later)
{
	slots_boot("cpus=5,licence=1 x1", policies[0]);
	submit_needs(NEEDS_LICENCE, LONG_US);
	submit_needs(NEEDS_NOTHING, LONGER_US);
	submit_needs(NEEDS_NOTHING, LONGER_US);
	until(all_have_begun, NULL, "the first three begin");
	submit_needs(NEEDS_3_CPUS, SHORT_US);
	until(a_slot_is_kept, &refs[3], "a slot keeps still for the task of three cpus");
	submit_needs(NEEDS_4_CPUS, SHORT_US);
	until(a_slot_is_kept, &refs[4], "a slot keeps still for the task of four cpus");
	kill_still(refs[3]);
	expect_submitted_done();
	ck_assert_uint_eq(
	    events->event[3].task, NEEDS_3_CPUS); /* begins before the task of four cpus */
	host_stop();
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("slots");
	TCase *slots = tcase_create("slots");
	int n = COUNT_OF(policies);
	tcase_set_timeout(slots, TEST_TIMEOUT_S);
	tcase_add_loop_test(slots, what_runs_at_once_never_exceeds_slots_cpus_and_resources, 0, n);
	tcase_add_loop_test(slots, use_never_exceeds_resources_when_workers_are_killed, 0, n);
	tcase_add_loop_test(
	    slots, use_never_exceeds_resources_when_workers_and_schedulers_are_killed, 0, n);
	suite_add_tcase(suite, slots);
	TCase *still = tcase_create("still");
	tcase_set_timeout(still, TEST_TIMEOUT_S);
	tcase_add_test(still, a_slot_that_keeps_still_and_dies_is_made_good);
	tcase_add_test(still, a_task_that_loses_a_slot_goes_before_those_that_came_later);
	suite_add_tcase(suite, still);
	return run_suite(suite);
}
