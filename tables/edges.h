/* edges.h - who waits for whom: the dependents of a record, and how many arguments a task still
 * misses.
 *
 * An edge is an argument that is a future: {index of the waiting task, offset of the argument in
 * its block}. The edges to one record hang in a list that starts in its `dependents` and goes
 * through the `next` of the arguments themselves: no memory of its own, however many edges there
 * are. `pending` of a task counts its edges; its top bit stands for an argument that failed, so
 * that whoever takes the last edge knows, though the failure is another's to deal with.
 *
 * Where: the records and argument blocks.  Who: the scheduler links; whoever settled a record (a
 * worker, the scheduler) takes its edges off. Both under the graph's lock, a few at a time.
 * Death: derived. Inside the lock, the next taker links and counts everything again from the
 * arguments; between edges_take() and what its caller does with it, the scheduler finds tasks
 * without a missing argument when it buries the caller.
 * Blocks and links stand where clients can write: every word is checked before it is followed. */
#ifndef PLM_EDGES_H
#define PLM_EDGES_H

#include "tables/args.h"

/* The record whose word speaks for a future: results of one task are one thing here. NULL: none. */
struct record *edges_speaker(const struct tables *t, uint64_t ref);

/* Under the lock, for each future: an edge if it is not settled; if it failed or is none (NULL),
 * the task is doomed, and no worker may make it ready while the scheduler is about to end it. */
void edges_link(struct tables *t, uint32_t index, const struct arg *arg, struct record *speaker);

struct edge_taken {
	uint32_t task;
	uint64_t word; /* of the task, under the lock: once that is let go, others may make it
			* ready, end it and begin another life of its record */
	bool last;     /* it misses nothing more; of one that wants any: or it has this one */
	bool doomed;   /* this or an earlier argument has failed: it must never become READY; of one
			* that wants any: this has failed */
};

/* Takes up to max edges off the settled record that ref names and counts them down. *ret_n of them
 * in ret. None if the record has begun another life: its maker may have dropped what a worker has
 * just committed, before the worker comes here. 0, -EBUSY (with try set: another has the lock for
 * longer than a moment), or the lock's error. */
int edges_take(struct tables *t, uint64_t ref, bool try, struct edge_taken *ret, uint32_t max,
    uint32_t *ret_n);

/* Some task that waits for this record has not ended: one that was cancelled leaves its edges where
 * they hang. Also when the lock cannot be had, or the list is damaged. */
bool edges_wanted(struct tables *t, const struct record *r);

/* Links and counts everything again; under the lock, or when nobody else lives. */
void edges_rebuild(struct tables *t);

#endif
