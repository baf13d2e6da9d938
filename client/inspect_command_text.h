/* inspect_command_text.h - the words and the label of a command: from the arguments while the
 * arguments are there, from the log afterwards.
 *
 * The scheduler may free the bytes during a reading: the caller compares the state word, and the
 * granules of the bytes, before and after.  Blocks: never.  Allocates: never. */
#ifndef PLM_CLIENT_INSPECT_COMMAND_TEXT_H
#define PLM_CLIENT_INSPECT_COMMAND_TEXT_H

#include "tables/command_block.h"

/* Is r a command? `word` is a state word of r. */
bool command_is(const struct tables *t, const struct record *r, uint64_t word);

/* The words with a space between them, cut to the size; "": unreadable. */
void command_words(const struct tables *t, struct record *r, char *ret, size_t size);
/* From the log or the arguments; "": no label. */
void command_label(
    const struct tables *t, struct record *r, uint64_t word, char ret[COMMAND_LABEL_MAX + 1]);

/* The next further result: *next begins as first_part of the task, *steps as 0. NULL: no more, or a
 * damaged link. */
const struct record *command_next_part(const struct tables *t, uint32_t *next, int *steps);
/* The further result with the log; NULL: no log. */
const struct record *command_log_part(const struct tables *t, const struct record *r);

/* Does the command write stream 1 or 2 into a file that its submitter named? False also if the
 * arguments are gone. */
bool command_names_file(const struct tables *t, struct record *r, int stream);
/* Where the output goes, if the submitter reads the output. False: the runtime keeps the output, or
 * the arguments are gone. */
bool command_outlet_of(const struct tables *t, struct record *r, struct command_outlet *ret);

#endif
