/* map_run.h - one command for each of many inputs: what is asked for, and the loop that does it.
 *
 * Inputs are read as jobs can take them, jobs are submitted as workers can, outputs are written as
 * jobs end: a million inputs are no more memory than a few thousand, unless the output of a slow
 * job has to come first (--keep-order): then at most so many wait behind it as the runtime has room
 * for in a quarter of its tables, and no more are started meanwhile. */
#ifndef PLM_CLI_MAP_RUN_H
#define PLM_CLI_MAP_RUN_H

#include "cli/command_task.h"
#include "cli/map/map_halt.h"
#include "cli/map/map_joblog.h"
#include "cli/map/map_room.h"
#include "cli/map/map_sources.h"

struct map_jobs { /* at once */
	enum { JOBS_NUMBER, JOBS_MORE, JOBS_PERCENT } how;
	int number; /* 0: as many as possible; or so many more than there are workers; per cent of
		     * them */
};

struct map_plan { /* zeroes ask for nothing */
	struct command_request request;
	char *const *words; /* of the command */
	size_t word_count;
	bool shell;
	struct inputs inputs;
	bool link, zero_ended;
	unsigned max_args; /* values of one source in a command; 0: as they come */
	struct map_jobs jobs;
	bool private, keep_order, line, dry_run, tag, bar;
	struct halt halt;
	const char *joblog, *results, *tmpdir;
	enum resume resume;
	uint32_t delay_ms;
	struct room room;
};

/* The exit code of plmctl. */
int map_run(struct context *context, struct map_plan *plan);

#endif
