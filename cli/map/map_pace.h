/* map_pace.h - the longest time a job of `plmctl map` may run (--timeout): a time, or a percentage
 * of the median of the jobs that succeeded.
 * Who: one thread. */
#ifndef PLM_CLI_MAP_PACE_H
#define PLM_CLI_MAP_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_LEAST = 3, /* jobs before a median is known */ PACE_KEPT = 1024 };

struct pace { /* zeroes: no limit */
	uint64_t limit_ms;
	unsigned percent;
	uint64_t run_ms[PACE_KEPT]; /* sorted; of the first jobs that succeeded */
	unsigned jobs;
};

/* "3", "1.5s", "200%": 0, or -EINVAL with a why. */
int pace_read(const char *what, const char *text, struct pace *ret);
/* A job has succeeded after this time. */
void pace_learn(struct pace *p, uint64_t run_ms);
/* 0: no limit, or none so far. */
uint64_t pace_limit_ms(const struct pace *p);

/* Seconds without a unit, or a time as everywhere. 0, or -EINVAL with a why. */
int pace_time(const char *what, const char *text, uint64_t most_ms, uint64_t *ret_ms);

#endif
