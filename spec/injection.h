/* injection.h - faults on purpose: the text that asks for them, and what it means for one run.
 *
 *	delay=5ms..50ms@10%, fail@1%, crash@0.1%, hang@0.01%
 *	delay=1ms@5%; gen=4: crash@1%; seed=7
 *
 * A clause holds for workers of a generation, or, without one, for those without a clause of their
 * own. At most one fault happens to a run. Which one is a function of the seed, the task and the
 * attempt, so what happened once can be had again.
 * Where: private memory; forked workers inherit it.  Blocks, allocates: never. */
#ifndef PLM_INJECTION_H
#define PLM_INJECTION_H

#include <stdint.h>

#include "spec/resources.h"

enum fault { FAULT_NONE, FAULT_DELAY, FAULT_FAIL, FAULT_CRASH, FAULT_HANG, FAULTS };

/* 100 %: chances have four decimals. */
enum { CHANCE_ALL = 1000000 };

struct injection { /* what may happen to the runs of one worker */
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

/* 0, or -EINVAL with a why that quotes the piece; *ret is written on success alone. */
int injections_parse(const char *text, struct injections *ret);

/* NULL: nothing is to happen on workers of this generation. */
const struct injection *injection_for(const struct injections *injections, uint32_t generation);

/* What happens to this run of the task. task_key: the key of its record. */
struct injected inject_draw(const struct injection *injection, uint64_t task_key, uint32_t attempt);

#endif
