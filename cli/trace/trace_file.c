#include "cli/trace/trace_file.h"

#include <errno.h>
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
	bool plain; /* stdout */
	struct trace_place place;
};

static void trace_file_failed(struct trace_file *file)
{
	int error = errno ? errno : EIO;
	if (!file->error)
		file->error = why(-error, "%s: cannot write: %s",
		    file->plain ? "stdout" : file->place.path, strerror(error));
}

int trace_file_open(struct trace_file **ret, const char *path, bool packed)
{
	struct trace_file *file = calloc(1, sizeof *file);
	if (!file)
		return why(-ENOMEM, "no memory for a file");
	file->plain = strcmp(path, "-") == 0;
	file->place.fd = -1;
	int r = file->plain ? 0 : place_open(&file->place, path, false);
	int fd = r < 0 ? r : dup(file->plain ? STDOUT_FILENO : file->place.fd);
	file->out = fd < 0 ? NULL : gzdopen(fd, packed ? "wb" LEVEL : "wbT");
	if (!file->out) {
		if (r == 0)
			r = why(fd < 0 ? -errno : -ENOMEM, "%s: cannot write", path);
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
