#include "events/eventlog_read.h"

bool eventlog_ring_of(const struct segment *segment, const struct eventlog_plan *plan,
    uint32_t process, struct eventlog_writer *ret)
{
	struct eventlog_ring *ring = eventlog_ring_at(segment, plan, process);
	ret->ring = eventlog_entries_at(segment, plan, process);
	ret->tail = &ring->tail;
	ret->mask = ((uint64_t)1 << plan->shift) - 1;
	ret->shift = plan->shift;
	return sh_load(&ring->state) == EVENT_RING_READY;
}

/* Laps come round after 65536; no reader is so late. */
static enum eventlog_copied read_other_lap(uint64_t stamp, uint64_t lap)
{
	return (int16_t)((stamp >> EVENT_LAP_SHIFT) - (lap >> EVENT_LAP_SHIFT)) > 0 ? EVENT_OVERRUN
										    : EVENT_MISSING;
}

/* A submission has the priority in the place of the worker. */
static void read_stamp(uint64_t stamp, struct logged_event *ret)
{
	ret->kind = (enum event_kind)(stamp >> EVENT_KIND_SHIFT & 0x3f);
	ret->shape = (enum event_shape)(stamp >> 40 & 0xc0);
	ret->attempt = (uint32_t)(stamp >> 32) & 0xff;
	ret->worker = (uint32_t)(stamp >> 16) & 0xffff;
	ret->function = (uint32_t)stamp & 0xffff;
}

static bool read_is_possible(const struct logged_event *e)
{
	bool pair = e->kind == EVENT_SUBMITTED || e->kind == EVENT_PLACED || e->kind == EVENT_FREED;
	bool turn =
	    e->kind == EVENT_SUBMITTED || (e->kind >= EVENT_DONE && e->kind <= EVENT_CANCELLED);
	return e->kind != EVENT_NONE && e->kind < EVENT_KINDS &&
	    (e->shape == EVENT_SINGLE || (e->shape == EVENT_PAIR && pair) ||
		(e->shape == EVENT_TURN && turn));
}

enum eventlog_copied eventlog_copy(
    const struct eventlog_writer *ring, uint64_t position, struct logged_event *ret)
{
	struct eventlog_entry *entry =
	    (struct eventlog_entry *)ring->ring + (position & ring->mask);
	uint64_t lap = eventlog_lap(position, ring->shift), stamp = sh_load(&entry->stamp);
	if ((stamp & EVENT_LAP_MASK) != lap)
		return read_other_lap(stamp, lap);
	read_stamp(stamp, ret);
	if (!read_is_possible(ret))
		return EVENT_MISSING;
	ret->time_ns = sh_load(&entry->time_ns);
	ret->subject = sh_load(&entry->subject);
	ret->argument = ret->second = sh_load(&entry->argument);
	uint64_t again = sh_load(&entry->stamp);
	return again == stamp ? EVENT_COPIED : read_other_lap(again, lap);
}

static void read_single(struct logged_event *e)
{
	if (e->shape != EVENT_SINGLE && e->kind == EVENT_SUBMITTED) {
		e->argument = (uint64_t)(int64_t)(int16_t)e->worker;
		e->worker = EVENT_NOBODY;
	} else if (e->shape != EVENT_SINGLE) {
		e->argument = 0;
	}
	e->shape = EVENT_SINGLE;
}

uint32_t eventlog_expand(const struct logged_event *event, struct logged_event ret[2])
{
	ret[0] = ret[1] = *event;
	read_single(&ret[0]);
	if (event->shape == EVENT_SINGLE || (event->shape == EVENT_PAIR && !event->second))
		return 1;
	read_single(&ret[1]);
	if (event->shape == EVENT_TURN && event->kind == EVENT_SUBMITTED) {
		ret[1].kind = EVENT_PLACED;
		ret[1].worker = event->second & 0xffff;
		ret[1].argument = 0;
		return 2;
	}
	ret[1].subject = event->second;
	if (event->shape == EVENT_TURN) {
		ret[1].kind = EVENT_STARTED;
		ret[1].argument = 1;
	}
	return 2;
}
