/* options.h - what a runtime is booted with: flags, else PLM_* variables, else defaults. */
#ifndef PLM_OPTIONS_H
#define PLM_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "spec/injection.h"
#include "tables/tables.h"
#include "topology/topology.h"
#include "worker/recycle.h"

struct threshold {       /* of memory that is free */
	uint64_t amount; /* bytes, or, of what there is, hundredths */
	bool percent, given;
};

struct options {
	char name[RUNTIME_NAME_BYTES];
	struct limits limits; /* of them, workers: processes that run tasks, over all kinds */
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint32_t kinds;
	struct resource_names resources;
	uint32_t spares; /* processes that stand in for workers whose tasks wait */
	uint32_t gpus;   /* that there are said to be */
	char device[DEVICES_MAX][DEVICE_ID_BYTES]; /* what they are called */
	uint64_t memory; /* that tasks may declare together; 0: not bounded */
	struct threshold accept_free, return_free;
	struct memory_rules memory_rules; /* made of them */
	struct retention retention;
	uint32_t reserve_cores; /* of those we may run on, for others */
	uint32_t policy;        /* its number */
	uint64_t seed;          /* of what is drawn */
	const char *modules[MODULES_MAX];
	uint32_t module_count;
	uint64_t module_limit_ms;     /* that loading one may take */
	struct injections injections; /* workers inherit them */
	enum pin pin;
	uint64_t ageing_ms;     /* 0: nothing ages */
	uint64_t hang_after_ms; /* a worker without a sign of life hangs; 0: never */
	struct recycling recycling;
	const char *state; /* the journal's directory; NULL: there is no journal */
	enum durability durability;
	bool durability_given;
	uint64_t history_age_ms, history_count; /* what is kept of tasks that ended */
	enum jobserver_form jobserver;
	bool daemon;
	bool fresh;    /* what an earlier runtime of the name left is removed, not gone on with */
	bool guard;    /* a parent starts it again when it was killed */
	bool tied;     /* it ends with who started it, and its processes with it */
	pid_t starter; /* who, if tied */
	bool again;    /* the guard starts it: there must be something to go on with */
};

#define GPUS_AS_DETECTED UINT32_MAX
#define SPARES_AS_WORKERS UINT32_MAX

/* ---- memory_thresholds.c ---- */
int threshold_parse(const char *what, const char *text, struct threshold *ret); /* 0, -EINVAL */
int victim_parse(const char *what, const char *text, uint32_t *ret);            /* 0, -EINVAL */
/* Makes the rules, once all is said. 0, or -EINVAL: they contradict each other. */
int memory_plan(struct options *o);

/* ---- devices.c ---- */
int devices_plan(struct options *o); /* 0 or -EINVAL */

/* ---- jobserver.c ---- */
/* NULL: the form that the make of this machine knows. 0 or -EINVAL. */
int jobserver_choose(const char *what, const char *text, enum jobserver_form *ret);

/* 0: go on; else the exit code to end with plus 1 (so --help is 1), everything said already. */
int options_parse(int argc, char **argv, struct options *ret);

#endif
