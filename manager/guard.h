/* guard.h - a parent process that starts a killed manager again (--guard).
 *
 * The guard has a single thread, opens nothing and maps nothing: only a signal can kill the guard.
 * Death of the manager: the guard forks another manager, at once or, after an early death, after a
 * pause, and the new manager resumes the runtime. A manager that cannot resume the runtime at the
 * moment (EXIT_TRY_AGAIN: no process, no memory, no descriptor) is followed by another after a
 * growing pause. An orderly end of the manager ends the guard with the same exit code.
 * Death of the guard: the manager goes on without.
 * Blocks: for ever. */
#ifndef PLM_GUARD_H
#define PLM_GUARD_H

#include "manager/options.h"

struct service {
	struct options *options;
	int ready; /* where the ready line goes */
};

/* Exit code of a manager for the guard alone: the runtime is unchanged. */
enum { EXIT_TRY_AGAIN = 79 };

typedef int serve_f(const struct service *service); /* the exit code */

int guard_run(const struct service *service, serve_f *serve);

#endif
