/* replicas.c - one task run by several workers at once: a task for each replica, and a taker, which
 * waits for the first good result and takes it.
 *
 * The taker is a task like any task, with the replicas as arguments, except for one rule: the taker
 * is ready when any replica is done, and fails when the last replica has failed (tables/edges.h).
 * When the taker is settled, the scheduler cancels the remaining replicas.
 * Death: of the client between two of the submissions: the tasks submitted so far run and are
 * freed, since nobody holds them. */
#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/why.h"
#include "client/submit.h"

static int replicas_submit_ranks(
    struct plm *rt, const plm_task *task, plm_ref *ret, unsigned *ret_n)
{
	plm_task one = *task;
	one.flags = task->flags & PLM_TIED;
	one.identity[0] = one.identity[1] =
	    0; /* the identity is the taker's: the work is done when the taker is done */
	for (unsigned *n = ret_n; *n < task->terms->replicas; ++*n) {
		uint32_t number;
		int r = terms_agree(rt, task->terms, *n + 1, &number);
		if (r == 0)
			r = submit_with(rt, &one, NULL, number, &ret[*n]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The worker of the taker may die at any time: the result stays, to be taken again. */
static int replicas_submit_taker(struct plm *rt, const plm_task *task, const plm_task *second,
    const plm_ref *ranks, plm_ref *ret)
{
	plm_arg args[REPLICAS_MAX];
	struct terms terms = { .replicas = task->terms->replicas };
	uint32_t number;
	for (unsigned i = 0; i < task->terms->replicas; i++)
		args[i] = PLM_FUTURE(ranks[i]);
	plm_task taker = { .function = task->function,
		.args = args,
		.nargs = task->terms->replicas,
		.priority = task->priority,
		.crash_retries = RETRIES_MAX - 1,
		.flags = task->flags,
		.identity = { task->identity[0], task->identity[1] } };
	int r = terms_note(rt, &terms, &number);
	return r < 0 ? r : submit_with(rt, &taker, second, number, ret);
}

/* Cancelling may leave another sentence: keep the reason why the submission failed. */
static int replicas_take_back(struct plm *rt, const plm_ref *ranks, unsigned n, int error)
{
	char text[WHY_TEXT_BYTES];
	snprintf(text, sizeof text, "%s", why_text());
	for (unsigned i = 0; i < n; i++)
		plm_cancel(rt, ranks[i], PLM_GRACE_OF_TASK);
	return why(error, "%s", text);
}

int submit_replicas(struct plm *rt, const plm_task *task, const plm_task *second, plm_ref *ret)
{
	plm_ref rank[REPLICAS_MAX];
	unsigned n = 0;
	if (task->results > 1)
		return why(-EINVAL, "%s: a task of %u results cannot have replicas", task->function,
		    task->results);
	int r = replicas_submit_ranks(rt, task, rank, &n);
	if (r == 0)
		r = replicas_submit_taker(rt, task, second, rank, ret);
	if (r < 0)
		r = replicas_take_back(rt, rank, n, r);
	plm_drop_many(rt, rank, n);
	return r;
}
