#include "cli/command_stdin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/command_objects.h"
#include "cli/spool.h"

/* As a file that others may open by our descriptor, from its start: itself, if nothing of it was
 * read yet; else a copy. */
static int command_stdin_open_for_others(int fd, int *ret)
{
	char path[64];
	struct stat st;
	if (fstat(fd, &st) < 0)
		return why(-errno, "%s", strerror(errno));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	*ret = -1;
	if (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
		*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret >= 0 ? 0 : spool_copy(fd, ret);
}

static int command_stdin_store(struct context *context, int fd, plm_ref *ret)
{
	struct stat st;
	void *data;
	size_t done = 0;
	if (fstat(fd, &st) < 0)
		return why(-errno, "%s", strerror(errno));
	size_t length = (size_t)st.st_size;
	int r = plm_create(context->rt, length, &data, ret);
	while (r == 0 && done < length) {
		ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = why(n == 0 ? -EIO : -errno, "it cannot be read: %s",
			    n == 0 ? "it became shorter meanwhile" : strerror(errno));
	}
	return r == 0 ? plm_seal(context->rt, *ret) : r;
}

/* As a path: the worker may open what we have open. */
static int command_stdin_name(struct command_request *request, int fd)
{
	if (asprintf(&request->input_path, "/proc/%d/fd/%d", (int)getpid(), fd) < 0) {
		request->input_path = NULL;
		return -ENOMEM;
	}
	request->options.input = request->input_path;
	return 0;
}

int command_stdin_take(struct context *context, struct command_request *request, bool stored)
{
	int theirs = request->options.input ? stdin_descriptor(request->options.input) : -1, fd;
	plm_ref ref;
	if (theirs < 0)
		return EXIT_FINE;
	int r = command_stdin_open_for_others(theirs, &fd);
	if (r < 0) {
		fprintf(stderr, "plmctl: --stdin %s: %s\n", request->options.input, why_text());
		return EXIT_INPUT;
	}
	if (!stored)
		r = command_stdin_name(request, fd); /* it stays open as long as we live */
	else {
		r = command_stdin_store(context, fd, &ref);
		close(fd);
		if (r == 0)
			r = command_object_add(request, PLM_COMMAND_STDIN, NULL, 0, ref);
		request->options.input = NULL;
	}
	return r < 0 ? failed(r, "--stdin") : EXIT_FINE;
}
