/* loader_python.h - learns the functions of a Python file, which is a module of the runtime, too.
 *
 * The first interpreter of the runtime imports the file in a process of its own (plm._modules), and
 * writes a line for each function into a pipe. Importing runs code of the file, which may crash or
 * hang: the interpreter ends with the loader, as all processes that a loader has started.
 * Where: a loader process (manager/loader.h).  Blocks: until the interpreter has ended. */
#ifndef PLM_LOADER_PYTHON_H
#define PLM_LOADER_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct manager;

/* Is the path that of a Python file? */
bool loader_python_is(const char *path);

/* The name of the module, and those of its functions. 0, or -errno with a why. */
int loader_python_ask(const struct manager *m, const char *path, char name[MODULE_PATH_BYTES],
    const char *const **ret_names, uint32_t *ret_n);

#endif
