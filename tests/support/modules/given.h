/* given.h - what a test gives to the tasks of a module: arguments as text, files as shared memory.
 * Who may call: the modules of this folder, which are compiled from one source each. */
#ifndef PLM_TEST_GIVEN_H
#define PLM_TEST_GIVEN_H

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plm.h"

enum { GIVEN_BYTES = 256 };

/* The argument as a string; "" if the argument is missing or too long. */
static inline const char *given_text(plm_call *call, size_t i, char ret[GIVEN_BYTES])
{
	size_t length = 0;
	const void *data = i < plm_nargs(call) ? plm_arg_data(call, i, &length) : NULL;
	memset(ret, 0, GIVEN_BYTES);
	if (data && length < GIVEN_BYTES)
		memcpy(ret, data, length);
	return ret;
}

/* Maps a whole file; NULL: errno says why. */
static inline void *given_memory(const char *path, size_t *ret_bytes)
{
	struct stat file;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory = MAP_FAILED;
	if (fd >= 0 && fstat(fd, &file) == 0) {
		*ret_bytes = (size_t)file.st_size;
		memory = mmap(NULL, *ret_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

#endif
