/* sweep_order.c - tasks that come after another in whatever way it ends, or only after its failure:
 * client, worker and scheduler killed at every step. Each runs once if its condition is met; else a
 * task that waits for a failure is cancelled. Two tasks submitted in one step: both or neither. */
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

/* ---- two tasks submitted in one step: in the end both have run, or neither is there ---- */

static void setup_pair(void *image)
{
	echo_boot(image);
	if_failed = world_put(&world.b, "o", 1); /* the second task waits for B's object, too */
	world_share(&world.a, if_failed);
}

static void submit_pair(void *image)
{
	(void)image;
	plm_ref refs[3];
	const plm_arg second[] = { PLM_BYTES("any", 3), PLM_AFTER(PLM_PREVIOUS, PLM_AFTER_ANY),
		PLM_FUTURE(if_failed) };
	const plm_task pair[] = { { .function = "probe.echo",
				      .args = &PLM_BYTES("x", 1),
				      .nargs = 1,
				      .results = 2,
				      .crash_retries = 1,
				      .flags = PLM_KEEP },
		{ .function = "probe.echo",
		    .args = second,
		    .nargs = 3,
		    .crash_retries = 1,
		    .flags = PLM_KEEP | PLM_PAIRED } };
	world_play(&world.a);
	SWEEP_REQUIRE(plm_submit_many(&world.a, pair, 2, refs) == 0);
	SWEEP_REQUIRE(refs[0].id && refs[1].id && refs[2].id);
}

/* How many tasks that the runtime keeps are in this state; RECORD_STATES: in any. */
static unsigned count_kept(bool paired, enum record_state state)
{
	const struct tables *t = &world.tables;
	unsigned n = 0;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		enum record_state now = word_state(sh_load(&t->record[i].state));
		n += now != RECORD_FREE && now != RECORD_PART && hold_test(t, i, SLOT_MANAGER) &&
		    t->record[i].paired == paired && (state == RECORD_STATES || now == state);
	}
	return n;
}

static const char *both_or_none(void)
{
	unsigned first = count_kept(false, RECORD_STATES), second = count_kept(true, RECORD_STATES);
	if (first != second)
		return first ? "the first task of a pair is there without the second"
			     : "the second task of a pair is there without the first";
	if (sweep_finished() && first != 1)
		return "an accepted pair is lost";
	if (count_kept(false, RECORD_DONE) != first || count_kept(true, RECORD_DONE) != second)
		return "a task of the pair has not run";
	return NULL;
}

static const char *judge_pair(void *image)
{
	(void)image;
	return world_judge(WORLD_A, both_or_none);
}

/* The client died when the second task was visible, and the record of the first only reserved. */
static void setup_half_a_pair(void *image)
{
	void *data;
	plm_ref first, second;
	setup_pair(image);
	SWEEP_REQUIRE(plm_create(&world.a, 1, &data, &first) == 0);
	const plm_arg args[] = { PLM_BYTES("any", 3), PLM_AFTER(first, PLM_AFTER_ANY) };
	const plm_task t = {
		.function = "probe.echo", .args = args, .nargs = 2, .flags = PLM_KEEP
	};
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &second) == 0);
	record_at(&world.tables, ref_index(second.id))->paired = 1;
	world_declare_dead(WORLD_A);
}

static const char *nothing_kept(void)
{
	return count_kept(true, RECORD_STATES) ? "half of a pair is kept, though its client died"
					       : NULL;
}

static const char *judge_half(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, nothing_kept);
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
	OP("submission of a pair", setup_pair, submit_pair, recover_client, judge_pair),
	LONG("half a pair is taken back", setup_half_a_pair, schedule, recover_scheduler,
	    judge_half),
	LONG("a client leaves its tied task", setup_tied, leave, recover_client, judge_tied),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
