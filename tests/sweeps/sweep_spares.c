/* sweep_spares.c - tasks that wait for tasks, killed at every step: the runtime asks for a
 * spare, a spare rests, works again and is dismissed, and the youngest wait is refused. All
 * queued tasks run in the end, on one cpu. No needed process rests, and only a wait that is
 * still standing is refused. */
#include <string.h>

#include "base/clock.h"
#include "tests/support/world.h"

enum { SPARE = WORLD_JOINING, LOOK_MS = 6, WAITS_FOR_NS = 50000000, STUCK_NS = 2000000000 };

static struct worker spare;
static plm_ref waiting, awaited, queued;

static struct process *worker_slot(void)
{
	return &world.tables.process[WORLD_WORKER];
}
static struct process *spare_slot(void)
{
	return &world.tables.process[SPARE];
}

static void wait_ms(uint64_t ms)
{
	for (uint64_t end = clock_ns() + ms * NS_PER_MS; clock_ns() < end;)
		;
}

/* ---- setups ---- */

static void boot(void *image, uint32_t spares)
{
	(void)image;
	world_hush();
	world_boot();
	world.tables.control->spares = spares;
}

/* The task waits for another client's task, announced as client/wait.c does. */
static void begin_to_wait(void)
{
	sh_store(&worker_slot()->waiter[0].awaiting, ref_index(awaited.id) + 1);
	sh_store(&worker_slot()->waiting_ns, clock_ns() - WAITS_FOR_NS);
	sh_store(&worker_slot()->blocked, 1);
}

static void wait_ends(void)
{
	sh_store(&worker_slot()->blocked, 0);
	sh_store(&worker_slot()->waiting_ns, 0);
	sh_store(&worker_slot()->waiter[0].awaiting, AWAITING_NOTHING);
}

/* As a worker reports: there is room, or none. */
static void tell(uint32_t slot)
{
	tell_scheduler(&world.tables, slot, NULL, 0, true);
}

static void claim_waiting(void)
{
	plm_ref object;
	void *data;
	waiting = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 0);
	world_settle();
	world_claim_only(waiting);
	worker_step(&world.worker); /* the task's hint, which is stale */
	SWEEP_REQUIRE(plm_create(&world.b, 1, &data, &object) == 0);
	awaited = object;
	begin_to_wait();
	worker_report(&world.worker);
	tell(WORLD_WORKER);
}

static void queue_one(void)
{
	queued = world_submit(&world.b, "probe.echo", &PLM_BYTES("q", 1), 1, 1, 0, 0);
}

/* The first task waits, another task is queued, and the time to ask for a spare has come. */
static void setup_wanting(void *image)
{
	boot(image, 1);
	claim_waiting();
	world_settle();
	queue_one();
	world_settle();
	wait_ms(LOOK_MS);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(!tables_relieved(&world.tables, WORLD_WORKER));
	wait_ms(LOOK_MS);
}

static void setup_spare(void *image)
{
	setup_wanting(image);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(tables_relieved(&world.tables, WORLD_WORKER));
	world_open_worker(&spare, SPARE, 0, WORLD_WORKER);
	sh_store(&spare_slot()->booked, BOOKED_AT_BIRTH);
	processes_changed(&world.tables);
	world_settle();
}

/* The spare was given the queued task; now the wait is over. */
static void setup_surplus(void *image)
{
	setup_spare(image);
	SWEEP_REQUIRE(sh_load(&spare_slot()->booked) == 0);
	wait_ends();
	tell(WORLD_WORKER);
}

static void setup_resting(void *image)
{
	setup_surplus(image);
	world_settle();
	SWEEP_REQUIRE(sh_load(&spare_slot()->booked) == BOOKED_FOR_NOBODY);
	worker_step(&spare); /* the spare sees that it must rest */
	begin_to_wait();
	worker_report(&world.worker);
	tell(WORLD_WORKER);
}

/* No task has waited for a second yet. */
static void setup_idle(void *image)
{
	setup_surplus(image);
	world_settle();
	world.scheduler.worker_process[WORLD_WORKER].waited_ns = 1;
	world.scheduler.relief.next_ns = 0;
}

/* No spare may come, and no task has gone on for more than a second. */
static void setup_stuck(void *image)
{
	boot(image, 0);
	claim_waiting();
	queue_one();
	world_settle();
	wait_ms(LOOK_MS);
	scheduler_step(&world.scheduler);
	SWEEP_REQUIRE(world.scheduler.relief.stuck_ns != 0);
	world.scheduler.relief.stuck_ns -= STUCK_NS;
	world.scheduler.relief.next_ns = 0;
}

/* ---- operation and recovery ---- */

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void ask(void *image)
{
	schedule(image);
	if (!tables_relieved(&world.tables, WORLD_WORKER))
		sweep_fail("no spare is asked for");
}

static void dismiss(void *image)
{
	schedule(image);
	if (tables_relieved(&world.tables, WORLD_WORKER))
		sweep_fail("a spare is asked for still");
}

static void refuse(void *image)
{
	schedule(image);
	if (sh_load(&worker_slot()->refused) != sh_load(&worker_slot()->waiting_ns))
		sweep_fail("all wait, and none is refused");
}

/* ---- verdicts ---- */

static uint32_t bits_in_segment(void)
{
	uint32_t n = 0;
	for (uint32_t p = 0; p < world.tables.limits.processes; p++)
		n += tables_relieved(&world.tables, p);
	return n;
}

static const char *queued_is_done(void)
{
	if (!world_yields(queued, "q", 1))
		return "what was queued has no value";
	return NULL;
}

static const char *judge_end(void)
{
	wait_ends();
	tell(WORLD_WORKER);
	if (process_present(sh_load(&spare_slot()->state)))
		world_end_worker(&spare);
	plm_drop(&world.b, awaited);
	const char *why = world_judge(SLOT_SCHEDULER, queued_is_done);
	if (!why && bits_in_segment())
		why = "when all have left a spare is asked for still";
	return why;
}

static const char *count_bits(uint32_t wanted)
{
	uint32_t n = bits_in_segment();
	if (n != world.scheduler.relief.bits)
		return "the scheduler counts other spares than it has asked for";
	return n == wanted ? NULL : wanted ? "no spare is asked for" : "a spare is asked for still";
}

/* A spare requested before the death is still requested, or again. */
static const char *judge_wanting(void *image)
{
	(void)image;
	for (uint32_t i = 0; i < 4 && !bits_in_segment(); i++) {
		wait_ms(LOOK_MS);
		scheduler_step(&world.scheduler);
	}
	const char *why = count_bits(1);
	return why ? why : judge_end();
}

/* The spare's task goes to the worker that is at work. */
static const char *judge_surplus(void *image)
{
	(void)image;
	if (sh_load(&spare_slot()->booked) != BOOKED_FOR_NOBODY)
		return "two are at work in one slot";
	world_play(&world.worker.rt);
	world_work();
	if (world_state_of(queued) != RECORD_DONE)
		return "what stood in front of a spare that rests waits with it";
	return judge_end();
}

static const char *judge_resting(void *image)
{
	(void)image;
	if (sh_load(&spare_slot()->booked) != 0)
		return "a spare rests while its slot waits";
	world_play(&spare.rt);
	for (uint32_t i = 0; i < 8 && world_state_of(queued) != RECORD_DONE; i++) {
		world_settle();
		worker_step(&spare);
		worker_report(&spare);
	}
	if (world_state_of(queued) != RECORD_DONE)
		return "a spare at work is given nothing";
	return judge_end();
}

static const char *judge_idle(void *image)
{
	(void)image;
	world.scheduler.worker_process[WORLD_WORKER].waited_ns =
	    1; /* a second is long for a sweep */
	world.scheduler.relief.next_ns = 0;
	scheduler_step(&world.scheduler);
	const char *why = count_bits(0);
	return why ? why : judge_end();
}

static const char *judge_stuck(void *image)
{
	(void)image;
	uint64_t wait = sh_load(&worker_slot()->waiting_ns);
	uint64_t refused = sh_load(&worker_slot()->refused);
	if (refused && refused != wait)
		return "a wait is refused that nobody waits";
	for (uint32_t i = 0; i < 8 && sh_load(&worker_slot()->refused) != wait; i++) {
		wait_ms(LOOK_MS);
		scheduler_step(&world.scheduler);
		if (world.scheduler.relief.stuck_ns)
			world.scheduler.relief.stuck_ns = 1; /* a second is long for a sweep */
	}
	if (sh_load(&worker_slot()->refused) != wait)
		return "all wait for ever";
	return judge_end();
}

static const struct sweep_op ops[] = {
	LONG("a spare is asked for", setup_wanting, ask, recover_scheduler, judge_wanting),
	LONG("a spare is to rest", setup_surplus, schedule, recover_scheduler, judge_surplus),
	LONG("a spare is at work again", setup_resting, schedule, recover_scheduler, judge_resting),
	LONG("a spare is dismissed", setup_idle, dismiss, recover_scheduler, judge_idle),
	LONG("the youngest wait is refused", setup_stuck, refuse, recover_scheduler, judge_stuck),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
