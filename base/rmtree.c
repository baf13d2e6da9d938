#include "base/rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"

enum {
	NAME_BYTES = 32,
	PASSES_MAX =
	    1 << 16, /* so that a process which makes directories for ever cannot keep us */
};

/* A removal at work. */
struct rmtree {
	int top;
	uint64_t moved; /* directories moved up to the top */
	int error;      /* of the last failed removal */
};

/* chmod() through a descriptor, because the name may have become a link meanwhile. An O_PATH
 * descriptor needs no permission on the directory. */
static void rmtree_unlock(int parent, const char *name)
{
	char path[NAME_BYTES];
	int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	chmod(path, S_IRWXU);
	close(fd);
}

static DIR *rmtree_open(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory && fd >= 0)
		close(fd);
	return directory;
}

/* The next name in the directory, NULL at the end. */
static const char *rmtree_next(DIR *directory)
{
	const struct dirent *entry;
	do
		entry = readdir(directory);
	while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry ? entry->d_name : NULL;
}

/* False: `name` is a directory, not removed. */
static bool rmtree_file(struct rmtree *t, int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno == EISDIR)
		return false;
	t->error = errno;
	return true;
}

static void rmtree_move_up(struct rmtree *t, int parent, const char *name)
{
	char up[NAME_BYTES];
	int r;
	rmtree_unlock(parent, name); /* the kernel moves no directory that we may not write to */
	do {
		snprintf(up, sizeof up, "up-%llu", (unsigned long long)t->moved++);
		r = renameat2(parent, name, t->top, up, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	if (r < 0) {
		t->moved--;
		t->error = errno;
	}
}

/* A directory of the first level: its files go, its directories move up to the first level. */
static void rmtree_directory(struct rmtree *t, const char *name)
{
	rmtree_unlock(t->top, name);
	DIR *directory = rmtree_open(t->top, name);
	const char *entry;
	if (!directory) {
		t->error = errno;
		return;
	}
	while ((entry = rmtree_next(directory)) != NULL)
		if (!rmtree_file(t, dirfd(directory), entry))
			rmtree_move_up(t, dirfd(directory), entry);
	closedir(directory);
	if (unlinkat(t->top, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		t->error = errno;
}

static void rmtree_pass(struct rmtree *t)
{
	DIR *all = rmtree_open(t->top, ".");
	const char *entry;
	t->error = all ? 0 : errno;
	while (all && (entry = rmtree_next(all)) != NULL)
		if (!rmtree_file(t, t->top, entry))
			rmtree_directory(t, entry);
	if (all)
		closedir(all);
}

/* 0 or errno. */
static int rmtree_empty(int directory)
{
	struct rmtree t = { .top = directory };
	uint64_t moved = 0;
	for (uint32_t pass = 0; pass < PASSES_MAX; pass++) {
		rmtree_pass(&t);
		if (t.moved == moved)
			return t.error;
		moved = t.moved;
	}
	return t.error ? t.error : EBUSY;
}

static int rmtree_result(const char *name, int error)
{
	return error ? why(-error, "%s cannot be removed as a whole: %s", name, strerror(error))
		     : 0;
}

int rmtree_entries(int directory)
{
	return rmtree_result("the directory's contents", rmtree_empty(directory));
}

int rmtree_at(int directory, const char *name)
{
	struct rmtree alone = { .top = directory };
	if (rmtree_file(&alone, directory, name))
		return rmtree_result(name, alone.error);
	rmtree_unlock(directory, name);
	DIR *top = rmtree_open(directory, name);
	if (!top)
		return rmtree_result(name, errno);
	int error = rmtree_empty(dirfd(top));
	closedir(top);
	if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return rmtree_result(name, error ? error : errno);
}
