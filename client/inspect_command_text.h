/* command_text.h - what a command is called: its words and its label, out of its arguments while
 * they are there, out of its log afterwards.
 *
 * Who: plmctl and plmdump. What is read may be freed meanwhile: the caller looks at the state word,
 * and at the granules it was read from, again.  Blocks: never.  Allocates: never. */
#ifndef PLM_CLI_COMMAND_TEXT_H
#define PLM_CLI_COMMAND_TEXT_H

#include "tables/command_block.h"

/* The word is one that r had. */
bool command_is(const struct tables *t, const struct record *r, uint64_t word);

/* Its words with a space between them, cut to the size; "" if they cannot be read. */
void command_words(const struct tables *t, struct record *r, char *ret, size_t size);
/* From its log or its arguments, whichever is there; "": none. */
void command_label(
    const struct tables *t, struct record *r, uint64_t word, char ret[COMMAND_LABEL_MAX + 1]);

/* The results beyond the first, one after the other: *next begins as first_part of the task, *steps
 * as 0. NULL: no more, or what is there makes no sense. */
const struct record *command_next_part(const struct tables *t, uint32_t *next, int *steps);
/* The part that is its log; NULL if it has none. */
const struct record *command_log_part(const struct tables *t, const struct record *r);

/* Where its output goes, if its submitter reads that itself. False: it does not, or this is not
 * known any more. */
bool command_outlet_of(const struct tables *t, struct record *r, struct command_outlet *ret);

#endif
