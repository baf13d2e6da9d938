/* durable.h - waiting until the journal has tasks on the disk.
 * Blocks: until a group of the journal is written, or a deadline. */
#ifndef PLM_DURABLE_H
#define PLM_DURABLE_H

#include "client/handle.h"

/* In a runtime with promised durability (--durability sync): waits until each task to be kept is on
 * the disk. -ENOSPC, -EIO, -ETIMEDOUT...: tasks not on the disk are cancelled. */
int durable_await(struct plm *rt, const plm_task *tasks, size_t n, const plm_ref *refs);
/* Waits until the journal has written all that is visible of durable tasks now. 0, also without a
 * journal; -ETIMEDOUT with a why. */
int durable_flush(struct plm *rt, int timeout_ms);

#endif
