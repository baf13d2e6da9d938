/* commands.h - a batch of command lines as tasks, as `plmctl submit` submits commands: with the
 * environment of this process, stored once, and a log for each command. Where: this process, a
 * client. Blocks: as long as the commands run. Allocates: the batch; an object in the store. */
#ifndef PLM_BENCH_COMMANDS_H
#define PLM_BENCH_COMMANDS_H

#include <stddef.h>

#include "client/plm.h"

enum { COMMANDS_RESULTS = 2 }; /* stdout, and the log */

struct commands { /* /bin/true 1, /bin/true 2, ... */
	plm *client;
	plm_ref environment;
	plm_task *tasks;
	plm_arg *args;
	char *numbers;
	plm_ref *refs; /* COMMANDS_RESULTS of each */
	size_t room;
};

/* For batches of at most room commands. 0 or -errno; then nothing is left. */
int commands_make(struct commands *ret, plm *client, size_t room);
void commands_free(struct commands *commands);

/* Submits n commands at once. 0 or -errno. */
int commands_submit(struct commands *commands, size_t n);
/* Submits n commands, waits for all, checks that the last command succeeded, drops all. 0 or
 * -errno. */
int commands_run(struct commands *commands, size_t n);

#endif
