/* top_runs.h - how often functions end, how often they fail, how long they run: of late.
 *
 * Runs are added one by one, and fade: after RUNS_FADE_MS a run counts a third. So all numbers are
 * of about the last ten seconds, and a function that is called once a second does not flicker. Run
 * times fall into classes, sixteen to each power of two, so a percentile is right to 7 %.
 * Allocates: runs_begin().  Blocks: never. */
#ifndef PLM_CLI_TOP_RUNS_H
#define PLM_CLI_TOP_RUNS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RUNS_FUNCTIONS = 512, /* the last one takes all functions for which there is no room */
	RUNS_CLASSES = 768,
	RUNS_FADE_MS = 10000,
};

struct runs_of { /* a function, or a program */
	char name[64];
	double ended, failed;   /* tasks */
	double ran, run_ns;     /* tasks that ran, and how long all of them together */
	float of[RUNS_CLASSES]; /* the same, by class of run time */
};

struct runs {
	struct runs_of *function;
	unsigned functions;
	double seen_ns; /* time in which no end of a task was missed */
	double counted,
	    counted_ns; /* tasks that workers ran, by their own count, and in which time */
};

/* No run is known. 0 or -ENOMEM. */
int runs_begin(struct runs *runs);
void runs_end(struct runs *runs);
/* A task has ended; run_ns 0: it never started. */
void runs_add(struct runs *runs, const char *name, bool failed, uint64_t run_ns);
/* All ends in so much time were added. */
void runs_seen(struct runs *runs, uint64_t ns);
/* So much time has passed; workers ran so many tasks in a second of this time. */
void runs_fade(struct runs *runs, uint64_t ns, double rate);

/* Of `tasks` tasks: how many in a second. Where a sample was seen, it gives the shares of
 * functions, and the workers' own count gives the sum: top reads when it gets a cpu, which is not
 * when workers are as busy as ever. */
double runs_rate(const struct runs *runs, double tasks);
/* The run time that a share of the runs did not exceed; 0: nothing ran. */
double runs_percentile_ns(const struct runs_of *function, double share);

#endif
