#include "worker/task_events.h"

#include "base/clock.h"
#include "worker/needs.h"

void task_events_write_end(struct worker *w)
{
	struct tables *t = &w->rt.tables;
	w->log.pending = false;
	if (eventlog_ready(t))
		eventlog_fill(&t->event_writer, eventlog_take(&t->event_writer, 1), w->log.stamp,
		    w->log.time_ns, w->log.started, w->log.ran_ns);
}

/* An event of now. */
static inline void task_events_fill(
    struct worker *w, uint64_t stamp, uint64_t ref, uint64_t argument)
{
	struct tables *t = &w->rt.tables;
	if (eventlog_ready(t))
		eventlog_fill(&t->event_writer, eventlog_take(&t->event_writer, 1), stamp,
		    w->now_ns, ref, argument);
}

/* After an end kept back, or a rest; and a task with terms, or a later attempt. */
static __attribute__((noinline)) void task_events_start_otherwise(
    struct worker *w, const struct plm_call *call, uint64_t ref)
{
	const struct record *r = call->record;
	uint32_t attempt = word_attempt(call->word);
	const uint64_t stamp = eventlog_stamp(0, attempt, w->rt.me->worker, sh_once(r->function));
	const uint64_t end = stamp | eventlog_kind(EVENT_DONE), before = w->log.started;
	bool turn = w->log.pending && attempt == 1 && !r->terms && w->log.time_ns == w->now_ns &&
	    w->log.stamp == end;
	if (!turn)
		task_events_flush(w);
	w->log.pending = false;
	w->log.started = attempt == 1 ? ref : 0;
	w->log.stamp = end;
	if (turn) {
		task_events_fill(w, end | eventlog_kind(EVENT_TURN), before, ref);
		return;
	}
	if (w->log.rests)
		task_events_process(w, EVENT_BUSY);
	task_events_fill(
	    w, stamp | eventlog_kind(EVENT_STARTED), ref, r->terms ? needs_cpus(call) : 1);
}

void task_events_started(struct worker *w, const struct plm_call *call, uint64_t ref)
{
	const struct record *r = call->record;
	uint32_t attempt = word_attempt(call->word);
	if (w->log.pending || w->log.rests || r->terms || attempt != 1) {
		task_events_start_otherwise(w, call, ref);
		return;
	}
	uint64_t stamp = eventlog_stamp(0, 1, w->rt.me->worker, sh_once(r->function));
	w->log.started = ref;
	w->log.stamp = stamp | eventlog_kind(EVENT_DONE);
	task_events_fill(w, stamp | eventlog_kind(EVENT_STARTED), ref, 1);
}

static void task_events_note_value(const struct record *r, uint64_t ref, struct task_end *end)
{
	if (!sh_peek(&r->value) || end->sealed == TASK_EVENTS_SEALED)
		return;
	end->value[end->sealed].ref = ref;
	end->value[end->sealed++].bytes = r->value_bytes;
}

static void task_events_note_parts(
    const struct tables *t, const struct plm_call *call, struct task_end *end)
{
	uint32_t next = call->record->first_part;
	for (int steps = 0; next && next <= t->limits.records && steps < TASK_EVENTS_SEALED;
	     steps++) {
		const struct record *part = record_at(t, next - 1);
		uint64_t word = sh_load(&part->state);
		if (word_state(word) != RECORD_PART)
			return;
		task_events_note_value(part, record_ref(next - 1, word_generation(word)), end);
		next = part->part.next;
	}
}

static void task_events_note_end(
    struct worker *w, const struct plm_call *call, uint64_t ref, struct task_end *ret)
{
	const struct record *r = call->record;
	task_events_flush(w);
	ret->ref = ref;
	ret->function = r->function;
	ret->sealed = 0;
	task_events_note_value(r, ref, ret);
	if (r->first_part)
		task_events_note_parts(&w->rt.tables, call, ret);
}

/* A reader takes the time of a run kept back from the start, which has to be the last one in the
 * ring. */
void task_events_before_end(
    struct worker *w, const struct plm_call *call, uint64_t ref, struct task_end *ret)
{
	const struct record *r = call->record;
	ret->simple = w->log.started == ref && !w->call && !sh_peek(&r->value) && !r->first_part;
	if (!ret->simple)
		task_events_note_end(w, call, ref, ret);
}

static uint64_t task_events_ran(const struct worker *w, const struct plm_call *call)
{
	return w->now_ns > call->started_ns ? w->now_ns - call->started_ns : 1;
}

static enum event_return task_events_why_returned(uint32_t flags)
{
	return flags & FLAG_MEMORY ? EVENT_RETURN_MEMORY
	    : flags & FLAG_RETURN  ? EVENT_RETURN_ASKED
	    : flags & FLAG_LATE    ? EVENT_RETURN_LATE
				   : EVENT_RETURN_FAILED;
}

static void task_events_write_ended(struct worker *w, const struct plm_call *call,
    const struct task_end *end, enum record_state state)
{
	uint32_t sealed = end->simple ? 0 : end->sealed;
	struct logged_event e = { .attempt = word_attempt(call->word),
		.worker = w->rt.me->worker,
		.function = end->simple ? eventlog_function(w->log.stamp) : end->function,
		.time_ns = w->now_ns,
		.subject = end->simple ? w->log.started : end->ref,
		.argument = task_events_ran(w, call) };
	if (end->simple)
		w->log.started = 0; /* a next attempt has the same reference */
	switch (state) {
	case RECORD_DONE: e.kind = EVENT_DONE; break;
	case RECORD_FAILED: e.kind = EVENT_FAILED; break;
	case RECORD_CANCELLED: e.kind = EVENT_CANCELLED; break;
	default:
		e.kind = EVENT_RETURNED;
		e.argument = task_events_why_returned(word_flags(call->word));
	}
	eventlog_put(&w->rt.tables, e);
	for (uint32_t i = 0; i < sealed && state == RECORD_DONE; i++) {
		e.kind = EVENT_SEALED;
		e.subject = end->value[i].ref;
		e.argument = end->value[i].bytes;
		eventlog_put(&w->rt.tables, e);
	}
}

void task_events_ended(struct worker *w, const struct plm_call *call, const struct task_end *end,
    enum record_state state)
{
	if (!end->simple || state != RECORD_DONE) {
		task_events_write_ended(w, call, end, state);
		return;
	}
	w->log.pending = true;
	w->log.time_ns = w->now_ns;
	w->log.ran_ns = task_events_ran(w, call);
}

void task_events_placed(struct worker *w, uint64_t ref, uint32_t process)
{
	struct tables *t = &w->rt.tables;
	task_events_flush(w);
	struct logged_event e =
	    eventlog_of_task(EVENT_PLACED, w->now_ns, record_at(t, ref_index(ref)), ref);
	e.worker = eventlog_worker_of(t, process);
	eventlog_put(t, e);
}

void task_events_ready(struct worker *w, uint64_t ref, const struct record *r)
{
	task_events_flush(w);
	eventlog_put(&w->rt.tables, eventlog_of_task(EVENT_READY, w->now_ns, r, ref));
}

void task_events_process(struct worker *w, enum event_kind kind)
{
	struct tables *t = &w->rt.tables;
	uint64_t now_ns = kind == EVENT_BUSY ? w->now_ns : clock_ns();
	task_events_flush(w);
	w->log.rests = kind == EVENT_IDLE;
	eventlog_put(t, eventlog_of_process(t, kind, now_ns, w->rt.self));
}
