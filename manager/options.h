/* options.h - how a runtime is booted: by options, else by PLM_* variables, else by defaults. */
#ifndef PLM_OPTIONS_H
#define PLM_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/option_table.h"
#include "fleet/url.h"
#include "spec/injection.h"
#include "tables/tables.h"
#include "topology/topology.h"
#include "worker/recycle.h"

struct threshold {       /* of free memory */
	uint64_t amount; /* bytes, or hundredths of the machine's memory */
	bool percent, given;
};

enum events_wanted { EVENTS_WATCHED, EVENTS_ON }; /* in the order of --events */

struct options {
	char name[RUNTIME_NAME_BYTES];
	struct limits limits; /* limits.workers: processes that run tasks, over all kinds */
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint32_t kinds;
	struct resource_names resources;
	uint32_t spares; /* extra processes for workers with waiting tasks */
	uint32_t gpus;   /* assumed or found on the machine */
	char device[DEVICES_MAX][DEVICE_ID_BYTES]; /* the names of the GPUs */
	uint64_t memory;                           /* for all tasks together; 0: not bounded */
	struct threshold accept_free, return_free;
	struct memory_rules memory_rules; /* made of the two thresholds */
	struct retention retention;
	const char *on_finish;  /* NULL: none */
	uint32_t reserve_cores; /* left to other programs, of the cores plm may run on */
	uint32_t policy;        /* number of the policy */
	uint64_t seed;          /* of random draws */
	const char *python;     /* interpreter of all kinds without one; NULL: C workers */
	const char *preload;    /* modules that each interpreter imports first; NULL: none */
	const char *modules[MODULES_MAX];
	uint32_t module_count;
	uint64_t module_limit_ms;     /* for loading one module */
	struct injections injections; /* workers inherit them */
	enum pin pin;
	uint64_t ageing_ms;     /* 0: nothing ages */
	uint64_t hang_after_ms; /* a worker without a sign of life hangs; 0: never */
	struct recycling recycling;
	const char *state; /* the journal's directory; NULL: no journal */
	enum durability durability;
	bool durability_given;
	uint64_t history_age_ms, history_count; /* how long ended tasks stay in the journal */
	enum jobserver_form jobserver;
	struct fleet_url fleet;
	bool fleet_given;
	enum events_wanted events;
	uint64_t event_ring; /* events kept of each process */
	uint32_t ready_fd;   /* gets the ready line; 0: stdout does */
	bool quiet;          /* the log has warnings alone */
	enum log_form log;
	bool daemon;
	bool fresh;    /* remove an earlier runtime of the name, instead of resuming it */
	bool guard;    /* a parent starts plm again when plm was killed */
	bool tied;     /* the runtime ends with the starter */
	pid_t starter; /* the parent of plm */
	bool again;    /* the guard starts plm: a runtime to resume must exist */
};

#define GPUS_AS_DETECTED UINT32_MAX
#define SPARES_AS_WORKERS UINT32_MAX

/* ---- memory_thresholds.c ---- */
int threshold_parse(const char *what, const char *text, struct threshold *ret); /* 0, -EINVAL */
int victim_parse(const char *what, const char *text, uint32_t *ret);            /* 0, -EINVAL */
/* Makes the rules, after all options. 0, or -EINVAL: the thresholds contradict each other. */
int memory_plan(struct options *o);

/* ---- devices.c ---- */
int devices_plan(struct options *o); /* 0 or -EINVAL */

/* ---- interpreters.c ---- */
/* Makes the paths of interpreters absolute, and deals --python. 0 or -EINVAL. */
int interpreters_plan(struct options *o);

/* ---- jobserver_form.c ---- */
/* NULL: the form that the make of this machine knows. 0 or -EINVAL. */
int jobserver_choose(const char *what, const char *text, enum jobserver_form *ret);

/* ---- option_rows.c ---- */
extern const struct option_row option_rows[]; /* target: struct options */
/* "4", "cpus=2 x2; ...", "@FILE". 0 or -EINVAL. */
int options_set_workers(struct options *o, const char *text);

/* ---- options.c ---- */
/* Form NULL: for people; "table": for programs (option_table_list()). */
void options_print_help(const char *form);
/* 0: go on; else the exit code plus 1 (so --help is 1), after every message. */
int options_parse(int argc, char **argv, struct options *ret);

#endif
