#include "cli/runs/runs_count.h"

static uint64_t count_shown(int64_t number)
{
	return number > 0 ? (uint64_t)number : 0;
}

void count_get(const struct run_counting *counting, struct run_counters *ret)
{
	*ret = (struct run_counters){ .known = counting->known,
		.waiting = count_shown(counting->waiting),
		.queued = count_shown(counting->queued),
		.running = count_shown(counting->running),
		.store_bytes = count_shown(counting->store_bytes),
		.memory_free = counting->memory_free };
}

static void count_tell(struct run_counting *counting)
{
	struct run_counters counters;
	count_get(counting, &counters);
	if (counting->tell && counters.known)
		counting->tell(counting->context, counting->changed_ns, &counters);
	counting->told_ns = counting->changed_ns;
	counting->changed = false;
}

/* Call before a change: what was collected is told when its grain is over. */
static void count_change(struct run_counting *counting, uint64_t time_ns)
{
	if (counting->changed && time_ns > counting->changed_ns &&
	    time_ns - counting->told_ns >= counting->grain_ns)
		count_tell(counting);
	if (time_ns > counting->changed_ns)
		counting->changed_ns = time_ns;
	counting->changed = true;
}

static int64_t *count_of_stage(struct run_counting *counting, enum task_stage stage)
{
	switch (stage) {
	case TASK_WAITING: return &counting->waiting;
	case TASK_QUEUED: return &counting->queued;
	case TASK_RUNNING: return &counting->running;
	default: return NULL;
	}
}

void count_move(
    struct run_counting *counting, uint64_t time_ns, enum task_stage from, enum task_stage to)
{
	int64_t *less = count_of_stage(counting, from), *more = count_of_stage(counting, to);
	if (less == more)
		return;
	count_change(counting, time_ns);
	if (less)
		--*less;
	if (more)
		++*more;
}

/* Wild numbers of bytes wrap, and a sample puts them right. */
void count_store(struct run_counting *counting, uint64_t time_ns, int64_t bytes)
{
	if (bytes == 0)
		return;
	count_change(counting, time_ns);
	counting->store_bytes = (int64_t)((uint64_t)counting->store_bytes + (uint64_t)bytes);
}

void count_memory(struct run_counting *counting, uint64_t time_ns, uint64_t free)
{
	count_change(counting, time_ns);
	counting->memory_free = free;
	counting->known |= COUNTER_MEMORY;
}

void count_sample(struct run_counting *counting, const struct runs_sample *sample)
{
	const struct run_counters *seen = &sample->counters;
	count_change(counting, sample->time_ns);
	if (seen->known & COUNTER_TASKS) {
		counting->waiting = (int64_t)seen->waiting;
		counting->queued = (int64_t)seen->queued;
		counting->running = (int64_t)seen->running;
	}
	if (seen->known & COUNTER_STORE)
		counting->store_bytes = (int64_t)seen->store_bytes;
	if (seen->known & COUNTER_MEMORY)
		counting->memory_free = seen->memory_free;
	counting->known |= seen->known & (COUNTER_TASKS | COUNTER_STORE | COUNTER_MEMORY);
}

void count_finish(struct run_counting *counting)
{
	if (counting->changed)
		count_tell(counting);
}
