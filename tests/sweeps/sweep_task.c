/* sweep_task.c - submit, claim, run, commit, spread, cancel and free, killed at every step. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "client/submit.h"
#include "tests/support/echo_case.h"

#define DETAIL "trace"

static plm_ref last, object, parts[3];

/* ---- a client submits and dies: in the end nothing of the client is left ---- */

static void submit_as_a(
    const char *function, const plm_arg *args, size_t n, unsigned results, unsigned flags)
{
	plm_ref refs[4];
	world_play(&world.a);
	plm_task t = { .function = function, .args = args, .nargs = n, .flags = flags };
	t.results = results;
	SWEEP_REQUIRE(plm_submit(&world.a, &t, refs) == 0);
}

static void submit_inline(void *image)
{
	(void)image;
	submit_as_a("probe.echo", &PLM_BYTES("small", 5), 1, 1, 0);
}

/* Arguments that would fit into the record make way for the label. */
static void submit_with_identity(void *image)
{
	(void)image;
	plm_ref ref;
	world_play(&world.a);
	plm_task t = { .function = "probe.noop", .identity = { 1, 2 } };
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &ref) == 0);
}

static void submit_large(void *image)
{
	(void)image;
	submit_as_a("probe.echo", &PLM_BYTES(large, sizeof large), 1, 1, 0);
}

static void submit_future(void *image)
{
	(void)image;
	submit_as_a("probe.echo", &PLM_FUTURE(object), 1, 1, 0);
}

static void submit_kept_with_parts(void *image)
{
	(void)image;
	submit_as_a(
	    "probe.echo", (plm_arg[]){ PLM_FUTURE(object), PLM_FUTURE(task) }, 2, 3, PLM_KEEP);
}

static void setup_object(void *image)
{
	echo_boot(image);
	object = world_put(&world.a, large, sizeof large);
	task = world_submit(&world.a, "probe.echo", &PLM_BYTES("x", 1), 1, 1, 0, 0);
	world_settle();
}

static const char *judge_client(void *image)
{
	(void)image;
	return world_judge(WORLD_A, NULL);
}

/* An accepted kept task belongs to the runtime, and runs though no process holds the task. */
static const char *kept_has_run(void)
{
	const struct tables *t = &world.tables;
	bool found = !sweep_finished();
	for (uint32_t i = 0; i < pool_fresh(&t->pool) && !found; i++)
		found = word_state(sh_load(&t->record[i].state)) == RECORD_DONE &&
		    t->record[i].results == 3 && hold_test(t, i, SLOT_MANAGER);
	return found ? NULL : "a task that was accepted, to be kept, is lost";
}

static const char *judge_kept(void *image)
{
	(void)image;
	return world_judge(WORLD_A, kept_has_run);
}

/* ---- a worker runs B's task ---- */

static void setup_noop(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.noop", NULL, 0, 1, 0, 1);
	world_settle();
}

static void setup_echo(void *image)
{
	(void)image;
	echo_setup(1, 0);
}

static void setup_successor(void *image)
{
	(void)image;
	echo_setup(1, 1);
}

static void setup_echo_once(void *image)
{
	(void)image;
	echo_setup(0, 0);
}

static void setup_fail(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.fail",
	    (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1), PLM_BYTES(DETAIL, 5) }, 3, 1, 0,
	    1);
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(task), 1, 1, 0, 0);
	world_settle();
}

static void setup_retry(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.fail",
	    (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1), PLM_BYTES(DETAIL, 5) }, 3, 1, 1,
	    1);
	after = task;
	world_settle();
}

/* A round of the worker: the hand, the ring, and the successor that the worker keeps. */
static void step_worker(void *image)
{
	(void)image;
	world_play(&world.worker.rt);
	SWEEP_REQUIRE(worker_step(&world.worker) > 0);
	worker_report(&world.worker);
}

static const char *noop_is_done(void)
{
	return world_yields(task, "", 0) ? NULL : "the task did not end well";
}

static bool has_detail(plm_ref ref)
{
	plm_view view;
	bool same = plm_failure_detail(&world.b, ref, &view) == 0 && view.len == strlen(DETAIL) &&
	    memcmp(view.data, DETAIL, view.len) == 0;
	plm_release(&world.b, &view);
	return same;
}

static const char *failed_for_its_reason(void)
{
	if (!world_failed(task, 7, "boom", task))
		return "the failure is not the function's";
	if (!has_detail(task))
		return "the failure has lost its detail";
	if (!world_failed(after, 7, "boom", task))
		return "its dependent has another failure";
	return has_detail(after) ? NULL : "the detail did not travel to the dependent";
}

/* A task that the worker ended is not run again. */
static const char *judge_run(const char *(*outcome)(void))
{
	if (sweep_finished() && !state_settled(world_state_of(task)))
		return "the worker was done with the task, and it is not settled";
	return world_judge(WORLD_WORKER, outcome);
}

static const char *judge_noop(void *image)
{
	(void)image;
	return judge_run(noop_is_done);
}
static const char *judge_echo(void *image)
{
	(void)image;
	return judge_run(echo_is_done);
}
static const char *judge_once(void *image)
{
	(void)image;
	return judge_run(echo_or_death);
}
static const char *judge_failing(void *image)
{
	(void)image;
	return judge_run(failed_for_its_reason);
}

static const char *judge_retried(void *image)
{
	const struct record *r = record_at(&world.tables, ref_index(task.id));
	uint64_t word = sh_load(&r->state);
	(void)image;
	if (sweep_finished() && (word_state(word) != RECORD_READY || word_attempt(word) != 1))
		return "a try that failed was not counted";
	return world_judge(WORLD_WORKER, failed_for_its_reason);
}

/* ---- the scheduler's round ---- */

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static void setup_submitted(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.echo", &PLM_BYTES(large, sizeof large), 1, 1, 0, 0);
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(task), 1, 1, 0, 0);
}

static void settle_first(void)
{
	world_settle();
	SWEEP_REQUIRE(world_run_some());
	SWEEP_REQUIRE(state_settled(world_state_of(task)));
}

static void setup_settled(void *image)
{
	setup_submitted(image);
	settle_first();
}

/* Two levels below a failure, one of them with another, unfinished argument. */
static void setup_failed(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.fail",
	    (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1), PLM_BYTES(DETAIL, 5) }, 3, 1, 0,
	    0);
	last = world_submit(&world.a, "probe.noop", NULL, 0, 1, 0, 0);
	after = world_submit(&world.b, "probe.sum",
	    (plm_arg[]){ PLM_FUTURE(task), PLM_BYTES(large, 20) }, 2, 1, 0, 0);
	object = world_submit(&world.b, "probe.echo", &PLM_FUTURE(after), 1, 1, 0, 0);
	settle_first();
}

static const char *failure_has_travelled(void)
{
	const char *why = failed_for_its_reason();
	if (!why && (!world_failed(object, 7, "boom", task) || !has_detail(object)))
		why = "the failure did not travel on";
	return why;
}

/* A done task with parts, an object, a waiting task: all dropped at once. */
static void setup_dropped(void *image)
{
	echo_boot(image);
	plm_task t = { .function = "probe.echo",
		.args = &PLM_BYTES(large, sizeof large),
		.nargs = 1,
		.results = COUNT_OF(parts) };
	SWEEP_REQUIRE(plm_submit(&world.b, &t, parts) == 0);
	object = world_put(&world.b, large, sizeof large);
	world_work();
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(object), 1, 1, 0, 0);
	plm_drop_many(&world.b, parts, COUNT_OF(parts));
	plm_drop(&world.b, object);
}

static const char *dropped_is_gone(void)
{
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (world_state_of(parts[i]) != RECORD_FREE)
			return "a dropped result is still there";
	if (world_state_of(object) != RECORD_FREE)
		return "a dropped object is still there";
	return world_yields(after, large, sizeof large) ? NULL
							: "the task that used it has no value";
}

static const char *judge_submitted(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, echo_is_done);
}

static const char *judge_failed(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, failure_has_travelled);
}

static const char *judge_dropped(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, dropped_is_gone);
}

/* ---- limits, and tasks that are dead after their retries ---- */

static void submit_with_terms(const plm_terms *terms, unsigned retries)
{
	plm_task t = { .function = "probe.fail",
		.terms = terms,
		.retries = retries,
		.nargs = 3,
		.args =
		    (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1), PLM_BYTES(DETAIL, 5) } };
	SWEEP_REQUIRE(plm_submit(&world.b, &t, &task) == 0);
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(task), 1, 1, 0, 0);
}

/* The setup ends before the limit, or else the operation would have nothing to do. */
enum { LIMIT_MS = 100 };
static void wait_ms(uint64_t ms)
{
	uint64_t end = clock_ns() + ms * NS_PER_MS;
	while (clock_ns() < end)
		;
}

static void setup_overdue_ready(void *image)
{
	static const plm_terms terms = { .queue_ms = LIMIT_MS };
	echo_boot(image);
	submit_with_terms(&terms, 0);
	world_settle();
	SWEEP_REQUIRE(world_state_of(task) == RECORD_READY);
	wait_ms(LIMIT_MS + 5);
}

static void setup_overdue_running(void *image)
{
	static const plm_terms terms = { .run_ms = LIMIT_MS };
	echo_boot(image);
	submit_with_terms(&terms, 0);
	world_settle();
	world_claim_only(task);
	record_at(&world.tables, ref_index(task.id))->start_ms =
	    due_ms(&world.tables, record_at(&world.tables, ref_index(task.id)));
	limits_look(&world.scheduler, ref_index(task.id));
	wait_ms(LIMIT_MS + 5);
}

/* The task failed once, and the pause before the retry is over. */
static void setup_resting(void *image)
{
	static const plm_terms terms = { .backoff_ms = LIMIT_MS };
	echo_boot(image);
	submit_with_terms(&terms, 1);
	world_settle();
	SWEEP_REQUIRE(world_run_some() && world_state_of(task) == RECORD_READY);
	world_settle();
	SWEEP_REQUIRE(world_state_of(task) == RECORD_READY);
	wait_ms(2 * LIMIT_MS); /* a random part is added to the pause */
}

static const char *both_failed_in_time(void)
{
	if (!world_failed(task, ETIMEDOUT, NULL, task))
		return "the task did not fail for its limit";
	return world_failed(after, ETIMEDOUT, NULL, task) ? NULL : "its dependent does not know";
}

static const char *judge_overdue(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, both_failed_in_time);
}

static const char *judge_resting(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, failed_for_its_reason);
}

/* The task's worker is declared dead as well: the attempt is over, and the failure names the
 * worker. */
static void recover_late(void *image)
{
	(void)image;
	world_declare_dead(WORLD_WORKER);
	world_recover(SLOT_SCHEDULER);
}

static const char *late_or_dead(void)
{
	if (world_failed(task, EOWNERDEAD, NULL, task)) /* the worker died before the limit
							 * passed */
		return world_failed(after, EOWNERDEAD, NULL, task)
		    ? NULL
		    : "its dependent has another failure";
	return both_failed_in_time();
}

static const char *judge_late(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, late_or_dead);
}

/* A task that failed twice, with an object and bytes in the store as arguments, which stay. */
static void setup_dead(void *image)
{
	echo_boot(image);
	object = world_put(&world.b, "7", 1);
	task = world_submit(&world.b, "probe.fail",
	    (plm_arg[]){ PLM_BYTES(large, sizeof large), PLM_FUTURE(object) }, 2, 1, 1, 0);
	plm_drop(&world.b, object);
	world_work();
	SWEEP_REQUIRE(
	    word_retriable(sh_load(&record_at(&world.tables, ref_index(task.id))->state)));
	SWEEP_REQUIRE(world_state_of(object) == RECORD_DONE);
}

static void setup_dead_dropped(void *image)
{
	setup_dead(image);
	plm_drop(&world.b, task);
}

static const char *dead_is_gone(void)
{
	if (world_state_of(task) != RECORD_FREE)
		return "a dead task that nobody holds is still there";
	return world_state_of(object) == RECORD_FREE ? NULL : "its argument is still there";
}

static const char *judge_dead_dropped(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, dead_is_gone);
}

static void setup_dead_of_b(void *image)
{
	setup_dead(image);
	world_share(&world.a, task);
	world_share(&world.a, object); /* the grant needs a turn of the scheduler */
}

static void retry(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_retry(&world.a, task, 0, &last) == 0);
}

static const char *dead_as_before(void)
{
	return world_state_of(object) == RECORD_DONE && world_failed(task, 7, large, task)
	    ? NULL
	    : "the dead task, or its argument, is not what it was";
}

static const char *judge_retry(void *image)
{
	(void)image;
	return world_judge(WORLD_A, dead_as_before);
}

/* ---- cancel, by a client that dies while cancelling ---- */

static void setup_cancel_waiting(void *image)
{
	setup_submitted(image);
	world_share(&world.a, after);
	last = after;
	world_settle();
}

static void setup_cancel_ready(void *image)
{
	setup_submitted(image);
	world_share(&world.a, task);
	last = task;
	world_settle();
}

static void setup_cancel_running(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.echo", &PLM_BYTES(large, sizeof large), 1, 1, 0, 1);
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(task), 1, 1, 0, 0);
	world_share(&world.a, task);
	last = task;
	world_settle();
	world_claim_only(task);
}

static void cancel(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_cancel(&world.a, last, 0) == 0);
}

/* Cancelled or done, but not both, and every waiter sees the outcome. */
static const char *cancelled_or_done(void)
{
	if (sweep_finished() && world_state_of(last) != RECORD_CANCELLED)
		return "the task was cancelled, and is not";
	if (world_state_of(last) == RECORD_DONE)
		return echo_is_done();
	if (world_state_of(last) != RECORD_CANCELLED)
		return "the task is neither cancelled nor done";
	if (last.id == after.id)
		return world_yields(task, large, sizeof large)
		    ? NULL
		    : "a task that nobody cancelled has no value";
	return world_failed(after, ECANCELED, NULL, task) ? NULL : "its dependent does not know";
}

static const char *judge_cancel(void *image)
{
	(void)image;
	return world_judge(WORLD_A, cancelled_or_done);
}

/* The task's worker ends as well: the task runs again, unless the task is cancelled. */
static void recover_both(void *image)
{
	(void)image;
	world_declare_dead(WORLD_WORKER);
	world_recover(WORLD_A);
}

static const struct sweep_op ops[] = {
	OP("submit, arguments in the record", setup_object, submit_inline, recover_client,
	    judge_client),
	OP("cancel of a ready task", setup_cancel_ready, cancel, recover_client, judge_cancel),
	OP("cancel of a running task", setup_cancel_running, cancel, recover_both, judge_cancel),
	OP("claim, run and commit of noop", setup_noop, echo_run, recover_worker, judge_noop),
	LONG("submit, with an identity", setup_object, submit_with_identity, recover_client,
	    judge_client),
	LONG("submit, arguments in the store", setup_object, submit_large, recover_client,
	    judge_client),
	LONG("submit, waiting for a future", setup_object, submit_future, recover_client,
	    judge_client),
	LONG("submit, kept, three results", setup_object, submit_kept_with_parts, recover_client,
	    judge_kept),
	LONG("run of echo, may be run again", setup_echo, echo_run, recover_worker, judge_echo),
	LONG("run of echo, once only", setup_echo_once, echo_run, recover_worker, judge_once),
	LONG("a worker's round, with a successor", setup_successor, step_worker, recover_worker,
	    judge_echo),
	LONG("run of a failing task", setup_fail, echo_run, recover_worker, judge_failing),
	LONG("run of a failing task, to be retried", setup_retry, echo_run, recover_worker,
	    judge_retried),
	LONG("scheduling of two submitted tasks", setup_submitted, schedule, recover_scheduler,
	    judge_submitted),
	LONG("scheduling of a done task's dependent", setup_settled, schedule, recover_scheduler,
	    judge_submitted),
	LONG("scheduling of a failure's dependents", setup_failed, schedule, recover_scheduler,
	    judge_failed),
	LONG("freeing of what was dropped", setup_dropped, schedule, recover_scheduler,
	    judge_dropped),
	LONG("end of a task over its queue limit", setup_overdue_ready, schedule, recover_scheduler,
	    judge_overdue),
	LONG("end of a task over its run limit", setup_overdue_running, schedule, recover_late,
	    judge_late),
	LONG("a retry after its pause", setup_resting, schedule, recover_scheduler, judge_resting),
	LONG("freeing of a dead task", setup_dead_dropped, schedule, recover_scheduler,
	    judge_dead_dropped),
	LONG("retry of a dead task", setup_dead_of_b, retry, recover_client, judge_retry),
	LONG(
	    "cancel of a waiting task", setup_cancel_waiting, cancel, recover_client, judge_cancel),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) != 0;
}
