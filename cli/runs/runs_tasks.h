/* runs_tasks.h - what is known of the tasks of a runtime: an entry for each record, since a record
 * has one task at a time.
 * Who: runs.c.  Allocates: at the opening, and touches pages as records come. */
#ifndef PLM_RUNS_TASKS_H
#define PLM_RUNS_TASKS_H

#include "cli/runs/runs.h"

enum task_stage { TASK_UNKNOWN, TASK_WAITING, TASK_QUEUED, TASK_RUNNING, TASK_SETTLED };

struct known_task {
	uint64_t id; /* of the reference; 0: the entry is empty */
	uint64_t submitted_ns, ready_ns, placed_ns;
	uint64_t done_ns; /* length of the run that was told as done, without a submission */
	int64_t priority;
	uint32_t function;
	uint32_t process; /* of the open attempt; PLM_NOBODY: none */
	enum task_stage stage;
	uint32_t name_attempt;
	uint32_t name_length;
	char name[RUN_BETTER_NAME_BYTES + 1];
};

struct known_tasks {
	struct known_task *entry;
	uint64_t mask;
};

int tasks_open(struct known_tasks *tasks, uint64_t records_max);
void tasks_close(struct known_tasks *tasks);
/* The entry of the reference; NULL: the task is unknown. */
struct known_task *tasks_find(struct known_tasks *tasks, plm_ref ref);
/* The same, or a new entry; NULL: the entry belongs to a later task of the same record. */
struct known_task *tasks_take(struct known_tasks *tasks, plm_ref ref);
/* Eight further bytes of the better name; an attempt begins anew. */
void tasks_name(struct known_task *task, uint32_t attempt, uint64_t text);

#endif
