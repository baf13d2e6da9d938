/* map_run.h - one command for each of many inputs: the options, and the loop.
 *
 * map reads inputs as jobs need them, submits jobs as workers can take them, and writes outputs as
 * jobs end. So a million inputs take no more memory than a few thousand. With --keep-order ended
 * jobs may wait behind a slow job; when they fill a quarter of the runtime's tables, map starts no
 * more jobs until the slow job has ended. */
#ifndef PLM_CLI_MAP_RUN_H
#define PLM_CLI_MAP_RUN_H

#include "cli/arguments.h"
#include "cli/command_request.h"
#include "cli/map/map_feed.h"
#include "cli/map/map_halt.h"
#include "cli/map/map_joblog.h"
#include "cli/map/map_output.h"
#include "cli/map/map_pace.h"
#include "cli/map/map_pipe.h"
#include "cli/map/map_room.h"
#include "cli/map/map_sources.h"

struct map_jobs { /* at once */
	enum { JOBS_NUMBER, JOBS_MORE, JOBS_PERCENT } how;
	int number; /* 0: as many as possible; JOBS_MORE: than workers; JOBS_PERCENT: of the workers
		     */
};

struct map_plan { /* zeroes ask for nothing */
	struct command_request request;
	struct template_plan template; /* the command, and its replacement strings */
	bool shell;                    /* --shell, with the program or NULL: */
	const char *shell_program;
	bool quote; /* the words are executed, whatever they are */
	struct inputs inputs;
	struct values_plan values;
	struct feed_plan feed;
	struct ending delimiter;
	char *delimiter_bytes;
	bool link, counted;
	bool context, no_context; /* -X or -N; -m or --xargs: is text around {} repeated? */
	bool context_counted;     /* -N */
	const char *header;
	struct pipe_plan pipe;
	struct map_jobs jobs;
	bool private, keep_order, dry_run, tag, bar;
	bool dry_robin; /* --dry-run of --round-robin: a job gets many blocks, but is shown once */
	enum live live;
	enum echo echo;
	const char *tag_text; /* --tagstring */
	bool files;
	struct halt halt;
	const char *joblog, *results, *tmpdir;
	enum resume resume;
	uint32_t delay_ms;
	uint64_t total; /* --total-jobs; 0: as many as there are inputs */
	struct pace pace;
	struct room room;
	int nice;
	char *slot_variable; /* NAME=0: tags.place_from_zero */
};

/* The exit code of plmctl. */
int map_run(struct context *context, struct map_plan *plan);

#endif
