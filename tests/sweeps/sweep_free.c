/* sweep_free.c - freeing records, the scheduler killed at every step: a free record has no trace
 * of the last life, and a client that waits for room gets room. */
#include "tests/support/echo_case.h"

enum { MORE_THAN_FIT = 1000 };

static plm_ref kept;

/* ---- somebody waits for room ---- */

static shared32 *room_word(void)
{
	return &world.tables.control->room.word;
}

/* The table is full, B asks as client/wait.c does, and drops a record. */
static void setup_full(void *image)
{
	plm_ref last = { 0 };
	uint32_t n = 0;
	echo_boot(image);
	plm_patience(&world.b, 0);
	kept = world_put(&world.b, large, sizeof large);
	for (; n < MORE_THAN_FIT && plm_put(&world.b, large, sizeof large, &after) == 0; n++)
		last = after;
	SWEEP_REQUIRE(n > 0 && n < MORE_THAN_FIT);
	world_settle();
	plm_drop(&world.b, last);
	event_prepare(&world.tables.control->room);
	sh_store(&world.tables.control->room_wanted, ROOM_ASKED);
}

static void free_for_another(void *image)
{
	(void)image;
	uint32_t before = sh_load(room_word());
	scheduler_step(&world.scheduler);
	if (sh_load(&world.tables.control->room_wanted) || sh_load(room_word()) == before)
		sweep_fail("there is room, and who waits for it is not told");
}

static const char *has_room(void)
{
	plm_ref another;
	if (plm_put(&world.b, large, sizeof large, &another) < 0)
		return "what was freed cannot be had";
	return world_yields(kept, large, sizeof large) ? NULL : "a value that is held is gone";
}

/* ---- a task with a failed argument, while another argument is unfinished ---- */

static void setup_doomed(void *image)
{
	echo_boot(image);
	task = world_submit(&world.b, "probe.fail",
	    (plm_arg[]){ PLM_BYTES("boom", 4), PLM_BYTES("7", 1) }, 2, 1, 0, 0);
	kept = world_submit(&world.b, "probe.echo", &PLM_BYTES("k", 1), 1, 1, 0, 0);
	after = world_submit(
	    &world.b, "probe.sum", (plm_arg[]){ PLM_FUTURE(task), PLM_FUTURE(kept) }, 2, 1, 0, 0);
	world_work();
	SWEEP_REQUIRE(world_state_of(after) == RECORD_FAILED);
	SWEEP_REQUIRE(sh_load(&record_at(&world.tables, ref_index(after.id))->pending));
	plm_drop(&world.b, after);
}

static const char *doomed_is_gone(void)
{
	if (world_state_of(after) != RECORD_FREE)
		return "a dropped task is still there";
	return world_yields(kept, "k", 1) ? NULL : "its argument has no value";
}

/* ---- an abandoned object whose list of waiting tasks is damaged ---- */

/* The list ends in a circle, in the arguments of a task that waits for nothing. */
static void damage_list(struct record *object, plm_ref waits_not)
{
	struct args_reader reader;
	struct arg arg;
	uint32_t index = ref_index(waits_not.id);
	SWEEP_REQUIRE(args_open(&world.tables, record_at(&world.tables, index), &reader));
	SWEEP_REQUIRE(args_next(&reader, &arg) && arg.future);
	uint64_t edge = (uint64_t)index << 32 | arg.offset;
	sh_poke(&arg.future->next, edge);
	sh_store(&object->dependents, edge);
}

static void setup_damaged(void *image)
{
	plm_ref object;
	void *data;
	echo_boot(image);
	kept = world_put(&world.b, large, sizeof large);
	after = world_submit(&world.b, "probe.echo", &PLM_FUTURE(kept), 1, 1, 0, 0);
	SWEEP_REQUIRE(plm_create(&world.a, sizeof large, &data, &object) == 0);
	world_settle();
	damage_list(record_at(&world.tables, ref_index(object.id)), after);
	world_declare_dead(WORLD_A);
}

static const char *others_go_on(void)
{
	return world_yields(after, large, sizeof large) ? NULL : "the task has no value";
}

/* ---- all cases ---- */

static const char *judge_free(void)
{
	const struct tables *t = &world.tables;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		const struct record *r = record_at(t, i);
		bool used = r->demand || r->returned || r->failures || r->first_part ||
		    sh_load(&r->pending) || sh_load(&r->uses) || sh_load(&r->dependents);
		if (word_state(sh_load(&r->state)) == RECORD_FREE && used)
			return "a free record has something of its last life";
	}
	return NULL;
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	const char *why = judge_free();
	if (why)
		sweep_fail(why);
}

static const char *judge(const char *(*outcome)(void))
{
	const char *why = judge_free();
	return why ? why : world_judge(SLOT_SCHEDULER, outcome);
}

static const char *judge_full(void *image)
{
	(void)image;
	return judge(has_room);
}
static const char *judge_doomed(void *image)
{
	(void)image;
	return judge(doomed_is_gone);
}
static const char *judge_damaged(void *image)
{
	(void)image;
	return judge(others_go_on);
}

static const struct sweep_op ops[] = {
	LONG("a record is freed for who waits", setup_full, free_for_another, recover_scheduler,
	    judge_full),
	LONG("a doomed task is freed", setup_doomed, schedule, recover_scheduler, judge_doomed),
	LONG("an object with a damaged list is freed", setup_damaged, schedule, recover_scheduler,
	    judge_damaged),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
