/* tables.h - the control segment: its header, its plan, and this process's handle to all of it.
 *
 * Where: /dev/shm/plm-UID-NAME.control, made by the manager, mapped read-write by every member and
 * read-only by the dump tool. The store's bytes are a second segment, mapped twice: read-only for
 * readers, so that a stray write faults in the guilty process, and writable for who fills an
 * object. The plan (which table stands where) is a function of the limits in the header, computed
 * by both sides: no offset is ever read from the segment.
 * Death: see each table.  Blocks: never, but for the locks inside.  Allocates: at attach. */
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
	uint32_t processes; /* slots, a multiple of 64 */
	uint32_t workers;   /* wanted at boot */
	uint32_t records;
	uint32_t nodes;       /* arenas */
	uint64_t store_bytes; /* all arenas */
};

enum runtime_mode { MODE_STARTING, MODE_UP, MODE_DRAINING, MODE_STOPPED };

enum { /* bits of control.admission, which say what does not go on while the runtime is up */
	ADMISSION_PAUSED = 1, /* no task starts, but what a running one waits for, in its place */
	ADMISSION_CLOSED = 2, /* clients may not submit */
};

enum jobserver_form { /* what a command finds in MAKEFLAGS */
	JOBSERVER_NONE,
	JOBSERVER_PIPE, /* two descriptors, which GNU make knows since ever */
	JOBSERVER_FIFO, /* a path: GNU make from 4.4 on, ninja from 1.13 on, cargo */
};

enum { ROOM_ASKED = 1, ROOM_SEEN, ROOM_NONE };

enum { REASSIGNED_KEPT = 64, DRAINED_WORDS = (WORKERS_MAX + 63) / 64 };

/* How long the task of a dead worker took from the death, as the manager saw it, until it stood in
 * the queue again. W: scheduler. For people. */
struct reassigned {
	shared64 count;
	shared64 max_ns;
	shared64 ns[REASSIGNED_KEPT]; /* the last ones, in turn */
};

struct control { /* the first page of the control segment, behind the segment's own header */
	struct limits limits;
	uint64_t runtime; /* random: a reference of another runtime is told apart */
	uint64_t boot_ns;
	uint32_t cores;     /* this runtime may run on so many */
	shared32 slots;     /* W: manager. Process slots that have memory for their rings and holds;
			     * it only grows. Beside `cores`: who spins looks at both. */
	uint64_t seed;      /* of what is drawn */
	uint32_t kinds;     /* of workers, made to order at boot */
	uint32_t ageing_ms; /* 0: nothing ages */
	uint32_t spares;    /* at most so many processes stand in for workers whose tasks wait */
	uint32_t jobserver; /* idle slots are lent to commands: enum jobserver_form */
	char name[RUNTIME_NAME_BYTES];
	struct worker_kind kind[WORKER_KINDS_MAX];
	struct resource_names resources;
	char device[DEVICES_MAX][DEVICE_ID_BYTES]; /* GPUs, as CUDA_VISIBLE_DEVICES names them */
	uint64_t memory;                           /* that tasks may declare together, bytes */
	struct memory_rules memory_rules;
	struct retention retention;
	shared32 made; /* W: manager, last at boot: what stands above is complete, and another
			* manager may go on with it */
	_Alignas(CACHE_LINE_BYTES) shared32 mode; /* W: manager.  R: anyone. enum runtime_mode
						   * */
	shared32 policy;                          /* W: anyone. Number in policy_at(). */
	shared32 admission;                       /* W: manager.  R: anyone. ADMISSION_ bits */
	shared32 floor;                           /* W: scheduler. key_rank() of the priority
						   * below which no task is claimed
						   * (floor.h); 0 at a scheduler's start. */
	shared32 kept_back;                       /* W: scheduler. 1: the next queued task
						   * waits until tasks above it, which
						   * stand before workers, are claimed. */
	shared32 staff;                           /* W: manager. Workers of the first kind that
						   * there are to be; kind[0].count at boot. */
	shared64 drained[DRAINED_WORDS];          /* W: manager. Bit w: worker w is not to be,
						   * until resumed. */
	shared64 relief[PROCESSES_MAX / 64];      /* W: scheduler. Bit p: a spare is to
						   * stand in for the worker in slot p,
						   * whose task waits. */
	shared32 restarts;                        /* W: manager. For people. */
	shared64 returned;                        /* W: who returns a task to the queue (add).
						   * For people. */
	shared32 memory_state;                    /* W: scheduler. enum memory_state */
	shared64 memory_total, memory_free;       /* W: scheduler, at its last look. Bytes. */
	shared32 memory_running;                  /* W: scheduler, as they. Tasks that ran. */
	shared64 memory_ours;                     /* W: scheduler, when it last looked for whom
						   * to end. Bytes that tasks had. */
	shared64 evicted;                         /* W: scheduler. Of `returned`, and others
						   * that failed: for want of memory. */
	shared64 left;                            /* W: scheduler. Kept results that left by
						   * themselves. For people. */
	struct reassigned reassigned;
	shared64 changes;      /* W: who joins, and the manager for the dead:
				* moves when a process slot came or went. */
	shared64 lent_changes; /* W: who borrows; moves when the scheduler
				* is to look at loans (lent.h). */
	shared32 outer;        /* W: manager. 1: workers come as tasks wait
				* and a jobserver has tokens. */
	shared32 tasks_wait;   /* W: scheduler, then. No slot is idle for
				* them. */
	shared32 slots_wanted; /* W: scheduler. Somebody borrows, and could
				* use a slot that becomes idle. */
	struct lock_shm graph_lock;
	_Alignas(CACHE_LINE_BYTES) struct journal_shm journal;
	_Alignas(CACHE_LINE_BYTES) shared64 turn;     /* W: submitters, scheduler (turns.h) */
	_Alignas(CACHE_LINE_BYTES) struct event room; /* posted by the scheduler when it freed
						       * records or store while somebody waited */
	shared64 moving_ns;   /* W: a worker that moves to another core. Until then, or so. */
	shared64 room_bytes;  /* W: who waits for room in the store: how much; the scheduler, 0: no
			       * more. A hint. */
	shared32 room_wanted; /* W: who waits (ROOM_ASKED), the scheduler (ROOM_SEEN when it
			       * looks for some, 0 when it freed some: then it posts; ROOM_NONE
			       * when there was nothing to free) */
	/* Bit p: p's up ring has news. Set: p. Swapped to 0: scheduler. What is in `quiet` waits
	 * for something in `rung`: the scheduler neither wakes nor stays awake for it. */
	_Alignas(CACHE_LINE_BYTES) shared64 rung[PROCESSES_MAX / 64];
	_Alignas(CACHE_LINE_BYTES) shared64 quiet[PROCESSES_MAX / 64];
	_Alignas(CACHE_LINE_BYTES) union { /* 1: awake. W: each its own byte; who wakes it; the
					    * scheduler and the manager clear the dead. */
		_Atomic uint8_t each[PROCESSES_MAX];
		shared64 eight[PROCESSES_MAX / 8];
	} awake;
};

struct arena_owner { /* what an arena's lock needs to find its truth again */
	struct tables *tables;
	uint32_t node;
};

struct tables { /* filled in place; never copied: its locks point into it */
	struct segment control_segment, store_segment;
	struct limits limits;
	uint32_t self; /* this process's slot: owner of what it claims */
	struct control *control;
	struct process *process;
	struct record *record;
	shared64 *grace; /* [record] (grace.h) */
	char *steps;     /* [processes / 64 - 1]: hold bits and rings of process slots from 64 on */
	size_t step, step_rings, step_bytes; /* where those are: segment_plan.h */
	shared64 *news, *recorded;           /* a bit each record (journal.h) */
	shared32 *left; /* [record] W: scheduler. Generation of its last life that left by
			 * itself (retention.h); 0: none. */
	struct registry registry;
	struct terms_shm *terms; /* under the registry's lock */
	struct pool pool;        /* of records */
	struct heap task_heap, worker_heap;
	struct lock graph_lock; /* edges.h */
	struct arena arena[ARENAS_MAX];
	struct arena_owner arena_owner[ARENAS_MAX];
	char *rings;            /* up and down ring of each of the first 64 process slots */
	const char *store_read; /* the store, read-only; NULL if not mapped */
	char *store_write;
	bool shared;          /* the mappings are another handle's */
	uint64_t may_move_ns; /* this process may leave its core again (spin.c) */
};

/* ---- life ---- */

/* Creates both segments of this name and initialises them. 0 or -errno with a why. */
int tables_create(const char *name, const struct limits *limits, struct tables *t);
/* Attaches by descriptors (a member). Takes over both, also on failure. */
int tables_attach(int control_fd, int store_fd, struct tables *t);
/* Maps both segments read-only (client/inspect.c); store_fd -1: without the store. Takes over both
 * descriptors, also on failure. No lock of such a handle can be taken. */
int tables_inspect(int control_fd, int store_fd, struct tables *t);
/* One more handle to a mapping that stays `of`'s: roles as threads of one process, whose accesses
 * to one address ThreadSanitizer compares. Reads the store through the writable view for the same
 * reason. */
void tables_share(const struct tables *of, struct tables *t);
void tables_detach(struct tables *t);
/* Removes what stands in /dev/shm under this name: both segments, and the files of commands. */
void tables_unlink(const char *name);
/* "/plm-UID-NAME.control" or ".store": what shm_open() takes. */
enum { SEGMENT_NAME_BYTES = 80 };
/* "/dev/shm/plm-UID-NAME.files": a directory for what commands write (command/value_files.c). */
void tables_files_path(const char *name, char ret[SEGMENT_NAME_BYTES]);
/* That directory, open; made if asked for. Anybody may make a name in /dev/shm: one that is not of
 * this user alone is refused (base/ours.h), and commands cannot write files then. What is in it is
 * reached through the descriptor. -errno with a why. */
int tables_files_open(const char *name, bool make);
void tables_segment_name(const char *name, const char *what, char ret[SEGMENT_NAME_BYTES]);
/* 0, or -EINVAL with a why: a runtime's name is 1 to 31 letters, digits, "-" and "_". */
int tables_check_name(const char *name);
/* 0, or -EINVAL naming the limit that is out of bounds. */
int tables_check_limits(const struct limits *limits);

/* The last records of an almost full table are kept for processes that hold fewer futures than this
 * number: whoever floods the table leaves the others room to work (client/slots.c). */
static inline uint32_t tables_last_records(const struct tables *t)
{
	enum { LAST_SHARE = 10, LAST_MAX = 4096 };
	uint32_t last = t->limits.records / LAST_SHARE;
	return last < LAST_MAX ? last : (uint32_t)LAST_MAX;
}

/* ---- references: two converters that differ in trust ---- */

/* index is ours: CHECKs the range. */
static inline struct record *record_at(const struct tables *t, uint32_t index);
/* ref came from outside: NULL if out of range, of another generation, or free. *ret_word is the
 * state word that was judged. */
struct record *record_lookup(const struct tables *t, uint64_t ref, uint64_t *ret_word);
uint32_t record_index(const struct tables *t, const struct record *r);

/* NULL: it names none. */
static inline const struct terms *record_terms(const struct tables *t, const struct record *r)
{
	uint32_t number = sh_once(r->terms);
	return number ? terms_at(t->terms, number) : NULL;
}

/* It asks for more than a slot: only a slot booked for it may run it. The number of its terms, at
 * most TERMS_MAX; 0: it does not. */
static inline uint32_t record_needs(const struct tables *t, const struct record *r)
{
	uint32_t number = sh_once(r->terms);
	const struct terms *terms = number ? terms_at(t->terms, number) : NULL;
	return terms && terms->alternatives > 0 ? number : 0;
}

/* Of several replicas: done when the first of its arguments is, failed when the last one has. */
static inline bool record_wants_any(const struct tables *t, const struct record *r)
{
	const struct terms *terms = record_terms(t, r);
	return terms && terms->replicas > 0 && terms->rank == 0;
}

/* At whose hands the last attempt of a READY record ended: the number of a worker, or NO_WORKER. */
#define NO_WORKER UINT32_MAX
uint32_t record_failed_by(const struct tables *t, uint64_t word);

/* ---- holds ---- */

/* The order in which slots are given out: clients from the front, workers, who hold little, from
 * the back of the first 64, so that the bits of their holds are in the record itself, and that no
 * memory is needed for slots that nobody has. */
static inline uint32_t process_nth_slot(const struct tables *t, enum process_kind kind, uint32_t n)
{
	bool from_back = kind == KIND_WORKER && n < PROCESSES_STEP - SLOT_FIRST_MEMBER;
	(void)t;
	return from_back ? PROCESSES_STEP - 1 - n : SLOT_FIRST_MEMBER + n;
}

/* Slots that were ever taken lie below this number: how far a scan of the process table has to go.
 * As far as the page says, within what there can be. */
static inline uint32_t tables_slots(const struct tables *t)
{
	uint32_t slots = sh_peek(&t->control->slots), most = t->limits.processes;
	return slots < PROCESSES_STEP ? (uint32_t)PROCESSES_STEP : slots < most ? slots : most;
}

/* By the manager, before it gives this slot to anybody: memory for its rings and holds. 0; -ENOSPC
 * with a why: /dev/shm is full. */
int tables_open_slot(const struct tables *t, uint32_t slot);

/* A record is born with its maker's hold, and with the runtime's if it is to be kept; after that
 * only the scheduler sets and clears, in the order of each process's hints, so that nothing is
 * freed between two holders. */
void hold_set(struct tables *t, uint32_t index, uint32_t process);
void hold_clear(struct tables *t, uint32_t index, uint32_t process);
bool hold_test(const struct tables *t, uint32_t index, uint32_t process);
bool hold_any(const struct tables *t, uint32_t index);
bool hold_only(const struct tables *t, uint32_t index, uint32_t process); /* and nobody else */
uint32_t hold_count(const struct tables *t, uint32_t index);
void hold_wipe(struct tables *t, uint32_t index); /* of a record that is being freed */

/* Of the kinds of workers in the control page, as many as there is room for, whatever it says. */
static inline uint32_t tables_kinds(const struct tables *t)
{
	uint32_t kinds = t->control->kinds;
	return kinds < WORKER_KINDS_MAX ? kinds : (uint32_t)WORKER_KINDS_MAX;
}

/* A private copy, of texts that end. */
void tables_resource_names(const struct tables *t, struct resource_names *ret);

/* Milliseconds since boot: the clock of the times in records. */
uint32_t tables_ms(const struct tables *t);
/* Between two of these: right across their wrap, and 0 if the second is the earlier one. They are
 * read from clocks of different grain. */
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
	HINT_SUBMITTED, /* it is READY or WAITING. In a down ring: run it if it is READY. */
	HINT_SETTLED,   /* its dependents may go on; its arguments may go */
	HINT_DROPPED,   /* the sender holds it no more */
	HINT_KEPT,      /* the runtime shall hold it */
	HINT_FORGOTTEN, /* the runtime shall hold it no more */
	HINT_CANCEL,    /* it was asked to stop: FLAG_CANCEL or FLAG_RETURN was set */
	HINT_IMPORT,    /* the sender has the reference from elsewhere and wants to hold it */
};

static inline uint64_t hint_make(enum hint_kind kind, uint64_t ref)
{
	/* bit 63 is the ring's; 28 bits of the generation are enough to tell a hint of a former
	 * life */
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

/* Tells the scheduler: pushes hints into p's up ring, as many as fit, and wakes it if it sleeps.
 * Without wake it finds them when it wakes for something else, at the next safety tick at the
 * latest: for what nobody waits for. */
uint32_t tell_scheduler(
    struct tables *t, uint32_t process, const uint64_t *hints, uint32_t n, bool wake);

/* Somebody joined or died: the scheduler looks at the process table. */
void members_changed(struct tables *t);

/* Wakes p if its role sleeps. The caller has published; process_post() fences for it. */
void process_post(struct tables *t, uint32_t process);
/* Also its threads that wait for futures: they look again. */
void process_post_all(struct tables *t, uint32_t process);
/* Wakes every sleeper of it, whatever the words say: after a death, at the end. */
void process_bump(struct tables *t, uint32_t process);

/* What somebody ordered, and what the memory that is left allows. */
static inline uint32_t tables_admission(const struct tables *t)
{
	return sh_load(&t->control->admission) |
	    (sh_load(&t->control->memory_state) == MEMORY_SHORT ? ADMISSION_PAUSED : 0);
}

/* The queue rests: who could start a task leaves it to the scheduler, which keeps it. */
static inline bool tables_paused(const struct tables *t)
{
	return sh_peek(&t->control->admission) & ADMISSION_PAUSED ||
	    sh_peek(&t->control->memory_state) == MEMORY_SHORT;
}

/* Somebody asked this worker, by its number, to leave and stay away. */
static inline bool tables_drained(const struct tables *t, uint32_t worker)
{
	return sh_peek(&t->control->drained[worker / 64 % DRAINED_WORDS]) >> worker % 64 & 1;
}

/* A spare stands in for this process, or is to. */
static inline bool tables_relieved(const struct tables *t, uint32_t process)
{
	return sh_peek(&t->control->relief[process / 64]) >> process % 64 & 1;
}

/* The process slot of the worker that runs the command which runs this client; 0: no task's command
 * does, or that attempt is over. The record's word alone proves it: a command ends with its
 * attempt. */
uint32_t tables_host(const struct tables *t, const struct process *client);
/* The other way round: a client that waits inside of what this worker process runs; 0: none. Looks
 * at all slots: for people. */
uint32_t tables_waits_inside(const struct tables *t, uint32_t process);

/* Who is not parked: a hint for who ponders whether to spin, or whom to give work (spin.h). */
void process_set_awake(struct tables *t, uint32_t process, bool awake);
bool process_awake(const struct tables *t, uint32_t process);

/* After a record settled: posts the event of each holder that waits for it. Any process. */
void wake_holders(struct tables *t, uint32_t index);

/* ---- store ---- */

/* Room for a value or an argument block, in the arena nearest to node, then in any. */
uint32_t store_node(struct tables *t, uint32_t granule); /* whose memory it lies in */
int store_alloc(struct tables *t, uint32_t node, uint64_t length, shared32 *granule);
int store_free(struct tables *t, uint64_t length, shared32 *granule);
int store_try_free(struct tables *t, uint64_t length, shared32 *granule); /* see arena.h */
static inline void *store_writable(const struct tables *t, uint32_t granule)
{
	return t->store_write + (uint64_t)granule * STORE_GRANULE_BYTES;
}
/* So many bytes more the file system of the store can give, whatever its size is to be; shared with
 * all else that is there. */
uint64_t tables_shm_free(const struct tables *t);
/* NULL if the extent does not lie in the store: both numbers may come from outside. */
const void *store_readable(const struct tables *t, uint32_t granule, uint64_t length);

/* Where a value lies: inline in the record or in the store; NULL if the record makes no sense. */
const void *record_value(const struct tables *t, const struct record *r, uint64_t *ret_length);

/* By the owner of a record that is about to fail: the failure, and its message, which is put into
 * the store. A full store has no room for it; then the failure says so. */
void failure_leave(struct tables *t, uint32_t node, struct record *r,
    const struct record_failure *failure, const char *message);
/* The message of a FAILED record, not zero-ended; NULL if there is none. */
const char *failure_message(const struct tables *t, const struct record *r, uint64_t *ret_length);

/* ---- checking: one named checker a structure, on a runtime at rest ---- */

typedef void tables_report_f(void *context, const char *structure, const char *why); /* NULL = sound
										      * */
void tables_check_each(const struct tables *t, tables_report_f *report, void *context);
/* The first thing wrong anywhere; NULL = sound. */
const char *tables_check(const struct tables *t);

/* ---- inline bodies ---- */
#include "base/check.h"

static inline struct record *record_at(const struct tables *t, uint32_t index)
{
	CHECK(index < t->limits.records);
	return &t->record[index];
}

#endif
