/* staff.h - how many workers are wanted, and with which numbers.
 *
 * A worker has a number, and the number tells the kind. At boot the kinds are numbered one after
 * another; later workers of the first kind get numbers behind all kinds, so that growth renumbers
 * no worker. When the first kind has too many workers, those with the highest numbers leave: each
 * ends its running task and takes no further task. A worker drained by number leaves in the same
 * way and stays away until resumed.
 * Where: the manager.  Blocks: never.
 * Death: all numbers are read from the control page and the process table, so the next manager goes
 * on with the same numbers. */
#ifndef PLM_STAFF_H
#define PLM_STAFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "tables/tables.h"

struct manager;

enum { STAFF_TITLE_BYTES = 96 };

uint32_t staff_workers(const struct manager *m);   /* wanted workers of all kinds */
uint32_t staff_processes(const struct manager *m); /* processes of wanted workers */
uint32_t staff_planned(const struct manager *m);   /* the same, and the spares */
uint32_t staff_wanted(const struct manager *m);    /* wanted workers of the first kind */
uint32_t staff_numbers(const struct manager *m);   /* the highest number of a worker, plus one */

/* NULL, or why the control page's account of the workers cannot be resumed. */
const char *staff_unsound(const struct tables *t);

struct vacancy { /* a worker in want of a process */
	uint32_t worker, kind;
	uint32_t gpu_first; /* number of the worker's first GPU */
	uint32_t relieved;  /* of a spare: the process slot of the waiting process, else 0 */
};
bool staff_vacancy(const struct manager *m, struct vacancy *ret);

void staff_dismiss(struct manager *m); /* asks surplus workers to leave */
void staff_ask_to_leave(struct manager *m, uint32_t slot);

/* -EINVAL, -EUSERS with a why: a runtime cannot have so many workers of the first kind beside so
 * many clients. */
int staff_check_room(const struct manager *m, uint32_t wanted, uint32_t clients);

/* "worker 3 (process slot 62, pid 4711)": a member, for the log. */
const char *staff_title(
    const struct manager *m, enum process_kind kind, uint32_t slot, char ret[STAFF_TITLE_BYTES]);

/* The same as fields of a line of the log, and how the process ended. */
#define STAFF_FIELDS(p, kind, slot)                                                                \
	ABOUT_WORKER((kind) == KIND_WORKER ? (int64_t)(p)->worker : -1), ABOUT_PROCESS_SLOT(slot), \
	    ABOUT_PID((p)->pid)
#define STAFF_ABOUT(p, kind, slot) ABOUT(STAFF_FIELDS(p, kind, slot))

#endif
