/* sweep_order.c - tasks that come after another in whatever way it ends, or only after its failure:
 * client, worker and scheduler killed at every step. Each runs once if its condition is met; else a
 * task that waits for a failure is cancelled. */
#include <errno.h>

#include "tests/support/echo_case.h"

static plm_ref any, if_failed;

static void submit_orders(const char *function, const plm_arg *args, size_t n, unsigned crashes)
{
	task = world_submit(&world.b, function, args, n, 1, 0, crashes);
	any = world_submit(&world.b, "probe.echo",
	    (plm_arg[]){ PLM_BYTES("any", 3), PLM_AFTER(task, PLM_AFTER_ANY) }, 2, 1, 0, 1);
	if_failed = world_submit(&world.b, "probe.echo",
	    (plm_arg[]){ PLM_BYTES("failed", 6), PLM_AFTER(task, PLM_AFTER_FAILED) }, 2, 1, 0, 1);
}

static const plm_arg boom[] = { { "boom", 4, { 0, 0 } }, { "7", 1, { 0, 0 } } };

static void setup_good(void *image)
{
	echo_boot(image);
	submit_orders("probe.echo", &PLM_BYTES("x", 1), 1, 1);
	world_settle();
}

static void setup_bad(void *image)
{
	echo_boot(image);
	submit_orders("probe.fail", boom, 2, 1);
	world_settle();
}

static void setup_cancelled(void *image)
{
	setup_good(image);
	world_share(&world.a, task);
	world_settle();
}

/* ---- outcomes ---- */

static const char *any_has_run(void)
{
	return world_yields(any, "any", 3) ? NULL : "the task after any end did not run";
}

static const char *good_end(void)
{
	if (!world_yields(task, "x", 1))
		return "the first task has no value";
	if (world_state_of(if_failed) != RECORD_CANCELLED)
		return "the task for a failure is not cancelled, though nothing failed";
	return any_has_run();
}

static const char *bad_end(void)
{
	if (!world_yields(if_failed, "failed", 6))
		return "the task for a failure did not run";
	return any_has_run();
}

static const char *failed_for_its_reason(void)
{
	return world_failed(task, 7, "boom", task) ? bad_end()
						   : "the failure is not the function's";
}

static const char *cancelled_or_good(void)
{
	return world_state_of(task) == RECORD_CANCELLED ? bad_end() : good_end();
}

static const char *judge_good_worker(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, good_end);
}

static const char *judge_bad_worker(void *image)
{
	(void)image;
	return world_judge(WORLD_WORKER, failed_for_its_reason);
}

static const char *judge_good_scheduler(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, good_end);
}

static const char *judge_bad_scheduler(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, failed_for_its_reason);
}

static const char *judge_cancel(void *image)
{
	(void)image;
	return world_judge(WORLD_A, cancelled_or_good);
}

/* ---- operations ---- */

static void step_worker(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	SWEEP_REQUIRE(worker_step(&world.worker) > 0);
	worker_report(&world.worker);
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void setup_settled_well(void *image)
{
	setup_good(image);
	world_claim_only(task);
	struct record *r = record_at(&world.tables, ref_index(task.id));
	r->value_bytes = 1;
	r->value_inline[0] = 'x';
	uint64_t word = sh_load(&r->state);
	SWEEP_REQUIRE(record_step(r, &word, RECORD_DONE, word_owner(word), word_attempt(word), 0));
	uint64_t hint = hint_make(HINT_SETTLED, task.id);
	tell_scheduler(&world.tables, WORLD_WORKER, &hint, 1, true);
}

static void setup_settled_badly(void *image)
{
	setup_bad(image);
	SWEEP_REQUIRE(world_run_some());
}

static void setup_submitted(void *image)
{
	echo_boot(image);
	submit_orders("probe.echo", &PLM_BYTES("x", 1), 1, 1);
}

static void cancel(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_cancel(&world.a, task, 0) == 0);
}

/* A tied task with nothing but an order behind it: nobody wants its value, so its end is the end of
 * its client, and the task that comes after any end runs. */
static void setup_tied(void *image)
{
	plm_ref ref;
	echo_boot(image);
	plm_task t = { .function = "probe.echo",
		.args = &PLM_BYTES("x", 1),
		.nargs = 1,
		.crash_retries = 1,
		.flags = PLM_TIED };
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &ref) == 0);
	task = ref;
	world_share(&world.b, ref);
	any = world_submit(&world.b, "probe.echo",
	    (plm_arg[]){ PLM_BYTES("any", 3), PLM_AFTER(ref, PLM_AFTER_ANY) }, 2, 1, 0, 1);
	plm_drop(&world.b, ref);
	world_settle();
}

static void leave(void *image)
{
	(void)image;
	world_play(&world.a);
	plm_drop(&world.a, task);
}

static const char *judge_tied(void *image)
{
	(void)image;
	world_settle();
	if (world_state_of(task) != RECORD_CANCELLED && world_state_of(task) != RECORD_FREE)
		return "a tied task goes on without a client, since a task comes after it";
	return world_judge(WORLD_A, any_has_run);
}

static const struct sweep_op ops[] = {
	LONG("the first task succeeds", setup_good, step_worker, recover_worker, judge_good_worker),
	LONG("the first task fails", setup_bad, step_worker, recover_worker, judge_bad_worker),
	LONG("scheduling of what comes after", setup_submitted, schedule, recover_scheduler,
	    judge_good_scheduler),
	LONG("scheduling after a success", setup_settled_well, schedule, recover_scheduler,
	    judge_good_scheduler),
	LONG("scheduling after a failure", setup_settled_badly, schedule, recover_scheduler,
	    judge_bad_scheduler),
	LONG("cancel of the first task", setup_cancelled, cancel, recover_client, judge_cancel),
	LONG("a client leaves its tied task", setup_tied, leave, recover_client, judge_tied),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
