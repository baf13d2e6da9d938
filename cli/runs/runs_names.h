/* runs_names.h - names of functions by number, as events bring them. (And the names of the endings
 * of runs.h.)
 * Who: one thread.  Allocates: a table up to the largest number; wild numbers have no name. */
#ifndef PLM_RUNS_NAMES_H
#define PLM_RUNS_NAMES_H

#include <stdint.h>

#include "cli/runs/runs.h"

struct run_names {
	char (*name)[RUN_NAME_BYTES];
	uint32_t size;
};

/* The first name of a number stays; without memory there is no name. */
void names_learn(struct run_names *names, uint32_t number, const char *name);
const char *names_of(const struct run_names *names, uint32_t number); /* "": unknown */
void names_free(struct run_names *names);

#endif
