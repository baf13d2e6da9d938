/* top_count.h - tasks counted by function, priority and state, in passes over the record table.
 *
 * A pass over a million records takes longer than a frame may, so a pass goes on in steps of a few
 * milliseconds, and the counts of the last complete pass are shown, with their age; those of the
 * first pass also while the pass goes on. A small table is passed anew for each frame.
 * Commands are counted by the program that they run.
 * Allocates: counting_begin().  Blocks: never. */
#ifndef PLM_CLI_TOP_COUNT_H
#define PLM_CLI_TOP_COUNT_H

#include <stdbool.h>

#include "client/plm_inspect.h"

enum {
	GROUPS_MAX = 512, /* the last one takes all functions for which there is no room */
	PRIORITIES_MAX = 256,
	TASKS_MAX = 2601, /* the last one stays empty */
	SAMPLE_MAX = 48,
	TASK_TEXT_BYTES = 192,
	COUNT_NAME_BYTES = 64,
};

struct count_group {
	char name[COUNT_NAME_BYTES];
	uint64_t state[PLM_STATES];
	uint64_t run_ms, ran, longest_ms; /* of settled tasks that ran */
};

struct count_priority {
	int64_t priority; /* INT64_MAX: all for which there is no room */
	uint64_t ready, waiting, running, oldest_ms;
};

struct count_task {
	plm_ref ref;
	int state; /* enum plm_state; PLM_STATE_FREE: the task is gone */
	uint32_t marks;
	int32_t priority;
	uint64_t age_ms, run_ms;
	char what[TASK_TEXT_BYTES];
};

struct count { /* of one pass */
	uint64_t state[PLM_STATES], tasks;
	struct count_group group[GROUPS_MAX];
	unsigned groups;
	struct count_priority priority[PRIORITIES_MAX];
	unsigned priorities;
	struct count_task task[TASKS_MAX]; /* some of each state; running and failed ones first */
	unsigned listed, listed_of[PLM_STATES];
	uint64_t matching;          /* tasks that the filter lets pass */
	plm_ref sample[SAMPLE_MAX]; /* of waiting and ready tasks, each as likely as another */
	unsigned sampled;
	uint64_t queued; /* waiting and ready tasks: the sample is of these */
	uint64_t ended_ns;
};

struct counting {
	struct count *next, *last; /* last->ended_ns is 0 before the first pass has ended */
	bool going;
	uint64_t cursor, random;
	char filter[64]; /* listed tasks contain this text */
};

/* What a task is counted as: "module.function", or the program of a command, without its
 * directory. */
void count_name(const plm_task_row *row, char ret[COUNT_NAME_BYTES]);

/* 0 or -ENOMEM. */
int counting_begin(struct counting *counting);
void counting_end(struct counting *counting);
/* The last complete pass; before there is one, the pass under way. NULL: no runtime. */
const struct count *counting_shown(const struct counting *counting);
/* The filter of the list of tasks; a pass under way begins again. */
void counting_filter(struct counting *counting, const char *filter);
/* A pass under way begins again. */
void counting_restart(struct counting *counting);
/* Begins a pass, if none is under way. */
void counting_start(struct counting *counting);
/* Goes on for this time at least; true: a pass has ended, and *last is new. */
bool counting_step(struct counting *counting, plm_inspect *in, uint64_t ns);
/* "ready", "dead", "stopping" and the like; "gone". */
const char *counting_state_name(const struct count_task *task);
/* Reads the present state of a task in the list that is shown. */
void counting_look_again(struct counting *counting, size_t task, plm_inspect *in);

#endif
