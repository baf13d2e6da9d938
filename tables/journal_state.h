/* journal_state.h - the shared state of a runtime with a journal: records to look at, records on
 * the disk, and the health of the journal.
 *
 * A task is durable when a runtime with a journal keeps it from birth (PLM_KEEP): the bit of the
 * journal's process slot is set among the holds before the record is visible, and cleared when the
 * journal has written the task's end. So the bits are the journal's list of unwritten ends: they
 * outlive the journal, and its successor reads the records and goes on.
 * `news`, a bit for each record: look again. A process sets the bit after a step that interests the
 * journal; the journal swaps the word to 0 before it looks. No queue can run full, and a needless
 * bit costs a look.
 * `recorded`, a bit for each record: the acceptance is on the disk. The submitter clears the bit
 * before the record is visible; only the journal sets it.
 * Where: the control segment.  Who may call: any process.  Blocks: never.
 * Death: when a process dies between its step and the bit, the scheduler's scan at the burial tells
 * the journal of every record of the dead process (scheduler/repair.c). */
#ifndef PLM_TABLES_JOURNAL_H
#define PLM_TABLES_JOURNAL_H

#include <stdbool.h>

#include "shm/event.h"
#include "shm/steps.h"

struct tables;
struct record;

enum durability {
	DURABILITY_NONE,  /* a history of ended tasks; a boot queues no task again */
	DURABILITY_BATCH, /* on the disk some time after submission, in groups */
	DURABILITY_SYNC,  /* on the disk when the submission returns */
	DURABILITIES
};

enum { STATE_PATH_BYTES = 512, JOURNAL_TROUBLE_BYTES = 160 };

/* A file in the directory, and which process locks which byte. */
#define JOURNAL_LOCK "lock"
enum { JOURNAL_LOCK_MANAGER, JOURNAL_LOCK_WRITER };

struct journal_shm {         /* in the control page */
	uint32_t slot;       /* W: manager, at boot. Process slot of the journal; 0: no journal. */
	uint32_t durability; /* W: manager, at boot */
	char directory[STATE_PATH_BYTES]; /* W: manager, at boot */
	shared32 trouble;                 /* W: journal. The errno of a failed write, 0: none. */
	shared32 hurry;       /* W: a client that waits for the disk: 1; the journal: 0 */
	struct event urgent;  /* posted by the waiting client: the journal cuts its pause short */
	struct event written; /* posted by the journal after each group, good or bad */
	shared64 failures;    /* W: journal. Failed groups. */
	shared64 groups;      /* W: journal. Groups on the disk since boot. For people, as are: */
	shared64 accepted, ended, resumed; /* W: journal. Tasks, since boot. */
	shared64 to_resume;                /* W: journal. Tasks of earlier boots not queued yet. */
	char trouble_text[JOURNAL_TROUBLE_BYTES]; /* W: journal, before `trouble` */
	char damage_text[JOURNAL_TROUBLE_BYTES];  /* W: journal, before `damaged` */
	shared32
	    damaged; /* W: journal. 1: the journal's file was damaged in this boot, and salvaged. */
};

const char *durability_name(enum durability durability);
enum durability durability_of(const char *name); /* DURABILITIES: no such name */

/* The process slot whose hold makes a task durable; 0: no journal. */
uint32_t journal_slot(const struct tables *t);
/* Must the journal still write the acceptance or the end? */
bool journal_wants(const struct tables *t, const struct record *r);
/* By the submitter, while it owns the record: makes the task durable. */
void journal_hold(struct tables *t, uint32_t index);
/* Call after the CAS of a step. */
void journal_tell(struct tables *t, uint32_t index);

bool journal_recorded(const struct tables *t, uint32_t index);
void journal_record(struct tables *t, uint32_t index); /* by the journal alone */

#endif
