#include "cli/arguments.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet_door.h"
#include "cli/short_reference.h"

enum { MS_PER_SECOND = 1000, ERROR_BYTES = 2048 };

/* ---- errors ---- */

static void arguments_say_where_help_is(const struct context *context)
{
	if (context->command)
		fprintf(stderr, "usage: plmctl %s %s\nplmctl help %s tells more\n",
		    context->command->name, context->command->usage, context->command->name);
	else
		fputs("plmctl --help lists the commands\n", stderr);
}

void usage_error(const struct context *context, const char *format, ...)
{
	va_list args;
	char text[ERROR_BYTES], plain[ERROR_BYTES];
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	make_printable(text, plain, sizeof plain);
	fprintf(stderr, "plmctl: %s\n", plain);
	arguments_say_where_help_is(context);
	exit(EXIT_USAGE);
}

/* ---- words ---- */

long number_word(
    const struct context *context, const char *what, const char *word, long least, long most)
{
	uint64_t number = 0;
	if (option_number(what, word, least, (uint64_t)most, &number) < 0)
		usage_error(context, "%s", why_text());
	return (long)number;
}

plm_ref reference_word(const char *word)
{
	plm_ref ref;
	if (word[0] == '@' && plm_ref_parse(word, &ref) == 0)
		return ref;
	char plain[ERROR_BYTES];
	make_printable(word, plain, sizeof plain);
	fprintf(stderr, "plmctl: not a reference: %s\n", plain);
	if (word[0] != '@')
		fputs("a reference begins with @, as submit --detach and put print it; its first "
		      "part is enough, and \"last\" is the task submitted last\n",
		    stderr);
	exit(EXIT_DATA);
}

plm_ref *reference_words(int argc, char **argv, size_t *ret_count)
{
	size_t n = (size_t)(argc - optind);
	plm_ref *refs = calloc(n ? n : 1, sizeof *refs);
	if (!refs) {
		fputs("plmctl: out of memory\n", stderr);
		exit(EXIT_OURS);
	}
	for (size_t i = 0; i < n; i++)
		refs[i] = reference_name(argv[optind + (int)i]);
	*ret_count = n;
	return refs;
}

/* ---- options of every command ---- */

static int arguments_take_timeout(void *target, const struct option_given *given)
{
	struct context *context = target;
	char *end;
	double seconds = strtod(given->text, &end);
	if (end == given->text || *end || !(seconds >= 0) || seconds > INT_MAX / MS_PER_SECOND)
		return why(
		    -EINVAL, "%s wants a number of seconds, not \"%s\"", given->what, given->text);
	context->timeout_ms = (int)ceil(seconds * MS_PER_SECOND);
	return 0;
}

static int arguments_take_help(void *target, const struct option_given *given)
{
	struct context *context = target;
	context->help = given->text ? given->text : "";
	return OPTIONS_END;
}

static int arguments_take_version(void *target, const struct option_given *given)
{
	(void)target;
	(void)given;
	puts("plmctl " PLM_VERSION);
	exit(EXIT_FINE);
}

const struct option_row common_rows[] = {
	{ "name", NULL, "PLM_NAME", OPTION_RUNTIME, .word = "NAME", .standard = "\"default\"",
	    .help = "the runtime", OPTION_FIELD(struct context, name) },
	{ "fleet", NULL, "PLM_FLEET", OPTION_TEXT, .word = "URL",
	    .help = "not a runtime but a fleet, the queue in Redis of plm --fleet URL: "
		    "redis://HOST[:PORT][/DB][?queue=NAME]; '': a runtime. docs/fleet.md has the "
		    "rest",
	    OPTION_FIELD(struct context, fleet) },
	{ "json", NULL, NULL, OPTION_FLAG,
	    .help = "print JSON: one value, or for lists one object a line",
	    OPTION_FIELD(struct context, json) },
	{ "quiet", NULL, NULL, OPTION_FLAG, .help = "print ids alone",
	    OPTION_FIELD(struct context, quiet) },
	{ "timeout", NULL, NULL, OPTION_TEXT, .word = "SECONDS", .standard = "for ever",
	    .help = "wait at most SECONDS", .take = arguments_take_timeout },
	{ "help", NULL, NULL, OPTION_TEXT, .optional = true, .help = "show this text",
	    .take = arguments_take_help },
	{ "version", NULL, NULL, OPTION_FLAG, .help = "show the version",
	    .take = arguments_take_version },
	{ 0 },
};

/* ---- all options ---- */

void take_options(struct context *context, int argc, char **argv, void *const target[])
{
	const struct command *command = context->command;
	struct option_use uses[OPTION_TABLES_MAX + 1];
	size_t n = 0;
	for (; command && n < OPTION_TABLES_MAX && command->options[n]; n++)
		uses[n] = (struct option_use){ command->options[n], target[n] };
	uses[n++] = (struct option_use){ common_rows, context };
	int r =
	    option_table_parse(uses, n, argc, argv, !command || command->options_end_at_operand);
	if (r < 0)
		usage_error(context, "%s", why_text());
	if (command && context->help) {
		print_help(command, context->help);
		exit(EXIT_FINE);
	}
	if (command) {
		fleet_choose(context);
		fleet_check(context);
	}
	output_open(&context->out, stdout, context->json, context->quiet);
}

void expect_operands(const struct context *context, int argc, int least, int most)
{
	int n = argc - optind;
	if (n < least)
		usage_error(context, "%s: too few arguments", context->command->name);
	if (n > most)
		usage_error(context, "%s: too many arguments", context->command->name);
}

void operands(struct context *context, int argc, char **argv, int least, int most)
{
	take_options(context, argc, argv, NULL);
	expect_operands(context, argc, least, most);
}

/* ---- help ---- */

/* Each line of a text becomes a row: "about" stands before the options, "notes" behind. */
static void arguments_list_text(const char *kind, const struct command *command, const char *text)
{
	for (const char *end; text && *text; text = end + (*end != 0)) {
		end = text + strcspn(text, "\n");
		printf("%s\tplmctl\t%s\t%.*s\n", kind, command->name, (int)(end - text), text);
	}
}

static void arguments_list_for_programs(const struct command *command)
{
	printf("command\tplmctl\t%s\t\t%s\t%s\n", command->name, command->usage, command->help);
	arguments_list_text("about", command, command->about);
	arguments_list_text("notes", command, command->notes);
	for (size_t i = 0; i < OPTION_TABLES_MAX && command->options[i]; i++)
		option_table_list(stdout, "plmctl", command->name, command->options[i]);
}

void print_help(const struct command *command, const char *form)
{
	if (strcmp(form, "table") == 0) {
		arguments_list_for_programs(command);
		return;
	}
	printf("usage: plmctl %s %s\n%s\n", command->name, command->usage, command->help);
	if (command->about)
		printf("\n%s", command->about);
	if (command->options[0])
		putchar('\n');
	for (size_t i = 0; i < OPTION_TABLES_MAX && command->options[i]; i++)
		option_table_help(stdout, command->options[i]);
	if (command->notes)
		printf("\n%s", command->notes);
	puts("\nOptions of every command:");
	option_table_help(stdout, common_rows);
}
