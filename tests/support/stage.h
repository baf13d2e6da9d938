/* stage.h - a scheduler in this process with workers that are process slots alone and run no task:
 * tests count and time how the scheduler hands out tasks.
 *
 * Where: memory of this process; the segments have no name.  Who may call: one thread, which plays
 * every role.  Errors end the program. */
#ifndef PLM_TEST_STAGE_H
#define PLM_TEST_STAGE_H

#include "client/handle.h"
#include "scheduler/scheduler.h"

enum { STAGE_CLIENTS = 3, STAGE_CORES = 2 };

struct stage_plan {
	const char *policy;
	uint32_t workers;
	uint32_t average_ns; /* recent duration of a task at each worker */
	uint32_t ageing_ms;
	struct limits limits;
};

struct stage {
	struct tables tables, scheduler_tables;
	struct scheduler scheduler;
	struct plm client[STAGE_CLIENTS];
};

extern struct stage stage;

void stage_boot(const struct stage_plan *plan);
void stage_close(void);
void stage_follow(const char *policy);
uint32_t stage_worker(uint32_t i); /* the process slot of worker i */
/* Runs the scheduler until nothing is left to do. The timed search for stuck tasks never starts,
 * even on a slow machine. */
void stage_rest(void);
/* One batch of n tasks without needs; refs may be NULL. */
void stage_submit(struct plm *from, int priority, uint32_t n, plm_ref *refs);

#endif
