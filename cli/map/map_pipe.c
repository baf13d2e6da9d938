#include "cli/map/map_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/map/map_parts.h"
#include "cli/map/map_robin.h"
#include "cli/map/map_stream.h"

enum {
	BLOCK_BYTES = 1 << 20,
	BLOCKS_OF_JOB = 10, /* of --pipepart, as with GNU parallel */
	PATH_BYTES = 64,
};

struct pipe_feed {
	const struct pipe_plan *plan;
	struct cut *cut;
	const char *const *file;
	size_t files, at;
	uint64_t block;
	struct stream stream;
	struct parts parts;
	struct robin *robin; /* NULL: not --round-robin */
	bool by_parts, opened;
	int *fd; /* of each file: open until the end, because jobs may name them */
	char (*path)[PATH_BYTES];
	struct block *idle;
	struct text stripped;
};

bool pipe_is_wanted(const struct pipe_plan *plan)
{
	return plan->pipe || plan->part;
}

/* ---- opening ---- */

static int pipe_open_file(struct pipe_feed *p, size_t i)
{
	const char *name = p->file[i];
	bool standard = strcmp(name, "-") == 0;
	struct stat st;
	p->fd[i] = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (p->fd[i] < 0 || fstat(p->fd[i], &st) < 0)
		return why(-errno, "cannot open the input file %s: %s", name, strerror(errno));
	snprintf(p->path[i], PATH_BYTES, "/proc/%d/fd/%d", (int)getpid(), p->fd[i]);
	if (!p->plan->part || S_ISREG(st.st_mode))
		return 0;
	return why(-EINVAL, "--pipepart reads parts of regular files, and %s is none: use --pipe",
	    standard ? "stdin" : name);
}

static uint64_t pipe_all_bytes(const struct pipe_feed *p)
{
	struct stat st;
	uint64_t sum = 0;
	for (size_t i = 0; i < p->files; i++)
		sum += fstat(p->fd[i], &st) == 0 ? (uint64_t)st.st_size : 0;
	return sum;
}

static void pipe_choose_block(struct pipe_feed *p, unsigned jobs)
{
	unsigned each = p->plan->block_of_job;
	if (each == 0 && p->plan->part)
		each = BLOCKS_OF_JOB;
	p->block = p->plan->block ? p->plan->block : BLOCK_BYTES;
	if (p->plan->block == 0 && each)
		p->block = pipe_all_bytes(p) / jobs / each + 1;
}

static int pipe_open_robin(struct pipe_feed *p, unsigned jobs)
{
	const char *name = strcmp(p->file[0], "-") == 0 ? "stdin" : p->file[0];
	stream_begin(&p->stream, p->fd[0], name, p->cut, p->block, p->plan->header);
	return robin_open(&p->robin, &p->stream, p->plan->cut.remove ? p->cut : NULL, jobs);
}

int pipe_open(struct pipe_feed **ret, const struct pipe_plan *plan, const char *const *files,
    size_t count, unsigned jobs)
{
	static const char *const standard[] = { "-" };
	struct pipe_feed *p = calloc(1, sizeof *p);
	if (!p)
		return why(-ENOMEM, "no memory");
	*ret = p;
	p->plan = plan;
	p->file = count ? files : standard;
	p->files = count ? count : 1;
	p->fd = calloc(p->files, sizeof *p->fd);
	p->path = calloc(p->files, sizeof *p->path);
	int r = p->fd && p->path ? cut_make(&p->cut, &plan->cut) : why(-ENOMEM, "no memory");
	for (size_t i = 0; i < p->files && p->fd; i++)
		p->fd[i] = -1;
	for (size_t i = 0; r == 0 && i < p->files; i++)
		r = pipe_open_file(p, i);
	if (r < 0)
		return r;
	pipe_choose_block(p, jobs);
	return plan->robin ? pipe_open_robin(p, jobs) : 0;
}

/* Opens the present file as parts, if map need not see the bytes; else as a stream. */
static int pipe_begin_file(struct pipe_feed *p)
{
	struct stat st;
	int fd = p->fd[p->at];
	const char *name = strcmp(p->file[p->at], "-") == 0 ? "stdin" : p->file[p->at];
	bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	bool known = p->plan->part ? !p->plan->cut.remove : cut_is_plain(p->cut);
	p->by_parts = regular && known && !p->plan->cat;
	p->opened = true;
	if (p->by_parts)
		return parts_begin(
		    &p->parts, fd, name, p->cut, p->block, p->plan->header, p->plan->part);
	stream_begin(&p->stream, fd, name, p->cut, p->block, p->plan->header);
	return 0;
}

static void pipe_end_file(struct pipe_feed *p)
{
	if (p->opened && p->by_parts)
		parts_end(&p->parts);
	else if (p->opened)
		stream_end(&p->stream);
	p->opened = false;
}

/* ---- blocks in memory ---- */

static void pipe_free_block(struct block *block)
{
	if (block->fd >= 0)
		close(block->fd);
	free(block);
}

void block_give(struct block *block, bool again)
{
	if (!block)
		return;
	if (!again || block->fd < 0 || block->home->robin) {
		pipe_free_block(block);
		return;
	}
	block->next = block->home->idle;
	block->home->idle = block;
}

void block_path(const struct block *block, struct text *to)
{
	if (block->path)
		text_words(to, block->path);
	else
		text_format(to, "/proc/%d/fd/%d", (int)getpid(), block->fd);
}

static struct block *pipe_new_block(struct pipe_feed *p, bool memory)
{
	struct block *block = memory ? p->idle : NULL;
	if (block) {
		p->idle = block->next;
		return block;
	}
	block = calloc(1, sizeof *block);
	if (!block)
		return NULL;
	block->home = p;
	block->fd = memory ? memfd_create("plm-block", MFD_CLOEXEC) : -1;
	if (!memory || block->fd >= 0)
		return block;
	free(block);
	return NULL;
}

static int pipe_write_block(int fd, uint64_t at, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = pwrite(fd, data, bytes, (off_t)at);
		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		at += n > 0 ? (uint64_t)n : 0;
		bytes -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int pipe_fill_block(struct pipe_feed *p, struct block *block, const char *data, size_t bytes)
{
	const struct text *header = &p->stream.header;
	int r = pipe_write_block(block->fd, 0, header->data, header->length);
	if (r == 0)
		r = pipe_write_block(block->fd, header->length, data, bytes);
	block->bytes = header->length + bytes;
	if (r == 0 && ftruncate(block->fd, (off_t)block->bytes) < 0)
		r = -errno;
	return r == 0
	    ? 0
	    : why(r, "no memory for a block of %zu bytes (--block): %s", bytes, strerror(-r));
}

/* A block that is nothing but separators is no block without them. */
static int pipe_next_bytes(struct pipe_feed *p, const char **ret, size_t *ret_bytes)
{
	int r;
	do {
		r = stream_next(&p->stream, ret, ret_bytes);
		if (r <= 0 || !p->plan->cut.remove)
			return r;
		p->stripped.length = 0;
		cut_strip(p->cut, *ret, *ret_bytes, &p->stripped);
		*ret = p->stripped.data;
		*ret_bytes = p->stripped.length;
	} while (*ret_bytes == 0);
	return r;
}

static int pipe_next_stored(struct pipe_feed *p, struct block **ret)
{
	const char *data;
	size_t bytes;
	int r = pipe_next_bytes(p, &data, &bytes);
	if (r <= 0)
		return r;
	struct block *block = pipe_new_block(p, true);
	if (!block)
		return why(-EMFILE, "no file in memory for a block: %s", strerror(errno));
	r = pipe_fill_block(p, block, data, bytes);
	*ret = block;
	if (r < 0)
		pipe_free_block(block);
	return r < 0 ? r : 1;
}

/* ---- blocks of a file ---- */

static void pipe_add_part(struct block *block, uint64_t from, uint64_t bytes)
{
	block->part[2 * block->parts] = from;
	block->part[2 * block->parts++ + 1] = bytes;
}

static int pipe_next_part(struct pipe_feed *p, struct block **ret)
{
	uint64_t from, bytes;
	int r = parts_next(&p->parts, &from, &bytes);
	if (r <= 0)
		return r;
	struct block *block = pipe_new_block(p, false);
	if (!block)
		return why(-ENOMEM, "no memory");
	if (p->parts.header_bytes)
		pipe_add_part(block, p->parts.header_from, p->parts.header_bytes);
	pipe_add_part(block, from, bytes);
	block->path = p->path[p->at];
	block->bytes = p->parts.header_bytes + bytes;
	*ret = block;
	return 1;
}

/* The block of a command that keeps running is the read end of its pipe. */
static int pipe_next_robin(struct pipe_feed *p, struct block **ret)
{
	int fd, r = robin_next(p->robin, &fd);
	if (r <= 0)
		return r;
	*ret = pipe_new_block(p, false);
	if (!*ret)
		return why(-ENOMEM, "no memory");
	(*ret)->fd = fd;
	return 1;
}

int pipe_next(struct pipe_feed *p, struct block **ret)
{
	if (p->robin)
		return pipe_next_robin(p, ret);
	while (p->at < p->files) {
		int r = p->opened ? 0 : pipe_begin_file(p);
		if (r < 0)
			return r;
		r = p->by_parts ? pipe_next_part(p, ret) : pipe_next_stored(p, ret);
		if (r != 0)
			return r;
		pipe_end_file(p);
		p->at++;
	}
	return 0;
}

int pipe_fd(const struct pipe_feed *p)
{
	if (p->robin)
		return robin_fd(p->robin);
	bool waits = p->opened && !p->by_parts && !p->stream.ready_always;
	return waits ? p->stream.fd : -1;
}

void pipe_close(struct pipe_feed **pp)
{
	struct pipe_feed *p = *pp;
	*pp = NULL;
	if (!p)
		return;
	pipe_end_file(p);
	robin_close(&p->robin);
	for (struct block *block = p->idle, *next; block; block = next) {
		next = block->next;
		pipe_free_block(block);
	}
	for (size_t i = 0; i < p->files && p->fd; i++)
		if (p->fd[i] > STDERR_FILENO)
			close(p->fd[i]);
	cut_free(p->cut);
	text_free(&p->stripped);
	free(p->fd);
	free(p->path);
	free(p);
}
