#include "cli/top/top_runs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"

enum { PARTS = 16, PARTS_SHIFT = 4 }; /* classes in a power of two */

/* A function without a run in a long time makes room. */
#define GONE_BELOW 0.001

#define OTHERS "(others)"

/* Of the time: no sample, but everything. */
#define ALL_SEEN 0.95

int runs_begin(struct runs *runs)
{
	runs_end(runs);
	runs->function = calloc(RUNS_FUNCTIONS, sizeof *runs->function);
	return runs->function ? 0 : why(-ENOMEM, "no memory for the run times of functions");
}

void runs_end(struct runs *runs)
{
	free(runs->function);
	*runs = (struct runs){ .functions = 0 };
}

/* Of 2^p to 2^(p+1) nanoseconds there are PARTS classes; below PARTS each number has a class. */
static unsigned runs_class(uint64_t ns)
{
	if (ns < PARTS)
		return (unsigned)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	unsigned class = (power - PARTS_SHIFT + 1) * PARTS +
	    (unsigned)(ns >> (power - PARTS_SHIFT) & (PARTS - 1));
	return class < RUNS_CLASSES ? class : RUNS_CLASSES - 1;
}

/* A place in a class: 0 the least time, 1 the greatest. */
static double runs_class_ns(unsigned class, double place)
{
	if (class < PARTS)
		return class;
	double step = ldexp(1, (int)(class / PARTS) - 1);
	return step * (PARTS + class % PARTS + place);
}

static struct runs_of *runs_find(const struct runs *runs, const char *name)
{
	for (unsigned i = 0; i < runs->functions; i++)
		if (strcmp(runs->function[i].name, name) == 0)
			return &runs->function[i];
	return NULL;
}

static struct runs_of *runs_of_name(struct runs *runs, const char *name)
{
	struct runs_of *f = runs_find(runs, name);
	if (!f && runs->functions >= RUNS_FUNCTIONS - 1)
		f = runs_find(runs, name = OTHERS);
	if (f)
		return f;
	f = &runs->function[runs->functions++];
	snprintf(f->name, sizeof f->name, "%s", name);
	return f;
}

void runs_add(struct runs *runs, const char *name, bool failed, uint64_t run_ns)
{
	struct runs_of *f = runs_of_name(runs, name);
	f->ended++;
	f->failed += failed;
	if (run_ns == 0)
		return;
	f->ran++;
	f->run_ns += (double)run_ns;
	f->of[runs_class(run_ns)]++;
}

void runs_seen(struct runs *runs, uint64_t ns)
{
	runs->seen_ns += (double)ns;
}

static void runs_fade_one(struct runs_of *f, double by)
{
	f->ended *= by;
	f->failed *= by;
	f->ran *= by;
	f->run_ns *= by;
	for (unsigned i = 0; i < RUNS_CLASSES; i++)
		f->of[i] *= (float)by;
}

void runs_fade(struct runs *runs, uint64_t ns, double rate)
{
	double by = exp(-(double)ns / (double)(RUNS_FADE_MS * NS_PER_MS));
	runs->seen_ns *= by;
	runs->counted = (runs->counted + rate * (double)ns / (double)NS_PER_S) * by;
	runs->counted_ns = (runs->counted_ns + (double)ns) * by;
	for (unsigned i = 0; i < runs->functions;) {
		struct runs_of *f = &runs->function[i];
		runs_fade_one(f, by);
		if (f->ended < GONE_BELOW) {
			*f = runs->function[--runs->functions];
			memset(&runs->function[runs->functions], 0, sizeof *f);
		} else {
			i++;
		}
	}
}

double runs_rate(const struct runs *runs, double tasks)
{
	if (runs->seen_ns <= 0)
		return 0;
	double ran = 0, in_ns = runs->seen_ns;
	for (unsigned i = 0; i < runs->functions; i++)
		ran += runs->function[i].ran;
	if (runs->seen_ns < runs->counted_ns * ALL_SEEN && ran > 0 && runs->counted > 0)
		in_ns = ran * runs->counted_ns / runs->counted;
	return tasks * (double)NS_PER_S / in_ns;
}

double runs_percentile_ns(const struct runs_of *function, double share)
{
	double all = 0, below = 0;
	for (unsigned i = 0; i < RUNS_CLASSES; i++)
		all += function->of[i];
	for (unsigned i = 0; i < RUNS_CLASSES && all > 0; i++) {
		below += function->of[i];
		if (below >= all * share)
			return runs_class_ns(i, 1 - (below - all * share) / function->of[i]);
	}
	return 0;
}
