/* process.h - the process table: a process slot for each process, with life, beat, and sleeping
 * place.
 *
 * Where: the process table of the control segment. Process slot 0 is the manager, 1 the scheduler,
 * the rest: workers, the journal, clients (process_nth_slot() in tables.h).
 * The state word {generation:32, kind:8, state:8} is the truth. Each incarnation has a generation,
 * never reused, so a late word about a former process of the process slot is refused.
 *
 *   FREE --manager--> STARTING --self----> LIVE ---------> LEAVING
 *    ^                    |                  |                 |
 *    +--- scheduler --- DEAD <-------- manager, when the pidfd says so
 *
 * STARTING comes before the fork, or at admission; FREE comes after the scheduler has cleaned up
 * everything of the dead process. The manager frees the process slot of a dead scheduler.
 * A LEAVING client touches nothing any more. A LEAVING worker, by its own will or the manager's,
 * ends its task and takes no new task.
 * Who may call: any process. Fields name their writer after W: (self: the process of the slot).
 * Blocks: never.
 * Death: only the manager writes DEAD, and only after the kernel has reported the death (pidfd).
 * Time proves nothing. */
#ifndef PLM_PROCESS_H
#define PLM_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/limits.h"
#include "shm/event.h"
#include "shm/steps.h"

enum process_kind {
	KIND_NONE,
	KIND_MANAGER,
	KIND_SCHEDULER,
	KIND_WORKER,
	KIND_CLIENT,
	KIND_JOURNAL,
	KINDS
};
enum process_state {
	PROCESS_FREE,
	PROCESS_STARTING,
	PROCESS_LIVE,
	PROCESS_LEAVING,
	PROCESS_DEAD,
	PROCESS_STATES
};

/* Sent to a worker whose task was asked to stop: blocking system calls return EINTR. */
#define PROCESS_INTERRUPT SIGUSR1
enum {
	GRACE_INTERRUPTS = 4
}; /* spread over the second half of the grace; then the worker is killed */

/* The process slots from SLOT_FIRST_SHARED on are given to workers, the journal and clients. */
enum { SLOT_MANAGER = 0, SLOT_SCHEDULER = 1, SLOT_FIRST_SHARED = 2 };

enum { /* waiter.awaiting */
	AWAITING_NOTHING = 0,
	AWAITING_ANY = UINT32_MAX, /* else 1 + index of the only record waited for */
};

/* Threads of a process sleep for futures in these cells, each in a cell of its own while enough are
 * free, so that a settlement wakes only the threads that wait for it. */
enum { WAITERS = 8 };
struct waiter {
	struct event event;
	shared32 awaiting; /* W: the process. Settling this record must post the event. */
};

#define PROCESS_HUNG ((uint32_t)1 << 31)   /* killed for giving no sign of life */
#define PROCESS_UNSEEN ((uint32_t)1 << 30) /* the end is unknown, because the parent was dead */

struct process {
	_Alignas(CACHE_LINE_BYTES) shared64 state;
	int32_t pid;    /* W: manager, before STARTING (a child: self, before LIVE) */
	uint32_t place; /* W: manager, before the fork. The process's number among its worker's. */
	uint64_t start_time;  /* W: as pid. From /proc/PID/stat: detects a reused pid. */
	uint64_t joined_ns;   /* W: manager */
	char name[24];        /* W: manager. The command's name: for people. */
	uint32_t worker;      /* W: manager, before STARTING. Worker number, and */
	uint32_t worker_kind; /* the worker's kind. */

	_Alignas(CACHE_LINE_BYTES) struct event event; /* the process sleeps here */
	shared32 awaiting; /* W: self. Settling this record must post `event`. */
	shared32 unclean;  /* W: self, before it reserves records; the scheduler, before it gives a
			      hold. 1: a scan must follow the end. */
	shared64 beat_ns;  /* W: self (relaxed). Last sign of life; never proof of death. */
	shared64 imported; /* W: self (0), then scheduler: the answered HINT_IMPORT */
	shared64 move; /* W: self, an order beside a HINT_IMPORT; then scheduler, what became of it
			  (moves.h) */
	shared32 watches;     /* W: self. 1: the process wants events (events/eventlog_switch.h). */
	shared32 exit_status; /* W: manager, before DEAD. The status of waitpid(), and PROCESS_HUNG;
				 0 of a client. */
	shared64 died_ns;     /* W: manager, before DEAD. When the manager saw the death. */
	/* W: manager, before DEAD. What a dead member had used: processor time, largest resident
	 * memory; 0: unknown. */
	shared64 used_user_us, used_system_us, used_rss_kib;

	_Alignas(CACHE_LINE_BYTES) struct waiter waiter[WAITERS];

	/* for workers; clients leave all zero except `cpu` and the two fields of a wait */
	_Alignas(CACHE_LINE_BYTES) shared32
	    average_ns;       /* W: self. Moving average of the run time of its tasks. */
	shared32 tasks_sleep; /* W: self. 1: its tasks sleep, and leave the core to others. */
	shared32 blocked; /* W: self. 1: the task waits, and no other task can run in its place. */
	shared32 node;    /* W: self. NUMA node of the process. */
	shared32 cpu; /* W: self, clients too. Core of the last spin; a worker: of the last task. */
	shared64 handed; /* W: the giver, another worker or a client (0 to a hint by CAS; by CAS
			    back to 0, to withdraw the hint); self (0 to HAND_CLOSED; to 0, after
			    the task). Not 0: busy (handover.h). */
	shared64 booked; /* W: manager, before the fork (BOOKED_AT_BIRTH), then scheduler. Reference
			    of the task that the process is booked for, 0: none. A booked process
			    claims no other task (booking.c). */
	shared64 booked_seen; /* W: self, between two tasks. The last value read from `booked`. */
	shared64 booked_gpus; /* W: scheduler, before `booked`. Bit i: GPU i of the worker. */
	shared32 booked_way; /* W: scheduler, before `booked`. 1 + number of the alternative met; 0:
				the process keeps still for the process that runs the task. */
	uint32_t gpu_first;  /* W: manager, before STARTING. Number of the worker's first GPU. */
	shared64 running;    /* W: self. Reference of the running task, 0: none. */
	shared64 running_since_ns; /* W: self */
	shared64 done, failed;     /* W: self. For people. */
	shared32 alert; /* W: self. 1: asleep for something other than our events, so a request to
			   stop must send an interrupt at once, too. */
	shared64 waiting_ns; /* W: self. When the task's wait began, 0: the task does not wait.
				The time also names the wait. A client: only inside a task's command
				(inside_word). */
	shared64 refused;    /* W: scheduler. The wait that shall fail, by its waiting_ns. */
	shared64 lent;   /* W: self and the scheduler. Cpus lent to the running command (lent.h). */
	shared64 memory; /* W: self. Bytes of the running command and all its processes now, */
	shared64 memory_peak; /* and at most: as of the last look (command/command_memory.c). */
	shared64 memory_seen; /* W: scheduler, before FLAG_MEMORY. Bytes of the process and all
				 descendants. */
	shared64 room_wanted; /* W: self. Bytes of a result that waits for room in the store; 0:
				 none. For people. */
	uint32_t spare; /* W: manager, before STARTING. The process slot for which this spare stands
			   in; 0: no spare. */

	/* for clients inside the command of a task (tables_host()) */
	shared32 inside;      /* W: self, before `inside_word`. Index of the task's record. */
	shared64 inside_word; /* W: self, once. The record's state word without flags: names the
				 attempt and the worker process. 0: inside no command. */
};

/* `booked` of a worker unknown to the scheduler yet: the worker may have to stand in for a process
 * that kept still, and claims nothing before the scheduler has decided. No reference is so small.
 */
#define BOOKED_AT_BIRTH ((uint64_t)1)
/* `booked` of a resting spare, while the worker it stands in for is at work. No reference is so
 * small. */
#define BOOKED_FOR_NOBODY ((uint64_t)2)

static inline uint64_t process_word(
    uint32_t generation, enum process_kind kind, enum process_state state)
{
	return (uint64_t)generation << 32 | (uint64_t)kind << 8 | (uint64_t)state;
}

static inline enum process_state process_state(uint64_t word)
{
	uint32_t s = (uint32_t)word & 0xff;
	return s < PROCESS_STATES ? (enum process_state)s : PROCESS_FREE;
}

static inline enum process_kind process_kind(uint64_t word)
{
	uint32_t k = (uint32_t)(word >> 8) & 0xff;
	return k < KINDS ? (enum process_kind)k : KIND_NONE;
}

static inline uint32_t process_generation(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* A process that may still act: STARTING, LIVE or LEAVING. */
static inline bool process_present(uint64_t word)
{
	enum process_state s = process_state(word);
	return s == PROCESS_STARTING || s == PROCESS_LIVE || s == PROCESS_LEAVING;
}

const char *process_kind_name(enum process_kind kind);
const char *process_state_name(enum process_state state);
bool process_step_legal(enum process_state from, enum process_state to);

/* A CAS from *seen to the same generation and kind in another state. */
bool process_step(struct process *p, uint64_t *seen, enum process_state to);

/* FREE -> STARTING with the next generation, by the manager; false if not FREE. */
bool process_claim(struct process *p, enum process_kind kind, pid_t pid, const char *name);

/* How many hints may stand in front of a worker: LOOKAHEAD_NS of work at the worker's recent pace,
 * or a few short tasks. So the worker seldom waits for the next task, and a task of a higher
 * priority is not far behind. */
uint32_t process_depth(const struct process *p);

/* Field 22 of /proc/PID/stat; 0 if the process is gone, or a zombie. */
uint64_t process_start_time(pid_t pid);

/* True if a SIGSTOP or a debugger stops the process; false also if another process has the pid now.
 */
bool process_stopped(pid_t pid, uint64_t start_time);

#endif
