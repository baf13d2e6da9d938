/* command_objects.h - futures as input of a command, files of a command that become futures, and
 * tasks before a command: --in, --out, --after, and --stdin of a reference.
 *
 * A command of plmctl that submits commands lists command_object_rows in its options, checks the
 * request after all options, and holds the futures before submitting. */
#ifndef PLM_CLI_COMMAND_OBJECTS_H
#define PLM_CLI_COMMAND_OBJECTS_H

#include "cli/command_request.h"

/* --stdin FILE|@REF, --in, --out, --after; the target is a struct command_request. */
extern const struct option_row command_object_rows[];

/* After all options: ends the program if options contradict each other. */
void command_objects_check(const struct context *context, struct command_request *request);
/* Adds a future, with length bytes of its name (NULL: none). 0 or -ENOMEM with a why. */
int command_object_add(struct command_request *request, enum plm_command_use use, const char *name,
    size_t length, plm_ref ref);
/* How many files of the command become results. */
unsigned command_output_files(const struct command_request *request);

/* Holds the futures, whoever made them. EXIT_FINE, or an exit code after a message. */
int command_objects_hold(struct context *context, struct command_request *request);
/* Puts references in place of `6` and `last`; command_objects_hold() does so first. */
int command_objects_settle(struct context *context, struct command_request *request);
/* True if a future has failed, so that the command failed before its begin. */
bool command_objects_failed(struct context *context, const struct command_request *request);
/* Prints the reference of each output; refs are the results of the task. */
void command_outputs_print(
    struct context *context, const struct command_request *request, const plm_ref *refs);

#endif
