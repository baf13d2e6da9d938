/* identity.h - what a task is, in 128 bits: whether it was submitted before (`load --unique`).
 *
 * It is made of what is to be done: the function and its arguments; of a command its words, the
 * directory, stdin, variables and label it asks for. Not of how: priority, needs, limits, retries
 * and the cap of its output may change, and the task is the same; nor of the submitter's
 * environment, which no two shells have in common.
 * Two different tasks with one identity are not to be met by chance (FNV-1a, 128 bits); who makes
 * them on purpose fools himself alone.
 * Who: any thread.  Blocks, allocates: never. */
#ifndef PLM_CLI_IDENTITY_H
#define PLM_CLI_IDENTITY_H

#include "client/plm.h"

/* Sets task->identity. Of a command with its fields (tables/command_block.h), and `first` its first
 * word among the arguments; of a function NULL and 0. */
void identity_make(plm_task *task, const char *fields, size_t fields_bytes, size_t first);

#endif
