/* modules.h - shared objects with functions, opened in our process; and modules built into plm.
 *
 * Who: a worker, after the fork and at the first use of a function; the loader (manager/loader.c),
 * to learn what a module exports. Never the manager or the scheduler: neither loads user code.
 * Blocks: in dlopen().  Death: a module that crashes while being loaded takes the process along. */
#ifndef PLM_MODULES_H
#define PLM_MODULES_H

#include "client/plm.h"
#include "tables/registry.h"

/* The registry's path for the built-in module `probe`. */
#define MODULE_BUILTIN "(built in)"

/* The registry's path for the module `py`: the extension plm._core of a Python worker has its code,
 * and a worker without an interpreter has a stand-in that fails (python_standin.c). */
#define MODULE_PYTHON "(python)"
#define MODULE_PYTHON_NAME "py"
#define MODULE_PYTHON_CALL "call"
extern const plm_module python_standin_module;

/* Makes a further built-in module known under a path, a text which no file is called. The manager,
 * which starts loader and workers, offers what they may run, before any thread opens a module.
 * Offering a path again changes nothing. */
void module_offer(const char *path, const plm_module *module);

/* Opens and checks a module, which stays open. 0, or -errno with a why: -ENOENT, -ELIBBAD (not
 * loadable), -EPROTO (no table of ours, or another ABI). */
int module_open(const char *path, const plm_module **ret);

/* Modules that are Python files (.py): in a worker with an interpreter, `run` is the code of each
 * function, and finds the function by its name. In any other worker such a task fails. */
void module_run_python(plm_function *run);

/* The code of registry functions, filled in at the first use of each module. */
struct functions {
	plm_function *code[FUNCTIONS_MAX + 1];
};
int functions_find(struct functions *functions, const struct registry *registry, uint32_t number,
    plm_function **ret);

#endif
