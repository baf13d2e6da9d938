#include "base/option_table.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/scan.h"
#include "base/why.h"

enum {
	ROWS_MAX = 256,
	LETTERS_MAX = 96,
	CODE_FIRST = 256, /* codes of getopt_long() below are letters */
	HELP_COLUMN = 21,
	HELP_WIDTH = 80,
	HEAD_BYTES = 128,
	TEXT_BYTES = 1024,
	WHAT_BYTES = 64,
	NUMBER_BYTES = 24,
};

#define DAY_MS UINT64_C(86400000)

/* ---- values ---- */

static void option_table_write(const struct option_row *row, void *target, uint64_t value)
{
	void *field = (char *)target + row->offset;
	switch (row->bytes) {
	case sizeof(uint8_t): *(uint8_t *)field = (uint8_t)value; break;
	case sizeof(uint32_t): *(uint32_t *)field = (uint32_t)value; break;
	case sizeof(uint64_t): *(uint64_t *)field = value; break;
	default: CHECK(!"a field of an option has 1, 4 or 8 bytes");
	}
}

int option_number(const char *what, const char *word, int64_t least, uint64_t most, uint64_t *ret)
{
	bool negative = word[0] == '-';
	char *end;
	errno = 0;
	uint64_t n = negative ? (uint64_t)strtoll(word, &end, 10) : strtoull(word, &end, 10);
	if (end == word || *end)
		return why(-EINVAL, "%s wants a number, not \"%s\"", what, word);
	bool low = negative ? (int64_t)n < least : least > 0 && n < (uint64_t)least;
	if (errno || low || (!negative && n > most))
		return why(-EINVAL, "%s wants a number from %" PRId64 " to %" PRIu64 ", not %s",
		    what, least, most, word);
	*ret = n;
	return 0;
}

int option_size(const char *what, const char *word, uint64_t least, uint64_t most, uint64_t *ret)
{
	struct scan scan = { .text = word, .at = word, .what = what };
	if (least == 0 && strcmp(word, "0") == 0) {
		*ret = 0;
		return 0;
	}
	struct piece piece = scan_piece(&scan);
	int r = scan_size(&scan, piece, piece, most, ret);
	if (r == 0 && *scan.at)
		r = scan_unexpected(&scan, "a size alone, such as 512M or 4G");
	return r;
}

int option_age(const char *what, const char *word, uint64_t most_ms, uint64_t *ret_ms)
{
	char number[NUMBER_BYTES];
	size_t n = strlen(word);
	if (n < 2 || n > sizeof number || word[n - 1] != 'd')
		return text_time(what, word, most_ms, ret_ms);
	memcpy(number, word, n - 1);
	number[n - 1] = 0;
	int r = option_number(what, number, 0, most_ms / DAY_MS, ret_ms);
	*ret_ms *= DAY_MS;
	return r;
}

int option_choice(const char *what, const char *word, const char *choices)
{
	size_t length = strlen(word);
	const char *at = choices;
	for (int i = 0; *at; i++) {
		size_t n = strcspn(at, "|");
		if (n == length && memcmp(at, word, n) == 0)
			return i;
		at += n + (at[n] == '|');
	}
	return why(-EINVAL, "%s wants one of %s, not \"%s\"", what, choices, word);
}

static int option_table_take(
    const struct option_row *row, void *target, const struct option_given *given)
{
	uint64_t value = 0;
	int r = 0;
	if (row->take)
		return row->take(target, given);
	switch (row->type) {
	case OPTION_FLAG: value = 1; break;
	case OPTION_NUMBER:
		r = option_number(given->what, given->text, row->least, row->most, &value);
		break;
	case OPTION_SIZE:
		r = option_size(given->what, given->text, (uint64_t)row->least, row->most, &value);
		break;
	case OPTION_TIME: r = text_time(given->what, given->text, row->most, &value); break;
	case OPTION_AGE: r = option_age(given->what, given->text, row->most, &value); break;
	case OPTION_CHOICE:
		r = option_choice(given->what, given->text, row->choices);
		value = (uint64_t)r;
		break;
	default: value = (uintptr_t)given->text;
	}
	if (r < 0)
		return r;
	bool time = row->type == OPTION_TIME || row->type == OPTION_AGE;
	if (time && value < (uint64_t)row->least)
		return why(-EINVAL, "%s wants a time of %" PRId64 "ms at least, not %s",
		    given->what, row->least, given->text);
	option_table_write(row, target, value);
	return 0;
}

/* ---- the command line ---- */

struct all_rows { /* of all tables, as getopt_long() wants them */
	const struct option_row *row[ROWS_MAX];
	void *target[ROWS_MAX];
	struct option options[ROWS_MAX + 1];
	size_t count;
	char letters[LETTERS_MAX];
};

static int option_table_argument(const struct option_row *row)
{
	return row->type == OPTION_FLAG ? no_argument
	    : row->optional             ? optional_argument
					: required_argument;
}

static void option_table_add_letter(struct all_rows *all, char letter, int argument)
{
	size_t n = strlen(all->letters);
	CHECK(n + 2 < LETTERS_MAX);
	all->letters[n] = letter;
	if (argument != no_argument)
		all->letters[n + 1] = ':';
}

static void option_table_collect(
    const struct option_use *uses, size_t count, bool stop_at_operand, struct all_rows *ret)
{
	/* The colon makes getopt_long() tell a missing value from an unknown option. */
	strcpy(ret->letters, stop_at_operand ? "+:" : ":");
	for (size_t i = 0; i < count; i++)
		for (const struct option_row *row = uses[i].rows; row && row->name; row++) {
			size_t n = ret->count++;
			CHECK(n < ROWS_MAX);
			ret->row[n] = row;
			ret->target[n] = uses[i].target;
			ret->options[n] = (struct option){ row->name, option_table_argument(row),
				NULL, CODE_FIRST + (int)n };
			for (const char *c = row->letters; c && *c; c++)
				option_table_add_letter(ret, *c, option_table_argument(row));
		}
}

static size_t option_table_by_letter(const struct all_rows *all, int letter)
{
	size_t i = 0;
	while (!all->row[i]->letters || !strchr(all->row[i]->letters, letter))
		i++;
	return i;
}

/* getopt_long() reports an unknown option, an ambiguous abbreviation and an unwanted value alike:
 * find out which. */
static int option_table_refuse(const struct all_rows *all, const char *word)
{
	char names[TEXT_BYTES] = "";
	size_t length = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0, found = 0;
	for (size_t i = 0; i < all->count && length; i++) {
		const struct option_row *row = all->row[i];
		size_t n = strlen(names);
		if (strncmp(row->name, word + 2, length) != 0)
			continue;
		if (!row->name[length] && word[2 + length])
			return why(-EINVAL, "--%s takes no value: %s", row->name, word);
		if (!row->help)
			continue;
		snprintf(names + n, sizeof names - n, "%s--%s", found++ ? ", " : "", row->name);
	}
	if (found > 1)
		return why(-EINVAL, "%s may mean %s: write more of the name", word, names);
	return why(-EINVAL, "unknown option: %s", word);
}

static int option_table_take_code(const struct all_rows *all, int code, int argc, char **argv)
{
	char what[WHAT_BYTES];
	size_t i =
	    code >= CODE_FIRST ? (size_t)(code - CODE_FIRST) : option_table_by_letter(all, code);
	const struct option_row *row = all->row[i];
	snprintf(what, sizeof what, "--%s", row->name);
	const struct option_given given = {
		.what = what,
		.text = row->type == OPTION_FLAG ? NULL : optarg,
		.next = optind < argc ? argv[optind] : NULL,
	};
	return option_table_take(row, all->target[i], &given);
}

int option_table_parse(
    const struct option_use *uses, size_t count, int argc, char **argv, bool stop_at_operand)
{
	struct all_rows all = { .count = 0 };
	option_table_collect(uses, count, stop_at_operand, &all);
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		int code = getopt_long(argc, argv, all.letters, all.options, NULL);
		if (code == -1)
			return 0;
		if (code == ':')
			return why(-EINVAL, "option %s needs a value", argv[optind - 1]);
		if (code == '?')
			return option_table_refuse(&all, argv[optind > at ? optind - 1 : at]);
		int r = option_table_take_code(&all, code, argc, argv);
		if (r)
			return r;
	}
}

int option_table_environment(const struct option_use *uses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (const struct option_row *row = uses[i].rows; row && row->name; row++) {
			const char *text = row->variable ? getenv(row->variable) : NULL;
			const struct option_given given = {
				.what = row->variable, .text = text, .environment = true
			};
			int r =
			    text && text[0] ? option_table_take(row, uses[i].target, &given) : 0;
			if (r)
				return r;
		}
	return 0;
}

/* ---- texts ---- */

static const char *option_table_word(const struct option_row *row)
{
	const char *word = row->word ? row->word : row->choices;
	return row->type == OPTION_FLAG || !word ? "" : word;
}

/* "--jobs N|N%, -j" */
static void option_table_head(const struct option_row *row, char ret[HEAD_BYTES])
{
	const char *word = option_table_word(row);
	int n = snprintf(ret, HEAD_BYTES,
	    !*word              ? "--%s%s"
		: row->optional ? "--%s[=%s]"
				: "--%s %s",
	    row->name, word);
	for (const char *c = row->letters; c && *c; c++)
		n += snprintf(ret + n, (size_t)(HEAD_BYTES - n), ", -%c", *c);
}

/* The text with default and variable behind it, in one pair of parentheses. */
static void option_table_text(const struct option_row *row, char ret[TEXT_BYTES])
{
	const char *standard = row->standard, *variable = row->variable;
	snprintf(ret, TEXT_BYTES, "%s%s%s%s%s%s%s", row->help, standard || variable ? " (" : "",
	    standard ? "default: " : "", standard ? standard : "", standard && variable ? "; " : "",
	    variable ? variable : "", standard || variable ? ")" : "");
}

/* Words of a text from HELP_COLUMN on; `at` is the column where the line stands. */
static void option_table_wrap(FILE *file, const char *text, size_t at)
{
	bool first = true;
	if (at + 1 > HELP_COLUMN) {
		putc('\n', file);
		at = 0;
	}
	while (*text) {
		size_t n = strcspn(text, " ");
		if (!first && at + 1 + n > HELP_WIDTH) {
			putc('\n', file);
			at = 0;
			first = true;
		}
		if (first)
			at += (size_t)fprintf(file, "%*s", (int)(HELP_COLUMN - at), "");
		else
			at += fputs(" ", file) >= 0;
		at += fwrite(text, 1, n, file);
		first = false;
		text += n + strspn(text + n, " ");
	}
	putc('\n', file);
}

void option_table_help(FILE *file, const struct option_row *rows)
{
	char head[HEAD_BYTES], text[TEXT_BYTES];
	for (const struct option_row *row = rows; row && row->name; row++) {
		if (!row->help)
			continue;
		option_table_head(row, head);
		option_table_text(row, text);
		option_table_wrap(file, text, (size_t)fprintf(file, "  %s", head));
	}
}

static void option_table_kind(const struct option_row *row, char ret[TEXT_BYTES])
{
	static const char *const kinds[] = {
		[OPTION_FILE] = "files",
		[OPTION_DIRECTORY] = "directories",
		[OPTION_REFERENCE] = "refs",
		[OPTION_RUNTIME] = "runtimes",
		[OPTION_CHOICE] = NULL,
	};
	const char *kind = kinds[row->type];
	snprintf(ret, TEXT_BYTES, "%s%s", row->choices ? "words " : "",
	    row->choices ? row->choices
		: kind   ? kind
			 : "none");
	for (char *c = ret; row->choices && *c; c++)
		*c = *c == '|' ? ' ' : *c;
}

void option_table_list(
    FILE *file, const char *program, const char *command, const struct option_row *rows)
{
	char text[TEXT_BYTES], kind[TEXT_BYTES];
	for (const struct option_row *row = rows; row && row->name; row++) {
		if (!row->help)
			continue;
		const char *word = option_table_word(row);
		bool brackets = row->optional && *word;
		option_table_text(row, text);
		option_table_kind(row, kind);
		fprintf(file, "option\t%s\t%s\t--%s\t%s%s%s\t%s\t%s\t%s\t%s\n", program, command,
		    row->name, brackets ? "[=" : "", word, brackets ? "]" : "", text, kind,
		    row->letters ? row->letters : "", row->variable ? row->variable : "");
	}
}
