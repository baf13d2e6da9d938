/* task_limits.c - time that is over: limits of tasks, pauses before retries, tasks that do not
 * stop.
 *
 * A private heap holds each such task by the time of its next look. The record then decides, so a
 * stale entry costs one look, and a new scheduler fills the heap from the records. No task is
 * looked at before its time.
 *
 * A running task is ended in steps. First comes the flag in its word, read by plm_cancelled(). From
 * half of the grace on come interrupts, so that blocking system calls return; a worker asleep for a
 * command gets the first at once. At the end of the grace the worker is killed. The interrupt is
 * repeated, because an interrupt just before a blocking call has no effect. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "scheduler/graph.h"
#include "tables/grace.h"

enum { GRACE_STEPS = 8, INTERRUPTS_FROM = GRACE_STEPS - GRACE_INTERRUPTS };

/* ---- the heap ---- */

static size_t limits_stops_bytes(const struct scheduler *s)
{
	return (size_t)s->t->limits.records * sizeof s->limits.stops[0];
}

/* Untouched pages cost nothing, however large the table. */
static void *limits_map_private(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

int limits_open(struct scheduler *s)
{
	uint32_t records = s->t->limits.records;
	void *memory = limits_map_private(heap_bytes(records));
	s->limits.stops = limits_map_private(limits_stops_bytes(s));
	if (!memory || !s->limits.stops)
		return why(-ENOMEM, "no memory for the timers of %u tasks", records);
	heap_create(memory, records);
	heap_attach(&s->limits.timers, memory, records, RANK_TASK_HEAP, NULL, NULL);
	return 0;
}

void limits_close(struct scheduler *s)
{
	munmap(s->limits.timers.shm, heap_bytes(s->t->limits.records));
	munmap(s->limits.stops, limits_stops_bytes(s));
}

/* Larger keys come first. */
static uint64_t limits_key_of(uint64_t due_ns)
{
	return ~due_ns;
}

/* Even a private heap wants its lock held; nobody else ever waits for it. */
static void limits_set_timer(struct scheduler *s, uint32_t index, uint64_t due_ns)
{
	if (due_ns == DEADLINE_NEVER && heap_length(&s->limits.timers) == 0)
		return;
	scheduler_lock_heap(&s->limits.timers);
	if (due_ns == DEADLINE_NEVER)
		heap_remove(&s->limits.timers, index);
	else
		heap_update(&s->limits.timers, index, limits_key_of(due_ns));
	heap_unlock(&s->limits.timers);
}

uint64_t limits_next_ns(struct scheduler *s)
{
	struct heap_entry first;
	if (heap_length(&s->limits.timers) == 0)
		return DEADLINE_NEVER;
	scheduler_lock_heap(&s->limits.timers);
	uint64_t due_ns =
	    heap_peek(&s->limits.timers, &first) ? limits_key_of(first.key) : DEADLINE_NEVER;
	heap_unlock(&s->limits.timers);
	return due_ns;
}

void limits_forget(struct scheduler *s, uint32_t index)
{
	limits_set_timer(s, index, DEADLINE_NEVER);
}

/* ---- tasks asked to stop ---- */

static bool limits_is_stopping(uint64_t word)
{
	return word_state(word) == RECORD_RUNNING && word_flags(word) & FLAGS_STOPPING &&
	    word_owner(word) != SLOT_SCHEDULER;
}

static uint64_t limits_step_ns(const struct stop *stop, uint32_t step)
{
	return stop->asked_ns + stop->grace_ms * NS_PER_MS * step / GRACE_STEPS;
}

/* The notes on this attempt; without any, the stop begins now. */
static struct stop *limits_stop_of(struct scheduler *s, uint32_t index, uint64_t word)
{
	struct stop *stop = &s->limits.stops[index];
	if (stop->generation != word_generation(word) || stop->attempt != word_attempt(word))
		*stop = (struct stop){ .asked_ns = clock_ns(),
			.grace_ms = grace_of(s->t, index, word),
			.generation = word_generation(word),
			.attempt = word_attempt(word) };
	return stop;
}

static uint64_t limits_stop_due(struct scheduler *s, uint32_t index, uint64_t word)
{
	struct stop *stop = limits_stop_of(s, index, word);
	uint32_t step = INTERRUPTS_FROM + stop->interrupts;
	return step > GRACE_STEPS ? DEADLINE_NEVER : limits_step_ns(stop, step);
}

static void limits_go_on_stopping(struct scheduler *s, uint32_t index, uint64_t word)
{
	struct stop *stop = limits_stop_of(s, index, word);
	uint32_t owner = word_owner(word);
	if (owner >= s->t->limits.processes || clock_ns() < limits_stop_due(s, index, word))
		return;
	if (clock_ns() < limits_step_ns(stop, GRACE_STEPS)) {
		stop->interrupts++;
		scheduler_signal(s, owner, PROCESS_INTERRUPT);
		return;
	}
	stop->interrupts = GRACE_STEPS; /* nothing more can be done */
	const struct process *p = &s->t->process[owner];
	log_warn_about(ABOUT(ABOUT_WORKER(p->worker), ABOUT_PROCESS_SLOT(owner), ABOUT_PID(p->pid)),
	    "worker %u (process slot %u, pid %d) runs on with a task that was asked to stop "
	    "%u ms ago: killed, to be replaced",
	    p->worker, owner, p->pid, stop->grace_ms);
	scheduler_signal(s, owner, SIGKILL);
}

void limits_stop(struct scheduler *s, uint32_t index, const uint32_t *grace_ms)
{
	uint64_t word = sh_load(&record_at(s->t, index)->state);
	if (!limits_is_stopping(word))
		return;
	struct stop *stop = limits_stop_of(s, index, word);
	if (grace_ms)
		stop->grace_ms = *grace_ms;
	limits_look(s, index);
	uint32_t owner = word_owner(word);
	if (owner >= s->t->limits.processes)
		return;
	process_post_all(s->t, owner); /* the worker may sleep in a wait */
	if (sh_load(&s->t->process[owner].alert))
		scheduler_signal(s, owner, PROCESS_INTERRUPT);
}

/* ---- limits ---- */

void limits_fail(struct scheduler *s, uint32_t index, uint64_t word, enum limit limit)
{
	char message[192];
	struct record *r = record_at(s->t, index);
	struct record_failure failure = { .code = ETIMEDOUT,
		.root_function = r->function,
		.root = record_ref(index, word_generation(word)) };
	due_describe(s->t, r, word, limit, message, sizeof message);
	graph_fail(s, index, &failure, FLAG_RETRIABLE, message);
}

/* If the scheduler dies in between, the next makes the task READY again, and finds the time over.
 */
static void limits_end_waiting(struct scheduler *s, uint32_t index, uint64_t word, enum limit limit)
{
	struct record *r = record_at(s->t, index);
	uint64_t seen = word;
	if (word_state(word) == RECORD_READY) {
		if (!record_step(r, &seen, RECORD_RUNNING, SLOT_SCHEDULER, word_attempt(word), 0))
			return; /* a worker or a client was first */
		ready_remove(s, index);
	}
	limits_fail(s, index, word, limit);
}

static void limits_end_running(struct scheduler *s, uint32_t index, uint64_t word)
{
	struct record *r = record_at(s->t, index);
	if (word_owner(word) != SLOT_SCHEDULER &&
	    record_step(r, &word, RECORD_RUNNING, word_owner(word), word_attempt(word),
		word_flags(word) | FLAG_LATE))
		limits_stop(s, index, NULL);
}

/* Excluded: records without a task, tasks still being written, and tasks being ended by the
 * scheduler, or marked so in a damaged segment. */
static bool limits_apply(const struct scheduler *s, uint64_t word)
{
	enum record_state state = word_state(word);
	if (state == RECORD_RUNNING)
		return word_owner(word) != SLOT_SCHEDULER &&
		    word_owner(word) < s->t->limits.processes;
	return state == RECORD_WAITING || state == RECORD_READY;
}

void limits_look(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state), due_ns;
	enum limit limit;
	if (!limits_apply(s, word)) {
		limits_forget(s, index);
		return;
	}
	if (limits_is_stopping(word)) {
		limits_set_timer(s, index, limits_stop_due(s, index, word));
		return;
	}
	due_ns = due_limit(s->t, r, word, &limit);
	if (r->terms && due_is_resting(s->t, r, word) && due_backoff(s->t, r, word) < due_ns)
		due_ns = due_backoff(s->t, r, word);
	if (word_state(word) == RECORD_READY && pressure_keeps(s, r) &&
	    pressure_keeps(s, r) < due_ns)
		due_ns = pressure_keeps(s, r);
	limits_set_timer(s, index, due_ns);
}

static void limits_enforce_one(struct scheduler *s, uint32_t index)
{
	const struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	enum limit limit;
	if (limits_is_stopping(word))
		limits_go_on_stopping(s, index, word);
	else if (due_limit(s->t, r, word, &limit) <= clock_ns() &&
	    word_state(word) == RECORD_RUNNING)
		limits_end_running(s, index, word);
	else if (due_limit(s->t, r, word, &limit) <= clock_ns())
		limits_end_waiting(s, index, word, limit);
	else if (word_state(word) == RECORD_READY)
		ready_add(s, index); /* the pause is over */
	limits_look(s, index);
}

static bool limits_take_due(struct scheduler *s, uint32_t *ret)
{
	struct heap_entry first;
	if (limits_next_ns(s) == DEADLINE_NEVER || clock_ns() < limits_next_ns(s))
		return false;
	scheduler_lock_heap(&s->limits.timers);
	bool taken = heap_pop(&s->limits.timers, &first);
	heap_unlock(&s->limits.timers);
	*ret = first.id;
	return taken;
}

uint32_t limits_enforce(struct scheduler *s)
{
	uint32_t index, n = 0;
	while (limits_take_due(s, &index)) {
		limits_enforce_one(s, index);
		n++;
	}
	return n;
}
