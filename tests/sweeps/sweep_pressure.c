/* sweep_pressure.c - memory runs out and is free again, the scheduler killed at every step:
 * nothing starts meanwhile. An ended task goes back into the queue with the memory it used, or
 * fails if it can never fit; all waiting tasks start in the end. The machine's memory is
 * simulated (base/meter.h); the task's memory is this program's. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/meter.h"
#include "base/tree.h"
#include "tests/support/echo_case.h"

enum { SEAT = WORLD_JOINING, PATH_BYTES = 64 };

#define MIB ((uint64_t)1 << 20)
#define ACCEPT_FREE (64 * MIB)
#define RETURN_FREE (32 * MIB)
#define KEPT_NS (300 * NS_PER_MS) /* longer than the pause between two looks for kept tasks */

static uint64_t ours;       /* bytes of this program */
static uint64_t used_bytes; /* of the machine's memory */
static uint32_t running;    /* tasks */

/* ---- the machine's memory: a new file each time, because readers may still read the last ---- */

static void set_memory(uint64_t used, uint64_t available)
{
	char path[PATH_BYTES];
	int meter = memfd_create("meter", 0);
	SWEEP_REQUIRE(meter >= 0 &&
	    dprintf(meter, "MemTotal: %" PRIu64 " kB\nMemAvailable: %" PRIu64 " kB\n",
		(used + available) >> 10, available >> 10) > 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", meter);
	SWEEP_REQUIRE(setenv(METER_VARIABLE, path, 1) == 0);
	used_bytes = ((used + available) >> 10 << 10) - (available >> 10 << 10);
}

static void memory_is_plenty(void)
{
	set_memory(100 * MIB, 100 * ACCEPT_FREE);
}

/* ---- setups ---- */

static void boot(void *image)
{
	struct tree_use use = { 0 };
	running = 0;
	world_hush();
	memory_is_plenty();
	echo_boot(image);
	world.tables.control->memory_rules = (struct memory_rules){
		.accept_free = ACCEPT_FREE, .return_free = RETURN_FREE, .victim = VICTIM_NEWEST
	};
	tree_add(getpid(), false, &use);
	ours = use.bytes;
	SWEEP_REQUIRE(ours > 0);
}

/* This program stands for all processes that the task has started. */
static void run_for_ever(void)
{
	struct process *p = &world.tables.process[WORLD_WORKER];
	world_claim_only(task);
	p->pid = getpid();
	sh_store(&p->running, task.id);
	running++;
}

static void setup_alone(void *image)
{
	boot(image);
	echo_submit(0, 0);
	world_settle();
	run_for_ever();
	set_memory(ours + ours / 2, RETURN_FREE / 2);
	world.scheduler.pressure.next_ns = 0;
}

/* Another task runs, too, of whose processes no memory is found. */
static void setup_beside(void *image)
{
	static struct worker other;
	boot(image);
	world_open_worker(&other, SEAT, 1, 0);
	sh_store(&world.tables.process[SEAT].running, 1);
	running = 1;
	echo_submit(0, 0);
	world_settle();
	run_for_ever();
	set_memory(2 * ours, RETURN_FREE / 2);
	world.scheduler.pressure.next_ns = 0;
}

/* No task must end, but queued tasks must not start. */
static void setup_near(void *image)
{
	static struct worker other;
	boot(image);
	world_open_worker(&other, SEAT, 1, 0);
	world_settle();
	sh_store(&world.tables.process[SEAT].running, 1);
	echo_submit(0, 0);
	sh_store(&world.tables.control->memory_ours, 1); /* of the last time */
	set_memory(100 * MIB, ACCEPT_FREE - MIB);
	world.scheduler.pressure.next_ns = 0;
}

/* Replaces probe.echo, the first time: the task is ended for want of memory while it runs. */
static int echo_while_evicted(plm_call *call)
{
	struct record *r = record_at(&world.tables, ref_index(task.id));
	uint64_t word = sh_load(&r->state);
	(void)call;
	sh_store(&world.tables.process[WORLD_WORKER].memory_seen, ours);
	SWEEP_REQUIRE(record_evict(r, &word, false) == 0);
	world.worker.functions = (struct functions){ 0 };
	return 0;
}

/* The task went back and was kept; now memory is plentiful, and the time to look has come. */
static void setup_kept(void *image)
{
	boot(image);
	echo_submit(0, 0);
	world_settle();
	world.worker.functions.code[record_at(&world.tables, ref_index(task.id))->function] =
	    echo_while_evicted;
	set_memory(100 * MIB, RETURN_FREE / 2);
	world_work();
	const struct record *r = record_at(&world.tables, ref_index(task.id));
	SWEEP_REQUIRE(world_state_of(task) == RECORD_READY);
	SWEEP_REQUIRE(word_flags(sh_load(&r->state)) & FLAG_MEMORY);
	memory_is_plenty();
	for (uint64_t end = clock_ns() + KEPT_NS; clock_ns() < end;)
		;
}

/* ---- operation and recovery ---- */

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void see_that_it_is_short(void *image)
{
	const struct control *c = world.tables.control;
	schedule(image);
	if (sh_load(&c->memory_ours))
		sweep_fail("it says whose the memory is, and has not looked");
}

static void end_the_task(void *image)
{
	const struct control *c = world.tables.control;
	schedule(image);
	if (sh_load(&c->memory_total) - sh_load(&c->memory_free) != used_bytes)
		sweep_fail("what is used is not what the machine says");
	if (sh_load(&c->memory_running) != running || !sh_load(&c->memory_ours))
		sweep_fail("nobody says how many tasks there are, or what they have");
	if (sh_load(&c->evicted) != 1)
		sweep_fail("a task was ended, and not counted");
}

/* ---- verdicts ---- */

static const struct record *record(void)
{
	return record_at(&world.tables, ref_index(task.id));
}

static void end_other(void)
{
	struct process *p = &world.tables.process[SEAT];
	sh_store(&p->running, 0);
	if (process_present(sh_load(&p->state)))
		world_declare_dead(SEAT);
	world_settle();
}

static const char *both_are_done(void)
{
	if (!world_yields(task, large, sizeof large))
		return "the task did not start when there was plenty of memory";
	return world_yields(after, large, sizeof large) ? NULL
							: "its dependent did not yield its value";
}

/* From now on memory is plentiful, as the next scheduler sees at once. */
static const char *judge_with_plenty(const char *(*outcome)(void))
{
	memory_is_plenty();
	world_recover(SLOT_SCHEDULER);
	return world_judge(SLOT_SCHEDULER, outcome);
}

static const char *judge_flags(uint32_t flags)
{
	if (sh_load(&world.tables.control->memory_state) != MEMORY_SHORT)
		return "memory is short, and nobody says so";
	if (word_flags(sh_load(&record()->state)) != flags)
		return "the task is not asked to stop for want of memory";
	if (sh_load(&world.tables.process[WORLD_WORKER].memory_seen) < ours / 2)
		return "what it used is not known";
	return sh_load(&world.tables.control->evicted) <= 1 ? NULL : "it was ended twice";
}

static const char *judge_beside(void *image)
{
	(void)image;
	const char *why = judge_flags(FLAG_RETURN | FLAG_MEMORY);
	if (why)
		return why;
	world_declare_dead(WORLD_WORKER);
	world_settle();
	world_work(); /* no worker is there to take the task; nor does the other worker get it */
	if (world_state_of(task) != RECORD_READY || record_returns(record()) != 1)
		return "the task did not go back, or not once";
	if (demand_bytes(record()->demand) < ours / 2)
		return "what it used was forgotten";
	if (!(word_flags(sh_load(&record()->state)) & FLAG_MEMORY))
		return "it may start, though memory is short";
	end_other();
	return judge_with_plenty(both_are_done);
}

static const char *failed_for_memory(void)
{
	if (!world_failed(task, ENOMEM, NULL, task))
		return "a task that does not fit did not fail for it";
	return world_failed(after, ENOMEM, NULL, task) ? NULL : "its dependent does not know";
}

static const char *judge_alone(void *image)
{
	(void)image;
	const char *why = judge_flags(FLAG_LATE | FLAG_MEMORY);
	if (why)
		return why;
	world_declare_dead(WORLD_WORKER);
	world_settle();
	return judge_with_plenty(failed_for_memory);
}

static const char *judge_near(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	world_work();
	if (sh_load(&world.tables.control->memory_state) != MEMORY_SHORT)
		return "memory is short, and nobody says so";
	if (world_state_of(task) != RECORD_READY || word_attempt(sh_load(&record()->state)))
		return "a task started while memory was short";
	end_other();
	return judge_with_plenty(both_are_done);
}

static const char *started_once(void)
{
	if (record_returns(record()) != 1 || word_attempt(sh_load(&record()->state)) != 2)
		return "it was not returned once and run twice";
	return both_are_done();
}

static const char *judge_kept(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, started_once);
}

static const struct sweep_op ops[] = {
	LONG("memory gets short: nothing starts", setup_near, see_that_it_is_short,
	    recover_scheduler, judge_near),
	LONG("a task is ended for it, and goes back", setup_beside, end_the_task, recover_scheduler,
	    judge_beside),
	LONG("a task is ended for it that does not fit", setup_alone, end_the_task,
	    recover_scheduler, judge_alone),
	LONG(
	    "memory is free again: it starts", setup_kept, schedule, recover_scheduler, judge_kept),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
