/* resume.h - after a boot: unfinished tasks of earlier boots are queued again.
 *
 * The tasks come in order of acceptance, some between two groups, as many as the record table has
 * room for. An attempt cut short by the end of the runtime counts as a crash: the task runs again
 * if crash_retries are left, else the task fails. Tasks among the arguments were queued again
 * before, or have ended and left values in the journal. A task is noted as resumed, with the
 * future, before the task is visible. Should the journal die in between, the note names no record,
 * and the next journal queues the task again.
 * Where: the journal.  Blocks: on the disk.  Errors: -errno with a why. */
#ifndef PLM_JOURNAL_RESUME_H
#define PLM_JOURNAL_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;
struct standing;

struct resumed { /* a task of an earlier boot, and the new future */
	uint64_t id, ref;
};

struct resume {
	struct resumed *done; /* by rising id */
	size_t count, room;
	uint64_t next; /* later tasks are still to be queued; UINT64_MAX: none */
	uint64_t due_ns;
	int64_t task;                    /* in submission ... */
	const struct standing *place;    /* ... to this place ... */
	unsigned retries, crash_retries; /* ... with these budgets */
	int noted;                       /* error of the note; 0: written */
	uint64_t without_module;         /* number of tasks without a module */
	uint32_t modules;                /* number of modules then */
	int64_t dubious;                 /* up to this task ends may be lost */
};

int resume_open(struct journal *j);
/* Queues some tasks of earlier boots. True: more can be done at once. */
bool resume_some(struct journal *j);

#endif
