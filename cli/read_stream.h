/* read_stream.h - a descriptor read into memory, to its end.
 * Blocks: until the end of the input.  Allocates: the bytes, for the caller to free. */
#ifndef PLM_CLI_READ_STREAM_H
#define PLM_CLI_READ_STREAM_H

#include <stddef.h>
#include <sys/types.h>

/* Up to length bytes; fewer only at the end. -errno. */
ssize_t read_fully(int fd, char *data, size_t length);

/* All bytes, into memory that doubles. The length; -EFBIG: more than `most`; -errno. */
ssize_t read_stream(int fd, size_t most, char **ret);

#endif
