/* process.h - who takes part: one slot a process, its life, its beat, its waiting place.
 *
 * Where: the process table of the control segment. Slot 0 is the manager, 1 the scheduler, the
 * others workers and clients as they come.
 * The state word {generation:32, kind:8, state:8} is the truth. A generation is one incarnation:
 * never reused, so a late word about a former one is told apart.
 *
 *   FREE --manager--> STARTING --itself--> LIVE ---------> LEAVING
 *    ^                    |                  |                 |
 *    +--- scheduler --- DEAD <-------- manager, when the pidfd says so
 *
 * STARTING comes before the fork or at admission; FREE comes when all of the dead one is cleaned.
 * A client that is LEAVING touches nothing any more. A worker that is LEAVING, by its own will or
 * the manager's, ends what it runs and takes nothing new.
 * Death: only the manager says DEAD, and only after the kernel did (pidfd). Time proves nothing. */
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

/* To a worker whose task was asked to stop: system calls that block return EINTR. */
#define PROCESS_INTERRUPT SIGUSR1
enum { GRACE_INTERRUPTS = 4 }; /* from half of the grace on; then it is killed */

enum { SLOT_MANAGER = 0, SLOT_SCHEDULER = 1, SLOT_FIRST_MEMBER = 2 };

enum { /* waiter.awaiting */
	AWAITING_NOTHING = 0,
	AWAITING_ANY = UINT32_MAX, /* else 1 + index of the only record it waits for */
};

/* Where threads of one process sleep for futures, each in a cell of its own while there are enough:
 * so that a settlement wakes who waits for it and nobody else. */
enum { WAITERS = 8 };
struct waiter {
	struct event event;
	shared32 awaiting; /* W: the process. Settling this record must post the event. */
};

#define PROCESS_HUNG ((uint32_t)1 << 31)   /* it was killed for giving no sign of life */
#define PROCESS_UNSEEN ((uint32_t)1 << 30) /* nobody knows how it ended: its parent was dead */

struct process {
	_Alignas(CACHE_LINE_BYTES) shared64 state;
	int32_t pid;          /* W: manager, before STARTING (of a child: itself, before LIVE) */
	uint32_t place;       /* W: manager, before the fork. Which of its places a worker has. */
	uint64_t start_time;  /* W: as pid. From /proc/PID/stat: tells a reused pid. */
	uint64_t joined_ns;   /* W: manager */
	char name[24];        /* W: manager. The command's name: for people. */
	uint32_t worker;      /* W: manager, before STARTING. Whose slot this process is, and of */
	uint32_t worker_kind; /* which kind. */

	_Alignas(CACHE_LINE_BYTES) struct event event; /* what it sleeps on */
	shared32 awaiting;    /* W: itself. Settling this record must post its event. */
	shared32 unclean;     /* W: itself, before it reserves; the scheduler, before it gives a
			       * hold. Its end needs a scan. */
	shared64 beat_ns;     /* W: itself (relaxed). Last sign of life; never proof of death. */
	shared64 imported;    /* W: itself (0), then scheduler: the HINT_IMPORT it has answered */
	shared32 exit_status; /* W: manager, before DEAD. What waitpid() said, and PROCESS_HUNG; 0
			       * of a client. */
	shared64 died_ns;     /* W: manager, before DEAD. When it saw the death. */

	_Alignas(CACHE_LINE_BYTES) struct waiter waiter[WAITERS];

	/* workers; clients leave it zero, but for `cpu` and the two fields of a wait */
	_Alignas(CACHE_LINE_BYTES) shared32 average_ns; /* W: itself. Moving average of its tasks'
							 * run time. */
	shared32 blocked;     /* W: itself. Its task waits for another and nothing can be run in its
			       * place. */
	shared32 node;        /* W: itself. NUMA node it runs on. */
	shared32 cpu;         /* W: itself, clients too. Where it spun last. */
	shared64 handed;      /* W: another worker or a client (0 to a hint, by CAS), itself (to 0,
			       * when that is done). Not 0: it is busy (handover.h). */
	shared64 booked;      /* W: manager, before the fork (BOOKED_AT_BIRTH), then scheduler.
			       * Reference of the task it is kept for, 0 none: it claims no other
			       * (booking.c). */
	shared64 booked_seen; /* W: itself, between two tasks. What it read there last. */
	shared64 booked_gpus; /* W: scheduler, before `booked`. Bit i: GPU i of its worker. */
	shared32 booked_way;  /* W: scheduler, before `booked`. 1 + the alternative met; 0: it keeps
			       * still for another slot that runs the task. */
	uint32_t gpu_first;   /* W: manager, before STARTING. Number of its worker's GPU 0. */
	shared64 running;     /* W: itself. Reference of the task it runs, 0 none. */
	shared64 running_since_ns; /* W: itself */
	shared64 done, failed;     /* W: itself. For people. */
	shared32 alert;      /* W: itself. It sleeps for other things than our events: when its
			      * task is asked to stop it wants an interrupt at once, too. */
	shared64 waiting_ns; /* W: itself. When the wait began in which its task sleeps, 0: in none.
			      * It also tells that wait from others of this process. Of a client:
			      * only if a task's command runs it (inside_word). */
	shared64 refused;    /* W: scheduler. The wait that is to fail, by its waiting_ns. */
	shared64 lent;       /* W: itself and the scheduler. Slots lent to the command it runs
			      * (lent.h). */
	shared64 memory;     /* W: itself. Bytes that a command it runs has now, with all it */
	shared64 memory_peak; /* started, and had at most: as of the last look
				 (command/command_memory.c). */
	shared64 memory_seen; /* W: scheduler, before FLAG_MEMORY. Bytes of it and all below it. */
	shared64 room_wanted; /* W: itself. Bytes of a result of its task for which it waits, since
			       * the store has no room; 0: it does not. For people. */
	uint32_t spare;       /* W: manager, before STARTING. The process slot it was started to
			       * stand in for, 0: it is a worker in its own right. */

	/* clients that the command of a task runs (tables_host) */
	shared32 inside;      /* W: itself, before `inside_word`. Index of that task's record. */
	shared64 inside_word; /* W: itself, once. The record's state word without its flags: that
			       * attempt, and the worker process that runs it. 0: no task's. */
};

/* Of a worker the scheduler has not met: it may have to stand in for one that kept still, and
 * claims nothing before that is known. No reference is so small. */
#define BOOKED_AT_BIRTH ((uint64_t)1)
/* Of a spare that rests: whom it stands in for is at work. Nor is any so small. */
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

/* A slot whose owner may still act: STARTING, LIVE or LEAVING. */
static inline bool process_present(uint64_t word)
{
	enum process_state s = process_state(word);
	return s == PROCESS_STARTING || s == PROCESS_LIVE || s == PROCESS_LEAVING;
}

const char *process_kind_name(enum process_kind kind);
const char *process_state_name(enum process_state state);
bool process_step_legal(enum process_state from, enum process_state to);

/* One CAS from *seen to the same generation and kind in another state. */
bool process_step(struct process *p, uint64_t *seen, enum process_state to);

/* FREE -> STARTING with the next generation, by the manager; false if not free. */
bool process_claim(struct process *p, enum process_kind kind, pid_t pid, const char *name);

/* How many hints may stand in front of a worker: LOOKAHEAD_NS of work at its recent pace, so that
 * it seldom waits for the next, and that what comes with a higher priority is not far behind. */
uint32_t process_depth(const struct process *p);

/* Field 22 of /proc/PID/stat; 0 if there is no such process, or only its zombie. */
uint64_t process_start_time(pid_t pid);

/* A SIGSTOP holds it, or a debugger; false also of another process that has the pid now. */
bool process_stopped(pid_t pid, uint64_t start_time);

#endif
