/* trace_form.h - the form of a trace: what each thing in a recording becomes in the file.
 *
 * trace_write.c calls the functions in this order: begin; for each runtime host, a track for each
 * track, then runs, waits, marks and counters in the order in which they end; end. A form writes
 * into the file only; the file keeps errors. Who: one thread.  Allocates: buffers; want of memory
 * ends the program with a message. */
#ifndef PLM_TRACE_FORM_H
#define PLM_TRACE_FORM_H

#include "cli/runs/replay.h"
#include "cli/trace/trace_edges.h"
#include "cli/trace/trace_file.h"

struct trace_out {
	struct trace_file *file;
	const struct recording_head *head;
	const struct survey *survey;
	const char *host; /* of a fleet, whose tracks come; NULL: the trace is of one runtime */
	uint32_t hosts;   /* that came before */
	void *state;      /* of the form */
};

struct trace_form {
	const char *const *suffixes;
	void (*begin)(struct trace_out *out);
	void (*host)(struct trace_out *out); /* tracks of a runtime come */
	void (*track)(struct trace_out *out, const struct run_track *track);
	void (*run)(struct trace_out *out, const struct run *run, const struct trace_flows *flows);
	void (*wait)(struct trace_out *out, const struct run_wait *wait);
	void (*mark)(struct trace_out *out, const struct run_mark *mark);
	void (*counters)(
	    struct trace_out *out, uint64_t time_ns, const struct run_counters *counters);
	void (*end)(struct trace_out *out);
};

extern const struct trace_form trace_form_json, trace_form_perfetto;

/* ---- what both forms say ---- */

enum { TRACE_TEXT_BYTES = 192 };

/* "process died: worker 3"; the text of a mark. */
void trace_mark_text(const struct run_mark *mark, char *ret, size_t size);
/* "worker 0", in a fleet "host-a: worker 0"; "processes without a worker". */
void trace_worker_text(const struct trace_out *out, uint32_t worker, char *ret, size_t size);
/* "plm runtime", in a fleet "host-a: plm runtime" */
void trace_runtime_text(const struct trace_out *out, char *ret, size_t size);
/* "process 3, pid 4711" */
void trace_track_text(const struct run_track *track, char *ret, size_t size);
/* "done", or why the attempt was returned. */
const char *trace_ending_text(const struct run *run);

enum trace_counter {
	TRACE_QUEUED,
	TRACE_RUNNING,
	TRACE_WAITING,
	TRACE_STORE,
	TRACE_MEMORY,
	TRACE_COUNTERS
};
const char *trace_counter_name(enum trace_counter counter); /* "queued tasks" */
bool trace_counter_is_bytes(enum trace_counter counter);
/* False: unknown. */
bool trace_counter_value(
    enum trace_counter counter, const struct run_counters *counters, uint64_t *ret);

/* In a trace a worker is a process, and a process of the worker a thread. Each host has numbers of
 * its own. */
enum { TRACE_RUNTIME = 1000000, TRACE_NO_WORKER = 2000000, TRACE_HOST_PIDS = 4000000 };
enum { TRACE_HOSTS_MOST = INT32_MAX / TRACE_HOST_PIDS }; /* of a trace */
static inline uint32_t trace_pid(const struct trace_out *out, uint32_t worker)
{
	return out->hosts * TRACE_HOST_PIDS +
	    (worker == PLM_NOBODY ? (uint32_t)TRACE_NO_WORKER : worker + 1);
}
static inline uint32_t trace_runtime_pid(const struct trace_out *out)
{
	return out->hosts * TRACE_HOST_PIDS + TRACE_RUNTIME;
}
static inline uint32_t trace_tid(const struct run_track *track)
{
	return track->pid ? track->pid : 100000000 + track->track;
}

#endif
