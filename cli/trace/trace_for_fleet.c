/* trace_for_fleet.c - on a host: the last seconds of the event log as a recording that fits into a
 * message. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/trace/trace_capture.h"
#include "cli/trace/trace_fleet.h"

enum { NICE = 10, SHORTEST_MS = 100 };

static int for_fleet_record(plm_inspect *in, uint64_t last_ms, int fd, struct capture_told *told)
{
	struct recording_head head;
	struct recorder *recorder = NULL;
	int r = capture_head(in, &head);
	int copy = r < 0 ? -1 : dup(fd);
	if (r == 0)
		r = recorder_open(&recorder, copy, true, &head);
	if (r == 0)
		r = capture_log(in, last_ms * NS_PER_MS, recorder, told);
	int closed = recorder_close(&recorder, r == 0, told->end_ns);
	return r < 0 ? r : closed;
}

static int for_fleet_load(int fd, size_t bytes, void **ret, size_t *ret_bytes)
{
	char *data = malloc(bytes + 1);
	if (!data || pread(fd, data, bytes, 0) != (ssize_t)bytes) {
		free(data);
		return why(-EIO, "cannot read the recording again");
	}
	*ret = data;
	*ret_bytes = bytes;
	return 0;
}

/* Half as long each time, until the recording fits. */
static int for_fleet_fit(
    plm_inspect *in, int fd, uint64_t *last_ms, size_t most, void **ret, size_t *ret_bytes)
{
	for (;;) {
		struct capture_told told = { .events = 0 };
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return why(-errno, "a file for a recording: %s", strerror(errno));
		int r = for_fleet_record(in, *last_ms, fd, &told);
		off_t bytes = r < 0 ? 0 : lseek(fd, 0, SEEK_END);
		if (r == -ENODATA || r == -ENOENT)
			return why(r, "its event log is off: boot it with plm --events on");
		if (r < 0)
			return r;
		if ((size_t)bytes <= most)
			return for_fleet_load(fd, (size_t)bytes, ret, ret_bytes);
		*last_ms = (*last_ms ? *last_ms : 2 * told.span_ns / NS_PER_MS) / 2;
		if (*last_ms < SHORTEST_MS)
			return why(-EFBIG, "its event log is too large for a message");
	}
}

static int for_fleet_of_host(
    struct context *context, uint64_t *last_ms, size_t most, void **ret, size_t *ret_bytes)
{
	plm_inspect *in = NULL;
	FILE *file = tmpfile();
	int r = file ? plm_inspect_open(&in, context->name)
		     : why(-errno, "a file for a recording: %s", strerror(errno));
	if (r == 0)
		r = for_fleet_fit(in, fileno(file), last_ms, most, ret, ret_bytes);
	plm_inspect_close(&in);
	if (file)
		fclose(file);
	return r;
}

int trace_for_fleet(struct context *context)
{
	if (nice(NICE) < 0) /* tasks go first */
		context->quiet = true;
	return fleet_part_give(context, STDIN_FILENO, for_fleet_of_host);
}
