/* inject.h - a fault on purpose, in the place of a function or before it.
 * Where: the worker, in a task it has claimed.
 * Blocks: as long as the delay is, or until the task is cancelled; in a hang for ever.
 * Death: a crash is a real one; what it leaves is what any dead worker leaves. */
#ifndef PLM_INJECT_H
#define PLM_INJECT_H

#include "spec/injection.h"
#include "worker/call.h"

/* What the draw for this run says. 0: the function is to be called; else the call has failed. */
int inject(const struct injection *injection, struct plm_call *call);

#endif
