/* sweep_process.c - joining, leaving and burying, killed at every step: the process slot is free
 * in the end, and nothing of the holder is left. */
#include <string.h>

#include "tables/segment_plan.h"
#include "tests/support/world.h"

enum { LARGE_BYTES = 100, FAR = EXTENSION_SLOTS };

static char large[LARGE_BYTES];
static struct plm joining;
static plm_ref of_b, run_by_worker;

static void boot_for(uint32_t processes)
{
	memset(large, 'P', sizeof large);
	world_boot_for(processes);
}

static void boot(void)
{
	boot_for(EXTENSION_SLOTS);
}

/* ---- join ---- */

static void setup_joining(void *image)
{
	(void)image;
	boot();
	joining = (struct plm){ .socket = -1 };
	tables_share(&world.tables, &joining.tables);
	SWEEP_REQUIRE(
	    process_claim(&world.tables.process[WORLD_JOINING], KIND_CLIENT, 0, "joining"));
}

static void join(void *image)
{
	(void)image;
	SWEEP_REQUIRE(handle_open(&joining, WORLD_JOINING) == 0);
}

static void recover_joining(void *image)
{
	(void)image;
	world_recover(WORLD_JOINING);
}

static const char *judge_joining(void *image)
{
	(void)image;
	return world_judge(WORLD_JOINING, NULL);
}

/* ---- leaving with all there can be: values, reserved records, an unsealed object, tasks ---- */

static void give_a_possessions(void)
{
	void *data;
	plm_ref unsealed;
	of_b = world_put(&world.b, large, sizeof large);
	world_share(&world.a, of_b);
	plm_ref own = world_put(&world.a, large, sizeof large);
	SWEEP_REQUIRE(plm_create(&world.a, sizeof large, &data, &unsealed) == 0);
	world_submit(&world.a, "probe.echo", &PLM_FUTURE(own), 1, 1, 0, 0);
	world_submit(&world.a, "probe.echo", &PLM_FUTURE(of_b), 1, 3, 0, 0);
	world_put(&world.a, large, 1); /* takes a batch of records: the rest of the batch stays
					* reserved */
}

static void setup_leaving(void *image)
{
	(void)image;
	boot();
	give_a_possessions();
}

static void leave(void *image)
{
	(void)image;
	world_play(&world.a);
	handle_close(&world.a);
}

/* All holds are dropped: the end needs no scan. */
static void setup_empty(void *image)
{
	(void)image;
	boot();
	of_b = world_put(&world.b, large, sizeof large);
	plm_drop(&world.a, world_put(&world.a, large, sizeof large));
	world_settle();
}

static void leave_clean(void *image)
{
	leave(image);
	SWEEP_REQUIRE(!sh_load(&world.a.me->unclean));
}

static const char *b_keeps_its_own(void)
{
	return world_yields(of_b, large, sizeof large) ? NULL : "a value of the living is gone";
}

static void recover_leaving(void *image)
{
	(void)image;
	world_recover(WORLD_A);
}

static const char *judge_leaving(void *image)
{
	(void)image;
	return world_judge(WORLD_A, b_keeps_its_own);
}

/* ---- a process slot whose hold bits lie outside the records ---- */

static void setup_far(void *image)
{
	(void)image;
	boot_for(2 * EXTENSION_SLOTS);
	of_b = world_put(&world.b, large, sizeof large);
	joining = (struct plm){ .socket = -1 };
	tables_share(&world.tables, &joining.tables);
	SWEEP_REQUIRE(tables_open_slot(&world.tables, FAR) == 0);
	SWEEP_REQUIRE(process_claim(&world.tables.process[FAR], KIND_CLIENT, 0, "far"));
	SWEEP_REQUIRE(handle_open(&joining, FAR) == 0);
	world_settle();
}

static size_t far_regions(struct sweep_region *ret)
{
	const struct tables *t = &world.tables;
	size_t n = world_regions(ret), holds = t->limits.records * sizeof(uint64_t);
	ret[n] = (struct sweep_region){ t->extensions, holds };
	ret[n + 1] = (struct sweep_region){ t->extensions + t->extension_rings, plan_ring_bytes() };
	return n + 2;
}

/* The manager that makes room for the first such slot, and the client that joins. */
static void setup_opening(void *image)
{
	(void)image;
	boot_for(2 * EXTENSION_SLOTS);
	of_b = world_put(&world.b, large, sizeof large);
	joining = (struct plm){ .socket = -1 };
	tables_share(&world.tables, &joining.tables);
}

static void open_far(void *image)
{
	(void)image;
	struct process *p = &world.tables.process[FAR];
	SWEEP_REQUIRE(tables_open_slot(&world.tables, FAR) == 0);
	SWEEP_REQUIRE(tables_slots(&world.tables) > FAR);
	SWEEP_REQUIRE(process_claim(p, KIND_CLIENT, 0, "far"));
	SWEEP_REQUIRE(handle_open(&joining, FAR) == 0);
}

static void recover_far(void *image)
{
	(void)image;
	world_recover(FAR);
}

/* Whether or not a client came in, the next client can. */
static const char *judge_opening(void *image)
{
	joining = (struct plm){ .socket = -1 };
	tables_share(&world.tables, &joining.tables);
	open_far(image);
	plm_ref ref = world_put(&joining, large, sizeof large);
	if (!hold_any(&world.tables, ref_index(ref.id)))
		return "a hold of a slot beyond the 64th is not kept";
	handle_close(&joining);
	world_recover(FAR);
	return world_judge(FAR, b_keeps_its_own);
}

/* One object is dropped, another is still held at the end. */
static void put_from_afar(void *image)
{
	(void)image;
	world_play(&joining);
	plm_ref dropped = world_put(&joining, large, sizeof large);
	SWEEP_REQUIRE(hold_any(&world.tables, ref_index(dropped.id)));
	world_put(&joining, large, 1);
	plm_drop(&joining, dropped);
	handle_close(&joining);
}

static const char *judge_far(void *image)
{
	(void)image;
	return world_judge(FAR, b_keeps_its_own);
}

/* ---- burying: the scheduler dies while cleaning up ---- */

static void setup_dead_client(void *image)
{
	setup_leaving(image);
	world_settle();
	world_declare_dead(WORLD_A);
}

/* In a task that may run once more. */
static void setup_dead_worker(void *image)
{
	(void)image;
	boot();
	of_b = world_put(&world.b, large, sizeof large);
	run_by_worker = world_submit(&world.b, "probe.echo", &PLM_FUTURE(of_b), 1, 1, 0, 1);
	world_settle();
	world_claim_only(run_by_worker);
	world_declare_dead(WORLD_WORKER);
}

static void bury(void *image)
{
	(void)image;
	repair_look(&world.scheduler);
}

/* A free process slot goes to the next client, before a scheduler has seen the slot. */
static void recover_and_let_in(void *image)
{
	struct process *p = &world.tables.process[WORLD_A];
	if (process_state(sh_load(&p->state)) == PROCESS_FREE)
		SWEEP_REQUIRE(process_claim(p, KIND_CLIENT, 0, "next"));
	recover_scheduler(image);
}

static const char *next_has_nothing(void)
{
	for (uint32_t i = 0; i < pool_fresh(&world.tables.pool); i++)
		if (hold_test(&world.tables, i, WORLD_A))
			return "who was let in next holds what the dead one held";
	world_declare_dead(WORLD_A);
	return b_keeps_its_own();
}

static const char *judge_buried_client(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, next_has_nothing);
}

static const char *task_was_run_again(void)
{
	return world_yields(run_by_worker, large, sizeof large)
	    ? NULL
	    : "the dead worker's task has no value";
}

static const char *judge_buried_worker(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, task_was_run_again);
}

static const struct sweep_op ops[] = {
	{ .name = "the first slot beyond the 64th",
	    .regions = far_regions,
	    .setup = setup_opening,
	    .operate = open_far,
	    .recover = recover_far,
	    .judge = judge_opening,
	    .steps_only = true },
	{ .name = "put and leave, a slot beyond the 64th",
	    .regions = far_regions,
	    .setup = setup_far,
	    .operate = put_from_afar,
	    .recover = recover_far,
	    .judge = judge_far,
	    .steps_only = true },
	LONG("leave, with nothing", setup_empty, leave_clean, recover_leaving, judge_leaving),
	OP("leave", setup_leaving, leave, recover_leaving, judge_leaving),
	LONG("bury a client", setup_dead_client, bury, recover_and_let_in, judge_buried_client),
	LONG("bury a worker", setup_dead_worker, bury, recover_scheduler, judge_buried_worker),
	LONG("join", setup_joining, join, recover_joining, judge_joining),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
