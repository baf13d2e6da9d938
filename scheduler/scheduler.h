/* scheduler.h - the role that orders, places and repairs.
 *
 * Where: one process, in process slot 1; in tests, a thread. The scheduler loads no user code.
 * The scheduler drains hints, resolves dependencies (graph.c), keeps the task heap, gives tasks to
 * workers (place.c), frees records nobody holds (free.c), and cleans up after the dead (repair.c).
 * The scheduler alone writes `uses`, the hold bits of visible records, and the words of records
 * with a dead owner. The lock of the graph is shared with workers (tables/edges.h).
 * Death: the next scheduler derives all private memory and all derived shared memory again with
 * scheduler_rebuild(), the function that starts the first one, too: start-up and recovery are one
 * code.
 * Blocks: in scheduler_run() on its event; in locks. */
#ifndef PLM_SCHEDULER_H
#define PLM_SCHEDULER_H

#include "policy/policy.h"
#include "tables/args.h"
#include "tables/due.h"
#include "tables/edges.h"
#include "tables/tables.h"

enum { FREED_BATCH = 256, READY_BATCH = 256, SETTLED_PER_RECORD = 2, DUE_MAX = 256 };

/* The scheduler's knowledge of a worker process: private, derived. Hints to a process stay in its
 * down ring until the process has dealt with them. */
struct member {
	uint32_t generation; /* 0: no worker process here */
	uint32_t worker,
	    next;  /* number of the worker; the next process of the same worker, 0 none */
	int pidfd; /* to end the process; -1 in tests with threads */
	uint32_t depth, room; /* entries its ring may hold now, and how many more may be added */
	bool leaving;         /* the process gets nothing more, and finishes the task it runs */
	bool awake, brisk, stuck, blocked; /* as counted in `share` (store_room.c) */
	uint64_t booked;        /* the task the process is kept for (booking.c), 0 none */
	uint32_t share;         /* free part of the process, as counted in the view of its worker */
	uint64_t last_turn;     /* value of `turns` when the process was given its last task */
	uint32_t seen_position; /* of its ring, at the last look for stuck queues */
	uint64_t waited_ns;     /* if a spare stands in: when the task was last seen to wait */
	uint32_t sleeper;       /* waiting client run by its command (nested_command.c); 0 none */
};

struct stop { /* how far the stop of a task has gone; private: the next scheduler begins anew */
	uint64_t asked_ns;
	uint32_t generation,
	    attempt; /* the attempt asked to stop; another attempt: nothing is known */
	uint32_t grace_ms;
	uint32_t interrupts; /* signals sent */
};

struct shelf { /* tasks with the same terms, largest key first */
	struct heap_entry *entry;
	uint32_t n, room;
};

struct booking { /* processes and resources of one booking */
	uint64_t ref;
	uint32_t attempt; /* of the task when the booking began */
	uint32_t main,
	    reserved_main; /* runs the task; main is 0 until the other processes keep still */
	uint32_t seats;    /* processes booked */
	uint32_t worker, kind, way;
	uint64_t gpus;
	const struct demand *demand;
	bool given; /* the hint was sent */
};

struct loans { /* lend.c: the result of one look, by the process slot of the borrower */
	uint16_t seats[PROCESSES_MAX],
	    still[PROCESSES_MAX];         /* kept for it; kept and keeping still */
	uint64_t seen;                    /* value of control->lent_changes */
	uint32_t turn;                    /* of the last loan */
	uint64_t given_ns[PROCESSES_MAX]; /* when the limit was last raised */
	uint64_t next_ns;                 /* of the next look; DEADLINE_NEVER: wait for a hint */
	bool queued;                      /* tasks stand in rings behind running tasks */
	bool any;                         /* somebody has a loan or wants one */
};

struct due { /* tasks that have waited for long, the earliest turn first */
	struct heap_entry task[DUE_MAX];
	uint32_t n, next;
	uint32_t others; /* tasks placed since a due one was */
};

struct ageing {
	uint64_t period_ms; /* 0: nothing ages */
	uint64_t next_ns;   /* of the next look; DEADLINE_NEVER: all queued tasks have `priority` */
	int priority;
	struct due queued, shelved;
};

struct relief {             /* spares.c */
	uint64_t round_ns;  /* when this round began */
	uint64_t next_ns;   /* of the next look; DEADLINE_NEVER: nobody waits and no spare exists */
	uint64_t queued_ns; /* since when tasks are queued, 0: no task is */
	uint64_t stuck_ns;  /* since when no task makes progress, 0: one does */
	uint64_t sign;      /* of the waits at that time */
	uint64_t seen;      /* hints given and workers blocked at the last look */
	uint32_t bits;      /* set in control->relief */
};

struct nested {                              /* nested_command.c */
	uint64_t client[PROCESSES_MAX / 64]; /* bit p: client p waits inside a task */
	uint32_t n;                          /* bits set */
};

enum hall_name { HALL_CPU, HALL_GPU, HALLS };

struct hall { /* workers of one class that have room, in no order */
	uint32_t open[WORKERS_MAX];
	uint32_t n;
};

struct team {           /* all processes of one worker */
	uint32_t first; /* first process, 0 none; chained by member.next */
	uint32_t place; /* 1 + position in its hall, 0: no room */
	enum hall_name hall;
};

enum retain_heap { RETAIN_BY_RULE, RETAIN_PROMISED, RETAIN_HEAPS };

struct pressure {                              /* pressure.c */
	uint64_t next_ns;                      /* of the next look */
	uint64_t seen_ns;                      /* time of the last look, 0: none yet */
	uint64_t total, available, stalled_us; /* at the last look */
	uint32_t running;                      /* processes with a task, at the last look */
	bool waits; /* memory is short or near, so the next look must be in time */
	bool keeps; /* since the last look a task was met that wants more memory than is free */
	uint64_t used[PROCESSES_MAX]; /* by trees of processes, at the last census */
};

struct ready {          /* ready.c */
	uint32_t *task; /* READY tasks on their way into the task heap */
	uint32_t n, room;
};

struct owed {             /* owed.c */
	uint64_t *life;   /* [records] the life that is to be freed, 0 none */
	uint32_t records; /* entries of `life` that are not 0 */
	bool pool;        /* FREE records may be missing from the pool's stack */
	bool left;        /* set when part of a result could not be freed */
	bool bury;        /* a dead process is not buried yet: one of its records is owed */
	uint32_t pause_ms;
	uint64_t next_ns; /* of the next try; DEADLINE_NEVER: nothing is owed */
};

struct scheduler {
	struct tables *t;
	struct process *me;
	struct member *member; /* [processes] */
	const struct policy *policy;
	uint64_t seed;                          /* of the policy's draws */
	struct policy_worker view[WORKERS_MAX]; /* the policy's view, by number of the worker */
	struct team team[WORKERS_MAX];
	struct hall hall[HALLS];
	struct shelf shelf[TERMS_MAX];
	uint32_t shelves; /* the highest number of terms with a shelf */
	struct booking booking[PROCESSES_MAX];
	uint32_t bookings;
	struct ageing ageing;
	bool short_of_slots; /* a task with needs waits for idle processes */
	bool raised;         /* the floor rose since the rings were last found in order */
	bool kept_back;      /* the next task waits until all higher tasks are claimed (floor.c) */
	struct loans loans;
	bool adopted;         /* the bookings of a former scheduler are sorted out */
	uint64_t requeued;    /* tasks of dead workers queued again */
	uint64_t turn;        /* latest turn of a task that was placed or settled */
	uint64_t turns;       /* hints given to workers, ever */
	uint32_t brisk, crew; /* brisk workers, and how many may be before none is woken */
	uint32_t newly_stuck; /* at the last look */
	uint32_t blocked;     /* processes asleep in a wait */
	uint32_t spares;      /* spare processes */
	bool fresh;           /* a task was queued since the blocked processes were last woken */
	struct relief relief;
	struct nested nested;
	struct pressure pressure;
	int manager;        /* eventfd, wakes the manager; -1 in tests with threads */
	uint64_t changes;   /* of the process table, as last seen */
	uint32_t admission; /* ADMISSION_ bits of the round */

	uint32_t *settled; /* worklist: settled, dependants not told yet */
	uint64_t settled_count;

	struct ready ready;
	uint32_t freed[FREED_BATCH]; /* FREE already; for the pool, under one lock */
	uint32_t freed_count;
	struct owed owed;   /* to be freed when a lock can be had */
	struct heap timers; /* private: tasks by the time of their next look (task_limits.c) */
	struct stop *stops; /* [records] */
	struct heap retained[RETAIN_HEAPS]; /* private: kept results by the time they leave */
	uint64_t next_look_ns;              /* for stuck queues; DEADLINE_NEVER: none */
	_Atomic bool stop;
};

/* Takes process slot 1, prepared by the manager, and derives everything again. */
int scheduler_open(struct scheduler *s, struct tables *t);
/* A round; returns 0 when nothing was done. */
uint32_t scheduler_step(struct scheduler *s);
/* Runs until s->stop, until the end of the runtime, or, when draining, until the last task settles.
 */
void scheduler_run(struct scheduler *s);
void scheduler_close(struct scheduler *s);

/* ---- ground.c ---- */
/* For a lock that cannot be had, because its holder is alive but stopped, or because of damage
 * beyond recovery. The manager starts the next scheduler, which derives everything again. */
_Noreturn void scheduler_give_up(void);
void scheduler_lock_heap(struct heap *heap); /* or gives up */
void scheduler_ring_manager(struct scheduler *s);
void scheduler_signal(struct scheduler *s, uint32_t process, int signal); /* to a worker process */

/* ---- hints.c ---- */
uint32_t hints_drain(struct scheduler *s);
void hints_drain_one(struct scheduler *s, uint32_t process);

/* ---- graph.c ---- */
/* First meeting with a WAITING task: counts the arguments and links the task to unsettled ones. */
void graph_admit(struct scheduler *s, uint32_t index);
/* For an admitted task: fails the task if an argument has failed, makes it READY if none is
 * missing. */
void graph_check(struct scheduler *s, uint32_t index);
/* Makes process slot 1 the owner of a task to be ended by the scheduler. False: a client cancelled
 * the task first, or a worker runs it. */
bool graph_take_over(struct record *r, uint64_t *ret_word);
/* Remembers a settled record; graph_spread() tells its dependants. */
void graph_settled(struct scheduler *s, uint32_t index);
void graph_spread(struct scheduler *s);
/* Like plm_cancel(): a waiting task becomes CANCELLED, a running task is asked to stop. */
void graph_cancel(struct scheduler *s, uint32_t index);
/* After the first result of several replicas: cancels the rest. */
void graph_cancel_arguments(struct scheduler *s, struct record *r);
/* A RESERVED record will never settle: fails the dependants. */
void graph_abandoned(struct scheduler *s, uint32_t index);
/* Ends a task owned by no worker: WAITING, or RUNNING with a dead owner. flags: 0 or FLAG_DEAD.
 * message may be NULL. */
void graph_fail(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const char *message);

/* ---- free.c ---- */
/* Frees a record and its parts if it is settled (or abandoned) and nobody needs it. Cancels a tied
 * task without a need for it. */
void free_if_unneeded(struct scheduler *s, uint32_t index);
void free_abandoned(
    struct scheduler *s, uint32_t index);              /* RESERVED, and its owner let go or died */
void free_orphan(struct scheduler *s, uint32_t index); /* a PART without a task */
void free_arguments(struct scheduler *s, struct record *r);
/* Frees extents, not records. False: a result is left, and still named. */
bool free_results(struct scheduler *s, struct record *r);
void free_flush(struct scheduler *s);

/* ---- owed.c ---- */
int owed_open(struct scheduler *s);
void owed_close(struct scheduler *s);
/* The memory named by this record could not be freed; the scheduler tries again later. */
void owed_note(struct scheduler *s, uint32_t index);
void owed_note_pool(struct scheduler *s); /* FREE records could not be put into the pool */
bool owed_any(const struct scheduler *s); /* true: locks are tried, not waited for */
bool owed_to_process(
    struct scheduler *s, uint32_t process); /* a record found by this process slot alone */
/* Takes a record off the notes. False: it was not owed, or was freed another way. */
bool owed_take(struct scheduler *s, uint32_t index);
bool owed_is_due(const struct scheduler *s); /* time to try again */
uint32_t owed_tried(struct scheduler *s);    /* not 0: all is free */

/* ---- ready.c ---- */
int ready_open(struct scheduler *s);
void ready_close(struct scheduler *s);
/* A task became READY, or comes back from a worker: place_flush() queues it. */
void ready_add(struct scheduler *s, uint32_t index);
void ready_remove(struct scheduler *s, uint32_t index); /* a cancelled task, out of the heap */
/* The tasks in front of a process go back; the process may still claim them first. */
void ready_withdraw(struct scheduler *s, uint32_t process);
/* True: a task in the ring can still start. The rest were cancelled, or claimed elsewhere. */
bool ready_has_queue(const struct scheduler *s, uint32_t process);

/* Tasks in front of a worker process. */
static inline uint32_t ready_outstanding(const struct scheduler *s, uint32_t process)
{
	struct ring ring = ring_down(s->t, process);
	return ring_used(&ring) + (sh_load(&s->t->process[process].handed) != 0);
}

/* Meanwhile a waiting worker may have run the task in place, a client may have cancelled it, or an
 * attempt failed and the task pauses: then task_limits.c notes the task again. */
static inline bool ready_still(const struct tables *t, const struct heap_entry *task)
{
	if (task->id >= t->limits.records)
		return false;
	const struct record *r = record_at(t, task->id);
	uint64_t word = sh_load(&r->state);
	return word_state(word) == RECORD_READY && word_generation(word) == task->tag &&
	    !due_is_resting(t, r, word);
}

/* ---- place.c ---- */
void place_flush(struct scheduler *s);       /* READY tasks into the heap */
uint32_t place_tasks(struct scheduler *s);   /* heap to workers; how many were given */
void place_rebuild(struct scheduler *s);     /* the task heap, from the records */
bool place_idle(const struct scheduler *s);  /* nothing queued, nothing given */
void place_tell_demand(struct scheduler *s); /* to the manager: whether tasks wait */

/* ---- floor.c ---- */
void floor_raise(struct scheduler *s, const struct record *r, uint64_t key); /* a task is queued */
void floor_rebuild(struct scheduler *s); /* from the task heap */
/* Under the task heap's lock, for the next task. False: a task of higher priority stands behind
 * another in front of a worker. all_sent: every task taken off the heap stands in a ring. */
bool floor_lets_go(struct scheduler *s, const struct heap_entry *task, bool all_sent);
void floor_tell_kept(struct scheduler *s); /* to workers, after placing */
bool floor_may_sink(const struct scheduler *s);
/* A task above the floor stands behind another in front of this worker. */
bool floor_is_ignored(const struct scheduler *s, uint32_t process);

/* ---- shelf.c ---- */
void shelf_put(struct scheduler *s, uint32_t terms, struct heap_entry task);
bool shelf_peek(struct scheduler *s, uint32_t terms, struct heap_entry *ret);
void shelf_drop(struct scheduler *s, uint32_t terms); /* the entry that shelf_peek() showed */
bool shelf_empty(const struct scheduler *s);
void shelf_close(struct scheduler *s);

/* ---- ageing.c ---- */
void ageing_open(struct scheduler *s);
void ageing_look(struct scheduler *s); /* if the time has come */
/* A task with this key is queued, as the first or beside others. */
void ageing_queued(struct scheduler *s, uint64_t key, bool first);
/* Under the task heap's lock: takes a task out of the middle, if it is the turn of a due one. */
bool ageing_pop(struct scheduler *s, struct heap_entry *ret);
bool ageing_peek_shelved(struct scheduler *s, struct heap_entry *ret); /* for tasks with needs */
void ageing_began(struct scheduler *s, const struct heap_entry *task); /* for tasks with needs */

/* ---- seats.c ---- */
/* Keeps a process for a task or a borrower: the process claims nothing else until freed. */
void seats_keep(
    struct scheduler *s, uint32_t process, uint64_t booked, uint32_t way, uint64_t gpus);
void seats_keep_still(struct scheduler *s, uint32_t process, uint64_t booked);
void seats_free(struct scheduler *s, uint32_t process);
/* The process has come to the top of its loop since the booking, and waits for the booked task
 * alone. */
bool seats_keeps_still(const struct scheduler *s, uint32_t process);
struct booking *seats_find(struct scheduler *s, uint64_t ref); /* NULL: none */
void seats_end(struct scheduler *s, struct booking *b);
void seats_settled(struct scheduler *s, uint64_t ref);
void seats_returned(struct scheduler *s, uint64_t ref, uint64_t word); /* READY */
void seats_gone(struct scheduler *s, uint32_t process);
void seats_retires(struct scheduler *s, uint32_t process); /* the process is LEAVING */
bool seats_is_ready(const struct scheduler *s, uint64_t ref);
uint32_t seats_pending(const struct scheduler *s); /* bookings with a task not running yet */

/* ---- booking.c ---- */
uint32_t booking_place(struct scheduler *s); /* how many were begun */
void booking_adopt(struct scheduler *s, uint32_t process);
/* Processes born meanwhile, after all the dead are buried. */
void booking_welcome(struct scheduler *s);

/* ---- lend.c ---- */
bool lend_look(struct scheduler *s);                          /* true: processes came back */
bool lend_has_of(const struct scheduler *s, uint32_t worker); /* a process of the worker is lent */
uint32_t lend_short(struct scheduler *s); /* a borrower with a claim above its loans, 0 none */
void lend_one(struct scheduler *s, uint32_t borrower, uint32_t process);

/* ---- amounts.c ---- */
/* Finds whole GPUs that nobody uses, or, for a part of a GPU, the fullest GPU with room. False:
 * none fits. */
bool amounts_gpus(
    const struct scheduler *s, uint32_t worker, uint64_t gpus, uint64_t amount, uint64_t *ret);
/* The first resource of which this worker has too little now; RESOURCES_MAX: nothing is lacking. */
uint32_t amounts_lacking(const struct scheduler *s, uint32_t worker, const struct worker_kind *kind,
    const struct demand *demand);

/* ---- store_room.c ---- */
void room_join(struct scheduler *s, uint32_t process);
void room_leave(struct scheduler *s, uint32_t process);
void room_retire(struct scheduler *s, uint32_t process);  /* LEAVING: no room any more */
void room_refresh(struct scheduler *s, uint32_t process); /* its ring, depth or booking changed */
void room_rebuild(struct scheduler *s);
void room_follow_policy(struct scheduler *s); /* if another policy was asked for */
void room_look_for_stuck(struct scheduler *s);
/* Both under the worker heap's lock. Chooses the process to be served next; false: none for now. */
bool room_choose(struct scheduler *s, uint32_t *ret_process);
void room_take(struct scheduler *s, uint32_t process); /* the process gets a task */
/* An idle process of any other worker; false: none is idle. */
bool room_choose_other(struct scheduler *s, uint32_t worker, uint32_t *ret_process);
uint32_t room_slot_of(const struct scheduler *s, uint32_t worker);
/* The number of one of the workers, with room or without. */
uint32_t room_choose_among(struct scheduler *s, const uint32_t *workers, uint32_t n);

/* ---- waits.c ---- */
/* The record awaited in a cell of the process; NULL: none, or any record. */
const struct record *waits_awaited(
    const struct scheduler *s, uint32_t process, uint32_t cell, uint64_t *ret_word);
/* Everything this process waits for is settled: the process is about to wake. */
bool waits_is_served(const struct scheduler *s, uint32_t process);
/* The worker process standing still for this client; 0: none. */
uint32_t waits_host(const struct scheduler *s, uint32_t process);
/* For a worker process: the client of the latest wait run by its command; 0: none waits. */
uint32_t waits_nested(const struct scheduler *s, uint32_t process);
/* The process whose wait holds this worker process up: the worker process, or a client run by its
 * command. 0: none. */
uint32_t waits_sleeper(const struct scheduler *s, uint32_t process);
/* The task of the process, or a client run by its command, sleeps in a wait and has run nothing in
 * place since. */
bool waits_unserved(const struct scheduler *s, uint32_t process);

/* ---- nested_command.c ---- */
/* Client `process` rang: a wait inside a task may have begun or ended. */
void nested_look(struct scheduler *s, uint32_t process);
void nested_look_again(struct scheduler *s);               /* at all waiting clients */
void nested_forget(struct scheduler *s, uint32_t process); /* the client is dead */

/* ---- spares.c ---- */
void spares_begin(struct scheduler *s); /* of a round, before hints are read */
void spares_look(struct scheduler *s);
void spares_start(struct scheduler *s); /* resting spares now due go to work */
/* The process rests and should be at work. */
bool spares_is_due(const struct scheduler *s, uint32_t process);
void spares_forget(struct scheduler *s, uint32_t process); /* the process is dead */
void spares_rebuild(struct scheduler *s);
/* If the process waits: another process stands in, or may come. */
bool spares_may_relieve(const struct scheduler *s, uint32_t process);

/* ---- task_limits.c ---- */
int limits_open(struct scheduler *s);
void limits_close(struct scheduler *s);
void limits_look(
    struct scheduler *s, uint32_t index); /* note the next limit or the end of a pause */
/* For a task asked to stop. grace_ms NULL: as noted for this attempt, or as its terms say. */
void limits_stop(struct scheduler *s, uint32_t index, const uint32_t *grace_ms);
void limits_forget(struct scheduler *s, uint32_t index); /* the task is settled */
uint32_t limits_enforce(struct scheduler *s);            /* handles due tasks; how many */
uint64_t limits_next_ns(struct scheduler *s);            /* time of the next due task */
/* Ends a task past this limit, as graph_fail() does. word: read before any change. */
void limits_fail(struct scheduler *s, uint32_t index, uint64_t word, enum limit limit);

/* ---- retain.c ---- */
int retain_open(struct scheduler *s);
void retain_close(struct scheduler *s);
/* A hold or use of a settled record has ended: if only the runtime still holds the record, notes
 * when it leaves. */
void retain_note(struct scheduler *s, uint32_t index, uint64_t word);
void retain_forget(struct scheduler *s, uint32_t index); /* the runtime's hold is gone */
uint64_t retain_next_ns(struct scheduler *s);
bool retain_peek(struct scheduler *s, enum retain_heap which, struct heap_entry *ret);
void retain_take_out(struct scheduler *s, enum retain_heap which, uint32_t index);
bool retain_may_leave(const struct scheduler *s, uint32_t index, uint64_t word);
/* The time of the first is over, or its heap has too many. */
bool retain_is_over(
    const struct scheduler *s, enum retain_heap which, const struct heap_entry *first);

/* ---- leave.c ---- */
uint32_t leave_look(struct scheduler *s); /* expired results leave; how many were looked at */
/* If dropped records gave no room to a waiting process: the oldest results leave. */
void leave_make_room(struct scheduler *s);

/* ---- pressure.c ---- */
void pressure_look(struct scheduler *s); /* if the time has come */
uint64_t pressure_next_ns(const struct scheduler *s);
/* For a READY task with a known memory use above what could be given now: when to ask again; 0: the
 * task may start. */
uint64_t pressure_keeps(struct scheduler *s, const struct record *r);
bool pressure_lets_go(struct scheduler *s, struct record *r); /* now it may be claimed */
/* Ends a task for want of memory, as graph_fail() does. */
void pressure_fail(struct scheduler *s, uint32_t index, uint64_t word);

/* ---- near.c ---- */
/* Like room_choose(), for a task with many bytes to read; false: any worker will do. */
bool near_choose(struct scheduler *s, struct record *task, uint32_t *ret_process);

/* ---- repair.c ---- */
void members_look(struct scheduler *s); /* after a change of the process table */
void scheduler_rebuild(struct scheduler *s);
bool repair_all_settled(const struct scheduler *s);
uint32_t repair_owed(struct scheduler *s); /* if the time has come; not 0: all is free */

#endif
