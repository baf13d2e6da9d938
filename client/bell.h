/* bell.h - the descriptor of plm_fd() and the thread behind the descriptor.
 * Blocks: bell_close(), until the thread has ended. */
#ifndef PLM_BELL_H
#define PLM_BELL_H

#include "client/handle.h"

/* Ends the thread, if any. */
void bell_close(struct plm *rt);

#endif
