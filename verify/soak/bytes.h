/* bytes.h - makes a value from a number, and a number (a digest) from a value.
 *
 * The client that asks for a value and the task that computes the value use the same two
 * functions. So a client knows the right result without asking the task. Where: private memory.
 * Never blocks, never allocates. */
#ifndef PLM_SOAK_BYTES_H
#define PLM_SOAK_BYTES_H

#include <stddef.h>
#include <stdint.h>

void bytes_fill(void *data, size_t length, uint64_t seed);
uint64_t bytes_digest(const void *data, size_t length);
/* The seed of a result with a further input of this digest. */
uint64_t bytes_with(uint64_t seed, uint64_t digest);

enum order_fails { FAILS_NEVER, FAILS_ALWAYS, FAILS_AT_TIMES };

struct order { /* the first argument of soak.work */
	uint64_t task, seed;
	uint64_t length;  /* of the result */
	uint32_t busy_us; /* before the result */
	uint32_t fails;
	int32_t code;   /* the failure code */
	uint32_t nests; /* the task submits a task of its own and waits: one more input */
};

enum { NESTED_BYTES = 100 };
#define NESTED_SEED(order) ((order)->seed ^ 1)

#endif
