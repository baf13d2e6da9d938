/* task_identity.h - 128 bits that say what a task does: whether the task was submitted before
 * (`plmctl load --unique`).
 *
 * The bits are made of the function and its arguments; for a command of its words, directory,
 * stdin, variables, files and label. How a task runs does not count: priority, needs, limits,
 * retries and the cap of its output may change, and the task stays the same. Neither does the
 * submitter's environment, which differs between any two shells.
 * Two different tasks do not share an identity by chance (FNV-1a, 128 bits). A user who constructs
 * such a pair harms only his own tasks.
 * Who: any thread.  Blocks, allocates: never. */
#ifndef PLM_TASK_IDENTITY_H
#define PLM_TASK_IDENTITY_H

#include "client/plm.h"

/* Sets task->identity. For a command with its fields (tables/command_block.h), and `first` its
 * first word among the arguments; for a function NULL and 0. */
void task_identity_make(plm_task *task, const char *fields, size_t fields_bytes, size_t first);

#endif
