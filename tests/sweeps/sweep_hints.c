/* sweep_hints.c - hints of processes, the scheduler killed while reading them: an answered request
 * for a hold has set the hold, and no hint stays unread. */
#include <string.h>

#include "base/clock.h"
#include "tests/support/world.h"

enum { FLOOD = 1200 }; /* more than a round reads from one ring */

static plm_ref object, task;
static uint64_t asked;

/* ---- a hold on another client's object ---- */

/* A held the object before and has just dropped it: the old drop must not be read again. */
static void setup_import(void *image)
{
	(void)image;
	world_boot();
	object = world_put(&world.b, "o", 1);
	world_share(&world.a, object);
	world_settle();
	plm_drop(&world.a, object);
	asked = hint_make(HINT_IMPORT, object.id);
	tell_scheduler(&world.tables, WORLD_A, &asked, 1, true);
}

static void read_import(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
	if (sh_load(&world.a.me->imported) != asked)
		sweep_fail("its hint is read, and it waits for an answer");
}

/* A scheduler's death may lose an answer; then the client asks again (client/ref_ask.c). */
static const char *judge_import(void *image)
{
	(void)image;
	if (sh_load(&world.a.me->imported) != asked) {
		tell_scheduler(&world.tables, WORLD_A, &asked, 1, true);
		world_settle();
	}
	if (sh_load(&world.a.me->imported) != asked)
		return "who asks for a hold is not answered";
	if (!hold_test(&world.tables, ref_index(object.id), WORLD_A))
		return "a hold was promised, and is not there";
	world_share(&world.a, object); /* as A counts the hold when the answer comes */
	world_play(&world.b);
	plm_drop(&world.b, object);
	world_settle();
	return world_state_of(object) == RECORD_DONE ? world_judge(SLOT_SCHEDULER, NULL)
						     : "what A holds is gone with B's hold";
}

/* ---- a process that floods a ring ---- */

/* The last hint names a task that the scheduler can find only by the hint. */
static void setup_flood(void *image)
{
	uint64_t nothing = hint_make(HINT_NONE, 0);
	(void)image;
	world_boot();
	struct ring up = ring_up(&world.tables, WORLD_B);
	for (uint32_t i = 0; i < FLOOD; i++)
		SWEEP_REQUIRE(ring_push(&up, &nothing, 1) == 1);
	task = world_submit(&world.b, "probe.echo", &PLM_BYTES("t", 1), 1, 1, 0, 0);
}

static void read_all(void *image)
{
	(void)image;
	world_settle();
	struct ring up = ring_up(&world.tables, WORLD_B);
	if (ring_used(&up))
		sweep_fail("hints are left unread, and no bit says so");
}

static const char *last_was_read(void)
{
	return world_yields(task, "t", 1) ? NULL : "the last of many hints was not read";
}

static const char *judge_flood(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, last_was_read);
}

static const struct sweep_op ops[] = {
	LONG("a hold is asked for", setup_import, read_import, recover_scheduler, judge_import),
	LONG("a flood of hints is read", setup_flood, read_all, recover_scheduler, judge_flood),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
