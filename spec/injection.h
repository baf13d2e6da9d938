/* injection.h - faults on purpose: the text that asks for faults, and the fault of a single
 *attempt.
 *
 *	delay=5ms..50ms@10%, fail@1%, crash@0.1%, hang@0.01%
 *	delay=1ms@5%; gen=4: crash@1%; seed=7
 *
 * A clause with gen=N holds for workers of the generation; a clause without gen= holds for all
 * generations that have no clause. An attempt suffers at most one fault. The fault is a
 * function of the seed, the task and the attempt, so the same run can be had again.
 * Where: private memory, which forked workers inherit.  Who may call: any thread.
 * Blocks, allocates: never. */
#ifndef PLM_INJECTION_H
#define PLM_INJECTION_H

#include <stdint.h>

#include "spec/resources.h"

enum fault { FAULT_NONE, FAULT_DELAY, FAULT_FAIL, FAULT_CRASH, FAULT_HANG, FAULTS };

/* 100 %: chances have four decimals. */
enum { CHANCE_ALL = 1000000 };

struct injection { /* the possible faults of a worker's attempts */
	uint64_t seed;
	uint64_t delay_min_ns, delay_max_ns;
	uint32_t chance[FAULTS]; /* of CHANCE_ALL */
};

struct injections {
	struct injection of_generation[GENERATIONS]; /* 1 is the first */
};

struct injected {
	enum fault fault;
	uint64_t delay_ns; /* of FAULT_DELAY */
};

/* 0, or -EINVAL with a why that quotes the wrong piece; *ret is written on success alone. */
int injections_parse(const char *text, struct injections *ret);

/* NULL: workers of this generation suffer no fault. */
const struct injection *injection_for(const struct injections *injections, uint32_t generation);

/* The fault of this attempt. task_key: the key of the task's record. */
struct injected inject_draw(const struct injection *injection, uint64_t task_key, uint32_t attempt);

#endif
