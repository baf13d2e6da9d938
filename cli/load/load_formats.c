/* load_formats.c - finds the format of a line, and reads the formats other than JSON. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/why.h"
#include "cli/load/load.h"

enum {
	WORD_BYTES_MAX = 131071, /* Linux gives a program no longer word (MAX_ARG_STRLEN) */
	ORIGIN_FIELDS = 5,
	ORIGIN_MOST = 1 << 20, /* GB, cpus */
	QUOTED = 40,           /* bytes of a bad value that a message repeats */
};

/* ---- shared by formats ---- */

void load_add_word(struct load_item *item, const char *word)
{
	item->word = grow(item->word, item->words + 1, &item->words_room, sizeof *item->word);
	item->result =
	    grow(item->result, item->words + 1, &item->results_room, sizeof *item->result);
	item->result[item->words] = NULL;
	item->word[item->words++] = word;
}

void load_add_result(struct load_item *item, const char *name)
{
	load_add_word(item, NULL);
	item->result[item->words - 1] = name;
}

void load_add_future(struct load_item *item, struct load_future future)
{
	item->future =
	    grow(item->future, item->futures + 1, &item->futures_room, sizeof *item->future);
	item->future[item->futures++] = future;
	item->own_fields = true;
}

/* Appends to the variables of the command line, which all lines share: copies them first. */
void load_add_variable(struct load_item *item, const char *variable)
{
	struct command_request *request = &item->request;
	size_t n = request->options.variable_count;
	bool ours = request->variable == item->variable && n > 0;
	const char **before = request->variable;
	item->variable = grow(item->variable, n + 1, &item->variables_room, sizeof *item->variable);
	if (!ours && n > 0)
		memcpy(item->variable, before, n * sizeof *before);
	request->variable = item->variable;
	request->variable[n] = variable;
	request->options.variables = item->variable;
	request->options.variable_count = n + 1;
	item->own_fields = true;
}

int load_shell(struct load_item *item, const char *line)
{
	size_t length = strlen(line);
	if (length == 0)
		return why(-EINVAL, "the line has no command");
	static const char *const shell[] = { "/bin/sh", "-c" };
	for (size_t i = 0; i < sizeof shell / sizeof shell[0]; i++)
		load_add_word(item, shell[i]);
	load_add_word(item, line);
	item->shell = true;
	return 0;
}

/* Refuses words that no program can be given, before they are queued. */
static int load_formats_judge_words(const struct load_item *item)
{
	size_t most = ARGS_MAX - 2 /* arguments beside words */;
	if (item->words + item->futures > most)
		return why(-EINVAL, "%zu words and futures, at most %zu are possible",
		    item->words + item->futures, most);
	for (size_t i = 0; i < item->words && !item->function; i++)
		if (strlen(item->word[i]) > WORD_BYTES_MAX)
			return why(-EINVAL,
			    "a word of %zu bytes: Linux gives a program no word of "
			    "more than %d; let it read a file",
			    strlen(item->word[i]), WORD_BYTES_MAX);
	return 0;
}

/* A variable must not be set twice. */
static int load_formats_judge_futures(const struct load_item *item)
{
	for (size_t i = 0; i < item->futures; i++) {
		const char *name = item->future[i].name ? item->future[i].name : "";
		size_t n = strcspn(name, "=");
		for (size_t k = 0; k < i && n > 0; k++)
			if (item->future[k].name && strncmp(item->future[k].name, name, n) == 0 &&
			    strcspn(item->future[k].name, "=") == n)
				return why(-EINVAL, "the variable %.*s is set twice", (int)n, name);
	}
	return 0;
}

/* Control characters do not come from an editor: the file is probably no task file. */
static int load_formats_judge_text(const struct load_line *line)
{
	if (line->too_long)
		return why(-EINVAL, "the line has more than %d MiB", LINE_BYTES_MAX >> 20);
	for (size_t i = 0; i < line->length; i++) {
		unsigned char c = (unsigned char)line->text[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return why(-EINVAL, "byte %zu is 0x%02x, which is no text", i + 1, c);
	}
	return 0;
}

/* ---- the origin's: type:priority:min_dram:min_cpu:params ---- */

/* A whole number, with blanks around it. */
static bool load_formats_whole_number(const char *text, long least, long most, long *ret)
{
	char *end;
	text += strspn(text, " \t");
	bool digit = isdigit((unsigned char)text[text[0] == '-']);
	errno = 0;
	*ret = strtol(text, &end, 10);
	end += strspn(end, " \t");
	return digit && *end == 0 && errno == 0 && *ret >= least && *ret <= most;
}

/* Cuts the line at its first four colons. */
static int load_formats_cut_fields(char *text, char *ret[ORIGIN_FIELDS])
{
	for (int i = 0; i < ORIGIN_FIELDS; i++) {
		ret[i] = text;
		char *colon = i < ORIGIN_FIELDS - 1 ? strchr(text, ':') : NULL;
		if (!colon && i < ORIGIN_FIELDS - 1)
			return why(-EINVAL,
			    "the line has %d of the four colons of "
			    "TYPE:PRIORITY:MIN_DRAM_GB:MIN_CPU:PARAMS",
			    i);
		if (colon)
			*colon = 0;
		text = colon ? colon + 1 : text;
	}
	return 0;
}

static int load_formats_take_numbers(struct load_item *item, char *const field[ORIGIN_FIELDS])
{
	struct task_request *task = &item->request.task;
	long priority, memory, cpus;
	if (!load_formats_whole_number(field[1], PRIORITY_MIN, PRIORITY_MAX, &priority))
		return why(-EINVAL, "the priority is a whole number from %d to %d: \"%.*s\"",
		    PRIORITY_MIN, PRIORITY_MAX, QUOTED, field[1]);
	if (!load_formats_whole_number(field[2], 0, ORIGIN_MOST, &memory))
		return why(
		    -EINVAL, "the memory is a whole number of GB: \"%.*s\"", QUOTED, field[2]);
	if (!load_formats_whole_number(field[3], 0, ORIGIN_MOST, &cpus))
		return why(-EINVAL, "the cpus are a whole number: \"%.*s\"", QUOTED, field[3]);
	task->task.priority = (int)priority;
	if (memory == 0 && cpus == 0)
		return 0;
	int n = snprintf(item->needs, sizeof item->needs, "cpus=%ld", cpus ? cpus : 1);
	if (memory)
		snprintf(item->needs + n, sizeof item->needs - (size_t)n, ",mem=%ldG", memory);
	/* every task has one cpu */
	task->terms.needs = cpus > 1 || memory ? item->needs : NULL;
	return 0;
}

/* Splits at blanks; '...' and "..." keep blanks. Works in place, since words only get shorter. */
static int load_formats_cut_words(struct load_item *item, char *text)
{
	for (;;) {
		text += strspn(text, " \t");
		if (*text == 0)
			return 0;
		load_add_word(item, text);
		char *to = text, quote = 0;
		for (; *text && (quote || !strchr(" \t", *text)); text++) {
			if (*text == quote)
				quote = 0;
			else if (!quote && strchr("'\"", *text))
				quote = *text;
			else
				*to++ = *text;
		}
		if (quote)
			return why(-EINVAL, "a closing %c is missing", quote);
		bool last = *text == 0;
		*to = 0;
		text += !last;
	}
}

static int load_formats_take_function(struct load_item *item, char *params)
{
	int r = load_formats_cut_words(item, params);
	if (r < 0)
		return r;
	if (item->words == 0)
		return why(-EINVAL, "no function is named: write func:...:MODULE.NAME ARG...");
	item->function = item->word[0];
	memmove(item->word, item->word + 1, --item->words * sizeof *item->word);
	return 0;
}

/* The shell splits the words, as if a person had typed `python3 PARAMS`. */
static int load_formats_take_python(struct load_item *item, const char *params)
{
	static const char interpreter[] = "exec python3 ";
	if (params[strspn(params, " \t")] == 0)
		return why(-EINVAL, "no script is named for python3 to run");
	size_t bytes = strlen(params) + sizeof interpreter;
	item->memory = grow(item->memory, bytes, &item->memory_room, 1);
	snprintf(item->memory, bytes, "%s%s", interpreter, params);
	return load_shell(item, item->memory);
}

static int load_formats_read_origin(const struct load_line *line, struct load_item *item)
{
	char *field[ORIGIN_FIELDS];
	int r = load_formats_cut_fields(line->text, field);
	if (r == 0)
		r = load_formats_take_numbers(item, field);
	if (r < 0)
		return r;
	if (strcmp(field[0], "shell") == 0)
		return load_shell(item, field[4] + strspn(field[4], " \t"));
	if (strcmp(field[0], "python") == 0)
		return load_formats_take_python(item, field[4]);
	if (strcmp(field[0], "func") == 0)
		return load_formats_take_function(item, field[4]);
	return why(
	    -EINVAL, "a task is of the type shell, python or func: \"%.*s\"", QUOTED, field[0]);
}

/* ---- which format ---- */

/* A line begins with WORD:NUMBER: or TYPE:. No command begins so. */
static bool load_formats_looks_like_origin(const char *text)
{
	static const char *const type[] = { "shell:", "python:", "func:" };
	for (size_t i = 0; i < sizeof type / sizeof type[0]; i++)
		if (strncmp(text, type[i], strlen(type[i])) == 0)
			return true;
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	const char *number = text + word + 1;
	if (word == 0 || text[word] != ':')
		return false;
	size_t digits = strspn(number, "-0123456789");
	return digits > 0 && number[digits] == ':';
}

static int load_formats_read_as(
    enum load_format format, const struct load_line *line, struct load_item *item)
{
	int r;
	if (format == LOAD_AUTO)
		format = line->text[strspn(line->text, " \t")] == '{' ? LOAD_JSON
		    : load_formats_looks_like_origin(line->text)      ? LOAD_ORIGIN
								      : LOAD_LINES;
	if (format == LOAD_JSON)
		return load_json(line, item);
	r = load_formats_judge_text(line);
	if (r < 0)
		return r;
	return format == LOAD_ORIGIN ? load_formats_read_origin(line, item)
				     : load_shell(item, line->text);
}

int load_read(enum load_format format, const struct command_request *common,
    const struct load_line *line, struct load_item *item)
{
	size_t blanks = strspn(line->text, " \t");
	if (blanks == line->length || line->text[blanks] == '#')
		return 0;
	item->request = *common;
	item->own_fields = item->shell = false;
	item->function = item->name = item->on_finish = NULL;
	item->words = item->futures = 0;
	why_clear();
	int r = load_formats_read_as(format, line, item);
	if (r == 0)
		r = load_formats_judge_words(item);
	if (r == 0)
		r = load_formats_judge_futures(item);
	if (r == 0 && item->function && item->own_fields)
		r = why(-EINVAL,
		    "directory, environment, stdin, label and the like are for "
		    "commands; this line calls a function");
	return r < 0 ? r : 1;
}
