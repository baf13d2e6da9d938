#include "cli/arguments.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/scan.h"
#include "base/why.h"
#include "tables/due.h"

enum { MS_PER_SECOND = 1000, SHORT_OPTIONS_BYTES = 32 };

const struct option options_common[] = { COMMON_OPTIONS, { 0 } };

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
	fputs("plmctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
	arguments_say_where_help_is(context);
	exit(EXIT_USAGE);
}

long number_word(
    const struct context *context, const char *what, const char *word, long least, long most)
{
	char *end;
	errno = 0;
	long number = strtol(word, &end, 10);
	if (end == word || *end != 0)
		usage_error(context, "%s wants a number, not \"%s\"", what, word);
	if (errno != 0 || number < least || number > most)
		usage_error(
		    context, "%s wants a number from %ld to %ld, not %s", what, least, most, word);
	return number;
}

int seconds_word(const struct context *context, const char *word)
{
	char *end;
	double seconds = strtod(word, &end);
	if (end == word || *end != 0 || !(seconds >= 0) || seconds > INT_MAX / MS_PER_SECOND)
		usage_error(context, "--timeout wants a number of seconds, not \"%s\"", word);
	return (int)ceil(seconds * MS_PER_SECOND);
}

int duration_word(const struct context *context, const char *what, const char *word)
{
	uint64_t ms = 0;
	if (text_time(what, word, LIMIT_MAX_MS, &ms) < 0)
		usage_error(context, "%s", why_text());
	return (int)ms;
}

uint64_t size_word(const struct context *context, const char *what, const char *word, uint64_t most)
{
	struct scan scan = { .text = word, .at = word, .what = what };
	struct piece piece = scan_piece(&scan);
	uint64_t bytes = 0;
	if (scan_size(&scan, piece, piece, most, &bytes) < 0)
		usage_error(context, "%s", why_text());
	if (*scan.at)
		usage_error(
		    context, "%s wants a size such as 4096, 512M or 4G, not \"%s\"", what, word);
	return bytes;
}

plm_ref reference_word(const char *word)
{
	plm_ref ref;
	if (word[0] == '@' && plm_ref_parse(word, &ref) == 0)
		return ref;
	fprintf(stderr, "plmctl: not a reference: %s\n", word);
	if (word[0] != '@')
		fputs("references begin with @, as submit --detach and put print them\n", stderr);
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
		refs[i] = reference_word(argv[optind + (int)i]);
	*ret_count = n;
	return refs;
}

static void arguments_take_common(struct context *context, int option)
{
	switch (option) {
	case OPTION_NAME: context->name = optarg; break;
	case OPTION_JSON: context->json = true; break;
	case OPTION_QUIET: context->quiet = true; break;
	case OPTION_TIMEOUT: context->timeout_ms = seconds_word(context, optarg); break;
	case OPTION_HELP: print_help(context->command, stdout); exit(EXIT_FINE);
	case OPTION_VERSION: puts("plmctl " PLM_VERSION); exit(EXIT_FINE);
	}
}

/* getopt_long() says the same of an option that is unknown, short for several, or given a value
 * that it does not take. */
static _Noreturn void arguments_bad_option(
    const struct context *context, const char *word, const struct option *options)
{
	size_t name = word[0] && word[1] == '-' ? strcspn(word + 2, "=") : 0;
	const struct option *o = options;
	while (name && o->name && (strncmp(o->name, word + 2, name) != 0 || o->name[name]))
		o++;
	if (name && o->name)
		usage_error(context, "--%s takes no value: %s", o->name, word);
	usage_error(context, "unknown option: %s", word);
}

int next_option(
    struct context *context, int argc, char **argv, const char *order, const struct option *options)
{
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		char shorts[SHORT_OPTIONS_BYTES];
		int first = order[0] == '+'; /* a colon behind it: we say what is wrong */
		snprintf(shorts, sizeof shorts, "%.*s:%s", first, order, order + first);
		int option = getopt_long(argc, argv, shorts, options, NULL);
		if (option == ':')
			usage_error(context, "option %s needs a value", argv[optind - 1]);
		if (option == '?')
			arguments_bad_option(context, argv[optind > at ? optind - 1 : at], options);
		if (option < OPTION_NAME || option >= OPTION_OWN) {
			output_open(&context->out, stdout, context->json, context->quiet);
			return option;
		}
		arguments_take_common(context, option);
	}
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
	while (next_option(context, argc, argv, "", options_common) != -1)
		;
	expect_operands(context, argc, least, most);
}
