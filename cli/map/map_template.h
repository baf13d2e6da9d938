/* map_template.h - the command of `plmctl map`, with its replacement strings (map_tags.h).
 *
 * Three kinds: a program and its words, executed without a shell, where {} alone becomes a
 * word for each value; a line for a shell, where values are quoted; no command, where the value
 * is a line for a shell. With several values in a job {} stands for all of them, separated by
 * blanks; with `repeat` (-X, -N) the whole part of a line around {}, from blank to blank, is
 * repeated for each value.
 * Who: one thread.
 * Blocks: never. */
#ifndef PLM_CLI_MAP_TEMPLATE_H
#define PLM_CLI_MAP_TEMPLATE_H

#include <stdbool.h>

#include "cli/map/map_job.h"
#include "cli/map/map_tags.h"
#include "cli/text.h"

struct template;

struct template_plan {
	char *const *words;
	size_t count;      /* 0: the value is the command */
	const char *shell; /* the program that reads a line; NULL: the words are executed */
	bool append;       /* {} to a command without a replacement string */
	bool repeat;
	struct tags tags;
};

/* 0, or -errno with a why. The plan's texts must stay. */
int template_make(struct template **ret, const struct template_plan *plan);
/* A text without quotes, for an option. */
int template_make_text(struct template **ret, const char *text, const struct tags *tags);
void template_free(struct template *t);

bool template_has_replacement(const struct template *t);
bool template_has_value(const struct template *t);
/* Does the command contain {%}? Then each job needs a place of its own, from 1 to --jobs. */
bool template_wants_places(const struct template *t);
/* Does the command contain {##} or {0#}, which need the number of all jobs? */
bool template_wants_total(const struct template *t);
/* For {##}, {0#}, {0%}. */
void template_know(struct template *t, uint64_t total, unsigned jobs);

/* How long the line of a command is without values, and how much longer one more value makes the
 * line; the count of xargs: each word and a byte. */
size_t template_bytes(const struct template *t);
size_t template_value_bytes(const struct template *t, const char *value);

/* Appends the words to execute, each ended by a zero; returns their number. */
size_t template_words(const struct template *t, const struct job *job, struct text *ret);
/* Appends the command as a line for a shell. */
void template_line(const struct template *t, const struct job *job, struct text *ret);
/* Appends the text with its replacement strings replaced, unquoted. */
void template_plain(const struct template *t, const struct job *job, struct text *ret);
/* Appends the values, separated by blanks. */
void template_values(const struct job *job, struct text *ret);

#endif
