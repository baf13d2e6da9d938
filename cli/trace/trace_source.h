/* trace_source.h - where a trace or a plot gets its events: a recording in a file, the log of a
 * runtime, or a recording that is made now. Each becomes a recording, which is read as often as its
 * users like.
 * Who: plmctl trace and plot.  Errors: an exit code, after a message. */
#ifndef PLM_TRACE_SOURCE_H
#define PLM_TRACE_SOURCE_H

#include "cli/ctl_command.h"
#include "cli/trace/trace_capture.h"
#include "cli/trace/trace_place.h"

struct source_options {
	const char *from;
	uint64_t last_ms;
};
extern const struct option_row source_rows[]; /* the target is a struct source_options */

struct source {
	struct recording *recording;
	struct capture_told told; /* of a log or a live recording */
};

/* From --from, else the log. `beside`: a path; the hidden recording lies in its directory. */
int source_open(struct context *context, const struct source_options *options, const char *beside,
    struct source *ret);
/* Records into the place, which source_record() opens; with `seen` as FILE.part. With an exit code
 * of a full disk, ret->recording is open if there is something to read. */
int source_record(struct context *context, const struct capture_plan *plan, const char *path,
    bool seen, bool packed, struct trace_place *place, struct source *ret);
void source_close(struct source *source);

/* Says what failed while a file was made; the exit code. */
int source_failed(const struct context *context, int error);
/* Says on stderr what is missing in the recording. */
struct survey;
void source_warn(const struct context *context, const struct survey *survey);

#endif
