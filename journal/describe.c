#include "journal/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "journal/journal.h"
#include "tables/args.h"
#include "tables/command_block.h"
#include "spec/spec.h"

/* The bytes of an argument, or of the named object; NULL: not available. */
static const char *describe_bytes_of(
    const struct journal *j, const struct arg *arg, uint64_t *ret_length)
{
	uint64_t word;
	*ret_length = arg->length;
	if (!arg->future)
		return arg->data;
	struct record *r = record_lookup(&j->rt.tables, arg->future->ref, &word);
	return r && word_state(word) == RECORD_DONE ? record_value(&j->rt.tables, r, ret_length)
						    : NULL;
}

static size_t describe_add_word(
    char *text, size_t n, size_t size, const char *word, uint64_t length)
{
	if (n + 1 >= size)
		return n;
	if (n)
		text[n++] = ' ';
	for (uint64_t i = 0; i < length && n + 1 < size; i++)
		text[n++] = word[i] ? word[i] : ' ';
	text[n] = 0;
	return n;
}

static bool describe_is_text(const char *bytes, uint64_t length)
{
	for (uint64_t i = 0; i < length && i < COMMAND_TEXT_MAX; i++)
		if (!isprint((unsigned char)bytes[i]) && !((unsigned char)bytes[i] & 0x80))
			return false;
	return true;
}

static void describe_find_label(const char *fields, uint64_t length, char *label, size_t size)
{
	const char *at = NULL, *text;
	enum command_field field;
	while (fields && command_field(fields, length, &at, &field, &text))
		if (field == COMMAND_LABEL)
			snprintf(label, size, "%s", text);
}

void describe_call(struct journal *j, struct record *r, const char *function, char *text,
    size_t text_size, char *label, size_t label_size)
{
	bool command = strcmp(function, COMMAND_FUNCTION) == 0;
	struct args_reader reader;
	struct arg arg;
	label[0] = text[0] = 0;
	size_t n = command ? 0 : describe_add_word(text, 0, text_size, function, strlen(function));
	if (!args_open(&j->rt.tables, r, &reader))
		return;
	for (int i = 0; args_next(&reader, &arg) && n + 1 < text_size; i++) {
		uint64_t length;
		if (command &&
		    (i == COMMAND_ARG_ENVIRONMENT || (i >= COMMAND_ARG_WORDS && arg.future)))
			continue;
		const char *bytes = describe_bytes_of(j, &arg, &length);
		if (command && i == COMMAND_ARG_FIELDS)
			describe_find_label(bytes, length, label, label_size);
		else if (arg.future)
			n = describe_add_word(text, n, text_size, "@...", 4);
		else if (bytes && describe_is_text(bytes, length))
			n = describe_add_word(text, n, text_size, bytes, length);
		else
			n = describe_add_word(text, n, text_size, "...", 3);
	}
}

static void describe_print_terms(
    const struct journal *j, const struct terms *terms, char *needs, char *limits)
{
	const struct resource_names *names = &j->rt.tables.control->resources;
	size_t n = 0;
	needs[0] = limits[0] = 0;
	if (!terms)
		return;
	for (uint32_t i = 0; i < terms->alternatives && n < TERMS_TEXT_BYTES; i++) {
		n += (size_t)snprintf(needs + n, TERMS_TEXT_BYTES - n, "%s", i ? " | " : "");
		n += spec_print_demand(
		    &terms->alternative[i], names, needs + n, TERMS_TEXT_BYTES - n);
	}
	snprintf(limits, TERMS_TEXT_BYTES, "%u %u %u %u %u %u %u", terms->queue_ms, terms->run_ms,
	    terms->total_ms, terms->backoff_ms, terms->backoff_max_ms, terms->grace_ms,
	    terms->keep_ms);
}

void describe_terms(
    struct journal *j, uint32_t number, const char **ret_needs, const char **ret_limits)
{
	if (number != j->terms.known)
		describe_print_terms(
		    j, terms_at(j->rt.tables.terms, number), j->terms.needs, j->terms.limits);
	j->terms.known = number;
	*ret_needs = j->terms.needs;
	*ret_limits = j->terms.limits;
}
