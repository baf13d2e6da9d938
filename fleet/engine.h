/* engine.h - what a fleet asks of the engine that keeps its queue, in eight verbs: add, claim,
 * renew, commit, fail, cancel, result, watch. The files engine_*.c ask a Redis; another engine
 *would have files of its own.
 *
 * The engine owns the truth: a task is in one state, and a running task belongs to one member in
 * one attempt. A member is one life of a host's bridge, with a lease: a member that does not renew
 * loses all its tasks in one step. Each verb is one step of the engine, and one round trip.
 *
 * Errors: -errno with a why.
 *	-ENOTCONN   the engine cannot be reached, or the connection broke: the verb may or may
 *	            not have happened; engine_reopen(), then engine_mine()
 *	-ESTALE     the member was taken over: nothing it owned is its own any more
 *	-EXDEV      the queue was replaced by another one: likewise
 *	-EACCES     wrong password, or no permission
 *	-EPROTO     a queue or functions of another version; an engine that is too old
 *	-EEXIST     keys of another program are in the way
 *	-ENOSPC     the memory of the engine is full: no task is added
 *	-ENOENT     a task that was named is not there
 * Who: one thread for each handle.  Blocks: for an answer, timeout_ms at most. */
#ifndef PLM_FLEET_ENGINE_H
#define PLM_FLEET_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/plm.h"
#include "fleet/carry.h"
#include "fleet/url.h"

struct engine;

enum {
	ENGINE_ADD_MOST = 512,          /* tasks of one engine_add() */
	ENGINE_COMMIT_MOST = 512,       /* ends of one engine_commit() */
	ENGINE_VALUE_MOST = 8 << 20,    /* bytes of a value, or of the words of a task */
	ENGINE_ERRORS_MOST = 256 << 10, /* bytes of stderr: the last ones */
	ENGINE_PIECE_MOST = 256 << 10,  /* bytes of output while a command runs, in one answer */
	ENGINE_MEMBER_BYTES = 24,       /* the name of a member */
	ENGINE_FAR_BYTES = 400,         /* the place of a large value, as text */
	ENGINE_DROPS_MOST = 64,         /* values that one renewal tells a host to drop */
	ENGINE_TITLE_MOST = 200,        /* bytes that say what a task does, for lists */
	ENGINE_NEEDS_MOST = 160,
};

int engine_open(struct engine **ret, const struct fleet_url *url, int timeout_ms);
/* Connects anew after -ENOTCONN, to the same queue: -EXDEV if another one took its place. */
int engine_reopen(struct engine *e);
void engine_close(struct engine **ep);
const char *engine_shown(const struct engine *e); /* the address, without a password */
uint64_t engine_epoch(const struct engine *e);    /* the `runtime` of the queue's references */
uint64_t engine_lease_ms(const struct engine *e);
const uint8_t *engine_secret(const struct engine *e); /* CARRY_SECRET_BYTES of the queue */
/* The address of this machine on the way to the engine; of a unix socket the loopback. */
const char *engine_own_address(const struct engine *e);

/* The value that task `id` has as its result number `part`: an id, too, of the task if part is 0.
 * All verbs but engine_result() mean the task. */
#define ENGINE_TASK_BITS 36
static inline uint64_t engine_value_id(uint64_t id, unsigned part)
{
	return id | (uint64_t)part << ENGINE_TASK_BITS;
}
static inline uint64_t engine_task_id(uint64_t id)
{
	return id & ((UINT64_C(1) << ENGINE_TASK_BITS) - 1);
}
static inline unsigned engine_part_of(uint64_t id)
{
	return (unsigned)(id >> ENGINE_TASK_BITS);
}

/* An id as a reference, and back; *ret_id is 0 for a reference of another queue. */
plm_ref engine_ref(const struct engine *e, uint64_t id);
int engine_id(const struct engine *e, plm_ref ref, uint64_t *ret_id); /* 0, or -EXDEV */
/* The same without a handle, which another thread may be using. */
plm_ref engine_ref_of(uint64_t epoch, uint64_t id);
bool engine_id_of(uint64_t epoch, plm_ref ref, uint64_t *ret_id);

/* ---- add ---- */

/* When a task may start that waits for another one: plm_arg and enum plm_after of plm.h. */
enum engine_condition {
	AFTER_DONE = 0,
	AFTER_ANY = 'a',    /* has ended in any way */
	AFTER_FAILED = 'f', /* has failed or been cancelled; else the waiting task is cancelled */
};
enum { ENGINE_PREVIOUS = 0 };
struct engine_after {
	uint64_t id; /* ENGINE_PREVIOUS: the task before in the same engine_add(), under a
			condition; it is the only one then */
	enum engine_condition condition;
};

struct engine_task {
	const void *words; /* the task, as task_words.h writes it */
	size_t words_bytes;
	int priority;
	const char *needs; /* the class of the task: task_class.h */
	unsigned retries, crash_retries;
	uint32_t queue_ms, total_ms, backoff_ms, backoff_max_ms; /* 0: none */
	uint64_t keep_ms;                                        /* 0: as long as the queue says */
	const char *label, *title;                               /* "": none */
	uint64_t identity[2];
	const struct engine_after *after; /* tasks that it waits for */
	size_t afters;
};

/* Adds up to ENGINE_ADD_MOST tasks, all or none. ids[i] is the new task; with `unique` the negative
 * id of a task of the same identity that waits, runs or is done. token: engine_tokens(), to be
 * told of their ends, or "". */
int engine_add(struct engine *e, const struct engine_task *tasks, size_t n, bool unique,
    const char *token, int64_t *ids);

/* Adds a value that no task has made, as a task that is done. */
int engine_put(
    struct engine *e, const char *title, const void *value, size_t bytes, uint64_t *ret_id);

/* ---- claim, renew, commit, fail: a host ---- */

struct engine_claim {
	uint64_t id, attempt;
	uint64_t block, from; /* for engine_end; 0: the task lies in no block */
	const char *words;    /* until the next verb of the handle */
	size_t words_bytes;
	uint64_t left_ms; /* of the total limit; 0: no limit */
	const char *ends; /* engine_claim_end(); as long as the words */
	uint64_t pushed;  /* engine_bell(): the number of the message */
};

/* What a host can take, said with each claim and commit. A host with free workers for which nothing
 * waits gets new tasks unasked: engine_bell(). */
struct engine_room {
	unsigned free;  /* workers */
	uint64_t heard; /* the last engine_claim.pushed */
};

struct engine_class { /* tasks of one class: task_class.h */
	const char *needs;
	unsigned most;
};

/* Takes up to n tasks for the member, best first. Returns how many; with fewer than n the member is
 * told (engine_bell()) when there is more, and with n = 0 it gets nothing unasked any more.
 * *ret_ms: the next look is due then; -1: at a bell. */
int engine_claim(struct engine *e, const char *member, const struct engine_room *room, unsigned n,
    const struct engine_class *class, size_t classes, struct engine_claim *ret, int64_t *ret_ms);
/* How a task ended that the claimed task waited for under AFTER_ANY or AFTER_FAILED: "STATE CODE",
 * up to a semicolon. ENGINE_PREVIOUS becomes the id of that task. Its length; 0: the engine does
 * not say. */
size_t engine_claim_end(const struct engine_claim *claim, uint64_t *id, const char **ret);
/* Keeps the words of the last claim beyond the next verb, until engine_reply_free(). */
void *engine_reply_take(struct engine *e);
void engine_reply_free(void *reply);

enum engine_ending {
	ENDING_DONE = 'd',
	ENDING_FAILED = 'f',    /* spends a retry */
	ENDING_CRASHED = 'x',   /* spends a crash retry */
	ENDING_CANCELLED = 'c', /* on request */
	ENDING_BACK = 'b',      /* never began, or was sent back: spends nothing */
	ENDING_LACKS = 'l',     /* never began, since a large value is lost: engine_end.lost */
};

/* A value of more than ENGINE_VALUE_MOST bytes stays in the runtime that made it, until the engine
 * tells the host to drop it. */
struct engine_far {
	plm_ref ref; /* of that runtime; PLM_NONE: the value is in the engine */
	uint64_t bytes;
	char hash[CARRY_HASH_TEXT], host[100];
};

/* The reference of such a value as a text for the engine, "ID.BOOT". False: it is none. */
enum { ENGINE_PLACE_BYTES = 34 };
void engine_place_print(plm_ref ref, char text[ENGINE_PLACE_BYTES]);
bool engine_place_parse(const char *text, plm_ref *ret);

/* How engine_end.message begins, with code ENOENT, if the host has no function of this name. */
#define ENGINE_SAYS_NO_FUNCTION "no function \""

struct engine_value {  /* a further result */
	unsigned part; /* its number */
	const void *data;
	size_t bytes;
	const struct engine_far *far; /* NULL: the bytes */
};

struct engine_end {                        /* commit (ENDING_DONE) or fail (the others) */
	uint64_t id, attempt, block, from; /* of the claim */
	enum engine_ending kind;
	int code, signal;
	const char *message;
	/* The result, stdout, or what a function attached to its failure (plm_fail_detail()); and
	 * stderr. */
	const void *value, *error_output;
	size_t value_bytes, error_bytes;
	const struct engine_far *far; /* the result, instead of bytes; NULL: none */
	const struct engine_value *more;
	size_t mores;
	uint64_t lost; /* of ENDING_LACKS: the task that made the value, which was at lost_at */
	const struct engine_far *lost_at;
	uint64_t wall_us;
};

/* Ends attempts. taken[i]: 0 if the attempt was void, because its task had been taken over.
 * *ret_idle: all that waits will still be told; false: the member should claim. */
int engine_commit(struct engine *e, const char *member, const struct engine_room *room,
    const struct engine_end *ends, size_t n, uint8_t *taken, bool *ret_idle);

struct engine_facts { /* of a host, for people */
	const char *name, *runtime;
	int pid;
	unsigned cores, busy;
	uint64_t memory_total, memory_used;
	const char *can;   /* classes with needs that the host can run, a line each */
	const char *lacks; /* a line for each of the others: class, a tab, why not */
	const char *has;   /* modules and interpreters, a line each: "module NAME", "python PATH" */
	uint64_t boot;     /* of the runtime: plm_ref.runtime */
	const char *serves; /* the address for large values; "": none */
};

struct engine_orders {       /* by an operator */
	bool drain, close;   /* claim nothing; then leave */
	int64_t next_ms;     /* as in engine_claim() */
	const char *needs;   /* all classes, a line each */
	const char *drops;   /* large values that nobody needs any more */
	uint64_t pushed;     /* the number of the last task that was given unasked */
	const char *trace;   /* a request of engine_trace_ask(), once; "": none */
	const uint64_t *end; /* tasks to be ended */
	size_t ends;
};

int engine_join(struct engine *e, const char *member, const struct engine_facts *facts);
/* *ret is valid until the next verb. */
int engine_renew(struct engine *e, const char *member, const struct engine_facts *facts,
    struct engine_orders *ret);
/* The claims of a member after its connection broke: ids and attempts, n pairs at most. Returns how
 * many there are. *ret_pushed: tasks pushed up to this number are among them. */
int engine_mine(
    struct engine *e, const char *member, uint64_t (*ret)[2], size_t n, uint64_t *ret_pushed);
int engine_leave(struct engine *e, const char *member);
/* Large values that are to be dropped unless a commit takes them; values that were dropped. As
 * engine_place_print() writes them, blanks between them. */
int engine_pledge(struct engine *e, uint64_t boot, const char *refs);
int engine_dropped(struct engine *e, uint64_t boot, const char *refs);

/* Readable when the engine has something for the member; opens a second connection. engine_bell()
 * reads one message: its kind, 0 if there is none, or -ENOTCONN. */
enum engine_bells {
	BELL_WORK = 1, /* engine_claim() */
	BELL_ORDER,    /* engine_renew() */
	BELL_TASK,     /* *ret is claimed for the member; the words are valid until the next look */
	BELL_FOLLOW,   /* ret->words, a text, is a request of engine_follow() */
};
int engine_bell_open(struct engine *e, const char *member);
int engine_bell_fd(const struct engine *e);
int engine_bell(struct engine *e, struct engine_claim *ret);

/* ---- cancel, result, watch: a user ---- */

/* ret[i]: 1 done, 0 not in a state for it, -1 no such task, -2 a task that it waits for has not
 * ended as it has to. */
int engine_cancel(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);
int engine_requeue(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);
int engine_retry(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);
int engine_forget(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret);
/* Another place for tasks that have not begun. PLACE_BACK is for parked ones alone. */
enum engine_place { PLACE_PRIORITY, PLACE_FRONT, PLACE_PARKED, PLACE_BACK };
int engine_move(struct engine *e, const uint64_t *ids, size_t n, enum engine_place place,
    int priority, int8_t *ret);

enum engine_state {
	ENGINE_NONE,
	ENGINE_WAITING,
	ENGINE_READY,
	ENGINE_PAUSE,
	ENGINE_PARKED,
	ENGINE_RUNNING,
	ENGINE_DONE,
	ENGINE_FAILED,
	ENGINE_CANCELLED,
	ENGINE_STATES
};
const char *engine_state_name(enum engine_state state);
static inline bool engine_settled(enum engine_state state)
{
	return state >= ENGINE_DONE || state == ENGINE_NONE;
}

struct engine_row { /* texts are valid until the next verb */
	uint64_t id;
	enum engine_state state;
	int priority, code, signal;
	unsigned attempt, retries, crash_retries;
	uint64_t added_ms, began_ms, ended_ms, wall_us; /* since 1970, by the engine's clock */
	const char *needs, *host, *label, *title, *message, *after;
};

struct engine_result {
	enum engine_state state;
	struct engine_far far; /* where the value is, if not here */
	int code, signal;
	unsigned attempt;
	const char *message;
	const char *value, *error_output; /* until the next verb */
	size_t value_bytes, error_bytes;
};

int engine_result(struct engine *e, uint64_t id, struct engine_result *ret);
/* What to say to the host of a large value. -ENODATA: the host is not in the fleet any more. */
int engine_place(struct engine *e, const struct engine_far *far, struct carry_order *ret);
/* A large value is lost: its task runs again, if crash_retries allow. 1: it does, or has run again;
 * 0: it may not. */
int engine_remake(struct engine *e, uint64_t id, const struct engine_far *far);
int engine_row(struct engine *e, uint64_t id, struct engine_row *ret);
/* The tasks from *from on; sets *from to go on, 0 at the end. Returns rows, n at most. */
int engine_list(struct engine *e, uint64_t *from, struct engine_row *ret, size_t n);

/* Opens the connection on which ends are told; returns the token of the handle. */
int engine_watch_open(struct engine *e);
const char *engine_token(const struct engine *e);
/* The states of tasks; the ends of those that have not ended will be told. */
int engine_watch(struct engine *e, const uint64_t *ids, size_t n, enum engine_state *ret);
/* The same, and the ends are told to another handle, which has the token. */
int engine_watch_for(
    struct engine *e, const char *token, const uint64_t *ids, size_t n, enum engine_state *ret);
struct engine_news {
	uint64_t id;
	/* The task is done and this is the value, until the next engine_told(); NULL:
	 * engine_result() tells. */
	const char *value;
	size_t value_bytes;
};

/* Waits until tasks have ended or the time is over, and gives up to n of them. 0: time; -ENOTCONN.
 */
int engine_told(struct engine *e, int timeout_ms, struct engine_news *ret, size_t n);

struct engine_reason { /* texts are valid until the next verb */
	enum engine_state state;
	const char *needs, *host, *message;
	uint64_t before;             /* tasks of the same class that come first */
	uint64_t pause_ms, began_ms; /* until its end; since the begin */
	unsigned attempt;
	size_t waits; /* for tasks that are not done */
};
int engine_explain(struct engine *e, uint64_t id, struct engine_reason *ret);
/* Task i of engine_reason.waits. */
struct engine_wait {
	uint64_t id;
	const char *state; /* "gone": none of engine_state_name() */
	enum engine_condition condition;
};
struct engine_wait engine_waits_for(const struct engine *e, size_t i);

struct engine_status {
	uint64_t waiting, ready, pause, running, done, failed, cancelled, hosts, parked;
};
static inline uint64_t engine_todo(const struct engine_status *s)
{
	return s->waiting + s->ready + s->pause + s->parked;
}
int engine_status(struct engine *e, struct engine_status *ret);

struct engine_host { /* texts are valid until the next verb */
	const char *member, *name, *state, *order, *runtime, *version, *can, *lacks, *has;
	uint64_t seen_ms, claimed, cores, busy, memory_total, memory_used, finished;
	int pid;
};
/* Calls `row` for each host, present or gone. */
typedef void engine_host_f(void *context, const struct engine_host *host);
int engine_hosts(struct engine *e, engine_host_f *row, void *context);
/* order: "drain", "close", or "" to go on. Returns how many hosts have the name. */
int engine_order(struct engine *e, const char *name, const char *order);

/* Asks each host to renew now, because a module may have been loaded since its last renewal. */
int engine_freshen(struct engine *e);

/* Asks the host that runs the task for what the command has written to stream 1 or 2, from a byte
 * on. The answer comes by engine_trace_take(): "ATTEMPT FROM", a line feed, and up to
 * ENGINE_PIECE_MOST bytes. No answer: the host has other troubles, and may be asked again. */
struct engine_followed {
	enum engine_state state;
	unsigned attempt;
};
int engine_follow(struct engine *e, uint64_t id, const char *token, int stream, uint64_t from,
    struct engine_followed *ret);

/* ---- traces: engine_trace.c ---- */

/* The clock of the engine against CLOCK_MONOTONIC here: the quickest of some round trips. */
struct engine_clock {
	int64_t offset_ns;     /* engine - here; the engine counts since 1970 */
	uint64_t uncertain_ns; /* the offset is wrong by so much at most */
};
int engine_clock(struct engine *e, struct engine_clock *ret);

/* Gives the request to every host. Returns how many there are. */
int engine_trace_ask(struct engine *e, const char *request);
/* A part of the trace of this token, or a piece of output, which the engine keeps for life_ms. */
int engine_trace_give(
    struct engine *e, const char *token, const void *part, size_t bytes, unsigned life_ms);
/* Waits for the next part. 1: *ret is valid until the next verb; 0: none came in time. */
int engine_trace_take(
    struct engine *e, const char *token, unsigned wait_ms, const void **ret, size_t *ret_bytes);

#endif
