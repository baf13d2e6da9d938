/* top_model.h - what plmctl top knows of processes: looked at many times a second (work_looks.h),
 * shown once an interval.
 *
 * Allocates: model_begin() for each boot of a runtime, and nothing afterwards. */
#ifndef PLM_CLI_TOP_MODEL_H
#define PLM_CLI_TOP_MODEL_H

#include <stdbool.h>

#include "cli/work_looks.h"
#include "client/plm_inspect.h"

enum { MODEL_HISTORY = 512, MODEL_TEXT_BYTES = 160 };

struct model_worker { /* a process of a worker, or a drained worker */
	plm_work_row row;
	bool measured;     /* busy and rate are known */
	double busy, rate; /* share of the last interval, 0 to 1; tasks in a second */
	char condition[16];
	char what[MODEL_TEXT_BYTES]; /* the function or command that runs; "" */
};

struct model {
	plm_runtime_row runtime;
	struct looks looks;
	struct model_worker *worker; /* as of the last frame */
	size_t shown;
	double history[MODEL_HISTORY]; /* of rates, the newest last */
	unsigned histories;
};

/* Begins to watch this boot of a runtime. 0 or -errno. */
int model_begin(struct model *model, plm_inspect *in);
void model_end(struct model *model);
/* The interval is over: numbers for a frame, and the texts of the running tasks. `measure` false:
 * shows the processes of the last look, and the interval goes on. */
void model_frame(struct model *model, plm_inspect *in, bool measure);
/* The condition of a worker that is on the screen, which costs a look into /proc. */
void model_look_close(struct model_worker *worker, plm_inspect *in);

#endif
