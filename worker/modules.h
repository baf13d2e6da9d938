/* modules.h - shared objects with functions in them, opened in this process.
 *
 * Who: a worker, after its fork and at the first use of a function; the loader (lifecycle/), to
 * learn what a module exports. Never the manager or the scheduler: they load no user code.
 * Blocks: in dlopen().  Death: a module that crashes while it is loaded takes this process with it.
 * */
#ifndef PLM_MODULES_H
#define PLM_MODULES_H

#include "client/plm.h"
#include "tables/registry.h"

/* The path by which the registry names the built-in module `probe`. */
#define MODULE_BUILTIN "(built in)"

/* Makes a further module of this program known by a path, which is no file's. Whoever starts
 * workers offers what they may run. Before any thread opens a module; offering a path again changes
 * nothing. */
void module_offer(const char *path, const plm_module *module);

/* Opens and checks a module; it stays open. 0, or -errno with a why: -ENOENT, -ELIBBAD (not
 * loadable), -EPROTO (no table of ours in it, or one of another ABI). */
int module_open(const char *path, const plm_module **ret);

/* Code of registry functions in this process, found as they are needed. */
struct functions {
	plm_function *code[FUNCTIONS_MAX + 1];
};
int functions_find(struct functions *functions, const struct registry *registry, uint32_t number,
    plm_function **ret);

#endif
