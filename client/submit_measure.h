/* submit_measure.h - a task judged before its submission: numbers, arguments, the room they take.
 * Where: a client, or any process that submits.  Blocks: never.  Errors: -errno with a why. */
#ifndef PLM_SUBMIT_MEASURE_H
#define PLM_SUBMIT_MEASURE_H

#include "client/handle.h"

struct submission { /* a task on the way in */
	const plm_task *task;
	uint32_t function;
	uint32_t terms;
	uint32_t results;
	uint32_t futures;
	uint64_t args_bytes;
	uint64_t deadline_ns;
	const char *known;       /* the last name looked up: an equal pointer is the same name */
	const plm_terms *agreed; /* the last terms, likewise */
	bool alone;              /* no batch: an idle worker may have the task at once */
};

static inline uint32_t submit_results_of(const plm_task *task)
{
	return task->results ? task->results : 1;
}

int submit_check_results(const plm_task *task);
/* Fills results, futures and args_bytes. */
int submit_measure(struct plm *rt, const plm_task *task, struct submission *s);

#endif
