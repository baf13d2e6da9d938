/* submit.h - submission inside libplm: what retry.c, replicas.c and plmctl need beyond plm.h.
 * Blocks: as plm_submit() does. */
#ifndef PLM_SUBMIT_H
#define PLM_SUBMIT_H

#include "client/handle.h"

/* One task, with the terms of the given number instead of the task's own; second: NULL, or a task
 * with PLM_PAIRED. */
int submit_with(
    struct plm *rt, const plm_task *task, const plm_task *second, uint32_t terms, plm_ref *ret);

/* ---- replicas.c ---- */

/* A task whose terms ask for several replicas: a task for each replica, and a task to take the
 * first good result; `second` as above comes after that task. */
int submit_replicas(struct plm *rt, const plm_task *task, const plm_task *second, plm_ref *ret);

/* ---- task_terms.c ---- */

/* The number of the terms in the table of terms; 0 for NULL. With a rank: the terms of that
 * replica. -EINVAL with a why: malformed, or no worker can ever meet the needs. */
int terms_agree(struct plm *rt, const plm_terms *terms, uint32_t rank, uint32_t *ret);
/* The number of terms already judged. */
int terms_note(struct plm *rt, const struct terms *terms, uint32_t *ret);

#endif
