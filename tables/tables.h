/* tables.h - the control segment: its header, its plan, and a process's handle to the whole.
 *
 * Where: /dev/shm/plm-UID-NAME.control, made by the manager, mapped read-write by every member and
 * client, read-only by the dump tool. The bytes of the store are a second segment, mapped twice:
 * read-only for readers, so that a stray write faults in the guilty process, and writable for the
 * process that fills a value. The plan (the place of each table) is a function of the limits in the
 * header, computed by both sides: no offset is ever read from the segment.
 * Who may call: every process, with its own handle.
 * Death: see each table.  Blocks: only where a lock is taken.  Allocates: at attach. */
#ifndef PLM_TABLES_H
#define PLM_TABLES_H

#include "heap/heap.h"
#include "shm/pool.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "store/arena.h"
#include "tables/journal_state.h"
#include "tables/process.h"
#include "tables/record.h"
#include "tables/registry.h"
#include "spec/resources.h"
#include "tables/retention.h"
#include "tables/terms.h"
#include "tables/memory_limits.h"

struct limits {             /* chosen at boot, then fixed */
	uint32_t processes; /* process slots, a multiple of 64 */
	uint32_t workers;   /* workers at boot */
	uint32_t records;
	uint32_t nodes;       /* arenas */
	uint64_t store_bytes; /* all arenas */
};

enum runtime_mode { MODE_STARTING, MODE_UP, MODE_STOPPING, MODE_STOPPED };

enum { /* bits of control.admission: restrictions while the runtime is up */
	ADMISSION_PAUSED =
	    1, /* no task starts, except in the place of a running task that waits for it */
	ADMISSION_CLOSED = 2, /* clients may not submit */
};

enum jobserver_form { /* the jobserver named in a command's MAKEFLAGS */
	JOBSERVER_NONE,
	JOBSERVER_PIPE, /* two descriptors, known to every GNU make */
	JOBSERVER_FIFO, /* a path, for GNU make from 4.4 on, ninja from 1.13 on, and cargo */
};

enum { ROOM_ASKED = 1, ROOM_SEEN, ROOM_NONE };

enum { REASSIGNED_KEPT = 64, DRAINED_WORDS = (WORKERS_MAX + 63) / 64 };

/* How long the task of a dead worker took from the death, as seen by the manager, back into the
 * queue. W: scheduler. For people. */
struct reassigned {
	shared64 count;
	shared64 max_ns;
	shared64 ns[REASSIGNED_KEPT]; /* the last times, a ring */
};

struct control { /* the first page of the control segment, after the segment's own header */
	struct limits limits;
	uint64_t runtime; /* random: tells references of other runtimes apart */
	uint64_t boot_ns;
	uint32_t cores; /* cores that this runtime may run on */
	shared32 slots; /* W: manager, only upwards. Process slots with memory for their rings and
			   holds. Beside `cores`, because a spinning process reads both. */
	uint64_t seed;  /* of random choices */
	uint32_t kinds; /* kinds of workers */
	uint32_t ageing_ms; /* 0: tasks do not age */
	uint32_t spares;    /* most processes that stand in for workers whose tasks wait */
	uint32_t jobserver; /* idle cpus are lent to commands: enum jobserver_form */
	char name[RUNTIME_NAME_BYTES];
	struct worker_kind kind[WORKER_KINDS_MAX];
	struct resource_names resources;
	char device[DEVICES_MAX][DEVICE_ID_BYTES]; /* GPUs, as CUDA_VISIBLE_DEVICES names them */
	uint64_t memory;                           /* bytes that tasks may ask for together */
	struct memory_rules memory_rules;
	struct retention retention;
	char on_finish[ON_FINISH_BYTES]; /* a line for a shell, for submit and load; "": none */
	uint32_t event_ring;             /* events in a ring of the event log; 0: there is no log */
	uint32_t events_always;          /* 1: events are written even if nobody watches */
	shared32 made;   /* W: manager, last at boot. 1: the fields above are complete, and another
			    manager may adopt the runtime */
	shared64 events; /* W: a watcher, the manager after a death (events/eventlog_switch.h). Bit
			    0: events are written; the rest counts the changes. Among words that
			    seldom change, since every process looks here again and again. */
	_Alignas(CACHE_LINE_BYTES) shared32 mode; /* W: manager. R: anyone. enum runtime_mode */
	shared32 policy;                          /* W: anyone. Number in policy_at(). */
	shared32 admission;                       /* W: manager.  R: anyone. ADMISSION_ bits */
	shared32 floor; /* W: scheduler. key_rank() of the lowest priority that may start (floor.h);
			   0 at a scheduler's start. */
	shared32 looks; /* W: scheduler, in each round. 1: the scheduler will look for tasks stuck
			   behind long ones. A worker misled by it loses a second at most
			   (SAFETY_TICK_MS). */
	shared32 kept_back; /* W: scheduler. 1: the next queued task waits until workers have
			       claimed the tasks of higher priority before them. */
	shared32 staff; /* W: manager. Wanted workers of the first kind; kind[0].count at boot. */
	shared64
	    drained[DRAINED_WORDS]; /* W: manager. Bit w: worker w was drained, until resumed. */
	shared64 relief[PROCESSES_MAX / 64]; /* W: scheduler. Bit p: a spare is to stand in for the
						worker in process slot p, whose task waits. */
	shared32 restarts;                   /* W: manager. For people. */
	shared64 returned; /* W: a process that returns a task to the queue (add). For people. */
	shared32 memory_state;              /* W: scheduler. enum memory_state */
	shared64 memory_total, memory_free; /* W: scheduler, at its last look. Bytes. */
	shared32 memory_running;            /* W: scheduler, in the same look. Running tasks. */
	shared64
	    memory_ours;  /* W: scheduler, when it last chose a task to end. Bytes of all tasks. */
	shared64 evicted; /* W: scheduler. Tasks returned or failed for want of memory. */
	shared64 left; /* W: scheduler. Kept results that the retention rules let go. For people. */
	struct reassigned reassigned;
	shared64 changes; /* W: a joining process, the manager after a death. Moves when a process
			     joins or goes. */
	shared64
	    lent_changes; /* W: a borrower; moves when the scheduler must look at loans (lent.h). */
	shared32 outer;   /* W: manager. 1: workers are started while tasks wait and an outer
			     jobserver has tokens. */
	shared32 tasks_wait;  /* W: scheduler, with `outer`. 1: tasks wait and no worker is idle. */
	shared32 cpus_wanted; /* W: scheduler. 1: a borrower could use a cpu that becomes idle. */
	struct lock_shm graph_lock;
	_Alignas(CACHE_LINE_BYTES) struct journal_shm journal;
	_Alignas(CACHE_LINE_BYTES) shared64 turn; /* W: submitters, scheduler (turns.h) */
	_Alignas(CACHE_LINE_BYTES) struct event
	    room; /* posted by the scheduler after it freed records or store for a waiting client */
	shared64 moving_ns;  /* W: a worker that moves to another core. About when the move ends. */
	shared64 room_bytes; /* W: a client that waits for room in the store: how much; the
				scheduler: 0, no more. A hint. */
	shared64 running_waits_ns; /* W: a worker whose task waits for room in the store for a
				      result, again and again: until about when arguments and
				      objects of clients get no room; 0 when the wait ends. A
				      hint. */
	shared32 room_wanted; /* W: a waiting client (ROOM_ASKED); the scheduler: ROOM_SEEN when it
				 looks for room, 0 and a post after it freed some, ROOM_NONE if it
				 found nothing to free */
	/* Bit p: process p's up ring has unread hints. Set by p, swapped to 0 by the scheduler.
	 * Hints told by `unread_quiet` wait for hints told by `unread`: the scheduler neither wakes
	 * nor stays awake for quiet hints. */
	_Alignas(CACHE_LINE_BYTES) shared64 unread[PROCESSES_MAX / 64];
	_Alignas(CACHE_LINE_BYTES) shared64 unread_quiet[PROCESSES_MAX / 64];
	_Alignas(CACHE_LINE_BYTES) union { /* 1: awake. W: each process its own byte, or the process
					      that wakes it; the scheduler and the manager clear the
					      bytes of the dead. */
		_Atomic uint8_t each[PROCESSES_MAX];
		shared64 eight[PROCESSES_MAX / 8];
	} awake;
};

struct arena_owner { /* for the recovery of an arena's lock */
	struct tables *tables;
	uint32_t node;
};

struct eventlog_writer { /* events/eventlog.h */
	_Atomic uint32_t state;
	uint32_t shift;
	void *ring;
	shared64 *tail;
	uint64_t mask;
	_Atomic uint64_t refused; /* control->events when the last opening failed */
};

struct tables { /* filled in place and never copied, since its locks point inside */
	struct segment control_segment, store_segment;
	struct limits limits;
	uint32_t self; /* this process's process slot: the owner of records it claims */
	struct control *control;
	struct process *process;
	struct record *record;
	shared64 *grace;  /* [record] (grace.h) */
	char *extensions; /* [processes / 64 - 1]: hold bits, rings of process slots from 64 on */
	size_t extension, extension_rings, extension_bytes; /* see segment_plan.h */
	shared64 *news, *recorded; /* a bit for each record (journal_state.h) */
	shared32 *left; /* [record] W: scheduler. Generation of the record's last life that the
			   retention rules ended (retention.h); 0: none. */
	struct registry registry;
	struct terms_shm *terms; /* under the registry's lock */
	struct pool pool;        /* of records */
	struct heap task_heap, worker_heap;
	struct lock graph_lock; /* edges.h */
	struct arena arena[ARENAS_MAX];
	struct arena_owner arena_owner[ARENAS_MAX];
	char *rings;            /* up and down ring of the first 64 process slots */
	const char *store_read; /* the store, read-only; NULL if not mapped */
	char *store_write;
	bool shared;                  /* the mappings belong to another handle */
	struct segment event_segment; /* the event log; not mapped before the first event */
	struct eventlog_writer event_writer;
	struct lock_watch lock_watch; /* of all locks of this handle */
	uint64_t may_move_ns;         /* earliest next move to another core (spin.c) */
};

/* ---- life ---- */

/* Creates both segments of this name and initialises them. 0 or -errno with a why. */
int tables_create(const char *name, const struct limits *limits, struct tables *t);
/* Attaches a member or client by descriptors. Takes over both, also on failure. */
int tables_attach(int control_fd, int store_fd, struct tables *t);
/* Maps both segments read-only (client/inspect.c); store_fd -1: without the store. Takes over both
 * descriptors, also on failure. No lock of such a handle can be taken. */
int tables_inspect(int control_fd, int store_fd, struct tables *t);
/* Another handle to the mapping of `of`: for roles as threads of one process, where ThreadSanitizer
 * compares accesses to the same addresses. Reads the store through the writable view for the same
 * reason. */
void tables_share(const struct tables *of, struct tables *t);
void tables_detach(struct tables *t);
/* Removes the files of this name in /dev/shm: both segments, and the files of commands. */
void tables_unlink(const char *name);
/* "/plm-UID-NAME.control" or ".store", for shm_open(). */
enum { SEGMENT_NAME_BYTES = 80 };
/* "/dev/shm/plm-UID-NAME.files": the directory of files that commands write
 * (command/value_files.c). */
void tables_files_path(const char *name, char ret[SEGMENT_NAME_BYTES]);
/* Opens the directory; `make` makes a missing directory. Any user may make a name in /dev/shm: a
 * directory not of this user alone is refused (base/ours.h), and then commands cannot write files.
 * Reach its files through the descriptor. -errno with a why. */
int tables_files_open(const char *name, bool make);
void tables_segment_name(const char *name, const char *what, char ret[SEGMENT_NAME_BYTES]);
/* 0, or -EINVAL with a why: a runtime's name is 1 to 31 letters, digits, "-" and "_". */
int tables_check_name(const char *name);
/* 0, or -EINVAL with a why that names the limit out of bounds. */
int tables_check_limits(const struct limits *limits);

/* The last records of an almost full table are kept for processes with fewer futures than this
 * number, so that a client which floods the table leaves room for the others (client/reserved.c).
 */
static inline uint32_t tables_last_records(const struct tables *t)
{
	enum { LAST_SHARE = 10, LAST_MAX = 4096 };
	uint32_t last = t->limits.records / LAST_SHARE;
	return last < LAST_MAX ? last : (uint32_t)LAST_MAX;
}

/* ---- references: two converters that differ in trust ---- */

/* For an index from our own process: CHECKs the range. */
static inline struct record *record_at(const struct tables *t, uint32_t index);
/* For a reference from outside: NULL if out of range, of another generation, or free. *ret_word is
 * the state word judged. */
struct record *record_lookup(const struct tables *t, uint64_t ref, uint64_t *ret_word);
uint32_t record_index(const struct tables *t, const struct record *r);

/* NULL: the record has no terms. */
static inline const struct terms *record_terms(const struct tables *t, const struct record *r)
{
	uint32_t number = sh_once(r->terms);
	return number ? terms_at(t->terms, number) : NULL;
}

/* The number of the terms, at most TERMS_MAX, of a task with needs, which only a worker booked for
 * the task may run; 0: no needs. */
static inline uint32_t record_needs(const struct tables *t, const struct record *r)
{
	uint32_t number = sh_once(r->terms);
	const struct terms *terms = number ? terms_at(t->terms, number) : NULL;
	return terms && terms->alternatives > 0 ? number : 0;
}

/* True of the task that waits for replicas: done when the first of its arguments is done, failed
 * when the last has failed. */
static inline bool record_wants_any(const struct tables *t, const struct record *r)
{
	const struct terms *terms = record_terms(t, r);
	return terms && terms->replicas > 0 && terms->rank == 0;
}

/* The worker number of the last attempt of a READY record, if the attempt ended badly; or
 * NO_WORKER. */
#define NO_WORKER UINT32_MAX
uint32_t record_failed_by(const struct tables *t, uint64_t word);

/* ---- holds ---- */

/* The order in which process slots are given out: clients from the front, workers from the back of
 * the first 64. Workers hold little, so the hold bits of most processes lie in the record itself,
 * and unused process slots need no memory. */
static inline uint32_t process_nth_slot(const struct tables *t, enum process_kind kind, uint32_t n)
{
	bool from_back = kind == KIND_WORKER && n < EXTENSION_SLOTS - SLOT_FIRST_SHARED;
	(void)t;
	return from_back ? EXTENSION_SLOTS - 1 - n : SLOT_FIRST_SHARED + n;
}

/* All process slots ever taken lie below this number, where a scan of the process table may stop.
 * The value on the page is bounded, since any process could have written there. */
static inline uint32_t tables_slots(const struct tables *t)
{
	uint32_t slots = sh_peek(&t->control->slots), most = t->limits.processes;
	return slots < EXTENSION_SLOTS ? (uint32_t)EXTENSION_SLOTS : slots < most ? slots : most;
}

/* By the manager, before it gives out this process slot: reserves memory for the rings and holds.
 * 0; -ENOSPC with a why: /dev/shm is full. */
int tables_open_slot(const struct tables *t, uint32_t slot);

/* A record is born with the hold of its maker, and with the runtime's hold if it is to be kept.
 * Later only the scheduler sets and clears holds, in the order of each process's hints, so that no
 * record is freed on its way from one holder to the next. */
void hold_set(struct tables *t, uint32_t index, uint32_t process);
void hold_clear(struct tables *t, uint32_t index, uint32_t process);
bool hold_test(const struct tables *t, uint32_t index, uint32_t process);
bool hold_any(const struct tables *t, uint32_t index);
bool hold_only(const struct tables *t, uint32_t index, uint32_t process); /* and no other process */
uint32_t hold_count(const struct tables *t, uint32_t index);
void hold_wipe(struct tables *t, uint32_t index); /* of a record about to be freed */

/* The number of kinds in the control page, bounded by the room for kinds. */
static inline uint32_t tables_kinds(const struct tables *t)
{
	uint32_t kinds = t->control->kinds;
	return kinds < WORKER_KINDS_MAX ? kinds : (uint32_t)WORKER_KINDS_MAX;
}

/* A private copy, each text with its end. */
void tables_resource_names(const struct tables *t, struct resource_names *ret);

/* Milliseconds since boot: the clock of the times in records. */
uint32_t tables_ms(const struct tables *t);
/* The time between two of these, right across a wrap of the clock; 0 if the second is earlier, as
 * clocks of different grain may say. */
static inline uint32_t tables_ms_between(uint32_t from_ms, uint32_t to_ms)
{
	uint32_t ms = to_ms - from_ms;
	return ms > INT32_MAX ? 0 : ms;
}

/* ---- rings ---- */

struct ring ring_up(const struct tables *t, uint32_t process);
struct ring ring_down(const struct tables *t, uint32_t process);

/* A hint says "look at record index of this generation, because ..." */
enum hint_kind {
	HINT_NONE,
	HINT_LOOK,      /* look at the record: submitted, READY again, or begun with a run limit.
				In a down ring or a hand: run the task if READY. */
	HINT_SETTLED,   /* dependants may go on; arguments may be let go */
	HINT_DROPPED,   /* the sender drops its hold */
	HINT_KEPT,      /* the runtime shall hold the record */
	HINT_FORGOTTEN, /* the runtime shall drop its hold */
	HINT_CANCEL,    /* FLAG_CANCEL or FLAG_RETURN was set */
	HINT_IMPORT,    /* the sender got the reference from elsewhere and wants a hold */
};

static inline uint64_t hint_make(enum hint_kind kind, uint64_t ref)
{
	/* bit 63 belongs to the ring; 28 bits of the generation are enough to refuse a hint of a
	 * former life */
	return (uint64_t)kind << 60 | (uint64_t)(ref_generation(ref) & 0xfffffff) << 32 |
	    ref_index(ref);
}

static inline enum hint_kind hint_kind(uint64_t hint)
{
	return (enum hint_kind)(hint >> 60 & 7);
}

static inline bool hint_fits(uint64_t hint, uint64_t word)
{
	return (hint >> 32 & 0xfffffff) == (word_generation(word) & 0xfffffff);
}

/* Tells the scheduler: pushes hints into p's up ring, as many as fit, and wakes a sleeping
 * scheduler. Without `wake` the scheduler reads them at its next wake, at the latest after a safety
 * tick: for hints that nobody waits for. */
uint32_t tell_scheduler(
    struct tables *t, uint32_t process, const uint64_t *hints, uint32_t n, bool wake);

/* A process joined or died: makes the scheduler look at the process table. */
void processes_changed(struct tables *t);

/* Wakes p if its role sleeps. The caller has published; process_post() does the fence. */
void process_post(struct tables *t, uint32_t process);
/* Also wakes p's threads that wait for futures. */
void process_post_all(struct tables *t, uint32_t process);
/* Wakes every sleeper of p, whatever the words say: after a death, at the end. */
void process_bump(struct tables *t, uint32_t process);

/* The admission that a person ordered, with a pause while memory is short. */
static inline uint32_t tables_admission(const struct tables *t)
{
	return sh_load(&t->control->admission) |
	    (sh_load(&t->control->memory_state) == MEMORY_SHORT ? ADMISSION_PAUSED : 0);
}

/* The queue is paused: leave every task to the scheduler, which keeps it queued. */
static inline bool tables_paused(const struct tables *t)
{
	return sh_peek(&t->control->admission) & ADMISSION_PAUSED ||
	    sh_peek(&t->control->memory_state) == MEMORY_SHORT;
}

/* A person asked this worker, by number, to leave and stay away. */
static inline bool tables_drained(const struct tables *t, uint32_t worker)
{
	return sh_peek(&t->control->drained[worker / 64 % DRAINED_WORDS]) >> worker % 64 & 1;
}

/* A spare stands in for this process, or soon will. */
static inline bool tables_relieved(const struct tables *t, uint32_t process)
{
	return sh_peek(&t->control->relief[process / 64]) >> process % 64 & 1;
}

/* The process slot of the worker that runs the command inside which this client runs; 0: the client
 * belongs to no task's command, or that attempt is over. The record's word alone is the proof,
 * since a command ends with its attempt. */
uint32_t tables_host(const struct tables *t, const struct process *client);
/* The other way round: a client that waits inside the command of this worker process; 0: none.
 * Looks at all process slots: for people. */
uint32_t tables_waits_inside(const struct tables *t, uint32_t process);

/* The process is not parked: a hint for the choice whether to spin (spin.h), and which worker to
 * give a task. */
void process_set_awake(struct tables *t, uint32_t process, bool awake);
bool process_awake(const struct tables *t, uint32_t process);

/* After a record settled: posts the event of each holder that waits for the record. Any process. */
void wake_holders(struct tables *t, uint32_t index);

/* ---- store ---- */

/* Room for a value or an argument block: in the arena nearest to node, else in any arena. */
uint32_t store_node(struct tables *t, uint32_t granule); /* the node of the extent's memory */
/* How long a worker that waits for room keeps others back after it last said so; shorter arguments
 * and objects are not kept back, since a result may wait long for what holders do not drop. */
enum { RUNNING_WAITS_MS = 40, RUNNING_WAITS_BYTES = 1 << 14 };
/* See arena.h. Also -EDQUOT of arguments and objects while a running task waits for room. */
int store_alloc(
    struct tables *t, uint32_t node, uint64_t length, enum arena_use use, shared32 *granule);
int store_free(struct tables *t, uint64_t length, enum arena_use use, shared32 *granule);
int store_try_free(struct tables *t, uint64_t length, enum arena_use use, shared32 *granule);
/* The sum of all arenas; the largest piece of any arena. Without a lock. */
void store_usage(const struct tables *t, struct arena_usage *ret);
static inline void *store_writable(const struct tables *t, uint32_t granule)
{
	return t->store_write + (uint64_t)granule * STORE_GRANULE_BYTES;
}
/* Bytes that the file system of the store can still give, shared with all other files there. */
uint64_t tables_shm_free(const struct tables *t);
/* NULL if the extent does not lie in the store: both numbers may come from outside. */
const void *store_readable(const struct tables *t, uint32_t granule, uint64_t length);

/* The address of a value, inline in the record or in the store; NULL if the record makes no sense.
 */
const void *record_value(const struct tables *t, const struct record *r, uint64_t *ret_length);

/* What a failure tells, apart from its numbers. The extent of the record is the message, and behind
 * a zero byte the detail of plm_fail_detail(), if there is any. */
struct failure_text {
	const char *message; /* NULL: none */
	const void *detail;
	uint64_t detail_bytes; /* 0: none */
};

/* By the owner of a record about to fail: writes the failure, and puts the text into the store. If
 * the store is full, the detail is left out, then the message, and the failure says so instead. */
void failure_leave(struct tables *t, uint32_t node, struct record *r,
    const struct record_failure *failure, const struct failure_text *text);
/* The message of a FAILED record, not zero-ended; NULL if there is none. */
const char *failure_message(const struct tables *t, const struct record *r, uint64_t *ret_length);
/* The detail of a FAILED record; NULL if there is none. */
const void *failure_detail(const struct tables *t, const struct record *r, uint64_t *ret_length);

/* ---- checking: a named checker for each structure, on a runtime at rest ---- */

typedef void tables_report_f(
    void *context, const char *structure, const char *why); /* NULL: sound */
void tables_check_each(const struct tables *t, tables_report_f *report, void *context);
/* The first unsound structure's reason; NULL: all sound. */
const char *tables_check(const struct tables *t);

/* ---- inline bodies ---- */
#include "base/check.h"

static inline struct record *record_at(const struct tables *t, uint32_t index)
{
	CHECK(index < t->limits.records);
	return &t->record[index];
}

#endif
