#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER_BYTES, "the header is one page");

static uint64_t segment_pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

static int segment_why_no_room(int fd, uint64_t wanted)
{
	struct statvfs fs;
	uint64_t avail = fstatvfs(fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
	return why(-ENOSPC,
	    "/dev/shm is full: %llu KiB wanted, %llu KiB free; free some, enlarge "
	    "it (mount -o remount,size=...), or choose a smaller --store or --tasks",
	    (unsigned long long)(wanted >> 10), (unsigned long long)(avail >> 10));
}

int segment_reserve(int fd, uint64_t offset, uint64_t bytes)
{
	struct rlimit limit;
	/* Asked first: over the limit the call would end the whole process by SIGXFSZ. */
	int r = getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + bytes > limit.rlim_cur ? EFBIG : 0;
	while (r == 0 || r == EINTR) {
		r = posix_fallocate(fd, (off_t)offset, (off_t)bytes);
		if (r == 0)
			return 0;
	}
	if (r == ENOSPC)
		return segment_why_no_room(fd, bytes);
	if (r == EFBIG)
		return why(-EFBIG,
		    "a segment of %llu KiB is over this process's file size limit "
		    "(ulimit -f)",
		    (unsigned long long)((offset + bytes) >> 10));
	return why(-r, "reserving %llu KiB of shared memory: %s", (unsigned long long)(bytes >> 10),
	    strerror(r));
}

static int segment_map(struct segment *segment)
{
	int protection = segment->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *at = mmap(NULL, segment->bytes, protection, MAP_SHARED, segment->fd, 0);
	if (at == MAP_FAILED)
		return why(-errno, "mapping %zu KiB of shared memory: %s", segment->bytes >> 10,
		    strerror(errno));
	segment->header = at;
	return 0;
}

static int segment_create_failed(const char *name)
{
	int error = errno;
	struct stat st;
	char path[128];
	snprintf(path, sizeof path, "/dev/shm%s", name);
	if (error == EEXIST && lstat(path, &st) == 0 && st.st_uid != geteuid())
		return why(-EACCES,
		    "%s belongs to user %u: choose another --name, or have it "
		    "removed",
		    path, (unsigned)st.st_uid);
	return why(-error, "creating %s: %s", path, strerror(error));
}

int segment_create(const char *name, size_t bytes, size_t reserve, struct segment *ret)
{
	struct segment s = { .bytes = bytes, .writable = true };
	s.fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s.fd < 0)
		return segment_create_failed(name);
	/* The umask may only have taken bits away; this also undoes a default ACL. */
	int r = fchmod(s.fd, 0600) < 0 || ftruncate(s.fd, (off_t)bytes) < 0 ? -errno : 0;
	if (r < 0)
		why(r, "sizing %s to %zu KiB: %s", name, bytes >> 10, strerror(-r));
	if (r == 0)
		r = segment_reserve(s.fd, 0, reserve);
	if (r == 0)
		r = segment_map(&s);
	if (r < 0) {
		close(s.fd);
		shm_unlink(name);
		return r;
	}
	*ret = s;
	return 0;
}

void segment_publish(struct segment *segment, const char *purpose, uint32_t abi, uint64_t runtime)
{
	struct segment_header *h = segment->header;
	h->version = SEGMENT_VERSION;
	h->abi = abi;
	h->bytes = segment->bytes;
	h->runtime = runtime;
	h->pid_namespace = segment_pid_namespace();
	snprintf(h->purpose, sizeof h->purpose, "%s", purpose);
	sh_store(&h->magic, SEGMENT_MAGIC); /* pairs with segment_refusal() */
}

/* Why this segment is not ours to use, NULL if it is. */
static const char *segment_refusal(const struct segment *s, const char *purpose, uint32_t abi)
{
	const struct segment_header *h = s->header;
	if (sh_load(&h->magic) != SEGMENT_MAGIC)
		return "it is not a plm segment, or not yet initialised";
	if (h->version != SEGMENT_VERSION)
		return "it was made by another version of plm";
	if (h->abi != abi)
		return "it was made by another build of plm with other record sizes";
	if (strncmp(h->purpose, purpose, sizeof h->purpose) != 0)
		return "it is a plm segment for another purpose";
	if (h->bytes != s->bytes)
		return "its size is not the size in its header: the file was cut or is damaged";
	if (s->writable && h->pid_namespace != segment_pid_namespace())
		return "it belongs to another PID namespace, where its locks cannot work";
	return NULL;
}

int segment_attach(int fd, const char *purpose, uint32_t abi, bool writable, struct segment *ret)
{
	struct segment s = { .fd = fd, .writable = writable };
	struct stat st;
	int r = fstat(fd, &st) < 0 ? why(-errno, "fstat: %s", strerror(errno)) : 0;
	if (r == 0 && st.st_size < SEGMENT_HEADER_BYTES)
		r = why(-EPROTO, "the %s segment is refused: the file is too short", purpose);
	if (r == 0) {
		s.bytes = (size_t)st.st_size;
		r = segment_map(&s);
	}
	const char *reason = r == 0 ? segment_refusal(&s, purpose, abi) : NULL;
	if (reason)
		r = why(-EPROTO, "the %s segment is refused: %s", purpose, reason);
	if (r < 0) {
		segment_detach(&s);
		return r;
	}
	*ret = s;
	return 0;
}

int segment_open(const char *name, bool writable)
{
	int fd = shm_open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	if (fd < 0)
		return why(-errno, "/dev/shm%s: %s", name, strerror(errno));
	struct stat st;
	const char *reason = NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		reason = "not a regular file";
	else if (st.st_uid != geteuid())
		reason = "it belongs to another user";
	else if (st.st_mode & 077)
		reason = "other users may open it (mode is not 0600)";
	else if (st.st_nlink != 1)
		reason = "it has a second name";
	if (!reason)
		return fd;
	close(fd);
	return why(-EACCES, "/dev/shm%s is refused: %s", name, reason);
}

void segment_detach(struct segment *segment)
{
	if (segment->header)
		munmap(segment->header, segment->bytes);
	if (segment->fd >= 0)
		close(segment->fd);
	*segment = (struct segment){ .fd = -1 };
}

void segment_unlink(const char *name)
{
	shm_unlink(name);
}

const void *segment_map_readonly(const struct segment *segment)
{
	void *at = mmap(NULL, segment->bytes, PROT_READ, MAP_SHARED, segment->fd, 0);
	return at == MAP_FAILED ? NULL : at;
}
