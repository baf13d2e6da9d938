#include "cli/trace/trace_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

enum { MODE = 0666, SUFFIX_BYTES = 24 };

static int place_failed(const char *path, const char *what, int error)
{
	return why(-error, "%s: %s: %s", path, what, strerror(error));
}

static void place_directory(const char *path, char *ret)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		snprintf(ret, PLACE_BYTES, ".");
	else
		snprintf(ret, PLACE_BYTES, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static void place_part(struct trace_place *place, bool seen)
{
	int length = PLACE_BYTES - SUFFIX_BYTES;
	if (seen)
		snprintf(place->part, PLACE_BYTES, "%.*s.part", length, place->path);
	else
		snprintf(
		    place->part, PLACE_BYTES, "%.*s.part-%d", length, place->path, (int)getpid());
}

static int place_taken(struct trace_place *place)
{
	close(place->fd);
	place->fd = -1;
	place->part[0] = 0;
	return why(-EBUSY, "%s: another plmctl writes this file", place->path);
}

bool place_is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* A new file takes the place of the file that a link leads to, not that of the link. */
static int place_resolve(struct trace_place *place, const char *path)
{
	char resolved[PATH_MAX];
	struct stat st;
	const char *end = path;
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && realpath(path, resolved))
		end = resolved;
	if (strlen(end) + SUFFIX_BYTES >= PLACE_BYTES)
		return why(-ENAMETOOLONG, "the name of the file is too long");
	if (stat(end, &st) == 0 && S_ISDIR(st.st_mode))
		return place_failed(path, "cannot write", EISDIR);
	if (place_is_special(end))
		return why(-EINVAL, "%s: is no regular file, and a recording wants one", path);
	snprintf(place->path, sizeof place->path, "%s", end);
	return 0;
}

int place_open(struct trace_place *place, const char *path, bool seen)
{
	char directory[PLACE_BYTES];
	place->fd = -1;
	place->part[0] = 0;
	int r = place_resolve(place, path);
	if (r < 0)
		return r;
	place_directory(place->path, directory);
	if (!seen)
		place->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, MODE);
	/* Some file systems, and some kernels, know no files without a name. */
	if (place->fd < 0 && (seen || errno == EOPNOTSUPP || errno == EISDIR)) {
		place_part(place, seen);
		place->fd = open(place->part, O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, MODE);
		if (place->fd >= 0 && flock(place->fd, LOCK_EX | LOCK_NB) < 0)
			return place_taken(place); /* whose name must stay */
		if (place->fd >= 0 && ftruncate(place->fd, 0) < 0)
			return place_failed(path, "cannot write", errno);
	}
	if (place->fd >= 0)
		return 0;
	place->part[0] = 0;
	return place_failed(path, "cannot write", errno);
}

static int place_name(struct trace_place *place)
{
	char self[64];
	if (place->part[0])
		return 0;
	snprintf(self, sizeof self, "/proc/self/fd/%d", place->fd);
	place_part(place, false);
	unlink(place->part); /* of a dead process with our pid */
	if (linkat(AT_FDCWD, self, AT_FDCWD, place->part, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	int error = errno;
	place->part[0] = 0;
	return place_failed(place->path, "cannot name the file", error);
}

int place_keep(struct trace_place *place)
{
	int r = place_name(place);
	if (r == 0 && rename(place->part, place->path) != 0)
		r = place_failed(place->path, "cannot name the file", errno);
	if (r == 0)
		place->part[0] = 0;
	place_drop(place);
	return r;
}

void place_drop(struct trace_place *place)
{
	if (place->part[0])
		unlink(place->part);
	if (place->fd >= 0)
		close(place->fd);
	place->fd = -1;
	place->part[0] = 0;
}
