#include "tests/support/segment_copy.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

enum { PATH_BYTES = 256, DAMAGED_WORDS_MAX = 64, HEADER_BYTES = 8192 };

unsigned char *segment_copy(const struct runtime *rt, const char *which, size_t *ret_bytes)
{
	char path[PATH_BYTES];
	struct stat st;
	runtime_segment(rt, which, path, sizeof path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	unsigned char *data = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_bytes = (size_t)st.st_size;
	return data;
}

void segment_damage(unsigned char *data, size_t bytes, uint64_t *random)
{
	uint64_t n = random_next(random) % DAMAGED_WORDS_MAX + 1;
	size_t range = random_next(random) % 4 == 0 ? HEADER_BYTES : bytes;
	for (uint64_t i = 0; i < n; i++) {
		size_t at = random_next(random) % (range - sizeof(uint64_t));
		uint64_t wild = random_next(random);
		uint64_t word = wild % 3 == 0 ? UINT64_MAX : wild % 3 == 1 ? wild : 0;
		memcpy(data + at, &word, wild % 5 == 0 ? 1 : sizeof word);
	}
}
