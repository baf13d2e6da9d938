/* map_template.h - the command of `plmctl map`, with its replacement strings: {} {.} {/} {//} {/.}
 * for the values, {2} {2/.} for one of them, {#} for the number of the job, {%} for its place.
 *
 * Three kinds. A program and its words, executed as they are: {} alone is a word for each value. A
 * line for a shell: values are quoted. No command: the value is itself a line for a shell.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_CLI_MAP_TEMPLATE_H
#define PLM_CLI_MAP_TEMPLATE_H

#include <stdbool.h>

#include "cli/map/map_job.h"
#include "cli/text.h"

struct template;

/* What there is to run; with `shell`, or of one word with a blank or another character of a shell
 * in it, it is a line. Without any replacement string {} is added. NULL: no memory. */
struct template *template_make(char *const *words, size_t count, bool shell);
void template_free(struct template *t);

/* Does it want to know places? Then a job has one, from 1 to --jobs, and nobody else has it. */
bool template_wants_places(const struct template *t);

/* Adds the words to be executed, each with a zero behind it; how many they are. */
size_t template_words(const struct template *t, const struct job *job, struct text *ret);
/* Adds the command as a shell would be given it. */
void template_line(const struct template *t, const struct job *job, struct text *ret);
/* Adds the values, with blanks between them. */
void template_values(const struct job *job, struct text *ret);

#endif
