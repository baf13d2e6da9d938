/* outcome.c - cancels a task, returns a task to the queue, tells why a task failed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/handle.h"
#include "events/eventlog.h"
#include "tables/grace.h"

/* The task never starts again: the event names the attempt that does not come. */
static void outcome_note_cancelled(struct plm *rt, struct logged_event e)
{
	if (!eventlog_on(&rt->tables))
		return;
	e.time_ns = clock_ns();
	eventlog_put(&rt->tables, e);
}

/* A single try. 0: done; -EALREADY: settled; -EAGAIN: the word moved, *word is the new word. */
static int outcome_cancel_once(
    struct plm *rt, struct record *r, uint64_t *word, enum hint_kind *ret_hint)
{
	enum record_state state = word_state(*word);
	*ret_hint = state == RECORD_RUNNING ? HINT_CANCEL : HINT_SETTLED;
	struct logged_event e = eventlog_of_task(EVENT_CANCELLED, 0, r,
	    record_ref(record_index(&rt->tables, r), word_generation(*word)));
	e.attempt = word_attempt(*word) + 1;
	int done = record_cancel(r, word, rt->self);
	if (done == 0 && state != RECORD_RUNNING)
		outcome_note_cancelled(rt, e);
	if (done == -EALREADY && state == RECORD_RESERVED)
		return why(-EINVAL,
		    "an object that is not sealed cannot be cancelled: drop the reference");
	return done == -EALREADY ? why(done, "the task is %s already", record_state_name(state))
				 : done;
}

static int outcome_return_once(
    struct plm *rt, struct record *r, uint64_t *word, enum hint_kind *ret_hint)
{
	(void)rt;
	enum record_state state = word_state(*word);
	*ret_hint = state == RECORD_RUNNING ? HINT_CANCEL : HINT_NONE;
	int done = record_return(r, word);
	if (done == -EALREADY && state == RECORD_RUNNING)
		return why(
		    done, "the task is being ended already: it was cancelled, or a limit is over");
	if (done == -EALREADY)
		return why(done, "the task is %s already", record_state_name(state));
	if (done == -EOVERFLOW)
		return why(done,
		    "the task was returned to the queue %u times, and plm cannot count more "
		    "attempts: cancel the task and submit it anew",
		    record_returns(r));
	if (done == -EINVAL)
		return why(
		    done, "the reference names an object, not a task: an object cannot be queued");
	return done;
}

typedef int ask_f(struct plm *rt, struct record *r, uint64_t *word, enum hint_kind *ret_hint);

/* Tries until the word stays as judged. Returns the task, and the hint for the scheduler. */
static int outcome_ask(
    struct plm *rt, plm_ref ref, int grace_ms, ask_f *once, uint32_t *ret_index, uint64_t *ret_hint)
{
	uint64_t word;
	enum hint_kind kind = HINT_NONE;
	int r = handle_check(rt);
	if (r == 0 && grace_ms < PLM_GRACE_OF_TASK)
		r = why(-EINVAL,
		    "a grace of %d ms is not possible: give milliseconds from 0 on, or "
		    "PLM_GRACE_OF_TASK",
		    grace_ms);
	struct record *record = r < 0 ? NULL : ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	struct record *task = ref_speaker(rt, record, &word);
	uint32_t generation = word_generation(word);
	*ret_index = record_index(&rt->tables, task);
	do {
		if (word_state(word) == RECORD_RUNNING)
			grace_name(&rt->tables, *ret_index, word, grace_ms);
		r = word_generation(word) == generation
		    ? once(rt, task, &word, &kind)
		    : why(-ESTALE, "no such future any more: the reference was dropped");
	} while (r == -EAGAIN);
	*ret_hint = hint_make(kind, record_ref(*ret_index, generation));
	return r;
}

static int outcome_tell(struct plm *rt, uint64_t hint)
{
	return hint_kind(hint) == HINT_NONE ? 0 : handle_tell(rt, &hint, 1);
}

static int outcome_cancel(plm *rt, plm_ref ref, int grace_ms)
{
	uint32_t index;
	uint64_t hint;
	int r = outcome_ask(rt, ref, grace_ms, outcome_cancel_once, &index, &hint);
	if (r < 0)
		return r;
	wake_holders(
	    &rt->tables, index); /* clients waiting for the task need not wait for the worker */
	return outcome_tell(rt, hint);
}

int plm_cancel(plm *rt, plm_ref ref, int grace_ms)
{
	unsigned said = why_count();
	return handle_end(said, outcome_cancel(rt, ref, grace_ms));
}

static int outcome_requeue(plm *rt, plm_ref ref, int grace_ms)
{
	uint32_t index;
	uint64_t hint;
	int r = outcome_ask(rt, ref, grace_ms, outcome_return_once, &index, &hint);
	return r < 0 ? r : outcome_tell(rt, hint);
}

int plm_requeue(plm *rt, plm_ref ref, int grace_ms)
{
	unsigned said = why_count();
	return handle_end(said, outcome_requeue(rt, ref, grace_ms));
}

static void outcome_describe(struct plm *rt, const struct record *r, plm_failure *ret)
{
	struct function_entry function;
	uint64_t length;
	*ret = (plm_failure){ .code = r->failure.code,
		.signal = r->failure.signal,
		.task = ref_public(rt, r->failure.root) };
	if (registry_function(&rt->tables.registry, r->failure.root_function, &function))
		snprintf(ret->function, sizeof ret->function, "%s", function.name);
	const char *message = failure_message(&rt->tables, r, &length);
	if (message)
		snprintf(ret->message, sizeof ret->message, "%.*s",
		    length < sizeof ret->message ? (int)length : (int)sizeof ret->message - 1,
		    message);
}

static int outcome_read_failure(plm *rt, plm_ref ref, plm_failure *ret)
{
	int r = handle_check(rt);
	uint64_t word;
	struct record *record = r < 0 ? NULL : ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	record = ref_speaker(rt, record, &word);
	if (!word_settled(word))
		return why(-EAGAIN, "the task is still %s", record_state_name(word_state(word)));
	if (word_state(word) == RECORD_DONE)
		return why(-EINVAL, "the task did not fail");
	if (word_state(word) == RECORD_FAILED) {
		outcome_describe(rt, record, ret);
		return 0;
	}
	*ret = (plm_failure){ .code = PLM_ECANCELLED,
		.message = "the task was cancelled",
		.task = ref_public(
		    rt, record_ref(record_index(&rt->tables, record), word_generation(word))) };
	struct function_entry function;
	if (registry_function(&rt->tables.registry, record->function, &function))
		snprintf(ret->function, sizeof ret->function, "%s", function.name);
	return 0;
}

int plm_error(plm *rt, plm_ref ref, plm_failure *ret)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_error: no place for the failure");
	return handle_end(said, outcome_read_failure(rt, ref, ret));
}

/* The hold of the view keeps the record, with its text. */
static int outcome_detail(struct plm *rt, plm_ref ref, plm_view *ret)
{
	int r = handle_check(rt);
	if (r == 0)
		r = ref_hold(rt, ref);
	if (r < 0)
		return r;
	uint64_t word;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	record = record ? ref_speaker(rt, record, &word) : NULL;
	*ret = (plm_view){ .ref = ref };
	if (record && word_state(word) == RECORD_FAILED) {
		uint64_t bytes;
		ret->data = failure_detail(&rt->tables, record, &bytes);
		ret->len = bytes;
		return 0;
	}
	*ret = (plm_view){ 0 };
	if (record)
		r = word_settled(word)
		    ? why(-EINVAL, "the task did not fail")
		    : why(-EAGAIN, "the task is still %s", record_state_name(word_state(word)));
	plm_drop(rt, ref);
	return r;
}

int plm_failure_detail(plm *rt, plm_ref ref, plm_view *ret)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_failure_detail: no place for the detail");
	return handle_end(said, outcome_detail(rt, ref, ret));
}
