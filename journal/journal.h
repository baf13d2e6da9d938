/* journal.h - the role that writes down which tasks were accepted and how they ended (--state).
 *
 * Where: one process, in the process slot that the control page names; like a worker, it is a
 * client of its own runtime. The journal alone writes the file (db.h).
 * Bits tell the journal where to look (tables/journal_state.h); the records decide. It writes in
 * groups: a pause of GROUP_MS after the first news, none if a client waits for the disk, then all
 * news in one commit. Only then does it mark tasks as recorded, and drop its hold on ended tasks.
 * Death: only the group being written is lost, and SQLite takes that back. The next journal reads
 * from the file what was written in this boot, looks at every record with the journal's hold, and
 * goes on. A power failure loses the groups that were not on the disk: DURABILITY_SYNC promised
 * none of those.
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
	TROUBLE_MS = 500,     /* until the next try to write a group that failed */
	GROUP_RECORDS = 8192, /* looked at in one group */
	RESUME_BATCH = 256,   /* tasks of earlier boots, between two groups */
	PRUNE_TASKS = 2048,   /* task numbers looked at, between two groups */
};

struct journal_plan { /* the orders of a journal at its birth */
	const char *directory;
	uint32_t slot;
	enum durability durability;
	uint64_t age_ms, count; /* bounds of ended tasks; 0: no bound */
};

enum { ENTRY_ACCEPTED = 1, ENTRY_ENDED = 2, ENTRY_FORGOTTEN = 4, ENTRY_RUNNING = 8 };

struct entry {       /* what is written of a record. Private; read again from the file. */
	uint64_t id; /* of the task */
	uint32_t generation;
	uint8_t flags;
	uint8_t attempt; /* the latest that is written */
};

struct rows_group {     /* of news, written in one commit */
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
	int64_t boot;     /* number of this boot */
	int64_t epoch_ms; /* wall clock at time 0 of the records' clock */
	uint64_t next_task, next_blob;
	struct entry *entry; /* [records] */
	struct rows_group group;
	struct object object[OBJECTS_KNOWN];
	struct terms_text terms;
	struct resume resume;
	struct prune prune;
	bool any_needed; /* some tasks wait for values of others */
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
