/* plm_inspect.h - looking at a runtime: the second public interface of libplm.
 *
 * A program that watches, lists or explains needs no place in a runtime: libplm maps the segments
 * of the runtime read-only and copies rows out of them. So plm_inspect.h works on a living runtime,
 * on a runtime whose processes are all dead, and on copies of the segments in files, however
 * damaged.
 *
 * Every call returns 0 (or a count) or -errno, and plm_why() tells the reason (plm.h). No call
 * takes a lock, waits for another process, or changes anything a task could notice. A living
 * runtime goes on meanwhile: each row shows one moment of its subject, but two rows may show
 * different moments, and PLM_MARK_MOVED in `marks` says that a row changed during every reading.
 * Senseless bytes yield an error or a row with PLM_MARK_DAMAGED. Never cut a file while a handle
 * has the file open: the kernel ends a process that reads behind the end of a mapped file.
 *
 * The size of each structure follows the structure: sizeof in the caller's program. A later libplm
 * fills the fields known to the caller, and clears fields that libplm does not know yet. Texts end
 * with a zero byte, and are cut to their fields.
 *
 * Lists are read by pages. A cursor begins at 0; each call fills at most `n` rows, moves the
 * cursor, and returns the number of rows filled; 0 is the end. So the size of the runtime does not
 * matter for the memory of the caller. Rows come in the order of the runtime's tables.
 *
 * Any number of threads may use a handle until a thread closes the handle, and so may the child of
 * a fork.
 *
 * plm_machine_open() looks at the machine instead: caches, cores, cpus, GPUs. */
#ifndef PLM_INSPECT_H
#define PLM_INSPECT_H

#include "plm.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

typedef struct plm_inspect plm_inspect;

/* ---- opening ---- */

/* Opens the runtime of this name on this machine; NULL: $PLM_NAME, else "default". The segments in
 * /dev/shm are enough: no process of the runtime has to live.
 * 0; -ENOENT: no such runtime; -EINVAL: not a name; -EACCES: the files belong to another user, or
 * are open to everybody; -EPROTO: another version of plm made the segments, or they are damaged.
 * Cost: two mappings. */
int plm_inspect_open(plm_inspect **ret, const char *name);

/* Opens copies of the segments /dev/shm/plm-UID-NAME.control and .store, or the segments. store may
 * be NULL: then texts and values in the store are unknown. Errors as above. */
int plm_inspect_open_files(plm_inspect **ret, const char *control, const char *store);

/* Opens the runtime to which `rt` is connected. The two handles are independent: either may be
 * closed first. Errors as above; -ECHILD: `rt` belongs to the parent process. */
int plm_inspect_of(plm_inspect **ret, plm *rt);

/* Ends the handle and sets *in to NULL. *in may be NULL already. */
void plm_inspect_close(plm_inspect **in);

/* ---- the runtime ---- */

enum plm_mode { PLM_MODE_STARTING, PLM_MODE_UP, PLM_MODE_STOPPING, PLM_MODE_STOPPED };
const char *plm_mode_name(int mode); /* "up"; "?": no such mode */

typedef struct plm_runtime_row {
	char name[32];
	uint64_t runtime; /* the number of the boot: plm_ref.runtime */
	int mode;         /* enum plm_mode */
	uint32_t marks;
	uint64_t uptime_ms;
	uint32_t cores;             /* usable by the runtime */
	uint32_t processes_max;     /* process slots */
	uint32_t workers_wanted;    /* at boot */
	uint32_t store_parts;       /* parts of the store (arenas), one for each NUMA node */
	uint64_t records_max;       /* the limit for tasks and objects together */
	uint64_t records_fresh;     /* records ever used */
	uint64_t records_pooled;    /* free records among the ever used */
	uint64_t store_bytes, turn; /* the limit of the store; the number of the last turn */
	uint64_t restarts;          /* of scheduler, workers and journal since boot */
	int room_wanted;            /* 1: a process waits for room in the store or the table */
	uint32_t policy;            /* the number of the policy in force (plm_inspect_policies) */
	char journal[512];          /* the directory of the journal; "": no journal */
	uint64_t queued;            /* READY tasks in the task heap */
	uint64_t store_reserved, store_used;
	uint64_t memory_total, memory_free; /* of the machine, at the last look; 0: no look yet */
	int memory_short, paused, closed;   /* as in plm_status */
	int events_on, events_always;       /* events are written now; were asked for at boot */
	uint64_t event_ring;                /* events kept of each process; 0: no event log */
	char on_finish[512];                /* plm --on-finish; "": none */
} plm_runtime_row;

/* The choices made at boot, and how full the tables are. 0. Cost: constant. */
int plm_inspect_runtime(plm_inspect *in, plm_runtime_row *ret, size_t size);

/* The numbers of plm_status_get(), also of a dead runtime. 0. Cost: a look at each record. */
int plm_inspect_status(plm_inspect *in, plm_status *ret, size_t size);

/* ---- tasks ---- */

enum plm_state {
	PLM_STATE_FREE,
	PLM_STATE_RESERVED, /* the submitter still fills the record */
	PLM_STATE_WAITING,  /* an argument is not settled yet */
	PLM_STATE_READY,    /* queued */
	PLM_STATE_RUNNING,
	PLM_STATE_DONE,
	PLM_STATE_FAILED,
	PLM_STATE_CANCELLED,
	PLM_STATES = 9 /* 8 is a further result of a task, never the state of a row */
};
const char *plm_state_name(int state); /* "ready"; "?": no such state */

enum {                         /* bits of `marks` */
	PLM_MARK_DAMAGED = 1,  /* some number in the row makes no sense */
	PLM_MARK_MOVED = 2,    /* the row changed during every reading: texts may be missing */
	PLM_MARK_STOPPING = 4, /* a running task was asked to stop */
	PLM_MARK_DEAD = 8,     /* failed after several attempts, arguments kept: plm_retry() */
	PLM_MARK_KEPT = 16,    /* the runtime keeps the result (PLM_KEEP) */
	PLM_MARK_EXIT = 32,    /* `exit` is known */
	PLM_MARK_OUTPUT = 64,  /* `output_bytes` is known */
	PLM_MARK_COMMAND = 128,
	PLM_MARK_BLOCKED = 256, /* a worker whose task waits, while nothing runs in its place */
	PLM_MARK_SPARE = 512,   /* a worker process that stands in for a process whose task waits */
	PLM_MARK_DRAINED = 1024, /* a worker sent away until plm_resume_worker() */
	PLM_MARK_PARKED = 2048   /* a queued task kept back: plm_move() */
};

#define PLM_NOBODY UINT32_MAX              /* no worker, no process slot */
#define PLM_COMMAND_FUNCTION "command.run" /* the function of command lines */

typedef struct plm_task_row {
	plm_ref ref;
	int state; /* enum plm_state */
	uint32_t marks;
	int32_t priority;
	uint32_t attempt; /* how often the task was started */
	uint32_t worker;  /* the number of the worker running the task, or PLM_NOBODY */
	uint32_t process; /* the process slot running the task, or PLM_NOBODY */
	uint32_t args, results;
	uint32_t holders;            /* processes holding the result, the runtime included */
	uint32_t pending;            /* arguments not settled yet */
	uint32_t uses;               /* arguments of unsettled tasks naming this task */
	uint32_t failures, returned; /* attempts failed; attempts returned to the queue */
	int32_t exit;      /* exit code of a command, 128 + signal; code of a failed function */
	uint64_t age_ms;   /* since the submission */
	uint64_t queue_ms; /* from the submission to the start of the last attempt, or until now */
	uint64_t run_ms;   /* how long the last attempt ran, or runs */
	uint64_t value_bytes;  /* of the result */
	uint64_t output_bytes; /* of a command's stdout; else of the result */
	uint64_t identity[2];  /* plm_task.identity; zeroes: none */
	uint64_t turn;         /* among tasks of its priority: the lower turn goes first */
	char function[64];     /* "module.function"; "#N": number N names no function */
	char label[72];        /* of a command; "": no label, unknown, or not asked for */
	char command[1024];    /* the words of a command, else the function */
	uint64_t submitted_ms; /* the submission, since boot: age_ms grows, submitted_ms stays */
} plm_task_row;

enum { /* flags of the calls below */
	/* Also reads label, command, and the log of a command: a look into the store for each row.
	 */
	PLM_LOOK_TEXTS = 1
};

enum { /* bits of plm_task_filter.by: the fields of the filter to be judged */
	PLM_BY_STATE = 1,
	PLM_BY_FUNCTION = 2,
	PLM_BY_LABEL = 4,
	PLM_BY_WORKER = 8,
	PLM_BY_HOLDER = 16,
	PLM_BY_KEPT = 32
};

typedef struct plm_task_filter { /* a task has to pass every field named in `by` */
	uint32_t by;
	uint32_t states; /* 1 << PLM_STATE_... for each passing state; PLM_ONLY_DEAD, _PARKED */
	const char *function; /* "module.function" */
	const char *label;
	uint32_t worker; /* running the task */
	uint32_t holder; /* the process slot of a client holding the task */
} plm_task_filter;

#define PLM_ONLY_DEAD ((uint32_t)1 << PLM_STATES)         /* tasks with PLM_MARK_DEAD pass */
#define PLM_ONLY_PARKED ((uint32_t)1 << (PLM_STATES + 1)) /* tasks with PLM_MARK_PARKED pass */

/* A page of the tasks passing the filter; NULL: of all tasks. Reserved records, objects, and
 * further results of a task have no row. Returns the number of rows; -EINVAL: a missing pointer.
 * Cost: a look at each record the cursor passes, and a full reading where the state passes; texts
 * are read for PLM_LOOK_TEXTS or a filter by label. */
int plm_inspect_tasks(plm_inspect *in, const plm_task_filter *filter, size_t filter_size,
    unsigned flags, uint64_t *cursor, plm_task_row *rows, size_t size, size_t n);

/* The task of this reference, which may be a further result of the task. 0; -ESTALE: no such task
 * any more; -EXDEV: the reference is of another runtime or boot; -EINVAL: the reference is empty,
 * or names an object. Cost: constant. */
int plm_inspect_task(plm_inspect *in, plm_ref ref, unsigned flags, plm_task_row *ret, size_t size);

/* ---- why a task waits, or how a task ended ---- */

typedef struct plm_explanation {
	plm_ref task; /* of a further result: the task with that result */
	int state;
	uint32_t marks;
	char function[64]; /* "": an object */
} plm_explanation;

typedef struct plm_reason {
	char code[16];   /* one word, for programs: cli/README.md lists all codes */
	char text[1024]; /* a sentence, for people */
	uint32_t refs;   /* number of futures named in the sentence, without the task */
	uint32_t marks;
	plm_ref ref[8];
} plm_reason;

/* The reasons that keep a task from running, the decisive reason first; of a settled task how the
 * task ended. Returns the number of reasons, 1 to 8; writes at most n rows. -ESTALE, -EXDEV and
 * -EINVAL (an empty reference) as above. Cost: for a queued task a look at all records and
 * processes, for a waiting task a walk along the chain of arguments. */
int plm_inspect_explain(plm_inspect *in, plm_ref ref, plm_explanation *ret, size_t ret_size,
    plm_reason *rows, size_t size, size_t n);

/* ---- commands ---- */

enum plm_outlet {        /* an output of a command goes */
	PLM_OUTLET_KEPT, /* into the runtime */
	PLM_OUTLET_FILE, /* all of the output, into a file of the submitter */
	PLM_OUTLET_LIVE  /* to the submitter, as written: nobody counts the bytes */
};

typedef struct plm_command_row {
	plm_ref ref; /* of the task */
	int state;
	uint32_t marks;
	uint32_t attempt;
	uint32_t worker;    /* of the last attempt; PLM_NOBODY: unknown */
	int32_t worker_pid; /* of the worker running the command; 0: no worker */
	int32_t outlet_pid; /* of a submitter taking the output, while unsettled; or 0 */
	int outlet_live;    /* 1: the submitter reads the output as written */
	int logged;         /* 1: the settled command left a log: all fields below are known */
	int status;         /* as of waitpid(); -1: never started */
	uint32_t log_attempt;
	int out_where, err_where; /* enum plm_outlet; known of an unsettled command, too */
	uint32_t left;            /* processes left behind by the command, and then ended */
	int asked_to_stop, killed;
	uint32_t outputs; /* files that are results (plm_inspect_outputs) */
	uint64_t queue_ms, run_ms;
	uint64_t wall_us, user_us, system_us;
	uint64_t resident_bytes;           /* of the largest process, at the peak */
	uint64_t memory_bytes;             /* of all processes together, the highest sum seen */
	uint64_t out_bytes, err_bytes;     /* written by the command */
	uint64_t out_dropped, err_dropped; /* of those not kept: over the cap, or no room */
	char command[256], label[72];
} plm_command_row;

/* A command, queued, running or settled. 0; -ENOTSUP: the task is no command; else as
 * plm_inspect_task(). A connected caller holds the reference meanwhile (plm_hold), so that the log
 * stays. Cost: as a row with texts. */
int plm_inspect_command(plm_inspect *in, plm_ref ref, plm_command_row *ret, size_t size);

/* The kept bytes of stream 1 or 2 of a settled command, in place in the store; *ret is NULL and
 * *ret_bytes 0 if nothing was kept. Readable until plm_inspect_close(), but the store may give the
 * room to a new value once nobody holds the command. 0, or an error of plm_inspect_command(). */
int plm_inspect_output(
    plm_inspect *in, plm_ref ref, int stream, const void **ret, size_t *ret_bytes);

/* The output of a running command so far, of stream 1 or 2: returns a descriptor to read from,
 * which the caller closes. Long output moves to a file of the submitter: ask again to follow the
 * output. -ENOENT: nothing is written yet, or the command does not run here. Cost: a look at the
 * descriptors of the worker. */
int plm_inspect_output_open(plm_inspect *in, plm_ref ref, int stream);

/* The references of the files that are results of a command, in order; PLM_NONE: unknown. Returns
 * the number of files; writes at most n references. */
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
	uint32_t process; /* process slot; PLM_NOBODY: a drained worker has no process */
	int kind;         /* enum plm_kind */
	uint32_t marks;
	uint32_t generation; /* of the process slot: counts the processes in the slot so far */
	int32_t pid;
	uint32_t worker;            /* worker number; PLM_NOBODY: no worker */
	uint32_t worker_generation; /* 1 to 4, of the worker's kind: how fast */
	uint32_t cpus, cpus_used;   /* of the worker: offered; with a task, or kept for a task */
	int32_t node;               /* the NUMA node the process runs on */
	uint32_t queue;             /* tasks handed to the process and not taken yet */
	uint32_t up;                /* hints the scheduler has not read yet */
	int doubtful;               /* 1: `condition` tells why the state is not to be relied on */
	int live, dead;             /* the process takes part; it died and is not buried yet */
	uint64_t age_ms, beat_ms;   /* since the process joined; since the last sign of life */
	plm_ref running;            /* the task that runs, or PLM_NONE */
	uint64_t run_ms;
	uint64_t done, failed; /* tasks */
	char condition[16];    /* "live", "leaving", "dead", "stopped", "suspect", "drained" */
	char name[24];         /* of the program */
	char function[64];     /* of the task that runs */
	char python[248];      /* the interpreter of a Python worker; "": a C worker */
} plm_process_row;

/* A page of the processes of these kinds: 1 << PLM_KIND_... each, 0: all. 1 << PLM_KIND_WORKER also
 * lists, behind all processes, the numbers of drained workers. Returns the number of rows. Cost: a
 * look at each process slot, and at /proc for each living process. */
int plm_inspect_processes(plm_inspect *in, uint32_t kinds, uint64_t *cursor, plm_process_row *rows,
    size_t size, size_t n);

typedef struct plm_work_row {
	uint32_t process; /* process slot; PLM_NOBODY: a drained worker has no process */
	int kind;         /* enum plm_kind */
	uint32_t marks;   /* PLM_MARK_BLOCKED, PLM_MARK_SPARE, PLM_MARK_DRAINED */
	uint32_t generation;
	int32_t pid;
	uint32_t worker; /* worker number; PLM_NOBODY: no worker */
	int live, dead;  /* as in plm_process_row */
	plm_ref running; /* the task that runs, or PLM_NONE */
	uint64_t run_ms;
	uint64_t done, failed; /* tasks, since the process joined */
} plm_work_row;

/* A page of the processes, and of the drained workers, as plm_inspect_processes() lists them: for a
 * program that looks many times a second at a thousand workers. The cursors of both calls count
 * process slots, so a program may begin at the process slot of an earlier row. Returns the number
 * of rows. Cost: a few loads for each process slot, no system call. */
int plm_inspect_work(
    plm_inspect *in, uint32_t kinds, uint64_t *cursor, plm_work_row *rows, size_t size, size_t n);

/* ---- values, functions, modules, policies ---- */

typedef struct plm_object_row {
	plm_ref ref;
	int sealed; /* 0: a process still fills the value */
	int stored; /* 1: the value lies in the store, 0: in the record */
	uint32_t marks;
	uint32_t holders, uses;
	uint64_t bytes, age_ms;
	char origin[64]; /* the function with this result; "": put by a client */
} plm_object_row;

/* A page of the values: objects, and results of tasks that are done. Returns the number of rows.
 * Cost: a look at each record. */
int plm_inspect_objects(
    plm_inspect *in, uint64_t *cursor, plm_object_row *rows, size_t size, size_t n);

typedef struct plm_function_row {
	uint32_t number, marks;
	char function[64];
	char path[256]; /* of the module; "": built in */
} plm_function_row;
/* A page of the functions that tasks can call. */
int plm_inspect_functions(
    plm_inspect *in, uint64_t *cursor, plm_function_row *rows, size_t size, size_t n);

typedef struct plm_module_row {
	uint32_t functions, marks;
	char module[64];
	char path[256];
} plm_module_row;
/* A page of the modules. */
int plm_inspect_modules(
    plm_inspect *in, uint64_t *cursor, plm_module_row *rows, size_t size, size_t n);

typedef struct plm_policy_row {
	uint32_t number, marks;
	int in_force;
	char policy[32];
	char help[128]; /* which worker gets a task */
} plm_policy_row;
/* A page of the policies, the default first. plm_set_policy() changes the policy in force. */
int plm_inspect_policies(
    plm_inspect *in, uint64_t *cursor, plm_policy_row *rows, size_t size, size_t n);

/* ---- the machine, with or without a runtime ---- */

typedef struct plm_machine plm_machine;

/* A snapshot of the machine as this process may use it: cpus outside the affinity mask of the
 * process are left out, and so are GPUs outside CUDA_VISIBLE_DEVICES. A description makes another
 * machine, as in hwloc(7): "numa:2 core:4 pu:2"; NULL: this machine (HWLOC_SYNTHETIC and
 * HWLOC_XMLFILE replace this machine, too).
 * 0; -EINVAL: not a description, or the machine has no cpu of the mask; -ENOMEM. Cost:
 * milliseconds in /sys. */
int plm_machine_open(plm_machine **ret, const char *description);
/* Ends the handle and sets *machine to NULL. *machine may be NULL already. */
void plm_machine_close(plm_machine **machine);

#define PLM_NO_NUMBER (-1)

typedef struct plm_cpus {
	uint64_t word[16]; /* cpu C of the operating system: bit C % 64 of word C / 64 */
} plm_cpus;

/* The cpus on which the kernel lets a process run; 0: the caller. 0; -ESRCH: no such process. */
int plm_cpus_of(plm_cpus *ret, int32_t pid);
/* Cpus as text, "0-3,8", cut to the size. 0, or -EINVAL: a missing pointer. */
int plm_cpus_print(const plm_cpus *cpus, char *text, size_t size);

typedef struct plm_part_row {
	uint32_t depth; /* 0: the machine */
	int alone;      /* 1: the only part of its parent */
	int32_t number; /* of the operating system, or PLM_NO_NUMBER */
	uint32_t marks;
	uint64_t bytes; /* memory of a node, size of a cache; 0: none */
	plm_cpus cpus;  /* inside the part, or near a device */
	char kind[16];  /* "machine", "package", "node", "L2", "core", "cpu", "gpu" and the like */
	char name[96];  /* "": no name */
} plm_part_row;
/* A page of the parts: each part after its parent, in the order of the machine. */
int plm_machine_parts(
    plm_machine *machine, uint64_t *cursor, plm_part_row *rows, size_t size, size_t n);

typedef struct plm_gpu_row {
	int32_t node; /* the nearest NUMA node, or PLM_NO_NUMBER */
	uint32_t marks;
	char gpu[64]; /* for CUDA_VISIBLE_DEVICES: a number, or the UUID given */
	char bus[16]; /* the PCI address; "": unknown */
	char name[96];
} plm_gpu_row;
/* A page of the GPUs, numbered as by CUDA_DEVICE_ORDER=PCI_BUS_ID, those of NVIDIA first. */
int plm_machine_gpus(
    plm_machine *machine, uint64_t *cursor, plm_gpu_row *rows, size_t size, size_t n);
/* 0: hwloc has no plugins here (Debian: libhwloc-plugins), so no GPU is ever found. Else 1. */
int plm_machine_sees_gpus(void);

typedef struct plm_place_row { /* where a worker runs */
	uint32_t worker;       /* the number of the worker */
	int32_t node;          /* the NUMA node of the cpus; PLM_NO_NUMBER: of several nodes */
	plm_cpus cpus;
} plm_place_row;
enum plm_pin { PLM_PIN_NONE, PLM_PIN_CORE, PLM_PIN_NUMA };
/* Fills n rows with the places that `plm --pin` gives to n workers (enum plm_pin). 0; -EINVAL: no
 * such way to pin, more workers than a runtime may have, or a missing pointer; -ENOMEM. */
int plm_machine_plan(plm_machine *machine, int pin, plm_place_row *rows, size_t size, size_t n);

/* ---- for debugging plm: checkers, heaps, rings, locks ---- */

typedef struct plm_check_row {
	char structure[24];
	char reason[160]; /* "": sound */
} plm_check_row;

/* The verdict of the checker of each structure: returns the number of verdicts, at most 32; writes
 * at most n. A checker may meet a structure of a living runtime between two steps. So a structure
 * counts as sound after one good verdict, and the checkers run up to 50 times, 2 ms apart, until
 * all are good; once for files. Cost: a look at all of the control segment, up to 50 times. */
int plm_inspect_check(plm_inspect *in, plm_check_row *rows, size_t size, size_t n);

typedef struct plm_heap_row {
	uint32_t place, id, tag; /* position in the heap; record or worker; generation */
	int32_t priority;        /* of a task */
	uint64_t key;
	plm_ref ref; /* of a task */
} plm_heap_row;

enum { PLM_HEAP_TASKS, PLM_HEAP_WORKERS };
/* A page of a heap in heap order: of queued tasks, or of workers by free room. */
int plm_inspect_heap(
    plm_inspect *in, int heap, uint64_t *cursor, plm_heap_row *rows, size_t size, size_t n);

typedef struct plm_ring_row {
	uint32_t process; /* process slot */
	int kind;         /* enum plm_kind */
	int up;           /* 1: hints to the scheduler; 0: hints to a worker */
	uint32_t used, entries, head, tail;
	char verdict[128]; /* "": sound */
} plm_ring_row;
/* A page of the rings of all processes. */
int plm_inspect_rings(plm_inspect *in, uint64_t *cursor, plm_ring_row *rows, size_t size, size_t n);

typedef struct plm_lock_row {
	char lock[64], state[64];
} plm_lock_row;
/* A page of the locks, and which thread holds each. */
int plm_inspect_locks(plm_inspect *in, uint64_t *cursor, plm_lock_row *rows, size_t size, size_t n);

/* ---- the event log: what happens, as it happens ---- */

enum plm_event_kind {
	PLM_EVENT_NONE,
	PLM_EVENT_SUBMITTED, /* a task was accepted; argument: the priority, as int64_t */
	PLM_EVENT_DEPENDS, /* the task needs a result of the task `other`, or the object; one event
			      an argument */
	PLM_EVENT_READY,   /* the last missing argument was settled */
	PLM_EVENT_PLACED,  /* the scheduler, or another giver, gave the task to `worker` */
	PLM_EVENT_STARTED, /* on `worker`; argument: cpus busy with the task */
	PLM_EVENT_DONE,
	PLM_EVENT_FAILED,
	PLM_EVENT_CANCELLED, /* of all three: argument: ns the attempt ran; 0: never started */
	PLM_EVENT_RETURNED,  /* the attempt ended, the task is queued again: enum plm_return */
	PLM_EVENT_FREED,     /* the record is free; argument: bytes freed in the store */
	PLM_EVENT_SEALED,    /* a value in the store can be read; argument: bytes */
	PLM_EVENT_READ,      /* `process` opened a value in the store; argument: bytes */
	PLM_EVENT_NAME,      /* 8 bytes of a better name of the task than its function: up to three
				events, in order */
	PLM_EVENT_BORN,      /* from here on: of a process; argument: pid */
	PLM_EVENT_IDLE,      /* a worker process sleeps for want of work */
	PLM_EVENT_BUSY,
	PLM_EVENT_BLOCKED, /* its task waits, and nothing can run in its place */
	PLM_EVENT_UNBLOCKED,
	PLM_EVENT_DEAD,
	PLM_EVENT_MEMORY_SHORT,
	PLM_EVENT_MEMORY_ENOUGH,  /* of both: argument: bytes free */
	PLM_EVENT_LOCK_RECOVERED, /* argument: the rank of the lock */
	PLM_EVENT_JOURNAL,        /* a group of the journal is on disk; argument: tasks in it */
	PLM_EVENTS
};
enum plm_return {             /* why an attempt was returned */
	PLM_RETURN_RETRY = 1, /* the function failed, and a retry is left */
	PLM_RETURN_LATE,      /* over a time limit, and a retry is left */
	PLM_RETURN_MEMORY,    /* memory ran out */
	PLM_RETURN_ASKED,     /* plm_requeue() */
	PLM_RETURN_DEAD       /* the worker died */
};
const char *plm_event_name(int kind); /* "started"; "?": no such kind */

/* For one attempt: STARTED comes before its end, and each STARTED has one end: DONE, FAILED,
 * CANCELLED or RETURNED, also if the worker was killed. Attempts nest strictly on a process. The
 * attempt of an end without a start (argument 0) is the attempt that never came. */
typedef struct plm_event {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	int kind;         /* enum plm_event_kind */
	uint32_t attempt;
	uint32_t process;  /* process slot of the writer; of BORN to DEAD: of the process itself */
	uint32_t worker;   /* PLM_NOBODY: none */
	uint32_t function; /* as in plm_function_row; PLM_NOBODY: none */
	uint32_t marks;
	plm_ref ref;   /* PLM_NONE: of a process, memory, a lock */
	plm_ref other; /* of DEPENDS */
	uint64_t argument;
	char function_name[64]; /* "module.function"; "": none */
} plm_event;

/* Events are written from now on until plm_events_unwatch(), plm_disconnect(), or the end of this
 * process. 0, or an error of the handle; -ENOENT: the runtime has no event log. */
int plm_events_watch(plm *rt);
int plm_events_unwatch(plm *rt);

typedef struct plm_events plm_events; /* a reader, of one thread; keeps its own place */
#define PLM_EVENTS_NOW UINT64_MAX

/* Opens a reader at the oldest kept event not before since_ns; 0: all kept events. The reader ends
 * before `in`. 0; -ENOENT: no event log, or (files) none was added; -EPROTO: damaged. */
int plm_events_open(plm_events **ret, plm_inspect *in, uint64_t since_ns);
/* The next events, nearly in the order of time: events of the last 2 ms wait for a later call, so
 * that a late writer keeps its place. Of files all come. Returns the number of rows; 0: none now.
 */
int plm_events_read(plm_events *events, plm_event *rows, size_t size, size_t n);
/* Leaves out all but the newest n unread events of each process: returns how many. */
int64_t plm_events_skip(plm_events *events, uint64_t n);

typedef struct plm_events_state {
	int on, always;         /* events are written now; the boot asked for that */
	uint32_t marks, rings;  /* rings in use */
	uint64_t ring_events;   /* the limit of a ring */
	uint64_t written, lost; /* since plm_events_open(): and overwritten before being read */
	uint64_t bytes;         /* of /dev/shm, reserved by the log */
	uint32_t without_room;  /* processes without events, for want of room in /dev/shm */
} plm_events_state;
int plm_events_state_get(plm_events *events, plm_events_state *ret, size_t size);
/* Ends the reader and sets *events to NULL. *events may be NULL already. */
void plm_events_close(plm_events **events);

/* Adds a copy of /dev/shm/plm-UID-NAME.events to a handle of plm_inspect_open_files(). */
int plm_inspect_add_events(plm_inspect *in, const char *path);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
