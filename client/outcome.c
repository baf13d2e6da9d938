/* outcome.c - what became of a task: cancel it, or ask why it failed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "client/handle.h"

/* One try: 0 done, -EALREADY settled, -EAGAIN the word moved (*word is the new one). */
static int cancel_once(struct plm *rt, struct record *r, uint64_t *word, enum hint_kind *ret_hint)
{
	enum record_state state = word_state(*word);
	*ret_hint = state == RECORD_RUNNING ? HINT_CANCEL : HINT_SETTLED;
	int done = record_cancel(r, word, rt->self);
	if (done == -EALREADY && state == RECORD_RESERVED)
		return why(-EINVAL, "an object that is not sealed cannot be cancelled; drop it");
	return done == -EALREADY ? why(done, "it is %s already", record_state_name(state)) : done;
}

int plm_cancel(plm *rt, plm_ref ref, int flags)
{
	int r = handle_check(rt);
	if (r == 0 && flags < 0)
		r = why(-EINVAL, "plm_cancel: %d is no time of grace", flags);
	uint64_t word;
	struct record *record = r < 0 ? NULL : ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	struct record *task = ref_speaker(rt, record, &word);
	uint32_t generation = word_generation(word);
	enum hint_kind kind = HINT_NONE;
	do
		r = word_generation(word) == generation ? cancel_once(rt, task, &word, &kind)
							: -ESTALE;
	while (r == -EAGAIN);
	if (r < 0)
		return r;
	uint32_t index = record_index(&rt->tables, task);
	wake_holders(&rt->tables, index); /* who waits for it need not wait for its worker */
	uint64_t hint = hint_make(kind, record_ref(index, generation));
	sh_store(&rt->me->grace, (uint32_t)flags);
	return handle_tell(rt, &hint, 1);
}

static void describe(struct plm *rt, const struct record *r, plm_failure *ret)
{
	struct function_entry function;
	uint64_t length;
	*ret = (plm_failure){ .code = r->failure.code, .signal = r->failure.signal,
		.task = ref_public(rt, r->failure.root) };
	if (registry_function(&rt->tables.registry, r->failure.root_function, &function))
		snprintf(ret->function, sizeof ret->function, "%s", function.name);
	/* A message has its own extent; without one there is none, the inline bytes are the
	 * failure. */
	const void *message = sh_load(&r->value) ? record_value(&rt->tables, r, &length) : NULL;
	if (message)
		snprintf(ret->message, sizeof ret->message, "%.*s",
		    length < sizeof ret->message ? (int)length : (int)sizeof ret->message - 1,
		    (const char *)message);
}

int plm_error(plm *rt, plm_ref ref, plm_failure *ret)
{
	int r = handle_check(rt);
	uint64_t word;
	struct record *record = r < 0 ? NULL : ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	record = ref_speaker(rt, record, &word);
	if (!word_settled(word))
		return why(-EAGAIN, "it is still %s", record_state_name(word_state(word)));
	if (word_state(word) == RECORD_DONE)
		return why(-EINVAL, "it did not fail");
	if (word_state(word) == RECORD_FAILED) {
		describe(rt, record, ret);
		return 0;
	}
	*ret = (plm_failure){.code = PLM_ECANCELLED,
	    .message = "the task was cancelled",
	    .task = ref_public(
		rt, record_ref(record_index(&rt->tables, record), word_generation(word)))};
	struct function_entry function;
	if (registry_function(&rt->tables.registry, record->function, &function))
		snprintf(ret->function, sizeof ret->function, "%s", function.name);
	return 0;
}

const char *plm_strerror(int error)
{
	static const struct { int code; const char *text; } meanings[] = {
		{ PLM_EFAILED, "the task failed" },
		{ PLM_ECANCELLED, "the task was cancelled" },
		{ ETIMEDOUT, "time ran out" },
		{ ENOSPC, "the store or the table of futures is full" },
		{ E2BIG, "too large or too many" },
		{ ENOENT, "no such runtime or function" },
		{ ESTALE, "no such future any more" },
		{ EXDEV, "the future belongs to another runtime" },
		{ ECHILD, "the handle belongs to the parent process: connect again after fork" },
		{ EHOSTDOWN, "the runtime is gone" },
		{ ESHUTDOWN, "the runtime is being stopped" },
		{ EPROTO, "the runtime is of another version or damaged" },
		{ EALREADY, "settled already" },
		{ EAGAIN, "not settled yet" },
		{ ENOTRECOVERABLE, "the runtime is damaged beyond recovery: restart it" },
	};
	int code = error < 0 ? -error : error;
	for (size_t i = 0; i < COUNT_OF(meanings); i++)
		if (meanings[i].code == code)
			return meanings[i].text;
	return strerror(code);
}

const char *plm_why(void)
{
	return why_text();
}
