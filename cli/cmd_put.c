#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/result.h"

enum { STREAM_FIRST_BYTES = 1 << 16 };

/* Up to length bytes; fewer only at the end. -errno. */
static ssize_t put_read_fully(int fd, char *data, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = read(fd, data + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int put_unreadable(const char *path, const char *why)
{
	fprintf(stderr, "plmctl: %s: %s\n", path, why);
	return EXIT_INPUT;
}

/* A file of known size is read straight into the store: no copy of ours. */
static int put_sized(struct context *context, int fd, const char *path, size_t size, plm_ref *ret)
{
	void *data;
	int r = plm_create(context->rt, size, &data, ret);
	if (r < 0)
		return failed(r, path);
	ssize_t n = put_read_fully(fd, data, size);
	if (n == (ssize_t)size) {
		r = plm_seal(context->rt, *ret);
		return r < 0 ? failed(r, path) : EXIT_FINE;
	}
	plm_drop(context->rt, *ret);
	return put_unreadable(path, n < 0 ? strerror((int)-n) : "it shrank while it was read");
}

/* All of it, in memory that doubles: a stream does not say its length. -errno. */
static ssize_t put_read_stream(int fd, char **ret)
{
	size_t room = 0, length = 0;
	char *data = NULL;
	ssize_t n;
	do {
		room = room ? room * 2 : STREAM_FIRST_BYTES;
		char *more = room > SSIZE_MAX ? NULL : realloc(data, room);
		if (!more) {
			free(data);
			return -ENOMEM;
		}
		data = more;
		n = put_read_fully(fd, data + length, room - length);
		length += n > 0 ? (size_t)n : 0;
	} while (n >= 0 && length == room);
	if (n < 0) {
		free(data);
		return n;
	}
	*ret = data;
	return (ssize_t)length;
}

static int put_stream(struct context *context, int fd, const char *path, plm_ref *ret)
{
	char *data;
	ssize_t length = put_read_stream(fd, &data);
	if (length < 0)
		return put_unreadable(path, strerror((int)-length));
	int r = plm_put(context->rt, data, (size_t)length, ret);
	free(data);
	return r < 0 ? failed(r, path) : EXIT_FINE;
}

static int put_descriptor(struct context *context, int fd, const char *path)
{
	struct stat st;
	plm_ref ref;
	if (fstat(fd, &st) < 0)
		return put_unreadable(path, strerror(errno));
	/* What was read before us is not ours. Files of /proc say size 0 and are streams. */
	off_t at = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
	bool sized = at >= 0 && st.st_size > at;
	int code = sized ? put_sized(context, fd, path, (size_t)(st.st_size - at), &ref)
			 : put_stream(context, fd, path, &ref);
	if (code != EXIT_FINE)
		return code;
	int r = plm_keep(context->rt, ref);
	if (r < 0)
		return failed(r, path);
	print_reference(context, ref);
	if (fflush(stdout) == 0)
		return EXIT_FINE;
	r = errno;
	plm_forget(context->rt, ref); /* nobody will ever name it */
	errno = r;
	return EXIT_OURS;
}

static int put_run(struct context *context, int argc, char **argv)
{
	operands(context, argc, argv, 1, 1);
	const char *path = argv[optind];
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return put_unreadable(path, strerror(errno));
	int code = runtime(context);
	if (code == EXIT_FINE)
		code = put_descriptor(context, fd, path);
	if (!standard)
		close(fd);
	return code;
}

const struct command cmd_put = {
	.name = "put",
	.usage = "[OPTION]... FILE|-",
	.help = "store a file or stdin as an object and print its reference",
	.notes = "The runtime keeps the object until `plmctl drop`.\n",
	.run = put_run,
};
