/* measured_runtime.h - a private runtime for one measurement, booted under a unique name, then
 * stopped.
 *
 * Where: a child process. Death: the runtime ends when this process dies; files left in /dev/shm
 * are reported and removed. Blocks: at most the deadlines in measured_runtime.c. Allocates: a
 * client handle. */
#ifndef PLM_BENCH_RUNTIME_H
#define PLM_BENCH_RUNTIME_H

#include <sys/types.h>

#include "bench/measure.h"
#include "client/plm.h"

struct runtime_options {
	const char *path; /* of the program */
	unsigned workers;
	const char *store;   /* as for --store; NULL: the default */
	unsigned long tasks; /* 0: the default */
	unsigned processes;  /* 0: the default */
	const char *state;   /* as for --state; NULL: no journal */
	bool guard;          /* a guard starts the manager again after a kill */
	bool quiet;          /* log lines are expected and not shown */
};

struct runtime {
	char name[32];
	pid_t pid; /* of the manager, or of the guard; 0: none */
	plm *client;
};

/* Boots, waits for the ready line, connects. 0 or -errno, said on stderr; then nothing is left. */
int runtime_start(const struct runtime_options *options, struct runtime *ret);
void runtime_stop(struct runtime *runtime);

/* Kills a manager that has no guard; returns when the manager is dead. The members live on. */
void runtime_behead(struct runtime *runtime);
/* Boots the next manager under the same name and waits for the ready line. 0 or -errno. */
int runtime_take_over(const struct runtime_options *options, struct runtime *runtime);

/* Start, body, stop. 0 or the first error. */
int runtime_with(const struct runtime_options *options,
    int (*body)(struct runtime *runtime, void *context), void *context);

int runtime_load_bench(struct runtime *runtime); /* mod_bench.c, built beside this program */

/* Bytes of memory that the control segment has; negative: no such segment. */
long long runtime_control_bytes(const struct runtime *runtime);

/* Submits a task with one text argument and waits for the value, which the caller releases; the
 * hold ends with the runtime. 0 or -errno, reported on stderr. */
int runtime_call(
    struct runtime *runtime, const char *function, const char *argument, plm_view *ret);

#endif
