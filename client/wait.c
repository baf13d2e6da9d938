/* wait.c - the one wait loop of a client (event.h has the contract), and what is built on it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/standard.h"
#include "base/why.h"
#include "client/handle.h"
#include "tables/spin.h"

struct spin_look { /* wait_look_f as spin_until() wants it */
	struct plm *rt;
	wait_look_f *look;
	void *context;
};

static bool wait_spin_ready(void *context)
{
	const struct spin_look *s = context;
	return s->look(s->rt, s->context) == AWAITING_NOTHING;
}

/* ---- the cells of our slot ---- */

static int wait_cell_join(struct plm *rt)
{
	int cell = 0;
	pthread_mutex_lock(&rt->waiters_mutex);
	for (int i = 1; i < WAITERS && rt->waiters[cell] > 0; i++)
		if (rt->waiters[i] < rt->waiters[cell])
			cell = i;
	rt->waiters[cell]++;
	pthread_mutex_unlock(&rt->waiters_mutex);
	return cell;
}

/* Two threads in one cell are woken by every settlement: one word cannot name both. */
static void wait_cell_announce(struct plm *rt, int cell, uint32_t target)
{
	pthread_mutex_lock(&rt->waiters_mutex);
	sh_poke(&rt->me->waiter[cell].awaiting, rt->waiters[cell] > 1 ? AWAITING_ANY : target,
	    "awaiting, announced");
	pthread_mutex_unlock(&rt->waiters_mutex);
}

static void wait_cell_leave(struct plm *rt, int cell)
{
	pthread_mutex_lock(&rt->waiters_mutex);
	rt->waiters[cell]--;
	sh_poke(&rt->me->waiter[cell].awaiting, rt->waiters[cell] ? AWAITING_ANY : AWAITING_NOTHING,
	    "awaiting, left");
	pthread_mutex_unlock(&rt->waiters_mutex);
}

static void wait_sleep_once(
    struct plm *rt, struct event *event, uint32_t seen, uint64_t deadline_ns)
{
	if (rt->blocked)
		rt->blocked(rt->help_context, true);
	process_set_awake(&rt->tables, rt->self, false);
	event_sleep(event, seen, deadline_ns);
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
	if (rt->blocked) {
		process_set_awake(&rt->tables, rt->self, true);
		rt->blocked(rt->help_context, false);
	}
}

/* ---- a task that waits, as the scheduler sees it ---- */

/* After it was announced for what it waits. */
static void wait_goes_on(struct plm *rt, uint64_t since_ns)
{
	if (rt->help)
		sh_store(&rt->me->waiting_ns, since_ns, "waiting_ns, begun");
}

/* Who stands in for us is to make way. */
static void wait_ends(struct plm *rt)
{
	if (!rt->help || sh_peek(&rt->me->waiting_ns) == 0)
		return;
	sh_store(&rt->me->waiting_ns, 0, "waiting_ns, ended");
	if (tables_relieved(&rt->tables, rt->self))
		tell_scheduler(&rt->tables, rt->self, NULL, 0, true);
}

static int wait_park(
    struct plm *rt, int cell, wait_look_f *look, void *context, uint64_t deadline_ns)
{
	struct event *event = &rt->me->waiter[cell].event;
	uint64_t since_ns = clock_ns();
	for (;;) {
		uint32_t target = look(rt, context);
		if (target == AWAITING_NOTHING)
			return 0;
		wait_cell_announce(rt, cell, target);
		wait_goes_on(rt, since_ns);
		uint32_t seen = event_prepare(event);
		uint32_t again = look(rt, context);
		if (again == AWAITING_NOTHING)
			return 0;
		int r = handle_runtime_gone(rt);
		if (r == 0 && atomic_load_explicit(&rt->interrupted, memory_order_relaxed))
			r = why(-EINTR, "a signal interrupted the wait");
		if (r == 0 && rt->cancelled && rt->cancelled(rt->help_context))
			r = why(-PLM_ECANCELLED, "the task that waits was cancelled");
		if (r == 0 && rt->deadlocked && target != AWAITING_ANY &&
		    rt->deadlocked(rt->help_context, target - 1))
			r = why(-EDEADLK,
			    "a task waits for itself, or for what cannot be settled "
			    "before it ends: it would wait for ever");
		if (r == 0)
			r = nested_refused(rt);
		if (r < 0)
			return r;
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (again == target)
			wait_sleep_once(rt, event, seen, deadline_ns);
	}
}

int wait_for(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns)
{
	if (look(rt, context) == AWAITING_NOTHING)
		return 0;
	if (deadline_ns == 0 || clock_ns() >= deadline_ns)
		return -ETIMEDOUT;
	struct spin_look spin = { rt, look, context };
	process_set_awake(&rt->tables, rt->self, true);
	int r = 0;
	if (!spin_until(&rt->tables, wait_spin_ready, &spin)) {
		int cell = wait_cell_join(rt);
		nested_wait_begin(rt);
		r = wait_park(rt, cell, look, context, deadline_ns);
		nested_wait_end(rt);
		wait_ends(rt);
		wait_cell_leave(rt, cell);
	}
	if (!rt->help)
		process_set_awake(&rt->tables, rt->self, false);
	return r;
}

bool wait_for_room(struct plm *rt, uint64_t deadline_ns, unsigned *tries)
{
	enum { MOMENT_MS = 10, TRIES_MAX = 64 };
	struct control *c = rt->tables.control;
	uint64_t moment = clock_ns() + MOMENT_MS * NS_PER_MS;
	if ((deadline_ns == 0 && *tries == TRIES_MAX) ||
	    (deadline_ns && clock_ns() >= deadline_ns) || handle_runtime_gone(rt) < 0)
		return false;
	uint32_t seen = event_prepare(&c->room);
	sh_store(&c->room_wanted, ROOM_ASKED);
	process_post(&rt->tables, SLOT_SCHEDULER);
	nested_wait_begin(rt); /* it may take the end of a task that finds no slot */
	/* What was freed just before we asked is found by the caller's next try: no long sleep. */
	event_sleep(&c->room, seen, deadline_ns && deadline_ns < moment ? deadline_ns : moment);
	nested_wait_end(rt);
	/* Kept results leave some at a time: as long as there were some there may be more. */
	bool none = sh_load(&c->room_wanted) == ROOM_NONE && sh_load(&c->room.word) == seen;
	*tries = none ? TRIES_MAX : *tries + 1;
	sh_poke(&rt->me->beat_ns, clock_coarse_ns());
	return true;
}

/* ---- futures ---- */

struct settled_look {
	struct record *speaker;
	uint64_t ref;
};

/* A record whose slot has moved on has settled long ago. */
static bool wait_is_settled(const struct record *speaker, uint64_t ref)
{
	uint64_t word = sh_load(&speaker->state);
	return word_generation(word) != ref_generation(ref) || word_settled(word);
}

/* Nothing of it runs any more: its worker says so by the word; or the scheduler does, once the
 * manager has sent SIGKILL to what a dead worker had started. */
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
	return wait_for(rt, wait_look_one, &look, deadline_ns);
}

struct many_look {
	const plm_ref *refs;
	size_t n, want, have;
	uint8_t *ready; /* the caller's, or ours */
	size_t last;    /* where to look first: the last one is done last, most of the time */
	bool ended;     /* a cancelled one counts only when nothing of it runs any more */
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

/* All are wanted: wait for one that is missing, from the back, so that one wake serves many. Fewer
 * are: any settlement may be the one. */
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

/* Only holders are woken: take a hold on what we do not have one of yet. */
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
		r = wait_for(rt, wait_look_many, look, deadline_ns);
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
	uint8_t *marks = calloc(2, n); /* which are ready; which we hold for the time of the call */
	if (!marks)
		return -ENOMEM;
	look.ready = marks;
	r = wait_many(rt, &look, timeout_ms, marks + n);
	/* Those not looked at, because enough were found, are looked at once for the caller. */
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

void handle_interrupt(struct plm *rt)
{
	atomic_store_explicit(&rt->interrupted, true, memory_order_relaxed);
	process_post_all(&rt->tables, rt->self);
}

/* ---- plm_fd: for who sleeps in poll() ---- */

/* The event counts; each movement of it becomes a readable descriptor. We register for the next
 * movement before we ring for the last one: what settles while the user looks rings again. */
static void *wait_bell_run(void *context)
{
	struct plm *rt = context;
	uint32_t rung = 0;
	int cell = wait_cell_join(rt);
	struct event *event = &rt->me->waiter[cell].event;
	while (!atomic_load(&rt->bell_stop) && handle_runtime_gone(rt) == 0) {
		wait_cell_announce(rt, cell, AWAITING_ANY);
		uint32_t seen = event_prepare(event);
		if (seen != rung)
			eventfd_write(rt->bell_fd, 1);
		rung = seen;
		event_sleep(event, seen, DEADLINE_NEVER);
	}
	eventfd_write(rt->bell_fd, 1); /* the end of the runtime is news, too */
	wait_cell_leave(rt, cell);
	return NULL;
}

static int wait_bell_open(struct plm *rt)
{
	int fd = standard_avoid(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (fd < 0)
		return why(-errno, "eventfd for plm_fd() failed");
	rt->bell_fd = fd;
	int r = pthread_create(&rt->bell_thread, NULL, wait_bell_run, rt);
	if (r == 0)
		return 0;
	close(fd);
	rt->bell_fd = -1;
	return why(-r, "starting the thread behind plm_fd() failed");
}

static int wait_open_fd(plm *rt)
{
	int r = handle_check(rt);
	if (r < 0)
		return r;
	pthread_mutex_lock(&rt->bell_mutex);
	if (rt->bell_fd < 0)
		r = wait_bell_open(rt);
	pthread_mutex_unlock(&rt->bell_mutex);
	return r < 0 ? r : rt->bell_fd;
}

int plm_fd(plm *rt)
{
	unsigned said = why_count();
	return handle_end(said, wait_open_fd(rt));
}

void bell_close(struct plm *rt)
{
	if (rt->bell_fd < 0)
		return;
	atomic_store(&rt->bell_stop, true);
	process_bump(&rt->tables, rt->self);
	pthread_join(rt->bell_thread, NULL);
	close(rt->bell_fd);
	rt->bell_fd = -1;
}
