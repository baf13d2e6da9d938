/* guard.h - a parent that starts the manager again when it was killed (--guard).
 *
 * It has one thread, opens nothing and maps nothing: what could kill it is a signal meant for it.
 * Death of the manager: another is forked at once, after a pause if it died young, and goes on with
 * the runtime. One that ended by itself, well or not, ends the guard with its exit code. Death of
 * the guard: the manager goes on without.
 * Blocks: for ever. */
#ifndef PLM_GUARD_H
#define PLM_GUARD_H

#include "lifecycle/options.h"

struct service {
	struct options *options;
	int ready; /* where the ready line goes */
	int log;   /* takes the place of stderr when it is out; -1: none does */
};

typedef int serve_f(const struct service *service); /* the exit code */

int guard_run(const struct service *service, serve_f *serve);

#endif
