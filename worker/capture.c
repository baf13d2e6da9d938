/* capture.c - what a command writes: through a pipe into a file in memory, up to the cap.
 *
 * A pipe, so that the cap holds whatever it writes, and it never fails or stops for it: what is
 * beyond is read and dropped. A file of this process alone: plmctl reads it through the worker's
 * descriptors while the command runs, and whoever dies, it goes. It is made when something comes:
 * most commands write nothing to stderr. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/command.h"

enum { PIECE_BYTES = 64 << 10, MARK_BYTES = 128 };

bool capture_open(struct capture *c)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	c->pipe = ends[0];
	c->theirs = ends[1];
	return true;
}

static int open_file(const struct capture *c)
{
	char name[COMMAND_STREAM_BYTES];
	const struct plm_call *call = c->call;
	uint32_t index = record_index(&call->rt->tables, call->record);
	command_stream_name(record_ref(index, word_generation(call->word)),
	    word_attempt(call->word), c->stream, name);
	return memfd_create(name, MFD_CLOEXEC);
}

static void keep(struct capture *c, const char *data, size_t n)
{
	uint64_t room = c->cap - c->kept;
	size_t length = n < room ? n : (size_t)room;
	if (length == 0 || c->error)
		return;
	if (c->file < 0)
		c->file = open_file(c);
	ssize_t written = c->file < 0 ? -1 : write(c->file, data, length);
	if (written == (ssize_t)length)
		c->kept += length;
	else
		c->error = written < 0 ? errno : ENOSPC;
}

static void remember_tail(struct capture *c, const char *data, size_t n)
{
	size_t room = sizeof c->tail, old = c->tail_bytes;
	size_t fresh = n < room ? n : room;
	size_t stay = old < room - fresh ? old : room - fresh;
	memmove(c->tail, c->tail + old - stay, stay);
	memcpy(c->tail + stay, data + n - fresh, fresh);
	c->tail_bytes = stay + fresh;
}

static void end(struct capture *c)
{
	if (c->pipe >= 0) {
		close(c->pipe);
		close(c->theirs);
	}
	c->pipe = c->theirs = -1;
}

void capture_take(struct capture *c)
{
	char piece[PIECE_BYTES];
	ssize_t n = read(c->pipe, piece, sizeof piece);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0 && !c->error)
		c->error = errno; /* what else it writes is lost: that is no success */
	if (n <= 0) {
		end(c);
		return;
	}
	c->came += (uint64_t)n;
	keep(c, piece, (size_t)n);
	if (c->stream == STDERR_FILENO)
		remember_tail(c, piece, (size_t)n);
}

void capture_drain(struct capture *c)
{
	struct pollfd readable = { .fd = c->pipe, .events = POLLIN };
	while (c->pipe >= 0 && poll(&readable, 1, 0) == 1)
		capture_take(c);
	end(c);
}

static size_t mark(const struct capture *c, char ret[MARK_BYTES])
{
	if (c->came == c->kept)
		return 0;
	return (size_t)snprintf(ret, MARK_BYTES,
	    "\n[plm: cut here: %llu bytes were kept, %llu more were dropped; see --output-cap]\n",
	    (unsigned long long)c->kept, (unsigned long long)(c->came - c->kept));
}

size_t capture_length(const struct capture *c)
{
	char text[MARK_BYTES];
	return (size_t)c->kept + mark(c, text);
}

bool capture_copy(const struct capture *c, char *ret)
{
	char text[MARK_BYTES];
	size_t done = 0;
	while (done < c->kept) {
		ssize_t n = pread(c->file, ret + done, (size_t)c->kept - done, (off_t)done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	memcpy(ret + done, text, mark(c, text));
	return true;
}

/* From the first line that is whole; what is no text becomes "?", and lines are parted by "; ". */
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
	end(c);
	if (c->file >= 0)
		close(c->file);
	c->file = -1;
}
