#include "fleet/task_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/plm_inspect.h"

/* The head, then the texts, then for each argument a length and the bytes, or a mark in place of
 * the length and the id of a task. Numbers are little-endian, as on every machine that plm runs on.
 */
struct words_head {
	char magic[4];
	uint32_t results, flags, run_ms, grace_ms, nargs;
	uint32_t function_bytes, needs_bytes;
};
static const char magic[4] = { 'P', 'L', 'M', '1' };
#define ARG_TASK UINT32_MAX
#define ARG_ANY (UINT32_MAX - 1)
#define ARG_FAILED (UINT32_MAX - 2)

static const struct {
	uint32_t mark;
	enum engine_condition condition;
	size_t after; /* plm_arg.len */
} words_marks[] = {
	{ ARG_TASK, AFTER_DONE, 0 },
	{ ARG_ANY, AFTER_ANY, PLM_AFTER_ANY },
	{ ARG_FAILED, AFTER_FAILED, PLM_AFTER_FAILED },
};

/* ---- writing ---- */

static void words_put(struct task_words *w, const void *data, size_t n)
{
	if (w->bytes + n > w->room) {
		w->room = (w->bytes + n) * 2;
		w->data = realloc(w->data, w->room);
		CHECK(w->data);
	}
	if (n)
		memcpy(w->data + w->bytes, data, n);
	w->bytes += n;
}

/* A task that has to succeed and to fail: no end of it would let the new task start. */
static bool words_contradict(const struct task_words *w, const struct engine_after *new)
{
	for (size_t i = 0; i < w->afters; i++) {
		const struct engine_after *old = &w->after[i];
		bool same = engine_task_id(old->id) == engine_task_id(new->id);
		if (same && old->condition != AFTER_ANY && new->condition != AFTER_ANY &&
		    old->condition != new->condition)
			return true;
	}
	return false;
}

static int words_put_task(struct task_words *w, const struct engine *e, const plm_arg *arg)
{
	size_t kind = 0;
	struct engine_after after;
	while (kind < COUNT_OF(words_marks) && words_marks[kind].after != arg->len)
		kind++;
	if (kind == COUNT_OF(words_marks))
		return why(-EINVAL, "%zu is no enum plm_after", arg->len);
	after.condition = words_marks[kind].condition;
	int r = 0;
	if (w->paired && arg->future.id == PLM_PREVIOUS.id)
		after.id = ENGINE_PREVIOUS;
	else
		r = engine_id(e, arg->future, &after.id);
	if (r < 0)
		return r;
	if (w->afters == COUNT_OF(w->after))
		return why(-E2BIG, "a task of a fleet waits for %zu other tasks at most",
		    COUNT_OF(w->after));
	if (words_contradict(w, &after))
		return why(-EINVAL,
		    "the task waits for the success and for the failure of one and "
		    "the same task, so it could never start");
	w->after[w->afters++] = after;
	words_put(w, &words_marks[kind].mark, sizeof words_marks[kind].mark);
	words_put(w, &after.id, sizeof after.id);
	return 0;
}

static int words_judge(const plm_task *task)
{
	const plm_terms *terms = task->terms;
	if (terms && terms->replicas > 1)
		return why(-EINVAL, "a fleet runs no --replicas of a task");
	if (terms && terms->needs && strlen(terms->needs) >= ENGINE_NEEDS_MOST)
		return why(-E2BIG, "the needs of a task of a fleet have %d bytes at most",
		    ENGINE_NEEDS_MOST - 1);
	if (task->results > TASK_WORDS_RESULTS)
		return why(-E2BIG, "a task has %d results at most", TASK_WORDS_RESULTS);
	if (task->nargs > TASK_WORDS_ARGS)
		return why(-E2BIG, "a task of a fleet has %d arguments at most", TASK_WORDS_ARGS);
	return 0;
}

int task_words_write(struct task_words *w, const struct engine *e, const plm_task *task)
{
	static const plm_terms none;
	const plm_terms *terms = task->terms ? task->terms : &none;
	const char *needs = terms->needs ? terms->needs : "";
	struct words_head head = { .results = task->results,
		.run_ms = terms->run_ms,
		.grace_ms = terms->grace_ms,
		.nargs = (uint32_t)task->nargs,
		.function_bytes = (uint32_t)strlen(task->function),
		.needs_bytes = (uint32_t)strlen(needs) };
	int r = words_judge(task);
	memcpy(head.magic, magic, sizeof magic);
	w->bytes = w->afters = 0;
	w->paired = (task->flags & PLM_PAIRED) != 0;
	words_put(w, &head, sizeof head);
	words_put(w, task->function, head.function_bytes);
	words_put(w, needs, head.needs_bytes);
	for (size_t i = 0; i < task->nargs && r == 0; i++) {
		const plm_arg *arg = &task->args[i];
		uint32_t length = (uint32_t)arg->len;
		if (arg->future.id) {
			r = words_put_task(w, e, arg);
		} else if (arg->len >= ENGINE_VALUE_MOST) {
			r = -E2BIG;
		} else {
			words_put(w, &length, sizeof length);
			words_put(w, arg->data, arg->len);
		}
	}
	if (r == -E2BIG || (r == 0 && w->bytes > ENGINE_VALUE_MOST))
		return why(-E2BIG,
		    "the arguments of a task of a fleet have %d MiB at most: put the data where "
		    "every host can read it, and give its path",
		    ENGINE_VALUE_MOST >> 20);
	return r;
}

int task_words_prepare(
    struct task_words *w, const struct engine *e, const plm_task *task, struct engine_task *ret)
{
	static const plm_terms none;
	const plm_terms *terms = task->terms ? task->terms : &none;
	int r = task_words_write(w, e, task);
	if (r == 0)
		task_class_print(task->function, terms->needs ? terms->needs : "", w->class);
	*ret = (struct engine_task){ .words = w->data,
		.words_bytes = w->bytes,
		.priority = task->priority,
		.needs = w->class,
		.retries = task->retries,
		.crash_retries = task->crash_retries,
		.queue_ms = terms->queue_ms,
		.total_ms = terms->total_ms,
		.backoff_ms = terms->backoff_ms,
		.backoff_max_ms = terms->backoff_max_ms,
		.keep_ms = terms->keep_ms,
		.label = "",
		.title = "",
		.identity = { task->identity[0], task->identity[1] },
		.after = w->after,
		.afters = w->afters };
	return r;
}

void task_words_free(struct task_words *w)
{
	free(w->data);
	*w = (struct task_words){ .data = NULL };
}

/* ---- reading ---- */

struct words_rest {
	const char *at;
	size_t left;
};

static bool words_take(struct words_rest *rest, void *ret, size_t n)
{
	if (n > rest->left)
		return false;
	memcpy(ret, rest->at, n);
	rest->at += n;
	rest->left -= n;
	return true;
}

static bool words_take_text(struct words_rest *rest, char *ret, size_t n, size_t room)
{
	if (n >= room || !words_take(rest, ret, n))
		return false;
	ret[n] = 0;
	return strlen(ret) == n;
}

static bool words_take_arg(struct words_rest *rest, size_t i, struct task_read *ret)
{
	uint32_t length;
	if (!words_take(rest, &length, sizeof length))
		return false;
	size_t kind = 0;
	while (kind < COUNT_OF(words_marks) && words_marks[kind].mark != length)
		kind++;
	if (kind == COUNT_OF(words_marks)) {
		if (length > rest->left)
			return false;
		ret->arg[i] = PLM_BYTES(rest->at, length);
		rest->at += length;
		rest->left -= length;
		return true;
	}
	if (ret->afters == COUNT_OF(ret->after))
		return false;
	ret->after[ret->afters].arg = i;
	ret->after[ret->afters].condition = words_marks[kind].condition;
	ret->arg[i] = PLM_BYTES(NULL, 0);
	return words_take(rest, &ret->after[ret->afters++].id, sizeof(uint64_t));
}

int task_words_read(const void *data, size_t bytes, struct task_read *ret)
{
	struct words_rest rest = { data, bytes };
	struct words_head head;
	ret->afters = 0;
	bool good = words_take(&rest, &head, sizeof head) &&
	    memcmp(head.magic, magic, sizeof magic) == 0 && head.nargs <= TASK_WORDS_ARGS &&
	    head.results <= TASK_WORDS_RESULTS &&
	    words_take_text(&rest, ret->function, head.function_bytes, sizeof ret->function) &&
	    words_take_text(&rest, ret->needs, head.needs_bytes, sizeof ret->needs);
	for (size_t i = 0; i < head.nargs && good; i++)
		good = words_take_arg(&rest, i, ret);
	if (!good || rest.left)
		return why(-EBADMSG,
		    "the task was written by another version of plm, or is damaged: its %zu bytes "
		    "cannot be read",
		    bytes);
	ret->terms = (plm_terms){ .needs = ret->needs[0] ? ret->needs : NULL,
		.run_ms = head.run_ms,
		.grace_ms = head.grace_ms };
	ret->task = (plm_task){ .function = ret->function,
		.args = ret->arg,
		.nargs = head.nargs,
		.results = head.results,
		.flags = PLM_TIED,
		.terms = ret->needs[0] || head.run_ms || head.grace_ms ? &ret->terms : NULL };
	return 0;
}
