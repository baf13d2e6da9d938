/* command.h - the built-in module `command`: a task which runs a program (tables/command_block.h
 * says how to ask for such a task).
 *
 * Who: the manager, for its loader and workers.
 * Where: a worker runs the functions of the module, one at a time, also in place of a waiting task.
 * The module's memory from command to command belongs to the process, so it is static.
 * Death: of the worker: the command dies too (PR_SET_PDEATHSIG). Processes left by the command
 * become the manager's (manager/orphans.c); the next worker to start removes its files. */
#ifndef PLM_COMMAND_MODULE_H
#define PLM_COMMAND_MODULE_H

#include "client/plm.h"
#include "tables/tables.h"

/* The registry's path for the module. */
#define MODULE_COMMANDS "(built in: commands)"

extern const plm_module command_module;

/* Makes the module known to the process (worker/modules.h), before any thread opens a module. */
void command_offer(void);
/* For a worker, before the first task: opens the worker's cgroup, if the user may have cgroups, and
 * removes files left by commands of dead workers. */
void command_begin(const struct tables *t, uint32_t slot);

#endif
