/* map_robin.h - spreads a stream over commands that keep running (--pipe --round-robin): each
 * command reads a pipe, and each block goes to the next command with an empty buffer.
 *
 * A thread reads the stream and writes the pipes, so that long blocks do not hold up the loop of
 * map. A command starts when a block for it is there, so a short stream starts few.
 * Who: one thread opens, asks and closes.  Blocks: robin_close(), for one read or write. */
#ifndef PLM_CLI_MAP_ROBIN_H
#define PLM_CLI_MAP_ROBIN_H

#include "cli/map/map_stream.h"

struct robin;

/* Takes the stream over. `strip`, unless NULL, removes the separators from the blocks, and lives
 * longer than the robin. 0, or -errno with a why. */
int robin_open(
    struct robin **ret, const struct stream *stream, const struct cut *strip, unsigned jobs);
/* 1: *ret is the read end of a pipe for a further command, and belongs to the caller; 0: no more
 * commands; -EAGAIN: not yet; -errno with a why: the stream cannot be read. */
int robin_next(struct robin *r, int *ret);
/* Readable when robin_next() has news. */
int robin_fd(const struct robin *r);
void robin_close(struct robin **rp);

#endif
