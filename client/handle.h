/* handle.h - what stands behind a `plm *`: the place of one process in a runtime. Private to
 * libplm, the worker (a client too: tasks submit tasks), the journal and plmctl.
 *
 * Where: private memory. Each module of libplm keeps its part in a struct of its own header;
 * handle.h puts the parts together.
 * Who: any thread. Fields shared by threads are atomic, or have a small lock of their own.
 * Death: everything here may vanish. The segment holds the truth about what the process holds. */
#ifndef PLM_HANDLE_H
#define PLM_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/why.h"
#include "client/plm.h"
#include "client/refs.h"
#include "client/reserved.h"
#include "client/untold.h"
#include "tables/tables.h"

/* ANSWER_LEAST_MS: the least timeout for an answer. A manager or scheduler answers in microseconds,
 * but on a crowded machine may wait for a cpu for a good part of a second. */
enum { ANSWER_LEAST_MS = 1000 };

struct name_cache; /* names.h */

struct plm {
	struct tables tables;
	struct process *me;
	uint32_t self; /* our process slot */
	uint64_t runtime;

	/* The connection to the manager: rule.c. */
	int socket; /* -1 in a worker */
	pthread_mutex_t socket_mutex;
	uint32_t requests; /* sent so far: the number of the last request */
	int answer_ms;     /* a limit for connecting and for each request; 0: none was given */
	bool visits;       /* our process slot is kept for visits: leave soon */

	_Atomic uint64_t alone_ns; /* since when manager and scheduler are both dead; 0: not so */
	uint32_t *alive;           /* a page wiped by fork(): 1 here, 0 in a child */
	_Atomic int patience_ms;   /* plm_patience() */

	/* Holds: refs.c, ref_ask.c, untold.c. */
	void *refs_memory;
	_Atomic uint32_t *refs; /* [records]: holds and views of our process; 0: nothing is held */
	_Atomic int64_t held;   /* how many of refs[] are not 0 */
	pthread_mutex_t import_mutex;
	struct drop_gate gate[DROP_GATES];
	struct late late; /* under import_mutex */
	struct untold untold;
	uint32_t *adopted; /* records whose hold ends with the task, in a worker */
	uint32_t adopted_count, adopted_room;
	/* Does a new hold of the calling thread end with the task? NULL: yes. False while the code
	 * that runs ends its holds itself, as objects of Python do. */
	bool (*adopts)(void);

	/* Submission: reserved.c, names.c, submit.c, wait_all.c. */
	_Atomic uint32_t *mine; /* [records]: the generation of a task that our process submitted,
				   until seen settled; 0: none */
	struct reserved_cache cache[RESERVED_CACHES];
	struct name_cache *names;
	_Atomic uint64_t next_turn; /* of the next submission (tables/turns.h) */
	/* The journal looks at a filled task before the task becomes visible; not 0: the task is
	 * not submitted. NULL in every other process. */
	int (*before_publish)(void *context, uint64_t ref);
	void *publish_context;
	uint32_t publish_flags; /* of a task that before_publish saw: FLAG_PARKED or 0 */

	/* Waiting: wait.c, pollable.c, nested_wait.c. */
	pthread_mutex_t waiters_mutex;
	uint32_t waiters[WAITERS]; /* threads in each cell of our process slot */
	pthread_mutex_t pollable_mutex;
	int pollable_fd;
	pthread_t pollable_thread;
	_Atomic bool pollable_stop;
	_Atomic bool interrupted; /* handle_interrupt() */
	/* Before each sleep of a wait for tasks or room, at least each SAFETY_TICK_MS: true ends
	 * the wait. For a program that handles signals between its own instructions; no lock is
	 * held then. NULL: none. */
	bool (*signalled)(void *context);
	bool nested;           /* a command of the same runtime runs our client */
	uint32_t nested_waits; /* threads waiting just now, under waiters_mutex */

	/* How a waiting task takes part in the wait: set by a worker; deadlocked() also by a nested
	 * client; NULL in other clients.
	 * help(): runs the awaited record here; true if something was run.
	 * blocked(): nothing can be run; about to sleep, or awake again.
	 * cancelled(): the waiting task was asked to stop.
	 * deadlocked(): settling the record takes the end of a task waiting here. */
	bool (*help)(void *context, uint32_t index);
	void (*blocked)(void *context, bool blocked);
	bool (*cancelled)(void *context);
	bool (*deadlocked)(void *context, uint32_t index);
	void *help_context;
};

/* ---- open_handle.c ---- */

/* Makes a handle over attached tables: of a worker, or of a role as a thread in a test. Fills *rt.
 * 0 or -errno with a why. */
int handle_open(struct plm *rt, uint32_t slot);
/* Gives back what is cached and dropped. The scheduler releases the remaining holds. */
void handle_close(struct plm *rt);
/* The private memory alone: in the child of a fork the place in the runtime is the parent's. */
void handle_unmap(struct plm *rt);

/* ---- handle.c ---- */

struct tables *plm_tables(plm *rt);

/* 0, or why the handle cannot be used: -ECHILD after fork(), -EHOSTDOWN when the runtime is
 * gone. */
int handle_check(struct plm *rt);
/* -EHOSTDOWN when the runtime has stopped, or all its processes have been dead for a while;
 * else 0. */
int handle_runtime_gone(struct plm *rt);
/* False: the manager at the other end has closed the connection. */
bool handle_manager_listens(const struct plm *rt);

/* Ends a public call; `said` is why_count() at the beginning of the call. If the call fails and
 * left no sentence, plm_why() gets the sentence of the number: an older failure's must not stand
 * in. */
static inline int handle_end(unsigned said, int r)
{
	return r < 0 && why_count() == said ? why(r, "%s", plm_strerror(r)) : r;
}

/* When to give up waiting for what a living manager or scheduler does at once: after LOCK_WAIT_MS,
 * or earlier if plm_connect_with() or timeout_ms says so (0 or less: says nothing). Never before
 * ANSWER_LEAST_MS. */
uint64_t handle_answer_deadline(const struct plm *rt, int timeout_ms);
/* When a call gives up waiting for room in a full store or table: from plm_patience(). 0: at
 * once. */
uint64_t handle_deadline(const struct plm *rt);
/* -ETIMEDOUT with a why: the scheduler has not answered since then. */
int handle_scheduler_silent(const struct plm *rt, uint64_t since_ns);

/* ---- status.c ---- */

/* The numbers of plm_status, from any mapping of the control segment. */
void status_read(const struct tables *t, plm_status *ret);

/* ---- tell.c ---- */

/* Sends hints to the scheduler; waits for room in the ring while the runtime lives. */
int handle_tell(struct plm *rt, const uint64_t *hints, uint32_t n);
/* The same, but a sleeping scheduler goes on sleeping. */
int handle_tell_quietly(struct plm *rt, const uint64_t *hints, uint32_t n);
/* Waits for room for n hints in our ring. Call before doing anything the scheduler must be told
 * of. */
int handle_await_room_to_tell(struct plm *rt, uint32_t n);

/* ---- object.c ---- */

/* Room in the store; waits until the deadline. */
int handle_alloc(
    struct plm *rt, uint64_t length, enum arena_use use, shared32 *granule, uint64_t deadline_ns);

/* ---- wait.c ---- */

/* For a signal handler: from now on, waits of the handle return -EINTR instead of sleeping, until
 * rt->interrupted is false again. */
void handle_interrupt(struct plm *rt);

#endif
