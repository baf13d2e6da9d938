/* fuzz_recovery.c - a scheduler starts on damaged segments: rebuilds all derived state, as after
 * the death of the whole runtime, and makes a few scheduling rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "verify/fuzz/fuzz.h"
#include "verify/fuzz/segment_image.h"
#include "scheduler/scheduler.h"

enum { STEPS = 64 };

/* As the manager does: declares the old scheduler dead and claims the process slot again. */
static bool make_way(struct tables *t)
{
	struct process *p = &t->process[SLOT_SCHEDULER];
	uint64_t word = sh_load(&p->state);
	if (process_present(word))
		process_step(p, &word, PROCESS_DEAD);
	word = sh_load(&p->state);
	if (process_state(word) == PROCESS_DEAD)
		process_step(p, &word, PROCESS_FREE);
	return process_claim(p, KIND_SCHEDULER, 0, "scheduler");
}

static void end_the_dead(struct tables *t)
{
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_present(word))
			process_step(&t->process[i], &word, PROCESS_DEAD);
	}
}

static struct scheduler scheduler;

static void fuzz_recovery_run(void *tables)
{
	if (scheduler_open(&scheduler, tables) == 0)
		for (int i = 0; i < STEPS && scheduler_step(&scheduler); i++)
			;
}

static void go_on(struct tables *t)
{
	end_the_dead(t);
	if (!make_way(t))
		return;
	fuzz_until_exit(fuzz_recovery_run, t);
	scheduler_close(&scheduler);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static struct tables t;
	const struct image *image = image_get();
	image_damage(data, length, false);
	if (tables_attach(dup(image->control_fd), dup(image->store_fd), &t) < 0)
		return 0;
	go_on(&t);
	tables_detach(&t);
	return 0;
}
