#include "cli/outlets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/why.h"
#include "cli/spool.h"

enum { OTHER_DESCRIPTORS = 64, PAIRS_MAX = 1 << 16 };

static int outlet_why_not(const struct outlets *o, int error)
{
	return why(-error,
	    "no file for long output in %s: %s; name another directory by --tmpdir "
	    "DIR or $TMPDIR",
	    o->directory, strerror(error));
}

static int outlet_open_pair(struct outlets *o, struct outlet *outlet)
{
	*outlet = (struct outlet){ .home = o, .fd = { -1, -1 } };
	for (int i = 0; i < 2; i++)
		if ((outlet->fd[i] = spool_open(o->directory)) < 0)
			return -errno;
	return plm_command_outlet_of(outlet->fd[0], outlet->fd[1], 0, &outlet->named);
}

static void outlet_close_pair(struct outlet *outlet)
{
	for (int i = 0; i < 2; i++)
		if (outlet->fd[i] >= 0)
			close(outlet->fd[i]);
	free(outlet);
}

/* Raises the soft limit: plmctl does not use select(). */
static unsigned outlet_raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	rlim_t pairs =
	    limit.rlim_cur > 2 * OTHER_DESCRIPTORS ? (limit.rlim_cur - OTHER_DESCRIPTORS) / 2 : 1;
	return pairs < PAIRS_MAX ? (unsigned)pairs : PAIRS_MAX;
}

int outlets_open(struct outlets *o, const char *directory)
{
	struct outlet *first;
	*o = (struct outlets){ .directory = directory ? directory : spool_directory() };
	o->most = outlet_raise_limit();
	int r = outlet_take(o, &first);
	if (r == 0)
		outlet_give(first, true);
	return r;
}

bool outlets_left(const struct outlets *o)
{
	return o->taken < o->most;
}

int outlet_take(struct outlets *o, struct outlet **ret)
{
	struct outlet *outlet = o->idle;
	int r = 0;
	if (outlet) {
		o->idle = outlet->next;
	} else {
		outlet = malloc(sizeof *outlet);
		r = outlet ? outlet_open_pair(o, outlet) : -ENOMEM;
	}
	if (r < 0) {
		if (outlet)
			outlet_close_pair(outlet);
		return outlet_why_not(o, -r);
	}
	o->taken++;
	*ret = outlet;
	return 0;
}

void outlet_give(struct outlet *outlet, bool again)
{
	if (!outlet)
		return;
	struct outlets *o = outlet->home;
	o->taken--;
	for (int i = 0; i < 2 && again; i++)
		if (outlet_bytes(outlet, i + 1))
			again = ftruncate(outlet->fd[i], 0) == 0;
	if (!again) {
		outlet_close_pair(outlet);
		return;
	}
	outlet->next = o->idle;
	o->idle = outlet;
}

void outlets_close(struct outlets *o)
{
	for (struct outlet *outlet = o->idle, *next; outlet; outlet = next) {
		next = outlet->next;
		outlet_close_pair(outlet);
	}
	o->idle = NULL;
}

int outlet_fill(const struct outlet *outlet, int stream, const char *data, uint64_t length)
{
	for (uint64_t at = 0; at < length;) {
		ssize_t n = pwrite(outlet->fd[stream - 1], data + at, length - at, (off_t)at);
		if (n < 0 && errno != EINTR)
			return why(-errno, "writing the output of a command into a file in %s: %s",
			    outlet->home->directory, strerror(errno));
		at += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

uint64_t outlet_bytes(const struct outlet *outlet, int stream)
{
	struct stat st;
	return fstat(outlet->fd[stream - 1], &st) == 0 ? (uint64_t)st.st_size : 0;
}

ssize_t outlet_read(const struct outlet *outlet, int stream, uint64_t from, char *ret, size_t size)
{
	ssize_t n;
	do
		n = pread(outlet->fd[stream - 1], ret, size, (off_t)from);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n
		      : why(-errno, "reading what a command wrote, from a file in %s: %s",
			    outlet->home->directory, strerror(errno));
}

const char *outlet_map(const struct outlet *outlet, int stream, uint64_t *ret_length)
{
	*ret_length = outlet_bytes(outlet, stream);
	void *at = *ret_length
	    ? mmap(NULL, (size_t)*ret_length, PROT_READ, MAP_SHARED, outlet->fd[stream - 1], 0)
	    : MAP_FAILED;
	return at == MAP_FAILED ? NULL : at;
}

void outlet_unmap(const char *at, uint64_t length)
{
	union {
		const char *data;
		void *memory;
	} mapping = { .data = at };
	munmap(mapping.memory, (size_t)length);
}
