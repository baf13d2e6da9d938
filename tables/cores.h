/* cores.h - two workers do not share a core while another core is free.
 *
 * The kernel likes to wake a process on the core of its waker, where the woken worker waits until
 * its waker rests, while the other core idles. So a worker that finds a busy worker on its core
 * after a wake, or another waiting process in a spin, leaves the core; and so does a worker between
 * two tasks, if another worker waits for the core.
 *
 * Where: `cpu` of a process slot, the private affinity of the process.
 *
 * Who may call: the process itself; only workers move.
 *
 * Blocks: never.  Death: the affinity ends with the process; a stale `cpu` costs time. */
#ifndef PLM_CORES_H
#define PLM_CORES_H

#include <sched.h>

#include "tables/tables.h"

/* Notes the core of the calling process, for other workers to avoid. */
void cores_note(struct tables *t);

/* True: a process that does not move shares the core, and the caller may leave. */
bool cores_shared(struct tables *t, uint64_t now);
/* To another permitted core. A peer should wait for the arrival, CORES_MOVE_NS at most. */
enum { CORES_MOVE_NS = 100000 };
void cores_leave(struct tables *t, uint64_t now);

/* True: the worker is awake, and busy with tasks that are short and use a core. */
enum { CORES_QUICK_NS = 250000 };
bool cores_quick(const struct tables *t, uint32_t process);
/* True: each core has such a worker, other than the calling worker. */
bool cores_taken(const struct tables *t);
/* True: a worker on the core of the calling process has so much work in its ring that it will not
 * rest soon. */
enum { CORES_KEPT_NS = 50000 };
bool cores_kept(const struct tables *t);
/* After the wake of a worker: leaves a core on which another worker is busy. */
void cores_part_after_wake(struct tables *t);

/* Two workers may stay on a core until the next tick of the kernel, 4 ms, while another core idles.
 * The worker that waits for the core can do nothing, so the worker at work leaves. */
struct cores_look { /* of a worker; zeroes at first */
	uint64_t next_ns, may_move_ns;
	uint64_t since_ns; /* when another worker process was first seen in this state: */
	uint64_t running;
	uint32_t process, position;
};
/* Between two tasks. */
void cores_part_at_work(struct tables *t, struct cores_look *look, uint64_t now);

#endif
