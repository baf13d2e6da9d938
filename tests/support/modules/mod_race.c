/* mod_race.c - replicas that meet: a shared file tells each replica how many began before. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "given.h"
#include "race.h"

static struct race *open_race(plm_call *call)
{
	char path[GIVEN_BYTES];
	size_t bytes;
	return given_memory(given_text(call, 0, path), &bytes);
}

static uint32_t mod_race_begin(struct race *race)
{
	uint32_t place = atomic_fetch_add(&race->begun, 1);
	if (place < RACE_MAX)
		race->pid[place] = getpid();
	return place;
}

static void mod_race_nap(void)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };
	nanosleep(&ms, NULL);
}

static int yield_place(plm_call *call, uint32_t place)
{
	char *result = plm_result(call, 1);
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	*result = (char)('a' + place);
	return 0;
}

/* FILE: the first replica runs until it is cancelled; later replicas are quick. */
static int mod_race_straggle(plm_call *call)
{
	struct race *race = open_race(call);
	if (!race)
		return plm_fail(call, EINVAL, "race.straggle takes a file");
	uint32_t place = mod_race_begin(race);
	while (place == 0 && !plm_cancelled(call))
		mod_race_nap();
	if (place == 0)
		atomic_store(&race->cancelled, 1);
	munmap(race, sizeof *race);
	return place == 0 ? plm_fail(call, EINTR, "cancelled") : yield_place(call, place);
}

/* FILE: ends when race.wanted replicas have begun. */
static int mod_race_meet(plm_call *call)
{
	struct race *race = open_race(call);
	if (!race)
		return plm_fail(call, EINVAL, "race.meet takes a file");
	uint32_t place = mod_race_begin(race);
	while (atomic_load(&race->begun) < race->wanted && !plm_cancelled(call))
		mod_race_nap();
	munmap(race, sizeof *race);
	return yield_place(call, place);
}

/* FILE: only the last of race.wanted replicas succeeds. */
static int fail_but_last(plm_call *call)
{
	struct race *race = open_race(call);
	if (!race)
		return plm_fail(call, EINVAL, "race.fail takes a file");
	uint32_t place = mod_race_begin(race), wanted = race->wanted;
	munmap(race, sizeof *race);
	return place + 1 == wanted ? yield_place(call, place)
				   : plm_fail(call, 7, "number %u fails", place);
}

PLM_MODULE(race, { "straggle", mod_race_straggle, "FILE: the first goes on until it is cancelled" },
    { "meet", mod_race_meet, "FILE: all begin before one ends" },
    { "fail", fail_but_last, "FILE: all but the last fail" });
