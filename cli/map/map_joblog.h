/* map_joblog.h - a line a job in a file, in the columns of GNU parallel, and what it says of an
 * earlier run: Seq Host Starttime JobRuntime Send Receive Exitval Signal Command.
 *
 * A line is written when the job's output was. What a killed run left of a line is cut off when
 * the file is used again, so that its job runs again.
 * Who: one thread.  Blocks: in the file. */
#ifndef PLM_CLI_MAP_JOBLOG_H
#define PLM_CLI_MAP_JOBLOG_H

#include "cli/map/map_job.h"
#include "cli/text.h"

enum resume {
	RESUME_NOTHING, /* what is in the file is replaced */
	RESUME_MISSING, /* jobs that are in it are not run again */
	RESUME_FAILED,  /* but for those that failed */
};

struct joblog;

/* 0, or -errno with a why. */
int joblog_open(struct joblog **ret, const char *path, enum resume resume);
bool joblog_has(const struct joblog *log, uint64_t number);
/* Command: the text, which may have any bytes in it. */
void joblog_add(struct joblog *log, const struct job *job, const struct text *command);
/* What was added is written. 0, or -errno with a why. */
int joblog_flush(struct joblog *log);
void joblog_close(struct joblog **logp);

#endif
