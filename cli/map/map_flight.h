/* map_flight.h - the jobs of `plmctl map` that are under way: submitted many at a time, looked for
 * when something has settled.
 *
 * How the loop learns of that is chosen by how long jobs take. Short ones are submitted ahead of
 * the workers, and it sleeps until one in the middle is settled: a wake for many jobs. For long
 * ones it polls a descriptor, together with its input and the signals, and wakes for nothing else.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_FLIGHT_H
#define PLM_CLI_MAP_FLIGHT_H

#include "cli/command_task.h"
#include "cli/map/map_job.h"
#include "cli/map/map_template.h"

struct flight {
	struct context *context;
	const struct command_request *request;
	const struct template *template;
	struct job **job; /* in the order of their submission */
	plm_ref *ref;
	uint8_t *ready;
	size_t jobs, room;
	struct job *refused, **last_refused; /* by a full table: to be submitted again */
	uint64_t average_us;                 /* that one ran, of late; 0: none has ended */
	uint64_t begun_ns;
	int bell;          /* -1: not needed so far */
	struct text words; /* of a batch */
	struct text starts, args, tasks;
	plm_ref *drop;
	size_t drops;
	bool waits; /* told so to the runtime, if this is inside of a task of it */
};

void flight_begin(struct flight *f, struct context *context, const struct command_request *request,
    const struct template *template);
/* Takes these jobs, a list in order. EXIT_FINE, also if some are refused for now; or an exit code
 * after a message. */
int flight_submit(struct flight *f, struct job *jobs);
size_t flight_count(const struct flight *f); /* with those refused */

/* Jobs that may be submitted beyond those that can run: what keeps workers busy for a moment. */
size_t flight_ahead(const struct flight *f, unsigned workers);

struct flight_wake {
	int timeout_ms; /* negative: for ever */
	int input;      /* a descriptor to read from; -1: none is waited for */
	unsigned workers;
};

/* Until something may have settled, there is input, or a signal; or the timeout. */
int flight_wait(struct flight *f, const struct flight_wake *wake);

/* Those that have ended, a list in *ret. An exit code after a message: the runtime is gone. */
int flight_collect(struct flight *f, struct job **ret);
/* What lies in the runtime of it is not needed any more, nor is the job. */
void flight_drop(struct flight *f, struct job *job);
/* Those that were refused so far are not to be submitted. */
void flight_forget_refused(struct flight *f);
/* All that run are cancelled, waited for until they have ended or there is one more signal, and
 * forgotten. */
void flight_cancel(struct flight *f);
void flight_end(struct flight *f);

#endif
