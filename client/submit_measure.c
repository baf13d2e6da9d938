#include "client/submit_measure.h"

#include <errno.h>

#include "base/why.h"
#include "tables/args.h"

enum { ARGS_ALIGNMENT = 8 };

int submit_check_results(const plm_task *task)
{
	if (task->results <= RESULTS_MAX)
		return 0;
	return why(-E2BIG, "%s: %u results, at most %d are possible",
	    task->function ? task->function : "a task", task->results, RESULTS_MAX);
}

static int submit_measure_numbers(const plm_task *task)
{
	if (task->nargs > ARGS_MAX)
		return why(-E2BIG, "%s: %zu arguments, at most %d are possible", task->function,
		    task->nargs, ARGS_MAX);
	if (task->priority < PRIORITY_MIN || task->priority > PRIORITY_MAX)
		return why(-EINVAL, "%s: priority %d is not within %d to %d", task->function,
		    task->priority, PRIORITY_MIN, PRIORITY_MAX);
	/* Each start counts one attempt, and the state word holds eight bits of attempts. */
	if (task->retries + (uint64_t)task->crash_retries >= RETRIES_MAX)
		return why(-EINVAL, "%s: %u and %u retries, together fewer than %d are possible",
		    task->function, task->retries, task->crash_retries, RETRIES_MAX);
	if (task->flags & ~(unsigned)(PLM_KEEP | PLM_TIED | PLM_PAIRED))
		return why(-EINVAL, "%s: unknown flags %#x", task->function, task->flags);
	if (task->reserved)
		return why(
		    -EINVAL, "%s: the reserved field of plm_task must be zero", task->function);
	return submit_check_results(task);
}

static int submit_measure_arg(struct plm *rt, const plm_task *task, size_t i, struct submission *s)
{
	const plm_arg *arg = &task->args[i];
	if (arg->future.id) {
		uint64_t word;
		int r = 0;
		if (arg->len >= ARG_CONDITIONS)
			return why(-EINVAL, "%s: argument %zu is a future with the length %zu",
			    task->function, i + 1, arg->len);
		if (!ref_resolve(rt, arg->future, &word, &r))
			return r;
		s->futures++;
		s->args_bytes += sizeof(struct arg_future);
		return 0;
	}
	if (arg->len > ARG_BYTES_MAX)
		return why(-E2BIG,
		    "%s: argument %zu has %zu bytes; over %llu pass a future (plm_put)",
		    task->function, i + 1, arg->len, (unsigned long long)ARG_BYTES_MAX);
	if (arg->len && !arg->data)
		return why(
		    -EINVAL, "%s: argument %zu has a length but no bytes", task->function, i + 1);
	s->args_bytes += args_round(arg->len);
	return 0;
}

int submit_measure(struct plm *rt, const plm_task *task, struct submission *s)
{
	int r = submit_measure_numbers(task);
	s->task = task;
	s->results = submit_results_of(task);
	s->futures = 0;
	s->args_bytes = args_header_bytes((uint32_t)task->nargs);
	for (size_t i = 0; r == 0 && i < task->nargs; i++)
		r = submit_measure_arg(rt, task, i, s);
	if (r == 0 && s->args_bytes > UINT32_MAX)
		r = why(-E2BIG,
		    "%s: %llu bytes of arguments, at most %u are possible; pass futures "
		    "(plm_put)",
		    task->function, (unsigned long long)s->args_bytes, UINT32_MAX);
	/* The record has room for short arguments or for an identity: with an identity, arguments
	 * go to the store. */
	if ((task->identity[0] || task->identity[1]) && s->args_bytes <= RECORD_INLINE_ARGS)
		s->args_bytes = RECORD_INLINE_ARGS + ARGS_ALIGNMENT;
	return r;
}
