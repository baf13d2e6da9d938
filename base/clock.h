/* clock.h - time as nanoseconds of CLOCK_MONOTONIC, and deadlines in it.
 * Blocks: never.  Allocates: never. */
#ifndef PLM_CLOCK_H
#define PLM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S ((uint64_t)1000000000)

#define DEADLINE_NEVER UINT64_MAX

static inline uint64_t clock_of(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_ns(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

/* A few milliseconds coarse and a third of the price: for beats and ages. */
static inline uint64_t clock_coarse_ns(void)
{
	return clock_of(CLOCK_MONOTONIC_COARSE);
}

/* timeout_ms < 0: for ever; 0: look once. */
static inline uint64_t deadline_after_ms(int64_t timeout_ms)
{
	return timeout_ms < 0 ? DEADLINE_NEVER : clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (
	    struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

#endif
