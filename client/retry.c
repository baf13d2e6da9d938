/* retry.c - a dead task once more: a new task with all that the dead one was submitted with. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/handle.h"
#include "tables/args.h"

/* A settled record that we hold: nothing of it changes any more. */
static int submit_as(struct plm *rt, struct record *r, uint64_t word, const char *function,
    unsigned flags, plm_ref *ret)
{
	struct args_reader reader;
	struct arg arg;
	plm_arg *args = calloc(r->nargs + (size_t)1, sizeof *args);
	if (!args)
		return why(-ENOMEM, "no memory for %u arguments", r->nargs);
	bool readable = args_open(&rt->tables, r, &reader);
	size_t n = 0;
	while (readable && n < r->nargs && args_next(&reader, &arg))
		args[n++] = arg.future ? PLM_FUTURE(ref_public(rt, arg.future->ref))
				       : PLM_BYTES(arg.data, arg.length);
	plm_task task = { .function = function, .args = args, .nargs = n, .results = r->results,
		.priority = key_priority(r->key), .retries = r->retries,
		.crash_retries = r->crash_retries, .flags = flags };
	record_identity(r, word, task.identity);
	int done = n == r->nargs ? submit_with(rt, &task, r->terms, ret)
				 : why(-EIO, "the arguments of the dead task are damaged");
	free(args);
	return done;
}

static int retry_held(struct plm *rt, plm_ref dead, unsigned flags, plm_ref *ret)
{
	uint64_t word;
	int r = 0;
	struct function_entry function;
	struct record *record = ref_resolve(rt, dead, &word, &r);
	if (!record)
		return r;
	record = ref_speaker(rt, record, &word);
	if (!word_dead(word))
		return why(-EINVAL, "it is %s, not dead: only a task that failed again and again, "
		    "until no retry was left, can be retried", record_state_name(word_state(word)));
	if (!registry_function(&rt->tables.registry, record->function, &function))
		return why(-EIO, "the record of this future is damaged");
	return submit_as(rt, record, word, function.name, flags, ret);
}

int plm_retry(plm *rt, plm_ref dead, unsigned flags, plm_ref *ret)
{
	int r = handle_check(rt);
	if (r == 0)
		r = ref_hold(rt, dead);
	if (r < 0)
		return r;
	r = retry_held(rt, dead, flags, ret);
	plm_drop(rt, dead);
	return r;
}
