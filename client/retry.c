/* retry.c - a failed task once more: a new task with all that the failed one was submitted with. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/handle.h"
#include "tables/args.h"

struct again {
	retry_instead_f *instead; /* NULL: every argument as it was */
	void *context;
	unsigned flags;
};

/* One that failed itself would only make it fail again. */
static int take_future(struct plm *rt, const struct again *again, size_t number, uint64_t ref,
    plm_arg *ret)
{
	char text[PLM_REF_TEXT_BYTES];
	uint64_t word;
	int error = 0;
	plm_ref future = ref_public(rt, ref);
	if (again->instead)
		future = again->instead(again->context, future);
	struct record *r = ref_resolve(rt, future, &word, &error);
	if (!r)
		return error;
	ref_speaker(rt, r, &word);
	plm_ref_print(future, text);
	if (word_settled(word) && word_state(word) != RECORD_DONE)
		return why(-EINVAL, "its argument %zu, %s, has %s: that one has to be retried "
		    "first, or with it", number, text,
		    word_state(word) == RECORD_FAILED ? "failed, too" : "been cancelled");
	*ret = PLM_FUTURE(future);
	return 0;
}

/* As many as there is room for: n. */
static int take_arguments(struct plm *rt, const struct again *again, struct record *r, size_t n,
    plm_arg *ret)
{
	struct args_reader reader;
	struct arg arg;
	size_t i = 0;
	bool readable = args_open(&rt->tables, r, &reader);
	for (; readable && i < n && args_next(&reader, &arg); i++) {
		int error = 0;
		if (arg.future)
			error = take_future(rt, again, i + 1, arg.future->ref, &ret[i]);
		else
			ret[i] = PLM_BYTES(arg.data, arg.length);
		if (error < 0)
			return error;
	}
	return i == n ? 0 : why(-EIO, "the arguments of the failed task are damaged");
}

/* A settled record that we hold: nothing of it changes any more. */
static int submit_as(struct plm *rt, struct record *r, uint64_t word, const char *function,
    const struct again *again, plm_ref *ret)
{
	size_t n = sh_once(r->nargs);
	plm_arg *args = calloc(n + 1, sizeof *args);
	if (!args)
		return why(-ENOMEM, "no memory for %zu arguments", n);
	plm_task task = { .function = function, .args = args, .nargs = n,
		.results = r->results, .priority = key_priority(r->key), .retries = r->retries,
		.crash_retries = r->crash_retries, .flags = again->flags };
	record_identity(r, word, task.identity);
	int done = take_arguments(rt, again, r, n, args);
	if (done == 0)
		done = submit_with(rt, &task, r->terms, ret);
	free(args);
	return done;
}

/* A future never fits into the record: what is there has not been freed. */
static bool has_arguments(const struct record *r)
{
	return r->nargs == 0 || sh_load(&r->args) || r->args_bytes <= RECORD_INLINE_ARGS;
}

static int refuse(uint64_t word)
{
	if (word_state(word) == RECORD_FAILED)
		return why(-EINVAL, "it cannot be retried: what it was submitted with is gone; a "
		    "task of several replicas, or one that nobody held any more, does not keep it");
	return why(-EINVAL, "it is %s: only a task that failed can be retried",
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
	if (!word_dead(word) || record_wants_any(&rt->tables, record) || !has_arguments(record))
		return refuse(word);
	if (!registry_function(&rt->tables.registry, record->function, &function))
		return why(-EIO, "the record of this future is damaged");
	return submit_as(rt, record, word, function.name, again, ret);
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
