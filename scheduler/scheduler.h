/* scheduler.h - the role that orders, places and repairs.
 *
 * Where: one process, slot 1; or a thread, in tests. It loads no user code.
 * It drains hints, resolves dependencies (graph.c), keeps the task heap, gives tasks to workers
 * (place.c), frees what nobody holds (free.c), and cleans up after the dead (repair.c).
 * What it alone writes: `uses`, hold bits once a record is visible, and the words of records whose
 * owner is dead. It shares the graph's lock with workers (edges.h).
 * Death: everything it keeps in private memory or writes as derived is made again by
 * scheduler_rebuild(), which is also how it starts: start-up and recovery are one code.
 * Blocks: in scheduler_run() on its event; in locks. */
#ifndef PLM_SCHEDULER_H
#define PLM_SCHEDULER_H

#include "policy/policy.h"
#include "tables/args.h"
#include "tables/due.h"
#include "tables/edges.h"
#include "tables/tables.h"

enum { FREED_BATCH = 256, READY_BATCH = 256, SETTLED_PER_RECORD = 2, DUE_MAX = 256 };

/* What the scheduler knows of one worker: private, derived. What was given to it and is not done
 * stands in its down ring, which it takes off only when dealt with. */
struct member {
	uint32_t generation;   /* 0: no worker here */
	uint32_t worker, next; /* whose slot it is; the next process of that worker, 0 none */
	int pidfd;             /* to end it; -1 in tests with threads */
	uint32_t depth, room;  /* what its ring may hold now, and what more it may get */
	bool leaving;          /* it gets nothing any more, and ends what it runs */
	bool awake, brisk, stuck, blocked; /* as its share says (store_room.c) */
	uint64_t booked;                   /* for this task (booking.c), 0: for none */
	uint32_t share;         /* of its slot that is free, as its worker's view counts it */
	uint64_t last_turn;     /* value of `turns` when it was given its last */
	uint32_t seen_position; /* of its ring, at the last look for stuck queues */
	uint64_t waited_ns;     /* a spare stands in for it: when its task was last seen to wait */
	uint32_t sleeper; /* a client that waits, run by its command (nested_command.c); 0: none */
};

struct stop { /* of a task that was asked to stop: how far we are. Private; the next begins anew. */
	uint64_t asked_ns;
	uint32_t generation, attempt; /* of whom; other ones: nothing is known */
	uint32_t grace_ms;
	uint32_t interrupts; /* sent */
};

struct shelf { /* of tasks with the same terms, largest key first */
	struct heap_entry *entry;
	uint32_t n, room;
};

struct booking { /* slots and resources of one task */
	uint64_t ref;
	uint32_t attempt;             /* of the task when it was begun */
	uint32_t main, reserved_main; /* who runs it: 0 until the others keep still */
	uint32_t seats;               /* that were booked */
	uint32_t worker, kind, way;
	uint64_t gpus;
	const struct demand *demand;
	bool given; /* the hint */
};

struct loans { /* lend.c: as seen at one look, by the slot of who borrows */
	uint16_t seats[PROCESSES_MAX], still[PROCESSES_MAX]; /* kept for it; of them, keep still */
	uint64_t seen;                                       /* value of control->lent_changes */
	uint32_t turn;                                       /* of the last loan */
	uint64_t given_ns[PROCESSES_MAX];                    /* when its limit was raised last */
	uint64_t next_ns; /* to look again; DEADLINE_NEVER: when we are told to */
	bool queued;      /* tasks stand in front of workers that run others */
	bool any;         /* somebody has or wants one */
};

struct due { /* tasks that have waited for long, the earliest turn first */
	struct heap_entry task[DUE_MAX];
	uint32_t n, next;
	uint32_t others; /* that were placed since one of these was */
};

struct ageing {
	uint64_t period_ms; /* 0: nothing ages */
	uint64_t next_ns;   /* to look; DEADLINE_NEVER: all that is queued has this priority */
	int priority;
	struct due queued, shelved;
};

struct relief {             /* spares.c */
	uint64_t round_ns;  /* when this round began */
	uint64_t next_ns;   /* to look; DEADLINE_NEVER: nobody waits, and there are no spares */
	uint64_t queued_ns; /* since when tasks are queued, 0: none are */
	uint64_t stuck_ns;  /* since when nobody goes on, 0: somebody does */
	uint64_t sign;      /* of the waits there were then */
	uint64_t seen;      /* hints given and workers blocked at the last look */
	uint32_t bits;      /* set in control->relief */
};

struct nested {                              /* nested_command.c */
	uint64_t client[PROCESSES_MAX / 64]; /* bit p: client p waits inside of a task */
	uint32_t n;                          /* bits set */
};

enum hall_name { HALL_CPU, HALL_GPU, HALLS };

struct hall { /* workers of one class that have room, in no order */
	uint32_t open[WORKERS_MAX];
	uint32_t n;
};

struct team {           /* one worker */
	uint32_t first; /* process of it, 0 none; chained by member.next */
	uint32_t place; /* 1 + its place in its hall, 0: it has no room */
	enum hall_name hall;
};

enum retain_heap { RETAIN_BY_RULE, RETAIN_PROMISED, RETAIN_HEAPS };

struct pressure {                              /* pressure.c */
	uint64_t next_ns;                      /* to look */
	uint64_t seen_ns;                      /* of the last look, 0: there was none */
	uint64_t total, available, stalled_us; /* then */
	uint32_t running;                      /* slots with a task, then */
	bool waits; /* memory is short or near: somebody minds when the next look is */
	bool keeps; /* a task that wants more than there is was met since */
	uint64_t used[PROCESSES_MAX]; /* by the trees of processes, at the last census */
};

struct owed {             /* owed.c */
	uint64_t *life;   /* [records] that is to be freed, 0: none is */
	uint32_t records; /* so many are not 0 */
	bool pool;        /* FREE records may be missing from the pool's stack */
	bool left;        /* of the results that were just to be freed */
	bool bury;        /* a dead process was not buried, for one of its records is owed */
	uint32_t pause_ms;
	uint64_t next_ns; /* to try again; DEADLINE_NEVER: nothing is owed */
};

struct scheduler {
	struct tables *t;
	struct process *me;
	struct member *member; /* [processes] */
	const struct policy *policy;
	uint64_t seed;                          /* of its draws */
	struct policy_worker view[WORKERS_MAX]; /* what it sees, by number of the worker */
	struct team team[WORKERS_MAX];
	struct hall hall[HALLS];
	struct shelf shelf[TERMS_MAX];
	uint32_t shelves; /* numbers of terms that may have tasks on a shelf */
	struct booking booking[PROCESSES_MAX];
	uint32_t bookings;
	struct ageing ageing;
	bool short_of_slots; /* a task with needs waits for slots to become idle */
	bool raised;         /* the floor, since the rings were last found to be in order */
	bool kept_back;      /* the next task waits until those above are claimed (floor.c) */
	struct loans loans;
	bool adopted;         /* what a former scheduler had booked is made out */
	uint64_t requeued;    /* tasks of dead workers, to be run again */
	uint64_t turn;        /* the latest of a task that was placed or settled */
	uint64_t turns;       /* hints given to workers, ever */
	uint32_t brisk, crew; /* so many workers are brisk, and may be before none is woken */
	uint32_t newly_stuck; /* at this look */
	uint32_t blocked;     /* so many sleep in a wait */
	uint32_t spares;      /* so many processes are spares */
	bool fresh;           /* those that wait were not woken since something was queued */
	struct relief relief;
	struct nested nested;
	struct pressure pressure;
	int manager;        /* an eventfd that wakes it; -1 in tests with threads */
	uint64_t changes;   /* of the process table, as far as we have looked */
	uint32_t admission; /* ADMISSION_ bits of this round */

	uint32_t *settled; /* worklist: settled, dependents not told yet */
	uint64_t settled_count;

	uint32_t ready[READY_BATCH]; /* to go into the task heap, under one lock */
	uint32_t ready_count;
	uint32_t freed[FREED_BATCH]; /* FREE already, to go into the pool, under one lock */
	uint32_t freed_count;
	struct owed owed;   /* to be freed, when a lock can be had */
	struct heap timers; /* private: tasks by when task_limits.c looks at them next */
	struct stop *stops; /* [records] */
	struct heap retained[RETAIN_HEAPS]; /* private: kept results by when they leave */
	uint64_t next_look_ns; /* for stuck queues; DEADLINE_NEVER: nothing to look for */
	_Atomic bool stop;
};

/* Takes slot 1, prepared by the manager, and makes everything derived again. */
int scheduler_open(struct scheduler *s, struct tables *t);
/* One round: 0 when there was nothing to do. */
uint32_t scheduler_step(struct scheduler *s);
/* Until s->stop, the end of the runtime, or, when it drains, until the last task is settled. */
void scheduler_run(struct scheduler *s);
void scheduler_close(struct scheduler *s);
/* A lock cannot be had, whose holder is alive but stopped, or whose structure is damaged beyond
 * recovery. The manager starts the next scheduler, which derives everything again. */
_Noreturn void scheduler_give_up(void);
void scheduler_lock_heap(struct heap *heap); /* or gives up */

/* ---- hints.c ---- */
uint32_t hints_drain(struct scheduler *s);
void hints_drain_one(struct scheduler *s, uint32_t process);

/* ---- graph.c ---- */
/* A WAITING task is met for the first time: counts its arguments, links it to those not settled. */
void graph_admit(struct scheduler *s, uint32_t index);
/* Of an admitted task: fails it if an argument has failed, makes it READY if none is missing. */
void graph_check(struct scheduler *s, uint32_t index);
/* Makes the scheduler's slot the owner of a task that it is to end. False: a client cancelled it
 * first, or a worker runs it. */
bool graph_take_over(struct record *r, uint64_t *ret_word);
/* A record has settled: remembers it; graph_spread() tells those that wait for it. */
void graph_settled(struct scheduler *s, uint32_t index);
void graph_spread(struct scheduler *s);
/* As plm_cancel() does: what waits is CANCELLED, what runs is asked to stop. */
void graph_cancel(struct scheduler *s, uint32_t index);
/* Of a task that takes the first of its replicas: the others. */
void graph_cancel_arguments(struct scheduler *s, struct record *r);
/* A RESERVED record will never settle: who waits for it fails. */
void graph_abandoned(struct scheduler *s, uint32_t index);
/* Ends a task that no worker owns: WAITING, or RUNNING whose owner is dead. flags: 0 or FLAG_DEAD.
 * message may be NULL. */
void graph_fail(struct scheduler *s, uint32_t index, const struct record_failure *failure,
    uint32_t flags, const char *message);

/* ---- free.c ---- */
/* Frees the record, and its parts, if it is settled (or abandoned) and nobody needs it. A tied task
 * that nobody needs is cancelled. */
void free_if_unneeded(struct scheduler *s, uint32_t index);
void free_abandoned(struct scheduler *s, uint32_t index); /* RESERVED, its owner let go or died */
void free_orphan(struct scheduler *s, uint32_t index);    /* a PART without a task */
void free_arguments(struct scheduler *s, struct record *r);
/* The extents, not the records. False: something of them is left, and still named. */
bool free_results(struct scheduler *s, struct record *r);
void free_flush(struct scheduler *s);

/* ---- owed.c ---- */
int owed_open(struct scheduler *s);
void owed_close(struct scheduler *s);
/* What names this record could not be freed; it is tried again until it is. */
void owed_note(struct scheduler *s, uint32_t index);
void owed_note_pool(struct scheduler *s); /* what is FREE could not be put into the pool */
bool owed_any(const struct scheduler *s); /* then locks are tried, and not waited for */
bool owed_to_process(struct scheduler *s, uint32_t process); /* a record that is found by it */
uint32_t owed_look(struct scheduler *s);                     /* if it is time: not 0, all is free */

/* ---- place.c ---- */
void place_ready(struct scheduler *s, uint32_t index); /* READY: into the heap at the next flush */
void place_flush(struct scheduler *s);
void place_remove(struct scheduler *s, uint32_t index); /* it was cancelled: out of the middle */
uint32_t place_tasks(struct scheduler *s);              /* heap to workers; how many were given */
void place_withdraw(struct scheduler *s, uint32_t process); /* what it has not started goes back */
void place_rebuild(struct scheduler *s);                    /* the task heap, from the records */
uint32_t place_outstanding(const struct scheduler *s, uint32_t process);
bool place_idle(const struct scheduler *s); /* nothing queued, nothing given */

/* Of what was given to it some can start still: the rest others have taken, or cancelled. */
bool place_has_queue(const struct scheduler *s, uint32_t process);
void place_tell_demand(struct scheduler *s); /* to the manager: whether tasks wait */

bool place_still_ready(const struct tables *t, const struct heap_entry *task);

/* ---- floor.c ---- */
void floor_raise(struct scheduler *s, const struct record *r, uint64_t key); /* it is queued */
void floor_rebuild(struct scheduler *s); /* from the task heap */
/* Under the task heap's lock, of the next task. False: one of a higher priority waits behind
 * another in front of a worker. all_sent: what was taken off the heap stands in the rings. */
bool floor_lets_go(struct scheduler *s, const struct heap_entry *task, bool all_sent);
/* What was kept back need not be any more. */
void floor_tell_kept(struct scheduler *s); /* to workers, after placing */
bool floor_may_sink(const struct scheduler *s);
/* A task above the floor waits behind another in front of this worker. */
bool floor_is_ignored(const struct scheduler *s, uint32_t process);

/* ---- shelf.c ---- */
void shelf_put(struct scheduler *s, uint32_t terms, struct heap_entry task);
bool shelf_peek(struct scheduler *s, uint32_t terms, struct heap_entry *ret);
void shelf_drop(struct scheduler *s, uint32_t terms); /* what shelf_peek() showed */
bool shelf_empty(const struct scheduler *s);
void shelf_close(struct scheduler *s);

/* ---- ageing.c ---- */
void ageing_open(struct scheduler *s);
void ageing_look(struct scheduler *s); /* if it is time */
/* A task with this key is queued, the first or beside others. */
void ageing_queued(struct scheduler *s, uint64_t key, bool first);
/* Under the task heap's lock: out of its middle, if it is the turn of one that is due. */
bool ageing_pop(struct scheduler *s, struct heap_entry *ret);
bool ageing_peek_shelved(struct scheduler *s, struct heap_entry *ret); /* one with needs */
void ageing_began(struct scheduler *s, const struct heap_entry *task); /* one with needs */

/* ---- booking.c ---- */
uint32_t booking_place(struct scheduler *s); /* how many were begun */
void booking_settled(struct scheduler *s, uint64_t ref);
void booking_returned(struct scheduler *s, uint64_t ref, uint64_t word); /* READY */
void booking_seat_gone(struct scheduler *s, uint32_t process);
void booking_seat_retires(struct scheduler *s, uint32_t process); /* it is LEAVING */
uint32_t booking_pending(const struct scheduler *s); /* begun, and the task does not run yet */
void booking_adopt(struct scheduler *s, uint32_t process);
void booking_welcome(struct scheduler *s); /* those born meanwhile; all the dead are buried */

/* For something that is no task: it claims nothing, until it is told. */
void booking_keep_still(struct scheduler *s, uint32_t process, uint64_t booked);
void booking_free_seat(struct scheduler *s, uint32_t process);
/* It has come to the top of its loop since it was booked, and waits for that alone. */
bool booking_keeps_still(const struct scheduler *s, uint32_t process);

/* ---- lend.c ---- */
bool lend_look(struct scheduler *s);                          /* true: slots came back */
bool lend_has_of(const struct scheduler *s, uint32_t worker); /* one of its slots is lent */
uint32_t lend_short(struct scheduler *s); /* a borrower that has more than is kept for it, 0 none */
void lend_one(struct scheduler *s, uint32_t borrower, uint32_t process);

/* ---- amounts.c ---- */
/* Whole GPUs that nobody uses, or the part of one that is fullest and still has room for it.
 * False: there are none. */
bool amounts_gpus(
    const struct scheduler *s, uint32_t worker, uint64_t gpus, uint64_t amount, uint64_t *ret);
/* The first resource of which this worker has not enough now; RESOURCES_MAX: it has all. */
uint32_t amounts_lacking(const struct scheduler *s, uint32_t worker, const struct worker_kind *kind,
    const struct demand *demand);

/* ---- store_room.c ---- */
void room_join(struct scheduler *s, uint32_t process);
void room_leave(struct scheduler *s, uint32_t process);
void room_retire(struct scheduler *s, uint32_t process);  /* it is LEAVING: no room any more */
void room_refresh(struct scheduler *s, uint32_t process); /* it took some: it has more room */
void room_rebuild(struct scheduler *s);
void room_follow_policy(struct scheduler *s); /* if another one was asked for */
void room_look_for_stuck(struct scheduler *s);
/* Both under the worker heap's lock. Whose turn it is; false: nobody's for now. */
bool room_choose(struct scheduler *s, uint32_t *ret_process);
void room_take(struct scheduler *s, uint32_t process); /* it gets one */
/* A slot that is idle, of any worker but this one; false: there is none. */
bool room_choose_other(struct scheduler *s, uint32_t worker, uint32_t *ret_process);
uint32_t room_slot_of(const struct scheduler *s, uint32_t worker);
/* The number of one of these workers, whether it has room or not. */
uint32_t room_choose_among(struct scheduler *s, const uint32_t *workers, uint32_t n);

/* ---- nested_command.c ---- */
/* Client `process` told something: it may have begun or ended a wait inside of a task. */
void nested_look(struct scheduler *s, uint32_t process);
void nested_look_again(struct scheduler *s);               /* at all that wait */
void nested_forget(struct scheduler *s, uint32_t process); /* it is dead */
/* Of a worker process: the client, run by its command, whose wait began last; 0: none waits. */
uint32_t nested_sleeper(const struct scheduler *s, uint32_t process);

/* ---- spares.c ---- */
void spares_ring_manager(struct scheduler *s);
void spares_begin(struct scheduler *s); /* of a round, before what was told is read */
void spares_look(struct scheduler *s);
void spares_start(struct scheduler *s); /* those that are to be at work rest no more */
/* It rests, and is to be at work. */
bool spares_is_due(const struct scheduler *s, uint32_t process);
void spares_forget(struct scheduler *s, uint32_t process); /* it is dead */
void spares_rebuild(struct scheduler *s);
/* All that this process waits for is there: it is about to wake. */
bool spares_is_served(const struct scheduler *s, uint32_t process);
/* Its task sleeps in a wait, and has not run anything in its place since; or a client does that its
 * command runs. */
bool spares_waits(const struct scheduler *s, uint32_t process);
/* If it does, another process stands in for it, or there may come one. */
bool spares_may_relieve(const struct scheduler *s, uint32_t process);

/* ---- task_limits.c ---- */
int limits_open(struct scheduler *s);
void limits_close(struct scheduler *s);
void limits_look(struct scheduler *s, uint32_t index); /* is it limited, or does it pause? */
/* It was asked to stop. grace_ms NULL: as is known of this attempt, or as its terms say. */
void limits_stop(struct scheduler *s, uint32_t index, const uint32_t *grace_ms);
void limits_forget(struct scheduler *s, uint32_t index); /* it is settled */
uint32_t limits_enforce(struct scheduler *s);            /* what is due; how many were */
uint64_t limits_next_ns(struct scheduler *s);            /* when something is */
void limits_signal(struct scheduler *s, uint32_t process, int signal); /* of a worker */
/* Its word, judged before anything was changed, reached this limit: ends it as graph_fail() does.
 */
void limits_fail(struct scheduler *s, uint32_t index, uint64_t word, enum limit limit);

/* ---- retain.c ---- */
int retain_open(struct scheduler *s);
void retain_close(struct scheduler *s);
/* Somebody's hold or need of a settled record has ended: if it is left to the runtime, it is noted
 * when it leaves. */
void retain_note(struct scheduler *s, uint32_t index, uint64_t word);
void retain_forget(struct scheduler *s, uint32_t index); /* the runtime holds it no more */
uint32_t retain_look(struct scheduler *s); /* whose time is over leaves; how many were looked at */
uint64_t retain_next_ns(struct scheduler *s);
/* Who waits for room has not got any by what was dropped: the oldest results leave. */
void retain_make_room(struct scheduler *s);

/* ---- pressure.c ---- */
void pressure_look(struct scheduler *s); /* if it is time */
uint64_t pressure_next_ns(const struct scheduler *s);
/* A READY task that was seen to use more memory than could be given now: when to ask again, 0: it
 * may start. */
uint64_t pressure_keeps(struct scheduler *s, const struct record *r);
bool pressure_lets_go(struct scheduler *s, struct record *r); /* now it may be claimed */
/* For want of memory: ends it as graph_fail() does. */
void pressure_fail(struct scheduler *s, uint32_t index, uint64_t word);

/* ---- near.c ---- */
/* Like room_choose(), for a task with many bytes to read; false: it is all the same. */
bool near_choose(struct scheduler *s, struct record *task, uint32_t *ret_process);

/* ---- repair.c ---- */
void members_look(struct scheduler *s); /* after a change of the process table */
void scheduler_rebuild(struct scheduler *s);
bool repair_all_settled(const struct scheduler *s);
/* A RUNNING task that the scheduler's slot owns: somebody began to end it. */
void repair_end_again(struct scheduler *s, uint32_t index, uint64_t word);

#endif
