/* bridge_parts.h - the parts of the bridge. Only bridge*.c include this file. */
#ifndef PLM_FLEET_BRIDGE_PARTS_H
#define PLM_FLEET_BRIDGE_PARTS_H

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "client/plm_inspect.h"
#include "fleet/bridge.h"
#include "fleet/serve.h"
#include "fleet/soon.h"
#include "fleet/task_class.h"
#include "fleet/task_words.h"
#include "fleet/trace_order.h"

enum {
	BRIDGE_CLAIM_MOST = 512,
	BRIDGE_COMMIT_MOST = 256,
	BRIDGE_AHEAD_MOST = 2048, /* tasks claimed ahead of free slots */
	BRIDGE_CLASSES_MOST = 256,
	BRIDGE_HOST_BYTES = TRACE_HOST_BYTES,
	BRIDGE_MESSAGE_BYTES = 600,
	BRIDGE_WHY_BYTES = 200,
	BRIDGE_HAS_BYTES = 8192,
	BRIDGE_FETCHES = 64, /* large values on their way here, or here already */
};

/* Large results of a task. The bridge and the thread that makes the hashes own it together. */
struct bridge_far {
	struct bridge *b;
	atomic_int owners;
	atomic_int state; /* 0: being hashed; 1: done; -errno */
	unsigned n, *part;
	struct engine_far value[];
};

enum { FETCH_FREE, FETCH_RUNS, FETCH_HERE }; /* or -errno */
struct bridge_fetch {                        /* a large value of another host */
	struct bridge *b;
	atomic_int state;
	uint64_t id; /* of the value in the fleet */
	struct engine_far far;
	struct carry_order order;
	plm_ref here;
	void *data;
	char why[200];
};

struct bridge_task {                       /* claimed, and not yet committed */
	uint64_t id, attempt, block, from; /* of the claim */
	plm_ref ref;
	plm_ref *more; /* further results; NULL: none */
	unsigned mores;
	int class; /* with needs; -1: none */
	bool command, begun, cancelled;
	uint64_t fetches;       /* bits: entries of the table of fetches that it needs */
	struct bridge_far *far; /* its large results; NULL: none, as far as known */
	bool back;              /* cancelled while it waited here, to be sent back into the queue */
	uint32_t back_attempt;  /* how often the runtime had started it then */
	uint32_t cancel_ms;     /* the grace of a cancel by a user */
};

struct bridge {
	struct fleet_url url;
	const char *runtime;
	char host[BRIDGE_HOST_BYTES];
	struct engine *engine; /* NULL: never connected */
	plm *rt;
	plm_inspect *in;
	int signals;
	pid_t manager;

	char member[ENGINE_MEMBER_BYTES]; /* "": not a member */
	bool connected;
	uint64_t renewed_ns;                   /* CLOCK_BOOTTIME before the last renewal was sent */
	uint64_t renew_due_ns, connect_due_ns; /* the same clock */
	timer_t guard; /* kills a bridge that does nothing until its lease is nearly over */
	unsigned connect_pause_ms;
	char trouble[256]; /* the last in the log */
	uint64_t trouble_ns;

	struct bridge_task *task;
	size_t tasks, tasks_room;

	struct bridge_class { /* task_class.h */
		char needs[TASK_CLASS_BYTES];
		struct task_class parts;    /* of the text before */
		bool fits;                  /* some worker of the runtime can meet the needs */
		bool possible;              /* and the runtime has the module */
		char why[BRIDGE_WHY_BYTES]; /* not possible */
		bool claimed;               /* since the window was full */
		unsigned here, waits;       /* tasks of the class; those that have not begun */
		unsigned window;            /* so many are tried at once */
		unsigned asked, took;       /* of the last claim */
		unsigned pace, pace_before;
		uint64_t claimed_ns;
	} class[BRIDGE_CLASSES_MOST];
	size_t classes, class_given_up;
	size_t waiting; /* tasks here that wait for their needs */
	uint64_t looked_ns;

	plm_status status;              /* as of the last renewal */
	bool drained, closing, leaving; /* by an operator; by an operator; by a signal */
	bool hungry;                    /* there may be something to claim */
	bool declined; /* the last claim may have left tasks that this host could run later */
	bool idle;     /* the engine may give tasks unasked */
	uint64_t heard, ignored;    /* numbers of tasks that were given so: the last; void up to */
	uint64_t pushed_before;     /* the last as of the last renewal but one */
	uint64_t rest_until_ns;     /* the runtime refused a task: claim nothing before */
	uint64_t moment_ns;         /* a pause or a limit ends in the engine; 0: none */
	uint64_t pace_began_ns;     /* of the running count */
	unsigned pace, pace_before; /* ends in this fifth of a second, and in the last */

	char has[BRIDGE_HAS_BYTES]; /* modules and interpreters, as of the last renewal */

	uint64_t boot;       /* of the runtime: plm_ref.runtime */
	struct serve *serve; /* NULL: nobody can fetch large values here */
	int bell;            /* an eventfd: a thread has ended */
	struct soon turns;   /* waits between two turns */
	/* There is something to read from plm_fd(), bell, engine_bell(). */
	bool settled, thread_ended, news;
	atomic_uint threads;
	struct bridge_fetch fetch[BRIDGE_FETCHES];
	uint64_t lost; /* the last value that bridge_fetch() was asked for */
	struct engine_far lost_at;

	struct trace_pair *pair; /* the last TRACE_PAIRS_MOST tasks that came, a ring */
	uint64_t noted;          /* tasks that came */
	unsigned tracers;        /* processes that make parts of traces */
};

/* ---- bridge_tasks.c: tasks on the way in ---- */

/* Claims and submits. 0, or an error of engine.h. */
int bridge_claim(struct bridge *b);
/* Submits a task that came unasked. */
int bridge_take(struct bridge *b, const struct engine_claim *claim);
struct engine_room bridge_room(const struct bridge *b);

/* ---- bridge_needs.c: tasks with needs ---- */

void bridge_note_needs(struct bridge *b, const char *lines);
void bridge_needs_judge(struct bridge *b);                   /* b->has may have changed */
int bridge_class(const struct bridge *b, const char *needs); /* -1: not known */
void bridge_needs_look(struct bridge *b);                    /* which tasks have begun */
/* Appends how many of each class to claim. Returns how many classes. */
size_t bridge_needs_ask(struct bridge *b, unsigned room, struct engine_class *ret);
void bridge_needs_took(struct bridge *b, int class); /* a task of the class was submitted */
/* The queue may have more tasks of some class than the last claim asked for. */
bool bridge_needs_declined(const struct bridge *b);
/* A new piece of time, which follows the last or does not, for tasks_ahead(). */
void bridge_needs_pace(struct bridge *b, bool follows);

/* ---- bridge_ends.c: tasks on the way out ---- */

int bridge_commit(struct bridge *b);            /* all that have ended; 0 or an error of engine.h */
void bridge_forget(struct bridge *b, size_t i); /* drops the task, whatever became of it */
/* Another host may be idle, so tasks that wait here go back: those that the runtime has returned to
 * its queue, for want of memory or on request; and all that have not begun while the runtime starts
 * nothing (paused, short of memory) or the host is to take nothing more. */
void bridge_send_back(struct bridge *b);
bool bridge_send_one_back(struct bridge *b, struct bridge_task *task, bool all);
void bridge_cancel(struct bridge *b, uint64_t id); /* by a user */

/* ---- bridge_facts.c ---- */

void bridge_look_around(struct bridge *b);          /* makes b->has */
struct engine_facts bridge_facts(struct bridge *b); /* texts until the next call */

/* ---- bridge_values.c: values too large for the engine ---- */

int bridge_values_open(struct bridge *b);
void bridge_values_serve(struct bridge *b); /* whenever the engine was opened */
/* False: a thread still uses the handle of the runtime. */
bool bridge_values_close(struct bridge *b);
void bridge_values_drop(struct bridge *b, const char *refs);
/* Keeps the large results of a task that is done, and begins to hash them. 0 or an error of a verb.
 */
int bridge_far_begin(struct bridge *b, struct bridge_task *task);
void bridge_far_end(struct bridge_task *task);
/* NULL: the result goes into the engine. */
const struct engine_far *bridge_far_of(const struct bridge_far *far, unsigned part);
/* A large value as a future of this runtime, perhaps one that is still on its way. 0; -ENODATA: it
 * is lost; another -errno. Each with a why. */
int bridge_fetch(struct bridge *b, uint64_t id, const struct engine_far *far,
    struct bridge_task *task, plm_ref *ret);
bool bridge_fetch_failed(
    struct bridge *b, const struct bridge_task *task, struct engine_end *end, char *message);

/* ---- bridge_member.c: the lease ---- */

uint64_t bridge_clock_ns(void); /* CLOCK_BOOTTIME */
int bridge_renew(struct bridge *b);
/* Connects and joins, or goes on as the same member. 0, or -errno after a line in the log. */
int bridge_connect(struct bridge *b);
/* Ends all tasks of the fleet here and waits for their ends: the lease may end soon. */
void bridge_fence(struct bridge *b, const char *reason);
uint64_t bridge_fence_due_ns(const struct bridge *b);
/* Gets no tasks unasked any more, and gives back those on the way here. */
int bridge_withdraw(struct bridge *b);
/* How long a task may go on when the host has to be out of the fleet, in milliseconds. */
uint32_t bridge_grace_ms(const struct bridge *b);
/* Makes the timer that kills the bridge when the bridge itself is stopped or stuck: its tasks are
 * tied to it, and end with it before the lease does. */
int bridge_guard_open(struct bridge *b);
/* Handles an error of a verb. */
void bridge_fail(struct bridge *b, int error);

/* ---- bridge_follow.c ---- */

/* Answers a request for output of a running command. 0 or an error of a verb. */
int bridge_follow(struct bridge *b, const char *request);

/* ---- bridge_trace.c: parts of traces ---- */

void bridge_trace_note(struct bridge *b, uint64_t id, plm_ref ref); /* a task has come */
/* Starts the process that makes this host's part. Blocks: for the start of a process. */
void bridge_trace(struct bridge *b, const char *request);
void bridge_trace_reap(struct bridge *b);

#endif
