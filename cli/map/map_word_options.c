#include "cli/map/map_word_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/why.h"
#include "cli/map/map_units.h"

enum { BYTES_MAX = 1 << 30 };

static int words_take_file(void *target, const struct option_given *given)
{
	struct inputs *inputs = &((struct map_plan *)target)->inputs;
	inputs->file[inputs->files++] = given->text;
	return 0;
}

static int words_take_null(void *target, const struct option_given *given)
{
	(void)given;
	((struct map_plan *)target)->delimiter = (struct ending){ "", 1 };
	return 0;
}

/* The byte of an escape; *at is then behind it. */
static char words_escape(const char **at)
{
	static const char letters[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";
	const char *letter = strchr(letters, **at);
	char *end;
	long number;
	if (**at && letter) {
		(*at)++;
		return bytes[letter - letters];
	}
	if (**at == 'x' && isxdigit((unsigned char)(*at)[1]))
		number = strtol(*at + 1, &end, 16);
	else if (**at >= '0' && **at <= '7')
		number = strtol(*at, &end, 8);
	else
		return *(*at)++;
	*at = end;
	return (char)number;
}

static int words_take_delimiter(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	const char *at = given->text;
	char *bytes = malloc(strlen(at) + 1); /* lives as long as the plan: until the end */
	size_t n = 0;
	if (!bytes)
		return why(-ENOMEM, "no memory");
	while (*at) {
		bool escape = *at == '\\' && at[1];
		at += escape;
		bytes[n++] = escape ? words_escape(&at) : *at++;
	}
	if (n == 0) {
		free(bytes);
		return why(-EINVAL, "--delimiter wants a text, not \"\"");
	}
	free(plan->delimiter_bytes);
	plan->delimiter_bytes = bytes;
	plan->delimiter = (struct ending){ bytes, n };
	return 0;
}

/* -N outdoes -n, -m and --xargs in whatever order, as for GNU parallel. */
static int words_take_count(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	bool outdone = plan->context_counted && strcmp(given->what, "--max-args") == 0;
	uint64_t n;
	int r = units_number(given->what, given->text, 0, UINT32_MAX, &n);
	if (r < 0 || outdone)
		return r;
	plan->feed.max_inputs = n ? n : 1;
	plan->feed.no_values = n == 0;
	plan->counted = true;
	return 0;
}

static int words_take_replace_count(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	int r = words_take_count(target, given);
	plan->context = plan->context_counted = true;
	return r;
}

static int words_take_lines(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	const char *text = given->text ? given->text : "1";
	uint64_t n;
	int r = units_number(given->what, text, 0, UINT32_MAX, &n);
	plan->feed.max_lines = n ? n : 1;
	plan->feed.no_values = r == 0 && n == 0 && strcmp(given->what, "--lines") != 0;
	return r;
}

static int words_take_chars(void *target, const struct option_given *given)
{
	return units_number(
	    given->what, given->text, 1, BYTES_MAX, &((struct map_plan *)target)->feed.max_bytes);
}

static int words_take_packing(void *target, const struct option_given *given)
{
	struct map_plan *plan = target;
	plan->feed.packs = true;
	plan->feed.spreads = strcmp(given->what, "--xargs") != 0;
	if (strcmp(given->what, "--context-replace") == 0)
		plan->context = true;
	else
		plan->no_context = true;
	return 0;
}

static int words_take_replace(void *target, const struct option_given *given)
{
	((struct map_plan *)target)->template.tags.name[TAG_VALUE] =
	    given->text ? given->text : "{}";
	return 0;
}

static int words_take_rule(void *target, const struct option_given *given)
{
	struct tags *tags = &((struct map_plan *)target)->template.tags;
	if (!given->text[strcspn(given->text, " \t")])
		return why(-EINVAL, "--rpl wants \"TAG s/REGEXP/TEXT/\", not \"%s\"", given->text);
	const char **more = realloc(tags->rule, (tags->rules + 1) * sizeof *more);
	if (!more)
		return why(-ENOMEM, "no memory");
	more[tags->rules++] = given->text;
	tags->rule = more;
	return 0;
}

static int words_take_parens(void *target, const struct option_given *given)
{
	size_t n = strlen(given->text);
	if (n == 0 || n % 2)
		return why(-EINVAL,
		    "--parens wants two texts of one length, such as {==}, not \"%s\"",
		    given->text);
	((struct map_plan *)target)->template.tags.parens = given->text;
	return 0;
}

static int words_take_eof(void *target, const struct option_given *given)
{
	((struct map_plan *)target)->values.end = given->text;
	return 0;
}

#define TAG_FIELD(tag) OPTION_FIELD(struct map_plan, template.tags.name[tag])

const struct option_row map_word_rows[] = {
	{ "arg-file", "a", NULL, OPTION_FILE, .word = "FILE",
	    .help = "read inputs from FILE, like :::: FILE; may be repeated",
	    .take = words_take_file },
	{ "link", NULL, NULL, OPTION_FLAG,
	    .help = "take one value from each source per job; shorter sources repeat",
	    OPTION_FIELD(struct map_plan, link) },
	{ "xapply", NULL, NULL, OPTION_FLAG, OPTION_FIELD(struct map_plan, link) },
	{ "arg-sep", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .standard = ":::", .help = "what stands before words as inputs",
	    OPTION_FIELD(struct map_plan, inputs.separator) },
	{ "arg-file-sep", NULL, NULL, OPTION_TEXT, .word = "TEXT",
	    .standard = "::::", .help = "what stands before files with inputs",
	    OPTION_FIELD(struct map_plan, inputs.file_separator) },
	{ "null", "0", NULL, OPTION_FLAG,
	    .help = "inputs in files end with a zero byte, not with a newline",
	    .take = words_take_null },
	{ "delimiter", "d", NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "inputs in files end with TEXT; \\n \\t \\0 \\x2c and the like are bytes",
	    .take = words_take_delimiter },
	{ "eof", "e", NULL, OPTION_TEXT, .optional = true, .word = "TEXT", .take = words_take_eof },
	{ "eof-str", "E", NULL, OPTION_TEXT, .word = "TEXT",
	    .help = "an input that is TEXT ends the inputs", .take = words_take_eof },
	{ "no-run-if-empty", "r", NULL, OPTION_FLAG, .help = "leave out inputs of blanks alone",
	    OPTION_FIELD(struct map_plan, values.skip_empty) },
	{ "trim", NULL, NULL, OPTION_TEXT, .word = "n|l|r|lr", .standard = "n; with --colsep lr",
	    .help = "remove blanks from the left or right of values",
	    OPTION_FIELD(struct map_plan, values.trim) },
	{ "colsep", "C", NULL, OPTION_TEXT, .word = "REGEXP",
	    .help = "an input has several values, parted by what matches: {1}, {2}, ...",
	    OPTION_FIELD(struct map_plan, values.column_separator) },
	{ "header", NULL, NULL, OPTION_TEXT, .word = ":|N|REGEXP",
	    .help = "the first input of each source names its values: {NAME}. With --pipe: each "
		    "job gets the first N lines (: one), or what matches, too",
	    OPTION_FIELD(struct map_plan, header) },
	{ "shuf", NULL, NULL, OPTION_FLAG,
	    .help = "run the jobs in a random order (keeps all inputs in memory)",
	    OPTION_FIELD(struct map_plan, feed.shuffled) },
	{ "max-args", "n", NULL, OPTION_TEXT, .word = "N", .help = "put N inputs into each command",
	    .take = words_take_count },
	{ "max-replace-args", "N", NULL, OPTION_TEXT, .word = "N",
	    .help = "the same, and repeat the part of the line around {}, from blank to blank, "
		    "for each; with --pipe: put N records into each block",
	    .take = words_take_replace_count },
	{ "max-lines", "L", NULL, OPTION_TEXT, .word = "N",
	    .help = "put N lines of inputs into each command; a line that ends with a blank goes "
		    "on in the next. With --pipe: a record has N lines",
	    .take = words_take_lines },
	{ "lines", "l", NULL, OPTION_TEXT, .optional = true, .word = "N",
	    .take = words_take_lines },
	{ "context-replace", "X", NULL, OPTION_FLAG,
	    .help = "put as many inputs into each command as its line may hold, and spread the "
		    "last ones evenly over --jobs; repeat the part of the line around {}",
	    .take = words_take_packing },
	{ "multiple", "m", NULL, OPTION_FLAG,
	    .help = "the same, but {} becomes all inputs, parted by blanks",
	    .take = words_take_packing },
	{ "xargs", NULL, NULL, OPTION_FLAG, .help = "like -m, without spreading the last inputs",
	    .take = words_take_packing },
	{ "max-chars", "s", NULL, OPTION_TEXT, .word = "BYTES", .standard = "128K",
	    .help = "the longest line of a command with several inputs", .take = words_take_chars },
	{ "exit", "x", NULL, OPTION_FLAG,
	    .help = "end when --max-args inputs make a line longer than --max-chars; else the "
		    "command gets fewer",
	    OPTION_FIELD(struct map_plan, feed.exact) },
	{ "plus", NULL, NULL, OPTION_FLAG,
	    .help = "more replacement strings: {..} {...} {/..} {+/} {+.} {+..} {##} {0#} {0%} "
		    "{:-TEXT} {:N} {:N:N} {#RE} {##RE} {%RE} {%%RE} {/RE/TEXT} {//RE/TEXT} {^RE} "
		    "{^^RE} {,RE} {,,RE}",
	    OPTION_FIELD(struct map_plan, template.tags.plus) },
	{ "rpl", NULL, NULL, OPTION_TEXT, .word = "\"TAG RULE\"",
	    .help = "TAG becomes a replacement string: the value after s/REGEXP/TEXT/gi, or "
		    "several of these with ; between. uq: do not quote. {= RULE =} needs no TAG",
	    .take = words_take_rule },
	{ "parens", NULL, NULL, OPTION_TEXT, .word = "TEXTS", .standard = "{==}",
	    .help = "what stands around a RULE in the command", .take = words_take_parens },
	{ "replace-str", "I", NULL, OPTION_TEXT, .word = "TEXT", .standard = "{}",
	    .help = "TEXT stands for the input", .take = words_take_replace },
	{ "replace", "i", NULL, OPTION_TEXT, .optional = true, .word = "TEXT",
	    .take = words_take_replace },
	{ "extensionreplace", "U", NULL, OPTION_TEXT, .word = "TEXT", .standard = "{.}",
	    .help = "TEXT stands for the input without its ending", TAG_FIELD(TAG_STEM) },
	{ "er", NULL, NULL, OPTION_TEXT, .word = "TEXT", TAG_FIELD(TAG_STEM) },
	{ "basenamereplace", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "{/}",
	    .help = "TEXT stands for the input without its folder", TAG_FIELD(TAG_BASE) },
	{ "bnr", NULL, NULL, OPTION_TEXT, .word = "TEXT", TAG_FIELD(TAG_BASE) },
	{ "dirnamereplace", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "{//}",
	    .help = "TEXT stands for the folder", TAG_FIELD(TAG_FOLDER) },
	{ "dnr", NULL, NULL, OPTION_TEXT, .word = "TEXT", TAG_FIELD(TAG_FOLDER) },
	{ "basenameextensionreplace", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "{/.}",
	    .help = "TEXT stands for the input without folder and ending",
	    TAG_FIELD(TAG_BASE_STEM) },
	{ "bner", NULL, NULL, OPTION_TEXT, .word = "TEXT", TAG_FIELD(TAG_BASE_STEM) },
	{ "seqreplace", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "{#}",
	    .help = "TEXT stands for the number of the job", TAG_FIELD(TAG_NUMBER) },
	{ "slotreplace", NULL, NULL, OPTION_TEXT, .word = "TEXT", .standard = "{%}",
	    .help = "TEXT stands for the place of the job", TAG_FIELD(TAG_PLACE) },
	{ 0 },
};

/* An empty text stands everywhere. */
static void words_check_names(const struct context *context, const struct tags *tags)
{
	for (int i = 0; i < TAG_NAMES; i++)
		if (tags->name[i] && !tags->name[i][0])
			usage_error(context,
			    "a replacement string (--replace-str, --extensionreplace and the "
			    "like) has one character at least");
}

void map_words_settle(const struct context *context, struct map_plan *plan)
{
	struct feed_plan *feed = &plan->feed;
	words_check_names(context, &plan->template.tags);
	plan->template.repeat = plan->context || (plan->feed.max_lines && !plan->no_context);
	bool one = plan->template.tags.name[TAG_VALUE] && feed->packs && !feed->spreads;
	if (one && !feed->max_inputs && !feed->max_lines)
		feed->max_inputs = 1; /* as xargs -I */
	if (!plan->delimiter.length)
		plan->delimiter = (struct ending){ "\n", 1 };
	plan->inputs.named = plan->header && !pipe_is_wanted(&plan->pipe);
	if (plan->inputs.named && strcmp(plan->header, ":") != 0)
		usage_error(context,
		    "--header %s needs --pipe; without it only --header : is possible: the first "
		    "input of each source names the values",
		    plan->header);
	if (plan->inputs.named && !plan->values.column_separator) {
		plan->values.column_separator = "\t";
		if (!plan->values.trim) /* blanks go with --colsep alone */
			plan->values.trim = "n";
	}
	if (!pipe_is_wanted(&plan->pipe) && feed->max_inputs > ARGS_MAX / 2)
		usage_error(context, "--max-args wants %d inputs at most", ARGS_MAX / 2);
	if (feed->shuffled && plan->resume != RESUME_NOTHING)
		usage_error(context,
		    "--shuf and --resume cannot be combined: another order gives other numbers to "
		    "the jobs");
}
