/* task_log.c - what the scheduler writes into the event log about tasks.
 *
 * The end of an attempt whose worker died goes into the ring of the dead (events/unended.h), in the
 * order in which the attempts of a process nest: so ends are noted while records are repaired, and
 * written afterwards. If the scheduler dies in between, the next one finds the same attempts open,
 * and their records tell how they ended. */
#include "base/clock.h"
#include "scheduler/ground.h"

static struct unended_attempt *task_log_find(struct scheduler *s, uint64_t ref, uint32_t attempt)
{
	for (uint32_t i = 0; i < s->unended.n; i++) {
		struct eventlog_start *start = &s->unended.attempt[i].start;
		if (start->ref == ref && start->attempt == attempt)
			return &s->unended.attempt[i];
	}
	return NULL;
}

uint64_t task_log_now(struct scheduler *s)
{
	if (!s->log_ns)
		s->log_ns = clock_ns();
	return s->log_ns;
}

/* The task never starts again: the event names the attempt that does not come. */
static void task_log_never(struct scheduler *s, enum event_kind kind, uint32_t index, uint64_t word)
{
	struct logged_event e = eventlog_of_task(
	    kind, clock_ns(), record_at(s->t, index), record_ref(index, word_generation(word)));
	e.attempt = word_attempt(word) + 1;
	eventlog_put(s->t, e);
}

static uint64_t task_log_since(uint64_t time_ns)
{
	uint64_t now = clock_ns();
	return now > time_ns ? now - time_ns : 1;
}

void task_log_end(struct scheduler *s, enum event_kind kind, uint32_t index, uint64_t word,
    enum event_return reason)
{
	struct unended_attempt *open =
	    task_log_find(s, record_ref(index, word_generation(word)), word_attempt(word));
	if (!open && kind != EVENT_RETURNED)
		task_log_never(s, kind, index, word);
	if (!open || open->end)
		return;
	open->end = kind;
	open->argument =
	    kind == EVENT_RETURNED ? (uint64_t)reason : task_log_since(open->start.time_ns);
}

void task_log_ready(struct scheduler *s, uint32_t index, uint64_t word)
{
	eventlog_put(s->t,
	    eventlog_of_task(EVENT_READY, task_log_now(s), record_at(s->t, index),
		record_ref(index, word_generation(word))));
}

void task_log_placed(struct scheduler *s, const uint64_t *hints, uint32_t n, uint32_t process,
    struct eventlog_batch *ret)
{
	uint32_t worker = eventlog_worker_of(s->t, process);
	ret->n = 0; /* the arrays stay as found */
	for (uint32_t i = 0; i < n; i++) {
		/* A hint has 28 bits of the generation; the word has them all. */
		uint32_t index = (uint32_t)hints[i];
		const struct record *r = record_at(s->t, index);
		eventlog_batch_pair(ret,
		    eventlog_stamp(EVENT_PLACED, 0, worker, sh_once(r->function)),
		    record_ref(index, word_generation(sh_load(&r->state))));
	}
	task_log_now(s);
}

/* ---- dead workers ---- */

static enum event_kind task_log_kind_of(uint64_t word)
{
	switch (word_state(word)) {
	case RECORD_DONE: return EVENT_DONE;
	case RECORD_FAILED: return EVENT_FAILED;
	case RECORD_CANCELLED: return EVENT_CANCELLED;
	default: return EVENT_RETURNED;
	}
}

static enum event_return task_log_reason_of(uint64_t word)
{
	return word_flags(word) & FLAG_MEMORY ? EVENT_RETURN_MEMORY
	    : word_flags(word) & FLAG_RETURN  ? EVENT_RETURN_ASKED
					      : EVENT_RETURN_FAILED;
}

/* The worker, or a former scheduler, died between the step that ended the attempt and the event.
 * False: the attempt has not ended yet. */
static bool task_log_ended_already(struct scheduler *s, struct unended_attempt *open)
{
	uint64_t word, ref = open->start.ref;
	const struct record *r = record_lookup(s->t, ref, &word);
	bool same = r && word_attempt(word) == open->start.attempt;
	if (same && word_state(word) == RECORD_RUNNING)
		return false;
	if (r) {
		open->end = same ? task_log_kind_of(word) : EVENT_RETURNED;
		open->argument = open->end == EVENT_RETURNED
		    ? (uint64_t)task_log_reason_of(word)
		    : tables_ms_between(r->start_ms, r->end_ms) * NS_PER_MS + 1;
	} else if (open->start.innermost) { /* freed at once: nobody holds the result or failure */
		open->end = EVENT_DONE;
		open->argument = task_log_since(open->start.time_ns);
	}
	return true;
}

/* A process may be met twice, and what is known of an end is kept: the record may be freed since.
 */
void task_log_meet_dead(struct scheduler *s, uint32_t process)
{
	struct eventlog_start start[EVENT_STARTS_MAX];
	struct unended_attempt met[EVENT_STARTS_MAX];
	uint32_t n = eventlog_unended(s->t, process, start, EVENT_STARTS_MAX), found = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct unended_attempt *known =
		    task_log_find(s, start[i].ref, start[i].attempt);
		struct unended_attempt open = { .start = start[i] };
		if (known && known->end)
			met[found++] = *known;
		else if (!task_log_ended_already(s, &open) || open.end)
			met[found++] = open;
	}
	task_log_forget(s, process);
	for (uint32_t i = 0; i < found && s->unended.n < EVENT_STARTS_MAX; i++)
		s->unended.attempt[s->unended.n++] = met[i];
}

/* The attempts of a process stand together, the innermost first: an outer one waits for the end of
 * those inside. */
void task_log_flush(struct scheduler *s)
{
	uint32_t left = 0, waits = EVENT_NOBODY;
	uint64_t now_ns = clock_ns();
	for (uint32_t i = 0; i < s->unended.n; i++) {
		struct unended_attempt *open = &s->unended.attempt[i];
		if (open->end && open->start.process != waits) {
			eventlog_end_unended(s->t, &open->start, open->end, now_ns, open->argument);
			continue;
		}
		waits = open->start.process;
		s->unended.attempt[left++] = *open;
	}
	s->unended.n = left;
}

void task_log_forget(struct scheduler *s, uint32_t process)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < s->unended.n; i++)
		if (s->unended.attempt[i].start.process != process)
			s->unended.attempt[left++] = s->unended.attempt[i];
	s->unended.n = left;
}
