/* retry.c - a failed task submitted anew, as a new task with the same arguments. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/retry.h"
#include "client/submit.h"
#include "tables/args.h"

struct again {
	retry_instead_f *instead; /* NULL: take every argument unchanged */
	void *context;
	unsigned flags;
};

/* ---- the retries of a failed task ---- */

/* The task as which `task` was retried. 0: not retried, or not failed. */
static uint64_t retry_retried_as(const struct record *task, uint64_t word)
{
	return word_state(word) == RECORD_FAILED ? sh_load(&task->failure.again) : 0;
}

uint64_t retry_newest(const struct tables *t, uint64_t task)
{
	uint64_t word, next;
	for (uint32_t steps = 0; steps < t->limits.records; steps++, task = next) {
		const struct record *r = record_lookup(t, task, &word);
		next = r ? retry_retried_as(r, word) : 0;
		if (next == 0)
			break;
	}
	return task;
}

/* The result with the number `which` of a task. 0: none. */
static uint64_t retry_result_of(const struct tables *t, uint64_t task, uint32_t which)
{
	uint64_t word;
	const struct record *r = record_lookup(t, task, &word);
	uint32_t next = r ? r->first_part : 0;
	if (r && which == 0)
		return task;
	for (uint32_t i = 0; next && next <= t->limits.records && i < RESULTS_MAX; i++) {
		const struct record *part = record_at(t, next - 1);
		word = sh_load(&part->state);
		if (word_state(word) != RECORD_PART || part->part.task != task)
			return 0;
		if (part->part.which == which)
			return record_ref(next - 1, word_generation(word));
		next = part->part.next;
	}
	return 0;
}

/* Replaces a future whose task failed and was retried by the same result of the last retry. */
static int retry_replace_retried(struct plm *rt, size_t number, plm_ref *future)
{
	char old[PLM_REF_TEXT_BYTES], new[PLM_REF_TEXT_BYTES];
	uint64_t word;
	int error = 0;
	struct record *r = ref_resolve(rt, *future, &word, &error);
	if (!r)
		return error;
	uint32_t which = word_state(word) == RECORD_PART ? r->part.which : 0;
	uint64_t task = which ? r->part.task : future->id;
	uint64_t newest = retry_newest(&rt->tables, task);
	if (newest == task)
		return 0;
	plm_ref_print(*future, old);
	plm_ref_print(ref_public(rt, newest), new);
	*future = ref_public(rt, retry_result_of(&rt->tables, newest, which));
	return future->id
	    ? 0
	    : why(-ESTALE,
		  "argument %zu of the task, %s, was retried as %s, whose result is gone "
		  "(dropped, or over its time): submit the task anew",
		  number, old, new);
}

void retry_trace(struct plm *rt, uint64_t failed, uint64_t from, uint64_t to)
{
	uint64_t word;
	plm_ref ref = ref_public(rt, failed);
	if (ref_hold(rt, ref) < 0)
		return; /* the failed task is gone: nobody will ask for its retries */
	struct record *r = record_lookup(&rt->tables, failed, &word);
	if (r && word_state(word) == RECORD_FAILED)
		sh_cas(&r->failure.again, &from, to);
	plm_drop(rt, ref);
}

/* ---- the arguments of the failed task ---- */

/* Refuses a failed argument: the new task would only fail again. An argument retried in the same
 * call may have failed again meanwhile, and then the new task tells of that. */
static int retry_take_future(
    struct plm *rt, const struct again *again, size_t number, const struct arg *arg, plm_arg *ret)
{
	uint64_t ref = arg->future->ref;
	char text[PLM_REF_TEXT_BYTES];
	uint64_t word;
	plm_ref future = ref_public(rt, ref);
	if (again->instead)
		future = again->instead(again->context, future);
	bool retried_now = future.id != ref;
	int error = retry_replace_retried(rt, number, &future);
	struct record *r = error < 0 ? NULL : ref_resolve(rt, future, &word, &error);
	if (!r)
		return error;
	ref_speaker(rt, r, &word);
	plm_ref_print(future, text);
	if (word_settled(word) && word_state(word) != RECORD_DONE && !retried_now &&
	    arg->condition == ARG_VALUE)
		return why(-EINVAL,
		    "argument %zu of the task, %s, has %s: retry the argument first, or together "
		    "with the task",
		    number, text,
		    word_state(word) == RECORD_FAILED ? "failed too" : "been cancelled");
	*ret = PLM_AFTER(future, arg->condition);
	return 0;
}

/* Takes n arguments, as many as `ret` has room for. */
static int retry_take_arguments(
    struct plm *rt, const struct again *again, struct record *r, size_t n, plm_arg *ret)
{
	struct args_reader reader;
	struct arg arg;
	size_t i = 0;
	bool readable = args_open(&rt->tables, r, &reader);
	for (; readable && i < n && args_next(&reader, &arg); i++) {
		int error = 0;
		if (arg.future)
			error = retry_take_future(rt, again, i + 1, &arg, &ret[i]);
		else
			ret[i] = PLM_BYTES(arg.data, arg.length);
		if (error < 0)
			return error;
	}
	return i == n ? 0 : why(-EIO, "the arguments of the failed task are damaged");
}

/* The record is settled and we hold it, so nothing in the record changes any more. */
static int retry_submit_as(struct plm *rt, struct record *r, uint64_t word, const char *function,
    const struct again *again, plm_ref *ret)
{
	size_t n = sh_once(r->nargs);
	plm_arg *args = calloc(n + 1, sizeof *args);
	if (!args)
		return why(-ENOMEM, "no memory for %zu arguments", n);
	plm_task task = { .function = function,
		.args = args,
		.nargs = n,
		.results = r->results,
		.priority = key_priority(r->key),
		.retries = r->retries,
		.crash_retries = r->crash_retries,
		.flags = again->flags };
	record_identity(r, word, task.identity);
	int done = retry_take_arguments(rt, again, r, n, args);
	if (done == 0)
		done = submit_with(rt, &task, NULL, r->terms, ret);
	free(args);
	return done;
}

/* A future never fits into the record, so visible arguments have not been freed. */
static bool retry_has_arguments(const struct record *r)
{
	return r->nargs == 0 || sh_load(&r->args) || r->args_bytes <= RECORD_INLINE_ARGS;
}

static int retry_refuse(uint64_t word)
{
	if (word_state(word) == RECORD_FAILED)
		return why(-EINVAL,
		    "the task cannot be retried, because its arguments are gone: a task of "
		    "several replicas does not keep them, nor does a task that nobody held any "
		    "more");
	return why(-EINVAL, "the task is %s: only a task that failed can be retried",
	    record_state_name(word_state(word)));
}

static int retry_held(struct plm *rt, plm_ref failed, const struct again *again, plm_ref *ret)
{
	uint64_t word;
	int r = 0;
	struct function_entry function;
	struct record *record = ref_resolve(rt, failed, &word, &r);
	if (!record)
		return r;
	record = ref_speaker(rt, record, &word);
	if (!word_retriable(word) || record_wants_any(&rt->tables, record) ||
	    !retry_has_arguments(record))
		return retry_refuse(word);
	if (!registry_function(&rt->tables.registry, record->function, &function))
		return why(-EIO, "the record of this future is damaged");
	r = retry_submit_as(rt, record, word, function.name, again, ret);
	if (r == 0) /* programs waiting for the failed task may take the new task instead */
		sh_store(&record->failure.again, ret[0].id);
	return r;
}

int retry_with(struct plm *rt, plm_ref failed, unsigned flags, retry_instead_f *instead,
    void *context, plm_ref *ret)
{
	const struct again again = { .instead = instead, .context = context, .flags = flags };
	int r = handle_check(rt);
	if (r == 0)
		r = ref_hold(rt, failed);
	if (r < 0)
		return r;
	r = retry_held(rt, failed, &again, ret);
	plm_drop(rt, failed);
	return r;
}

int plm_retry(plm *rt, plm_ref failed, unsigned flags, plm_ref *ret)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_retry: no place for the reference");
	return handle_end(said, retry_with(rt, failed, flags, NULL, NULL, ret));
}
