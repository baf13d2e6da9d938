/* handle.h - what stands behind a `plm *`: one process's place in a runtime. Private to libplm, the
 * worker (which is a client to itself: tasks submit tasks) and plmctl.
 *
 * Where: this process's memory.  Who: any thread; what threads share is atomic or has its own small
 * lock.
 * Death: everything here may vanish: the truth about what this process holds is in the segment. */
#ifndef PLM_HANDLE_H
#define PLM_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/door.h"
#include "base/why.h"
#include "client/plm.h"
#include "tables/tables.h"

enum { DROP_GATES = 8, SLOT_CACHES = 8, SLOT_CACHE_ENTRIES = 256, HINTS_BATCH = 128 };

/* Reserved records of this process, ready to become tasks or objects. One of several, so that
 * threads seldom meet. */
struct slot_cache {
	pthread_mutex_t mutex;
	uint32_t count, refill; /* refill doubles: a short-lived client takes few */
	uint32_t slot[SLOT_CACHE_ENTRIES];
};

struct name_cache; /* function names to numbers: client/names.c */

struct late {       /* refs.c: questions to the scheduler whose answer nobody waits for any more */
	bool open;  /* it may not have read them all */
	uint32_t n; /* of these hints there was no room yet */
	uint64_t hint[2];
	uint32_t at; /* it has, when it has read our ring up to here */
};

struct untold { /* untold.c: drops that a scheduler which stands still has no room for */
	pthread_mutex_t mutex;
	uint64_t *hint;
	_Atomic uint32_t n;
	uint32_t room;
};

struct plm {
	struct tables tables;
	struct process *me;
	uint32_t self;
	uint64_t runtime;
	int socket; /* to the manager; -1 in a worker */
	pthread_mutex_t socket_mutex;
	uint32_t requests; /* that were sent to a manager: the number of the last one */
	int answer_ms;     /* how long connecting and each request may take, as the caller
			    * said; 0: it did not */
	bool visits;       /* its process slot is one of those kept for visits: leave soon */
	_Atomic uint64_t alone_ns; /* since when neither manager nor scheduler lives; 0: one does */
	uint32_t *alive;           /* a page that fork() wipes: 1 here, 0 in a child */
	_Atomic int patience_ms;

	void *refs_memory;
	_Atomic uint32_t *refs; /* [records], in it: holds and views of this process; 0: it holds
				 * nothing */
	_Atomic uint64_t next_turn; /* of what is submitted here (turns.h) */
	_Atomic int64_t held;       /* how many of them are not 0 */
	pthread_mutex_t import_mutex;
	struct drop_gate { /* held by a thread whose drops are not in the ring yet (refs.c) */
		pthread_mutex_t mutex;
		char apart[CACHE_LINE_BYTES]; /* from the next one */
	} gate[DROP_GATES];
	struct late late; /* under import_mutex */
	struct untold untold;

	struct slot_cache cache[SLOT_CACHES];
	struct name_cache *names;

	pthread_mutex_t waiters_mutex;
	uint32_t waiters[WAITERS]; /* threads in each cell of our slot */

	pthread_mutex_t bell_mutex; /* plm_fd() */
	int bell_fd;
	pthread_t bell_thread;
	_Atomic bool bell_stop;

	_Atomic bool interrupted; /* handle_interrupt() */
	bool nested;              /* a task's command runs this client (nested_wait.c) */
	uint32_t nested_waits;    /* of its threads, under waiters_mutex */

	/* Of a task of ours that is filled, before anybody sees it; not 0: it is not submitted.
	 * NULL but in the journal. */
	int (*before_publish)(void *context, uint64_t ref);
	void *publish_context;

	/* A worker that waits runs what it waits for in its own place. NULL in a client. True:
	 * something was run. */
	bool (*help)(void *context, uint32_t index);
	void (*blocked)(void *context, bool blocked); /* nothing to run: it is going to sleep, or
						       * awake */
	bool (*cancelled)(void *context);             /* the task that waits was asked to stop */
	/* Settling that record takes the end of a task that waits here. */
	bool (*deadlocked)(void *context, uint32_t index);
	void *help_context;
	uint32_t *adopted; /* what a worker came to hold: it ends with the task */
	uint32_t adopted_count, adopted_room;
};

/* Around a tables handle already attached: a worker, or a role as a thread in a test. Fills *rt. */
int handle_open(struct plm *rt, uint32_t slot);
/* Gives back what is cached and dropped; the holds that remain are the scheduler's to release. */
void handle_close(struct plm *rt);

struct tables *plm_tables(plm *rt);

/* 0 or why this handle cannot be used: -ECHILD after fork, -EHOSTDOWN when the runtime is gone. */
int handle_check(struct plm *rt);
/* -EHOSTDOWN when the runtime has stopped, or nobody of it has lived for a while, else 0. */
int handle_runtime_gone(struct plm *rt);

/* Around what a public call does: `said` is why_count() at its beginning. Should it fail without a
 * sentence of its own, the sentence of an older failure must not stand in for it. */
static inline int handle_end(unsigned said, int r)
{
	return r < 0 && why_count() == said ? why(r, "%s", plm_strerror(r)) : r;
}

/* When to give up what manager or scheduler, if they live, do at once: after LOCK_WAIT_MS, or as
 * the caller of plm_connect_with() said, or of this call (timeout_ms; 0 or less: it did not); but
 * not before a second, which they may need on a crowded machine. */
uint64_t handle_answer_deadline(const struct plm *rt, int timeout_ms);
/* -ETIMEDOUT with a why: it has done nothing for us since then. */
int handle_scheduler_silent(const struct plm *rt, uint64_t since_ns);
/* Waits for room for n hints in our ring; before anything is done that has to be told. */
int handle_await_room_to_tell(struct plm *rt, uint32_t n);

/* ---- untold.c ---- */

/* That these are held no more. What a scheduler that stands still has no room for is remembered,
 * and told before the next drop or question. */
void untold_tell(struct plm *rt, const uint64_t *hints, uint32_t n, bool wake);
/* All that is remembered is in the ring: 0. Waits for room as long as for an answer: -ETIMEDOUT. */
int untold_settle(struct plm *rt);
bool untold_any(const struct plm *rt);

/* ---- door.c ---- */

/* A connection to the manager of this runtime. A descriptor, or -errno: -ENOENT (no runtime of the
 * name), -ETIMEDOUT. */
int door_dial(const char *name, uint64_t deadline_ns);
/* Sends the request, whose kind, number and text are filled in, and waits for the reply with its
 * number; others are dropped. fds: how many descriptors must come with it. 0 or -errno. */
int door_ask(int socket, struct door_request *request, uint64_t deadline_ns, struct door_reply *ret,
    int *ret_fds, int fds);

/* ---- refs.c ---- */

/* The record of a reference and the word that was judged; NULL with the error in *ret_error:
 * -EXDEV (another runtime), -ESTALE (no such future any more), -EINVAL (no reference). */
struct record *ref_resolve(const struct plm *rt, plm_ref ref, uint64_t *ret_word, int *ret_error);
/* No record is called so: -ESTALE with a why that says whether its result left by itself. */
int ref_gone(const struct plm *rt, uint64_t ref);
/* The record whose word speaks for r: its task if r is a PART. */
struct record *ref_speaker(const struct plm *rt, struct record *r, uint64_t *word);
plm_ref ref_public(const struct plm *rt, uint64_t ref);
/* A record just reserved becomes ours: counts the first hold. */
void ref_born(struct plm *rt, uint32_t index);
/* One more hold on ref; asks the scheduler when this process holds none yet. */
int ref_hold(struct plm *rt, plm_ref ref);
int ref_hold_until(struct plm *rt, plm_ref ref, uint64_t deadline_ns);

/* Until the scheduler has acted on all that this process has told it; -ETIMEDOUT after a tick. */
int handle_sync(struct plm *rt);

/* Ends every hold that a worker's task took and did not drop. */
void ref_drop_adopted(struct plm *rt);
/* Whose count says whether this process holds ref. */
uint32_t ref_held_index(const struct plm *rt, plm_ref ref);

/* Sends hints, waiting for room in the ring while the runtime lives. */
int handle_tell(struct plm *rt, const uint64_t *hints, uint32_t n);
/* The same, without waking a scheduler that sleeps. */
int handle_tell_quietly(struct plm *rt, const uint64_t *hints, uint32_t n);

/* The number of these terms, 0 of NULL; with a rank those of one replica. -EINVAL: malformed, or
 * nobody can ever meet them. */
int terms_agree(struct plm *rt, const plm_terms *terms, uint32_t rank, uint32_t *ret);
int terms_note(struct plm *rt, const struct terms *terms, uint32_t *ret); /* as they are */
/* One task, with the terms of this number in the place of its own. */
int submit_with(struct plm *rt, const plm_task *task, uint32_t terms, plm_ref *ret);
/* A task with terms of several replicas: a task for each, and one that takes the first result. */
int submit_replicas(struct plm *rt, const plm_task *task, plm_ref *ret);

/* When a call that meets a full store or table gives up: from plm_patience(). 0: at once. */
uint64_t handle_deadline(const struct plm *rt);
/* Room in the store, waiting for it until the deadline. */
int handle_alloc(struct plm *rt, uint64_t length, shared32 *granule, uint64_t deadline_ns);

/* ---- retry.c ---- */

/* What is taken in the place of a future among the arguments: itself, or a retry of it. */
typedef plm_ref retry_instead_f(void *context, plm_ref argument);
/* As plm_retry(). instead may be NULL. */
int retry_with(struct plm *rt, plm_ref failed, unsigned flags, retry_instead_f *instead,
    void *context, plm_ref *ret);
/* A failed task remembers what it was retried as; that one, or what it was retried as in turn, and
 * so on: the last there is. The task itself if it was not. */
uint64_t retry_newest(const struct tables *t, uint64_t task);
/* The failed task was retried as `from`, which is let go, and that as `to`. */
void retry_trace(struct plm *rt, uint64_t failed, uint64_t from, uint64_t to);

/* ---- durable.c ---- */

/* In a runtime that promises it (--durability sync): until each of them that is to be kept is on
 * the disk. -ENOSPC, -EIO...: it cannot be; those that are not there are cancelled. */
int durable_await(struct plm *rt, const plm_task *tasks, size_t n, const plm_ref *refs);
/* Until the journal has written what can be seen of durable tasks now. 0, also without a journal;
 * -ETIMEDOUT with a why. */
int durable_flush(struct plm *rt, int timeout_ms);

/* ---- slots.c: reserved records ---- */
int slots_take(
    struct plm *rt, uint32_t *ret_slots, uint32_t n, uint32_t *ret_n, uint64_t deadline_ns);
void slots_return_all(struct plm *rt);

/* ---- nested_wait.c: a client that a command of this runtime runs ---- */

/* Finds out whether it is one, by PLM_TASK in the environment. Before its first wait. */
void nested_enter(struct plm *rt);
/* The task whose command runs this client has not ended. False: there is none. */
bool nested_inside(const struct plm *rt);
/* Around a sleep in which that task stands still: its slot may be lent. They nest, and cost one
 * look in any other process. */
void nested_wait_begin(struct plm *rt);
void nested_wait_end(struct plm *rt);
/* 0; or -EDEADLK: somebody has to give way, and the scheduler chose this wait. */
int nested_refused(struct plm *rt);
/* Settling the record `index` takes the end of a task for which is_ours() answers true. */
typedef bool nested_ours_f(void *context, const struct record *r);
bool nested_deadlock(const struct tables *t, uint32_t index, nested_ours_f *is_ours, void *context);

/* ---- names.c ---- */
int names_open(struct name_cache **ret);
void names_close(struct name_cache **namesp);
/* The number of a function, or -ENOENT naming it. */
int names_find(
    struct name_cache *names, const struct registry *registry, const char *name, uint32_t *ret);

/* ---- wait.c ---- */

/* Looks for the awaited thing: AWAITING_NOTHING = there; else what to be woken for. */
typedef uint32_t wait_look_f(struct plm *rt, void *context);
int wait_for(struct plm *rt, wait_look_f *look, void *context, uint64_t deadline_ns);
/* Until the scheduler frees something; false when the deadline has passed. Deadline 0, of a caller
 * without patience, stands for the moments the scheduler needs for what was dropped already, and
 * for kept results to leave: *tries, from 0 on, counts them. */
bool wait_for_room(struct plm *rt, uint64_t deadline_ns, unsigned *tries);
int wait_settled(struct plm *rt, struct record *speaker, uint64_t ref, uint64_t deadline_ns);
void bell_close(struct plm *rt);
/* For a signal handler: waits of this handle that would sleep are -EINTR from now on, until
 * rt->interrupted is false again. */
void handle_interrupt(struct plm *rt);

#endif
