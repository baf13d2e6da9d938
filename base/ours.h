/* ours.h - files and directories of this user alone, in places where others may make names:
 * /dev/shm, /tmp, whatever $TMPDIR, XDG_RUNTIME_DIR or --state name.
 *
 * A name in such a place may be a trap: a link to something of ours, a directory that its owner can
 * change while we work in it, a pipe that blocks whoever opens it. So the last part of the path is
 * opened without following a link, and type, owner and mode are read from the open descriptor:
 * nobody can exchange the thing between the look and the use. Not lstat() and then the path once
 * more: that leaves the time between the two. From a directory on, use its descriptor (openat).
 *
 * Where: any process.  Blocks: never.  Allocates: the descriptor.
 * Errors: a sentence that names the path and, if it is another user's, that user. `remedy` ends it:
 * what the caller's user can do instead. */
#ifndef PLM_OURS_H
#define PLM_OURS_H

#include <stdbool.h>

/* A regular file of this user, mode 0600 or less, with no second name. `flags` as of open(),
 * without O_TRUNC; with O_CREAT it is made if there is none. A descriptor, or -errno with a why. */
int ours_file(const char *path, int flags, const char *remedy);

/* A directory of this user, mode 0700 or less, which nobody else can rename (its parent is not open
 * to all, or has the sticky bit). With `make` it is made if there is none. A descriptor to read it
 * and to reach what is in it, or -errno with a why. */
int ours_directory(const char *path, bool make, const char *remedy);

#endif
