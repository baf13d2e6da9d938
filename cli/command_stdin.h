/* command_stdin.h - a descriptor of ours as the stdin of commands: --stdin -, or /dev/stdin, or
 * /dev/fd/N.
 *
 * In the worker these names mean other files. plmctl therefore reads the descriptor to its end
 * first, so that every attempt of a command, and every command of a map, reads the whole input.
 * A waiting plmctl lets commands read its copy; a detached command reads a value in the store.
 * Blocks: until the end of the input. */
#ifndef PLM_CLI_COMMAND_STDIN_H
#define PLM_CLI_COMMAND_STDIN_H

#include "cli/command_request.h"

/* Replaces a descriptor named by --stdin in the request, before command_request_make(). `stored`
 * needs a runtime. EXIT_FINE, or an exit code after a message. */
int command_stdin_take(struct context *context, struct command_request *request, bool store);

#endif
