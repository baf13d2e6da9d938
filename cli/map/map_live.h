/* map_live.h - the output of jobs of `plmctl map` while they run, whole lines at a time (--line).
 * Read as `plmctl logs --follow` reads it: nobody tells us that a command has written. */
#ifndef PLM_CLI_MAP_LIVE_H
#define PLM_CLI_MAP_LIVE_H

#include "cli/map/map_output.h"

enum { LIVE_LOOK_MS = 50 };

/* Shows the lines that it has written since the last look. EXIT_FINE, or an exit code after a
 * message. */
int live_look(struct context *context, struct map_output *o, struct job *job);

#endif
