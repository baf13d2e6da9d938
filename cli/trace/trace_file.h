/* trace_file.h - an output file that is there as a whole or not at all (trace_place.h), packed by
 * zlib if wanted; or stdout, a device, a pipe, which are written at once.
 *
 * The first failure (a full disk) is kept: everything after does nothing, and trace_file_close()
 * returns the error.
 * Who: one thread.  Blocks: in file output. */
#ifndef PLM_TRACE_FILE_H
#define PLM_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct trace_file;
/* path "-": stdout. 0, or -errno with a why. */
int trace_file_open(struct trace_file **ret, const char *path, bool packed);
void trace_file_write(struct trace_file *file, const void *data, size_t length);
int trace_file_error(const struct trace_file *file);
/* With keep: gives the file its name. Else, and after a failure, nothing is left. 0 or the first
 * -errno, with a why. */
int trace_file_close(struct trace_file **file, bool keep);

#endif
