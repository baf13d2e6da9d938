/* plm.h - distributed futures on one machine: the public interface of libplm.
 *
 * A runtime (./plm) keeps a table of futures. A future is the value of a task that will run, or of
 * an object that was put. You hold futures by reference; values are read where they lie, in shared
 * memory.
 *
 * Every call returns 0 (or a count) or -errno; plm_strerror() says what the number means here, and
 * plm_why() what exactly happened to which thing in this thread's last failed call. No call exits,
 * prints, or installs a signal handler. A handle may be used from any number of threads. After
 * fork() the child must connect anew: calls on the parent's handle return -ECHILD.
 *
 * Timeouts are milliseconds: 0 looks once, negative waits for ever. */
#ifndef PLM_H
#define PLM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define PLM_VERSION "0.1.0"

typedef struct plm plm;

/* A future. Plain data: copy it, store it, send it; but each reference handed to you by a call
 * counts as one hold of your process on the value, ended by one plm_drop(). */
typedef struct plm_ref {
	uint64_t id;      /* slot and generation; 0: no future */
	uint64_t runtime; /* which runtime it belongs to */
} plm_ref;

#define PLM_NONE ((plm_ref){ 0, 0 })
#define PLM_REF_TEXT_BYTES 48

/* A value, read-only, where it lies. Valid until plm_release(); pass it by address, do not copy it:
 * a small value lies in the view itself. */
typedef struct plm_view {
	const void *data;
	size_t len;
	plm_ref ref;             /* ours: do not touch */
	unsigned char small[32]; /* ours: small values are copied here */
} plm_view;

typedef struct plm_arg {
	const void *data; /* inline bytes, copied at submit; NULL with len 0: empty or a future */
	size_t len;
	plm_ref future; /* used when its id is not 0 */
} plm_arg;

#define PLM_BYTES(pointer, length) ((plm_arg){ .data = (pointer), .len = (length) })
#define PLM_FUTURE(reference) ((plm_arg){ .future = (reference) })

enum {
	/* The result outlives this process, until plm_forget(), or until it leaves by itself: in
	 * time, or to make room (plm --keep-finished; plm_terms.keep_ms). In a runtime with a
	 * journal (plm --state) the task outlives the runtime, too: it is durable soon after it was
	 * accepted, or, with --durability sync, when the call returns; which is then -ENOSPC or
	 * -EIO, and the task is cancelled, if the journal cannot be written; -ETIMEDOUT if it was
	 * not in the time that plm_connect_with() was given, else in that of plm_patience(), a
	 * minute at least. */
	PLM_KEEP = 1,
	/* The task ends with its clients. Once no process holds its reference any more, because all
	 * dropped it, disconnected or died, and no task has it as an argument, it is cancelled:
	 * queued, it never starts, and one that runs is asked to stop, with the grace of its terms.
	 * Without this flag a task runs to its end, whether anybody waits for it or not. */
	PLM_TIED = 2,
};

/* What a task may ask for beyond its function. Zeroes ask for nothing: a slot of any worker. */
typedef struct plm_terms {
	const char *needs; /* "cpus=2,mem=1G,gpus=0.5,NAME=1"; ways to be satisfied parted by "|";
			    * what no worker can ever give is refused at submit */
	/* Limits in milliseconds, 0: none. Reaching one is a failure with code ETIMEDOUT. */
	uint32_t queue_ms; /* from submission to the first start */
	uint32_t run_ms;   /* of one attempt; counts as a failure, so `retries` may run it again */
	uint32_t total_ms; /* from submission to settlement, retries and pauses with it */
	/* The pause before the first retry, doubled for each further one up to the maximum
	 * (0: a minute), and up to a quarter more. */
	uint32_t backoff_ms, backoff_max_ms;
	/* How long it may go on after it was asked to stop, by a limit or by a plm_cancel() that
	 * names no grace (0: a second). */
	uint32_t grace_ms;
	/* So many workers apart run it at once (0, 1: one); the first good result counts and the
	 * others are cancelled; it fails when all of them have. For tasks of one result, whose
	 * value is copied once. Budgets and limits are each replica's own. */
	uint32_t replicas;
	/* So long after its end its result stays for certain, if the runtime keeps it (PLM_KEEP);
	 * 0: as plm --keep-finished says, or until the room is needed. */
	uint32_t keep_ms;
	uint64_t reserved[3]; /* zero */
} plm_terms;

typedef struct plm_task {
	const char *function; /* "module.function" */
	const plm_arg *args;
	size_t nargs;
	int priority;     /* -32768 to 32767, larger first; equal ones in order of submission,
			   * clients that flood take turns */
	unsigned results; /* how many futures it yields, at most 1024; 0 means 1 */
	/* Two budgets: run again after a failure of the function, and after its worker died, at
	 * most so often. Not by the worker that has just failed it, while another is free. */
	unsigned retries, crash_retries;
	unsigned flags;         /* PLM_KEEP, PLM_TIED */
	const plm_terms *terms; /* NULL: none; tasks may share them */
	/* What is to be done, in 128 bits of yours; zeroes: it has no such name. Nothing is refused
	 * for it: who submits again what may be here looks for it (plmctl load --unique). */
	uint64_t identity[2];
	uint64_t reserved; /* zero */
} plm_task;

typedef struct plm_failure {
	int code;          /* errno of the root failure; what the function gave to plm_fail() */
	int signal;        /* the signal that ended its worker, 0 if none */
	plm_ref task;      /* the task that failed first; the future asked for may only depend on it
			    * */
	char function[64]; /* and its function */
	char message[512];
} plm_failure;

/* Errors with a meaning of their own here. */
#define PLM_EFAILED 121    /* EREMOTEIO: the task failed; plm_error() tells */
#define PLM_ECANCELLED 125 /* ECANCELED: the task was cancelled */

const char *plm_strerror(int error);
const char *plm_why(void);

/* ---- life ---- */
int plm_connect(plm **ret, const char *name); /* NULL: $PLM_NAME, else "default" */
/* The same, for a while at most. timeout_ms: how long connecting, and later each request to the
 * manager (the calls that rule, plm_module_load()), may take, a second at least; negative: ten
 * seconds, a minute for a module. -ETIMEDOUT: the manager is stopped or hangs.
 * flags: 0, or PLM_VISIT of a process that comes to look at the runtime or to rule it, and leaves
 * soon: when clients have all process slots that they may have, it gets one of those that are kept
 * for visits. */
enum { PLM_VISIT = 1 };
int plm_connect_with(plm **ret, const char *name, unsigned flags, int timeout_ms);
void plm_disconnect(plm **rt); /* drops all this process holds */

/* How long create, put and submit may wait when the store or the table is full. Default 0: -ENOSPC.
 * The last tenth of the table, 4,096 futures at most, is for processes that hold fewer than that:
 * for a process that holds more the table is full before. */
int plm_patience(plm *rt, int timeout_ms);

/* ---- objects ---- */
int plm_put(plm *rt, const void *data, size_t len, plm_ref *ret);
int plm_create(plm *rt, size_t len, void **ret_data, plm_ref *ret); /* write in place, then seal */
int plm_seal(plm *rt, plm_ref ref);
int plm_get(plm *rt, plm_ref ref, plm_view *ret, int timeout_ms); /* waits; no copy */
void plm_release(plm *rt, plm_view *view);

/* ---- tasks ---- */
/* ret receives `results` references (one, unless asked otherwise). */
int plm_submit(plm *rt, const plm_task *task, plm_ref *ret);
/* Many at once, far cheaper each. ret receives the references of all tasks in order. On an error
 * the tasks accepted so far stay accepted and the references of the others are PLM_NONE. But if one
 * of them asks for more than 1024 results (-E2BIG), none is accepted, and only the first n
 * references are written. */
int plm_submit_many(plm *rt, const plm_task *tasks, size_t n, plm_ref *ret);
/* 0 when at least `want` of the n are settled (done, failed or cancelled), else -ETIMEDOUT.
 * ready may be NULL; else ready[i] becomes 1 for each settled one.
 * In a task also -EDEADLK, of plm_get() too: it waits for itself, or for what has it, or one that
 * it runs in the place of, among its arguments. No task can be an argument of itself, by whatever
 * way: a reference that was not handed out yet is -ESTALE. Tasks that run and wait for each other
 * are not found out: give them run_ms.
 * A task that waits runs what it waits for in its own place. If that runs elsewhere, has needs, or
 * is an object that somebody brings, and other tasks are queued, a spare process takes over its
 * slot (plm --spares). When all workers and spares wait, and nobody goes on for a second though
 * tasks are queued, the wait that began last is -EDEADLK: let tasks take futures as arguments
 * instead. When a wait is over, its task goes on at once: until its spare has ended what it runs,
 * one more task runs than there are slots.
 * The same holds of a client that the command of a task runs, if it connects to the runtime of that
 * task and has PLM_TASK in its environment, but that nothing is run in its place. Who sleeps in
 * poll() on plm_fd() does not wait in this sense. */
int plm_wait(plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready);
/* The same, but a task that was cancelled while it ran counts only when nothing of it runs any
 * more: its function has returned, its command and all that this had started has ended. If its
 * worker died meanwhile, it counts when what the worker left has ended by SIGKILL; a process that
 * the kernel cannot end within a tenth of a second (it waits for a disk) is not waited for. */
int plm_wait_ended(
    plm *rt, const plm_ref *refs, size_t n, size_t want, int timeout_ms, uint8_t *ready);
/* A task that waits is cancelled at once. One that runs is asked to stop (plm_cancelled()); after
 * half of the grace a signal lets its blocking system calls return EINTR; after the grace its
 * worker is killed. Whoever waits for it need not wait for that: it counts as cancelled from now
 * on (but see plm_wait_ended()). grace_ms: milliseconds from 0 on, or PLM_GRACE_OF_TASK, the grace
 * of its terms. 0, -EALREADY (settled before). */
#define PLM_GRACE_OF_TASK (-1)
int plm_cancel(plm *rt, plm_ref ref, int grace_ms);
/* Back into the queue: a task that runs is ended like one that is cancelled, with all that a
 * command of it has started, what it has done is thrown away, and it runs again when its turn
 * comes. Neither `retries` nor `crash_retries` are spent. grace_ms: as of plm_cancel(). 0, also for
 * a task that has not begun; -EALREADY (settled, or about to be), -EOVERFLOW (it was returned some
 * hundred times). */
int plm_requeue(plm *rt, plm_ref ref, int grace_ms);
/* Why it failed. 0, -EINVAL (it did not fail), -EAGAIN (not settled). */
int plm_error(plm *rt, plm_ref ref, plm_failure *ret);

/* What became of a future, without its value: 0 (done), -PLM_EFAILED, -PLM_ECANCELLED, -EAGAIN (not
 * settled), -ESTALE and -EXDEV (no future of this runtime). */
int plm_outcome(plm *rt, plm_ref ref);

/* ---- judging before submission: nothing is changed, 0 or -errno with a reason ---- */
int plm_check_function(plm *rt, const char *name); /* -ENOENT */
int plm_check_ref(plm *rt, plm_ref ref);           /* -ESTALE, -EXDEV, -EINVAL */
/* -EINVAL: malformed, or no worker of this runtime can ever meet the needs. */
int plm_check_terms(plm *rt, const plm_terms *terms);
/* Enters the terms into the runtime's table of terms, so that a later submission with them finds
 * room there. 0; -EINVAL as above; -ENOSPC. */
int plm_note_terms(plm *rt, const plm_terms *terms);

/* A task that failed keeps its arguments as long as anybody holds it (PLM_KEEP: until
 * plm_forget()), and can be submitted anew as a task of its own, with fresh budgets and limits: the
 * failed one, and what failed with it, stay as they are. But one of several replicas cannot, and
 * one with an argument that failed only after that was retried, too, and went well: it takes what
 * that one was retried as in its place.
 * flags: 0 or PLM_KEEP; ret receives as many references as it has results.
 * 0, -EINVAL (it has not failed, or cannot be retried). */
int plm_retry(plm *rt, plm_ref failed, unsigned flags, plm_ref *ret);

/* ---- commands: tasks that run a program ----
 * The first result of a command is what the program wrote to stdout, the second a log of the run
 * (plmctl info, logs); files that the program writes become further results. */

enum plm_command_use {           /* what a command does with a future, or what becomes one */
	PLM_COMMAND_STDIN = 's', /* the value of `ref` is its standard input */
	PLM_COMMAND_IN = 'n', /* the value of `ref` is a file; the variable `name` holds its path */
	PLM_COMMAND_AFTER = 'a', /* the command starts when `ref` has succeeded */
	PLM_COMMAND_OUT =
	    'o' /* "NAME" or "NAME=FILE": a file the command writes becomes a result */
};

typedef struct plm_command_future {
	int use;          /* enum plm_command_use */
	const char *name; /* of a variable; NULL for PLM_COMMAND_STDIN and PLM_COMMAND_AFTER */
	plm_ref ref;      /* PLM_NONE for PLM_COMMAND_OUT */
} plm_command_future;

/* Where a submitter that waits takes the output of a command itself: two descriptors of this
 * process, which must stay open until the command has ended. */
typedef struct plm_command_outlet {
	uint64_t opaque[6];
} plm_command_outlet;

typedef struct plm_command_options {  /* zeroes, apart from size, ask for nothing */
	size_t size;                  /* sizeof(plm_command_options) in the caller's program */
	const char *directory;        /* NULL: the current directory of this process */
	const char *input;            /* the path of a file; NULL: standard input is empty */
	const char *label;            /* to find the task by, up to 64 bytes */
	const char *const *variables; /* NAME=VALUE, beyond the environment of this process */
	size_t variable_count;
	uint64_t output_cap;   /* bytes kept of stdout, and of stderr; 0: 16 MiB */
	uint64_t memory_limit; /* bytes of all processes of the command; 0: any */
	/* Environment, umask, nice value and limits are the worker's, not those of this process. */
	int no_environment;
	int outlet; /* each task of this command names an outlet */
	const plm_command_future *futures;
	size_t future_count;
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
void plm_drop(plm *rt, plm_ref ref);
void plm_drop_many(plm *rt, const plm_ref *refs, size_t n);
int plm_hold(plm *rt, plm_ref ref);   /* one more hold; also of a reference that came from elsewhere
				       * */
int plm_keep(plm *rt, plm_ref ref);   /* the runtime holds it too, beyond this process */
int plm_forget(plm *rt, plm_ref ref); /* ends plm_keep() */
int plm_ref_print(plm_ref ref, char text[PLM_REF_TEXT_BYTES]);
int plm_ref_parse(const char *text, plm_ref *ret); /* "@..." or without the @ */

/* Returns when the scheduler has acted on everything that this process told it, such as forgotten
 * references: lists made afterwards show it. -ETIMEDOUT. */
int plm_sync(plm *rt);

/* For a signal handler: waits of this handle that would sleep return -EINTR, until
 * plm_interrupt_end(). */
void plm_interrupt(plm *rt);
void plm_interrupt_end(plm *rt);

/* For a program that sleeps in poll() on plm_fd(), and that a command of a task runs: its sleep
 * between begin and end counts as a wait (plm_wait()). Both cost one look elsewhere. */
void plm_wait_begin(plm *rt);
void plm_wait_end(plm *rt);
int plm_wait_refused(plm *rt); /* -EDEADLK: this wait has to give way; else 0 */

/* Readable (poll, epoll) after something this process holds was settled; read it, then look with
 * plm_wait(..., 0, ...). The descriptor belongs to the handle. */
int plm_fd(plm *rt);

/* ---- modules ---- */
int plm_module_load(plm *rt, const char *path); /* 0, or -errno and plm_why() says what is wrong */

/* ---- inside a task ---- */
typedef struct plm_call plm_call;
typedef int plm_function(plm_call *call); /* 0, or what plm_fail() returned */

size_t plm_nargs(const plm_call *call);
const void *plm_arg_data(const plm_call *call, size_t i, size_t *ret_len); /* in place, read-only */
/* The place of the result, to be written in full; NULL when the store is full (return plm_fail()).
 * A function that asks for none yields an empty result. The last call counts. */
void *plm_result(plm_call *call, size_t len);
void *plm_result_at(plm_call *call, unsigned which, size_t len);
int plm_fail(plm_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 1 when somebody cancelled this task: return soon. To ask is a sign of life (--hang-after). */
int plm_cancelled(const plm_call *call);
plm *plm_runtime(plm_call *call); /* to submit and wait for tasks of one's own */

/* ---- writing a module ----
 * A shared object with one PLM_MODULE(), compiled without linking anything:
 *	static int dot(plm_call *call) { ... }
 *	PLM_MODULE(vector, { "dot", dot, "X Y: the dot product of two vectors" });
 */
#define PLM_MODULE_ABI 1

typedef struct plm_export {
	const char *name;
	plm_function *function;
	const char *help;
} plm_export;

typedef struct plm_module {
	uint32_t abi;       /* PLM_MODULE_ABI */
	uint32_t view_size; /* sizeof(plm_view), sizeof(plm_task): another layout is refused, not
			     * guessed */
	uint32_t task_size;
	uint32_t count;
	const char *name;
	const plm_export *exports;
} plm_module;

#define PLM_MODULE(module_name, ...)                                                              \
	static const plm_export plm_exports_[] = { __VA_ARGS__ };                                 \
	__attribute__((visibility("default")))                                                    \
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
	uint64_t restarts; /* of the scheduler and of workers since boot */
	/* Attempts that went back into the queue since boot (plm_requeue), and attempts that were
	 * ended for want of memory. */
	uint64_t returned, evicted;
	/* Bytes: what there is and what is free, as of the last look (0: there was none); no task
	 * starts while less than accept_free is, one goes back below return_free (0: never). */
	uint64_t memory_total, memory_free, memory_accept_free, memory_return_free;
	int memory_short; /* no task starts for want of memory */
	uint64_t uptime_ms;
	int draining;             /* it is being stopped */
	int paused, closed;       /* plm_pause(), plm_drain() */
	unsigned workers_drained; /* plm_drain_worker() */
	unsigned workers_spare;   /* of the workers: they stand in for some that wait (plm_wait) */
	/* Tasks of dead workers that were queued again; and how long after the death, as it was
	 * noticed: the median of the last 64, the last, the longest. */
	uint64_t reassigned, reassign_median_ns, reassign_last_ns, reassign_max_ns;
	/* The journal (plm --state): "none", "batch" or "sync", "" without one; why it cannot be
	 * written just now, "" if it can; tasks it has written since boot, and those of earlier
	 * boots that are not in the queue yet. */
	char journal[8], journal_trouble[160];
	uint64_t journal_accepted, journal_ended, journal_resumed, journal_to_resume;
	/* Which finished results stay, as plm --keep-finished says it, and how many have left. */
	char keep_finished[48];
	uint64_t left;
	char journal_damage[160]; /* it was damaged: what became of it; "": it was not */
	/* What /dev/shm can still give: with less than store_bytes - store_reserved the store does
	 * not reach its size. */
	uint64_t shm_free;
	uint64_t finished; /* of `done` those that are tasks: objects are done, too */
} plm_status;
/* Reads each record once: for people, not for loops. `size` is sizeof(plm_status) in the caller's
 * program: a later libplm adds fields at the end, and fills those that the caller knows. */
int plm_status_get_sized(plm *rt, plm_status *ret, size_t size);
static inline int plm_status_get(plm *rt, plm_status *ret)
{
	return plm_status_get_sized(rt, ret, sizeof *ret);
}
/* 0; -EHOSTDOWN: the runtime has stopped, or none of its processes has lived for two seconds. */
int plm_alive(plm *rt);
/* 1: a task of this runtime runs a command, and that command runs this program. */
int plm_inside(plm *rt);
/* Returns when the journal has written all that durable tasks did so far. 0, also without a
 * journal; -ETIMEDOUT. */
int plm_flush(plm *rt, int timeout_ms);
/* More of a runtime, and runtimes that are dead: plm_inspect.h. */

/* ---- ruling it: each returns when accepted ---- */
/* So many workers of the first kind from now on. More are started; of too many, those with the
 * highest numbers end what they run and leave. 0: tasks wait. -EUSERS: too few process slots. */
int plm_set_workers(plm *rt, unsigned n);
int plm_pause(plm *rt);  /* no task is started; those that run go on, and what is submitted waits */
int plm_drain(plm *rt);  /* no task is accepted (-EAGAIN); those accepted run, also if paused */
int plm_resume(plm *rt); /* ends both */
/* A worker by its number, as `plmctl workers` shows it. It ends what it runs and leaves, nobody
 * takes its place until it is resumed. -ENOENT: there is none of the number. */
int plm_drain_worker(plm *rt, unsigned worker);
int plm_resume_worker(plm *rt, unsigned worker);
/* By which policy the scheduler chooses a worker from now on (`plmctl policy`). -ENOENT. */
int plm_set_policy(plm *rt, const char *name);
int plm_stop(plm *rt, int now); /* drain and end; now: end at once. Returns when accepted. */

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
