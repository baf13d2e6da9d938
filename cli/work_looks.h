/* work_looks.h - how busy the processes of workers are: many looks in an interval, numbers at its
 * end.
 *
 * A runtime keeps no times of work, so the busy share of a process is the share of looks that found
 * a task running. A look costs a few loads for each process (plm_inspect_work()).
 * Allocates: looks_begin() for each boot of a runtime, and nothing afterwards.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_CLI_WORK_LOOKS_H
#define PLM_CLI_WORK_LOOKS_H

#include <stdbool.h>

#include "client/plm_inspect.h"

struct looks_slot { /* a process slot: its counts in the present interval */
	uint32_t generation;
	uint32_t looks, busy;
	uint64_t finished;       /* at the last look */
	uint64_t finished_since; /* in the interval */
	bool measured;           /* of the last interval: */
	double busy_share, rate; /* 0 to 1; tasks in a second */
};

struct looks {
	struct looks_slot *slot; /* one for each process slot; NULL: no boot is looked at */
	uint32_t slots;
	plm_work_row *row; /* as of the last look: all workers, drained workers, too */
	uint32_t workers, rooms;
	uint32_t processes, clients; /* process slots in use, and those of clients */
	uint32_t cpus, busy_now;     /* cpus of workers; with a task just now */
	uint32_t drained;
	uint64_t taken;                   /* looks, of this boot */
	uint64_t looks_since, busy_since; /* in the interval */
	uint64_t finished;                /* tasks, in the interval */
	uint64_t began_ns;                /* of the interval */
	bool measured;                    /* an interval is over: */
	double busy, rate;                /* cpus; tasks in a second */
};

/* Begins to look at a boot with so many process slots. 0, or -ENOMEM with a why. */
int looks_begin(struct looks *looks, uint32_t processes_max);
void looks_end(struct looks *looks);
/* One look at the processes. */
void looks_take(struct looks *looks, plm_inspect *in);
/* The interval is over: computes shares and rates. False: the interval had no look. */
bool looks_measure(struct looks *looks);
/* The numbers of the process of this row; a slot of zeros if the row has no process. */
const struct looks_slot *looks_of(const struct looks *looks, const plm_work_row *row);
/* What the process runs: a function, or the words of a command; "": nothing. */
void looks_what(plm_inspect *in, const plm_work_row *row, char *ret, size_t size);

#endif
