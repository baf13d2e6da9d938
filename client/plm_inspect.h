/* plm_inspect.h - looking at a runtime: the second public interface of libplm.
 *
 * A program that watches, lists or explains needs no place in a runtime: it maps the segments of
 * the runtime read-only and copies rows out of them. So it works on a runtime that lives, on one
 * whose processes are all dead, and on a copy of the segments in files, however damaged.
 *
 * Every call returns 0 (or a count) or -errno, and plm_why() tells the reason (plm.h). No call
 * takes a lock, waits for another process, or changes anything that a task could notice. A runtime
 * goes on while it is looked at: a row is one moment of its subject, but two rows need not be of
 * the same moment, and PLM_MARK_MOVED in `marks` says that a row kept changing. Bytes that make no
 * sense yield an error or a row with PLM_MARK_DAMAGED. A file must not be cut while a handle has it
 * open: the kernel ends a process that reads behind the end of a mapped file.
 *
 * Each structure is followed by its size, sizeof(plm_..._row) in the caller's program: a later
 * libplm fills the fields that the caller knows, and clears those that libplm does not know yet.
 * Texts end with a zero byte, and are cut to their fields.
 *
 * Lists are read by pages. A cursor begins at 0; each call fills at most `n` rows, moves the
 * cursor, and returns how many rows it filled; 0 is the end. The memory needed does not grow with
 * the runtime. Rows come in the order of the runtime's tables.
 *
 * Any number of threads may use a handle until one of them closes it, and so may the child of a
 * fork. */
#ifndef PLM_INSPECT_H
#define PLM_INSPECT_H

#include "plm.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

typedef struct plm_inspect plm_inspect;

/* ---- opening ---- */

/* The runtime of this name on this machine; NULL: $PLM_NAME, else "default". No process of the
 * runtime has to live: what it left in /dev/shm is enough.
 * 0; -ENOENT: no such runtime; -EINVAL: not a name; -EACCES: the files are another user's, or open
 * to others; -EPROTO: another version of plm made them, or they are damaged. Cost: two mappings. */
int plm_inspect_open(plm_inspect **ret, const char *name);

/* Copies of the segments /dev/shm/plm-UID-NAME.control and .store, or the files themselves. store
 * may be NULL: then texts and values that lie in the store are not known. Errors as above. */
int plm_inspect_open_files(plm_inspect **ret, const char *control, const char *store);

/* The runtime that this handle is connected to, also when its files have a new owner by now. The
 * two handles are independent: either may be closed first. Errors: as above; -ECHILD. */
int plm_inspect_of(plm_inspect **ret, plm *rt);

/* Ends the handle and sets *in to NULL; NULL in it is allowed. */
void plm_inspect_close(plm_inspect **in);

/* ---- the runtime ---- */

enum plm_mode { PLM_MODE_STARTING, PLM_MODE_UP, PLM_MODE_DRAINING, PLM_MODE_STOPPED };
const char *plm_mode_name(int mode); /* "up"; "?" for a number that is none */

typedef struct plm_runtime_row {
	char name[32];
	uint64_t runtime; /* the number of this boot, plm_ref.runtime */
	int mode;         /* enum plm_mode */
	uint32_t marks;
	uint64_t uptime_ms;
	uint32_t cores;             /* that the runtime may use */
	uint32_t processes_max;     /* process slots */
	uint32_t workers_wanted;    /* at boot */
	uint32_t store_parts;       /* NUMA nodes with an arena of their own */
	uint64_t records_max;       /* the limit of tasks and objects together */
	uint64_t records_fresh;     /* records that were ever used */
	uint64_t records_pooled;    /* free ones among those */
	uint64_t store_bytes, turn; /* the store's limit; the number of the last turn */
	uint64_t restarts;          /* of the scheduler and of workers since boot */
	int room_wanted;            /* somebody waits for room in the store or the table */
	uint32_t policy;            /* the number of the policy in force (plm_inspect_policies) */
	char journal[512];          /* the directory of the journal; "": there is none */
} plm_runtime_row;

/* What was chosen at boot, and how far the tables are used. Cost: constant. */
int plm_inspect_runtime(plm_inspect *in, plm_runtime_row *ret, size_t size);

/* The numbers of plm_status_get(), of a dead runtime too. Cost: one look at each record. */
int plm_inspect_status(plm_inspect *in, plm_status *ret, size_t size);

/* ---- tasks ---- */

enum plm_state {
	PLM_STATE_FREE,
	PLM_STATE_RESERVED, /* being filled by its submitter */
	PLM_STATE_WAITING,  /* an argument is not there yet */
	PLM_STATE_READY,    /* queued */
	PLM_STATE_RUNNING,
	PLM_STATE_DONE,
	PLM_STATE_FAILED,
	PLM_STATE_CANCELLED,
	PLM_STATES = 9
};
const char *plm_state_name(int state); /* "ready"; "?" for a number that is none */

enum {                         /* bits of `marks` */
	PLM_MARK_DAMAGED = 1,  /* some number of the row makes no sense */
	PLM_MARK_MOVED = 2,    /* the row kept changing: its texts may be missing */
	PLM_MARK_STOPPING = 4, /* a running task was asked to stop */
	PLM_MARK_DEAD = 8,     /* a task failed in the last of several attempts */
	PLM_MARK_KEPT = 16,    /* the runtime keeps the result (PLM_KEEP) */
	PLM_MARK_EXIT = 32,    /* `exit` is known */
	PLM_MARK_OUTPUT = 64,  /* `output_bytes` is known */
	PLM_MARK_COMMAND = 128,
	PLM_MARK_BLOCKED = 256, /* a worker whose task waits; nothing runs in its place */
	PLM_MARK_SPARE = 512,   /* a worker process that stands in for another one */
	PLM_MARK_DRAINED = 1024 /* a worker that is away until plm_resume_worker() */
};

#define PLM_NOBODY UINT32_MAX              /* no worker, no process slot */
#define PLM_COMMAND_FUNCTION "command.run" /* the function of tasks that are command lines */

typedef struct plm_task_row {
	plm_ref ref;
	int state; /* enum plm_state */
	uint32_t marks;
	int32_t priority;
	uint32_t attempt; /* how often it was started */
	uint32_t worker;  /* the number of the worker that runs it, or PLM_NOBODY */
	uint32_t process; /* the process slot that runs it, or PLM_NOBODY */
	uint32_t args, results;
	uint32_t holders;            /* processes that hold its result, the runtime among them */
	uint32_t pending;            /* arguments that are not there yet */
	uint32_t uses;               /* arguments of unsettled tasks that name it */
	uint32_t failures, returned; /* attempts that failed; that went back into the queue */
	int32_t exit; /* a command's exit code, 128 + its signal; the code of a failed function */
	uint64_t age_ms;       /* since it was submitted */
	uint64_t queue_ms;     /* from there to the start of the last attempt, or until now */
	uint64_t run_ms;       /* how long the last attempt ran, or runs */
	uint64_t value_bytes;  /* of the result, as far as there is one */
	uint64_t output_bytes; /* that a command wrote to stdout; else those of the result */
	char function[64];     /* "module.function"; "#N": a number that names no function */
	char label[72];        /* of a command; "": none, not known, or not asked for */
	char command[1024];    /* the words of a command, else the function */
} plm_task_row;

enum { /* flags of the calls below */
	/* Reads label, command, and what is known from the log of a command, which costs a look
	 * into the store for each row. */
	PLM_LOOK_TEXTS = 1
};

enum { /* bits of plm_task_filter.by: which fields of the filter count */
	PLM_BY_STATE = 1,
	PLM_BY_FUNCTION = 2,
	PLM_BY_LABEL = 4,
	PLM_BY_WORKER = 8,
	PLM_BY_HOLDER = 16,
	PLM_BY_KEPT = 32
};

typedef struct plm_task_filter { /* a task has to pass all that `by` names */
	uint32_t by;
	uint32_t states;      /* 1 << PLM_STATE_... for each state that passes, or PLM_ONLY_DEAD */
	const char *function; /* "module.function" */
	const char *label;
	uint32_t worker; /* runs it */
	uint32_t holder; /* the process slot of a client that holds it */
} plm_task_filter;

#define PLM_ONLY_DEAD ((uint32_t)1 << PLM_STATES) /* passes those with PLM_MARK_DEAD */

/* A page of the tasks that pass the filter; NULL: of all. Records that are reserved, objects, and
 * further results of a task have no row. Cost: a look at each record that the cursor passes, a full
 * reading of those whose state passes; with PLM_LOOK_TEXTS, or a filter by label, of their texts.
 */
int plm_inspect_tasks(plm_inspect *in, const plm_task_filter *filter, size_t filter_size,
    unsigned flags, uint64_t *cursor, plm_task_row *rows, size_t size, size_t n);

/* The task of this reference, also of one of its further results. 0; -ESTALE: there is none, or no
 * more; -EXDEV: the reference is of another runtime or boot; -EINVAL: it is empty, or an object's.
 */
int plm_inspect_task(plm_inspect *in, plm_ref ref, unsigned flags, plm_task_row *ret, size_t size);

/* ---- why a task waits, and what became of it ---- */

typedef struct plm_explanation {
	plm_ref task; /* that speaks for the reference: of a further result its task */
	int state;
	uint32_t marks;
	char function[64]; /* "": an object */
} plm_explanation;

typedef struct plm_reason {
	char code[16];   /* one word, for programs: cli/README.md lists them */
	char text[1024]; /* a sentence, for people */
	uint32_t refs;   /* how many futures the sentence is about, the task itself not counted */
	uint32_t marks;
	plm_ref ref[8];
} plm_reason;

/* What keeps a task from running, and what would keep it back next; of a settled task how it ended.
 * The first reason is the decisive one. Returns how many there are, 1 to 8; at most n are written.
 * -ESTALE, -EXDEV, -EINVAL as above. Cost: of a queued task a look at all records and processes, of
 * a waiting task a walk along the tasks it waits for. */
int plm_inspect_explain(plm_inspect *in, plm_ref ref, plm_explanation *ret, size_t ret_size,
    plm_reason *rows, size_t size, size_t n);

/* ---- commands ---- */

enum plm_outlet {        /* an output of a command goes */
	PLM_OUTLET_KEPT, /* into the runtime */
	PLM_OUTLET_FILE, /* into a file of its submitter, all of it */
	PLM_OUTLET_LIVE  /* to its submitter, as it is written: nobody counts it */
};

typedef struct plm_command_row {
	plm_ref ref; /* of the task */
	int state;
	uint32_t marks;
	uint32_t attempt;
	uint32_t worker;    /* that runs it, or ran the last attempt; PLM_NOBODY: not known */
	int32_t worker_pid; /* of the worker that runs it; 0: none does */
	int32_t outlet_pid; /* of a submitter that takes the output itself, while unsettled; or 0 */
	int outlet_live;    /* it reads the output as it is written */
	int logged;         /* 1: the command is settled and left a log, and all below is known */
	int status;         /* as of waitpid(); -1: it was never started */
	uint32_t log_attempt;
	int out_where, err_where; /* enum plm_outlet */
	uint32_t left;            /* processes that were ended when the command had ended */
	int asked_to_stop, killed;
	uint32_t outputs; /* files it writes as results (plm_inspect_outputs) */
	uint64_t queue_ms, run_ms;
	uint64_t wall_us, user_us, system_us;
	uint64_t resident_bytes; /* of its largest process, at the peak */
	uint64_t memory_bytes;   /* of all its processes together, at the highest that was seen */
	uint64_t out_bytes, err_bytes;     /* that it wrote */
	uint64_t out_dropped, err_dropped; /* of them not kept: the cap, or no room */
	char command[256], label[72];
} plm_command_row;

/* A command, whatever became of it. 0; -ENOTSUP: the task is no command; else as
 * plm_inspect_task(). Whoever is connected holds the reference meanwhile (plm_hold), so that its
 * log stays. */
int plm_inspect_command(plm_inspect *in, plm_ref ref, plm_command_row *ret, size_t size);

/* What was kept of stream 1 or 2 of a settled command, where it lies in the store; *ret is NULL and
 * *ret_bytes 0 if nothing was. Valid until plm_inspect_close(); but only as long as somebody holds
 * the command are these its bytes. 0, or an error of plm_inspect_command(). */
int plm_inspect_output(
    plm_inspect *in, plm_ref ref, int stream, const void **ret, size_t *ret_bytes);

/* What a running command has written to stream 1 or 2 so far: a descriptor to read from, the
 * caller's to close. -ENOENT: nothing yet, the output goes elsewhere, or the command does not run.
 * Cost: a look at the descriptors of its worker, or of its submitter. */
int plm_inspect_output_open(plm_inspect *in, plm_ref ref, int stream);

/* The references of the files that the command makes into results, in their order; PLM_NONE where
 * one is not known. Returns how many it has; at most n are written. */
int plm_inspect_outputs(plm_inspect *in, plm_ref ref, plm_ref *ret, size_t n);

/* ---- processes ---- */

enum plm_kind {
	PLM_KIND_NONE,
	PLM_KIND_MANAGER,
	PLM_KIND_SCHEDULER,
	PLM_KIND_WORKER,
	PLM_KIND_CLIENT,
	PLM_KIND_JOURNAL
};
const char *plm_kind_name(int kind); /* "worker" */

typedef struct plm_process_row {
	uint32_t process; /* its process slot; PLM_NOBODY of a drained worker, which has none */
	int kind;         /* enum plm_kind */
	uint32_t marks;
	uint32_t generation; /* of the process slot: one for each process that ever had it */
	int32_t pid;
	uint32_t worker;            /* its number; PLM_NOBODY of others */
	uint32_t worker_generation; /* 1 to 4: how fast its kind is */
	uint32_t cpus, cpus_used;   /* of its worker: offered; with a task, or kept for one */
	int32_t node;               /* the NUMA node it runs on */
	uint32_t queue;             /* tasks handed to it and not taken yet */
	uint32_t up;                /* its messages that the scheduler has not read */
	int doubtful;               /* `condition` is no state, but why it is none to rely on */
	int live, dead; /* what its word says: it takes part; it died and is not buried yet */
	uint64_t age_ms, beat_ms; /* since it joined; since its last sign of life */
	plm_ref running;          /* the task it runs, or PLM_NONE */
	uint64_t run_ms;
	uint64_t done, failed; /* tasks */
	char condition[16];    /* "live", "leaving", "dead", "stopped", "suspect", "drained" */
	char name[24];         /* of its program */
	char function[64];     /* it runs */
} plm_process_row;

/* A page of the processes of these kinds: 1 << PLM_KIND_... each, 0: all. With
 * 1 << PLM_KIND_WORKER also, behind all processes, the numbers of workers that were drained and
 * have no process. Cost: a look at each process slot, and at /proc for each that lives. */
int plm_inspect_processes(plm_inspect *in, uint32_t kinds, uint64_t *cursor, plm_process_row *rows,
    size_t size, size_t n);

/* ---- values, functions, modules, policies ---- */

typedef struct plm_object_row {
	plm_ref ref;
	int sealed; /* 0: somebody still writes it */
	int stored; /* it lies in the store, not in its record */
	uint32_t marks;
	uint32_t holders, uses;
	uint64_t bytes, age_ms;
	char origin[64]; /* the function whose result it is; "": it was put */
} plm_object_row;

/* A page of the values: objects, and results that are there. Cost: a look at each record. */
int plm_inspect_objects(
    plm_inspect *in, uint64_t *cursor, plm_object_row *rows, size_t size, size_t n);

typedef struct plm_function_row {
	uint32_t number, marks;
	char function[64];
	char path[256]; /* of its module; "": built in */
} plm_function_row;
int plm_inspect_functions(
    plm_inspect *in, uint64_t *cursor, plm_function_row *rows, size_t size, size_t n);

typedef struct plm_module_row {
	uint32_t functions, marks;
	char module[64];
	char path[256];
} plm_module_row;
int plm_inspect_modules(
    plm_inspect *in, uint64_t *cursor, plm_module_row *rows, size_t size, size_t n);

typedef struct plm_policy_row {
	uint32_t number, marks;
	int in_force;
	char policy[32];
	char help[128]; /* which worker it gives a task to */
} plm_policy_row;
int plm_inspect_policies(
    plm_inspect *in, uint64_t *cursor, plm_policy_row *rows, size_t size, size_t n);

/* ---- the structures below: for who debugs plm itself ---- */

typedef struct plm_check_row {
	char structure[24];
	char reason[160]; /* "": sound */
} plm_check_row;

/* What the checker of each structure says, in at most 32 rows; returns how many. In a runtime that
 * goes on a checker may meet a structure between two steps: a structure counts as sound once a
 * checker found it so, and those that are not are asked again every 2 ms, 50 times. A copy in files
 * is asked once. Cost: a look at all of the control segment, up to 0.1 s more in a living one. */
int plm_inspect_check(plm_inspect *in, plm_check_row *rows, size_t size, size_t n);

typedef struct plm_heap_row {
	uint32_t place, id, tag;
	int32_t priority; /* of a task */
	uint64_t key;
	plm_ref ref; /* of a task */
} plm_heap_row;

enum { PLM_HEAP_TASKS, PLM_HEAP_WORKERS };
/* A page of a heap in its own order: of queued tasks, or of workers by free room. */
int plm_inspect_heap(
    plm_inspect *in, int heap, uint64_t *cursor, plm_heap_row *rows, size_t size, size_t n);

typedef struct plm_ring_row {
	uint32_t process; /* process slot */
	int kind;         /* enum plm_kind */
	int up;           /* 1: messages to the scheduler; 0: tasks to a worker */
	uint32_t used, entries, head, tail;
	char verdict[128]; /* "": sound */
} plm_ring_row;
int plm_inspect_rings(plm_inspect *in, uint64_t *cursor, plm_ring_row *rows, size_t size, size_t n);

typedef struct plm_lock_row {
	char lock[64], state[64];
} plm_lock_row;
int plm_inspect_locks(plm_inspect *in, uint64_t *cursor, plm_lock_row *rows, size_t size, size_t n);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
