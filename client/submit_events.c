#include "client/submit_events.h"

#include "events/eventlog.h"

static struct logged_event submit_events_submitted(
    const struct plm *rt, uint64_t ref, uint64_t now_ns)
{
	const struct record *r = record_at(&rt->tables, ref_index(ref));
	struct logged_event e = eventlog_of_task(EVENT_SUBMITTED, now_ns, r, ref);
	e.argument = (uint64_t)(int64_t)key_priority(sh_once(r->key));
	return e;
}

void submit_events_tasks(struct plm *rt, const uint64_t *refs, uint32_t n, uint64_t now_ns)
{
	const struct eventlog_writer *w = &rt->tables.event_writer;
	if (n == 0 || !eventlog_ready(&rt->tables))
		return;
	uint64_t at = eventlog_take(w, n);
	for (uint32_t i = 0; i < n; i++) {
		struct logged_event e = submit_events_submitted(rt, refs[i], now_ns);
		eventlog_fill(w, at + i, &e);
	}
}

void submit_events_with_futures(struct plm *rt, const plm_task *task, uint64_t ref, uint64_t now_ns)
{
	submit_events_tasks(rt, &ref, 1, now_ns);
	const struct record *r = record_at(&rt->tables, ref_index(ref));
	struct logged_event e = eventlog_of_task(EVENT_DEPENDS, now_ns, r, ref);
	for (size_t i = 0; i < task->nargs; i++) {
		e.argument = task->args[i].future.id;
		if (e.argument)
			eventlog_put(&rt->tables, e);
	}
}

void submit_events_handed(struct plm *rt, uint64_t ref, uint32_t process, uint64_t now_ns)
{
	const struct eventlog_writer *w = &rt->tables.event_writer;
	if (!eventlog_ready(&rt->tables))
		return;
	uint64_t at = eventlog_take(w, 2);
	struct logged_event e = submit_events_submitted(rt, ref, now_ns);
	eventlog_fill(w, at, &e);
	e.kind = EVENT_PLACED;
	e.worker = eventlog_worker_of(&rt->tables, process);
	e.argument = 0;
	eventlog_fill(w, at + 1, &e);
}
