/* prune.h - bounds the journal: removes tasks by age and by count.
 *
 * A few rows go between two groups. An unfinished task stays at any age, with all blobs and values
 * it may ask for; these go when no task is unfinished. The file does not shrink; free room is used
 * again.
 * Where: the journal.  Blocks: on the disk. */
#ifndef PLM_JOURNAL_PRUNE_H
#define PLM_JOURNAL_PRUNE_H

#include <stdint.h>

struct journal;

struct prune {
	uint64_t unfinished; /* all former tasks have ended */
	uint64_t next, due_ns;
};

void prune_some(struct journal *j);

#endif
