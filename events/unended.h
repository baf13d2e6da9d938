/* unended.h - the ends that a dead worker process could not write.
 *
 * A worker writes the start and the end of an attempt into its own ring. If the process dies in
 * between, or between the commit and the end, the scheduler writes the end into the ring of the
 * dead: so the ring alone tells which attempts are open, whoever writes, and a scheduler that dies
 * meanwhile leaves nothing to be written twice.
 * Who may call: the scheduler, for a process slot that is DEAD.
 * Death: the next scheduler looks into the ring again.
 * Cost: a look at each event in the ring. Blocks: never. */
#ifndef PLM_EVENTLOG_UNENDED_H
#define PLM_EVENTLOG_UNENDED_H

#include "events/eventlog.h"

enum { EVENT_STARTS_MAX = 64 }; /* tasks of a process that run in place of each other */

struct eventlog_start { /* an attempt without an end */
	uint64_t ref, time_ns;
	uint32_t process, attempt, worker, function;
	bool innermost; /* all attempts begun later have ended */
};

/* The attempts that the process has begun since it joined and not ended, the innermost first.
 * Returns their number; 0 also if the process has no log. */
uint32_t eventlog_unended(
    struct tables *t, uint32_t process, struct eventlog_start *ret, uint32_t n);

/* Writes the end of the attempt into the ring of its process. */
void eventlog_end_unended(struct tables *t, const struct eventlog_start *start,
    enum event_kind kind, uint64_t now_ns, uint64_t argument);

#endif
