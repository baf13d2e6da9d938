#include "cli/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

enum { PIECE_BYTES = 1 << 18, PATH_BYTES = 4096 };

const char *spool_directory(void)
{
	const char *where = getenv("TMPDIR");
	return where && where[0] ? where : "/tmp";
}

/* Without O_TMPFILE the name is removed at once. */
int spool_open(const char *directory)
{
	char path[PATH_BYTES];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if ((size_t)snprintf(path, sizeof path, "%s/plmctl-XXXXXX", directory) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int spool_write_all(int fd, const char *data, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(fd, data, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int spool_copy_all(int from, int to)
{
	static char data[PIECE_BYTES];
	for (;;) {
		ssize_t n = read(from, data, sizeof data);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why(-errno, "it cannot be read: %s", strerror(errno));
		int r = spool_write_all(to, data, (size_t)n);
		if (r < 0)
			return why(r,
			    "it cannot be copied to a file in %s: %s: let TMPDIR name a "
			    "directory with more room",
			    spool_directory(), strerror(-r));
	}
}

int spool_copy(int from, int *ret)
{
	int fd = spool_open(spool_directory());
	if (fd < 0)
		return why(-errno,
		    "it cannot be copied: no file can be made in %s: %s: let TMPDIR "
		    "name another directory",
		    spool_directory(), strerror(errno));
	int r = spool_copy_all(from, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

int stdin_descriptor(const char *word)
{
	static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
	if (strcmp(word, "-") == 0 || strcmp(word, "/dev/stdin") == 0)
		return STDIN_FILENO;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		size_t n = strlen(folders[i]);
		char *end;
		if (strncmp(word, folders[i], n) != 0 || word[n] < '0' || word[n] > '9')
			continue;
		long fd = strtol(word + n, &end, 10);
		if (*end == 0 && fd <= INT16_MAX)
			return (int)fd;
	}
	return -1;
}
