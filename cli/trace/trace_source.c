#include "cli/trace/trace_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/arguments.h"
#include "cli/look.h"
#include "cli/runs/replay.h"

const struct option_row source_rows[] = {
	{ "last", NULL, NULL, OPTION_TIME, .word = "TIME", .standard = "all that the log keeps",
	    .help = "the last TIME of the event log (plm --events on)",
	    OPTION_FIELD(struct source_options, last_ms), .least = 1,
	    .most = INT64_MAX / NS_PER_MS },
	{ "from", NULL, NULL, OPTION_FILE, .word = "RECORDING",
	    .help = "a recording (" RECORDING_SUFFIX ") instead of a runtime",
	    OPTION_FIELD(struct source_options, from) },
	{ 0 },
};

static int source_say(const char *what)
{
	fprintf(stderr, "plmctl: %s: %s\n", what, why_text());
	return EXIT_INPUT;
}

/* A file that cannot be written is no missing reference, so -ENOENT is our own failure. */
int source_failed(const struct context *context, int error)
{
	fprintf(stderr, "plmctl: %s: %s\n", context->command->name, why_text());
	return error == -ENOSPC ? EXIT_FULL : error == -EINVAL ? EXIT_USAGE : EXIT_OURS;
}

static int source_recording_failed(
    const struct context *context, int error, const char *path, bool keeps)
{
	int code = source_failed(context, error);
	if (keeps)
		fprintf(stderr, "plmctl: %s: %s keeps what was recorded until then\n",
		    context->command->name, path);
	else
		fprintf(stderr,
		    "plmctl: %s: %s is not written, since a trace is there as a whole or not at "
		    "all; a recording (" RECORDING_SUFFIX ") keeps what it had\n",
		    context->command->name, path);
	return code;
}

static void source_say_room(const struct context *context, const struct capture_told *told)
{
	if (told->without_room)
		fprintf(stderr,
		    "plmctl: %s: %" PRIu32 " processes write no events: /dev/shm has no room for "
		    "their rings (a smaller plm --event-ring, or a smaller --store)\n",
		    context->command->name, told->without_room);
}

static int source_open_file(const char *path, struct source *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? why(-errno, "cannot open: %s", strerror(errno))
		       : recording_open(&ret->recording, fd, "the file");
	return r < 0 ? source_say(path) : EXIT_FINE;
}

/* Reads what was recorded into the place. The place stays open. */
static int source_read_back(const struct trace_place *place, struct source *ret)
{
	int fd = dup(place->fd);
	if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0)
		return why(-errno, "cannot read the recording again: %s", strerror(errno));
	return recording_open(&ret->recording, fd, "the recording");
}

static int source_no_log(plm_inspect *in)
{
	plm_runtime_row row;
	if (plm_inspect_runtime(in, &row, sizeof row) < 0)
		row.name[0] = 0;
	fprintf(stderr,
	    "plmctl: the event log of runtime \"%.31s\" is off and empty. "
	    "`plmctl trace --record FILE` records from now on; `plm --events on` boots a "
	    "runtime that keeps a log of its last seconds\n",
	    row.name);
	return EXIT_INPUT;
}

static int source_take_log(
    plm_inspect *in, uint64_t last_ns, const struct trace_place *place, struct source *ret)
{
	struct recording_head head;
	struct recorder *recorder = NULL;
	int r = capture_head(in, &head);
	if (r == 0)
		r = recorder_open(&recorder, dup(place->fd), false, &head);
	if (r == 0)
		r = capture_log(in, last_ns, recorder, &ret->told);
	int closed = recorder_close(&recorder, r == 0, ret->told.end_ns);
	r = r < 0 ? r : closed;
	return r < 0 ? r : source_read_back(place, ret);
}

static void source_hidden_path(const char *beside, char *ret, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	if (strcmp(beside, "-") == 0 || place_is_special(beside))
		snprintf(ret, size, "%.4000s/plm-recording", tmp && tmp[0] ? tmp : "/tmp");
	else
		snprintf(ret, size, "%s", beside);
}

static int source_open_log(
    const struct context *context, uint64_t last_ns, const char *beside, struct source *ret)
{
	struct trace_place place;
	char path[PLACE_BYTES];
	plm_inspect *in = NULL;
	source_hidden_path(beside, path, sizeof path);
	int r = plm_inspect_open(&in, context->name);
	if (r == -ENOENT) {
		fprintf(stderr,
		    "plmctl: no runtime has this name (plm boots one, --from reads a recording): "
		    "%s\n",
		    why_text());
		return EXIT_NO_RUNTIME;
	}
	if (r < 0)
		return failed(r, "looking");
	int code = EXIT_FINE;
	r = place_open(&place, path, false);
	if (r < 0) {
		code = source_failed(context, r);
	} else {
		r = source_take_log(in, last_ns, &place, ret);
		code = r == -ENODATA || r == -ENOENT ? source_no_log(in)
		    : r < 0                          ? failed(r, "the event log")
						     : EXIT_FINE;
		source_say_room(context, &ret->told);
		place_drop(&place);
	}
	plm_inspect_close(&in);
	return code;
}

int source_open(struct context *context, const struct source_options *options, const char *beside,
    struct source *ret)
{
	*ret = (struct source){ .recording = NULL };
	if (options->from && options->last_ms)
		usage_error(context, "--last is of the event log: it does not go with --from");
	if (options->from)
		return source_open_file(options->from, ret);
	return source_open_log(context, options->last_ms * NS_PER_MS, beside, ret);
}

int source_record(struct context *context, const struct capture_plan *plan, const char *path,
    bool seen, bool packed, struct trace_place *place, struct source *ret)
{
	struct recording_head head;
	struct recorder *recorder = NULL;
	*ret = (struct source){ .recording = NULL };
	context->stays = true;
	int code = look_open(context);
	if (code != EXIT_FINE)
		return code;
	int r = place_open(place, path, seen);
	if (r < 0)
		return source_failed(context, r);
	r = capture_head(context->in, &head);
	if (r == 0)
		r = recorder_open(&recorder, dup(place->fd), packed, &head);
	if (r == 0)
		r = capture_live(context->rt, context->in, plan, recorder, &ret->told);
	int closed = recorder_close(&recorder, r == 0, ret->told.end_ns);
	r = r < 0 ? r : closed;
	code = r < 0 ? source_recording_failed(context, r, path, seen) : EXIT_FINE;
	r = source_read_back(place, ret);
	if (r < 0 && code == EXIT_FINE)
		code = source_failed(context, r);
	source_say_room(context, &ret->told);
	if (ret->told.ended)
		fputs("plmctl: trace: the runtime has ended, and so does the recording\n", stderr);
	return code;
}

void source_close(struct source *source)
{
	recording_close(&source->recording);
}

void source_warn(const struct context *context, const struct survey *survey)
{
	const char *command = context->command->name;
	if (survey->lost)
		fprintf(stderr,
		    "plmctl: %s: %" PRIu64 " events are missing: they were overwritten before "
		    "anybody read them (plm --event-ring N makes the rings larger)\n",
		    command, survey->lost);
	if (survey->damaged)
		fprintf(stderr, "plmctl: %s: %" PRIu64 " damaged blocks are left out\n", command,
		    survey->damaged);
	if (survey->cut)
		fprintf(stderr,
		    "plmctl: %s: the recording is cut: it was not ended, and its last events "
		    "are missing\n",
		    command);
}
