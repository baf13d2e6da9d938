/* sim.h - simulates tasks on workers with a virtual clock; plm's own code places the tasks.
 *
 * A discrete-event simulation: tasks arrive, a policy chooses among the workers with room, and a
 * cpu runs each task for the task's time, at the speed of the worker's generation. Two modes:
 * `immediate`, a task goes to a worker's queue on arrival; `queued`, a task waits in a common
 * queue until a cpu is free. Nothing depends on the machine's clock: a setup gives the same
 * figures anywhere. Where: private memory. Blocks: never. Allocates: some 40 bytes for a task;
 * -ENOMEM comes with a sentence (base/why.h). */
#ifndef PLM_BENCH_SIM_H
#define PLM_BENCH_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/policy.h"

enum {
	SIM_WORKERS_MAX = 100000,
	SIM_SLOTS_MAX = 64,
	SIM_DEPTH_MAX = POLICY_SLOT, /* a part of a slot each */
	SIM_TASKS_MAX = 20000000,
	SIM_NODES_MAX = 64,
	SIM_MIX_MAX = 64,
	SIM_GENERATIONS = 4,
	SIM_NS_PER_US = 1000,
};

enum sim_runtime { SIM_CONSTANT, SIM_EXPONENTIAL, SIM_BIMODAL, SIM_PARETO, SIM_RUNTIMES };

struct sim_setup {
	uint32_t workers, slots, nodes, tasks;
	double load; /* arriving work, as a share of the capacity of all cpus; 0: all at once */
	bool immediate;
	uint32_t depth; /* immediate: tasks for which a cpu has room, the running task included */
	enum sim_runtime runtime;
	double mean_us;            /* of a task on generation 1 */
	uint32_t mix[SIM_MIX_MAX]; /* generations, dealt out to the workers in turn */
	uint32_t mix_n;
	double bytes;    /* share of tasks whose argument bytes lie with one worker */
	double transfer; /* of mean_us: time to get the bytes from another node; half as long
			  * within a node */
	uint64_t seed;
};

struct sim_task { /* as the task arrives: the same for each policy */
	uint64_t arrival_ns;
	uint64_t runtime_ns; /* on generation 1 */
	uint32_t home;       /* worker whose cache has the bytes; POLICY_NOBODY: none */
	uint32_t next;       /* in a queue */
};

struct sim_result {
	double makespan_us;
	double wait_p50_us, wait_p99_us; /* arrival to start */
	double stay_p50_us, stay_p99_us; /* arrival to end */
	double balance;                  /* busy time of the busiest worker / of the average
					  * worker */
	double most;    /* the most tasks at a worker at a time, running tasks included */
	double waiting; /* tasks in the queue for all at a time */
	double moved;   /* share of the tasks with bytes that ran away from their bytes */
};

/* The setup of a run without options. */
struct sim_setup sim_default(void);

/* 1 for generation 1: how much faster a worker is. */
double sim_speed(uint32_t generation);
uint32_t sim_weight(uint32_t generation);

/* Makes setup->tasks tasks, in order of arrival; NULL: no memory. free() the result. */
struct sim_task *sim_make_tasks(const struct sim_setup *setup);

/* Runs a policy through all tasks. 0 or -errno. */
int sim_run(const struct sim_setup *setup, const struct policy *policy, struct sim_task *tasks,
    struct sim_result *ret);

/* ---- printing ---- */

struct sim_output { /* a table on stdout, and the same rows in a CSV file if one is open */
	FILE *csv;
};

void sim_title(const struct sim_output *to, const char *title, const struct sim_setup *setup);
void sim_row(const struct sim_output *to, const char *title, const struct sim_setup *setup,
    const char *policy, const struct sim_result *result);

/* A table of one policy or, with NULL, of all. 0 or -errno. */
int sim_table(const struct sim_output *to, const char *title, const struct sim_setup *setup,
    const struct policy *policy);

/* The standard set of tables. */
int sim_standard(const struct sim_output *to, uint64_t seed);

/* The cost of a decision on this machine, by the machine's clock. */
int sim_cost(const struct sim_output *to);

/* ---- options ---- */

struct sim_request {
	struct sim_setup setup;
	const struct policy *policy; /* NULL: all */
	const char *csv_path;        /* NULL: none */
	bool standard, cost, help;
};

extern const char sim_usage[];

/* 0, or -EINVAL and a sentence. */
int sim_options(int argc, char **argv, struct sim_request *ret);

#endif
