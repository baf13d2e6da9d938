#include "cli/trace/trace_form.h"

#include <inttypes.h>
#include <stdio.h>

static int form_host(const struct trace_out *out, char *ret, size_t size)
{
	return out->host ? snprintf(ret, size, "%.100s: ", out->host) : 0;
}

void trace_worker_text(const struct trace_out *out, uint32_t worker, char *ret, size_t size)
{
	int n = form_host(out, ret, size);
	if (worker == PLM_NOBODY)
		snprintf(ret + n, size - (size_t)n, "processes without a worker");
	else
		snprintf(ret + n, size - (size_t)n, "worker %" PRIu32, worker);
}

void trace_runtime_text(const struct trace_out *out, char *ret, size_t size)
{
	int n = form_host(out, ret, size);
	snprintf(ret + n, size - (size_t)n, "plm runtime");
}

void trace_track_text(const struct run_track *track, char *ret, size_t size)
{
	if (track->pid)
		snprintf(
		    ret, size, "process %" PRIu32 ", pid %" PRIu32, track->process, track->pid);
	else
		snprintf(ret, size, "process %" PRIu32, track->process);
}

void trace_mark_text(const struct run_mark *mark, char *ret, size_t size)
{
	char whom[TRACE_TEXT_BYTES] = "";
	if (mark->worker != PLM_NOBODY)
		snprintf(whom, sizeof whom, " of worker %" PRIu32, mark->worker);
	switch (mark->kind) {
	case PLM_EVENT_NONE: snprintf(ret, size, "%" PRIu64 " events lost", mark->argument); break;
	case PLM_EVENT_BORN:
	case PLM_EVENT_DEAD:
		snprintf(ret, size, "process %" PRIu32 "%s %s, pid %" PRIu64, mark->process, whom,
		    mark->kind == PLM_EVENT_BORN ? "begins" : "is dead", mark->argument);
		break;
	case PLM_EVENT_MEMORY_SHORT:
	case PLM_EVENT_MEMORY_ENOUGH:
		snprintf(ret, size, "memory is %s: %" PRIu64 " MiB free",
		    mark->kind == PLM_EVENT_MEMORY_SHORT ? "short" : "enough again",
		    mark->argument >> 20);
		break;
	case PLM_EVENT_LOCK_RECOVERED:
		snprintf(ret, size, "a lock of a dead process is recovered: rank %" PRIu64,
		    mark->argument);
		break;
	case PLM_EVENT_JOURNAL:
		snprintf(ret, size, "journal: %" PRIu64 " tasks on disk", mark->argument);
		break;
	default: snprintf(ret, size, "%s", plm_event_name(mark->kind)); break;
	}
}

const char *trace_ending_text(const struct run *run)
{
	static const char *const reasons[] = {
		"returned",
		[PLM_RETURN_RETRY] = "returned: failed, to be retried",
		[PLM_RETURN_LATE] = "returned: over a time limit, to be retried",
		[PLM_RETURN_MEMORY] = "returned: memory ran out",
		[PLM_RETURN_ASKED] = "returned: a client asked",
		[PLM_RETURN_DEAD] = "returned: the worker died",
	};
	if (run->ending != RUN_RETURNED)
		return run_ending_name(run->ending);
	return reasons[run->reason < sizeof reasons / sizeof reasons[0] ? run->reason : 0];
}

static const struct {
	const char *name;
	uint32_t known;
} trace_counters[TRACE_COUNTERS] = {
	[TRACE_QUEUED] = { "queued tasks", COUNTER_TASKS },
	[TRACE_RUNNING] = { "running tasks", COUNTER_TASKS },
	[TRACE_WAITING] = { "tasks that wait for a value", COUNTER_TASKS },
	[TRACE_STORE] = { "store in use", COUNTER_STORE },
	[TRACE_MEMORY] = { "free memory", COUNTER_MEMORY },
};

const char *trace_counter_name(enum trace_counter counter)
{
	return trace_counters[counter].name;
}

bool trace_counter_is_bytes(enum trace_counter counter)
{
	return counter == TRACE_STORE || counter == TRACE_MEMORY;
}

bool trace_counter_value(
    enum trace_counter counter, const struct run_counters *counters, uint64_t *ret)
{
	const uint64_t values[TRACE_COUNTERS] = {
		[TRACE_QUEUED] = counters->queued,
		[TRACE_RUNNING] = counters->running,
		[TRACE_WAITING] = counters->waiting,
		[TRACE_STORE] = counters->store_bytes,
		[TRACE_MEMORY] = counters->memory_free,
	};
	*ret = values[counter];
	return counters->known & trace_counters[counter].known;
}
