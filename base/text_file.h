/* text_file.h - reads a small text, as those of /proc and of cgroups.
 *
 * Where: memory of the caller.  Who: any thread.  Blocks, allocates: never. */
#ifndef PLM_TEXT_FILE_H
#define PLM_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The beginning of the file, up to size - 1 bytes, as a string; false if there is no byte. */
bool text_file_read(const char *path, char *ret, size_t size);

#endif
