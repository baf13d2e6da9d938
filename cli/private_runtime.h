/* private_runtime.h - a runtime for one command of plmctl: booted when no runtime is up, and
 * gone after the command.
 *
 * plmctl starts the plm beside its own program, or in PATH, with --tied: however plmctl ends,
 * the runtime ends at once, with all commands. The runtime has a session of its own, which the
 * keys of a terminal do not reach. private_runtime_end() removes what a killed manager left.
 * Blocks: boot, until the runtime is ready; end, until all its processes have ended. */
#ifndef PLM_CLI_PRIVATE_RUNTIME_H
#define PLM_CLI_PRIVATE_RUNTIME_H

#include <sys/types.h>

#include "base/limits.h"

struct private_runtime { /* zeroes: none */
	char name[RUNTIME_NAME_BYTES];
	char *path; /* of plm */
	pid_t pid;  /* of the manager */
	pid_t us;   /* this process */
	int words;  /* a file in memory: stderr of plm */
};

/* Boots a runtime of so many workers, each with one cpu. 0, or -errno with a why. */
int private_runtime_boot(struct private_runtime *ret, unsigned workers);
/* Prints the last lines of the log on stderr, which tell of deaths and errors. */
void private_runtime_say(const struct private_runtime *p);
void private_runtime_end(struct private_runtime *p);

#endif
