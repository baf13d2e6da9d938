#include "tests/support/sleeper_case.h"

#include "tests/support/meanwhile.h"

plm_ref object;

void sleeper_boot(void *image)
{
	echo_boot(image);
	world.tables.control->cores = 0;
}

void sleeper_plays(void (*act)(void))
{
	world_play(&world.a);
	meanwhile("steps: futex wait", act);
}

void sleeper_recover(void *image)
{
	(void)image;
	world_declare_dead(WORLD_A);
	world_recover(SLOT_SCHEDULER);
}

void sleeper_setup_object(void *image)
{
	sleeper_boot(image);
	object = world_put(&world.b, large, sizeof large);
	world_settle();
}

const char *sleeper_object_is_whole(void)
{
	return world_yields(object, large, sizeof large) ? NULL : "what B holds is not what it was";
}

const char *sleeper_judge_object(void *image)
{
	(void)image;
	return world_judge(WORLD_A, sleeper_object_is_whole);
}
