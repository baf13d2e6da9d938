/* library_wait.c - waiting for tasks, and what became of them. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "fleet/far.h"
#include "fleet/library/library.h"

enum { AGAIN_MS = 50 };

/* ---- waiting ---- */

/* Sleeps until some task has ended. 0, -ETIMEDOUT or -EXDEV. Under `hearing`. */
static int wait_sleep(struct plm_fleet *f, uint64_t deadline_ns)
{
	if (f->broken)
		return why(f->broken, "the queue was replaced by another one, or is lost");
	if (deadline_ns == DEADLINE_NEVER) {
		pthread_cond_wait(&f->ended, &f->hearing);
		return 0;
	}
	const struct timespec until = clock_timespec(deadline_ns);
	return pthread_cond_timedwait(&f->ended, &f->hearing, &until) == ETIMEDOUT
	    ? why(-ETIMEDOUT, "time ran out")
	    : 0;
}

struct waited {
	const uint64_t *ids;
	uint32_t *open; /* indices of tasks that have not ended */
	size_t left;
	uint8_t *ready; /* NULL allowed */
};

static void wait_look(struct plm_fleet *f, struct waited *w)
{
	size_t left = 0;
	for (size_t i = 0; i < w->left; i++) {
		const struct held *h = library_find(f, w->ids[w->open[i]]);
		if (h && h->state == HELD_OPEN)
			w->open[left++] = w->open[i];
		else if (w->ready)
			w->ready[w->open[i]] = 1;
	}
	w->left = left;
}

/* All tasks are held meanwhile. A look at all of them is made when the first one has ended: the
 * usual wait for all passes each task once. */
static int wait_for(
    struct plm_fleet *f, struct waited *w, size_t n, size_t want, uint64_t deadline_ns)
{
	int r = 0;
	pthread_mutex_lock(&f->hearing);
	wait_look(f, w);
	while (n - w->left < want && r == 0) {
		r = wait_sleep(f, deadline_ns);
		const struct held *h = library_find(f, w->ids[w->open[0]]);
		if (r < 0 || want < n || !h || h->state != HELD_OPEN)
			wait_look(f, w);
	}
	pthread_mutex_unlock(&f->hearing);
	return n - w->left >= want ? 0 : r;
}

int plm_fleet_wait(
    plm_fleet *f, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	int r = library_mine(f);
	if (r == 0 && ((n && !refs) || want > n || n > UINT32_MAX))
		r = why(-EINVAL, "a wait for %zu of %zu tasks", want, n);
	uint64_t *ids = r == 0 ? calloc(n + 1, sizeof *ids) : NULL;
	struct waited w = { ids, r == 0 ? calloc(n + 1, sizeof *w.open) : NULL, n, ready };
	size_t held = 0;
	if (r == 0 && (!ids || !w.open))
		r = why(-ENOMEM, "out of memory");
	for (size_t i = 0; i < n && r == 0; i++) {
		w.open[i] = (uint32_t)i;
		r = library_task(f, refs[i], &ids[i]);
		if (r == 0)
			r = library_hold(f, ids[i]);
		held += r == 0;
	}
	if (ready && n)
		memset(ready, 0, n);
	if (r == 0 && want)
		r = wait_for(f, &w, n, want, deadline_ns);
	else if (r == 0)
		r = wait_for(f, &w, n, 0, 0);
	for (size_t i = 0; i < held; i++)
		library_drop(f, ids[i]);
	free(ids);
	free(w.open);
	return r;
}

int plm_fleet_wait_all(plm_fleet *f, int timeout_ms)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	int r = library_mine(f);
	if (r < 0)
		return r;
	pthread_mutex_lock(&f->hearing);
	while (f->pending && r == 0)
		r = wait_sleep(f, deadline_ns);
	pthread_mutex_unlock(&f->hearing);
	return r;
}

int plm_fleet_fd(plm_fleet *f)
{
	int r = library_mine(f);
	return r < 0 ? r : f->bell;
}

/* ---- outcomes ---- */

static int wait_state(struct plm_fleet *f, uint64_t id)
{
	int state = -1;
	pthread_mutex_lock(&f->hearing);
	const struct held *h = library_find(f, id);
	if (h)
		state = h->state;
	if (f->broken && (!h || h->state == HELD_OPEN))
		state = -2;
	pthread_mutex_unlock(&f->hearing);
	return state;
}

static int wait_outcome_of(int state)
{
	switch (state) {
	case ENGINE_DONE: return 0;
	case ENGINE_FAILED: return -PLM_EFAILED;
	case ENGINE_CANCELLED: return -PLM_ECANCELLED;
	case HELD_GONE: return -ESTALE;
	default: return -EAGAIN;
	}
}

int plm_fleet_outcome(plm_fleet *f, plm_ref ref)
{
	uint64_t id;
	int r = library_mine(f);
	if (r == 0)
		r = library_task(f, ref, &id);
	if (r < 0)
		return r;
	int state = wait_state(f, id);
	if (state == -2)
		return why(-EXDEV, "the queue was replaced by another one, or is lost");
	if (state >= 0)
		return wait_outcome_of(state);
	r = library_hold(f, id);
	if (r < 0)
		return r;
	r = wait_outcome_of(wait_state(f, id));
	library_drop(f, id);
	return r;
}

/* ---- results ---- */

struct fetched {
	uint64_t id;
	struct engine_result result;
	void *memory;
};

static int wait_fetch(struct engine *e, void *argument)
{
	struct fetched *got = argument;
	int r = engine_result(e, got->id, &got->result);
	got->memory = r == 0 ? engine_reply_take(e) : NULL;
	return r;
}

static int wait_failed(const struct fetched *got)
{
	if (got->result.state == ENGINE_CANCELLED)
		return why(-PLM_ECANCELLED, "the task was cancelled");
	return why(-PLM_EFAILED, "the task failed: %.400s", got->result.message);
}

struct placed {
	uint64_t id;
	const struct engine_far *far;
	struct carry_order *order;
};

static int wait_place_verb(struct engine *e, void *argument)
{
	const struct placed *p = argument;
	return engine_place(e, p->far, p->order);
}

static int wait_remake_verb(struct engine *e, void *argument)
{
	const struct placed *p = argument;
	return engine_remake(e, p->id, p->far);
}

static int wait_place(void *fleet, const struct engine_far *far, struct carry_order *ret)
{
	return library_ask(fleet, wait_place_verb, &(struct placed){ 0, far, ret }, 0);
}

static int wait_remake(void *fleet, uint64_t id, const struct engine_far *far)
{
	return library_ask(fleet, wait_remake_verb, &(struct placed){ id, far, NULL }, 0);
}

/* -EAGAIN: the value is made again, which the table does not know. */
static int wait_fetch_far(struct plm_fleet *f, const struct fetched *got, plm_fleet_value *ret)
{
	const struct engine_far far = got->result.far;
	const struct far_ways ways = { wait_place, wait_remake, f };
	void *memory = malloc(far.bytes);
	int r = memory
	    ? far_fetch(&ways, got->id, &far, memory)
	    : why(-ENOMEM, "no memory for a value of %llu bytes", (unsigned long long)far.bytes);
	if (r < 0)
		free(memory);
	else
		*ret = (plm_fleet_value){ memory, far.bytes, NULL, 1 };
	return r;
}

/* Looks at a task whose value is made again, until its end. */
static int wait_made_again(struct plm_fleet *f, struct fetched *got, uint64_t deadline_ns)
{
	int r;
	for (;;) {
		r = library_ask(f, wait_fetch, got, deadline_ns);
		if (r < 0 || engine_settled(got->result.state))
			return r;
		engine_reply_free(got->memory);
		if (clock_ns() >= deadline_ns)
			return why(-ETIMEDOUT, "time ran out while the value was made again");
		poll(NULL, 0, AGAIN_MS);
	}
}

static int wait_value(
    struct plm_fleet *f, struct fetched *got, plm_fleet_value *ret, uint64_t deadline_ns)
{
	int r;
	do {
		r = wait_made_again(f, got, deadline_ns);
		if (r == 0 && got->result.state != ENGINE_DONE)
			r = wait_failed(got);
		else if (r == 0 && got->result.far.ref.id)
			r = wait_fetch_far(f, got, ret);
		else if (r == 0) {
			*ret = (plm_fleet_value){ got->result.value, got->result.value_bytes,
				got->memory, 0 };
			return 0;
		}
		engine_reply_free(got->memory);
		got->memory = NULL;
	} while (r == -EAGAIN);
	return r;
}

/* The news of the end brought the value: the engine need not be asked. */
static bool wait_told(struct plm_fleet *f, uint64_t id, plm_fleet_value *ret)
{
	size_t bytes = 0;
	if (engine_part_of(id))
		return false;
	pthread_mutex_lock(&f->hearing);
	void *value = library_take(f, id, &bytes);
	pthread_mutex_unlock(&f->hearing);
	if (value)
		*ret = (plm_fleet_value){ value, bytes, NULL, 1 };
	return value != NULL;
}

int plm_fleet_get(plm_fleet *f, plm_ref ref, plm_fleet_value *ret, int timeout_ms)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	struct fetched got = { .id = 0 };
	if (!ret)
		return why(-EINVAL, "plm_fleet_get: no place for the value");
	int r = plm_fleet_wait(f, &ref, 1, 1, timeout_ms, NULL);
	if (r == 0)
		r = library_value(f, ref, &got.id);
	if (r == 0 && !wait_told(f, got.id, ret))
		r = wait_value(f, &got, ret, deadline_ns);
	return r == -ENOENT ? why(-ESTALE, "the fleet has no such task any more") : r;
}

void plm_fleet_release(plm_fleet_value *value)
{
	if (!value)
		return;
	engine_reply_free(value->memory);
	if (value->fetched)
		free((void *)(uintptr_t)value->data);
	*value = (plm_fleet_value){ .data = NULL };
}

int plm_fleet_error(plm_fleet *f, plm_ref ref, plm_failure *ret, plm_fleet_value *detail)
{
	struct fetched got = { .id = 0 };
	int r = library_mine(f);
	if (r == 0)
		r = library_task(f, ref, &got.id);
	if (r == 0)
		r = library_ask(f, wait_fetch, &got, 0);
	if (r < 0)
		return r == -ENOENT ? why(-ESTALE, "the fleet has no such task any more") : r;
	bool cancelled = got.result.state == ENGINE_CANCELLED;
	if (!engine_settled(got.result.state))
		r = -EAGAIN;
	else if (got.result.state == ENGINE_DONE || !ret)
		r = why(-EINVAL, "the task did not fail");
	if (r == 0) {
		*ret = (plm_failure){ .code = cancelled ? PLM_ECANCELLED : got.result.code,
			.signal = got.result.signal,
			.task = ref };
		snprintf(ret->message, sizeof ret->message, "%s",
		    cancelled ? "the task was cancelled" : got.result.message);
	}
	if (r == 0 && detail)
		*detail =
		    (plm_fleet_value){ got.result.value, got.result.value_bytes, got.memory, 0 };
	else
		engine_reply_free(got.memory);
	return r;
}
