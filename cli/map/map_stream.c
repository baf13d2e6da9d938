#include "cli/map/map_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/why.h"
#include "cli/map/map_regex.h"

enum { READ_BYTES = 256 << 10, PIPE_BYTES = 1 << 20 };

/* ---- the header ---- */

static long stream_header_lines(const char *data, size_t length, unsigned long lines)
{
	const char *at = data, *end = data + length;
	for (; lines; lines--) {
		const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!newline)
			return CUT_NOWHERE;
		at = newline + 1;
	}
	return at - data;
}

long header_length(const char *header, const char *data, size_t length)
{
	char *end;
	unsigned long lines = strtoul(header, &end, 10);
	if (strcmp(header, ":") == 0 || (header[0] >= '0' && header[0] <= '9' && !*end))
		return stream_header_lines(data, length, header[0] == ':' ? 1 : lines);
	regex_t regex;
	if (regex_make(&regex, "--header", header, 0) < 0)
		return -EINVAL;
	regmatch_t match = { .rm_eo = (regoff_t)length };
	bool found =
	    regexec(&regex, data ? data : "", 1, &match, REG_STARTEND) == 0 && match.rm_so == 0;
	regfree(&regex);
	return found ? (long)match.rm_eo : CUT_NOWHERE;
}

/* ---- reading ---- */

void stream_begin(struct stream *s, int fd, const char *name, const struct cut *cut, uint64_t block,
    const char *header)
{
	struct stat st;
	*s = (struct stream){ .cut = cut,
		.name = name,
		.fd = fd,
		.header_of = header,
		.block = block,
		.most = block };
	s->ready_always = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (!s->ready_always)
		fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* fewer turns; refused for other than pipes */
}

void stream_end(struct stream *s)
{
	text_free(&s->buffer);
	text_free(&s->header);
}

/* Moves the rest to the front of the buffer, before more is read. */
static void stream_compact(struct stream *s)
{
	if (s->at == 0)
		return;
	s->buffer.length -= s->at;
	memmove(s->buffer.data, s->buffer.data + s->at, s->buffer.length);
	s->at = 0;
}

/* 1: bytes came, or the end; -EAGAIN: not yet. */
static int stream_read(struct stream *s)
{
	struct pollfd readable = { .fd = s->fd, .events = POLLIN };
	if (!s->ready_always && poll(&readable, 1, 0) == 0)
		return -EAGAIN;
	stream_compact(s);
	uint64_t room = s->most - s->buffer.length;
	size_t piece = room < READ_BYTES ? (size_t)room : READ_BYTES;
	text_reserve(&s->buffer, s->buffer.length + piece + 1);
	ssize_t n = read(s->fd, s->buffer.data + s->buffer.length, piece);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
		    ? -EAGAIN
		    : why(-EIO, "cannot read from %s: %s", s->name, strerror(errno));
	s->ended = n == 0;
	s->buffer.length += (size_t)n;
	s->buffer.data[s->buffer.length] = 0; /* AddressSanitizer wants a string in regexec() */
	return 1;
}

uint64_t stream_larger_block(uint64_t block)
{
	return block + (block * 3 + 9) / 10 + 1;
}

/* The buffer is filled to a whole number of blocks. */
static void stream_want_more(struct stream *s)
{
	uint64_t there = s->buffer.length - s->at;
	s->most = there - there % s->block + s->block;
}

static int stream_fill(struct stream *s)
{
	while (!s->ended && s->buffer.length - s->at < s->most) {
		int r = stream_read(s);
		if (r < 0)
			return r;
	}
	return 1;
}

static int stream_take_header(struct stream *s)
{
	while (s->header_of) {
		long n = header_length(s->header_of, s->buffer.data, s->buffer.length);
		if (n >= 0) {
			text_add(&s->header, s->buffer.data, (size_t)n);
			s->at = (size_t)n;
		}
		if (n >= 0 || s->ended)
			s->header_of = NULL;
		else if (n != CUT_NOWHERE)
			return (int)n;
		if (!s->header_of)
			break;
		if (s->buffer.length == s->most)
			stream_want_more(s);
		int r = stream_read(s);
		if (r < 0)
			return r;
	}
	return 1;
}

/* ---- cutting ---- */

/* The length of the next block in the full buffer; CUT_NOWHERE: read more. */
static long stream_cut(struct stream *s)
{
	const char *data = s->buffer.data + s->at;
	size_t length = s->buffer.length - s->at;
	s->tried = length;
	if (s->ended && !cut_counts(s->cut))
		return (long)length;
	long n = length ? cut_block(s->cut, data, length) : CUT_NOWHERE;
	return n == CUT_NOWHERE && s->ended ? (long)length : n;
}

/* Is a block with a number of records possible before the buffer is full? */
static bool stream_has_news(const struct stream *s)
{
	return cut_counts_records(s->cut) && s->buffer.length - s->at != s->tried;
}

int stream_next(struct stream *s, const char **ret, size_t *ret_bytes)
{
	int r = stream_take_header(s);
	while (r > 0) {
		bool full = s->ended || s->buffer.length - s->at >= s->most;
		long n = full || stream_has_news(s) ? stream_cut(s) : CUT_NOWHERE;
		if (n >= 0) {
			*ret = s->buffer.data + s->at;
			*ret_bytes = (size_t)n;
			s->at += (size_t)n;
			s->tried = 0;
			if (!cut_counts(s->cut))
				stream_want_more(s);
			return n > 0;
		}
		if (full && s->at == 0)
			s->block = stream_larger_block(s->block);
		if (full)
			stream_want_more(s);
		r = stream_fill(s);
		if (r == -EAGAIN && stream_has_news(s))
			r = 1;
	}
	return r;
}
