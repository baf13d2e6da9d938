/* sweep_retain.c - kept results that leave, the scheduler killed at every step: a result that
 * stays is whole, a result that left has no memory, and the next scheduler chooses the same
 * results. And failed tasks that are retried, the client killed at every step. */
#include <string.h>

#include "client/retry.h"
#include "tests/support/world.h"

enum { KEPT = 6, STAY = 2, LARGE_BYTES = 100, MORE_THAN_FIT = 1000 };

static char large[LARGE_BYTES];
static plm_ref kept[KEPT], failed, held;

static plm_ref submit_kept(const char *function, const plm_arg *args, size_t n)
{
	plm_ref ref = PLM_NONE;
	plm_task task = { .function = function, .args = args, .nargs = n, .flags = PLM_KEEP };
	SWEEP_REQUIRE(plm_submit(&world.b, &task, &ref) == 0);
	return ref;
}

/* Oldest first, each with a value in the store; a failed task that keeps the arguments; and an
 * object that B holds. */
static void boot(void)
{
	memset(large, 'L', sizeof large);
	world_boot();
	held = world_put(&world.b, large, sizeof large);
	for (int i = 0; i < KEPT; i++)
		kept[i] = submit_kept("probe.echo", &PLM_BYTES(large, sizeof large), 1);
	failed = submit_kept("probe.fail", (plm_arg[]){ PLM_FUTURE(held), PLM_BYTES("7", 1) }, 2);
	world_work();
	plm_drop_many(&world.b, kept, KEPT);
	plm_drop(&world.b, failed);
	world_settle();
}

static bool is_there(plm_ref ref)
{
	return world_state_of(ref) != RECORD_FREE;
}

/* ---- leaving by number ---- */

static void setup_number(void *image)
{
	(void)image;
	boot();
	world.tables.control->retention.count = STAY + 1; /* the failed task counts as well */
}

/* ---- for room ---- */

static void setup_room(void *image)
{
	plm_ref ref;
	uint32_t n = 0;
	(void)image;
	boot();
	plm_patience(&world.b, 0);
	world.tables.control->retention.stay = 1;
	for (; n < MORE_THAN_FIT && plm_put(&world.b, large, sizeof large, &ref) == 0; n++)
		;
	SWEEP_REQUIRE(n > 0 && n < MORE_THAN_FIT);
	world_settle();
	world.tables.control->retention.stay = 0;
	/* The last records are not for a process that holds so many. */
	SWEEP_REQUIRE(pool_free_count(&world.tables.pool) <= tables_last_records(&world.tables));
	event_prepare(&world.tables.control->room);
	sh_store(&world.tables.control->room_wanted, ROOM_ASKED);
}

/* ---- a failed task is retried: the failed record names the new one ---- */

static plm_ref retried;

static void setup_retry(void *image)
{
	(void)image;
	plm_task task = { .function = "probe.fail",
		.nargs = 2,
		.flags = PLM_KEEP,
		.args = (plm_arg[]){ PLM_BYTES(large, sizeof large), PLM_BYTES("7", 1) } };
	memset(large, 'L', sizeof large);
	world_boot();
	SWEEP_REQUIRE(plm_submit(&world.a, &task, &failed) == 0);
	world_work();
	SWEEP_REQUIRE(plm_retry(&world.a, failed, PLM_KEEP, &retried) == 0);
	world_work();
}

static void retry_once_more(void *image)
{
	plm_ref again;
	(void)image;
	world_play(&world.a);
	if (plm_retry(&world.a, retried, PLM_KEEP, &again) == 0)
		retry_trace(&world.a, failed.id, retried.id, again.id);
}

/* The failed record names an accepted task; then all kept results are forgotten. */
static const char *retry_outcome(void)
{
	const struct tables *t = &world.tables;
	const char *why = NULL;
	uint64_t word;
	if (world_state_of(failed) != RECORD_FAILED || world_state_of(retried) != RECORD_FAILED)
		return "a failed task that is kept is gone";
	if (!record_lookup(t, retry_newest(t, failed.id), &word))
		why = "it was retried as a task that there never was";
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		word = sh_load(&record_at(t, i)->state);
		if (hold_test(t, i, SLOT_MANAGER))
			plm_forget(
			    &world.b, ref_public(&world.b, record_ref(i, word_generation(word))));
	}
	world_settle();
	return why;
}

/* ---- a failed graph is retried as a graph ---- */

static plm_ref dependant;

static void setup_graph(void *image)
{
	(void)image;
	plm_task task = { .function = "probe.fail",
		.nargs = 2,
		.flags = PLM_KEEP,
		.args = (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1) } };
	world_boot();
	SWEEP_REQUIRE(plm_submit(&world.a, &task, &failed) == 0);
	task = (plm_task){
		.function = "probe.echo", .nargs = 1, .flags = PLM_KEEP, .args = &PLM_FUTURE(failed)
	};
	SWEEP_REQUIRE(plm_submit(&world.a, &task, &dependant) == 0);
	world_work();
}

static int retry_goes_on(void *context, plm_ref old, plm_ref again, int error)
{
	(void)context, (void)old, (void)again, (void)error;
	return 0;
}

static void retry_graph(void *image)
{
	(void)image;
	world_play(&world.a);
	plm_retry_many(&world.a, (plm_ref[]){ dependant, failed }, 2, retry_goes_on, NULL);
}

/* The runtime keeps each task of the graph, as the failed task or as the new task or as both. */
static const char *graph_outcome(void)
{
	const struct tables *t = &world.tables;
	unsigned failing = 0, depending = 0;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		const struct record *r = record_at(t, i);
		uint64_t word = sh_load(&r->state);
		if (!hold_test(t, i, SLOT_MANAGER))
			continue;
		failing += r->nargs == 2;
		depending += r->nargs == 1;
		plm_forget(&world.b, ref_public(&world.b, record_ref(i, word_generation(word))));
	}
	world_settle();
	return failing && depending ? NULL : "a task of the failed graph is lost";
}

/* ---- all cases ---- */

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static const char *order_is_kept(void)
{
	for (int i = 1; i < KEPT; i++)
		if (is_there(kept[i - 1]) && !is_there(kept[i]))
			return "a later result left before an earlier one";
	if (!is_there(failed))
		return "a failed task left before those that went well";
	return NULL;
}

static const char *last_ones_stay(void)
{
	const char *why = order_is_kept();
	for (int i = 0; i < KEPT && !why; i++)
		if (is_there(kept[i]) != (i >= KEPT - STAY))
			why = "not so many left as there were too many";
	return why;
}

static const char *there_is_room(void)
{
	plm_ref another;
	if (plm_put(&world.b, large, sizeof large, &another) < 0)
		return "a table full of kept results has no room";
	return order_is_kept();
}

/* The runtime would end with its kept results: B forgets them, so that nothing may be left. */
static const char *and_forget(const char *why)
{
	for (int i = 0; i < KEPT; i++)
		plm_forget(&world.b, kept[i]);
	plm_forget(&world.b, failed);
	world_settle();
	if (!why && !world_yields(held, large, sizeof large))
		why = "a value that is held is gone";
	return why;
}

static const char *number_outcome(void)
{
	return and_forget(last_ones_stay());
}
static const char *room_outcome(void)
{
	return and_forget(there_is_room());
}

static const char *judge_number(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, number_outcome);
}

static const char *judge_room(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, room_outcome);
}

static const char *judge_retry(void *image)
{
	(void)image;
	return world_judge(WORLD_A, retry_outcome);
}

static const char *judge_graph(void *image)
{
	(void)image;
	return world_judge(WORLD_A, graph_outcome);
}

static const struct sweep_op ops[] = {
	LONG("a failed graph, retried as a graph", setup_graph, retry_graph, recover_client,
	    judge_graph),
	LONG("a retry, and what was retried as that one", setup_retry, retry_once_more,
	    recover_client, judge_retry),
	LONG("more results than stay", setup_number, schedule, recover_scheduler, judge_number),
	LONG("kept results make room", setup_room, schedule, recover_scheduler, judge_room),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
