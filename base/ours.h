/* ours.h - files and directories of this user alone, in places where other users may make names:
 * /dev/shm, /tmp, the directories that TMPDIR, XDG_RUNTIME_DIR or --state name.
 *
 * A name in such a place may be a trap: a link to a file of ours, a directory whose owner changes
 * the files while we work inside, a pipe that blocks the opener. So we open the last part of the
 * path without following a link, and read type, owner and mode from the open descriptor: nobody can
 * exchange the file between the look and the use. The road not taken is lstat() and then the path
 * again: an attacker has the time in between. Below a directory, use the descriptor (openat).
 *
 * Where: any process.  Blocks: never.  Allocates: the descriptor.
 * Errors: a sentence that names the path and, if another user owns the file, the user. `remedy`
 * ends the sentence and says what the caller's user can do instead. */
#ifndef PLM_OURS_H
#define PLM_OURS_H

#include <stdbool.h>

/* A regular file of this user, mode 0600 or less, with no second name. `flags` as of open(),
 * without O_TRUNC; O_CREAT makes a missing file. A descriptor, or -errno with a why. */
int ours_file(const char *path, int flags, const char *remedy);

/* A directory of this user, mode 0700 or less, safe from renames by other users (the parent is not
 * open to all, or has the sticky bit). `make` makes a missing directory. A descriptor to read the
 * directory and to reach its files, or -errno with a why. */
int ours_directory(const char *path, bool make, const char *remedy);

#endif
