/* sweep_inside.c - a task that waits for a task or for room, the worker killed at every step: the
 * awaited task and the tasks behind it go on, and the next worker in the process slot does not seem
 * to wait. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/meanwhile.h"
#include "tests/support/world.h"

enum { PATIENCE_MS = 3, RESULT_BYTES = 1 << 19 }; /* half of the store */

static plm_ref task, behind, inner, object;
static struct process *slot(void)
{
	return &world.tables.process[WORLD_WORKER];
}

/* ---- the wait ends by its timeout ---- */

/* For any process that looks now. */
static void others_see_the_wait(void)
{
	if (!sh_load(&slot()->blocked) || !sh_load(&slot()->waiting_ns) ||
	    sh_load(&slot()->waiter[0].awaiting) != ref_index(inner.id) + 1)
		sweep_fail("nobody sees that its task waits, or for what");
}

/* In the place of probe.noop. */
static int wait_in_vain(plm_call *call)
{
	uint8_t ready = 0;
	meanwhile_once("steps: futex wait", others_see_the_wait);
	int r = plm_wait(plm_runtime(call), &inner, 1, 1, PATIENCE_MS, &ready);
	SWEEP_REQUIRE(r == -ETIMEDOUT);
	if (sh_load(&slot()->blocked) || sh_load(&slot()->waiting_ns))
		sweep_fail("its task goes on, and seems to wait");
	return 0;
}

/* All earlier hints are told, so that the wait begins at once. */
static void setup(plm_function *function)
{
	void *data;
	world_boot();
	world_crowd();
	SWEEP_REQUIRE(plm_create(&world.b, 1, &data, &object) == 0);
	memcpy(data, "x", 1);
	inner = world_submit(&world.b, "probe.echo", &PLM_FUTURE(object), 1, 1, 0, 1);
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
	behind = world_submit(&world.b, "probe.echo", &PLM_BYTES("b", 1), 1, 1, 0, 0);
	world_share(&world.worker.rt, inner); /* the grant needs a turn of the scheduler */
	world_settle();
	world.worker.functions.code[record_at(&world.tables, ref_index(task.id))->function] =
	    function;
}

static void setup_in_vain(void *image)
{
	(void)image;
	setup(wait_in_vain);
}

static void run_task(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	world.worker.now_ns = clock_ns();
	SWEEP_REQUIRE(worker_run_record(&world.worker, ref_index(task.id)));
	worker_report(&world.worker);
}

/* ---- the awaited task becomes ready, and runs inside the waiting one ---- */

/* The object comes from somewhere else when the wait has just begun. */
static void others_bring_it(void)
{
	world_play(&world.b);
	SWEEP_REQUIRE(plm_seal(&world.b, object) == 0);
	world_settle();
	SWEEP_REQUIRE(world_state_of(inner) == RECORD_READY);
}

static int wait_for_inner(plm_call *call)
{
	uint8_t ready = 0;
	meanwhile_once("wait: store waiting_ns, begun", others_bring_it);
	SWEEP_REQUIRE(plm_wait(plm_runtime(call), &inner, 1, 1, -1, &ready) >= 0 && ready);
	return 0;
}

/* In the place of probe.echo. */
static int echo_in_place(plm_call *call)
{
	size_t n;
	const void *text = plm_arg_data(call, 0, &n);
	sh_store(&slot()->beat_ns, 0);
	if (plm_cancelled(call) || sh_load(&slot()->waiting_ns))
		sweep_fail("what runs in the place of a task that waits seems to wait");
	if (!sh_load(&slot()->beat_ns))
		sweep_fail("it asks whether it was cancelled, and gives no sign of life");
	memcpy(plm_result(call, n), text, n);
	return 0;
}

static void setup_in_place(void *image)
{
	(void)image;
	setup(wait_for_inner);
	world.worker.functions.code[record_at(&world.tables, ref_index(inner.id))->function] =
	    echo_in_place;
}

/* ---- verdicts ---- */

static const char *judge_waiting_task(void)
{
	return world_yields(task, "", 0) || world_failed(task, EOWNERDEAD, NULL, task)
	    ? NULL
	    : "the task that waited neither ended nor died with its worker";
}

static const char *others_go_on(void)
{
	if (sh_load(&slot()->blocked) || sh_load(&slot()->waiting_ns))
		return "the next worker seems to wait";
	if (!world_yields(behind, "b", 1))
		return "what stood behind it has no value";
	if (world_state_of(object) != RECORD_DONE) {
		SWEEP_REQUIRE(plm_seal(&world.b, object) == 0);
		world_work();
	}
	return world_yields(inner, "x", 1) ? judge_waiting_task()
					   : "what it waited for has no value";
}

static const char *judge(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, others_go_on);
}

/* ---- a result waits for room in the store ---- */

static char large[RESULT_BYTES];

/* Room comes; but first, others get none. */
static void others_make_room(void)
{
	shared32 granule = 0;
	world_play(&world.b);
	if (!sh_load(&slot()->blocked))
		sweep_fail("its task waits for room, and seems to be at work");
	if (store_alloc(&world.b.tables, 0, RUNNING_WAITS_BYTES, ARENA_ARGUMENTS, &granule) !=
	    -EDQUOT)
		sweep_fail("a running task waits for room, and a submitter gets some");
	plm_drop(&world.b, object);
	world_settle();
}

/* In the place of probe.noop. */
static int yield_large(plm_call *call)
{
	meanwhile_once("steps: futex wait", others_make_room);
	void *result = plm_result(call, sizeof large);
	SWEEP_REQUIRE(result);
	memcpy(result, large, sizeof large);
	if (sh_load(&world.tables.control->running_waits_ns))
		sweep_fail("it has room, and others go on waiting");
	return 0;
}

static void setup_full_store(void *image)
{
	void *data;
	setup(yield_large);
	SWEEP_REQUIRE(plm_seal(&world.b, object) == 0);
	memset(large, 'r', sizeof large);
	while (plm_create(&world.b, sizeof large / 2, &data, &object) == 0)
		;
	sh_store(&world.tables.control->room_wanted, 0); /* B asks no more */
	(void)image;
}

/* A task not begun by the victim is the real probe.noop. */
static const char *large_or_dead(void)
{
	return world_yields(task, large, sizeof large) ? NULL : judge_waiting_task();
}

static const char *judge_room(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, large_or_dead);
}

static const struct sweep_op ops[] = {
	LONG("a wait that is in vain", setup_in_vain, run_task, recover_worker, judge),
	LONG("a wait that runs what it is for", setup_in_place, run_task, recover_worker, judge),
	LONG(
	    "a result that waits for room", setup_full_store, run_task, recover_worker, judge_room),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
