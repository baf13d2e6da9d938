/* private_runtime.h - a runtime for one command of plmctl: booted when none is up, gone when the
 * command is.
 *
 * It is the plm that stands beside plmctl, or is in PATH, tied to this process (plm --tied):
 * however we end, it ends at once, with all its commands. It has a session of its own, which the
 * keys of a terminal do not reach. What stays when its manager was killed, private_runtime_end()
 * removes.
 * Blocks: boot, until it is ready; end, until nothing of it is left. */
#ifndef PLM_CLI_PRIVATE_RUNTIME_H
#define PLM_CLI_PRIVATE_RUNTIME_H

#include <sys/types.h>

#include "base/limits.h"

struct private_runtime { /* zeroes: there is none */
	char name[RUNTIME_NAME_BYTES];
	char *path; /* of plm */
	pid_t pid;  /* of the manager */
	pid_t us;   /* whom it is tied to */
	int words;  /* a file in memory: what it writes to stderr */
};

/* So many workers, each for one task at a time. 0, or -errno with a why. */
int private_runtime_boot(struct private_runtime *ret, unsigned workers);
/* What it has said of deaths and errors: its last lines, on stderr. */
void private_runtime_say(const struct private_runtime *p);
void private_runtime_end(struct private_runtime *p);

#endif
