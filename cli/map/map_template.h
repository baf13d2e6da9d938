/* map_template.h - the command of `plmctl map`, with its replacement strings: {} {.} {/} {//}
 * {/.} for the values, {2} {2/.} for the second value, {#} for the number of the job, {%} for
 * its place.
 *
 * Three kinds: a program and its words, executed without a shell, where {} alone becomes a
 * word for each value; a line for a shell, where values are quoted; no command, where the value
 * is a line for a shell.
 * Who: one thread.
 * Blocks: never. */
#ifndef PLM_CLI_MAP_TEMPLATE_H
#define PLM_CLI_MAP_TEMPLATE_H

#include <stdbool.h>

#include "cli/map/map_job.h"
#include "cli/text.h"

struct template;

/* The command is a line for a shell with `shell`, or if it is one word with a blank or another
 * special character of a shell. Appends {} if the command has no replacement string. NULL: no
 * memory. */
struct template *template_make(char *const *words, size_t count, bool shell);
void template_free(struct template *t);

/* Does the command contain {%}? Then each job needs a place of its own, from 1 to --jobs. */
bool template_wants_places(const struct template *t);

/* Appends the words to execute, each ended by a zero; returns their number. */
size_t template_words(const struct template *t, const struct job *job, struct text *ret);
/* Appends the command as a line for a shell. */
void template_line(const struct template *t, const struct job *job, struct text *ret);
/* Appends the values, separated by blanks. */
void template_values(const struct job *job, struct text *ret);

#endif
