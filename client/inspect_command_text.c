#include "client/inspect_command_text.h"

#include <stdio.h>
#include <string.h>

#include "tables/args.h"

bool command_is(const struct tables *t, const struct record *r, uint64_t word)
{
	struct function_entry entry;
	return !(word_flags(word) & FLAG_OBJECT) &&
	    registry_function(&t->registry, r->function, &entry) &&
	    strcmp(entry.name, COMMAND_FUNCTION) == 0;
}

/* The fields are bytes, or an object that many commands share. */
static const char *command_text_fields_of(
    const struct tables *t, const struct arg *arg, uint64_t *ret_length)
{
	uint64_t word;
	*ret_length = arg->length;
	if (!arg->future)
		return arg->data;
	const struct record *r = record_lookup(t, arg->future->ref, &word);
	return r && word_state(word) == RECORD_DONE ? record_value(t, r, ret_length) : NULL;
}

/* NULL: no such field. */
static const char *command_text_find_field(
    const struct tables *t, const struct arg *arg, enum command_field wanted)
{
	uint64_t length;
	enum command_field field;
	const char *at = NULL, *text, *fields = command_text_fields_of(t, arg, &length);
	while (fields && command_field(fields, length, &at, &field, &text))
		if (field == wanted)
			return text;
	return NULL;
}

void command_words(const struct tables *t, struct record *r, char *ret, size_t size)
{
	struct args_reader reader;
	struct arg arg;
	size_t n = 0;
	int words = r->nargs;
	ret[0] = 0;
	if (!args_open(t, r, &reader))
		return;
	for (int i = 0; args_next(&reader, &arg) && i < words && n < size; i++) {
		if (i == COMMAND_ARG_FIELDS && command_text_find_field(t, &arg, COMMAND_SHELL))
			n += (size_t)snprintf(ret, size, "%s %s", COMMAND_SHELL_WORDS);
		if (i == COMMAND_ARG_FIELDS && command_text_find_field(t, &arg, COMMAND_OUTLET))
			words--; /* the last argument is the outlet */
		if (i < COMMAND_ARG_WORDS || arg.future)
			continue;
		int shown = arg.length < size ? (int)arg.length : (int)size;
		n += (size_t)snprintf(
		    ret + n, size - n, "%s%.*s", n ? " " : "", shown, (const char *)arg.data);
	}
}

const struct record *command_next_part(const struct tables *t, uint32_t *next, int *steps)
{
	if (!*next || *next > t->limits.records || ++*steps > RESULTS_MAX)
		return NULL;
	const struct record *part = record_at(t, *next - 1);
	*next = part->part.next;
	return word_state(sh_load(&part->state)) == RECORD_PART ? part : NULL;
}

const struct record *command_log_part(const struct tables *t, const struct record *r)
{
	uint32_t next = r->first_part;
	int steps = 0;
	const struct record *part;
	while ((part = command_next_part(t, &next, &steps)) != NULL)
		if (part->part.which == COMMAND_RESULT_LOG)
			break;
	return part;
}

static void command_text_read_label(
    const struct tables *t, struct record *r, char ret[COMMAND_LABEL_MAX + 1])
{
	struct args_reader reader;
	struct arg arg;
	const char *label = NULL;
	if (args_open(t, r, &reader) && args_next(&reader, &arg))
		label = command_text_find_field(t, &arg, COMMAND_LABEL);
	if (label)
		snprintf(ret, COMMAND_LABEL_MAX + 1, "%.*s", COMMAND_LABEL_MAX, label);
}

void command_label(
    const struct tables *t, struct record *r, uint64_t word, char ret[COMMAND_LABEL_MAX + 1])
{
	struct command_log log;
	struct command_texts texts;
	uint64_t length = 0;
	const struct record *part = state_settled(word_state(word)) ? command_log_part(t, r) : NULL;
	const void *data = part ? record_value(t, part, &length) : NULL;
	ret[0] = 0;
	if (command_log_read(data, length, &log, &texts))
		snprintf(ret, COMMAND_LABEL_MAX + 1, "%.*s", (int)log.label_bytes, texts.label);
	else if (!state_settled(word_state(word)) || word_retriable(word))
		command_text_read_label(t, r, ret);
}

bool command_names_file(const struct tables *t, struct record *r, int stream)
{
	struct args_reader reader;
	struct arg arg;
	enum command_field field = stream == 1 ? COMMAND_OUTPUT : COMMAND_ERROR;
	return args_open(t, r, &reader) && args_next(&reader, &arg) &&
	    command_text_find_field(t, &arg, field);
}

bool command_outlet_of(const struct tables *t, struct record *r, struct command_outlet *ret)
{
	struct args_reader reader;
	struct arg arg;
	if (!args_open(t, r, &reader) || !args_next(&reader, &arg) ||
	    !command_text_find_field(t, &arg, COMMAND_OUTLET))
		return false;
	while (args_next(&reader, &arg))
		continue;
	return !arg.future && command_outlet_read(arg.data, arg.length, ret);
}
