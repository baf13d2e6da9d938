/* interrupt.h - Ctrl-C, a lost terminal (SIGHUP) or SIGTERM while plmctl waits for tasks that
 * end with plmctl. The first signal cancels the tasks, with a message, and plmctl waits until no
 * process of them runs any more. The second signal ends plmctl at once.
 * Who: one thread.
 * Death: of plmctl: the runtime cancels the tasks (PLM_TIED). */
#ifndef PLM_CLI_INTERRUPT_H
#define PLM_CLI_INTERRUPT_H

#include "cli/ctl_command.h"

/* From now on the first signal makes a wait of context->rt return -EINTR. Signals that were ignored
 * when plmctl started stay ignored. */
void interrupts_catch(struct context *context);
/* The signal that has come since interrupts_catch(); 0: none. */
int interrupt_signal(void);
/* The wait is over: a signal ends plmctl again. */
void interrupts_release(struct context *context);
/* After -EINTR: cancels the task and waits for its end. Returns the exit code, 128 + the signal. */
int interrupted(struct context *context, plm_ref ref);
/* Waits until no process of a cancelled task runs any more. */
void await_end(struct context *context, plm_ref ref);

#endif
