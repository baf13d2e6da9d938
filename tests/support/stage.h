/* stage.h - a scheduler in this process, and workers that are slots of a table and run nothing:
 * what it gives to whom can be counted, and timed.
 *
 * Where: this process's memory; the segments have no name. Who: one thread; it plays every role.
 * What fails ends the program. */
#ifndef PLM_TEST_STAGE_H
#define PLM_TEST_STAGE_H

#include "client/handle.h"
#include "scheduler/scheduler.h"

enum { STAGE_CLIENTS = 3, STAGE_CORES = 2 };

struct stage_plan {
	const char *policy;
	uint32_t workers;
	uint32_t average_ns; /* their tasks took so long lately */
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
uint32_t stage_worker(uint32_t i); /* its slot */
/* Until the scheduler has nothing to do. No look at what is stuck comes by itself, however slow
 * this machine is. */
void stage_rest(void);
/* n tasks that ask for nothing, as one batch; refs may be NULL. */
void stage_submit(struct plm *from, int priority, uint32_t n, plm_ref *refs);

#endif
