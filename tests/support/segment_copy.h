/* segment_copy.h - the bytes of a runtime's segment, and random damage to them. */
#ifndef PLM_TEST_SEGMENT_COPY_H
#define PLM_TEST_SEGMENT_COPY_H

#include "tests/support/program_runtime.h"

/* `which`: "control" or "store". The caller frees. */
unsigned char *segment_copy(const struct runtime *rt, const char *which, size_t *ret_bytes);

/* A few random bytes, words of ones and words of zeroes; a quarter of the time in the first pages,
 * on which all other tables depend. */
void segment_damage(unsigned char *data, size_t bytes, uint64_t *random);

#endif
