/* standard.h - the three standard descriptors, which a program may be started without.
 *
 * A program started without descriptor 0, 1 or 2 gives the number to the next file: printed text
 * would go into a socket or a shared segment. Therefore standard_open() opens each closed number on
 * /dev/null before any other file, in the direction of no use: reading 0 and writing 1 or 2 fails
 * with EBADF, as with a closed descriptor, so a lost result is an error.
 * Where: the first call of each main().  libplm cannot rely on main(), and moves its descriptors to
 * higher numbers.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_STANDARD_H
#define PLM_STANDARD_H

void standard_open(void);

/* Moves a standard descriptor to a number above 2, close-on-exec, and closes the old number. Other
 * numbers, negative too, are returned unchanged. -1 with errno if no descriptor is free. */
int standard_avoid(int fd);

#endif
