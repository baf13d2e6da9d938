/* sweep_tied.c - tasks that end with their clients (PLM_TIED): the last holder drops them, or is
 * buried, and the scheduler is killed at every step meanwhile. A queued task never runs, a
 * running task is asked to stop; a task that another client's task needs runs, and so does an
 * untied task. */
#include "tests/support/world.h"

static plm_ref running, queued, waiting, needed, needs, lonely;

static plm_ref submit(struct plm *rt, const plm_arg *arg, unsigned flags)
{
	plm_ref ref;
	const plm_task task = { .function = "probe.echo",
		.args = arg,
		.nargs = 1,
		.crash_retries = 1,
		.flags = flags };
	SWEEP_REQUIRE(plm_submit(rt, &task, &ref) == 0);
	return ref;
}

static void setup(void *image)
{
	(void)image;
	world_hush();
	world_boot();
	sh_store(&world.tables.control->admission, ADMISSION_PAUSED);
	const plm_arg text = PLM_BYTES("q", 1);
	running = submit(&world.a, &text, PLM_TIED);
	queued = submit(&world.a, &text, PLM_TIED);
	needed = submit(&world.a, &text, PLM_TIED);
	lonely = submit(&world.a, &text, 0);
	const plm_arg future = PLM_FUTURE(running), other = PLM_FUTURE(needed);
	waiting = submit(&world.a, &future, PLM_TIED);
	world_share(&world.b, needed); /* until the object is an argument */
	world_settle();
	needs = submit(&world.b, &other, 0);
	plm_drop(&world.b, needed);
	world_settle();
	world_claim_only(running);
}

static void setup_dead(void *image)
{
	setup(image);
	world_declare_dead(WORLD_A);
}

static void setup_dropped(void *image)
{
	setup(image);
	plm_drop(&world.a, queued);
	plm_drop(&world.a, waiting);
	plm_drop(&world.a, running);
	plm_drop(&world.a, needed);
	plm_drop(&world.a, lonely);
}

static void schedule(void *image)
{
	(void)image;
	processes_changed(&world.tables); /* otherwise the scheduler ignores quiet hints just now */
	scheduler_step(&world.scheduler);
}

static void recover(void *image)
{
	(void)image;
	world_recover(SLOT_SCHEDULER);
}

static const char *needed_is_done(void)
{
	return world_yields(needs, "q", 1) ? NULL : "what somebody needs was not run";
}

static bool is_over(plm_ref ref)
{
	enum record_state state = world_state_of(ref);
	return state == RECORD_FREE || state == RECORD_CANCELLED;
}

static const char *judge(void *image)
{
	(void)image;
	uint64_t word;
	world_settle();
	if (!is_over(queued))
		return "a task without a client is queued still";
	if (!is_over(waiting))
		return "a task without a client waits still";
	if (!record_lookup(&world.tables, running.id, &word) || !(word_flags(word) & FLAG_CANCEL))
		return "a task without a client runs, and is not asked to stop";
	if (world_state_of(needed) != RECORD_READY)
		return "a task that is needed was ended";
	if (world_state_of(lonely) != RECORD_READY)
		return "a task that is not tied was ended";
	sh_store(&world.tables.control->admission, 0);
	world_play(&world.worker.rt);
	world_work();
	return world_judge(SLOT_SCHEDULER, needed_is_done);
}

static const struct sweep_op ops[] = {
	LONG("burial of a client with tied tasks", setup_dead, schedule, recover, judge),
	LONG("tied tasks are dropped", setup_dropped, schedule, recover, judge),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
