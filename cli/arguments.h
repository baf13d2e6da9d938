/* arguments.h - the words of a command line: options, numbers, references.
 *
 * A word that makes no sense ends the program with EXIT_USAGE (a reference: EXIT_DATA) after a
 * message that quotes the word and names the help to read. */
#ifndef PLM_CLI_ARGUMENTS_H
#define PLM_CLI_ARGUMENTS_H

#include <getopt.h>

#include "base/option_table.h"
#include "cli/ctl_command.h"

/* The options of every command; the target is a struct context. They stand before the name of the
 * command, too. */
extern const struct option_row common_rows[];

/* Takes the options of the command, and the common ones. target[i] receives the values of
 * command->options[i]; NULL for a command without options of its own. optind is then the first
 * operand. Before a command is known (context->command is NULL) the options end at the name of the
 * command; the caller then looks at context->help. Ends the program after --help of a command,
 * after --version, and after an error. */
void take_options(struct context *context, int argc, char **argv, void *const target[]);

/* For a command without options of its own: takes the common options and checks the number of
 * operands. */
void operands(struct context *context, int argc, char **argv, int least, int most);
void expect_operands(const struct context *context, int argc, int least, int most);

_Noreturn void usage_error(const struct context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

long number_word(
    const struct context *context, const char *what, const char *word, long least, long most);
plm_ref reference_word(const char *word);

/* All operands, from argv[optind] on, for references_settle() (short_reference.h); the caller
 * frees. */
plm_ref *reference_words(int argc, char **argv, size_t *ret_count);

/* The help of a command; with form "table" its options for programs (option_table_list()). */
void print_help(const struct command *command, const char *form);

#endif
