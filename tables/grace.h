/* grace.h - how long an attempt that somebody asked to stop may go on: one word for each record.
 *
 * The word is {generation:24, attempt:8, 1 + milliseconds:32}; it counts for that attempt alone, so
 * nobody clears it. Milliseconds of 0: nothing was said, the terms of the task decide.
 * Who: whoever cancels or returns a task writes it before the CAS that sets the flag; a later one
 * overrides. The scheduler reads it when the flag is set.
 * Death: a word without a flag means nothing: who asks next, and names no grace, empties it.
 * Blocks: never. */
#ifndef PLM_GRACE_H
#define PLM_GRACE_H

#include "tables/tables.h"

/* Before the step to the flag, by the word that was read last. grace_ms < 0: as the terms say. */
void grace_name(struct tables *t, uint32_t index, uint64_t word, int grace_ms);
/* Milliseconds that this attempt has from when it was asked to stop. */
uint32_t grace_of(const struct tables *t, uint32_t index, uint64_t word);
/* True: somebody named a grace for this attempt. */
bool grace_was_named(const struct tables *t, uint32_t index, uint64_t word, uint32_t *ret_ms);

#endif
