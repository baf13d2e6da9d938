/* sweep_move.c - queued tasks that get another place in the queue: the client that orders and the
 * scheduler that obeys, killed at every step. A parked task runs once, and only after it is back.
 */
#include "tables/moves.h"
#include "tests/support/sleeper_case.h"

static plm_ref second;
static plm_ref wanted; /* the task to be parked */

/* Two tasks of equal priority, and one that waits for the first. */
static void setup_two(void *image)
{
	sleeper_boot(image);
	echo_submit(1, 1);
	second = world_submit(&world.b, "probe.echo", &PLM_BYTES("s", 1), 1, 1, 0, 1);
	world_share(&world.a, task);
	world_share(&world.a, second);
	world_share(&world.a, after);
	world_settle();
}

static uint64_t word_of(plm_ref ref)
{
	return sh_load(&record_at(&world.tables, ref_index(ref.id))->state);
}

static bool is_parked(plm_ref ref)
{
	return (word_flags(word_of(ref)) & FLAG_PARKED) != 0;
}

static uint64_t key_of(plm_ref ref)
{
	return record_at(&world.tables, ref_index(ref.id))->key;
}

/* B puts the task back, whoever parked it. */
static void put_back(plm_ref ref)
{
	world.b.me->move = move_make(MOVE_BACK, 0);
	uint64_t hint = hint_make(HINT_IMPORT, ref.id);
	tell_scheduler(&world.tables, WORLD_B, &hint, 1, true);
	world_settle();
}

static const char *all_have_run(void)
{
	if (!world_yields(second, "s", 1))
		return "the task that was moved to the front has no value";
	return echo_is_done();
}

static const char *parked_runs_when_back(void)
{
	if (is_parked(wanted)) {
		if (word_attempt(word_of(wanted)))
			return "a parked task was started";
		put_back(wanted);
		if (is_parked(wanted))
			return "the task is still parked";
		world_work();
	} else if (sweep_finished()) {
		return "the task was parked, and ran";
	}
	return all_have_run();
}

/* ---- the client orders ---- */

static void setup_free(void *image)
{
	setup_two(image);
	wanted = task;
}

static void order_aside(void *image)
{
	(void)image;
	sleeper_plays(world_settle);
	SWEEP_REQUIRE(plm_move(&world.a, task, PLM_ASIDE, 0) == 0);
	SWEEP_REQUIRE(sh_load(&world.a.me->move) == 0);
}

static const char *judge_order(void *image)
{
	(void)image;
	return world_judge(WORLD_A, parked_runs_when_back);
}

/* ---- the scheduler obeys ---- */

static void setup_order(void *image, plm_ref ref, enum move_kind kind, int priority)
{
	(void)image;
	uint64_t hint = hint_make(HINT_IMPORT, ref.id);
	sh_store(&world.a.me->move, move_make(kind, priority));
	tell_scheduler(&world.tables, WORLD_A, &hint, 1, true);
}

static void setup_aside(void *image)
{
	setup_two(image);
	wanted = task;
	setup_order(image, task, MOVE_ASIDE, 0);
}

/* A task that still waits for an argument. */
static void setup_aside_waiting(void *image)
{
	setup_two(image);
	wanted = after;
	setup_order(image, after, MOVE_ASIDE, 0);
}

static void setup_back(void *image)
{
	setup_aside(image);
	world_settle();
	SWEEP_REQUIRE(is_parked(task));
	setup_order(image, task, MOVE_BACK, 0);
}

static void setup_front(void *image)
{
	setup_two(image);
	setup_order(image, second, MOVE_TO_FRONT, 0);
}

static void setup_priority(void *image)
{
	setup_two(image);
	setup_order(image, second, MOVE_TO_PRIORITY, 7);
}

static void obey(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	if (move_kind(sh_load(&world.a.me->move)) != MOVE_DONE)
		sweep_fail("the order is read, and not answered");
}

/* The client asks again, as it does when no answer comes. */
static void ask_again(plm_ref ref)
{
	uint64_t hint = hint_make(HINT_IMPORT, ref.id);
	if (sh_load(&world.a.me->imported) == hint)
		return;
	tell_scheduler(&world.tables, WORLD_A, &hint, 1, true);
	world_settle();
}

static const char *judge_aside(void *image)
{
	(void)image;
	ask_again(wanted);
	if (!is_parked(wanted))
		return "an answered order is not in the word";
	return world_judge(SLOT_SCHEDULER, parked_runs_when_back);
}

static const char *judge_back(void *image)
{
	(void)image;
	ask_again(task);
	if (is_parked(task))
		return "an answered order is not in the word";
	return world_judge(SLOT_SCHEDULER, all_have_run);
}

static const char *judge_first(void *image)
{
	(void)image;
	ask_again(second);
	if (key_of(second) <= key_of(task))
		return "the moved task comes after the other";
	const struct heap *heap = &world.tables.task_heap;
	if (heap_length(heap) && heap_entry_at(heap, 0).id != ref_index(second.id))
		return "another task comes first out of the heap";
	return world_judge(SLOT_SCHEDULER, all_have_run);
}

static const struct sweep_op ops[] = {
	LONG("a client parks a task", setup_free, order_aside, sleeper_recover, judge_order),
	LONG("a ready task is parked", setup_aside, obey, recover_scheduler, judge_aside),
	LONG("a waiting task is parked", setup_aside_waiting, obey, recover_scheduler, judge_aside),
	LONG("a parked task is put back", setup_back, obey, recover_scheduler, judge_back),
	LONG("a task is moved to the front", setup_front, obey, recover_scheduler, judge_first),
	LONG("a task gets a priority", setup_priority, obey, recover_scheduler, judge_first),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
