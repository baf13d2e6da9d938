/* soak_judge.h - whether a history is one that a runtime may have.
 *
 * Each accepted task has one end, at most as many attempts as it asked for, and the right value or
 * an error that something in the history accounts for; each object has its digest as long as it is
 * held. Order in time is used only where the one event was over before the other began.
 * Where: private memory.  Allocates: an entry a task.  Blocks: never. */
#ifndef PLM_SOAK_JUDGE_H
#define PLM_SOAK_JUDGE_H

#include <stdio.h>

#include "verify/soak/soak_history.h"

enum finding {
	FOUND_LOST,      /* accepted, and gone while it was held */
	FOUND_DOUBLED,   /* two ends, or an attempt nobody asked for */
	FOUND_WRONG,     /* a task's value is not that of its order and inputs */
	FOUND_DAMAGED,   /* an object is not what was put */
	FOUND_UNFOUNDED, /* it failed, or was refused, and nothing accounts for it */
	FOUND_HUNG,
	FINDINGS
};

struct verdict {
	uint64_t found[FINDINGS];
	uint64_t accepted[WORKS];
	uint64_t outcome[OUTCOME_UNSURE + 1]; /* as first seen */
	uint64_t deeds[DEEDS];
	uint64_t orphaned; /* accepted, and their client was killed before it looked */
};

/* Adds to the verdict; tells each finding, with what is known of the task. 0 or -ENOMEM. */
int judge(const struct history *history, FILE *out, struct verdict *verdict);

const char *finding_name(enum finding finding);

#endif
