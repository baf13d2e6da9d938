#include "worker/task_events.h"

#include "base/clock.h"
#include "worker/needs.h"

static void task_events_fill(struct worker *w, uint64_t stamp, uint64_t argument)
{
	struct tables *t = &w->rt.tables;
	if (eventlog_ready(t))
		eventlog_fill(&t->event_writer, eventlog_take(&t->event_writer, 1), stamp,
		    w->log.time_ns, w->log.ref, argument);
}

void task_events_write_end(struct worker *w)
{
	w->log.pending = false;
	task_events_fill(w, w->log.stamp, w->log.ran_ns);
}

void task_events_started(struct worker *w, const struct plm_call *call)
{
	const struct record *r = call->record;
	struct tables *t = &w->rt.tables;
	uint64_t ref = record_ref(record_index(t, r), word_generation(call->word));
	uint32_t attempt = word_attempt(call->word), function = sh_once(r->function);
	uint32_t worker = w->rt.me->worker;
	const uint64_t end = eventlog_stamp(EVENT_DONE, 1, worker, function);
	w->log.started = ref;
	if (w->log.pending && attempt == 1 && !r->terms && w->log.time_ns == w->now_ns &&
	    w->log.stamp == end) {
		w->log.pending = false;
		task_events_fill(w, end | (uint64_t)EVENT_TURN << 40, ref);
		return;
	}
	task_events_flush(w);
	if (w->log.rests)
		task_events_process(w, EVENT_BUSY);
	eventlog_put(t,
	    (struct logged_event){ .kind = EVENT_STARTED,
		.attempt = attempt,
		.worker = worker,
		.function = function,
		.time_ns = w->now_ns,
		.subject = ref,
		.argument = r->terms ? needs_cpus(call) : 1 });
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

/* A reader takes the time of a run kept back from the start, which has to be the last one in the
 * ring. */
static bool task_events_keep_back(struct worker *w, const struct task_end *end)
{
	if (end->attempt != 1 || end->sealed || w->call || w->log.started != end->ref)
		return false;
	w->log.stamp = eventlog_stamp(EVENT_DONE, 1, w->rt.me->worker, end->function);
	w->log.time_ns = w->now_ns;
	w->log.ref = end->ref;
	w->log.ran_ns = end->ran_ns;
	return true;
}

void task_events_before_end(struct worker *w, const struct plm_call *call, struct task_end *ret)
{
	const struct tables *t = &w->rt.tables;
	const struct record *r = call->record;
	task_events_flush(w);
	ret->ref = record_ref(record_index(t, r), word_generation(call->word));
	ret->ran_ns = w->now_ns > call->started_ns ? w->now_ns - call->started_ns : 1;
	ret->function = r->function;
	ret->attempt = word_attempt(call->word);
	ret->sealed = 0;
	task_events_note_value(r, ret->ref, ret);
	if (r->first_part)
		task_events_note_parts(t, call, ret);
	ret->simple = task_events_keep_back(w, ret);
}

static enum event_return task_events_why_returned(uint32_t flags)
{
	return flags & FLAG_MEMORY ? EVENT_RETURN_MEMORY
	    : flags & FLAG_RETURN  ? EVENT_RETURN_ASKED
	    : flags & FLAG_LATE    ? EVENT_RETURN_LATE
				   : EVENT_RETURN_FAILED;
}

void task_events_write_ended(
    struct worker *w, const struct task_end *end, enum record_state state, uint32_t flags)
{
	struct logged_event e = { .attempt = end->attempt,
		.worker = w->rt.me->worker,
		.function = end->function,
		.time_ns = w->now_ns,
		.subject = end->ref,
		.argument = end->ran_ns };
	switch (state) {
	case RECORD_DONE: e.kind = EVENT_DONE; break;
	case RECORD_FAILED: e.kind = EVENT_FAILED; break;
	case RECORD_CANCELLED: e.kind = EVENT_CANCELLED; break;
	default: e.kind = EVENT_RETURNED; e.argument = task_events_why_returned(flags);
	}
	eventlog_put(&w->rt.tables, e);
	for (uint32_t i = 0; i < end->sealed && state == RECORD_DONE; i++) {
		e.kind = EVENT_SEALED;
		e.subject = end->value[i].ref;
		e.argument = end->value[i].bytes;
		eventlog_put(&w->rt.tables, e);
	}
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
