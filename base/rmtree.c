#include "base/rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

static int remove_at(int parent, const char *name);

static int remove_entries(DIR *directory)
{
	const struct dirent *entry;
	int error = 0;
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int e = remove_at(dirfd(directory), entry->d_name);
		error = e ? e : error;
	}
	return error;
}

/* 0 or errno. */
static int remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return errno;
	fchmodat(parent, name, S_IRWXU, 0); /* one that nobody may enter is made one we may */
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	int error = remove_entries(directory);
	closedir(directory);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return error ? error : errno;
}

int rmtree(const char *path)
{
	int error = remove_at(AT_FDCWD, path);
	return error ? why(-error, "%s cannot be removed as a whole: %s", path, strerror(error))
		     : 0;
}
