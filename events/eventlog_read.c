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

enum eventlog_copied eventlog_copy(
    const struct eventlog_writer *ring, uint64_t position, struct logged_event *ret)
{
	struct eventlog_entry *entry =
	    (struct eventlog_entry *)ring->ring + (position & ring->mask);
	uint64_t lap = eventlog_lap(position, ring->shift), stamp = sh_load(&entry->stamp);
	enum event_kind kind = eventlog_stamp_kind(stamp);
	if ((stamp & EVENT_LAP_MASK) != lap)
		return read_other_lap(stamp, lap);
	if (kind == EVENT_NONE || kind >= EVENT_KINDS)
		return EVENT_MISSING;
	*ret = (struct logged_event){ .kind = kind,
		.attempt = (uint32_t)(stamp >> 32) & 0xff,
		.worker = (uint32_t)(stamp >> 16) & 0xffff,
		.function = (uint32_t)stamp & 0xffff,
		.time_ns = sh_load(&entry->time_ns),
		.subject = sh_load(&entry->subject),
		.argument = sh_load(&entry->argument) };
	uint64_t again = sh_load(&entry->stamp);
	return again == stamp ? EVENT_COPIED : read_other_lap(again, lap);
}
