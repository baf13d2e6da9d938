/* explore.h - a runtime whose processes are coroutines of a single process, with deaths and
 * delays.
 *
 * Where: one process, one thread. The product's code runs unchanged on the shared segments and
 * on private memory; both are put back before the next schedule. Each process of the runtime is
 * a coroutine (explore_run.c). kernel.c answers the coroutine's system calls. At each shared
 * step a schedule (schedule.c) decides what happens next. Determinism: one seed is one schedule,
 * byte for byte. Nothing here may depend on addresses, on the machine's clock, or on an earlier
 * schedule. Blocks: never. Allocates: from the explorer's memory, which is emptied before each
 * schedule. */
#ifndef PLM_EXPLORE_H
#define PLM_EXPLORE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "client/handle.h"
#include "manager/manager.h"
#include "scheduler/scheduler.h"
#include "worker/worker.h"

enum {
	PROCS_MAX = 40,       /* in one schedule, the dead counted */
	PID_BASE = 1000,      /* process i of a schedule has pid PID_BASE + i */
	PIDFD_BASE = 1 << 20, /* no descriptor of this process is so large */
	CLIENTS_MAX = 3,
	STACK_BYTES = 1 << 18,
	TLS_MAX = 4096,
	QUANTUM = 4000,      /* steps after which somebody else goes on, whatever was decided */
	STEPS_MAX = 1000000, /* of a schedule: more is a livelock */
	DEATHS_MAX = 6,
	DECISIONS_MAX = 8192,
	END_STEPS = 2000,
	REFUSALS_MAX = 8,
	FREEZES_MAX = 3,
	FREEZE_MS = 12000, /* longer than anybody waits for a lock or an answer */
	FREEZE_STRIDE_MS = 400,
	FREEZE_STEP_NS = 50000, /* how time passes meanwhile */
	FOREVER_MS = 900,       /* a longer wait is a hang: only safety ticks are so long */
};

#define CLOCK_BASE_NS (1000 * NS_PER_S)

/* ---- processes ---- */

enum proc_state {
	PROC_NONE,
	PROC_READY,
	PROC_ASLEEP, /* until the word is woken, or the deadline */
	PROC_GONE,   /* ended, or dropped in the middle */
};

struct proc {
	enum proc_state state;
	enum process_kind kind;
	uint32_t slot;
	void (*body)(struct proc *self);
	const void *word; /* the process sleeps on: a futex, a mutex, the bell; NULL: time */
	uint64_t deadline_ns;
	bool timed_out, for_lock;
	uint64_t stopped_until;   /* step; the process is passed over until then */
	uint64_t frozen_until_ns; /* SIGSTOP, and SIGCONT at this time: all other processes go
				   * on, and time passes */
	bool forever;             /* the sleep ends by itself only while another process is
				   * frozen */
	bool fails;               /* the next call that can fail fails */
	bool is_waited_for;       /* a client's script: the schedule ends after all scripts */
	int status;               /* as waitid() returns: code and status */
	bool killed;
	int saved_errno;
	bool begun;
	jmp_buf at;
	ucontext_t start;
	unsigned char tls[TLS_MAX]; /* this process's copy of the program's thread-local data */
};

/* ---- decisions ---- */

enum decision_kind {
	DECIDE_SWITCH, /* another process goes on */
	DECIDE_STOP,   /* this process stands still for a while */
	DECIDE_DIE,
	DECIDE_FAIL,   /* this process's next call that can fail fails */
	DECIDE_LEAP,   /* time passes */
	DECIDE_PICK,   /* no process could go on by default: a chosen process does */
	DECIDE_FREEZE, /* this process stands still until the others give up waiting */
};

struct decision {
	uint32_t step;
	uint8_t kind;
	uint8_t target;   /* number of a process; exponent of a leap or a stop */
	const char *what; /* the step, if known: for the report */
};

struct schedule { /* the decisions taken, or to be taken again */
	struct decision decision[DECISIONS_MAX];
	uint32_t n, next;
	bool replay;
};

struct temper {           /* how wild the seed's schedule is */
	uint32_t between; /* steps between two decisions, on average */
	uint32_t step_ns;
	uint32_t stops, leaps, fails; /* of a hundred decisions */
	uint32_t death_at[DEATHS_MAX], deaths, died;
	uint32_t freeze_at[FREEZES_MAX], freezes, froze;
};

/* ---- scenarios ---- */

struct scenario {
	const char *name, *help;
	void (*client[CLIENTS_MAX])(struct plm *rt);
	uint32_t mortal;  /* bit k: processes of kind k may die */
	uint32_t deaths;  /* at most */
	uint32_t freezes; /* at most: somebody, at any step, for longer than all patience */
	uint32_t workers; /* 0: two */
	uint32_t spares;
	bool fails;  /* memory and room may be refused */
	bool idles;  /* waits of a second and longer are part of the scenario */
	bool logged; /* the event log is on */
};
extern const struct scenario scenarios[];
extern const size_t scenario_count;
void scenario_forget(void); /* forgets what the last schedule left in the scripts */

/* Ends the schedule; the text says which rule was broken. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			explore_fail(                                                              \
			    "%s:%d: not so: %s (%s)", __FILE__, __LINE__, #condition, why_text()); \
	} while (0)

/* ---- the world of a schedule ---- */

enum mutation { /* a rule broken on purpose, to see that the explorer notices */
	MUTATE_NOTHING,
	MUTATE_WAKE,    /* every third wake is lost */
	MUTATE_BUMP,    /* a death wakes nobody */
	MUTATE_COMMIT,  /* a commit that lost the race is written all the same */
	MUTATE_INHERIT, /* a dead holder's lock is taken as if the holder had released the lock */
	MUTATE_HOLD,    /* now and then a hold is overlooked when a record is to be freed */
	MUTATE_OWED,    /* a record that could not be freed is never tried again */
	MUTATE_LATE,    /* a request that was given up is not taken back */
	MUTATIONS
};
extern const char *const mutation_names[MUTATIONS];

struct world { /* of a schedule; made anew for each schedule */
	const struct scenario *scenario;
	struct temper temper;
	uint64_t random;
	uint64_t now_ns, step, next_step, slice;
	uint64_t frozen_until_ns; /* the latest of all */
	struct proc proc[PROCS_MAX];
	uint32_t procs, current; /* NOBODY: the explorer itself */
	uint32_t manager;        /* the manager's process */
	shared32 bell;           /* the manager's epoll */
	uint32_t waited_for;     /* scripts that still run */
	uint32_t deaths, freezes, wakes, holds, refusals;
	uint64_t end_ns, end_step; /* some steps after all scripts are over; */
	bool ticked;
	bool ending;                   /* then nothing happens any more by chance */
	uint32_t settled[RECORDS_MIN]; /* generation whose commit was seen */
	bool was_settled[RECORDS_MIN];
	uint64_t fingerprint;
	char failure[512];
};
enum { NOBODY = UINT32_MAX };
extern struct world w;
extern struct schedule schedule;
extern enum mutation mutation;
extern bool tracing, tracing_steps;

/* ---- explore_image.c: the runtime at the start of a schedule ---- */
struct image {
	struct tables tables;
	struct manager manager;
	struct plm client[CLIENTS_MAX];
	struct tables scheduler_tables;
	struct scheduler scheduler;
	struct worker worker[2];
	struct options options;
};
extern struct image *image;
void image_make(const struct scenario *scenario); /* boots, and remembers */
void image_restore(void);
void *memory_take(size_t bytes); /* zeroed; NULL: no memory left */
bool memory_owns(const void *at);
extern bool memory_is_ours; /* calls of malloc and mmap are for the runtime */

/* ---- explore_run.c: coroutines ---- */
void run_open(void);
uint32_t run_add(enum process_kind kind, uint32_t slot, void (*body)(struct proc *self));
void run_sleep(const void *word, uint64_t deadline_ns); /* the current process; see timed_out */
void run_yield(void);
void run_wake(const void *word);
void run_freeze(uint32_t process, uint64_t until_ns);
void run_kill(uint32_t process);
_Noreturn void run_exit(int status);
void run_schedule(void); /* until no process can go on; w.failure says which rule was broken */
bool run_alive(int pid);

/* ---- schedule.c ---- */
extern uint32_t typical_steps;        /* of an undisturbed schedule: deaths are spread over that
				       * many steps */
void schedule_begin(uint64_t seed);   /* 0: the undisturbed schedule */
void schedule_step(const char *what); /* a process is at a shared step */
uint32_t schedule_pick(const uint32_t *ready, uint32_t n); /* no process went on by itself */
uint64_t schedule_random(void);
void schedule_print(void);

/* ---- bodies.c: what each process does ---- */
void body_scheduler(struct proc *self); /* the scheduler that was there at the start */
void body_worker(struct proc *self);
void body_client(struct proc *self);
void body_manager(struct proc *self);
void body_born(struct proc *self); /* by a manager's fork */
void body_next_manager(struct proc *self);

/* ---- explore_main.c ---- */
bool explore_one(uint64_t seed); /* true: nothing was found */
void explore_begin(const struct scenario *scenario);
void explore_shrink(uint64_t seed); /* reduces the failing schedule to as few decisions as
				     * possible */

/* ---- selfcheck.c ---- */
bool selfcheck(void); /* broken rules are found, and a seed always gives the same schedule */

/* ---- explore_judge.c ---- */
void judge_end(void); /* fails, or all is as promised */
uint64_t judge_fingerprint(void);

#endif
