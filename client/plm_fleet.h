/* plm_fleet.h - a fleet from C: tasks for many machines, whose queue lies in Redis (docs/fleet.md).
 *
 * The library libplm-fleet has this interface, and needs hiredis; libplm does not. A program on any
 * machine connects by an address, and needs no runtime there. Tasks, terms, references and failures
 * are those of plm.h, so a task that a program submits to a runtime goes to a fleet unchanged:
 * plm_command_task(), plm_identify(), plm_ref_print() and plm_ref_parse() make no difference. A
 * task of a function whose module no host has is accepted, and waits for such a host
 * (plm_fleet_explain()).
 *
 * What is missing beside plm.h: replicas, PLM_TIED and PLM_PAIRED, refused with -EINVAL. keep_ms is
 * how long a result stays after its end, in place of the time of the queue.
 *
 * Results. As in plm.h: 0, a count or a descriptor, and -errno on failure with a sentence of
 * plm_fleet_why(). Errors of every call: -EINVAL (a missing pointer), -ECHILD (a handle from before
 * fork()), -ENOTCONN (the engine cannot be reached), -EXDEV (a reference of another fleet; or Redis
 * lost the queue or has another one in its place, and then the handle is of no more use).
 *
 * Threads. Any number of threads may use one handle. A thread of the library hears of the ends of
 * tasks. Blocking: only calls with a timeout wait for tasks; each other call waits for answers of
 * the engine, at most the time given to plm_fleet_connect(). When the engine is away, waits go on
 * until it is back. */
#ifndef PLM_FLEET_H
#define PLM_FLEET_H

#include "plm.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

typedef struct plm_fleet plm_fleet;

/* Connects to a fleet: "redis://HOST[:PORT][/DB][?queue=NAME]", rediss:// or unix://PATH; NULL:
 * $PLM_FLEET. timeout_ms: of each answer; negative: ten seconds. Errors: -EINVAL (no address),
 * -EACCES (user or password), -EPROTO (another version of plm; Redis before 7.0), -EEXIST (keys of
 * another program). */
int plm_fleet_connect(plm_fleet **ret, const char *address, int timeout_ms);
/* Drops all holds and sets *fleet to NULL. No other thread may use the handle then. */
void plm_fleet_disconnect(plm_fleet **fleet);
/* The sentence of the calling thread's last failed call. Never NULL. */
const char *plm_fleet_why(void);
/* What references of the fleet have as their `runtime`: a number of this queue, at random. */
uint64_t plm_fleet_epoch(const plm_fleet *fleet);

/* Submits tasks, up to 512 in one step of the engine. `ret` gets a reference for each result of
 * each task (of a command PLM_COMMAND_RESULTS, or more), and each is a hold of the handle. When the
 * call returns 0, all tasks are accepted, as safe as Redis keeps its file. On an error the tasks
 * accepted so far stay, and the references of the others are PLM_NONE; after -ENOTCONN the first of
 * these may have been accepted all the same. -ENOSPC: Redis is full. */
int plm_fleet_submit(plm_fleet *fleet, const plm_task *task, plm_ref *ret);
int plm_fleet_submit_many(plm_fleet *fleet, const plm_task *tasks, size_t n, plm_ref *ret);

/* Puts up to 8 MiB into the queue, as the value of a task that is done: an argument of any number
 * of tasks. The reference is a hold of the handle. -E2BIG; -ENOSPC. */
int plm_fleet_put(plm_fleet *fleet, const void *data, size_t len, plm_ref *ret);

/* Takes one more hold, also on a task of another program. -ESTALE: no such task any more. */
int plm_fleet_hold(plm_fleet *fleet, plm_ref ref);
/* Ends one hold, and returns at once. When the last hold of a task that this handle submitted ends,
 * the engine forgets the task as soon as the task has ended, and no task needs the value; a task
 * with PLM_KEEP stays, and so does a task that has not ended when the handle is disconnected
 * (?keep=TIME). */
void plm_fleet_drop(plm_fleet *fleet, plm_ref ref);

/* As plm_wait(), without its care for waits inside of tasks. */
int plm_fleet_wait(
    plm_fleet *fleet, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready);
/* Waits until every task submitted through the handle has ended, also dropped tasks. */
int plm_fleet_wait_all(plm_fleet *fleet, int timeout_ms);
/* 0 (done), -PLM_EFAILED, -PLM_ECANCELLED, -EAGAIN (not ended). Of a task held by the handle as the
 * handle has heard, without a message to the engine. -ESTALE: no such task any more. */
int plm_fleet_outcome(plm_fleet *fleet, plm_ref ref);
/* 1: the task runs on a host just now; 0: it does not. Asks the engine. */
int plm_fleet_running(plm_fleet *fleet, plm_ref ref);
/* A descriptor for poll(), readable after a held task has ended: read 8 bytes, then look. */
int plm_fleet_fd(plm_fleet *fleet);

/* A value in memory of the program, until plm_fleet_release(). */
typedef struct plm_fleet_value {
	const void *data;
	size_t len;
	void *memory; /* private */
	int fetched;  /* private: the bytes are the program's */
} plm_fleet_value;

/* Waits for a task and fetches its value. Errors as of plm_get(). */
int plm_fleet_get(plm_fleet *fleet, plm_ref ref, plm_fleet_value *ret, int timeout_ms);
void plm_fleet_release(plm_fleet_value *value);
/* As plm_error(). `task` is the task itself. detail: NULL, or what plm_fail_detail() attached (of
 * a command: its standard output), to be released. */
int plm_fleet_error(plm_fleet *fleet, plm_ref ref, plm_failure *ret, plm_fleet_value *detail);

/* Cancels a task; a host that runs the task ends it with the grace of the task. -EALREADY: the task
 * has ended. -ESTALE. */
int plm_fleet_cancel(plm_fleet *fleet, plm_ref ref);

/* Gives a task that has not begun another place, as plm_move() does. PLM_BACK also ends a running
 * task and puts it back into the queue. -EALREADY: too late. -EINVAL (no place); -ESTALE. */
int plm_fleet_move(plm_fleet *fleet, plm_ref ref, enum plm_place place, int priority);

/* Why a task has not ended, or what became of it: one sentence, cut to `size` bytes. */
int plm_fleet_explain(plm_fleet *fleet, plm_ref ref, char *text, size_t size);

/* Numbers of the queue. `size` as of plm_status_get_sized(). */
typedef struct plm_fleet_status {
	uint64_t hosts;
	uint64_t waiting, ready, pause, running; /* tasks that have not ended */
	uint64_t done, failed, cancelled;        /* and are not forgotten */
	uint64_t parked;                         /* not ended, and kept back by plm_fleet_move() */
} plm_fleet_status;
int plm_fleet_status_get_sized(plm_fleet *fleet, plm_fleet_status *ret, size_t size);
static inline int plm_fleet_status_get(plm_fleet *fleet, plm_fleet_status *ret)
{
	return plm_fleet_status_get_sized(fleet, ret, sizeof *ret);
}

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
