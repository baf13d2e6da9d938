/* top_model.h - what plmctl top knows of processes: looked at many times a second, shown once an
 * interval.
 *
 * A runtime keeps no times of work, so the busy share of a worker is the share of looks that found
 * a task running. A look costs a few loads for each process (plm_inspect_work()).
 * Allocates: model_begin() for each boot of a runtime, and nothing afterwards. */
#ifndef PLM_CLI_TOP_MODEL_H
#define PLM_CLI_TOP_MODEL_H

#include <stdbool.h>

#include "client/plm_inspect.h"

enum { MODEL_HISTORY = 512, MODEL_TEXT_BYTES = 160 };

struct model_worker { /* a process of a worker, or a drained worker */
	plm_work_row row;
	bool measured;     /* busy and rate are known */
	double busy, rate; /* share of the last interval, 0 to 1; tasks in a second */
	char condition[16];
	char what[MODEL_TEXT_BYTES]; /* the function or command that runs; "" */
};

struct model_slot { /* a process slot: its counts in the present interval */
	uint32_t generation;
	uint32_t looks, busy;
	uint64_t finished;       /* at the last look */
	uint64_t finished_since; /* in the interval */
	bool measured;           /* of the last interval: */
	double busy_share, rate;
};

struct model {
	plm_runtime_row runtime;
	struct model_slot *slot;
	uint32_t slots;
	plm_work_row *row; /* as of the last look */
	size_t workers, workers_max;
	struct model_worker *worker; /* as of the last frame */
	size_t shown;
	uint32_t processes, clients; /* process slots in use, and those of clients */
	uint32_t cpus, busy_now;     /* cpus of workers; with a task just now */
	int32_t manager_pid, scheduler_pid;
	uint64_t looks;                   /* of this boot */
	uint64_t looks_since, busy_since; /* in the interval */
	uint64_t finished;                /* tasks, in the interval */
	uint64_t began_ns;                /* of the interval */
	bool measured;                    /* an interval is over */
	double busy, rate;                /* cpus; tasks in a second; of the last interval */
	double history[MODEL_HISTORY];    /* of rates, the newest last */
	unsigned histories;
};

/* Begins to watch this boot of a runtime. 0 or -errno. */
int model_begin(struct model *model, plm_inspect *in);
void model_end(struct model *model);
/* One look at the processes. */
void model_look(struct model *model, plm_inspect *in);
/* The interval is over: numbers for a frame, and the texts of the running tasks. `measure` false:
 * shows the processes of the last look, and the interval goes on. */
void model_frame(struct model *model, plm_inspect *in, bool measure);
/* The condition of a worker that is on the screen, which costs a look into /proc. */
void model_look_close(struct model_worker *worker, plm_inspect *in);

#endif
