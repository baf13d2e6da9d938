/* library.h - the inside of a handle of libplm-fleet. Only files of this folder include it.
 *
 * A handle has two engines: `verbs`, for the calls of the program, one at a time; and `ears`, for
 * the thread that hears of ends. Tasks held by the program stand in a table, by their number in the
 * queue. The thread writes their ends there, and calls that wait sleep until it does.
 *
 * Locks: `speaking` guards `verbs`, `hearing` the table and all below it. A thread never takes one
 * while it has the other. */
#ifndef PLM_FLEET_LIBRARY_H
#define PLM_FLEET_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fleet/engine.h"
#include "client/plm_fleet.h"

enum {
	LIBRARY_PAGE = 512,            /* tasks of one verb */
	LIBRARY_VALUE_BYTES = 4 << 20, /* of values that came with the ends of tasks */
};

struct held {
	uint64_t id; /* 0: a free place of the table */
	uint32_t holds;
	uint8_t state;    /* HELD_OPEN, an enum engine_state that is an end, or HELD_GONE */
	bool submitted;   /* by this handle */
	bool forgettable; /* the last drop removes its result */
	uint32_t value_bytes;
	void *value; /* of the news, for the first plm_fleet_get(); NULL: only the engine has one */
};
enum { HELD_OPEN = 0, HELD_GONE = ENGINE_STATES };

struct plm_fleet {
	pid_t owner;
	uint64_t epoch;
	int bell; /* plm_fleet_fd() */
	pthread_mutex_t speaking;
	struct engine *verbs;
	unsigned mended; /* verbs were connected anew after so many breaks */

	pthread_mutex_t hearing;
	pthread_cond_t ended;
	struct held *held; /* open addressing; `places` is a power of two */
	size_t places, used;
	size_t value_bytes;  /* of all held values */
	uint64_t pending;    /* submitted, and not known to have ended */
	unsigned submitting; /* threads: an end may come before the number of its task */
	unsigned breaks;     /* of the thread's connection */
	int broken;          /* -EXDEV: the queue is not ours any more */

	uint64_t *forget; /* tasks that the thread asks the engine to forget */
	size_t forgets, forget_room;
	bool stopping;

	struct engine *ears; /* of the thread alone */
	size_t looked;       /* the next place of the table for a look without a message */
	pthread_t thread;
	bool threaded;
	int wake; /* readable: the thread is to look at `forget` and `stopping` */
};

/* ---- library.c ---- */

int library_mine(const struct plm_fleet *f); /* 0, -EINVAL or -ECHILD */
int library_value(const struct plm_fleet *f, plm_ref ref, uint64_t *ret); /* 0 or -EXDEV */
/* The task of a reference to any of its results. 0 or -EXDEV. */
int library_task(const struct plm_fleet *f, plm_ref ref, uint64_t *ret);
/* Does verbs of the engine, which is no one else's meanwhile. library_ask() is for verbs that may
 * be done twice: a broken connection is made anew, until the deadline. */
typedef int library_verb(struct engine *e, void *argument);
int library_ask_once(struct plm_fleet *f, library_verb *verb, void *argument);
int library_ask(struct plm_fleet *f, library_verb *verb, void *argument, uint64_t deadline_ns);
int library_hold(struct plm_fleet *f, uint64_t id); /* 0, -ESTALE, or an error of engine.h */
void library_drop(struct plm_fleet *f, uint64_t id);

/* ---- library_table.c: under `hearing` ---- */

struct held *library_find(const struct plm_fleet *f, uint64_t id); /* NULL: none */
struct held *library_enter(struct plm_fleet *f, uint64_t id);      /* finds, or makes one */
void library_remove(struct plm_fleet *f, struct held *h);
/* Notes how a task ended. The entry is gone if nobody holds the task any more. */
void library_end(struct plm_fleet *f, struct held *h, enum engine_state state);
/* Keeps a value of the news, if there is room; gives a kept value to the caller, NULL: none. */
void library_keep(struct plm_fleet *f, struct held *h, const void *value, size_t bytes);
void *library_take(struct plm_fleet *f, uint64_t id, size_t *ret_bytes);
void library_forget(struct plm_fleet *f, uint64_t id); /* the thread will see to it */
/* The ids of tasks not known to have ended, from place *from on, n at most. */
size_t library_open_ids(const struct plm_fleet *f, size_t *from, uint64_t *ids, size_t n);

/* ---- library_hear.c: the thread ---- */

int library_hear_begin(struct plm_fleet *f);
void library_hear_stop(struct plm_fleet *f); /* what is to be forgotten is forgotten */

#endif
