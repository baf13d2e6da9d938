/* arguments.h - the words of a command line: options, numbers, references.
 *
 * A word that makes no sense ends the program with EXIT_USAGE (a reference: EXIT_DATA) after a
 * message that quotes it and names the help to read. */
#ifndef PLM_CLI_ARGUMENTS_H
#define PLM_CLI_ARGUMENTS_H

#include <getopt.h>

#include "cli/ctl_command.h"

enum { /* options every command takes, before or after its name */
	OPTION_NAME = 1000,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_TIMEOUT,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_OWN, /* a command's own count from here */
};

#define COMMON_OPTIONS                                              \
	{ "name", required_argument, NULL, OPTION_NAME },           \
	    { "json", no_argument, NULL, OPTION_JSON },             \
	    { "quiet", no_argument, NULL, OPTION_QUIET },           \
	    { "timeout", required_argument, NULL, OPTION_TIMEOUT }, \
	    { "help", no_argument, NULL, OPTION_HELP },             \
	{                                                           \
		"version", no_argument, NULL, OPTION_VERSION        \
	}

#define COMMON_OPTIONS_HELP                                                            \
	"  --name NAME        the runtime (default: $PLM_NAME, else \"default\")\n"    \
	"  --json             print JSON: one value, or for lists one object a line\n" \
	"  --quiet            print ids alone\n"                                       \
	"  --timeout SECONDS  wait at most so long (default: for ever)\n"              \
	"  --help             show this text\n"                                        \
	"  --version\n"

extern const struct option options_common[];

/* The next of the command's own options, -1 after the last; optind is then the first operand.
 * order is "" or "+": the first operand ends the options; behind it letters of short options, as
 * getopt() wants them. */
int next_option(struct context *context, int argc, char **argv, const char *order,
    const struct option *options);

/* For a command without options of its own: takes the common ones
 * and checks the number of operands. */
void operands(struct context *context, int argc, char **argv, int least, int most);
void expect_operands(const struct context *context, int argc, int least, int most);

_Noreturn void usage_error(const struct context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

long number_word(
    const struct context *context, const char *what, const char *word, long least, long most);
int seconds_word(const struct context *context, const char *word); /* milliseconds */
/* "100ms", "2s", "5m", "1h"; milliseconds. */
int duration_word(const struct context *context, const char *what, const char *word);
/* "4096", "64K", "1G": bytes, from 1 to most. */
uint64_t size_word(
    const struct context *context, const char *what, const char *word, uint64_t most);
plm_ref reference_word(const char *word);

/* All operands, from argv[optind] on; the caller frees. */
plm_ref *reference_words(int argc, char **argv, size_t *ret_count);

void print_help(const struct command *command, FILE *file); /* NULL: of the program */

#endif
