/* map_stream.h - reads a stream in blocks of whole records (--pipe): a header first, then blocks of
 * about --block bytes. A record longer than a block makes the block grow.
 *
 * Who: one thread.  Blocks: never on a pipe or a terminal; in reading a file. */
#ifndef PLM_CLI_MAP_STREAM_H
#define PLM_CLI_MAP_STREAM_H

#include "cli/map/map_cut.h"

struct stream {
	const struct cut *cut;
	const char *name; /* for messages */
	int fd;
	bool ready_always;     /* a file: reading it takes no waiting */
	const char *header_of; /* --header; NULL: none, or read already */
	struct text header;
	uint64_t block, most; /* bytes; read up to so many before a cut */
	struct text buffer;
	size_t at;    /* of the next block in the buffer */
	size_t tried; /* bytes in which no block was found */
	bool ended;
};

void stream_begin(struct stream *s, int fd, const char *name, const struct cut *cut, uint64_t block,
    const char *header);
/* 1: the next block, valid until the next call; 0: the end; -EAGAIN: no input yet; -errno with a
 * why. stream->header is complete before the first block. */
int stream_next(struct stream *s, const char **ret, size_t *ret_bytes);
void stream_end(struct stream *s);

/* How many bytes of the data are the header: ":", a number of lines, or a regular expression.
 * CUT_NOWHERE: more data is needed; -EINVAL with a why. */
long header_length(const char *header, const char *data, size_t length);

/* The size of blocks after a record that found no room: 30 % and a byte more, as GNU parallel. */
uint64_t stream_larger_block(uint64_t block);

#endif
