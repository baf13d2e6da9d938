/* work.h - the work of benchmark tasks: a known number of turns of a loop that no compiler can
 * shorten. Turns are counted, not timed: a process that loses the core does no work meanwhile. */
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

/* ---- a file shared by tasks and their watcher (witness.h) ---- */

struct start_record {
	int pid;           /* bench.stay: of the worker of the first start */
	uint64_t again_ns; /* bench.stay: time of the second start; CLOCK_MONOTONIC */
	uint64_t first_ns; /* bench.first: time of the very first start */
};

static inline uint64_t work_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Processor time of this thread. */
static inline uint64_t work_cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
