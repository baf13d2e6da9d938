/* guard.h - a parent that starts the manager again when it was killed (--guard).
 *
 * It has one thread, opens nothing and maps nothing: what could kill it is a signal meant for it.
 * Death of the manager: another is forked at once, after a pause if it died young, and goes on with
 * the runtime. One that cannot go on with it for the moment (EXIT_TRY_AGAIN: no process, no memory,
 * no descriptor was to be had) is followed by another after a pause that grows. One that ended by
 * itself, well or not, ends the guard with its exit code. Death of the guard: the manager goes on
 * without.
 * Blocks: for ever. */
#ifndef PLM_GUARD_H
#define PLM_GUARD_H

#include "manager/options.h"

struct service {
	struct options *options;
	int ready; /* where the ready line goes */
};

/* Of a manager that the guard has started again, to the guard alone: the runtime is as it was. */
enum { EXIT_TRY_AGAIN = 79 };

typedef int serve_f(const struct service *service); /* the exit code */

int guard_run(const struct service *service, serve_f *serve);

#endif
