/* wait_futures.c - waiting until futures are settled: some, or all of them. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/wait.h"

struct settled_look {
	struct record *speaker;
	uint64_t ref;
};

/* A record in a later life settled long ago. */
static bool wait_is_settled(const struct record *speaker, uint64_t ref)
{
	uint64_t word = sh_load(&speaker->state);
	return word_generation(word) != ref_generation(ref) || word_settled(word);
}

/* Nothing of the task runs any more. The worker says so by the word; for a dead worker the
 * scheduler does, after the manager has sent SIGKILL to all that the worker had started. */
static bool wait_is_ended(const struct record *speaker, uint64_t ref)
{
	uint64_t word = sh_load(&speaker->state);
	return word_generation(word) != ref_generation(ref) || state_settled(word_state(word));
}

static bool wait_look_settled(struct plm *rt, struct record *speaker, uint64_t ref)
{
	if (wait_is_settled(speaker, ref))
		return true;
	if (!rt->help)
		return false;
	while (rt->help(rt->help_context, ref_index(ref)))
		if (wait_is_settled(speaker, ref))
			return true;
	return wait_is_settled(speaker, ref);
}

static uint32_t wait_look_one(struct plm *rt, void *context)
{
	const struct settled_look *look = context;
	return wait_look_settled(rt, look->speaker, look->ref)
	    ? AWAITING_NOTHING
	    : record_index(&rt->tables, look->speaker) + 1;
}

int wait_settled(struct plm *rt, struct record *speaker, uint64_t ref, uint64_t deadline_ns)
{
	struct settled_look look = { speaker, ref };
	return wait_for_tasks(rt, wait_look_one, &look, deadline_ns);
}

struct many_look {
	const plm_ref *refs;
	size_t n, want, have;
	uint8_t *ready; /* the caller's array, or ours */
	size_t last;    /* where to look first: the last task is mostly done last */
	bool ended;     /* a cancelled task counts only when nothing of it runs any more */
};

static bool wait_look_at(
    struct plm *rt, const struct many_look *look, struct record *speaker, uint64_t ref)
{
	return wait_look_settled(rt, speaker, ref) && (!look->ended || wait_is_ended(speaker, ref));
}

static uint64_t wait_speaker_ref(const struct plm *rt, plm_ref ref, struct record **ret)
{
	uint64_t word;
	int ignored;
	struct record *r = ref_resolve(rt, ref, &word, &ignored);
	*ret = r ? ref_speaker(rt, r, &word) : NULL;
	return r ? record_ref(record_index(&rt->tables, *ret), word_generation(word)) : 0;
}

/* If all are wanted, wait for the last missing future, so that one wake serves many. If fewer are
 * wanted, any settlement may be enough. */
static uint32_t wait_look_many(struct plm *rt, void *context)
{
	struct many_look *look = context;
	for (size_t k = look->n; k-- > 0 && look->have < look->want;) {
		size_t i = (look->last + k) % look->n;
		if (look->ready[i])
			continue;
		struct record *speaker;
		uint64_t ref = wait_speaker_ref(rt, look->refs[i], &speaker);
		if (ref == 0 || wait_look_at(rt, look, speaker, ref)) {
			look->ready[i] = 1;
			look->have++;
		} else if (look->want == look->n) {
			look->last = (i + 1) % look->n;
			return ref_index(ref) + 1;
		}
	}
	return look->have >= look->want ? AWAITING_NOTHING : AWAITING_ANY;
}

/* Only holders are woken, so take a hold on every future not held yet. */
static int wait_hold_strangers(
    struct plm *rt, const plm_ref *refs, size_t n, uint64_t deadline_ns, uint8_t *ret_held)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t word;
		int r = 0;
		if (!ref_resolve(rt, refs[i], &word, &r))
			return r;
		if (atomic_load_explicit(
			&rt->refs[ref_held_index(rt, refs[i])], memory_order_relaxed))
			continue;
		r = ref_hold_until(rt, refs[i], deadline_ns);
		if (r < 0)
			return r;
		ret_held[i] = 1;
	}
	return 0;
}

static int wait_many(struct plm *rt, struct many_look *look, int timeout_ms, uint8_t *held)
{
	uint64_t deadline_ns = timeout_ms == 0 ? 0 : deadline_after_ms(timeout_ms);
	int r = wait_hold_strangers(
	    rt, look->refs, look->n, handle_answer_deadline(rt, timeout_ms), held);
	if (r == 0)
		r = wait_for_tasks(rt, wait_look_many, look, deadline_ns);
	for (size_t i = 0; i < look->n; i++)
		if (held[i])
			plm_drop(rt, look->refs[i]);
	return r;
}

static int wait_until(struct plm *rt, struct many_look look, int timeout_ms, uint8_t *ready)
{
	const plm_ref *refs = look.refs;
	size_t n = look.n, want = look.want;
	int r = handle_check(rt);
	if (r < 0)
		return r;
	if (want > n)
		return why(-EINVAL, "waiting for %zu of %zu futures can never end", want, n);
	if (n == 0)
		return 0;
	uint8_t *marks = calloc(2, n); /* n marks: ready; n marks: held for the time of the call */
	if (!marks)
		return -ENOMEM;
	look.ready = marks;
	r = wait_many(rt, &look, timeout_ms, marks + n);
	/* The search ends when enough are found: look once at each of the rest for the caller. */
	if (ready && (r == 0 || r == -ETIMEDOUT)) {
		look.want = n;
		for (size_t i = 0; i < n; i++) {
			struct record *speaker;
			uint64_t ref = marks[i] ? 0 : wait_speaker_ref(rt, refs[i], &speaker);
			ready[i] = marks[i] || ref == 0 ||
			    (look.ended ? wait_is_ended : wait_is_settled)(speaker, ref);
		}
	}
	free(marks);
	return r == -ETIMEDOUT ? why(r, "after %d ms %zu of the %zu wanted futures were settled",
				     timeout_ms, look.have, want)
			       : r;
}

int plm_wait(plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready)
{
	const struct many_look look = { .refs = refs, .n = n, .want = want };
	unsigned said = why_count();
	if (n && !refs)
		return why(-EINVAL, "plm_wait: no futures are given");
	return handle_end(said, wait_until(rt, look, timeout_ms, ready));
}

int plm_wait_ended(
    plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready)
{
	const struct many_look look = { .refs = refs, .n = n, .want = want, .ended = true };
	unsigned said = why_count();
	if (n && !refs)
		return why(-EINVAL, "plm_wait_ended: no futures are given");
	return handle_end(said, wait_until(rt, look, timeout_ms, ready));
}
