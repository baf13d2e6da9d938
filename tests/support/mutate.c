#include "tests/support/mutate.h"

#ifdef PLM_STEPS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "tests/support/label.h"

enum {
	MOVED_BYTES = 64, /* larger fields stay */
	MOVES_MAX = 512,  /* enough for each operation; later moves are skipped */
};

/* A step that a recorded victim took. */
struct move {
	unsigned at_step;
	unsigned char *at;
	size_t bytes;
	unsigned char before[MOVED_BYTES], after[MOVED_BYTES];
};

static struct notes {
	bool met;
	unsigned steps, moves;
	struct move move[MOVES_MAX];
} * notes;

static bool recording;
static struct move *open_move; /* complete when the step returns */

static const char *const hows[] = { "left out: ", "late: ", "early: " };
enum { LEFT_OUT, LATE, EARLY, HOWS };

static const char *mutate_rule(void)
{
	static const char *wanted;
	if (!wanted)
		wanted = getenv("PLM_MUTATE");
	if (!wanted)
		wanted = "";
	return wanted;
}

static int mutate_how(void)
{
	static int known = -1;
	for (int i = 0; i < HOWS && known < 0; i++)
		if (strncmp(mutate_rule(), hows[i], strlen(hows[i])) == 0)
			known = i;
	CHECK(known >= 0); /* see mutate.h */
	return known;
}

bool mutate_wanted(void)
{
	return *mutate_rule();
}

bool mutate_is_order(void)
{
	return mutate_wanted() && mutate_how() != LEFT_OUT;
}

void mutate_open(void)
{
	notes =
	    mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(notes != MAP_FAILED);
}

bool mutate_was_met(void)
{
	return notes->met;
}

/* Compares texts once for each step, addresses from then on. */
static bool is_meant(const struct step *step)
{
	static const struct step *meant, *other;
	char label[LABEL_BYTES];
	if (step == meant || step == other)
		return step == meant;
	const char *rule = mutate_rule() + strlen(hows[mutate_how()]);
	*(strcmp(rule, step_label(step, label)) == 0 ? &meant : &other) = step;
	return step == meant;
}

static void close_move(void)
{
	if (open_move)
		memcpy(open_move->after, open_move->at, open_move->bytes);
	open_move = NULL;
}

static void mutate_note(const void *at, size_t bytes, bool meant)
{
	close_move();
	if (meant && bytes <= MOVED_BYTES && notes->moves < MOVES_MAX) {
		open_move = &notes->move[notes->moves++];
		*open_move = (struct move){ .at_step = notes->steps,
			.bytes = bytes,
			.at = (unsigned char *)(uintptr_t)at };
		memcpy(open_move->before, at, bytes);
	}
	notes->steps++;
}

bool mutate_step(const struct step *step, const void *at, size_t bytes)
{
	if (!notes || !step)
		return false;
	bool meant = bytes > 0 && is_meant(step);
	if (meant)
		notes->met = true;
	if (recording)
		mutate_note(at, bytes, meant);
	return meant && mutate_how() == LEFT_OUT;
}

void mutate_record(void)
{
	notes->steps = notes->moves = 0;
	recording = true;
}

void mutate_recorded(void)
{
	close_move();
	recording = false;
}

unsigned mutate_moves(void)
{
	return notes->moves;
}

/* Late: the following steps up to the place were taken. Early: the steps before were not. */
unsigned mutate_death(unsigned move, unsigned places)
{
	unsigned at = notes->move[move].at_step;
	if (mutate_how() == LATE)
		return at + 1 + places;
	return at > places ? at - places : 0;
}

bool mutate_move(unsigned move, unsigned places)
{
	const struct move *m = &notes->move[move];
	bool late = mutate_how() == LATE;
	bool there = late ? m->at_step + places < notes->steps : m->at_step >= places;
	if (!there || memcmp(m->before, m->after, m->bytes) == 0 ||
	    memcmp(m->at, late ? m->after : m->before, m->bytes) != 0)
		return false; /* no such place, or a step in between wrote the same field */
	memcpy(m->at, late ? m->before : m->after, m->bytes);
	return true;
}

#else
typedef int steps_have_no_names; /* as in shm/steps.c */
#endif
