/* map_pipe_options.h - the options of `plmctl map` for --pipe and --pipepart. */
#ifndef PLM_CLI_MAP_PIPE_OPTIONS_H
#define PLM_CLI_MAP_PIPE_OPTIONS_H

#include "cli/map/map_run.h"

/* The target is a struct map_plan. */
extern const struct option_row map_pipe_rows[];

/* Takes the files of :::: over, and refuses contradictions: a usage error. */
void map_pipe_settle(const struct context *context, struct map_plan *plan);

#endif
