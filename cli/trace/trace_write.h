/* trace_write.h - a recording becomes a trace in one of the forms, or a recording again.
 * Who: one thread.  Blocks: in files.  Errors: -errno with a why. */
#ifndef PLM_TRACE_WRITE_H
#define PLM_TRACE_WRITE_H

#include "cli/trace/trace_form.h"

enum trace_kind { TRACE_JSON, TRACE_PERFETTO, TRACE_RECORDING, TRACE_KINDS };
#define TRACE_KIND_WORDS "json|perfetto|recording"

struct trace_target {
	const char *path; /* "-": stdout */
	enum trace_kind kind;
	bool packed;
};

/* Kind and packing from the suffix of the path; `forced` is the kind asked for, or negative. 0;
 * -EINVAL with a why: the suffix says nothing. */
int trace_target_of(const char *path, int forced, struct trace_target *ret);

/* A runtime of the trace. */
struct trace_part {
	struct recording *recording;
	const struct survey *survey;
	struct trace_edges *edges;
	const char *host; /* of a fleet; NULL: the trace is of one runtime */
	int64_t shift_ns; /* from the clock of the recording to the clock of the trace */
	/* Gives the task its reference of the fleet. False: no task of the fleet, or forgotten.
	 * NULL: no fleet. */
	bool (*rename)(const struct trace_part *part, plm_ref *ref);
};

struct trace_told { /* what went into the file */
	uint64_t runs, edges, edges_left_out;
};

int trace_write(struct recording *recording, const struct survey *survey, struct trace_edges *edges,
    const struct trace_target *target, struct trace_told *ret);
/* The parts of hosts, on one clock; head and survey are of the whole, `across` are the dependencies
 * of tasks of the fleet (NULL: none). No recording can hold them. */
int trace_write_parts(const struct recording_head *head, const struct survey *survey,
    const struct trace_part *const *parts, size_t n, struct trace_edges *across,
    const struct trace_target *target, struct trace_told *ret);
/* Survey and edges in one reading, for trace_write(). Both are the caller's to free in any case. */
int trace_survey(struct recording *recording, struct survey *ret, struct trace_edges *ret_edges);

#endif
