/* measure.h - the harness of the benchmarks: samples, rounds taken in turn, rows of a table.
 *
 * Where: one process, no shared memory. Blocks: as long as the rounds do. Allocates: the
 * samples; want of memory ends the program.
 *
 * Series to be compared are measured in turn, A B A B, never A A B B. On a shared machine the
 * speed drifts by more than the differences of interest, and the drift must meet both sides
 * alike. Time decides a word in a column, never an exit code. */
#ifndef PLM_BENCH_MEASURE_H
#define PLM_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- one run of a benchmark program ---- */

struct bench {
	const char *program;
	bool quick;           /* shorter rounds, and fewer */
	const char *only;     /* the single case to run; NULL: all cases */
	const char *plm_path; /* the program that boots a runtime */
	const char *csv_path;
	unsigned workers;
	unsigned idle_s; /* 0: chosen by `quick` */
	FILE *csv;
	double load;      /* at the start: says how far the figures can be trusted */
	unsigned cores;   /* usable by this process */
	unsigned missed;  /* targets */
	char started[32]; /* UTC: the key of this run in the CSV file */
};

/* A part of a program, by name for --only. 0 or -errno, already said on stderr. */
struct bench_part {
	const char *name;
	int (*run)(struct bench *bench);
};

struct bench_program {
	const char *name;
	const char *usage;
	const struct bench_part *parts;
	size_t n;
};

/* Parses options, prints the load of the machine, then runs each part. A failing part does not
 * keep the rest from running. Returns the exit code: 0, 1 when a part failed to run, 64 for a
 * wrong option. */
int bench_main(const struct bench_program *program, int argc, char **argv);

static inline unsigned bench_choose(const struct bench *bench, unsigned full, unsigned quick)
{
	return bench->quick ? quick : full;
}

/* Prints on stderr what failed and why; returns `error`. */
int bench_failed(const char *what, int error);

/* ---- samples ---- */

struct samples {
	double *value;
	size_t n, room;
	bool sorted;
};

void samples_add(struct samples *samples, double value);
/* fraction 0: the least, 0.5: the median, 0.99: the 99th percentile, 1: the greatest. 0: empty. */
double samples_at(struct samples *samples, double fraction);
void samples_free(struct samples *samples);

/* ---- rounds in turn ---- */

/* One round, adding any number of samples. 0 or -errno. */
typedef int round_function(void *context, struct samples *ret);

struct series {
	const char *name;
	round_function *round;
	void *context;
	struct samples all;    /* of all rounds */
	struct samples rounds; /* the median of each round; the spread of the medians is the
				* noise */
};

#define SERIES(what, function, of)                                   \
	{                                                            \
		.name = (what), .round = (function), .context = (of) \
	}

/* The first round of each series warms up and is thrown away. Returns 0 or a round's error. */
int series_in_turn(struct series *series, size_t n, unsigned rounds);
void series_free(struct series *series, size_t n);

/* ---- rows ---- */

enum target_sense { TARGET_NONE, TARGET_AT_LEAST, TARGET_AT_MOST };

struct row {
	const char *name;
	const char *unit;
	double value;
	double low, high;       /* of the rounds; equal: not shown */
	const char *limit_name; /* a limit of the machine, measured in the same run */
	double limit;           /* 0: nothing to compare with */
	enum target_sense sense;
	double bound;
	bool of_ratio; /* the target speaks of value / limit, not of the value */
};

/* The value is the given quantile of all samples times `scale`; low and high span the rounds. */
struct row row_of(struct series *series, double fraction, double scale, const char *unit);
void row_print(struct bench *bench, const struct row *row);
void rows_title(const char *title);

#endif
