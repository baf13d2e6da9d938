/* sweep_rest.c - an idle worker and an idle scheduler, killed around their sleep: the work that
 * woke the sleeper is done all the same. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/support/meanwhile.h"
#include "tests/support/world.h"

static plm_ref object, task;

/* ---- the wake: an object for which a task waits ---- */

static void setup(void *image)
{
	void *data;
	(void)image;
	world_boot();
	world_crowd();
	SWEEP_REQUIRE(plm_create(&world.b, 1, &data, &object) == 0);
	memcpy(data, "x", 1);
	task = world_submit(&world.b, "probe.echo", &PLM_FUTURE(object), 1, 1, 0, 1);
	world_settle();
}

static void seal(void)
{
	world_play(&world.b);
	SWEEP_REQUIRE(plm_seal(&world.b, object) == 0);
}

/* ---- a worker ---- */

/* Replaces probe.echo: the last task of this worker. */
static int echo_and_leave(plm_call *call)
{
	size_t n;
	const void *text = plm_arg_data(call, 0, &n);
	memcpy(plm_result(call, n), text, n);
	atomic_store(&world.worker.stop, true);
	return 0;
}

static void setup_worker(void *image)
{
	setup(image);
	const struct record *r = record_at(&world.tables, ref_index(task.id));
	world.worker.functions.code[r->function] = echo_and_leave;
}

static void see_that_it_lives(void)
{
	if (!sh_load(&world.tables.process[WORLD_WORKER].beat_ns))
		sweep_fail("it is awake, and gives no sign of life");
}

static void give_it_the_task(void)
{
	sh_store(&world.tables.process[WORLD_WORKER].beat_ns, 0);
	meanwhile_once("run_task: poke running, begun", see_that_it_lives);
	if (process_awake(&world.tables, WORLD_WORKER))
		sweep_fail("it sleeps, and counts as awake");
	seal();
	world_settle();
}

static void rest_of_worker(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	meanwhile_once("steps: futex wait", give_it_the_task);
	worker_run(&world.worker);
	worker_report(&world.worker);
	if (!process_awake(&world.tables, WORLD_WORKER))
		sweep_fail("it is at work, and counts as asleep");
}

/* ---- a worker whose task sleeps ---- */

static int sleep_and_leave(plm_call *call)
{
	struct timespec moment = { .tv_nsec = 1000 };
	nanosleep(&moment, NULL);
	return echo_and_leave(call);
}

static void setup_sleeper(void *image)
{
	const plm_arg text = PLM_BYTES("x", 1);
	(void)image;
	world_boot();
	world_crowd();
	task = world_submit(&world.b, "probe.echo", &text, 1, 1, 0, 1);
	world_settle();
	const struct record *r = record_at(&world.tables, ref_index(task.id));
	world.worker.functions.code[r->function] = sleep_and_leave;
	world.worker.task_sleep.looked_ns = 1; /* a look before this task */
}

static void sleep_in_task(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	worker_run(&world.worker);
	worker_report(&world.worker);
	if (!sh_load(&world.tables.process[WORLD_WORKER].tasks_sleep))
		sweep_fail("its task slept, and the scheduler cannot know");
}

/* ---- the scheduler ---- */

static void end_it(void)
{
	atomic_store(&world.scheduler.stop, true);
	event_bump(&world.scheduler.me->event);
}

static void tell_it(void)
{
	sh_store(&world.scheduler.me->beat_ns, 0);
	if (process_awake(&world.tables, SLOT_SCHEDULER))
		sweep_fail("it sleeps, and counts as awake");
	seal();
	meanwhile_once("steps: futex wait", end_it);
}

/* A client waits for room in a full table: the scheduler looks for room once. */
static void setup_scheduler(void *image)
{
	setup(image);
	sh_store(&world.tables.control->room_wanted, ROOM_ASKED);
}

static void rest_of_scheduler(void *image)
{
	(void)image;
	meanwhile_once("steps: futex wait", tell_it);
	scheduler_run(&world.scheduler);
	if (!sh_load(&world.scheduler.me->beat_ns))
		sweep_fail("it is awake, and gives no sign of life");
	struct ring ring = ring_down(&world.tables, WORLD_WORKER);
	if (!ring_used(&ring))
		sweep_fail("it was told of a task, and slept on");
}

/* ---- verdicts ---- */

static const char *task_is_done(void)
{
	if (world_state_of(object) != RECORD_DONE) { /* the death came first */
		seal();
		world_work();
	}
	return world_yields(task, "x", 1) ? NULL : "the task has no value";
}

static const char *judge_worker(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, task_is_done);
}

static const char *sleeper_is_done(void)
{
	return world_yields(task, "x", 1) ? NULL : "the task has no value";
}

static const char *judge_sleeper(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, sleeper_is_done);
}

static const char *judge_scheduler(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, task_is_done);
}

static const struct sweep_op ops[] = {
	LONG("a worker rests, and is woken", setup_worker, rest_of_worker, recover_worker,
	    judge_worker),
	LONG("a worker tells that its task slept", setup_sleeper, sleep_in_task, recover_worker,
	    judge_sleeper),
	LONG("the scheduler rests, and is woken", setup_scheduler, rest_of_scheduler,
	    recover_scheduler, judge_scheduler),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
