/* sweep_needs.c - tasks that need more than one cpu, killed at every step: asking, booking,
 * running, the end of a booking. Two of the tasks need the same resource, so a resource that the
 * first task gives back wrongly never reaches the second task. */
#include <string.h>

#include "tests/support/world.h"

static plm_ref first, second;

static plm_ref submit(struct plm *rt, const char *needs)
{
	plm_terms terms = { .needs = needs };
	plm_task task = { .function = "probe.echo",
		.args = &PLM_BYTES("x", 1),
		.nargs = 1,
		.crash_retries = 1,
		.terms = &terms };
	plm_ref ref;
	if (plm_submit(rt, &task, &ref) < 0)
		sweep_fail(plm_why());
	return ref;
}

static void boot(void *image)
{
	(void)image;
	world_boot();
	world.tables.control->memory = 1 << 20;
}

static void setup_two(void *image)
{
	boot(image);
	first = submit(&world.b, "mem=1M");
	second = submit(&world.b, "cpus=1,mem=1M");
}

static void setup_booked(void *image)
{
	setup_two(image);
	world_settle();
	SWEEP_REQUIRE(sh_load(&world.tables.process[WORLD_WORKER].booked));
}

static void setup_done(void *image)
{
	setup_booked(image);
	SWEEP_REQUIRE(world_run_some());
}

/* ---- operations ---- */

static void ask(void *image)
{
	(void)image;
	world_play(&world.a);
	submit(&world.a, "cpus=1,mem=512K");
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void work(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	SWEEP_REQUIRE(worker_step(&world.worker) > 0);
	worker_report(&world.worker);
}

/* ---- verdicts ---- */

static const char *both_are_done(void)
{
	if (!world_yields(first, "x", 1))
		return "the first task has no value";
	if (!world_yields(second, "x", 1))
		return "the second task, which waited for what the first had, has no value";
	return sh_load(&world.tables.process[WORLD_WORKER].booked) ? "a slot stays booked" : NULL;
}

/* The dead process may have begun to write its needs. */
static const char *others_can_ask(void)
{
	world_play(&world.b);
	first = submit(&world.b, "cpus=1,mem=512K");
	second = submit(&world.b, "mem=1M");
	world_work();
	return both_are_done();
}

static const char *judge_client(void *image)
{
	(void)image;
	if (sweep_finished() && !terms_at(world.tables.terms, 1))
		return "a task was accepted, and its terms are in no table";
	return world_judge(WORLD_A, others_can_ask);
}

static const char *judge_worker(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, both_are_done);
}

static const char *judge_scheduler(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, both_are_done);
}

static const struct sweep_op ops[] = {
	OP("submit, asking for new terms", boot, ask, recover_client, judge_client),
	LONG("booking of a slot", setup_two, schedule, recover_scheduler, judge_scheduler),
	LONG("run of a booked task", setup_booked, work, recover_worker, judge_worker),
	LONG("end of a booking, and the next", setup_done, schedule, recover_scheduler,
	    judge_scheduler),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
