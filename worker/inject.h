/* inject.h - a fault on purpose, in place of a function or before the function.
 * Where: the worker, in a claimed task.
 * Blocks: in a delay, until the delay is over or the task is cancelled; in a hang for ever.
 * Death: an injected crash is a real crash, and leaves what any dead worker leaves. */
#ifndef PLM_INJECT_H
#define PLM_INJECT_H

#include "spec/injection.h"
#include "worker/call.h"

/* Draws a fault for the attempt. 0: call the function; else the attempt has failed. */
int inject(const struct injection *injection, struct plm_call *call);

#endif
