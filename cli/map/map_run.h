/* map_run.h - one command for each of many inputs: the options, and the loop.
 *
 * map reads inputs as jobs need them, submits jobs as workers can take them, and writes outputs as
 * jobs end. So a million inputs take no more memory than a few thousand. With --keep-order ended
 * jobs may wait behind a slow job; when they fill a quarter of the runtime's tables, map starts no
 * more jobs until the slow job has ended. */
#ifndef PLM_CLI_MAP_RUN_H
#define PLM_CLI_MAP_RUN_H

#include "cli/command_request.h"
#include "cli/map/map_halt.h"
#include "cli/map/map_joblog.h"
#include "cli/map/map_room.h"
#include "cli/map/map_sources.h"

struct map_jobs { /* at once */
	enum { JOBS_NUMBER, JOBS_MORE, JOBS_PERCENT } how;
	int number; /* 0: as many as possible; JOBS_MORE: than workers; JOBS_PERCENT: of the workers
		     */
};

struct map_plan { /* zeroes ask for nothing */
	struct command_request request;
	char *const *words; /* the command */
	size_t word_count;
	bool shell;
	struct inputs inputs;
	bool link, zero_ended;
	unsigned max_args; /* values in a command; 0: one of each source */
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
