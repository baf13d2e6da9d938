/* map_joblog.h - a file with a line for each job, in the columns of GNU parallel: Seq Host
 * Starttime JobRuntime Send Receive Exitval Signal Command. A later run reads which jobs are done.
 *
 * A line is written after the output of the job. A half line that a killed run left is cut off when
 * the file is used again, so that the job runs again.
 * Who: one thread.  Blocks: in the file. */
#ifndef PLM_CLI_MAP_JOBLOG_H
#define PLM_CLI_MAP_JOBLOG_H

#include "cli/map/map_job.h"
#include "cli/text.h"

enum resume {
	RESUME_NOTHING, /* the file is replaced; +FILE: lines are added, and every job runs */
	RESUME_MISSING, /* jobs in the file are not run again */
	RESUME_FAILED,  /* except failed jobs */
};

struct joblog;

/* `dry`: only reads the earlier lines; a file that is missing has none. 0, or -errno with a why. */
int joblog_open(struct joblog **ret, const char *path, enum resume resume, bool dry);
bool joblog_has(const struct joblog *log, uint64_t number);
/* The command may contain any bytes. */
void joblog_add(struct joblog *log, const struct job *job, const struct text *command);
/* Writes the added lines. 0, or -errno with a why. */
int joblog_flush(struct joblog *log);
void joblog_close(struct joblog **logp);

#endif
