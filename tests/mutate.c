#include "tests/mutate.h"

#ifdef PLM_STEPS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static const char late[] = "late: ";

enum { LATE_BYTES = 64 }; /* a larger field is never late */

/* The step that was late: what stood there before, and what belongs there. */
static struct {
	enum { NOTHING_LATE, DONE, TAKEN_BACK, OVERTAKEN } state;
	unsigned char *at;
	size_t bytes;
	unsigned char before[LATE_BYTES], after[LATE_BYTES];
} waiting;

static const char *rule(void)
{
	static const char *wanted;
	if (!wanted)
		wanted = getenv("PLM_MUTATE");
	if (!wanted)
		wanted = "";
	return wanted;
}

bool mutate_wanted(void)
{
	return *rule();
}

bool mutate_is_late(void)
{
	return strncmp(rule(), late, strlen(late)) == 0;
}

/* Once a step: that is compared by address from then on. */
static bool is_meant(const struct step *step)
{
	static const struct step *meant, *other;
	char name[256];
	if (step == meant || step == other)
		return step == meant;
	const char *named = strchr(rule(), ':');
	CHECK(named); /* as mutate.h describes it */
	snprintf(name, sizeof name, "%s: %s", step->function, step->what);
	*(strcmp(named + 2, name) == 0 ? &meant : &other) = step;
	return step == meant;
}

static void take_back(void)
{
	memcpy(waiting.after, waiting.at, waiting.bytes);
	memcpy(waiting.at, waiting.before, waiting.bytes);
	waiting.state = TAKEN_BACK;
}

/* Unless somebody has written there since: then it is as if both came in order. */
static void put_back(void)
{
	if (memcmp(waiting.at, waiting.before, waiting.bytes) == 0)
		memcpy(waiting.at, waiting.after, waiting.bytes);
	waiting.state = NOTHING_LATE;
}

void mutate_arrive(void)
{
	if (waiting.state == DONE)
		take_back();
}

static bool overlaps(const unsigned char *at, size_t bytes)
{
	return at < waiting.at + waiting.bytes && waiting.at < at + bytes;
}

static void make_late(const void *at, size_t bytes)
{
	if (bytes > LATE_BYTES)
		return;
	waiting.state = DONE; /* as soon as we return */
	waiting.at = (unsigned char *)(uintptr_t)at;
	waiting.bytes = bytes;
	memcpy(waiting.before, at, bytes);
}

bool mutate_step(const struct step *step, const void *at, size_t bytes)
{
	if (waiting.state == TAKEN_BACK && !overlaps(at, bytes))
		waiting.state = OVERTAKEN;
	else if (waiting.state != NOTHING_LATE)
		put_back();
	if (waiting.state != NOTHING_LATE || !mutate_wanted() || bytes == 0 || !is_meant(step))
		return false;
	if (!mutate_is_late())
		return true;
	make_late(at, bytes);
	return false;
}

void mutate_end(void)
{
	if (waiting.state == TAKEN_BACK || waiting.state == OVERTAKEN)
		put_back();
	waiting.state = NOTHING_LATE;
}

#else
typedef int steps_have_no_names; /* as in shm/steps.c */
#endif
