#include "events/unended.h"

#include "events/eventlog_read.h"

static bool unended_ring(struct tables *t, uint32_t process, struct eventlog_writer *ret)
{
	struct eventlog_plan plan;
	if (!eventlog_ready(t))
		return false;
	eventlog_segment_plan(t, &t->event_segment, &plan);
	return eventlog_ring_of(&t->event_segment, &plan, process, ret);
}

struct ends { /* seen on the way back through a ring, their starts not met yet */
	struct {
		uint64_t ref;
		uint32_t attempt;
	} end[EVENT_STARTS_MAX];
	uint32_t n;
};

static void unended_push(struct ends *ends, const struct logged_event *e)
{
	if (ends->n == EVENT_STARTS_MAX)
		return;
	ends->end[ends->n].ref = e->subject;
	ends->end[ends->n++].attempt = e->attempt;
}

/* True: the start belongs to an end. Ends above it lost their starts to a hole. */
static bool unended_pop(struct ends *ends, const struct logged_event *e)
{
	for (uint32_t i = ends->n; i > 0; i--)
		if (ends->end[i - 1].ref == e->subject && ends->end[i - 1].attempt == e->attempt) {
			ends->n = i - 1;
			return true;
		}
	return false;
}

static bool unended_is_end(const struct logged_event *e)
{
	return e->kind >= EVENT_DONE && e->kind <= EVENT_RETURNED;
}

struct starts { /* found so far */
	struct ends ends;
	struct eventlog_start *start;
	uint32_t n, room;
};

static void unended_see(const struct logged_event *e, struct starts *starts)
{
	if (unended_is_end(e))
		unended_push(&starts->ends, e);
	if (e->kind != EVENT_STARTED || unended_pop(&starts->ends, e) || starts->n == starts->room)
		return;
	starts->start[starts->n] = (struct eventlog_start){ .ref = e->subject,
		.time_ns = e->time_ns,
		.attempt = e->attempt,
		.worker = e->worker,
		.function = e->function,
		.innermost = starts->n == 0 };
	starts->n++;
}

uint32_t eventlog_unended(
    struct tables *t, uint32_t process, struct eventlog_start *ret, uint32_t n)
{
	struct eventlog_writer ring;
	struct starts starts = { .start = ret, .room = n };
	if (!unended_ring(t, process, &ring))
		return 0;
	uint64_t tail = sh_load(ring.tail), joined_ns = t->process[process].joined_ns;
	for (uint64_t back = 1; back <= ring.mask + 1 && back <= tail; back++) {
		struct logged_event entry, e[2];
		if (eventlog_copy(&ring, tail - back, &entry) != EVENT_COPIED)
			continue;
		if (entry.time_ns < joined_ns)
			break; /* of a former process of the slot */
		for (uint32_t i = eventlog_expand(&entry, e); i-- > 0;)
			unended_see(&e[i], &starts);
	}
	for (uint32_t i = 0; i < starts.n; i++)
		starts.start[i].process = process;
	return starts.n;
}

void eventlog_end_unended(struct tables *t, const struct eventlog_start *start,
    enum event_kind kind, uint64_t now_ns, uint64_t argument)
{
	struct eventlog_writer ring;
	if (!unended_ring(t, start->process, &ring))
		return;
	eventlog_write(&ring, sh_add(ring.tail, 1, "tail of the dead"),
	    &(struct logged_event){ .kind = kind,
		.attempt = start->attempt,
		.worker = start->worker,
		.function = start->function,
		.time_ns = now_ns,
		.subject = start->ref,
		.argument = argument });
}
