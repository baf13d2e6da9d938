/* resume.h - after a boot: unfinished tasks of earlier boots are queued again.
 *
 * They come in the order of their acceptance, some between two groups, as many as the record table
 * has room for. An attempt that was running when the runtime ended counts like one whose worker
 * died: the task runs again if crash_retries are left, else it is dead. The tasks it waits for were
 * queued again before, or have ended and left their values in the journal.
 * A task is noted as resumed, with its future, before it is visible. Should the journal die in
 * between, the note names a record that does not exist, and the next journal queues the task again.
 * Where: the journal.  Blocks: on the disk.  Errors: -errno with a why. */
#ifndef PLM_JOURNAL_RESUME_H
#define PLM_JOURNAL_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

struct resumed { /* a task of an earlier boot, and its future in this one */
	uint64_t id, ref;
};

struct resume {
	struct resumed *done; /* by rising id */
	size_t count, room;
	uint64_t next; /* tasks after this one are still to be queued; UINT64_MAX: none */
	uint64_t due_ns;
	int64_t task;                    /* that is being submitted */
	unsigned retries, crash_retries; /* budgets of that task */
	int noted;                       /* the error of its note; 0: written */
	uint64_t without_module;         /* tasks seen that wait for a module */
	uint32_t modules;                /* number of modules at that time */
	int64_t dubious;                 /* of tasks up to this one the ends may be lost */
};

int resume_open(struct journal *j);
/* Queues some tasks of earlier boots. True: more can be done at once. */
bool resume_some(struct journal *j);

#endif
