/* journal_state.h - what a runtime with a journal shares: which records the journal is to look at,
 * which it has written, and how it fares.
 *
 * A task is durable when it is kept from its birth (PLM_KEEP) in a runtime with a journal: the bit
 * of the journal's process slot is set among its holds before it is visible, and cleared when the
 * journal has written its end. So those bits are the journal's list of what is still to be written:
 * they outlive the journal, whose successor reads the records and goes on.
 * `news` says which records to look at again: a bit each, set by whoever took a step the journal
 * wants to know of, swapped to 0 by the journal before it looks. Nothing can be lost by a full
 * queue, and a bit set twice or for nothing costs a look.
 * `recorded` says whose acceptance is on the disk: cleared by the submitter before the record is
 * visible, set by the journal alone.
 * Where: the control segment.  Who: any process.  Blocks: never.
 * Death: a teller that dies between its step and the bit is found by the scan that buries it
 * (scheduler/repair.c), which tells the journal of every record of its that it passes. */
#ifndef PLM_TABLES_JOURNAL_H
#define PLM_TABLES_JOURNAL_H

#include <stdbool.h>

#include "shm/event.h"
#include "shm/steps.h"

struct tables;
struct record;

enum durability {
	DURABILITY_NONE,  /* a history of what ended; nothing is queued again after a boot */
	DURABILITY_BATCH, /* on the disk some time after submission, in groups */
	DURABILITY_SYNC,  /* on the disk when the submission returns */
	DURABILITIES
};

enum { STATE_PATH_BYTES = 512, JOURNAL_TROUBLE_BYTES = 160 };

/* A file in the directory, and whose byte of it is locked by whom. */
#define JOURNAL_LOCK "lock"
enum { JOURNAL_LOCK_MANAGER, JOURNAL_LOCK_WRITER };

struct journal_shm {         /* in the control page */
	uint32_t slot;       /* W: manager, at boot. Its process slot; 0: there is no journal. */
	uint32_t durability; /* W: manager, at boot */
	char directory[STATE_PATH_BYTES]; /* W: manager, at boot */
	shared32 trouble;     /* W: journal. The errno for which nothing can be written, 0: none. */
	shared32 hurry;       /* W: who waits for a record on the disk sets 1, the journal 0 */
	struct event urgent;  /* posted by who waits: the journal cuts its pause short */
	struct event written; /* posted by the journal after each group, good or bad */
	shared64 failures;    /* W: journal. Groups that could not be written. */
	shared64 groups;      /* W: journal. Groups on the disk since boot. For people, as are: */
	shared64 accepted, ended, resumed; /* W: journal. Tasks, since boot. */
	shared64 to_resume; /* W: journal. Tasks of earlier boots that are not in the queue yet. */
	char trouble_text[JOURNAL_TROUBLE_BYTES]; /* W: journal, before `trouble` */
	char damage_text[JOURNAL_TROUBLE_BYTES];  /* W: journal, before `damaged` */
	shared32 damaged; /* W: journal. 1: its file was damaged in this boot, and salvaged. */
};

const char *durability_name(enum durability durability);
enum durability durability_of(const char *name); /* DURABILITIES: there is none of the name */

/* The process slot whose hold makes a task durable; 0: none is. */
uint32_t journal_slot(const struct tables *t);
/* Is it still to be written that it was accepted, or how it ended? */
bool journal_wants(const struct tables *t, const struct record *r);
/* By the submitter, while the record is its own: it will be durable. */
void journal_hold(struct tables *t, uint32_t index);
/* It took a step: after the CAS that did. */
void journal_tell(struct tables *t, uint32_t index);

bool journal_recorded(const struct tables *t, uint32_t index);
void journal_record(struct tables *t, uint32_t index); /* the journal's */

#endif
