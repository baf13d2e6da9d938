/* bytes.h - values that a number makes, and the number that a value makes.
 *
 * Who asks for a value and who computes it use the same two functions, so each knows what must come
 * without the other.  Where: private memory.  Blocks, allocates: never. */
#ifndef PLM_SOAK_BYTES_H
#define PLM_SOAK_BYTES_H

#include <stddef.h>
#include <stdint.h>

void bytes_fill(void *data, size_t length, uint64_t seed);
uint64_t bytes_digest(const void *data, size_t length);
/* The seed of a result, when one more input has this digest. */
uint64_t bytes_with(uint64_t seed, uint64_t digest);

enum order_fails { FAILS_NEVER, FAILS_ALWAYS, FAILS_AT_TIMES };

struct order { /* the first argument of soak.work */
	uint64_t task, seed;
	uint64_t length;  /* of its result */
	uint32_t busy_us; /* before that */
	uint32_t fails;
	int32_t code;   /* with which it does */
	uint32_t nests; /* it asks for a task of its own, and waits: one more input */
};

enum { NESTED_BYTES = 100 };
#define NESTED_SEED(order) ((order)->seed ^ 1)

#endif
