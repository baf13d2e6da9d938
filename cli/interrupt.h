/* interrupt.h - Ctrl-C, a lost terminal (SIGHUP) or SIGTERM while plmctl waits for tasks that end
 * with it. The first one cancels them, says so, and waits until nothing of them runs any more; the
 * second one ends plmctl at once.
 * Who: one thread.  Death: of plmctl: the runtime cancels the tasks (PLM_TIED). */
#ifndef PLM_CLI_INTERRUPT_H
#define PLM_CLI_INTERRUPT_H

#include "cli/ctl_command.h"

/* From now on the first signal makes a wait of context->rt return -EINTR. What plmctl was started
 * to ignore it still ignores. */
void interrupts_catch(struct context *context);
/* The wait is over: a signal ends plmctl again. */
void interrupts_release(struct context *context);
/* After -EINTR: cancels the task and waits for its end. The exit code, 128 + the signal. */
int interrupted(struct context *context, plm_ref ref);
/* Until nothing of it runs any more; nobody asks for the task any more, and it was cancelled. */
void await_end(struct context *context, plm_ref ref);

#endif
