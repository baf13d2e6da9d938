/* map_parts.h - cuts a regular file into parts of whole records without reading it: only the places
 * where parts meet are read.
 *
 * Parts begin about every --block bytes. With `forward` (--pipepart) a part ends at the first place
 * behind the block, else (--pipe) at the last place in it, as with a stream.
 * Who: one thread.  Blocks: in reading the file. */
#ifndef PLM_CLI_MAP_PARTS_H
#define PLM_CLI_MAP_PARTS_H

#include "cli/map/map_cut.h"

struct parts {
	const struct cut *cut;
	const char *name;
	int fd;
	bool forward;
	uint64_t block;
	uint64_t header_from, header_bytes;
	uint64_t at, size;
	struct text window;
};

/* The parts from the position of the descriptor on. header: as in map_stream.h, or NULL. 0, or
 * -errno with a why. */
int parts_begin(struct parts *p, int fd, const char *name, const struct cut *cut, uint64_t block,
    const char *header, bool forward);
/* 1: the next part; 0: the end; -errno with a why. */
int parts_next(struct parts *p, uint64_t *ret_from, uint64_t *ret_bytes);
void parts_end(struct parts *p);

#endif
