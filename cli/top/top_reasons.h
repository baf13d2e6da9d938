/* top_reasons.h - why queued tasks wait, in groups.
 *
 * plm_inspect_explain() of a queued task looks at all records, so not every task is asked: the
 * sample of a pass (top_count.h) is, a task at a time. Of fewer tasks than a sample holds each is
 * asked, and the counts are exact.
 * Allocates: never.  Blocks: never. */
#ifndef PLM_CLI_TOP_REASONS_H
#define PLM_CLI_TOP_REASONS_H

#include "cli/top/top_count.h"

enum { REASONS_MAX = 32, REASON_BYTES = 320 };

struct reason_group {
	char code[16];
	unsigned asked; /* tasks of the sample */
	uint64_t tasks; /* the same share of all queued tasks */
	plm_ref example;
	char text[REASON_BYTES]; /* of the example, and its reference */
};

struct reason_list {
	struct reason_group group[REASONS_MAX];
	unsigned groups, asked;
	uint64_t queued;
	bool exact;
};

struct reasons {
	struct reason_list next, last;
	plm_ref sample[SAMPLE_MAX];
	unsigned sampled, at;
	uint64_t cost_ns; /* of the last question */
};

/* Takes the sample of a pass, unless the sample before is not asked yet. */
void reasons_take(struct reasons *reasons, const struct count *count);
/* True: tasks are left to be asked. */
bool reasons_going(const struct reasons *reasons);
/* Asks one task. */
void reasons_step(struct reasons *reasons, plm_inspect *in);

#endif
