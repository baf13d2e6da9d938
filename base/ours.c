#include "base/ours.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

enum { MODE_BITS = 07777 };

static const char *ours_kind_name(mode_t mode)
{
	return S_ISREG(mode) ? "a regular file"
	    : S_ISDIR(mode)  ? "a directory"
	    : S_ISLNK(mode)  ? "a symbolic link"
	    : S_ISFIFO(mode) ? "a pipe"
	    : S_ISSOCK(mode) ? "a socket"
			     : "a device";
}

static int ours_judge(const char *path, const struct stat *st, mode_t type, const char *remedy)
{
	mode_t may = type == S_IFDIR ? 0700 : 0600;
	if (st->st_uid != geteuid())
		return why(-EPERM, "%s belongs to user %u, not to you: have it removed, or %s",
		    path, (unsigned)st->st_uid, remedy);
	if ((st->st_mode & S_IFMT) != type)
		return why(type == S_IFDIR ? -ENOTDIR : -EPERM,
		    "%s is not %s but %s: remove it, "
		    "or %s",
		    path, ours_kind_name(type), ours_kind_name(st->st_mode), remedy);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return why(-EPERM, "%s is open to others (mode %03o): chmod %03o it, or %s", path,
		    (unsigned)st->st_mode & MODE_BITS, (unsigned)may, remedy);
	if (type == S_IFREG && st->st_nlink > 1)
		return why(
		    -EPERM, "%s has a second name elsewhere: remove it, or %s", path, remedy);
	return 0;
}

/* A link, or a file of another user, explains a failed open() better than errno does. */
static int ours_not_opened(const char *path, mode_t type, const char *remedy)
{
	int error = errno;
	struct stat st;
	int r = lstat(path, &st) == 0 ? ours_judge(path, &st, type, remedy) : 0;
	return r < 0 ? r : why(-error, "%s: %s", path, strerror(error));
}

/* In a directory open to all without the sticky bit, any user may rename our files. */
static int ours_judge_parent(const char *path, int directory, const char *remedy)
{
	struct stat st;
	if (fstatat(directory, "..", &st, 0) < 0)
		return why(-errno, "%s: %s", path, strerror(errno));
	if (!(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX)
		return 0;
	return why(-EPERM,
	    "anybody may rename %s, for its parent directory is open to all without "
	    "the sticky bit (mode %03o): chmod +t the parent, or %s",
	    path, (unsigned)st.st_mode & MODE_BITS, remedy);
}

int ours_file(const char *path, int flags, const char *remedy)
{
	struct stat st;
	CHECK(!(flags & O_TRUNC)); /* open() would truncate before the look */
	int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0)
		return ours_not_opened(path, S_IFREG, remedy);
	int r = fstat(fd, &st) < 0 ? why(-errno, "%s: %s", path, strerror(errno))
				   : ours_judge(path, &st, S_IFREG, remedy);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int ours_directory(const char *path, bool make, const char *remedy)
{
	struct stat st;
	if (make && mkdir(path, S_IRWXU) < 0 && errno != EEXIST)
		return why(-errno, "making %s: %s", path, strerror(errno));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ours_not_opened(path, S_IFDIR, remedy);
	int r = fstat(fd, &st) < 0 ? why(-errno, "%s: %s", path, strerror(errno))
				   : ours_judge(path, &st, S_IFDIR, remedy);
	if (r == 0)
		r = ours_judge_parent(path, fd, remedy);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
