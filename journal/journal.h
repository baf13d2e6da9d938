/* journal.h - the role that writes down which tasks were accepted and how they ended (--state).
 *
 * Where: one process, in the slot that the control page names; a client to its own runtime, as a
 * worker is. It alone writes the file (db.h).
 * What it is told are bits (tables/journal_state.h); what it finds in the records decides. It
 * writes in groups: a pause of GROUP_MS after the first news, none if somebody waits for it, then
 * all that came, one commit. Only then does it say that they are recorded, and gives up its hold on
 * those that ended. Death: nothing of it is lost but the group it was writing, which SQLite takes
 * back. Its successor reads from the file what was written in this boot, looks at every record that
 * has the journal's hold, and goes on. A power failure loses the groups that were not on the disk:
 * DURABILITY_SYNC promised none of those. Blocks: on the disk; on its event when there is nothing
 * to do. */
#ifndef PLM_JOURNAL_H
#define PLM_JOURNAL_H

#include <stdatomic.h>

#include "client/handle.h"
#include "journal/db.h"

enum {
	GROUP_MS = 50,
	TROUBLE_MS = 500,          /* until it is tried again to write what could not be written */
	GROUP_RECORDS = 8192,      /* looked at in one group */
	RESUME_BATCH = 256,        /* tasks of earlier boots, between two groups */
	PRUNE_TASKS = 2048,        /* task numbers looked at, between two groups */
	VALUE_BYTES_MAX = 1 << 20, /* of an argument that is somebody's value, to be kept with it */
	SHARED_BYTES_MIN = 256,    /* shorter bytes are not worth being looked for */
	SHARED_TASKS = 65536, /* so long ago, in tasks, bytes may have been stored to be shared */
	OBJECTS_KNOWN = 1024,
	TERMS_TEXT_BYTES = 1536,
};

struct journal_plan { /* what it is told at its birth */
	const char *directory;
	uint32_t slot;
	enum durability durability;
	uint64_t age_ms, count; /* of tasks that ended, what is kept; 0: all */
};

enum { ENTRY_ACCEPTED = 1, ENTRY_ENDED = 2, ENTRY_FORGOTTEN = 4, ENTRY_RUNNING = 8 };

struct entry { /* what is written of the record of this number. Private, from the file again. */
	uint64_t id; /* of the task */
	uint32_t generation;
	uint8_t flags;
	uint8_t attempt; /* the latest that is written */
};

struct change { /* of an entry, in the group that is being written */
	uint32_t index;
	struct entry before;
};

struct object { /* a value that is stored already */
	uint64_t ref;
	uint64_t blob, task; /* task: for whom it was stored first */
};

struct resumed { /* a task of an earlier boot, as it is now */
	uint64_t id, ref;
};

struct journal {
	struct plm rt;
	struct journal_plan plan;
	struct journal_shm *shm;
	struct db db;
	int lock;         /* descriptor of the directory's lock, negative: none yet */
	int64_t boot;     /* number of this one */
	int64_t epoch_ms; /* of the wall clock, when the records' clock was 0 */
	uint64_t next_task, next_blob;
	struct entry *entry;   /* [records] */
	struct change *change; /* [GROUP_RECORDS] */
	uint32_t changes;
	uint32_t look_from;              /* word of the news where the next group begins */
	uint64_t group_task, group_blob; /* next_ ones when it began */
	uint64_t ended, accepted;        /* in it */
	struct object object[OBJECTS_KNOWN];
	char terms_text[2][TERMS_TEXT_BYTES]; /* of terms_known: needs, limits */
	uint32_t terms_known;
	struct resumed *resumed;
	size_t resumed_count, resumed_room;
	uint64_t resume_next; /* tasks after this one are still to be looked at; UINT64_MAX: none */
	uint64_t resume_due_ns;
	int64_t resuming;        /* the task that is being submitted */
	int noted;               /* the error with which its note failed, 0: it did not */
	uint64_t without_module; /* of the tasks that were looked at */
	uint32_t modules;        /* there were, when they were */
	unsigned resuming_retries, resuming_crash_retries;
	int64_t dubious;     /* up to this task it is not known which ones ended */
	bool any_needed;     /* there may be tasks whose values are asked for */
	uint64_t unfinished; /* no task before this one is unfinished */
	uint64_t prune_next, prune_due_ns;
	_Atomic bool stop;
};

/* ---- journal.c ---- */
int journal_open(struct journal *j, const struct journal_plan *plan);
void journal_run(struct journal *j); /* until j->stop */
void journal_close(struct journal *j);
_Noreturn void journal_give_up(struct journal *j); /* it is damaged: the successor salvages it */
int64_t journal_now(void);                         /* milliseconds of the wall clock */

/* ---- journal_rows.c ---- */
/* Writes what is new of this record. 0 or -errno: then the group is to be taken back. */
int rows_look(struct journal *j, uint32_t index);
/* A task ended without having been queued again: 0 or -errno. */
int rows_end_unqueued(struct journal *j, int64_t task, bool dead, int code, const char *message);

/* ---- encode.c: arguments as they are kept ---- */

struct encoding { /* grows */
	unsigned char *bytes;
	size_t length, room;
	const char *undurable; /* why a part of it could not be kept; NULL: all is */
	char undurable_text[160];
};
/* Of a record that cannot go away: 0 or -errno. */
int encode_args(struct journal *j, struct record *r, uint64_t id, struct encoding *ret);
int encode_value(struct journal *j, uint64_t ref, const void *data, size_t length, uint64_t id,
    uint64_t *ret_blob);
int64_t encode_sum(const void *data, size_t length);

enum argument_kind {
	ARGUMENT_BYTES = 'b',
	ARGUMENT_SHARED = 's',
	ARGUMENT_TASK = 't',
	ARGUMENT_LOST = 'x'
};
struct argument {
	enum argument_kind kind;
	const void *data; /* of BYTES */
	size_t length;
	uint64_t id;    /* of the blob, or the task */
	uint32_t which; /* of its results */
};
/* One by one: false: no more, or what is there makes no sense. */
bool encoding_next(const unsigned char *bytes, size_t length, size_t *at, struct argument *ret);

/* ---- describe.c: for people ---- */
/* A call as it is typed, and its label. */
void describe_call(struct journal *j, struct record *r, const char *function, char *text,
    size_t text_size, char *label, size_t label_size);
/* needs and limits as text, "" of none. */
void describe_terms(
    struct journal *j, uint32_t number, const char **ret_needs, const char **ret_limits);

/* ---- resume.c ---- */
int resume_open(struct journal *j);
/* Some tasks of earlier boots. True: there is more to do at once. */
bool resume_some(struct journal *j);
uint64_t resumed_ref(const struct journal *j, uint64_t id); /* 0: it was not, in this boot */
int resumed_note(struct journal *j, uint64_t id, uint64_t ref);

/* ---- prune.c ---- */
void prune_some(struct journal *j);

#endif
