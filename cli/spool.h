/* spool.h - what comes through a descriptor, copied to a file without a name: it can be read again,
 * from its start, by its size, and by other processes as /proc/PID/fd/N.
 *
 * The file lies in $TMPDIR, else in /tmp, and goes with the last descriptor of it, whoever dies.
 * Blocks: until the end of what is copied. */
#ifndef PLM_CLI_SPOOL_H
#define PLM_CLI_SPOOL_H

/* $TMPDIR, else /tmp. */
const char *spool_directory(void);

/* A new file without a name in this directory. -1 with errno. */
int spool_open(const char *directory);

/* A copy of all that is still to be read. 0, or -errno with a why. */
int spool_copy(int from, int *ret);

/* Which descriptor of this process a path names ("-", "/dev/stdin", "/dev/fd/N"); -1: none, the
 * path is a file. */
int stdin_descriptor(const char *word);

#endif
