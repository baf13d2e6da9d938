/* map_job.h - one command of `plmctl map`, from its inputs to its end. Whoever has it owns it: the
 * flight while it runs, the loop until its output's turn has come. */
#ifndef PLM_CLI_MAP_JOB_H
#define PLM_CLI_MAP_JOB_H

#include "cli/ctl_command.h"
#include "cli/map/map_sources.h"
#include "cli/outlets.h"

enum { JOB_KILLED = -1 }; /* in place of an exit code: by a limit of time, or with its worker */

struct job {
	struct job *next;
	uint64_t number;                  /* among all inputs, from 1 */
	uint64_t order;                   /* among those that are run, from 0 */
	unsigned place;                   /* from 1; 0: it has none */
	plm_ref ref[PLM_COMMAND_RESULTS]; /* PLM_NONE: it was not submitted */
	uint64_t submit_ms;               /* since 1970 */
	/* its end: */
	bool ended_well; /* nobody can run it again */
	int exit_code, signal;
	uint64_t begin_ms; /* since 1970 */
	uint64_t run_us;
	uint32_t attempt;
	const char *out, *err; /* lie in the runtime as long as the future is held */
	uint64_t out_bytes, err_bytes;
	struct outlet *outlet; /* NULL: none, or not needed any more */
	bool in_file[2];       /* stdout, stderr are in it, and not in the runtime */
	char *message;         /* what happened, if that is not for the command to say; or NULL */
	struct {               /* stdout and stderr, as shown while it ran: map_live.h */
		int fd;        /* -1: none */
		uint32_t attempt;
		uint64_t shown;
	} live[2];
	/* its values: */
	size_t values;
	char value[]; /* each with a zero behind it */
};

/* NULL: no memory. */
struct job *job_make(const struct row *row, uint64_t number);
void job_free(struct job *job);

/* How it ended, once it is settled. EXIT_FINE, or an exit code after a message. */
int job_take_end(struct context *context, struct job *job);
/* How much of its output lies in the runtime. */
uint64_t job_held_bytes(const struct job *job);
/* The next piece of stream 1 or 2, from that byte on, where it lies or in the buffer. How long, 0:
 * that was all; -errno with a why. */
enum { JOB_PIECE_BYTES = 256 << 10 };
ssize_t job_piece(const struct job *job, int stream, uint64_t from, char *buffer, const char **ret);
bool job_failed(const struct job *job);
/* As a shell would tell it. */
int job_exit_code(const struct job *job);

#endif
