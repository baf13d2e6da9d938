/* sweep_client.c - a client that needs something from other processes, killed at every step:
 * another client's future as an argument, room in a full store, a record of a full table, many
 * tasks at once, a task put into a worker's hand, the close of the handle. Nothing of the client
 * is left, and each of the client's accepted and kept tasks is done. */
#include <stdlib.h>

#include "base/clock.h"
#include "client/submit.h"
#include "tables/segment_plan.h"
#include "tests/support/meanwhile.h"
#include "tests/support/sleeper_case.h"

enum { BATCH = 2, HANDY = EXTENSION_SLOTS - 1, LOOK_MS = 2000, STORE_PART_BYTES = 1 << 18 };

static const char *judge_gone(void *image)
{
	(void)image;
	return world_judge(WORLD_A, NULL);
}

/* ---- another client's future as an argument: a hold until the task has a hold of its own ---- */

static void submit_with_future_of_b(void *image)
{
	plm_ref ref;
	(void)image;
	plm_task t = { .function = "probe.echo", .args = &PLM_FUTURE(object), .nargs = 1 };
	sleeper_plays(world_settle);
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &ref) == 0);
}

/* ---- no room: A gets what B drops ---- */

/* Forgets B's request for room, which found none. */
static void forget_who_asked(void)
{
	sh_store(&world.tables.control->room_wanted, 0);
}

/* B fills the store, up to less than a part. */
static void setup_full_store(void *image)
{
	void *data;
	sleeper_boot(image);
	while (plm_create(&world.b, STORE_PART_BYTES, &data, &object) == 0)
		;
	plm_drop(&world.b, object);
	forget_who_asked();
}

/* B counts as many processes, each of which holds little, so B may take the last records, too. */
static void setup_full_table(void *image)
{
	plm_ref ref;
	sleeper_boot(image);
	int64_t before = atomic_load(&world.b.held), held = before + 1;
	object = world_put(&world.b, "first", 5);
	for (; plm_put(&world.b, "", 0, &ref) == 0; held++)
		atomic_store(&world.b.held, 0);
	atomic_store(&world.b.held, held);
	plm_drop(&world.b, object);
	forget_who_asked();
}

static void find_room(void)
{
	SWEEP_REQUIRE(sh_load(&world.tables.control->room_wanted) == ROOM_ASKED);
	world_settle();
}

static void create(size_t length)
{
	plm_ref ref;
	void *data;
	sleeper_plays(find_room);
	SWEEP_REQUIRE(plm_create(&world.a, length, &data, &ref) == 0);
	SWEEP_REQUIRE(sh_load(&world.tables.control->room_wanted) != ROOM_ASKED);
}

static void create_large(void *image)
{
	(void)image;
	create(STORE_PART_BYTES);
}
static void create_small(void *image)
{
	(void)image;
	create(1);
}

/* ---- many tasks, one of them kept and accepted ---- */

static void submit_many(void *image)
{
	plm_ref refs[BATCH];
	plm_task tasks[BATCH] = {
		{ .function = "probe.noop" },
		{ .function = "probe.echo",
		    .args = &PLM_BYTES("k", 1),
		    .nargs = 1,
		    .flags = PLM_KEEP },
	};
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_submit_many(&world.a, tasks, BATCH, refs) == 0);
}

/* No process has seen the reference: the runtime's hold leads to the task. */
static const char *what_is_kept_is_done(void)
{
	const struct tables *t = &world.tables;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		uint64_t word = sh_load(&record_at(t, i)->state);
		if (word_state(word) == RECORD_FREE || !hold_test(t, i, SLOT_MANAGER))
			continue;
		plm_ref ref = ref_public(&world.b, record_ref(i, word_generation(word)));
		world_share(&world.b, ref);
		if (!world_yields(ref, "k", 1))
			return "a task that was accepted and is kept has no value";
		plm_drop(&world.b, ref);
	}
	return NULL;
}

static const char *judge_kept(void *image)
{
	(void)image;
	return world_judge(WORLD_A, what_is_kept_is_done);
}

/* ---- a task for an idle worker, past the scheduler ---- */

static struct worker handy;

/* In the process slot where the handover looks first; the slot's rings are saved as well. */
static void open_handy(void)
{
	handy = (struct worker){ 0 };
	tables_share(&world.tables, &handy.rt.tables);
	SWEEP_REQUIRE(process_claim(&world.tables.process[HANDY], KIND_WORKER, 0, "handy"));
	SWEEP_REQUIRE(worker_open(&handy, HANDY) == 0);
}

static void setup_handy(void *image)
{
	sleeper_boot(image);
	open_handy();
	world_settle();
}

static size_t regions(struct sweep_region *ret)
{
	size_t n = world_regions(ret), bytes = plan_ring_bytes();
	ret[n] = (struct sweep_region){ world.tables.rings + HANDY * bytes, bytes };
	return n + 1;
}

static void submit_kept(void)
{
	plm_ref ref;
	plm_task t = {
		.function = "probe.echo", .args = &PLM_BYTES("k", 1), .nargs = 1, .flags = PLM_KEEP
	};
	SWEEP_REQUIRE(plm_submit(&world.a, &t, &ref) == 0);
}

static void hand_over(void *image)
{
	(void)image;
	world_play(&world.a);
	submit_kept();
	SWEEP_REQUIRE(sh_load(&world.tables.process[HANDY].handed));
}

/* The scheduler gets work for the worker at this very moment. */
static void busy_after_all(void)
{
	uint64_t hint = hint_make(HINT_NONE, 0);
	struct ring ring = ring_down(&world.tables, HANDY);
	if (ring_used(&ring) == 0)
		ring_push(&ring, &hint, 1);
}

static void take_back_what_was_handed(void *image)
{
	(void)image;
	world_play(&world.a);
	meanwhile("handover: cas handed", busy_after_all);
	submit_kept();
	SWEEP_REQUIRE(!sh_load(&world.tables.process[HANDY].handed));
}

static const char *kept_is_done_by_whom_it_was_given(void)
{
	world_play(&handy.rt);
	while (worker_step(&handy) + world_run_some() > 0) {
		worker_report(&handy);
		world_settle();
	}
	const char *why = what_is_kept_is_done();
	handle_close(&handy.rt);
	world_declare_dead(HANDY);
	return why;
}

static const char *judge_handed(void *image)
{
	(void)image;
	return world_judge(WORLD_A, kept_is_done_by_whom_it_was_given);
}

/* ---- closing a handle with which another thread waits ---- */

static struct plm *polling;

static void setup_polling(void *image)
{
	sleeper_boot(image);
	polling = calloc(1, sizeof *polling);
	SWEEP_REQUIRE(polling);
	polling->socket = -1;
	tables_share(&world.tables, &polling->tables);
	SWEEP_REQUIRE(
	    process_claim(&world.tables.process[WORLD_JOINING], KIND_CLIENT, 0, "polling"));
	SWEEP_REQUIRE(handle_open(polling, WORLD_JOINING) == 0);
	world_put(polling, large, sizeof large);
	world_settle();
}

static void poll_and_disconnect(void *image)
{
	(void)image;
	const struct process *p = &world.tables.process[WORLD_JOINING];
	uint64_t deadline = deadline_after_ms(LOOK_MS);
	world_play(polling);
	SWEEP_REQUIRE(plm_fd(polling) >= 0);
	while (
	    sh_load(&p->waiter[0].awaiting) != AWAITING_ANY || !event_sleeper(&p->waiter[0].event))
		SWEEP_REQUIRE(clock_ns() < deadline);
	plm_disconnect(&polling);
	SWEEP_REQUIRE(sh_load(&p->waiter[0].awaiting) == AWAITING_NOTHING);
}

static void recover_polling(void *image)
{
	(void)image;
	world_recover(WORLD_JOINING);
}

static const char *judge_polling(void *image)
{
	(void)image;
	return world_judge(WORLD_JOINING, NULL);
}

#define HANDY_OP(what, act)                                                             \
	{                                                                               \
		.name = what, .regions = regions, .setup = setup_handy, .operate = act, \
		.recover = recover_client, .judge = judge_handed, .steps_only = true    \
	}

static const struct sweep_op ops[] = {
	LONG("submit, with another's future", sleeper_setup_object, submit_with_future_of_b,
	    sleeper_recover, sleeper_judge_object),
	LONG("create in a full store", setup_full_store, create_large, sleeper_recover, judge_gone),
	LONG("create in a full table", setup_full_table, create_small, sleeper_recover, judge_gone),
	LONG("submit of many", sleeper_boot, submit_many, recover_client, judge_kept),
	HANDY_OP("submit, into the hand of a worker", hand_over),
	HANDY_OP("submit, into a hand that is not free after all", take_back_what_was_handed),
	LONG("poll, and disconnect", setup_polling, poll_and_disconnect, recover_polling,
	    judge_polling),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
