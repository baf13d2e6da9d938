#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/fleet_door.h"
#include "cli/read_stream.h"
#include "cli/result.h"

static int put_unreadable(const char *path, const char *why)
{
	fprintf(stderr, "plmctl: %s: %s\n", path, why);
	return EXIT_INPUT;
}

/* Reads a file of known size straight into the store. */
static int put_sized(struct context *context, int fd, const char *path, size_t size, plm_ref *ret)
{
	void *data;
	int r = plm_create(context->rt, size, &data, ret);
	if (r < 0)
		return failed(r, path);
	ssize_t n = read_fully(fd, data, size);
	if (n == (ssize_t)size) {
		r = plm_seal(context->rt, *ret);
		return r < 0 ? failed(r, path) : EXIT_FINE;
	}
	plm_drop(context->rt, *ret);
	return put_unreadable(path, n < 0 ? strerror((int)-n) : "it shrank while it was read");
}

static int put_stream(struct context *context, int fd, const char *path, plm_ref *ret)
{
	char *data;
	ssize_t length = read_stream(fd, SSIZE_MAX, &data);
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
	/* Bytes read by an earlier program do not count. Files of /proc report size 0: read a
	 * stream. */
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
	plm_forget(context->rt, ref); /* no user will ever learn the reference */
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
	if (code == EXIT_FINE && context->fleet)
		code = fleet_put(context, fd, path);
	else if (code == EXIT_FINE)
		code = put_descriptor(context, fd, path);
	if (!standard)
		close(fd);
	return code;
}

const struct command cmd_put = {
	.name = "put",
	.usage = "[OPTION]... FILE|-",
	.help = "store a file or stdin as an object and print its reference",
	.notes =
	    "The runtime keeps the object until `plmctl drop`. A fleet keeps up to 8 MiB, as long\n"
	    "as results.\n",
	.run = put_run,
	.fleet = true,
};
