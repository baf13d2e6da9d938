/* fleet_door.h - the commands of plmctl with --fleet: the same, on a queue in Redis that many
 * machines share. The code is in cli/fleet/; a command of cli/ asks context->fleet after the
 * options. A command whose table entry does not say `.fleet` refuses --fleet.
 *
 * References of a fleet look like those of a runtime: @NUMBER.1.EPOCH.
 * Returns: exit codes, after a message.
 * Blocks: for answers of the engine, and as long as --timeout allows. */
#ifndef PLM_CLI_FLEET_DOOR_H
#define PLM_CLI_FLEET_DOOR_H

#include "cli/command_request.h"
#include "cli/task_filter.h"

/* From --fleet, else from PLM_FLEET. An empty word is the runtime of this machine. */
void fleet_choose(struct context *context);
/* Ends the program if the command is not possible on a fleet. */
void fleet_check(const struct context *context);
int fleet_open(struct context *context); /* once */
void fleet_close(struct context *context);

/* ---- new tasks ---- */

struct history;

struct fleet_new {
	const plm_task *task;
	const char *label; /* NULL: none */
	const char *title; /* words for lists */
};
/* Adds n tasks, all or none. refs[i]: the task; was[i] (NULL allowed), with `unique`: the task was
 * in the queue already. 0 or -errno with a why. */
int fleet_add(struct context *context, const struct fleet_new *tasks, size_t n, bool unique,
    plm_ref *refs, bool *was);
/* The words of a command with blanks between them, cut to fit. */
enum { FLEET_TITLE_BYTES = 200 };
void fleet_title(const char *const *word, size_t count, char ret[FLEET_TITLE_BYTES]);
void fleet_hook_title(const char *line, char ret[FLEET_TITLE_BYTES]); /* of --on-finish */

/* Says once for each module that no host has it, so that tasks wait. */
void fleet_function_note(struct context *context, const char *function);
/* on_finish: a line to be run after the end of the command; NULL or "": none. */
int fleet_submit(struct context *context, struct command_request *request, const char *const *word,
    size_t count, const char *on_finish);
int fleet_call(struct context *context, const struct task_request *call);

/* Puts what a descriptor has to say into the queue, and prints the reference. */
int fleet_put(struct context *context, int fd, const char *path);

/* ---- many tasks under way: map ---- */

enum fleet_action {
	FLEET_CANCEL,
	FLEET_REQUEUE,
	FLEET_RETRY,
	FLEET_MOVE, /* to todo: failed tasks are retried, parked ones go on, running ones requeued
		     */
	FLEET_FRONT,
	FLEET_PARK,
	FLEET_PRIORITY,
	FLEET_FORGET
};

struct fleet_outcome { /* texts are valid until fleet_end_f() returns */
	plm_ref ref;
	int state; /* PLM_STATE_DONE, _FAILED or _CANCELLED */
	plm_failure failure;
	uint32_t attempt;
	uint64_t began_ms, run_us; /* 0: not asked for */
	const char *text[2];       /* stdout, stderr */
	uint64_t bytes[2];
};
/* 0, or -errno with a why, which ends the call. */
typedef int fleet_end_f(void *argument, const struct fleet_outcome *end);

/* Before the first fleet_add(): the ends of all tasks added later are told. *ret_workers: of the
 * hosts that are up. EXIT_FINE, or an exit code after a message. */
int fleet_ends_open(struct context *context, unsigned *ret_workers);
int fleet_ends_fd(const struct context *context); /* readable when ends are told; -1: none */
/* Connects anew after -ENOTCONN. 0 or -errno with a why. */
int fleet_ends_reopen(struct context *context);
/* Calls end() for each task that was told to have ended, without waiting. times: also asks for
 * began_ms and run_us, a round trip for each task. Returns how many, or -errno with a why. */
int fleet_ends_hear(struct context *context, bool times, fleet_end_f *end, void *argument);
/* The same for those of n tasks that have ended, because a message may have been lost. */
int fleet_ends_look(struct context *context, const plm_ref *refs, size_t n, bool times,
    fleet_end_f *end, void *argument);
/* FLEET_CANCEL or FLEET_FORGET for n tasks, without a message. 0 or -errno with a why. */
int fleet_act_quietly(
    struct context *context, const plm_ref *refs, size_t n, enum fleet_action action);

/* ---- tasks that are there ---- */

int fleet_select(struct context *context, const struct task_filter *filter, struct selection *ret);
/* Waits for all tasks, or for any. Returns the number of failures, as an exit code. */
int fleet_wait(struct context *context, const struct selection *s, bool any, bool no_fail);
/* The same without a row for each task; prints the counts at the end. */
int fleet_await_all(struct context *context, const struct selection *s);
int fleet_get(struct context *context, plm_ref ref, const char *path);
int fleet_logs(struct context *context, plm_ref ref, int stream, bool follow);

int fleet_act(struct context *context, const struct selection *s, enum fleet_action action);
/* FLEET_PRIORITY */
int fleet_set_priority(struct context *context, const struct selection *s, int priority);
int fleet_explain(struct context *context, const plm_ref *refs, size_t n);
int fleet_info(struct context *context, const plm_ref *refs, size_t n);

/* ---- the whole ---- */

/* sort: a column, or -COLUMN; columns: names with commas between them; NULL: as usual. */
int fleet_tasks(struct context *context, const struct task_filter *filter, uint64_t most,
    const char *sort, const char *columns);
/* Opens the history with all tasks of the queue; the caller closes *ret in each case. */
int fleet_history(struct context *context, struct history **ret);
int fleet_status(struct context *context);
int fleet_hosts(struct context *context);
/* order: "drain", "close"; "": back to work. */
int fleet_order(struct context *context, const char *host, const char *order);

/* ---- traces: fleet_trace.c ---- */

struct fleet_pair {   /* a task that a host had */
	uint64_t id;  /* of the fleet */
	uint64_t ref; /* plm_ref.id of the task of the host's runtime */
};

enum { FLEET_TROUBLE_BYTES = 256 };

struct fleet_part { /* what a host knows for a trace */
	char host[100], member[24];
	int64_t offset_ns;                 /* the clock of Redis - CLOCK_MONOTONIC of the host */
	uint64_t uncertain_ns;             /* the offset is wrong by so much at most */
	uint64_t asked_ms, last_ms;        /* as asked, and as fitted into a message; 0: all */
	char trouble[FLEET_TROUBLE_BYTES]; /* why there is no recording; "": there is one */
	struct fleet_pair *pair;
	size_t pairs;
	const void *recording;
	size_t bytes;
};

/* On a host: makes the recording of the last *last_ms, shorter if it has more than `most` bytes.
 * *ret is freed by the caller. 0 or -errno with a why. */
typedef int fleet_record_f(
    struct context *context, uint64_t *last_ms, size_t most, void **ret, size_t *ret_bytes);
/* On a host: answers the request that the bridge put into the file. */
int fleet_part_give(struct context *context, int fd, fleet_record_f *record);

/* Asks all hosts, and calls take() for each part; take() may keep `pair` (and then frees it), and
 * not `recording`. Says which hosts did not answer; *ret_missing: how many. */
typedef int fleet_part_f(void *argument, struct fleet_part *part);
int fleet_parts(struct context *context, uint64_t last_ms, fleet_part_f *take, void *argument,
    unsigned *ret_missing);
plm_ref fleet_ref(const struct context *context, uint64_t id);
/* Calls edge() for each task that one of the tasks `refs` waited for, perhaps also for tasks that
 * are not among them. 0 or -errno with a why. */
typedef void fleet_edge_f(void *argument, plm_ref from, plm_ref to);
int fleet_edges(
    struct context *context, const plm_ref *refs, size_t n, fleet_edge_f *edge, void *argument);

#endif
