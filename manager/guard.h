/* guard.h - a parent process that starts the manager again when it was killed (--guard).
 *
 * The guard has one thread, opens nothing and maps nothing, so only a signal meant for it can kill
 * it.
 * Death of the manager: the guard forks another, at once or, if the manager died young, after a
 * pause, and that one resumes the runtime. A manager that cannot resume it at the moment
 * (EXIT_TRY_AGAIN: no process, no memory, no descriptor) is followed by another after a pause that
 * grows. A manager that ends by itself ends the guard with its exit code.
 * Death of the guard: the manager goes on without.
 * Blocks: for ever. */
#ifndef PLM_GUARD_H
#define PLM_GUARD_H

#include "manager/options.h"

struct service {
	struct options *options;
	int ready; /* where the ready line goes */
};

/* The exit code that tells the guard: the runtime is as it was before this manager. */
enum { EXIT_TRY_AGAIN = 79 };

typedef int serve_f(const struct service *service); /* the exit code */

int guard_run(const struct service *service, serve_f *serve);

#endif
