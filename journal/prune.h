/* prune.h - bounds the journal: tasks that ended long ago, or before so many others, are removed.
 *
 * A few rows go between two groups. An unfinished task stays whatever its age, and so do its blobs
 * and the values of the tasks it waits for, which go when no task is unfinished. The file does not
 * shrink; its room is used again.
 * Where: the journal.  Blocks: on the disk. */
#ifndef PLM_JOURNAL_PRUNE_H
#define PLM_JOURNAL_PRUNE_H

#include <stdint.h>

struct journal;

struct prune {
	uint64_t unfinished; /* every task before this one has ended */
	uint64_t next, due_ns;
};

void prune_some(struct journal *j);

#endif
