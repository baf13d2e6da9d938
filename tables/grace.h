/* grace.h - how long an attempt may go on after a request to stop: a word for each record.
 *
 * The word is {generation:24, attempt:8, 1 + milliseconds:32} and counts for the named attempt
 * alone, so no process need clear it. Milliseconds of 0: no grace named, the task's terms decide.
 * Where: the control segment.  Who may call: a process that cancels or returns a task writes the
 * word before the CAS that sets the flag; a later request overrides. The scheduler reads the word
 * when the flag is set.
 * Death: a word without a flag means nothing; the next request without a grace of its own empties
 * the word.
 * Blocks: never. */
#ifndef PLM_GRACE_H
#define PLM_GRACE_H

#include "tables/tables.h"

/* Call before the step that sets the flag, with the word read last. grace_ms < 0: the terms decide.
 */
void grace_name(struct tables *t, uint32_t index, uint64_t word, int grace_ms);
/* Milliseconds from the request to stop until the kill of this attempt. */
uint32_t grace_of(const struct tables *t, uint32_t index, uint64_t word);
/* True: a request named a grace for this attempt. */
bool grace_was_named(const struct tables *t, uint32_t index, uint64_t word, uint32_t *ret_ms);

#endif
