/* runs_count.h - the counters over time: changed by events, corrected by samples, told at most once
 * in a grain of time.
 *
 * A counter that is not known yet is not told, and collects changes: the first sample decides. An
 * event of another process may be read late, so a count may be negative for a moment, and is told
 * as 0.
 * Who: runs.c.  Blocks, allocates: never. */
#ifndef PLM_RUNS_COUNT_H
#define PLM_RUNS_COUNT_H

#include "cli/runs/runs.h"
#include "cli/runs/runs_tasks.h"

struct run_counting {
	uint32_t known;
	int64_t waiting, queued, running, store_bytes;
	uint64_t memory_free;
	uint64_t grain_ns, told_ns, changed_ns;
	bool changed;
	void (*tell)(void *context, uint64_t time_ns, const struct run_counters *counters);
	void *context;
};

/* A task goes from one stage to another. */
void count_move(
    struct run_counting *counting, uint64_t time_ns, enum task_stage from, enum task_stage to);
void count_store(struct run_counting *counting, uint64_t time_ns, int64_t bytes);
void count_memory(struct run_counting *counting, uint64_t time_ns, uint64_t free);
void count_sample(struct run_counting *counting, const struct runs_sample *sample);
void count_get(const struct run_counting *counting, struct run_counters *ret);
/* Tells the last values. */
void count_finish(struct run_counting *counting);

#endif
