/* command.h - the built-in module `command`: a task that runs a program (tables/command_block.h
 * says how such a task is asked for).
 *
 * Who: the manager, for the processes that it starts: its loader and the workers.
 * Where: a worker runs the functions of the module, one at a time, also in place of a task that
 * waits. What the module keeps from command to command belongs to the process, so it is static
 * here. Death: of the worker: its command dies too (PR_SET_PDEATHSIG); what the command left behind
 * becomes the manager's (manager/orphans.c), and its files are removed by the next worker that
 * starts. */
#ifndef PLM_COMMAND_MODULE_H
#define PLM_COMMAND_MODULE_H

#include "client/plm.h"
#include "tables/tables.h"

/* The path by which the registry names the module. */
#define MODULE_COMMANDS "(built in: commands)"

extern const plm_module command_module;

/* Makes the module known in this process (worker/modules.h). Before any thread opens a module. */
void command_offer(void);
/* For a worker, before its first task: opens its cgroup, if the user may have one, and removes what
 * commands of dead workers left. */
void command_begin(const struct tables *t, uint32_t slot);

#endif
