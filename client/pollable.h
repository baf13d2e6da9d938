/* pollable.h - the descriptor of plm_fd() and the thread behind the descriptor.
 * Blocks: pollable_close(), until the thread has ended. */
#ifndef PLM_POLLABLE_H
#define PLM_POLLABLE_H

#include "client/handle.h"

/* Ends the thread, if any. */
void pollable_close(struct plm *rt);

#endif
