/* edges.h - the graph of waiting tasks: the dependants of a record, and the number of unsettled
 * arguments of a task.
 *
 * An edge is an argument that is a future: {index of the waiting task, offset of the argument in
 * its block, and in the low bits of the offset the condition of the argument}. The edges to a
 * record form a list, from the record's `dependents` through the `next` of the arguments: no other
 * memory, however many edges. `pending` of a task counts its edges. The top bit of `pending` marks
 * an argument whose condition will never be met: the taker of the last edge then knows of it,
 * though only the scheduler ends the task.
 *
 * Where: the records and argument blocks.  Who may call: the scheduler links; a process that has
 * settled a record (a worker, the scheduler) takes the edges off. Both under the graph's lock, a
 * few edges at a time.
 * Death: all is derived. After a death inside the lock, the next taker links and counts everything
 * again from the arguments. After a death between edges_take() and the caller's next step, the
 * scheduler finds tasks without a missing argument when it buries the caller.
 * Blocks: for the graph's lock.
 * Clients can write to blocks and links: every word is checked before use. */
#ifndef PLM_EDGES_H
#define PLM_EDGES_H

#include "tables/args.h"

/* The record whose word speaks for a future: the task for each of its results. NULL: none. */
struct record *edges_speaker(const struct tables *t, uint64_t ref);

/* Under the lock, for each future: adds an edge if the future is not settled. If the future was
 * settled against its condition, or names no record (NULL), the task is doomed: no worker may make
 * it ready, since the scheduler is about to end it. */
void edges_link(struct tables *t, uint32_t index, const struct arg *arg, struct record *speaker);

struct edge_taken {
	uint32_t task;
	uint64_t word; /* of the task, under the lock: after the release other processes may make
			  the task ready, end it and begin another life of its record */
	enum arg_condition condition; /* of the argument */
	bool met;                     /* the argument met its condition */
	bool last;   /* no argument is missing any more; a task that wants any: has this argument */
	bool doomed; /* this or an earlier argument did not meet its condition: never make the task
			READY; a task that wants any: this argument failed */
};

/* Takes up to max edges off the settled record that ref names, and counts them down: *ret_n edges
 * in ret. None if the record has begun another life: its maker may drop a result right after the
 * worker's commit, before the worker comes here. 0, -EBUSY (with try set: another process has the
 * lock for longer than a moment), or the lock's error. */
int edges_take(struct tables *t, uint64_t ref, bool try, struct edge_taken *ret, uint32_t max,
    uint32_t *ret_n);

/* True if a task that waits for the value of this record has not ended; a cancelled task leaves its
 * edges in the list, and a task that only comes after the record wants nothing of it. True also if
 * the lock cannot be had, or the list is damaged. */
bool edges_wanted(struct tables *t, const struct record *r);

/* Links and counts everything again; under the lock, or when no other process lives. */
void edges_rebuild(struct tables *t);

#endif
