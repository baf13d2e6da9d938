#include "cli/map/map_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/map/map_stream.h"

enum { WINDOW_BYTES = 16 << 10 };

/* ---- the window ---- */

/* Reads bytes of the file into the window, behind the bytes there. Fewer: the file has ended. */
static int parts_read(struct parts *p, uint64_t from, size_t bytes)
{
	text_reserve(&p->window, p->window.length + bytes + 1);
	p->window.data[p->window.length + bytes] = 0; /* as in map_stream.c */
	while (bytes) {
		ssize_t n = pread(p->fd, p->window.data + p->window.length, bytes, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why(-EIO, "cannot read %s: %s", p->name, strerror(errno));
		if (n == 0)
			return 0;
		p->window.length += (size_t)n;
		from += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static size_t parts_piece(uint64_t left)
{
	return left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
}

/* ---- begin and end ---- */

static int parts_take_header(struct parts *p, const char *header)
{
	long n = CUT_NOWHERE;
	p->header_from = p->at;
	while (header && n == CUT_NOWHERE && p->at + p->window.length < p->size) {
		uint64_t from = p->at + p->window.length;
		int r = parts_read(p, from, parts_piece(p->size - from));
		if (r < 0)
			return r;
		n = header_length(header, p->window.data, p->window.length);
		if (n < CUT_NOWHERE)
			return (int)n;
	}
	p->header_bytes = n > 0 ? (uint64_t)n : 0;
	p->at += p->header_bytes;
	return 0;
}

int parts_begin(struct parts *p, int fd, const char *name, const struct cut *cut, uint64_t block,
    const char *header, bool forward)
{
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);
	*p = (struct parts){
		.cut = cut, .name = name, .fd = fd, .forward = forward, .block = block
	};
	if (at < 0 || fstat(fd, &st) < 0)
		return why(-errno, "%s: %s", name, strerror(errno));
	p->at = (uint64_t)at;
	p->size = (uint64_t)st.st_size;
	return parts_take_header(p, header);
}

void parts_end(struct parts *p)
{
	text_free(&p->window);
}

/* ---- places ---- */

/* The first place from a byte on; UINT64_MAX: none. */
static int parts_find_first(struct parts *p, uint64_t from, uint64_t *ret)
{
	p->window.length = 0;
	*ret = UINT64_MAX;
	for (uint64_t to = from; to < p->size; to += WINDOW_BYTES) {
		int r = parts_read(p, to, parts_piece(p->size - to));
		if (r < 0)
			return r;
		long n = cut_first(p->cut, p->window.data, p->window.length);
		if (n != CUT_NOWHERE) {
			*ret = from + (uint64_t)n;
			return 0;
		}
		size_t overlap = cut_overlap(p->cut);
		if (overlap && p->window.length > overlap) {
			size_t gone = p->window.length - overlap;
			memmove(p->window.data, p->window.data + gone, overlap);
			p->window.length = overlap;
			from += gone;
		}
	}
	return 0;
}

/* The last place between two bytes, behind the first; UINT64_MAX: none. */
static int parts_find_last(struct parts *p, uint64_t from, uint64_t to, uint64_t *ret)
{
	*ret = UINT64_MAX;
	for (uint64_t end = to; end > from;) {
		size_t piece = parts_piece(end - from);
		uint64_t begin = end - piece;
		size_t more =
		    end + cut_overlap(p->cut) < to ? cut_overlap(p->cut) : (size_t)(to - end);
		p->window.length = 0;
		int r = parts_read(p, begin, piece + more);
		if (r < 0)
			return r;
		long n = cut_last(p->cut, p->window.data, p->window.length);
		if (n != CUT_NOWHERE) {
			*ret = begin + (uint64_t)n;
			return 0;
		}
		end = begin;
	}
	return 0;
}

static int parts_end_of_block(struct parts *p, uint64_t *ret)
{
	for (;;) {
		uint64_t to = p->at + p->block;
		*ret = p->size;
		if (to > p->size || (p->forward && to == p->size))
			return 0;
		int r =
		    p->forward ? parts_find_first(p, to, ret) : parts_find_last(p, p->at, to, ret);
		if (r < 0 || *ret != UINT64_MAX)
			return r;
		*ret = p->size;
		if (p->forward)
			return 0;
		p->block = stream_larger_block(p->block);
	}
}

int parts_next(struct parts *p, uint64_t *ret_from, uint64_t *ret_bytes)
{
	uint64_t end;
	if (p->at >= p->size)
		return 0;
	int r = parts_end_of_block(p, &end);
	if (r < 0)
		return r;
	*ret_from = p->at;
	*ret_bytes = end - p->at;
	p->at = end;
	return 1;
}
