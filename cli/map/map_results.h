/* map_results.h - the outputs of the jobs of `plmctl map` as files (--results), where GNU parallel
 * puts them: DIR/1/VALUE/2/VALUE/stdout, and stderr and seq beside it.
 * Blocks: in the files. */
#ifndef PLM_CLI_MAP_RESULTS_H
#define PLM_CLI_MAP_RESULTS_H

#include "cli/map/map_job.h"
#include "cli/text.h"

/* path is a buffer to work in. 0, or -errno with a why. */
int results_write(const char *directory, const struct job *job, struct text *path);

#endif
