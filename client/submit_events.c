#include "client/submit_events.h"

#include "base/clock.h"

/* A further result of a task has no events of its own, so the log names the task. */
static uint64_t submit_events_maker(const struct plm *rt, uint64_t future)
{
	uint64_t word;
	const struct record *r = record_lookup(&rt->tables, future, &word);
	return r ? ref_held(r, future, word) : future;
}

void submit_events_with_futures(
    struct plm *rt, const plm_task *task, uint32_t function, uint64_t ref, uint64_t now_ns)
{
	struct eventlog_batch batch;
	batch.n = 0; /* the arrays stay as found */
	uint64_t stamp = eventlog_stamp(EVENT_DEPENDS, 0, EVENT_NOBODY, function);
	eventlog_batch_pair(&batch, submit_events_stamp(function, task->priority), ref);
	for (size_t i = 0; i < task->nargs; i++) {
		uint64_t future = task->args[i].future.id;
		uint64_t other = future ? submit_events_maker(rt, future) : 0;
		if (!other || eventlog_batch_add(&batch, stamp, ref, other))
			continue;
		eventlog_batch_write(&rt->tables, &batch, now_ns);
		eventlog_batch_add(&batch, stamp, ref, other);
	}
	eventlog_batch_write(&rt->tables, &batch, now_ns);
}

void submit_events_handed(
    struct plm *rt, const plm_task *task, uint32_t function, uint64_t ref, uint32_t process)
{
	struct tables *t = &rt->tables;
	uint64_t stamp = submit_events_stamp(function, task->priority);
	if (eventlog_ready(t))
		eventlog_fill(&t->event_writer, eventlog_take(&t->event_writer, 1),
		    stamp | eventlog_kind(EVENT_TURN), clock_ns(), ref,
		    eventlog_worker_of(t, process));
}
