/* plm.h - the task runtime plm: the public interface of libplm.
 *
 * A runtime (./plm) keeps a table of futures. A future is the promised value of a task or of an
 * object. A task calls a function of a module, or runs a command line; an object is put into the
 * store by a program. Programs name futures by references, and read values in place, in shared
 * memory.
 *
 * Results. Every call returns 0 (or a count, or a descriptor) on success and -errno on failure.
 * plm_strerror() gives the general meaning of the number, plm_why() the sentence of the last failed
 * call in the calling thread: what happened, to which thing, and what to do. Errors of every call
 * with a handle: -EINVAL (a missing pointer), -ECHILD (a handle from before fork()), -EHOSTDOWN
 * (the runtime is gone). Further errors stand with each call.
 *
 * Threads and processes. Any number of threads may use one handle. The child of a fork() connects
 * anew. No call exits, prints, or installs a signal handler.
 *
 * Blocking. Only calls with a timeout wait for tasks. Timeouts are milliseconds: 0 looks once,
 * negative waits for ever. Other calls wait at most for answers of the manager or the scheduler,
 * which take microseconds; -ETIMEDOUT when none came within ten seconds, or the time given to
 * plm_connect_with(). A runtime that ends wakes every waiting thread within a second.
 *
 * Limits. A task has at most 65,535 arguments, 1,024 results, 254 retries of both kinds together;
 * the names of function and module together 54 bytes, a message of plm_fail() 511. Longer arguments
 * than 4 GiB go as futures. The store: argument blocks (a task's arguments, if over 16 bytes) fill
 * half at most; an object of a client leaves the last quarter for results of tasks; a result may
 * fill all. A runtime: 64 modules, 1,024 functions; futures and store as booted (--tasks, --store).
 *
 * Alignment. Each argument, value and result begins at a multiple of 8 bytes; a value of over 24
 * bytes at a multiple of 64, of 4 KiB and more at a multiple of 4 KiB. */
#ifndef PLM_H
#define PLM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define PLM_VERSION "0.1.0"

/* A connection to a runtime: plm_connect(). */
typedef struct plm plm;

/* The name of a future. Plain data: copy, store, or send a reference freely. Each reference that a
 * call returns counts as one hold of the process on the value; plm_drop() ends one hold. A value
 * stays as long as any process holds its future, or an unsettled task, or a failed task that
 * somebody holds, has the future as an argument. */
typedef struct plm_ref {
	uint64_t id;      /* record number and generation; 0: no future */
	uint64_t runtime; /* the boot of the runtime */
} plm_ref;
#define PLM_REF_TEXT_BYTES 48

/* A value, read-only, in place: plm_get(). Valid until plm_release(). Pass a view by address and do
 * not copy the struct: a small value lies in the view. */
typedef struct plm_view {
	const void *data;
	size_t len;
	plm_ref ref;             /* private to libplm */
	unsigned char small[32]; /* private to libplm: a copy of a small value */
} plm_view;

/* An argument of a task: bytes, or a future, whose value the function sees. */
typedef struct plm_arg {
	const void *data; /* copied by the submission; may be NULL if len is 0 */
	size_t len;       /* of a future: 0, or an enum plm_after */
	plm_ref future;   /* used if its id is not 0 */
} plm_arg;

/* A future as an order without a value: the task starts when that task has ended in any way, or has
 * failed or been cancelled; else the task is cancelled. The function sees an empty argument. */
enum plm_after { PLM_AFTER_ANY = 1, PLM_AFTER_FAILED = 2 };

#ifdef __cplusplus
#define PLM_NONE (plm_ref{ 0, 0 })
#define PLM_PREVIOUS (plm_ref{ UINT64_MAX, 0 })
#define PLM_BYTES(pointer, length) (plm_arg{ (pointer), (length), { 0, 0 } })
#define PLM_FUTURE(reference) (plm_arg{ nullptr, 0, (reference) })
#define PLM_AFTER(reference, after) (plm_arg{ nullptr, (after), (reference) })
#define PLM_LINKAGE "C" /* else a const variable is known in its file alone */
#else
#define PLM_NONE ((plm_ref){ 0, 0 })
#define PLM_PREVIOUS ((plm_ref){ .id = UINT64_MAX }) /* see PLM_PAIRED */
#define PLM_BYTES(pointer, length) ((plm_arg){ .data = (pointer), .len = (length) })
#define PLM_FUTURE(reference) ((plm_arg){ .future = (reference) })
#define PLM_AFTER(reference, after) ((plm_arg){ .len = (after), .future = (reference) })
#define PLM_LINKAGE
#endif

/* Flags of a task. */
enum {
	/* The runtime holds the result beyond the life of the process, until plm_forget(), or until
	 * the result leaves by age or to make room (plm --keep-finished; plm_terms.keep_ms). With a
	 * journal (plm --state) the task also survives the runtime: it is on the disk soon after
	 * the submission, or, with --durability sync, before the submission returns. Such a
	 * submission fails with -ENOSPC or -EIO if the journal cannot be written, and with
	 * -ETIMEDOUT if the journal was too slow (for the time of plm_connect_with(), else of
	 * plm_patience(), a minute at least); the task is cancelled then. */
	PLM_KEEP = 1,
	/* The task ends with its clients. It is cancelled when no process holds its reference any
	 * more (all dropped it, disconnected or died) and no task has it as an argument: a queued
	 * task never starts, a running task is asked to stop, with the grace of its terms. A task
	 * without the flag runs to its end, whether anybody waits or not. */
	PLM_TIED = 2,
	/* In plm_submit_many(): accepted in one step with the task before, whose future stands as
	 * PLM_PREVIOUS among the arguments. If the process dies, both tasks are there or neither.
	 */
	PLM_PAIRED = 4,
};

/* What a task asks for beyond its function. All zero asks for nothing: any worker runs the task. */
typedef struct plm_terms {
	const char *needs; /* "cpus=2,mem=1G,gpus=0.5,NAME=1"; alternatives separated by "|". Needs
			    * which no worker can ever meet are refused by the submission */
	/* Limits in milliseconds, 0: none. A task over a limit fails with the code ETIMEDOUT. */
	uint32_t queue_ms; /* from submission to the first start */
	uint32_t run_ms;   /* of one attempt; counts as a failure, so `retries` may start another */
	uint32_t total_ms; /* from submission to settlement, with all retries and pauses */
	/* The pause before the first retry. Doubled for each further retry up to the maximum (0: a
	 * minute), plus up to a quarter at random. */
	uint32_t backoff_ms, backoff_max_ms;
	/* How long the task may go on when a limit, or plm_cancel(), asks it to stop (0: 1 s). */
	uint32_t grace_ms;
	/* How many workers run the task at once (0, 1: one). The first good result counts, the
	 * remaining replicas are cancelled; the task fails when all replicas have failed. Only for
	 * tasks with one result, copied once. Each replica has its own budgets and limits. */
	uint32_t replicas;
	/* How long after its end a kept result (PLM_KEEP) stays for certain; 0: as plm
	 * --keep-finished says, or until the room is needed. */
	uint32_t keep_ms;
	uint64_t reserved[3]; /* zero */
} plm_terms;

/* A task to submit. All zero except the function is a task without arguments. */
typedef struct plm_task {
	const char *function; /* "module.function" */
	const plm_arg *args;
	size_t nargs;
	int priority;     /* -32768 to 32767, larger first. Tasks of equal priority start in order
			   * of submission, but clients with very many tasks take turns */
	unsigned results; /* how many futures the task yields, at most 1024; 0 means 1 */
	/* Two budgets: how often the task runs again after its function failed, and after its
	 * worker died. The next attempt avoids the worker of the last, while another is free. */
	unsigned retries, crash_retries;
	unsigned flags;         /* PLM_KEEP, PLM_TIED, PLM_PAIRED */
	const plm_terms *terms; /* NULL: none; tasks may share terms */
	/* A name for the work, 128 bits chosen by the program; zero: none. The runtime refuses
	 * nothing for its sake: programs look for the name first (plmctl load --unique). */
	uint64_t identity[2];
	uint64_t reserved; /* zero */
} plm_task;

/* Why a task failed: plm_error(). */
typedef struct plm_failure {
	int code;          /* errno of the first failure; the code given to plm_fail() */
	int signal;        /* the signal that ended the worker, 0 if none */
	plm_ref task;      /* the task that failed first: the task asked about, or an argument */
	char function[64]; /* of the task that failed first */
	char message[512];
} plm_failure;

/* Errors with a meaning of their own. */
#define PLM_EFAILED 121    /* EREMOTEIO: the task failed; plm_error() tells why */
#define PLM_ECANCELLED 125 /* ECANCELED: the task was cancelled */

/* The meaning of an error number, positive or negative. Never NULL; static text, or strerror(). */
const char *plm_strerror(int error);
/* The sentence of the calling thread's last failed call, valid until its next. Never NULL. */
const char *plm_why(void);

/* ---- life ---- */

/* Connects to the runtime `name`. NULL: $PLM_NAME, else "default". *ret is valid until
 * plm_disconnect(). Errors: -ENOENT (no such runtime is up), -EUSERS (all process slots are taken),
 * -EPROTO (plm and libplm of different versions), -ETIMEDOUT. */
int plm_connect(plm **ret, const char *name);
/* The same, with a limit. timeout_ms: how long connecting, and later each request to the
 * manager (plm_module_load(), the calls that rule a runtime), may take, a second at least.
 * Negative: ten seconds, for a module a minute. -ETIMEDOUT: the manager is stopped or hangs.
 * flags: 0, or PLM_VISIT for a process that looks at or rules the runtime and leaves soon: when
 * clients have taken all process slots open to clients, a visit gets one of those kept for
 * visits. */
enum { PLM_VISIT = 1 };
int plm_connect_with(plm **ret, const char *name, unsigned flags, int timeout_ms);
/* Drops all holds of the process and sets *rt to NULL. No other thread may use the handle then. In
 * the child of a fork() it gives back the child's copy and leaves the parent's connection alone. */
void plm_disconnect(plm **rt);

/* Sets how long later calls may wait for room in a full store or table: plm_put(), plm_create(),
 * the submissions, plm_result(). Default 0 (in a task: a second): the call fails with -ENOSPC.
 * A patience set in a task holds for later tasks of its worker process, too. While a running task
 * waits for room for its result, clients get none of 16 KiB or more. The last tenth of the table,
 * 4,096 futures at most, is for processes with fewer futures than this tenth. */
int plm_patience(plm *rt, int timeout_ms);

/* ---- objects ---- */

/* Copies bytes into the store: a future settled at once. -ENOSPC (plm_patience()), -E2BIG. */
int plm_put(plm *rt, const void *data, size_t len, plm_ref *ret);
/* Makes room for an object: write len bytes to *ret_data, then plm_seal(). Tasks may have the
 * future as an argument before. plm_drop() gives up an unsealed object. Errors as of plm_put(). */
int plm_create(plm *rt, size_t len, void **ret_data, plm_ref *ret);
/* Settles the object; then its bytes are read-only. -EINVAL: no unsealed object of the process. */
int plm_seal(plm *rt, plm_ref ref);
/* Waits until the future is settled, and shows its value in place, without a copy. End the view by
 * plm_release(). The process need not hold the future. Errors: -PLM_EFAILED, -PLM_ECANCELLED,
 * -ETIMEDOUT, -ESTALE (no such future any more), -EXDEV (of another runtime, or an earlier boot),
 * and -EDEADLK as of plm_wait(). */
int plm_get(plm *rt, plm_ref ref, plm_view *ret, int timeout_ms);
/* Ends a view. Never waits for tasks; NULL is allowed. */
void plm_release(plm *rt, plm_view *view);

/* ---- tasks ---- */

/* Submits a task; ret receives `results` references (one by default). When the call returns 0, the
 * task is accepted: it runs even if every client dies (but see PLM_TIED). Errors: -ENOENT (no such
 * function), -EINVAL, -E2BIG (too many arguments or results), -ENOSPC (plm_patience()), -ESTALE or
 * -EXDEV (an argument), -EAGAIN (plm_drain()), -ESHUTDOWN (the runtime is being stopped). */
int plm_submit(plm *rt, const plm_task *task, plm_ref *ret);
/* Submits many tasks at once, at a far lower cost each. ret receives the references of all tasks in
 * order. On an error the tasks accepted so far stay accepted, and the references of the remaining
 * tasks are PLM_NONE. Exception: if a task asks for more than 1024 results (-E2BIG), no task is
 * accepted, and only the first n references are written. */
int plm_submit_many(plm *rt, const plm_task *tasks, size_t n, plm_ref *ret);
/* Waits until at least `want` of the n futures are settled (done, failed or cancelled). 0, or
 * -ETIMEDOUT. ready may be NULL; else ready[i] becomes 1 for each settled future, also on
 * -ETIMEDOUT; plm_outcome() tells which of them failed. The process need not hold the futures.
 * In a task, a wait runs the awaited task in place of the waiting task, if possible. If not (the
 * awaited task runs elsewhere or has needs, or the future is an object still to be sealed) and
 * tasks are queued, a spare process takes over the cpu of the waiting task (plm --spares). When the
 * wait is over, the waiting task goes on at once: until the spare has ended its own task, one task
 * more runs than there are cpus.
 * In a task also -EDEADLK, of plm_get() too, in two cases. The task waits for itself, for a task
 * with the waiting task among its arguments, or for a task in whose place the waiting task runs. Or
 * all workers and spares wait and nobody goes on for a second though tasks are queued: the wait
 * that began last fails. Let tasks take futures as arguments instead of waiting. Running tasks that
 * wait for each other are not detected: give them run_ms.
 * All of it holds for a client inside the command of a task, if it connects to the runtime of the
 * task and has PLM_TASK in its environment, except that nothing runs in place of such a wait.
 * Sleeping in poll() on plm_fd() does not count as a wait. */
int plm_wait(plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready);
/* The same, but a task cancelled while running counts only when nothing of the task runs any more:
 * its function has returned, or its command and everything started by the command has ended. If the
 * worker died meanwhile, the task counts when SIGKILL has ended what the worker left; a process
 * which the kernel cannot end within a tenth of a second (waiting for a disk) is not waited for. */
int plm_wait_ended(
    plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready);
/* Waits until every task submitted through `rt` before the call is settled, also dropped tasks (in
 * a task: every task submitted by its worker process). 0, -ETIMEDOUT, -EDEADLK as of plm_wait().
 * Looks at each record of the table once: for the end of a batch, not for each task. */
int plm_wait_all(plm *rt, int timeout_ms);
/* Cancels a task. A queued task is cancelled at once. A running task is asked to stop
 * (plm_cancelled(); a command gets SIGTERM); after half of the grace a signal makes blocking system
 * calls return EINTR; after the grace the worker is killed. The call does not wait for the end, and
 * plm_wait() need not either: the task counts as cancelled from now on (but see plm_wait_ended()).
 * grace_ms: milliseconds from 0 on, or PLM_GRACE_OF_TASK, the grace of the terms. Errors: -EALREADY
 * (settled before), -ESTALE, -EXDEV. */
#define PLM_GRACE_OF_TASK (-1)
int plm_cancel(plm *rt, plm_ref ref, int grace_ms);
/* Returns a running task to the queue. The attempt is ended as by plm_cancel(), together with
 * everything its command started; its work is thrown away, and the task runs again in its turn.
 * Neither `retries` nor `crash_retries` are spent. grace_ms: as of plm_cancel(). 0 also for a task
 * not yet begun. Errors: -EALREADY (settled, or being ended), -EOVERFLOW (returned some hundred
 * times), -EINVAL (an object). */
int plm_requeue(plm *rt, plm_ref ref, int grace_ms);
/* Gives a queued task another place: before all tasks of its priority; this priority (of no meaning
 * for other places); aside, where nothing starts it until it is put back. Errors: -EALREADY (not
 * queued any more), -EINVAL (an object), -ESTALE, -EXDEV, -ETIMEDOUT (a stopped scheduler). */
enum plm_place { PLM_TO_FRONT = 1, PLM_TO_PRIORITY, PLM_ASIDE, PLM_BACK };
int plm_move(plm *rt, plm_ref ref, enum plm_place place, int priority);
/* Tells why a task failed or was cancelled (code PLM_ECANCELLED). Errors: -EINVAL (the task did not
 * fail), -EAGAIN (not settled), -ESTALE, -EXDEV. */
int plm_error(plm *rt, plm_ref ref, plm_failure *ret);
/* Shows the bytes that plm_fail_detail() attached to the failure, of length 0 if there are none. Of
 * a dead worker (EOWNERDEAD): "exit=N signal=N hung=N user_us=N system_us=N rss_kib=N", what it had
 * used. End the view by plm_release(). Errors as of plm_error(); of a cancelled task -EINVAL. */
int plm_failure_detail(plm *rt, plm_ref ref, plm_view *ret);

/* What became of a future, without its value: 0 (done), -PLM_EFAILED, -PLM_ECANCELLED, -EAGAIN (not
 * settled), -ESTALE and -EXDEV (no future of this runtime). No message, no lock. */
int plm_outcome(plm *rt, plm_ref ref);

/* ---- judging before submission: nothing is changed, 0 or -errno with a reason ---- */
int plm_check_function(plm *rt, const char *name); /* -ENOENT */
int plm_check_ref(plm *rt, plm_ref ref);           /* -ESTALE, -EXDEV, -EINVAL */
/* -EINVAL: malformed, or no worker of this runtime can ever meet the needs. */
int plm_check_terms(plm *rt, const plm_terms *terms);
/* Enters the terms into the runtime's table of terms, so that a later submission with them finds
 * room there. 0; -EINVAL as above; -ENOSPC. */
int plm_note_terms(plm *rt, const plm_terms *terms);
/* Submits a failed task anew, as a task of its own with fresh budgets and limits. The failed task
 * stays as it is, and so do tasks that failed because of it. A failed task keeps its arguments for
 * the purpose as long as anybody holds the task (PLM_KEEP: until plm_forget()). If an argument
 * failed too and was retried with success, the new task takes the result of that retry.
 * flags: 0 or PLM_KEEP. ret receives as many references as the task has results.
 * -EINVAL: the task has not failed, has several replicas, or an argument failed and was not
 * retried. Other errors as of plm_submit(). */
int plm_retry(plm *rt, plm_ref failed, unsigned flags, plm_ref *ret);

/* The outcome of one retry: the first reference of the new task with error 0, or PLM_NONE with
 * -errno, whose reason plm_why() tells. Return 0 to go on, any other number to end the call. */
typedef int plm_retry_told(void *context, plm_ref failed, plm_ref again, int error);

/* Retries failed tasks together, so that a failed graph runs again as a graph: an argument that
 * failed and is among the tasks is retried first, and the new task takes the result of that retry.
 * The runtime keeps each new task (PLM_KEEP) and forgets the failed task. `told` hears of each
 * retry. Returns how many tasks were retried; -ENOMEM, -EINVAL. */
int plm_retry_many(plm *rt, const plm_ref *failed, size_t n, plm_retry_told *told, void *context);

/* ---- commands: tasks that run a program ----
 * The first result of a command is what the program wrote to stdout, the second a log of the run
 * (plmctl info, logs); files that the program writes become further results. */

enum plm_command_use {           /* what a command does with a future, or what becomes one */
	PLM_COMMAND_STDIN = 's', /* the value of `ref` is its standard input */
	PLM_COMMAND_IN = 'n', /* the value of `ref` is a file; the variable `name` holds its path */
	PLM_COMMAND_AFTER = 'a',        /* the command starts when `ref` has succeeded */
	PLM_COMMAND_AFTER_ANY = 'A',    /* PLM_AFTER_ANY */
	PLM_COMMAND_AFTER_FAILED = 'F', /* PLM_AFTER_FAILED */
	PLM_COMMAND_OUT = 'o'           /* "NAME" or "NAME=FILE": a written file becomes a result */
};

typedef struct plm_command_future {
	int use;          /* enum plm_command_use */
	const char *name; /* of a variable; NULL for PLM_COMMAND_STDIN and PLM_COMMAND_AFTER... */
	plm_ref ref;      /* PLM_NONE for PLM_COMMAND_OUT */
} plm_command_future;

/* Where a submitter that waits takes the output of a command itself: two descriptors of this
 * process, which must stay open until the command has ended. */
typedef struct plm_command_outlet {
	uint64_t opaque[6];
} plm_command_outlet;

typedef struct plm_command_options { /* zeroes, apart from size, ask for nothing */
	size_t size;                 /* sizeof(plm_command_options) in the caller's program */
	const char *directory;       /* NULL: the current directory of this process */
	const char *input;           /* the path of a file; NULL: standard input is empty */
	const char *output, *error;  /* files for stdout and stderr; NULL: the runtime keeps them */
	const char *label;           /* to find the task by, up to 64 bytes */
	const char *const *variables; /* NAME=VALUE, beyond the environment of this process */
	size_t variable_count;
	uint64_t output_cap;   /* bytes kept of stdout, and of stderr; 0: 16 MiB */
	uint64_t memory_limit; /* bytes of all processes of the command; 0: any */
	int no_environment;    /* environment, umask, nice value and limits are the worker's */
	int outlet;            /* each task of this command names an outlet */
	const plm_command_future *futures;
	size_t future_count;
	const uint64_t *parts; /* offset, length, ...: parts of `input`, given through a pipe */
	size_t part_count;
} plm_command_options;
enum { PLM_COMMAND_RESULTS = 2 }; /* of a command without output files */

/* How plm_failure tells the end of a command. The message begins with one of these words, and the
 * code is the exit code, or PLM_COMMAND_SIGNALLED + the signal; else the command did not start
 * (codes 125 to 127, as a shell has them), or the runtime ended it. */
#define PLM_COMMAND_SAYS_EXIT "exit code "
#define PLM_COMMAND_SAYS_SIGNAL "signal "
enum { PLM_COMMAND_NOT_STARTED = 125, PLM_COMMAND_NOT_FOUND = 127, PLM_COMMAND_SIGNALLED = 128 };

typedef struct plm_command plm_command;

/* 0, or -EINVAL: a name or number makes no sense, or two options contradict each other. */
int plm_command_check(const plm_command_options *options);
/* Prepares what many commands have in common: the caller frees *ret. `like`, NULL or a command that
 * outlives *ret, lends its environment, so that the environment is stored once. 0; -EINVAL;
 * -ENOENT: the current directory no longer exists; -ENAMETOOLONG. */
int plm_command_make(
    plm_command **ret, const plm_command_options *options, const plm_command *like);
/* Stores the common part in the runtime once, instead of a copy in each task. */
int plm_command_share(plm *rt, plm_command *command);
void plm_command_free(plm *rt, plm_command **command);

/* How many arguments the task of so many words has. */
size_t plm_command_nargs(const plm_command *command, size_t words);
/* Makes *task, whose terms, budgets and flags the caller has set, the task that runs these words,
 * and fills args[plm_command_nargs()], which must stay until the task is submitted. `identity` is
 * made of words, directory, files, variables and label. outlet: NULL unless options.outlet. */
int plm_command_task(const plm_command *command, const char *const *words, size_t count,
    const plm_command_outlet *outlet, plm_arg *args, plm_task *task);
/* The three steps for a single command. ret receives PLM_COMMAND_RESULTS references, and one for
 * each PLM_COMMAND_OUT, in their order. task: NULL, or terms, budgets and flags. */
int plm_submit_command(plm *rt, const plm_command_options *options, const char *const *words,
    size_t count, const plm_task *task, plm_ref *ret);

/* An outlet of two open descriptors, for stdout and stderr. live: they are pipes, which the command
 * is given; else files, which receive what is too much to be kept. 0 or -errno. */
int plm_command_outlet_of(int out, int err, int live, plm_command_outlet *ret);

/* Sets task->identity from the function and its arguments. */
void plm_identify(plm_task *task);

/* ---- references ---- */

/* Ends one hold of the process; PLM_NONE and references not held are ignored. The value is
 * freed when no process holds the future and no task needs it. A task that is queued or runs goes
 * on to its end, and only its result is thrown away; a PLM_TIED task is cancelled when no hold and
 * no need is left. Returns at once; only the first call that finds the scheduler standing still
 * returns after ten seconds at most. */
void plm_drop(plm *rt, plm_ref ref);
void plm_drop_many(plm *rt, const plm_ref *refs, size_t n);
/* Takes one more hold; also on a reference from another process. Asks the scheduler if the process
 * has no hold yet. Errors: -ESTALE, -EXDEV, -ETIMEDOUT (the scheduler is stopped). */
int plm_hold(plm *rt, plm_ref ref);
/* Makes the runtime hold the future too, beyond the life of the process, as PLM_KEEP does from
 * birth on. Errors as of plm_hold(). */
int plm_keep(plm *rt, plm_ref ref);
/* Ends the runtime's hold: of plm_keep() or PLM_KEEP. */
int plm_forget(plm *rt, plm_ref ref);
/* A reference as text, "@RECORD.GENERATION.BOOT"; no handle is needed. */
int plm_ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES]);
/* The reverse, with or without the @. -EINVAL: the text is no reference. */
int plm_ref_parse(const char *text, plm_ref *ret);
/* Returns when the scheduler has acted on everything that this process told it, such as forgotten
 * references: lists made afterwards show it. -ETIMEDOUT. */
int plm_sync(plm *rt);
/* For a signal handler: waits that would sleep return -EINTR, until plm_interrupt_end(). */
void plm_interrupt(plm *rt);
void plm_interrupt_end(plm *rt);
/* For a program that sleeps in poll() on plm_fd(), and that a command of a task runs: its sleep
 * between begin and end counts as a wait (plm_wait()). Elsewhere each call costs one look. */
void plm_wait_begin(plm *rt);
void plm_wait_end(plm *rt);
int plm_wait_refused(plm *rt); /* -EDEADLK: this wait has to give way; else 0 */
/* A descriptor for poll() or epoll, readable after a future held by the process was settled: read 8
 * bytes, then look with plm_wait(..., 0, ...). Also readable at the end of the runtime. It belongs
 * to the handle, which closes it; the first call starts a thread. Returns the descriptor. */
int plm_fd(plm *rt);

/* ---- modules ---- */

/* Loads a module into the runtime: its functions can be submitted when the call returns 0. The
 * file is opened by processes of the runtime. Errors: -ENOENT, -ELIBBAD (not loadable), -EPROTO
 * (no PLM_MODULE(), or built with another plm.h), -EEXIST, -ETIMEDOUT, -ENOTSUP (from inside a
 * task). */
int plm_module_load(plm *rt, const char *path);

/* ---- inside a task ----
 * For functions of modules. A plm_call is valid until the function returns, in its thread. */
typedef struct plm_call plm_call;
/* 0, or what plm_fail() returned. */
typedef int plm_function(plm_call *call);

size_t plm_nargs(const plm_call *call);
/* Argument i in place, read-only, until the return. NULL with length 0: none, or an empty one. */
const void *plm_arg_data(const plm_call *call, size_t i, size_t *ret_len);
/* Room for the result in shared memory; write all len bytes. NULL: the store is full (waits a
 * second for room, or as plm_patience() says), or the task has no such result: return plm_fail()
 * with plm_why(). A function that asks for no room yields an empty result. If it asks again, the
 * last call counts. */
void *plm_result(plm_call *call, size_t len);
/* The same for result number `which`, from 0 on, of a task with several results. */
void *plm_result_at(plm_call *call, unsigned which, size_t len);
/* Makes the task fail with a code (an errno; 0 becomes EIO) and a message. Returns the code. */
int plm_fail(plm_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Attaches bytes to the failure of the task, such as an exception with its trace: PLM_DETAIL_BYTES
 * at most, copied; a later call replaces them. Dropped if the task succeeds, or fails by a limit. A
 * task that fails because of an argument carries the argument's detail. 0; -E2BIG; -ENOMEM. */
enum { PLM_DETAIL_BYTES = 65536 };
int plm_fail_detail(plm_call *call, const void *data, size_t len);
/* 1 when the task was asked to stop: return soon. A long function should ask now and then: the
 * question is also a sign of life (plm --hang-after). */
int plm_cancelled(const plm_call *call);
/* The worker's handle: to submit tasks and wait for tasks. Holds taken by the function and not
 * dropped end with the task. Do not disconnect the handle. */
plm *plm_runtime(plm_call *call);

/* ---- writing a module ----
 * A shared object with one PLM_MODULE(), in C or C++, compiled without linking to libplm:
 *	static int dot(plm_call *call) { ... }
 *	PLM_MODULE(vector, { "dot", dot, "X Y: the dot product of two vectors" });
 * A C++ function lets no exception out. A worker process opens a module at the first use and never
 * closes it: static variables live as long as the worker process, pass from task to task there, and
 * no other process sees them. A worker process runs one task at a time; on the stack of a waiting
 * task the awaited task may run meanwhile. */
#define PLM_MODULE_ABI 1
typedef struct plm_export {
	const char *name;
	plm_function *function;
	const char *help;
} plm_export;
typedef struct plm_module {
	uint32_t abi;       /* PLM_MODULE_ABI */
	uint32_t view_size; /* sizeof(plm_view) and sizeof(plm_task) when the module was built: */
	uint32_t task_size; /* a module with another layout is refused */
	uint32_t count;
	const char *name;
	const plm_export *exports;
} plm_module;

#define PLM_MODULE(module_name, ...)                                                              \
	extern PLM_LINKAGE __attribute__((visibility("default")))                                 \
	const plm_module plm_module_table;                                                        \
	static const plm_export plm_exports_[] = { __VA_ARGS__ };                                 \
	const plm_module plm_module_table = { PLM_MODULE_ABI, sizeof(plm_view), sizeof(plm_task), \
		sizeof plm_exports_ / sizeof plm_exports_[0], #module_name, plm_exports_ }

/* ---- a look at the runtime ---- */
typedef struct plm_status {
	char name[32];
	int manager_pid, scheduler_pid;
	unsigned workers, workers_busy, clients;
	unsigned processes_max;
	uint64_t records_max, records_used;
	uint64_t waiting, ready, running, done, failed, cancelled; /* of the records in use */
	uint64_t store_bytes, store_reserved, store_used;
	uint64_t restarts; /* of scheduler, workers and journal since boot */
	/* Since boot: attempts returned to the queue (plm_requeue()), and ended for memory. */
	uint64_t returned, evicted;
	/* Bytes of the machine's memory at the last look (0: no look yet). No task starts while
	 * less than accept_free is free; a task goes back into the queue below return_free (0:
	 * never). */
	uint64_t memory_total, memory_free, memory_accept_free, memory_return_free;
	int memory_short; /* no task starts for want of memory */
	uint64_t uptime_ms;
	int stopping;             /* plm_stop(): runs the accepted tasks, then ends */
	int paused, closed;       /* plm_pause(), plm_drain() */
	unsigned workers_drained; /* plm_drain_worker() */
	unsigned workers_spare;   /* of the workers: spares for workers in a wait (plm_wait()) */
	/* How many tasks of dead workers were queued again; and how long after the death was
	 * noticed: the median of the last 64, the last, the longest. */
	uint64_t reassigned, reassign_median_ns, reassign_last_ns, reassign_max_ns;
	/* The journal (plm --state): "none", "batch" or "sync", "" without a journal; why it cannot
	 * be written just now, "" if it can; how many tasks it has written since boot, and how many
	 * of earlier boots are not in the queue yet. */
	char journal[8], journal_trouble[160];
	uint64_t journal_accepted, journal_ended, journal_resumed, journal_to_resume;
	/* Which finished results stay, in the words of plm --keep-finished; how many have left. */
	char keep_finished[48];
	uint64_t left;
	char journal_damage[160]; /* what became of a damaged journal; "": it was sound */
	/* Bytes that /dev/shm can still give: with less than store_bytes - store_reserved the store
	 * does not reach its size. */
	uint64_t shm_free;
	uint64_t finished;        /* tasks among `done`, which counts objects, too */
	uint64_t store_arguments; /* the part of store_used in argument blocks of tasks */
} plm_status;
/* The numbers of now. Reads each record once: for people, not for loops. `size` is
 * sizeof(plm_status) in the caller's program: a later libplm adds fields at the end, and fills the
 * fields that the caller knows. 0, or -EHOSTDOWN. */
int plm_status_get_sized(plm *rt, plm_status *ret, size_t size);
static inline int plm_status_get(plm *rt, plm_status *ret)
{
	return plm_status_get_sized(rt, ret, sizeof *ret);
}
/* How full the store is, in bytes: for a program that submits no faster than there is room. */
typedef struct plm_store {
	uint64_t bytes, used, largest_free; /* so much, or more, is free in one piece */
	uint64_t arguments, arguments_most; /* in argument blocks; then submissions wait or fail */
	uint64_t objects_most;              /* may be in use when a client has put an object */
} plm_store;
/* By a few loads: no lock, no message. `size` as of plm_status_get_sized(). */
int plm_store_get_sized(plm *rt, plm_store *ret, size_t size);
static inline int plm_store_get(plm *rt, plm_store *ret)
{
	return plm_store_get_sized(rt, ret, sizeof *ret);
}
/* 0; -EHOSTDOWN: the runtime has stopped, or all its processes have been dead for two seconds. */
int plm_alive(plm *rt);
/* 1: the command of a task of this runtime runs our program, and the task has not ended; or 0. */
int plm_inside(plm *rt);
/* The line of plm --on-finish, for a program that submits commands; "": none. 0, -E2BIG. */
int plm_on_finish(plm *rt, char *ret, size_t size);
/* Waits until the journal has written all that happened. 0 (also without one); -ETIMEDOUT. */
int plm_flush(plm *rt, int timeout_ms);
/* plm_inspect.h shows tasks, processes, values and reasons, also of a dead runtime. */

/* ---- ruling the runtime ----
 * Each call but plm_set_policy() is one request to the manager and returns when the manager has
 * accepted, not when all is done. Errors of each: -EHOSTDOWN (no manager), -ETIMEDOUT (the manager
 * is stopped), -ENOTSUP (from inside a task). */

/* Sets the number of workers of the first kind. Missing workers are started; of too many, those
 * with the highest numbers end their task and leave. 0: tasks wait. -EUSERS: no process slots. */
int plm_set_workers(plm *rt, unsigned n);
/* No task is started. Running tasks go on, and submitted tasks wait. */
int plm_pause(plm *rt);
/* No task is accepted (-EAGAIN). A pause ends, so that accepted tasks run. */
int plm_drain(plm *rt);
/* Ends pause and drain, and takes back a plm_stop() while accepted tasks run. */
int plm_resume(plm *rt);
/* A worker by its number, as `plmctl workers` shows it, ends its task and leaves; nobody takes its
 * place until plm_resume_worker(). -ENOENT: no worker has the number. */
int plm_drain_worker(plm *rt, unsigned worker);
int plm_resume_worker(plm *rt, unsigned worker);
/* Sets the policy by which the scheduler chooses a worker, from the next task on; no request to the
 * manager. -ENOENT: no such policy (`plmctl policy` lists all). */
int plm_set_policy(plm *rt, const char *name);
/* Ends the runtime when all accepted tasks have run; now: ends it at once. */
int plm_stop(plm *rt, int now);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
