/* work.h - a task's work of a known length: so many turns of a loop that no compiler and no other
 * process can shorten. Counted, not timed: a process that was taken off its core has not worked. */
#ifndef PLM_BENCH_WORK_H
#define PLM_BENCH_WORK_H

#include <stdint.h>

static inline void work_turns(uint64_t turns)
{
	uint64_t x = turns;
	for (uint64_t i = 0; i < turns; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u; /* each needs the last */
		__asm__ volatile("" : "+r"(x));
	}
}

#endif
