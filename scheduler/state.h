/* state.h - what the scheduler keeps in private memory: a struct for each module.
 *
 * All of it is derived: a new scheduler makes it again. A module writes its own struct alone,
 * except for fields told here; any module may read any struct. */
#ifndef PLM_STATE_H
#define PLM_STATE_H

#include "events/unended.h"
#include "policy/policy.h"
#include "tables/args.h"
#include "tables/due.h"
#include "tables/edges.h"
#include "tables/tables.h"

enum { FREED_BATCH = 256, READY_BATCH = 256, SETTLED_PER_RECORD = 2, DUE_MAX = 256 };

/* The scheduler's knowledge of a worker process. Hints to a process stay in its down ring until the
 * process has dealt with them. */
struct worker_process {
	uint32_t generation;    /* 0: no worker process here */
	uint32_t worker;        /* its number */
	uint32_t next;          /* the next process of the same worker, 0 none */
	int pidfd;              /* to end the process; -1 in tests with threads */
	uint32_t average_ns;    /* of its tasks, when the room was counted */
	uint32_t depth, room;   /* entries its ring may hold now, and how many more may be added */
	bool leaving;           /* the process gets nothing more, and finishes the task it runs */
	bool awake;             /* as counted in `share` (worker_room.c) */
	uint32_t brisk;         /* 1 + place among the brisk processes, 0: not brisk */
	bool stuck, blocked;    /* the same */
	uint64_t booked;        /* the task the process is kept for (seats.c), 0 none */
	uint32_t share;         /* free part of the process, as counted in the view of its worker */
	uint64_t last_turn;     /* value of `turns` when the process was given its last task */
	uint32_t seen_position; /* of its ring, at the last look for stuck queues */
	uint32_t unmoved;       /* looks in a row that found the ring at the same position */
	uint64_t waited_ns;     /* if a spare stands in: when the task was last seen to wait */
	uint32_t sleeper;       /* waiting client run by its command (nested_command.c); 0 none */
};

/* ---- queues ---- */

struct ready {          /* ready.c; place.c empties the list */
	uint32_t *task; /* READY tasks on their way into the task heap */
	uint32_t n, room;
};

struct floor_state { /* floor.c */
	bool
	    kept_back; /* the next task waits for higher tasks that stand unclaimed behind others */
};

struct shelf { /* tasks with the same terms, largest key first */
	struct heap_entry *entry;
	uint32_t n, room;
};

struct shelves { /* shelf.c */
	struct shelf shelf[TERMS_MAX];
	uint32_t n; /* the highest number of terms with a shelf */
};

struct due { /* tasks with a long wait, the earliest turn first */
	struct heap_entry task[DUE_MAX];
	uint32_t n, next;
	uint32_t others; /* tasks placed since a due task */
};

struct ageing {             /* ageing.c */
	uint64_t period_ms; /* 0: nothing ages */
	uint64_t next_ns;   /* of the next look; DEADLINE_NEVER: all queued tasks have `priority` */
	int priority;
	struct due queued, shelved;
};

/* retain.c: kept results by the time they leave. */
enum retain_heap { RETAIN_BY_RULE, RETAIN_PROMISED, RETAIN_HEAPS };

struct owed {             /* owed.c; free.c sets `left` */
	uint64_t *life;   /* [records] the life to be freed, 0 none */
	uint32_t records; /* entries of `life` other than 0 */
	bool pool;        /* FREE records may be missing from the pool's stack */
	bool left;        /* part of a result could not be freed */
	bool bury;        /* a dead process is not buried yet: a record of the process is owed */
	uint32_t pause_ms;
	uint64_t next_ns; /* of the next try; DEADLINE_NEVER: nothing is owed */
};

/* ---- workers ---- */

enum hall_name { HALL_CPU, HALL_GPU, HALLS };

struct hall { /* workers of a class with room, in no order */
	uint32_t open[WORKERS_MAX];
	uint32_t n;
};

struct team {           /* all processes of a worker */
	uint32_t first; /* first process, 0 none; chained by worker_process.next */
	uint32_t place; /* 1 + position in its hall, 0: no room */
	enum hall_name hall;
};

struct room { /* worker_room.c */
	const struct policy *policy;
	uint64_t seed;                          /* of the policy's draws */
	struct policy_worker view[WORKERS_MAX]; /* the policy's view, by number of the worker */
	struct team team[WORKERS_MAX];
	struct hall hall[HALLS];
	uint64_t turns;                /* hints given to workers, ever */
	uint64_t next_look_ns;         /* for stuck queues; DEADLINE_NEVER: none */
	uint32_t brisk[PROCESSES_MAX]; /* processes, in no order */
	uint32_t brisks, crew; /* brisk processes, and how many may be before none is woken */
	uint32_t newly_stuck;  /* at the last look */
	uint32_t calm_looks;   /* in a row, that found none newly stuck */
	uint32_t blocked;      /* processes asleep in a wait */
	uint32_t spares;       /* spare processes */
	bool fresh; /* a task was queued since the blocked processes were last woken (place.c) */
};

struct booking { /* processes and resources of a task */
	uint64_t ref;
	uint32_t attempt;             /* of the task when the booking began */
	uint32_t main, reserved_main; /* runs the task; main is 0 until the rest keep still */
	uint32_t seats;               /* processes booked */
	uint32_t worker, kind, way;
	uint64_t gpus;
	const struct demand *demand;
	bool given; /* the hint was sent */
};

struct bookings { /* seats.c, booking.c */
	struct booking booking[PROCESSES_MAX];
	uint32_t n;
	bool short_of_processes; /* a task with needs waits for idle processes */
	bool adopted;            /* the bookings of a former scheduler are sorted out */
};

struct nested {                              /* nested_command.c */
	uint64_t client[PROCESSES_MAX / 64]; /* bit p: client p waits inside a task */
	uint32_t n;                          /* bits set */
};

/* ---- graph ---- */

struct settled { /* graph.c: settled records with dependants not told yet */
	uint32_t *record;
	uint64_t n;
};

struct freed { /* free.c: FREE already; for the pool, under one lock */
	uint32_t record[FREED_BATCH];
	uint32_t n;
	struct eventlog_batch events; /* of the log */
	bool room;                    /* bytes of the store were freed, and nobody was told yet */
};

struct stop { /* how far the stop of a task has gone; the next scheduler begins anew */
	uint64_t asked_ns;
	uint32_t generation, attempt; /* asked to stop; of another attempt nothing is known */
	uint32_t grace_ms;
	uint32_t interrupts; /* signals sent */
};

struct task_limits {        /* task_limits.c */
	struct heap timers; /* tasks by the time of their next look */
	struct stop *stops; /* [records] */
};

struct pressure {                              /* pressure.c */
	uint64_t next_ns;                      /* of the next look */
	uint64_t seen_ns;                      /* time of the last look, 0: none yet */
	uint64_t total, available, stalled_us; /* at the last look */
	uint32_t running;                      /* processes with a task, at the last look */
	bool waits; /* memory is short or near, so the next look must be in time */
	bool keeps; /* since the last look a task with too large a need was met */
	uint64_t used[PROCESSES_MAX]; /* by trees of processes, at the last census */
};

/* ---- placing ---- */

struct loans { /* lend.c: the result of a look, by the process slot of the borrower */
	uint16_t seats[PROCESSES_MAX];    /* kept for the borrower */
	uint16_t still[PROCESSES_MAX];    /* and keeping still */
	uint64_t seen;                    /* value of control->lent_changes */
	uint32_t turn;                    /* of the last loan */
	uint64_t given_ns[PROCESSES_MAX]; /* when the limit was last raised */
	uint64_t next_ns;                 /* of the next look; DEADLINE_NEVER: wait for a hint */
	bool queued;                      /* tasks stand in rings behind running tasks */
	bool any;                         /* a loan exists or is wanted */
};

struct relief {             /* spares.c */
	uint64_t round_ns;  /* when the round began */
	uint64_t next_ns;   /* of the next look; DEADLINE_NEVER: no wait and no spare exists */
	uint64_t queued_ns; /* since when tasks are queued, 0: no task is */
	uint64_t stuck_ns;  /* since when no task makes progress, 0: some task does */
	uint64_t sign;      /* of the waits at that time */
	uint64_t seen;      /* hints given and workers blocked at the last look */
	uint32_t bits;      /* set in control->relief */
};

struct unended { /* task_log.c: attempts of dead workers without an end in the event log */
	struct unended_attempt {
		struct eventlog_start start;
		enum event_kind end; /* EVENT_NONE: not ended yet; written by task_log_flush() */
		uint64_t argument;
	} attempt[EVENT_STARTS_MAX]; /* of a process: the innermost first */
	uint32_t n;
};

struct scheduler {
	struct tables *t;
	struct process *me;
	struct worker_process *worker_process; /* [processes] */
	int manager;        /* eventfd, wakes the manager; -1 in tests with threads */
	uint64_t changes;   /* of the process table, as last seen */
	uint32_t admission; /* ADMISSION_ bits of the round */
	uint64_t turn;      /* latest turn of a placed or settled task */
	uint64_t front;     /* turn of the last task moved to the front; 0: not known yet */
	uint64_t requeued;  /* tasks of dead workers queued again */
	struct room room;
	struct ready ready;
	struct settled settled;
	struct freed freed;
	struct unended unended;
	struct floor_state floor;
	struct shelves shelves;
	struct ageing ageing;
	struct bookings bookings;
	struct loans loans;
	struct relief relief;
	struct nested nested;
	struct pressure pressure;
	struct task_limits limits;
	struct heap retained[RETAIN_HEAPS];
	struct owed owed;
	uint64_t log_ns; /* task_log.c: the time of the round's events; 0: not read yet */
	_Atomic bool stop;
};

#endif
