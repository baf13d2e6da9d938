/* standard.h - the three standard descriptors, which a program may be started without.
 *
 * A program that begins without descriptor 0, 1 or 2 gives that number to the next file it opens:
 * what it prints would go into a socket or a shared segment. Each closed number is therefore opened
 * on /dev/null before anything else is opened, in the direction that nobody uses: reading 0 and
 * writing 1 or 2 fails with EBADF, as it does when they are closed, so a lost result is an error.
 * Where: the first call of each main().  libplm cannot rely on it and moves what it opens away.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_STANDARD_H
#define PLM_STANDARD_H

void standard_open(void);

/* The same open file under a number above the standard ones, close-on-exec; the argument is closed
 * if it was one of them. Passes negative numbers on. -1 with errno if there is no descriptor. */
int standard_avoid(int fd);

#endif
