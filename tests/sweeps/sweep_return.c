/* sweep_return.c - running tasks that go back into the queue, killed at every step. The tasks
 * have no crash_retries, so a return that counts as a crash is seen. */
#include <string.h>

#include "tables/grace.h"
#include "tests/support/echo_case.h"

enum { GRACE_MS = 60000, SEEN_BYTES = 100 << 20 };

/* The client that asked, and the worker as well. */
static void recover_both(void *image)
{
	(void)image;
	world_declare_dead(WORLD_WORKER);
	world_recover(WORLD_A);
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void setup_once(void *image)
{
	(void)image;
	echo_setup(0, 0);
}

static bool was_returned(void)
{
	return record_returns(record_at(&world.tables, ref_index(task.id))) > 0;
}

/* A client that named a grace died before asking: the grace word must be emptied. */
static void leave_grace(void)
{
	uint64_t word = sh_load(&record_at(&world.tables, ref_index(task.id))->state);
	grace_name(&world.tables, ref_index(task.id), word, GRACE_MS);
}

static void setup_running_once(void *image)
{
	setup_once(image);
	world_share(&world.a, task);
	world_settle();
	world_claim_only(task);
	leave_grace();
}

static void requeue(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_requeue(&world.a, task, PLM_GRACE_OF_TASK) == 0);
}

/* The worker is dead, too: the task ran again if, and only if, the return had been asked for. */
static const char *returned_or_dead(void)
{
	const char *why = echo_or_death();
	if (sweep_finished() && !was_returned())
		return "it was asked to go back, and did not";
	if (!why && was_returned() != (world_state_of(task) == RECORD_DONE))
		why = was_returned() ? "it was returned, and not run again"
				     : "it was run again, and not returned";
	return why;
}

static const char *judge_requeue(void *image)
{
	(void)image;
	return world_judge(WORLD_A, returned_or_dead);
}

/* Replaces probe.echo: the task is returned while it runs; then the function ends well. */
static int echo_while_returned(plm_call *call)
{
	struct record *r = record_at(&world.tables, ref_index(task.id));
	uint64_t word = sh_load(&r->state);
	SWEEP_REQUIRE(record_return(r, &word) == 0);
	memcpy(plm_result(call, sizeof large), "half", 4);
	return 0;
}

static void setup_returned(void *image)
{
	setup_once(image);
	world.worker.functions.code[record_at(&world.tables, ref_index(task.id))->function] =
	    echo_while_returned;
}

static void run_returned(void *image)
{
	echo_run(image);
	SWEEP_REQUIRE(world_state_of(task) == RECORD_READY);
	world.worker.functions = (struct functions){ 0 };
}

static const char *never_half(void)
{
	const char *why = echo_or_death();
	if (!why && was_returned() && world_state_of(task) != RECORD_DONE)
		why = "it was returned, and not run again";
	return why;
}

static const char *judge_returned(void *image)
{
	uint64_t word = sh_load(&record_at(&world.tables, ref_index(task.id))->state);
	(void)image;
	if (sweep_finished() && word_attempt(word) != 1)
		return "the attempt that was returned has no number";
	return world_judge(WORLD_WORKER, never_half);
}

/* The task was asked to return, and the worker died of the request. */
static void setup_return_of_the_dead(void *image)
{
	setup_running_once(image);
	struct record *r = record_at(&world.tables, ref_index(task.id));
	uint64_t word = sh_load(&r->state);
	SWEEP_REQUIRE(record_return(r, &word) == 0);
	world_declare_dead(WORLD_WORKER);
}

static const char *returned_once(void)
{
	if (record_returns(record_at(&world.tables, ref_index(task.id))) > 1)
		return "one return was counted twice";
	return echo_is_done();
}

static const char *judge_return_of_the_dead(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, returned_once);
}

/* The same for want of memory: the worker's measured use is not forgotten. */
static void setup_evicted(void *image)
{
	setup_running_once(image);
	struct record *r = record_at(&world.tables, ref_index(task.id));
	uint64_t word = sh_load(&r->state);
	sh_store(&world.tables.process[WORLD_WORKER].memory_seen, SEEN_BYTES);
	SWEEP_REQUIRE(record_evict(r, &word, false) == 0);
	world_declare_dead(WORLD_WORKER);
}

static const char *evicted_once(void)
{
	const struct record *r = record_at(&world.tables, ref_index(task.id));
	if (demand_bytes(r->demand) < SEEN_BYTES)
		return "what it used was forgotten";
	return returned_once();
}

static const char *judge_evicted(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, evicted_once);
}

static const struct sweep_op ops[] = {
	OP("return of a running task", setup_running_once, requeue, recover_both, judge_requeue),
	LONG("end of an attempt that is returned", setup_returned, run_returned, recover_worker,
	    judge_returned),
	LONG("return of a task whose worker is dead", setup_return_of_the_dead, schedule,
	    recover_scheduler, judge_return_of_the_dead),
	LONG("return for want of memory, its worker is dead", setup_evicted, schedule,
	    recover_scheduler, judge_evicted),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
