/* segment.h - a POSIX shared-memory segment with a header that says what the segment is.
 *
 * Where: a name in /dev/shm, created O_EXCL with mode 0600; the first page is struct
 * segment_header.
 * Who may call: the manager creates and unlinks; members attach by an inherited or passed
 * descriptor; the dump tool opens by path. A refused attach gives the reason (why_text()).
 * Death: a creator that dies leaves a header without magic (written last), "not initialised"; the
 * next boot of the name removes the segment.
 * Blocks: never, except in posix_fallocate().  Allocates: address space. */
#ifndef PLM_SEGMENT_H
#define PLM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/steps.h"

#define SEGMENT_MAGIC UINT64_C(0x314d4c50da7a5e6d)
#define SEGMENT_VERSION 3u /* raise when any layout in any segment changes its meaning */

struct segment_header {
	shared64 magic; /* W: creator, last (release) */
	uint32_t version;
	uint32_t abi; /* struct sizes of the build: another build refuses */
	uint64_t bytes;
	uint64_t runtime;       /* the boot this segment belongs to */
	uint64_t pid_namespace; /* robust locks and pidfds work within a namespace only */
	char purpose[16];       /* "control", "store" */
};

enum { SEGMENT_HEADER_BYTES = 4096 };

struct segment {
	int fd;
	size_t bytes;
	struct segment_header *header; /* NULL: not mapped */
	bool writable;
};

/* A new zeroed segment, mapped writable; the first `reserve` bytes are reserved in memory now, the
 * rest later. Not ready before segment_publish(). 0, -EEXIST, -ENOSPC (says how much is free
 * where), -EACCES (the name belongs to another user). */
int segment_create(const char *name, size_t bytes, size_t reserve, struct segment *ret);
void segment_publish(struct segment *segment, const char *purpose, uint32_t abi, uint64_t runtime);

/* Takes over fd, also on failure. 0 or -errno: -EPROTO with the reason of refusal. */
int segment_attach(int fd, const char *purpose, uint32_t abi, bool writable, struct segment *ret);

/* Opens a name under /dev/shm; refuses anything but a regular file of this user with mode 0600.
 * Returns a descriptor or -errno. */
int segment_open(const char *name, bool writable);

void segment_detach(struct segment *segment);
void segment_unlink(const char *name);

/* A second mapping of the same bytes, read-only; NULL on failure. */
const void *segment_map_readonly(const struct segment *segment);

/* Reserves memory for [offset, offset + bytes). 0, -ENOSPC with a why. */
int segment_reserve(int fd, uint64_t offset, uint64_t bytes);

#endif
