/* look.h - the look of a command at its runtime (plm_inspect.h), opened once.
 * Who: the commands that read. Any thread may use the handle; one opens and closes it. */
#ifndef PLM_CLI_LOOK_H
#define PLM_CLI_LOOK_H

#include "cli/ctl_command.h"
#include "client/plm_inspect.h"

/* Connects, and opens context->in on that runtime. EXIT_FINE, or an exit code after a message. */
int look_open(struct context *context);
/* Before runtime_leave(): the next runtime of the name may be another one. */
void look_close(struct context *context);

#endif
