#include "tests/support/label.h"

#ifdef PLM_STEPS

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The part of a text from `from` up to `to`. */
struct span {
	const char *from, *to;
};

static int span_length(struct span s)
{
	return (int)(s.to - s.from);
}

static struct span label_module(const char *file)
{
	const char *slash = strrchr(file, '/'), *dot = strrchr(file, '.');
	return (struct span){ slash ? slash + 1 : file, dot ? dot : file + strlen(file) };
}

static bool label_is_operation(struct span word)
{
	static const char *const operations[] = { "store", "poke", "set", "rewrite", "cas", "or",
		"and", "add", "swap" };
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if ((size_t)span_length(word) == strlen(operations[i]) &&
		    memcmp(word.from, operations[i], (size_t)span_length(word)) == 0)
			return true;
	return false;
}

static bool label_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The index of an array is no part of the name of the array. */
static struct span label_without_index(struct span expression)
{
	while (expression.to > expression.from && expression.to[-1] == ']') {
		unsigned open = 0;
		do {
			expression.to--;
			open += *expression.to == ']';
			open -= *expression.to == '[';
		} while (open && expression.to > expression.from);
	}
	return expression;
}

/* The last member that an expression names. */
static struct span label_member(struct span expression)
{
	static const char unnamed[] = "?";
	struct span whole = label_without_index(expression), member = whole;
	member.from = whole.to;
	while (member.from > whole.from && label_is_word(member.from[-1]))
		member.from--;
	bool is_member = member.from < member.to && member.from > whole.from &&
	    (member.from[-1] == '.' || member.from[-1] == '>');
	return is_member ? member : (struct span){ unnamed, unnamed + 1 };
}

/* The name in quotes at the end of the text, or the member. */
static struct span label_field(struct span text)
{
	while (text.to > text.from && text.to[-1] == ' ')
		text.to--;
	if (text.to == text.from || text.to[-1] != '"')
		return label_member(text);
	struct span name = { text.to - 1, text.to - 1 };
	while (name.from > text.from && name.from[-1] != '"')
		name.from--;
	return name;
}

const char *step_label(const struct step *step, char label[LABEL_BYTES])
{
	struct span module = label_module(step->file);
	struct span word = { step->what, step->what + strcspn(step->what, " ") };
	struct span field = { word.to, step->what + strlen(step->what) };
	if (label_is_operation(word)) {
		field = label_field(field);
		snprintf(label, LABEL_BYTES, "%.*s: %.*s %.*s", span_length(module), module.from,
		    span_length(word), word.from, span_length(field), field.from);
	} else {
		snprintf(
		    label, LABEL_BYTES, "%.*s: %s", span_length(module), module.from, step->what);
	}
	return label;
}

bool label_is_known(const char *label)
{
	char known[LABEL_BYTES];
	for (const struct step *step = __start_steps; step < __stop_steps; step++)
		if (strcmp(step_label(step, known), label) == 0)
			return true;
	return false;
}

#else
typedef int labels_are_for_steps; /* as in shm/steps.c */
#endif
