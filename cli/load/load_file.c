/* load_file.c - the lines of a task file, read again and again from a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/load/load.h"
#include "cli/spool.h"

enum { READ_BYTES = 1 << 18, BOM_BYTES = 3 };

void *grow(void *array, size_t n, size_t *room, size_t size)
{
	if (n <= *room)
		return array;
	size_t more = *room ? *room * 2 : 16;
	if (more < n)
		more = n;
	array = realloc(array, more * size);
	if (!array)
		exit(failed(-ENOMEM, "load"));
	*room = more;
	return array;
}

/* ---- opening ---- */

/* The file is read twice. */
static int load_file_spool(struct load_file *file)
{
	int fd, r = spool_copy(file->fd, &fd);
	if (r < 0)
		return r;
	if (file->fd != STDIN_FILENO)
		close(file->fd);
	file->fd = fd;
	return 0;
}

int load_file_open(const char *path, struct load_file *ret)
{
	struct stat what;
	bool stdin_asked = strcmp(path, "-") == 0;
	*ret = (struct load_file){ .path = stdin_asked ? "stdin" : path, .fd = STDIN_FILENO };
	if (!stdin_asked)
		ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0 || fstat(ret->fd, &what) < 0)
		return why(-errno, "%s", strerror(errno));
	int r = 0;
	if (S_ISDIR(what.st_mode))
		r = why(-EISDIR, "it is a directory");
	else if (!S_ISREG(what.st_mode) || stdin_asked) /* stdin may have been read before */
		r = load_file_spool(ret);
	if (r == 0 && fstat(ret->fd, &what) == 0)
		ret->bytes = (uint64_t)what.st_size;
	load_file_seek(ret, 0, 1);
	return r;
}

void load_file_close(struct load_file *file)
{
	free(file->buffer);
	if (file->fd > STDIN_FILENO)
		close(file->fd);
}

bool load_file_unchanged(const struct load_file *file)
{
	struct stat now;
	return fstat(file->fd, &now) == 0 && (uint64_t)now.st_size == file->bytes;
}

/* ---- lines ---- */

void load_file_seek(struct load_file *file, uint64_t offset, uint64_t number)
{
	file->begin = file->end = 0;
	file->offset = offset;
	file->number = number - 1;
	file->at_end = file->torn = false;
}

/* Appends more bytes to the buffer; sets at_end at the end of the file. */
static int load_file_fill(struct load_file *file)
{
	if (file->begin > 0) {
		memmove(file->buffer, file->buffer + file->begin, file->end - file->begin);
		file->end -= file->begin;
		file->begin = 0;
	}
	file->buffer = grow(file->buffer, file->end + READ_BYTES, &file->room, 1);
	ssize_t n = pread(file->fd, file->buffer + file->end, file->room - file->end - 1,
	    (off_t)(file->offset + file->end));
	if (n < 0)
		return errno == EINTR ? 0 : why(-errno, "it cannot be read: %s", strerror(errno));
	file->end += (size_t)n;
	file->at_end = n == 0;
	return 0;
}

/* Skips the rest of a line that was too long. */
static int load_file_skip_rest(struct load_file *file)
{
	while (file->torn) {
		const char *text = file->buffer + file->begin;
		const char *newline = memchr(text, '\n', file->end - file->begin);
		size_t rest = newline ? (size_t)(newline - text) + 1 : file->end - file->begin;
		file->begin += rest;
		file->offset += rest;
		file->torn = !newline && !file->at_end;
		int r = file->torn ? load_file_fill(file) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static void load_file_give(struct load_file *file, size_t length, struct load_line *ret)
{
	char *text = file->buffer + file->begin;
	*ret = (struct load_line){
		.text = text, .length = length, .number = ++file->number, .offset = file->offset
	};
	if (file->offset == 0 && length >= BOM_BYTES && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		ret->text += BOM_BYTES;
		ret->length -= BOM_BYTES;
	}
	if (ret->length > 0 && ret->text[ret->length - 1] == '\r')
		ret->length--;
	ret->text[ret->length] = 0;
}

/* The length of the first line in the buffer; false if the buffer ends before the line. */
static bool load_file_line_ends(struct load_file *file, size_t *seen, size_t *ret_length)
{
	const char *text = file->buffer + file->begin;
	size_t there = file->end - file->begin;
	const char *newline = there > *seen ? memchr(text + *seen, '\n', there - *seen) : NULL;
	*ret_length = newline ? (size_t)(newline - text) : there;
	*seen = there;
	file->torn = !newline && there > LINE_BYTES_MAX;
	return newline || file->torn || file->at_end;
}

int load_file_next(struct load_file *file, struct load_line *ret)
{
	size_t seen = 0, length = 0;
	int r = load_file_skip_rest(file);
	while (r == 0 && !load_file_line_ends(file, &seen, &length))
		r = load_file_fill(file);
	if (r < 0)
		return r;
	bool newline = file->begin + length < file->end;
	if (length == 0 && !newline)
		return 0;
	load_file_give(file, length, ret);
	ret->too_long = length > LINE_BYTES_MAX;
	file->begin += length + newline;
	file->offset += length + newline;
	return 1;
}
