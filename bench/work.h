/* work.h - what tasks of the benchmarks do: work of a known length, so many turns of a loop that no
 * compiler and no other process can shorten. Counted, not timed: who was taken off its core has not
 * worked. */
#ifndef PLM_BENCH_WORK_H
#define PLM_BENCH_WORK_H

#include <stdint.h>
#include <time.h>

static inline void work_turns(uint64_t turns)
{
	uint64_t x = turns;
	for (uint64_t i = 0; i < turns; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u; /* each needs the last */
		__asm__ volatile("" : "+r"(x));
	}
}

/* ---- tasks and who watches them share a file (witness.h) ---- */

struct start_record {
	int pid;           /* bench.stay: of the worker of the first start */
	uint64_t again_ns; /* bench.stay: when the second one was; CLOCK_MONOTONIC */
	uint64_t first_ns; /* bench.first: when the first of them all started */
};

static inline uint64_t work_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
