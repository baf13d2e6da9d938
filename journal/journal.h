/* journal.h - the role behind --state: writes accepted tasks and their ends into a file.
 *
 * Where: a process in the process slot named by the control page; like a worker, a client of the
 * runtime. The journal alone writes the file (db.h). Bits tell the journal where to look
 * (tables/journal_state.h); the records decide. Rows are written in groups: a pause of GROUP_MS
 * after the first news, none if a client waits for the disk, then a commit of all news. Only after
 * the commit are tasks marked as recorded, and ended tasks lose the journal's hold.
 * Death: only the group in work is lost, and SQLite takes the group back. The next journal reads
 * the rows of the present boot from the file, looks at every record with the journal's hold, and
 * goes on. A power failure loses groups not yet on the disk, for which DURABILITY_SYNC has promised
 * nothing.
 * Blocks: on the disk; on its event when idle. */
#ifndef PLM_JOURNAL_H
#define PLM_JOURNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "client/handle.h"
#include "journal/db.h"
#include "journal/describe.h"
#include "journal/encode.h"
#include "journal/prune.h"
#include "journal/resume.h"

enum {
	GROUP_MS = 50,
	TROUBLE_MS = 500,     /* until the next try to write a failed group */
	GROUP_RECORDS = 8192, /* looked at for a group */
	RESUME_BATCH = 256,   /* tasks of earlier boots, between two groups */
	PRUNE_TASKS = 2048,   /* task numbers looked at, between two groups */
};

struct journal_plan { /* orders at birth */
	const char *directory;
	uint32_t slot;
	enum durability durability;
	uint64_t age_ms, count; /* bounds of ended tasks; 0: no bound */
};

enum { ENTRY_ACCEPTED = 1, ENTRY_ENDED = 2, ENTRY_FORGOTTEN = 4, ENTRY_RUNNING = 8 };

struct standing { /* in the queue: what a person may move */
	int16_t priority;
	bool parked;
	uint64_t turn; /* 0: that of the submission; else at the front, lower turns first */
};

struct entry {       /* what is written of a record. Private; read again from the file. */
	uint64_t id; /* of the task */
	struct standing place;
	uint32_t generation;
	uint8_t flags;
	uint8_t attempt; /* the latest written */
};

struct rows_group {     /* news of a commit */
	struct change { /* of an entry */
		uint32_t index;
		struct entry before;
	} * change; /* [GROUP_RECORDS] */
	uint32_t changes;
	uint32_t look_from;              /* word of the news where the next group begins */
	uint64_t first_task, first_blob; /* numbers when the group began */
	uint64_t ended, accepted;
};

struct journal {
	struct plm rt;
	struct journal_plan plan;
	struct journal_shm *shm;
	struct db db;
	int lock;         /* descriptor of the directory's lock; negative: none yet */
	int64_t boot;     /* number of the boot */
	int64_t epoch_ms; /* wall clock at time 0 of the records' clock */
	uint64_t next_task, next_blob;
	struct entry *entry; /* [records] */
	struct rows_group group;
	struct object object[OBJECTS_KNOWN];
	struct terms_text terms;
	struct resume resume;
	struct prune prune;
	bool any_needed; /* some tasks wait for values of former tasks */
	_Atomic bool stop;
};

int journal_open(struct journal *j, const struct journal_plan *plan);
void journal_run(struct journal *j); /* until j->stop */
void journal_close(struct journal *j);

static inline int64_t journal_now(void) /* milliseconds of the wall clock */
{
	return (int64_t)(clock_of(CLOCK_REALTIME) / NS_PER_MS);
}

#endif
