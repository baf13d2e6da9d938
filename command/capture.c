/* capture.c - the output of a command: through a pipe into a file in memory, up to the cap.
 *
 * A pipe, so that the cap holds whatever the command writes, and the command never fails or stops
 * because of the cap: output beyond the cap is read and dropped. The file is private to the worker:
 * plmctl reads the file through the worker's descriptors while the command runs, and the file
 * vanishes whoever dies. The worker makes the file when output comes: most commands write nothing
 * to stderr.
 *
 * A submitter may have named files (--output, --error): the command writes to them itself.
 *
 * A waiting submitter may have named an outlet (tables/command_block.h). A pipe of the submitter is
 * given to the command, and nothing comes here. A file of the submitter is opened when the output
 * gets long, or finds no room in the store: then all of the output is in the file, without a cap.
 * Only the worker writes to the file. As stdout of the command, the file could be truncated by any
 * process that opens /dev/stdout, and written to by leftovers of a dead attempt. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "command/capture.h"

enum { PIECE_BYTES = 64 << 10, MEMORY_BYTES = 256 << 10 /* with an outlet */ };

/* ---- the outlet ---- */

static bool capture_has_outlet(const struct capture *c)
{
	return c->outlet && c->outlet->pid;
}

/* Output left in the outlet by an unfinished attempt is no part of the output of the present
 * attempt: truncate. False: errno says why. */
static bool capture_outlet_open(struct capture *c)
{
	if (c->outlet_fd < 0)
		c->outlet_fd = command_outlet_open(c->outlet, c->stream, O_WRONLY);
	return c->outlet_fd >= 0 && (c->outlet->live || ftruncate(c->outlet_fd, 0) == 0);
}

/* An outlet in another pid namespace, or of a dead submitter, is out of reach: keep the output as
 * if nobody waited. */
static void capture_outlet_forget(struct capture *c)
{
	if (c->outlet_fd >= 0)
		close(c->outlet_fd);
	c->outlet_fd = -1;
	c->outlet = NULL;
}

bool capture_is_live(const struct capture *c)
{
	return capture_has_outlet(c) && c->outlet->live;
}

static bool capture_write_at(int fd, const char *data, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;) {
		ssize_t written = pwrite(fd, data + done, n - done, (off_t)(offset + done));
		if (written < 0 && errno != EINTR)
			return false;
		done += written > 0 ? (size_t)written : 0;
	}
	return true;
}

bool capture_spill(struct capture *c)
{
	char piece[PIECE_BYTES];
	uint64_t done = 0;
	if (!capture_has_outlet(c) || c->outlet->live || c->in_file || c->error)
		return false;
	if (!capture_outlet_open(c)) {
		capture_outlet_forget(c);
		return false;
	}
	c->in_file = true;
	while (done < c->kept && !c->error) {
		ssize_t n = pread(c->file, piece, sizeof piece, (off_t)done);
		if (n <= 0 || !capture_write_at(c->outlet_fd, piece, (size_t)n, done))
			c->error = n == 0 ? EIO : errno;
		done += n > 0 ? (uint64_t)n : 0;
	}
	return c->error == 0;
}

void capture_say_error(const struct capture *c, char *ret, size_t size)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", c->outlet_fd);
	ssize_t n = c->in_file ? readlink(link, path, sizeof path - 1) : 0;
	path[n > 0 ? n : 0] = 0;
	char *name = strrchr(path, '/');
	if (name)
		*name = 0;
	if (name)
		snprintf(ret, size,
		    "in %s, the directory for long output: %s; free some there, "
		    "or name another one: --tmpdir DIR",
		    path[0] ? path : "/", strerror(c->error));
	else
		snprintf(ret, size, "in memory: %s", strerror(c->error));
}

/* ---- the pipe ---- */

bool capture_open(struct capture *c)
{
	int ends[2];
	if (c->path) { /* each write goes behind the last one: both streams may have one file */
		c->theirs =
		    open(c->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
		return c->theirs >= 0;
	}
	bool stale = capture_has_outlet(c) && word_attempt(c->call->word) > 1;
	if ((capture_is_live(c) || stale) && !capture_outlet_open(c))
		capture_outlet_forget(c);
	if (capture_is_live(c)) {
		c->theirs = c->outlet_fd;
		c->outlet_fd = -1;
		return true;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	c->pipe = ends[0];
	c->theirs = ends[1];
	return true;
}

static int capture_open_file(const struct capture *c)
{
	char name[COMMAND_STREAM_BYTES];
	const struct plm_call *call = c->call;
	uint32_t index = record_index(&call->rt->tables, call->record);
	command_stream_name(record_ref(index, word_generation(call->word)),
	    word_attempt(call->word), c->stream, name);
	return memfd_create(name, MFD_CLOEXEC);
}

static void capture_keep(struct capture *c, const char *data, size_t n)
{
	if (!c->in_file && c->kept + n > MEMORY_BYTES)
		capture_spill(c);
	uint64_t cap = c->cap ? c->cap : capture_has_outlet(c) ? UINT64_MAX : COMMAND_CAP_DEFAULT;
	uint64_t room = cap - c->kept;
	size_t length = n < room ? n : (size_t)room;
	if (length == 0 || c->error)
		return;
	if (c->file < 0)
		c->file = capture_open_file(c);
	int to = c->in_file ? c->outlet_fd : c->file;
	if (to >= 0 && capture_write_at(to, data, length, c->kept))
		c->kept += length;
	else
		c->error = errno;
}

static void capture_remember_tail(struct capture *c, const char *data, size_t n)
{
	size_t room = sizeof c->tail, old = c->tail_bytes;
	size_t fresh = n < room ? n : room;
	size_t stay = old < room - fresh ? old : room - fresh;
	memmove(c->tail, c->tail + old - stay, stay);
	memcpy(c->tail + stay, data + n - fresh, fresh);
	c->tail_bytes = stay + fresh;
}

static void capture_end(struct capture *c)
{
	if (c->pipe >= 0)
		close(c->pipe);
	if (c->theirs >= 0)
		close(c->theirs);
	c->pipe = c->theirs = -1;
}

void capture_take(struct capture *c)
{
	char piece[PIECE_BYTES];
	ssize_t n = read(c->pipe, piece, sizeof piece);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && !c->error)
		c->error = errno; /* further output is lost: no success */
	if (n <= 0) {
		capture_end(c);
		return;
	}
	c->came += (uint64_t)n;
	capture_keep(c, piece, (size_t)n);
	if (c->stream == STDERR_FILENO)
		capture_remember_tail(c, piece, (size_t)n);
}

void capture_drain(struct capture *c)
{
	struct pollfd readable = { .fd = c->pipe, .events = POLLIN };
	while (c->pipe >= 0 && poll(&readable, 1, 0) == 1)
		capture_take(c);
	capture_end(c);
}

bool capture_copy(const struct capture *c, char *ret, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = pread(c->file, ret + done, length - done, (off_t)done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* From the first complete line on. Bytes outside of ASCII text become "?", and "; " separates
 * lines. */
void capture_last_lines(const struct capture *c, char *ret, size_t size)
{
	const char *at = c->tail, *last = c->tail + c->tail_bytes, *line;
	while (last > at && isspace((unsigned char)last[-1]))
		last--;
	line = c->came > c->tail_bytes ? memchr(at, '\n', (size_t)(last - at)) : NULL;
	at = line ? line + 1 : at;
	size_t n = 0;
	for (; at < last && n + 3 < size; at++) {
		bool blank = *at == '\n' || *at == '\t';
		if (*at == '\n')
			ret[n++] = ';';
		ret[n++] = blank ? ' ' : *at < ' ' || *at > '~' ? '?' : *at;
	}
	ret[n] = 0;
}

void capture_close(struct capture *c)
{
	capture_end(c);
	if (c->file >= 0)
		close(c->file);
	if (c->outlet_fd >= 0)
		close(c->outlet_fd);
	c->file = c->outlet_fd = -1;
}
