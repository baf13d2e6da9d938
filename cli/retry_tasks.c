#include "cli/retry_tasks.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/look.h"
#include "cli/result.h"

struct telling {
	struct context *context;
	bool named; /* the user named each task, so each must be there */
	int worst;
};

static int retry_tasks_tell(void *context, plm_ref failed_one, plm_ref again, int error)
{
	struct telling *telling = context;
	char text[PLM_REF_TEXT_BYTES];
	if (error == 0) {
		print_reference(telling->context, again);
	} else if (telling->named || error != -ESTALE) {
		plm_ref_print(failed_one, text);
		telling->worst = failed(error, text);
	}
	return telling->worst == EXIT_NO_RUNTIME || telling->worst == EXIT_FULL;
}

/* Tasks may have changed since the selection: keeps those which the filter still lets pass. */
static size_t retry_tasks_still_failed(struct context *context, const struct selection *selection,
    const struct task_filter *filter, plm_ref *ret)
{
	static plm_task_row row;
	size_t n = 0;
	bool looks = !selection->named && look_open(context) == EXIT_FINE;
	for (size_t i = 0; i < selection->n; i++) {
		plm_ref ref = selection->ref[i];
		if (selection->named ||
		    (looks && filter_task(context->in, ref, filter, false, &row)))
			ret[n++] = ref;
	}
	return n;
}

int retry_tasks(
    struct context *context, const struct selection *selection, const struct task_filter *filter)
{
	struct telling telling = { .context = context, .named = selection->named };
	plm_ref *refs = calloc(selection->n + 1, sizeof *refs);
	if (!refs)
		return failed(-ENOMEM, "choosing tasks");
	size_t n = retry_tasks_still_failed(context, selection, filter, refs);
	int done = plm_retry_many(context->rt, refs, n, retry_tasks_tell, &telling);
	free(refs);
	if (done < 0)
		return failed(done, "retry");
	if (done > 0)
		plm_sync(context->rt); /* lists made from now on omit retried tasks */
	if (!selection->named && !context->json && !context->quiet)
		fprintf(
		    stderr, "plmctl: %d %s submitted anew\n", done, done == 1 ? "task" : "tasks");
	return telling.worst;
}
