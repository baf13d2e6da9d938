/* sweep_object.c - the life of objects, killed anywhere: put, create and seal, hold, drop. */
#include <errno.h>
#include <string.h>

#include "tests/support/world.h"

enum { LARGE_BYTES = 5000 };

static char large[LARGE_BYTES];
static plm_ref object, shared_object, kept_object, waiting;

static void boot(void *image)
{
	(void)image;
	memset(large, 'O', sizeof large);
	world_boot();
}

static void recover(void *image)
{
	(void)image;
	world_recover(WORLD_A);
}

/* ---- A makes an object and dies: the object and the bytes are gone ---- */

static void put(size_t length)
{
	plm_ref ref;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_put(&world.a, large, length, &ref) == 0);
}

static void put_inline(void *image)
{
	(void)image;
	put(10);
}
static void put_cell(void *image)
{
	(void)image;
	put(100);
}
static void put_pages(void *image)
{
	(void)image;
	put(LARGE_BYTES);
}

static const char *judge_gone(void *image)
{
	(void)image;
	return world_judge(WORLD_A, NULL);
}

/* ---- B waits for A's unfinished object: B gets the value, or an error ---- */

static void setup_created(void *image)
{
	void *data;
	boot(image);
	SWEEP_REQUIRE(plm_create(&world.a, sizeof large, &data, &object) == 0);
	memcpy(data, large, sizeof large);
	world_share(&world.b, object);
	waiting = world_submit(&world.b, "probe.echo", &PLM_FUTURE(object), 1, 1, 0, 0);
	world_settle();
}

static void seal(void *image)
{
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_seal(&world.a, object) == 0);
}

static void drop_unsealed(void *image)
{
	(void)image;
	world_play(&world.a);
	plm_drop(&world.a, object);
}

static const char *sealed_or_known_to_be_lost(void)
{
	if (world_state_of(object) == RECORD_DONE)
		return world_yields(object, large, sizeof large) &&
			world_yields(waiting, large, sizeof large)
		    ? NULL
		    : "a sealed object is not what was written";
	return world_state_of(waiting) == RECORD_FAILED ? NULL
							: "who waits for a lost object is not told";
}

static const char *judge_dropped(void *image)
{
	(void)image;
	return world_judge(WORLD_A, sealed_or_known_to_be_lost);
}

/* ---- A creates, fills and seals at once; or gives the object up ---- */

static void create_and_seal(void *image)
{
	enum { SMALL_BYTES = 10 };
	plm_ref ref;
	void *data;
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_create(&world.a, SMALL_BYTES, &data, &ref) == 0);
	memcpy(data, large, SMALL_BYTES);
	SWEEP_REQUIRE(plm_seal(&world.a, ref) == 0);
	SWEEP_REQUIRE(world_state_of(ref) == RECORD_DONE);
}

static void create_and_drop(void *image)
{
	plm_ref ref;
	void *data;
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_create(&world.a, LARGE_BYTES, &data, &ref) == 0);
	plm_drop(&world.a, ref);
}

static const char *judge_sealed(void *image)
{
	if (sweep_finished() && world_state_of(object) != RECORD_DONE)
		return "an object was sealed, and is not";
	return judge_dropped(image);
}

/* ---- A drops an object that B holds too: the object stays, whatever happens to A ---- */

static void setup_shared(void *image)
{
	boot(image);
	object = world_put(&world.a, large, 100);
	shared_object = world_put(&world.a, large, sizeof large);
	world_share(&world.b, shared_object);
}

static void read_and_drop(void *image)
{
	plm_view view;
	(void)image;
	world_play(&world.a);
	SWEEP_REQUIRE(plm_get(&world.a, shared_object, &view, 0) == 0);
	plm_drop_many(&world.a, (plm_ref[]){ object, shared_object }, 2);
	plm_release(&world.a, &view);
}

static const char *only_shared_stays(void)
{
	if (world_state_of(object) != RECORD_FREE)
		return "an object of the dead one's is still there";
	return world_yields(shared_object, large, sizeof large) ? NULL
								: "an object that B holds is gone";
}

static const char *judge_shared(void *image)
{
	(void)image;
	return world_judge(WORLD_A, only_shared_stays);
}

/* ---- the scheduler's part: hints about holds, in order ---- */

static void setup_hints(void *image)
{
	setup_shared(image);
	kept_object = world_put(&world.a, large, 200);
	SWEEP_REQUIRE(plm_keep(&world.a, kept_object) == 0);
	plm_drop(&world.a, kept_object);
	SWEEP_REQUIRE(plm_keep(&world.a, shared_object) == 0);
	plm_drop_many(&world.a, (plm_ref[]){ object, shared_object }, 2);
	SWEEP_REQUIRE(plm_keep(&world.b, shared_object) == 0);
	SWEEP_REQUIRE(plm_forget(&world.b, shared_object) == 0);
}

static void schedule(void *image)
{
	(void)image;
	scheduler_step(&world.scheduler);
}

static const char *kept_stays(void)
{
	if (world_state_of(kept_object) != RECORD_DONE)
		return "an object that is kept is gone";
	return only_shared_stays();
}

static const char *judge_hints(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, kept_stays);
}

/* ---- a record whose value lies outside the store can be freed all the same ---- */

static void setup_damaged(void *image)
{
	enum { NOWHERE = 0x7ffffff0 };
	setup_shared(image);
	world_settle();
	object = world_put(&world.a, "d", 1);
	sh_store(&record_at(&world.tables, ref_index(object.id))->value, NOWHERE);
	plm_drop_many(&world.a, (plm_ref[]){ object, shared_object }, 2);
}

static const char *judge_damaged(void *image)
{
	(void)image;
	return world_judge(SLOT_SCHEDULER, only_shared_stays);
}

static const struct sweep_op ops[] = {
	OP("put, in the record", boot, put_inline, recover, judge_gone),
	OP("put, a cell of a slab", boot, put_cell, recover, judge_gone),
	OP("seal what a task waits for", setup_created, seal, recover, judge_sealed),
	OP("read and drop what another holds", setup_shared, read_and_drop, recover, judge_shared),
	LONG("put, pages", boot, put_pages, recover, judge_gone),
	LONG("create, fill and seal", boot, create_and_seal, recover, judge_gone),
	LONG("create, and drop", boot, create_and_drop, recover, judge_gone),
	LONG("freeing of a damaged record", setup_damaged, schedule, recover_scheduler,
	    judge_damaged),
	LONG("drop, unsealed, what a task waits for", setup_created, drop_unsealed, recover,
	    judge_dropped),
	LONG("keeping, dropping and forgetting", setup_hints, schedule, recover_scheduler,
	    judge_hints),
};

int main(void)
{
	return sweep_run(ops, COUNT_OF(ops)) ? 1 : 0;
}
