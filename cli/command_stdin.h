/* command_stdin.h - a descriptor of ours as the stdin of commands: --stdin -, or /dev/stdin, or
 * /dev/fd/N.
 *
 * To the worker these names mean something else. What comes through the descriptor is read to its
 * end first, so that every attempt of a command, and every command of a map, reads all of it. While
 * we wait for the commands they read our copy; of what is detached it is a value in the store.
 * Blocks: until the descriptor is at its end. */
#ifndef PLM_CLI_COMMAND_STDIN_H
#define PLM_CLI_COMMAND_STDIN_H

#include "cli/command_task.h"

/* If --stdin names one, replaces it in the request, which is not made yet. With store, needs a
 * runtime. EXIT_FINE, or an exit code after a message. */
int command_stdin_take(struct context *context, struct command_request *request, bool store);

#endif
