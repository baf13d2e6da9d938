/* cases.h - the measurements of plm, each beside the machine's limit in the same rounds. Each
 * case boots a private runtime, prints rows and ends the runtime. 0 or -errno, reported on
 * stderr. */
#ifndef PLM_BENCH_CASES_H
#define PLM_BENCH_CASES_H

#include "bench/measure.h"

int case_flow(struct bench *bench);     /* many small tasks a second */
int case_cost(struct bench *bench);     /* where the time of a task goes */
int case_trip(struct bench *bench);     /* one task at a time */
int case_watched(struct bench *bench);  /* the event log, on and off */
int case_get(struct bench *bench);      /* reading objects, small and large */
int case_put(struct bench *bench);      /* writing objects */
int case_sizes(struct bench *bench);    /* objects from 1 B to 1 GiB */
int case_map(struct bench *bench);      /* a thousand tasks, and a task that takes all their
					 * values */
int case_scale(struct bench *bench);    /* many workers, many clients */
int case_boot(struct bench *bench);     /* from nothing to the first result */
int case_queue(struct bench *bench);    /* a million and ten million waiting tasks */
int case_pressure(struct bench *bench); /* from the want of memory to the death of a task */
int case_load(struct bench *bench);     /* a task file of a million lines */
int case_death(struct bench *bench);    /* from the death of a worker to the next start of the
					 * worker's task */
int case_recovery(struct bench *bench); /* after the death of the scheduler, of the manager */
int case_command(struct bench *bench);  /* command lines, many at once and one at a time */
int case_commands_waiting(struct bench *bench); /* a million waiting commands */
int case_journal(struct bench *bench);          /* the cost of a journal */
int case_top(struct bench *bench);              /* the cost of plmctl top */
int case_idle(struct bench *bench);             /* the cost of an idle runtime */
int case_trace(struct bench *bench);            /* traces of a million events */

#endif
