/* soak_judge.h - decides whether a history is legal for a runtime.
 *
 * Each accepted task has one end, at most as many attempts as the client asked for, and the
 * right value or an error for which the history has a reason. Each object has the same digest as
 * long as a client holds the object. The order in time is used only where one event was over
 * before the next event began. Where: private memory. Allocates: an entry for each task. Blocks:
 * never. */
#ifndef PLM_SOAK_JUDGE_H
#define PLM_SOAK_JUDGE_H

#include <stdio.h>

#include "verify/soak/soak_history.h"

enum finding {
	FOUND_LOST,      /* accepted, and gone while a client held the future */
	FOUND_DOUBLED,   /* two ends, or an attempt nobody asked for */
	FOUND_WRONG,     /* a task's value does not follow from the order and the inputs */
	FOUND_DAMAGED,   /* an object differs from the bytes that were put */
	FOUND_UNFOUNDED, /* a failure or refusal without a reason in the history */
	FOUND_HUNG,
	FINDINGS
};

struct verdict {
	uint64_t found[FINDINGS];
	uint64_t accepted[WORKS];
	uint64_t outcome[OUTCOME_UNSURE + 1]; /* as first seen */
	uint64_t deeds[DEEDS];
	uint64_t orphaned; /* accepted, but the client was killed before reading the result */
};

/* Adds to the verdict; prints each finding with all notes of the task. 0 or -ENOMEM. */
int judge(const struct history *history, FILE *out, struct verdict *verdict);

const char *finding_name(enum finding finding);

#endif
