/* retry.h - failed tasks submitted anew, and the traces of their retries.
 * Blocks: as plm_submit() does. */
#ifndef PLM_RETRY_H
#define PLM_RETRY_H

#include "client/handle.h"

/* The future to take in place of a future among the arguments: the same future, or a retry. */
typedef plm_ref retry_instead_f(void *context, plm_ref argument);
/* As plm_retry(). instead may be NULL. */
int retry_with(struct plm *rt, plm_ref failed, unsigned flags, retry_instead_f *instead,
    void *context, plm_ref *ret);
/* A failed task remembers the task of its retry, which may have failed and been retried in turn.
 * The last task of the chain; the task itself if not retried. */
uint64_t retry_newest(const struct tables *t, uint64_t task);
/* The failed task was retried as `from`, which is let go, and `from` as `to`: remember `to`. */
void retry_trace(struct plm *rt, uint64_t failed, uint64_t from, uint64_t to);

#endif
