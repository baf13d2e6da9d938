/* sweep_nested.c - a client started by a task's command waits for other tasks; the client or the
 * scheduler is killed at every step. The survivors count the worker as standing still exactly as
 * long as a living client waits inside the worker's task. A spare is asked for or, where none
 * may come, that very wait is refused. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/nested_wait.h"
#include "tests/support/world.h"

enum { LOOK_MS = 6, WAITS_FOR_NS = 50000000, STUCK_NS = 2000000000, TRIES = 8 };

static plm_ref around, awaited, queued;

static struct process *client_slot(void)
{
	return &world.tables.process[WORLD_A];
}
static struct worker_process *host(void)
{
	return &world.scheduler.worker_process[WORLD_WORKER];
}

static void wait_ms(uint64_t ms)
{
	for (uint64_t end = clock_ns() + ms * NS_PER_MS; clock_ns() < end;)
		;
}

/* ---- setups ---- */

/* A command runs and starts A. */
static void boot(uint32_t spares)
{
	char text[PLM_REF_TEXT_BYTES];
	void *data;
	world_hush();
	world_boot();
	world.tables.control->spares = spares;
	around = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
	world_settle();
	world_claim_only(around);
	worker_step(&world.worker); /* the task's hint, which is stale */
	SWEEP_REQUIRE(plm_create(&world.b, 1, &data, &awaited) == 0);
	plm_ref_print(around, text);
	setenv("PLM_TASK", text, 1);
}

static void queue_one(void)
{
	queued = world_submit(&world.b, "probe.echo", &PLM_BYTES("q", 1), 1, 1, 0, 0);
	world_settle();
}

static void begin_to_wait(void)
{
	nested_enter(&world.a);
	sh_store(&client_slot()->waiter[0].awaiting, ref_index(awaited.id) + 1);
	nested_wait_begin(&world.a);
}

static void setup_outside(void *image)
{
	(void)image;
	boot(1);
	queue_one();
}

/* The client waits long enough for the scheduler to see the wait. */
static void setup_inside(void *image)
{
	(void)image;
	boot(1);
	begin_to_wait();
	sh_store(&client_slot()->waiting_ns, clock_ns() - WAITS_FOR_NS);
	world_settle();
	queue_one();
	SWEEP_REQUIRE(host()->sleeper == WORLD_A && host()->blocked);
}

static void setup_wanting(void *image)
{
	setup_inside(image);
	wait_ms(LOOK_MS);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(!tables_relieved(&world.tables, WORLD_WORKER));
	wait_ms(LOOK_MS);
}

static void setup_stuck(void *image)
{
	(void)image;
	boot(0);
	begin_to_wait();
	sh_store(&client_slot()->waiting_ns, clock_ns() - WAITS_FOR_NS);
	world_settle();
	queue_one();
	wait_ms(LOOK_MS);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(world.scheduler.relief.stuck_ns != 0);
	world.scheduler.relief.stuck_ns -= STUCK_NS;
	world.scheduler.relief.next_ns = 0;
}

/* ---- operations and recoveries ---- */

static void enter_and_wait(void *image)
{
	(void)image;
	world_play(&world.a);
	begin_to_wait();
	if (tables_waits_inside(&world.tables, WORLD_WORKER) != WORLD_A)
		sweep_fail("a client that waits inside of a task is not found there");
}

static void end_wait(void *image)
{
	(void)image;
	world_play(&world.a);
	nested_wait_end(&world.a);
	if (tables_waits_inside(&world.tables, WORLD_WORKER))
		sweep_fail("a wait is over, and still found");
}

static void ask(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	if (!tables_relieved(&world.tables, WORLD_WORKER))
		sweep_fail("no spare is asked for");
}

static void refuse(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	if (nested_refused(&world.a) == 0)
		sweep_fail("all wait, and none is refused");
}

/* ---- verdicts ---- */

static const char *queued_is_done(void)
{
	return world_yields(queued, "q", 1) ? NULL : "what was queued has no value";
}

static const char *judge_end(uint32_t victim)
{
	plm_drop(&world.b, awaited);
	const char *why = world_judge(victim, queued_is_done);
	if (!why && tables_relieved(&world.tables, WORLD_WORKER))
		why = "when all have left a spare is asked for still";
	return why;
}

static const char *judge_client(void *image)
{
	(void)image;
	if (tables_waits_inside(&world.tables, WORLD_WORKER))
		return "the dead one waits inside of a task still";
	if (host()->sleeper || host()->blocked || world.scheduler.room.blocked)
		return "a worker stands still for a client that is dead";
	if (host()->depth == 0)
		return "a worker is given nothing, for a client that is dead";
	return judge_end(WORLD_A);
}

static const char *judge_asked(void *image)
{
	(void)image;
	for (int i = 0; i < TRIES && !tables_relieved(&world.tables, WORLD_WORKER); i++) {
		wait_ms(LOOK_MS);
		scheduler_step(&world.scheduler);
	}
	if (host()->sleeper != WORLD_A || !host()->blocked)
		return "the scheduler does not see the client that waits";
	if (!tables_relieved(&world.tables, WORLD_WORKER))
		return "no spare is asked for";
	nested_wait_end(&world.a);
	world_settle();
	if (host()->sleeper || host()->blocked)
		return "a wait is over, and its worker stands still";
	return judge_end(SLOT_SCHEDULER);
}

static const char *judge_refused(void *image)
{
	(void)image;
	for (int i = 0; i < TRIES && nested_refused(&world.a) == 0; i++) {
		wait_ms(LOOK_MS);
		scheduler_step(&world.scheduler);
		if (world.scheduler.relief.stuck_ns)
			world.scheduler.relief.stuck_ns = 1; /* a second is long for a sweep */
	}
	if (nested_refused(&world.a) != -EDEADLK)
		return "all wait for ever";
	nested_wait_end(&world.a);
	world_settle();
	return judge_end(SLOT_SCHEDULER);
}

static const struct sweep_op ops[] = {
	LONG("a client waits inside of a task", setup_outside, enter_and_wait, recover_client,
	    judge_client),
	LONG("such a wait ends", setup_inside, end_wait, recover_client, judge_client),
	LONG("a spare is asked for it", setup_wanting, ask, recover_scheduler, judge_asked),
	LONG("such a wait is refused", setup_stuck, refuse, recover_scheduler, judge_refused),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
