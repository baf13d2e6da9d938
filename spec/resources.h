/* resources.h - the resources of a worker, the needs of a task, and the terms that a task runs on.
 *
 * Where: plain values. Copies in the control segment are written before they are published, and
 * never changed. Amounts are in thousandths, so half a GPU is an integer; memory is in bytes.
 * Resource 0 is cpus, 1 memory, 2 GPUs; the user who boots the runtime names resources from 3 on.
 */
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
	CPUS_MAX = 64, /* of one worker */
	GENERATIONS = 4,
	DEVICES_MAX = 64, /* GPUs of all workers together, so also the most of one worker */
	DEVICE_ID_BYTES = 64,
	PYTHONS_MAX = 5, /* interpreters: a named resource for each */
	PYTHON_PATH_BYTES = 248,
};

enum { RESOURCE_CPUS, RESOURCE_MEMORY, RESOURCE_GPUS, RESOURCE_FIRST_NAMED };

_Static_assert(PYTHONS_MAX == RESOURCES_MAX - RESOURCE_FIRST_NAMED, "a resource for each");

struct python_names { /* interpreters of Python workers; "" from the first unused number on */
	char path[PYTHONS_MAX][PYTHON_PATH_BYTES];
};

struct resource_names {
	char name[RESOURCES_MAX][RESOURCE_NAME_BYTES]; /* "" from the first unused number on */
	struct python_names pythons; /* number i has the resource "python", "python2"... */
};

struct worker_kind {         /* a group of equal workers */
	uint32_t count;      /* workers at boot */
	uint32_t generation; /* 1 to 4 */
	uint32_t cpus;       /* of each worker: tasks it runs at once, a process for each */
	uint32_t inject;     /* 1 + number of the injection, 0: none */
	uint32_t python;     /* 1 + number of the interpreter, 0: C workers */
	uint64_t amount[RESOURCES_MAX]; /* of each worker; memory 0: not bounded here */
};

struct demand { /* an alternative: all amounts from one worker, the memory from the machine */
	uint64_t amount[RESOURCES_MAX];
	uint64_t says_cpus; /* 1: the text asked for cpus; 0: one cpu, as for every task */
};

struct terms { /* what a task asks for beyond its function; equal tasks share one */
	struct demand alternative[ALTERNATIVES_MAX];
	uint32_t alternatives;               /* 0: a cpu of any worker is enough */
	uint32_t queue_ms, run_ms, total_ms; /* limits, 0: none */
	uint32_t backoff_ms,
	    backoff_max_ms; /* pause before the first retry, doubled each time; 0: none */
	uint32_t grace_ms;  /* from the request to stop to the worker's kill; 0: the default */
	uint32_t keep_ms;   /* minimum life of a kept result; 0: see retention.h */
	uint32_t replicas;  /* 0: one task. Else so many equal tasks on different workers: */
	uint32_t rank;      /* the replica's number from 1; 0: the task with the first result */
};

#endif
