/* workload.h - what the programs of this folder share: a private runtime, a clock, rows of figures.
 *
 * A program boots a runtime for itself, which ends with the program (plm --tied). Every function
 * ends the program with a message if something fails: a workload that went wrong has no figures. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plm.h"

enum { WORKLOAD_PATIENCE_MS = 240000, WORKLOAD_CRASH_RETRIES = 50 };

struct workload {
	plm *rt;
	pid_t manager;
	char name[32];
};

/* Options of plm; NULL leaves the default of plm. */
struct workload_options {
	const char *workers, *policy, *inject, *store;
	const char *module; /* the name of a module in the directory of this program */
};

/* Boots plm of $PLM_BIN, else of the tree that this program was built in, and connects. */
void workload_boot(struct workload *w, const struct workload_options *options);
/* Disconnects and ends the runtime. */
void workload_end(struct workload *w);

_Noreturn __attribute__((format(printf, 1, 2))) void workload_fail(const char *format, ...);
/* Fails with plm_why() if r is negative. */
void workload_must(int r, const char *what);
/* The value of a future. A failed task ends the program with the message of the task. */
void workload_get(const struct workload *w, plm_ref ref, plm_view *ret);
/* A file as an object of the store, read straight into the store. */
plm_ref workload_put_file(const struct workload *w, const char *path);
void workload_wait(const struct workload *w, const plm_ref *refs, size_t n, size_t want);

/* Kills a worker process that runs a task; if none does, any worker process. */
void workload_kill_worker(const struct workload *w);
/* How many tasks the living workers of this generation have ended. */
uint64_t workload_tasks_of(const struct workload *w, unsigned generation);

/* SIZE of an option: text to a number; fails with the name of the option. */
uint64_t workload_number(const char *option, const char *text);
unsigned workload_cores(void);
double workload_now(void); /* seconds */
/* Sorts the values. */
double workload_median(double *values, size_t n);
/* A row of figures on stdout: name, value, unit. Names contain no two blanks in a row. */
__attribute__((format(printf, 3, 4))) void workload_row(
    double value, const char *unit, const char *format, ...);

#endif
