/* private_runtime.h - a runtime for one command of plmctl: booted when none is up, gone when the
 * command is.
 *
 * The plm that stands beside plmctl, or is in PATH, runs below a process of its own, the guardian,
 * in a session that no terminal's keys reach. The guardian holds one end of a pipe, we the other:
 * when ours closes, because we say so or however we die, it ends the runtime at once, with all its
 * commands, and removes what is left if it had to be killed.
 * Blocks: boot, until it is ready; end, until nothing of it is left. */
#ifndef PLM_CLI_PRIVATE_RUNTIME_H
#define PLM_CLI_PRIVATE_RUNTIME_H

#include <sys/types.h>

#include "base/limits.h"

struct private_runtime { /* zeroes: there is none */
	char name[RUNTIME_NAME_BYTES];
	pid_t guardian;
	int life;  /* our end of the pipe */
	int words; /* a file in memory: what it writes to stderr */
};

/* So many workers, each for one task at a time. 0, or -errno with a why. Before any thread is
 * started. */
int private_runtime_boot(struct private_runtime *ret, unsigned workers);
/* What it has said of deaths and errors, for a message: its last lines on stderr. */
void private_runtime_say(const struct private_runtime *p);
void private_runtime_end(struct private_runtime *p);

#endif
