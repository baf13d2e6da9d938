#include "cli/trace/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/why.h"
#include "cli/trace/trace_place.h"

#define LEVEL "3" /* of zlib: traces repeat themselves, and more effort gains little */

enum { BUFFER_BYTES = 1 << 17 };

struct trace_file {
	gzFile out;
	int error;
	bool plain; /* written at once */
	struct trace_place place;
};

static void trace_file_failed(struct trace_file *file)
{
	int error = errno ? errno : EIO;
	if (!file->error)
		file->error =
		    why(-error, "%s: cannot write: %s", file->place.path, strerror(error));
}

static int trace_file_plain(struct trace_file *file, const char *path)
{
	bool to_stdout = strcmp(path, "-") == 0;
	snprintf(file->place.path, sizeof file->place.path, "%s", to_stdout ? "stdout" : path);
	int fd = to_stdout ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? why(-errno, "%s: cannot write: %s", path, strerror(errno)) : fd;
}

static int trace_file_placed(struct trace_file *file, const char *path)
{
	int r = place_open(&file->place, path, false);
	int fd = r < 0 ? r : dup(file->place.fd);
	return r == 0 && fd < 0 ? why(-errno, "%s: cannot write: %s", path, strerror(errno)) : fd;
}

int trace_file_open(struct trace_file **ret, const char *path, bool packed)
{
	struct trace_file *file = calloc(1, sizeof *file);
	if (!file)
		return why(-ENOMEM, "no memory for a file");
	file->plain = strcmp(path, "-") == 0 || place_is_special(path);
	file->place.fd = -1;
	int fd = file->plain ? trace_file_plain(file, path) : trace_file_placed(file, path);
	file->out = fd < 0 ? NULL : gzdopen(fd, packed ? "wb" LEVEL : "wbT");
	if (!file->out) {
		int r = fd < 0 ? fd : why(-ENOMEM, "%s: no memory to write", path);
		if (fd >= 0)
			close(fd);
		place_drop(&file->place);
		free(file);
		return r;
	}
	gzbuffer(file->out, BUFFER_BYTES);
	*ret = file;
	return 0;
}

void trace_file_write(struct trace_file *file, const void *data, size_t length)
{
	errno = 0;
	if (!file->error && length > 0 && gzwrite(file->out, data, (unsigned)length) != (int)length)
		trace_file_failed(file);
}

int trace_file_error(const struct trace_file *file)
{
	return file->error;
}

int trace_file_close(struct trace_file **ret, bool keep)
{
	struct trace_file *file = *ret;
	*ret = NULL;
	if (!file)
		return 0;
	errno = 0;
	if (gzclose(file->out) != Z_OK)
		trace_file_failed(file);
	int error = file->error;
	if (!file->plain && keep && error == 0)
		error = place_keep(&file->place);
	else
		place_drop(&file->place);
	free(file);
	return error;
}
