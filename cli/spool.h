/* spool.h - copies a descriptor to a file without a name. The copy has a size, can be read
 * several times from the start, and by other processes as /proc/PID/fd/N.
 *
 * The file lies in $TMPDIR, else in /tmp, and disappears with its last descriptor, whichever
 * process dies.
 * Blocks: until the end of the input. */
#ifndef PLM_CLI_SPOOL_H
#define PLM_CLI_SPOOL_H

/* $TMPDIR, else /tmp. */
const char *spool_directory(void);

/* A new file without a name in this directory. -1 with errno. */
int spool_open(const char *directory);

/* Copies the unread rest. 0, or -errno with a why. */
int spool_copy(int from, int *ret);

/* The descriptor of this process that a path names ("-", "/dev/stdin", "/dev/fd/N"); -1: the path
 * is a file. */
int stdin_descriptor(const char *word);

#endif
