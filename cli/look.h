/* look.h - the handle of plm_inspect.h on the runtime of a command, opened once.
 * Who: the reading commands. Any thread may use context->in; the main thread opens and closes the
 * handle. */
#ifndef PLM_CLI_LOOK_H
#define PLM_CLI_LOOK_H

#include "cli/ctl_command.h"
#include "client/plm_inspect.h"

/* Connects, and opens context->in. EXIT_FINE, or an exit code after a message. */
int look_open(struct context *context);
/* Call before runtime_leave(): the next runtime of the name may be a new boot. */
void look_close(struct context *context);

#endif
