/* command_objects.h - values of futures that a command takes, files of it that become futures, and
 * what it waits for: --in, --out, --after, and --stdin of a reference.
 *
 * A command of plmctl that submits commands puts COMMAND_OBJECT_OPTIONS into its table beside
 * COMMAND_OPTIONS, COMMAND_OBJECT_OPTIONS_HELP into its help, shows each option to
 * command_object_option() first, has what came of it checked when all are taken, and the futures
 * held before it submits. Without these options a request has no objects. */
#ifndef PLM_CLI_COMMAND_OBJECTS_H
#define PLM_CLI_COMMAND_OBJECTS_H

#include "cli/command_task.h"
#include "tables/command_block.h"

/* --stdin FILE|@REF, --in, --out, --after; the target is a struct command_request. */
extern const struct option_row command_object_rows[];

struct command_object {
	enum command_field field;
	char *name;  /* the text of the field */
	plm_ref ref; /* of an output: none */
};

/* Once all options are taken: ends the program if they make no sense together. */
void command_objects_check(const struct context *context, const struct command_request *request);
/* For who makes requests without options: one more, with length bytes of its name; ref is none of
 * an output. 0 or -ENOMEM. */
int command_object_add(struct command_request *request, enum command_field field, const char *name,
    size_t length, plm_ref ref);

/* As command_add(), for all of them. */
size_t command_objects_fields(
    const struct command_request *request, char *fields, size_t length, size_t room);
/* Holds the futures, which may be of anybody's making. EXIT_FINE, or an exit code after a message.
 */
int command_objects_hold(struct context *context, const struct command_request *request);
/* Has any of them failed, so that their command did for that alone? */
bool command_objects_failed(struct context *context, const struct command_request *request);
/* The reference of each output, refs being the results of its task. */
void command_outputs_print(
    struct context *context, const struct command_request *request, const plm_ref *refs);
void command_objects_free(struct command_request *request);

#endif
