/* map_live.h - shows the output of running jobs of `plmctl map`, whole lines at a time (--line).
 * map looks for new output now and then, like `plmctl logs --follow`, because a command that writes
 * sends no event. */
#ifndef PLM_CLI_MAP_LIVE_H
#define PLM_CLI_MAP_LIVE_H

#include "cli/map/map_output.h"

enum { LIVE_LOOK_MS = 50 };

/* Shows the lines written since the last look. EXIT_FINE, or an exit code after a message. */
int live_look(struct context *context, struct map_output *o, struct job *job);

#endif
