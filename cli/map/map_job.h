/* map_job.h - one command of `plmctl map`, from inputs to end. The flight owns a running job, the
 * loop an ended job until the turn of its output has come. */
#ifndef PLM_CLI_MAP_JOB_H
#define PLM_CLI_MAP_JOB_H

#include "cli/ctl_command.h"
#include "cli/fleet_door.h"
#include "cli/map/map_pipe.h"
#include "cli/map/map_sources.h"
#include "cli/outlets.h"

enum { JOB_KILLED = -1 }; /* instead of an exit code: a time limit, or the death of the worker */

struct job {
	struct job *next;
	uint64_t number;                  /* among all jobs, from 1 */
	uint64_t order;                   /* among the jobs that are run, from 0 */
	unsigned place;                   /* from 1; 0: none */
	plm_ref ref[PLM_COMMAND_RESULTS]; /* PLM_NONE: not submitted */
	uint64_t submit_ms;               /* since 1970 */
	bool late;                        /* cancelled because of --timeout N% */
	bool echoed;                      /* -v: the command is shown */
	/* after the end: */
	bool ended_well; /* the job cannot run again */
	int exit_code, signal;
	uint64_t begin_ms; /* since 1970 */
	uint64_t run_us;
	uint32_t attempt;
	const char *out, *err; /* in the store, as long as the future is held */
	uint64_t out_bytes, err_bytes;
	struct outlet *outlet; /* NULL: none, or given back */
	bool in_file[2];       /* stdout, stderr are in the outlet, not in the runtime */
	char *message;         /* for an end that the command cannot report itself; or NULL */
	char *held[2];         /* memory of stdout, stderr of a task of a fleet; or NULL */
	struct {               /* stdout and stderr while the job ran: map_live.h */
		int fd;        /* -1: none */
		uint32_t attempt;
		uint64_t shown;
	} live[2];
	struct block *block; /* --pipe: the standard input; NULL: none */
	uint64_t sent;       /* bytes of the block */
	/* the inputs: */
	size_t values, values_each; /* of all inputs; of the first input */
	char value[];               /* each ends with a zero */
};

/* `each`: values of an input, of which the row has several. NULL: no memory. */
struct job *job_make(const struct row *row, size_t each, uint64_t number);
void job_free(struct job *job);

/* Reads the end of a settled job. EXIT_FINE, or an exit code after a message. */
int job_take_end(struct context *context, struct job *job);
/* The same for a task of a fleet; long output goes to the outlet. 0, or -errno with a why. */
int job_take_fleet_end(struct job *job, const struct fleet_outcome *end);
/* Bytes of output in the runtime, or in memory. */
uint64_t job_held_bytes(const struct job *job);
/* The next piece of stream 1 or 2 from a byte on, in place or in the buffer. Returns the length; 0:
 * the end; -errno with a why. */
enum { JOB_PIECE_BYTES = 256 << 10 };
ssize_t job_piece(const struct job *job, int stream, uint64_t from, char *buffer, const char **ret);
bool job_failed(const struct job *job);
/* As in a shell: 128 + the signal. */
int job_exit_code(const struct job *job);

#endif
