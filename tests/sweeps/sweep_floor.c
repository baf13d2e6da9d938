/* sweep_floor.c - a task in front of a worker, and a task of a higher priority that comes later,
 * killed at every step: both run, and the higher one begins first, whichever process dies. */
#include <sys/mman.h>

#include "base/clock.h"
#include "tables/floor.h"
#include "tables/handover.h"
#include "tests/support/world.h"

enum { LOW, HIGH, TASKS, DYING = WORLD_JOINING };

static struct worker dying;
static plm_ref task[TASKS];

/* A region of the image: the order in which the tasks began. */
static struct order {
	shared32 clock, began[TASKS];
} * order;

/* In the place of probe.noop. */
static int note_begin(plm_call *call)
{
	uint32_t index = record_index(&call->rt->tables, call->record);
	for (uint32_t i = 0; i < TASKS; i++)
		if (ref_index(task[i].id) == index && !sh_load(&order->began[i]))
			sh_store(&order->began[i], sh_add(&order->clock, 1) + 1);
	return 0;
}

static void watch(struct worker *w)
{
	const struct record *r = record_at(&world.tables, ref_index(task[LOW].id));
	w->functions.code[r->function] = note_begin;
}

static plm_ref submit(int priority)
{
	plm_ref ref;
	plm_task one = { .function = "probe.noop", .priority = priority, .crash_retries = 3 };
	SWEEP_REQUIRE(plm_submit(&world.b, &one, &ref) == 0);
	return ref;
}

/* ---- setups ---- */

static void boot(void)
{
	order =
	    mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SWEEP_REQUIRE(order != MAP_FAILED);
	world_boot();
}

/* The low task goes by the ring, not into the hand. */
static void submit_both(struct worker *to)
{
	sh_store(&to->rt.me->handed, HAND_CLOSED);
	task[LOW] = submit(-10);
	sh_store(&to->rt.me->handed, 0);
	world_settle();
	task[HIGH] = submit(10);
	watch(to);
}

static void setup_high_comes(void *image)
{
	(void)image;
	boot();
	submit_both(&world.worker);
}

static void require_low_is_refused(void)
{
	const struct record *low = record_at(&world.tables, ref_index(task[LOW].id));
	SWEEP_REQUIRE(floor_refuses(&world.tables, low));
}

static void setup_low_is_back(void *image)
{
	setup_high_comes(image);
	world_settle();
	require_low_is_refused();
	world_run_some();
	SWEEP_REQUIRE(sh_load(&order->began[HIGH]) == 1 && !sh_load(&order->began[LOW]));
}

/* Both tasks stand in front of a worker that will die; another worker is busy meanwhile. */
static void setup_high_stands_behind(void *image)
{
	(void)image;
	boot();
	world_open_worker(&dying, DYING, 1, 0);
	sh_store(&world.worker.rt.me->handed, HAND_CLOSED);
	processes_changed(&world.tables);
	tell_scheduler(&world.tables, WORLD_WORKER, NULL, 0, true);
	world_settle();
	submit_both(&dying);
	world_settle();
	require_low_is_refused();
	sh_store(&world.worker.rt.me->handed, 0);
	watch(&world.worker);
	struct ring ring = ring_down(&world.tables, DYING);
	SWEEP_REQUIRE(ring_used(&ring) == TASKS);
}

/* ---- operations ---- */

static void scheduler_acts(void *image)
{
	(void)image;
	world_settle();
}

static void worker_acts(void *image)
{
	(void)image;
	world_play(&dying.rt);
	SWEEP_REQUIRE(worker_step(&dying) == TASKS);
	worker_report(&dying);
}

/* ---- verdicts ---- */

static void recover_dying(void *image)
{
	(void)image;
	world_recover(DYING);
}

static const char *high_was_first(void)
{
	if (!world_yields(task[LOW], "", 0) || !world_yields(task[HIGH], "", 0))
		return "a task is lost";
	if (sh_load(&order->began[HIGH]) != 1 || sh_load(&order->began[LOW]) != 2)
		return "the lower priority began first";
	return NULL;
}

static const char *judge_scheduler(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, high_was_first);
}

static const char *judge_worker(void *image)
{
	(void)image;
	return world_judge(DYING, high_was_first);
}

static size_t regions(struct sweep_region *ret)
{
	size_t n = world_regions(ret);
	ret[n] = (struct sweep_region){ order, sizeof *order };
	return n + 1;
}

#define ORDERED(what, prepare, act, mend, verdict)                                  \
	{                                                                           \
		.name = what, .regions = regions, .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict, .steps_only = true               \
	}

static const struct sweep_op ops[] = {
	ORDERED("a higher priority is queued", setup_high_comes, scheduler_acts, recover_scheduler,
	    judge_scheduler),
	ORDERED("a lower one is handed back", setup_high_stands_behind, worker_acts, recover_dying,
	    judge_worker),
	ORDERED("the lower one has its turn", setup_low_is_back, scheduler_acts, recover_scheduler,
	    judge_scheduler),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
