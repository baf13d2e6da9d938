/* journal_rows.h - the news of a record, as rows: accepted, begun, ended.
 *
 * The journal's hold keeps a record, and a settled record does not change, so it is read without
 * haste. Each look compares the record with the rows written so far: a second look writes no row
 * twice.
 * Where: the journal.  Blocks: on the disk.  Errors: -errno with a why. */
#ifndef PLM_JOURNAL_ROWS_H
#define PLM_JOURNAL_ROWS_H

#include <stdbool.h>
#include <stdint.h>

struct journal;

enum { ROWS_LATER = 1 }; /* after the news of an argument, which wants to be looked at */

/* Writes the news of a record. 0, ROWS_LATER, or -errno: the group is to be taken back. */
int rows_look(struct journal *j, uint32_t index);
/* A task ended without having been queued again: 0 or -errno. */
int rows_end_unqueued(struct journal *j, int64_t task, bool dead, int code, const char *message);
/* The same for a task not needed any more: it counts as cancelled. */
int rows_cancel_unqueued(struct journal *j, int64_t task, const char *message);

#endif
