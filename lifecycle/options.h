/* options.h - what a runtime is booted with: flags, else PLM_* variables, else defaults. */
#ifndef PLM_OPTIONS_H
#define PLM_OPTIONS_H

#include <stdbool.h>

#include "tables/tables.h"
#include "topology/topology.h"

struct options {
	char name[RUNTIME_NAME_BYTES];
	struct limits limits;
	const char *modules[MODULES_MAX];
	uint32_t module_count;
	enum pin pin;
	bool daemon;
};

/* 0: go on; else the exit code to end with plus 1 (so --help is 1), everything said already. */
int options_parse(int argc, char **argv, struct options *ret);

#endif
