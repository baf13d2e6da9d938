/* resources.h - what a worker offers, what a task asks for, and the terms a task runs on.
 *
 * Where: plain values; those in the control segment are written before they are published and never
 * changed. Amounts are in thousandths, so that half a GPU is an integer; memory is in bytes.
 * Resource 0 is cpus, 1 memory, 2 gpus; from 3 on they are named by whoever boots the runtime. */
#ifndef PLM_RESOURCES_H
#define PLM_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RESOURCES_MAX = 8,
	RESOURCE_NAME_BYTES = 16,
	WORKER_KINDS_MAX = 16,
	ALTERNATIVES_MAX = 4,
	TERMS_MAX = 1024,
	AMOUNT_UNIT = 1000,
	SLOTS_MAX = 64, /* of one worker */
	GENERATIONS = 4,
	DEVICES_MAX = 64, /* GPUs of all workers together; no worker has more */
	DEVICE_ID_BYTES = 64,
};

enum { RESOURCE_CPUS, RESOURCE_MEMORY, RESOURCE_GPUS, RESOURCE_FIRST_NAMED };

struct resource_names {
	char name[RESOURCES_MAX][RESOURCE_NAME_BYTES]; /* "" from the first unused one on */
};

struct worker_kind {                    /* workers of one make */
	uint32_t count;                 /* of them at boot */
	uint32_t generation;            /* 1 to 4 */
	uint32_t slots;                 /* tasks each runs at once, a process for each */
	uint32_t inject;                /* 1 + number of its injection, 0: none */
	uint64_t amount[RESOURCES_MAX]; /* each has; cpus = slots; memory 0: not bounded here */
};

struct demand { /* one way to be satisfied; all of it from one worker, memory from the machine */
	uint64_t amount[RESOURCES_MAX];
	uint64_t says_cpus; /* 1: its cpus were asked for; 0: it has one because every task has */
};

struct terms { /* all that a task may ask for beyond its function: one for each combination */
	struct demand alternative[ALTERNATIVES_MAX];
	uint32_t alternatives;               /* 0: a slot of any worker is enough */
	uint32_t queue_ms, run_ms, total_ms; /* limits, 0: none */
	uint32_t backoff_ms, backoff_max_ms; /* before the first retry, doubled for each; 0: none */
	uint32_t grace_ms; /* from asking it to stop to killing its worker, 0: the default */
	uint32_t keep_ms;  /* its kept result stays so long, for certain; 0: retention.h */
	uint32_t replicas; /* 0: one run. Else so many tasks do the same, on workers apart: */
	uint32_t rank;     /* this is one of them, from 1; 0: it takes the first result */
};

#endif
