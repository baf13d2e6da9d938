#include "command/input_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tables/command_block.h"

enum { PIPE_BYTES = 1 << 20, COPY_BYTES = 64 << 10 };

/* Reads "FROM+BYTES" into the next part. */
static int input_parts_add(struct input_parts *p, const char *text)
{
	char *end;
	uint64_t from = strtoull(text, &end, 10);
	if (p->parts == INPUT_PARTS_MAX || *end != '+')
		return -EINVAL;
	p->from[p->parts] = from;
	p->left[p->parts++] = strtoull(end + 1, &end, 10);
	return *end ? -EINVAL : 0;
}

static int input_parts_read(struct input_parts *p, const char *fields, size_t fields_bytes)
{
	const char *at = NULL, *text;
	enum command_field field;
	int r = 0;
	while (r == 0 && command_field(fields, fields_bytes, &at, &field, &text))
		if (field == COMMAND_PART)
			r = input_parts_add(p, text);
	return r;
}

int input_parts_open(struct input_parts *p, const char *fields, size_t fields_bytes, int *fd)
{
	int ends[2], r = input_parts_read(p, fields, fields_bytes);
	if (r < 0 || p->parts == 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* The kernel may give less to a user of many pipes. */
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	p->file = *fd;
	p->pipe = ends[1];
	*fd = ends[0];
	return 0;
}

void input_parts_close(struct input_parts *p)
{
	if (p->file >= 0)
		close(p->file);
	if (p->pipe >= 0)
		close(p->pipe);
	p->file = p->pipe = -1;
}

/* For a file system without splice(). Bytes the pipe does not take are read again. */
static ssize_t input_parts_copy(struct input_parts *p, uint64_t from, size_t most)
{
	char piece[COPY_BYTES];
	ssize_t n = pread(p->file, piece, most < sizeof piece ? most : sizeof piece, (off_t)from);
	return n > 0 ? write(p->pipe, piece, (size_t)n) : n;
}

static ssize_t input_parts_move(struct input_parts *p)
{
	loff_t from = (loff_t)p->from[p->part];
	uint64_t left = p->left[p->part];
	size_t most = left < PIPE_BYTES ? (size_t)left : PIPE_BYTES;
	ssize_t n = splice(p->file, &from, p->pipe, NULL, most, SPLICE_F_NONBLOCK);
	return n < 0 && errno == EINVAL ? input_parts_copy(p, p->from[p->part], most) : n;
}

/* The reader may be gone, and the file may have become shorter: both end the input. */
void input_parts_give(struct input_parts *p)
{
	while (p->pipe >= 0) {
		while (p->part < p->parts && p->left[p->part] == 0)
			p->part++;
		if (p->part == p->parts) {
			input_parts_close(p);
			return;
		}
		ssize_t n = input_parts_move(p);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			input_parts_close(p);
			return;
		}
		p->from[p->part] += (uint64_t)n;
		p->left[p->part] -= (uint64_t)n;
	}
}
