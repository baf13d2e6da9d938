/* fleet_cli.h - the parts of plmctl on a fleet. Only files of this folder include this header. */
#ifndef PLM_CLI_FLEET_CLI_H
#define PLM_CLI_FLEET_CLI_H

#include "cli/fleet_door.h"
#include "fleet/engine.h"

enum { FLEET_PAGE = 512 }; /* tasks of one request */

/* The task of a reference; the very result. EXIT_FINE, or an exit code after a message. */
int fleet_value_id(struct context *context, plm_ref ref, uint64_t *ret);
int fleet_id(struct context *context, plm_ref ref, uint64_t *ret);
/* The row of a task as a row of a list of the runtime, for filters. */
void fleet_as_task(const struct context *context, const struct engine_row *row, plm_task_row *ret);
/* --stdin - and the like: reads the input into memory, which the caller frees (NULL: no such
 * option), and puts it among the arguments. EXIT_FINE, or an exit code after a message. */
int fleet_input_take(struct command_request *request, char **ret, size_t *ret_bytes);
void fleet_input_place(plm_arg *args, const char *data, size_t bytes, plm_task *task);

/* Has some host that is up the module of the function? Without a host nobody knows: EXIT_FINE. Else
 * after a message EXIT_NO_FUNCTION, or EXIT_FINE if the task may wait for such a host. */
int fleet_function_look(struct context *context, const char *function, bool may_wait);
/* A host has refused the task because of the name of its function. */
bool fleet_lacks_function(const struct engine_result *result);

struct fleet_followed {   /* how far the output of a command was shown */
	unsigned attempt; /* 0: nothing was */
	uint64_t shown;
};
/* Shows the output of a command until the command has ended. EXIT_FINE, or an exit code after a
 * message. */
int fleet_follow(struct context *context, plm_ref ref, int stream, struct fleet_followed *ret);
/* Takes what was shown out of the output that is kept after the end. */
void fleet_follow_rest(const struct fleet_followed *followed, const struct engine_result *result,
    bool out, plm_view *view);

bool fleet_is_dead(const struct engine_row *row); /* failed after retries: a dead letter */

/* Calls act() for each task that passes the filter, in the order of submission, until it returns
 * false. EXIT_FINE, or an exit code after a message. */
typedef bool fleet_each_f(struct context *context, const struct engine_row *row, void *argument);
int fleet_each(
    struct context *context, const struct task_filter *filter, fleet_each_f *act, void *argument);

/* What became of a task, with its value, wherever that is. await: waits for the end first, also for
 * a lost value to be made again. Errors as of fleet_await(), and -ENODATA. */
int fleet_result(struct context *context, uint64_t id, bool await, struct engine_result *ret);
/* Gives back the memory of a value that another host had; the end of plmctl does, too. */
void fleet_result_free(struct engine_result *result);

/* Waits for tasks: calls `ended` for each, once, and stops when `ended` says so. 0, -ETIMEDOUT,
 * -EINTR, or an error of engine.h. */
typedef bool fleet_ended_f(void *context, size_t i, enum engine_state state);
int fleet_await(
    struct context *context, const uint64_t *ids, size_t n, fleet_ended_f *ended, void *argument);
/* The command of the task ran and ended by itself; the message says how. */
bool fleet_ended_itself(const struct engine_result *result);
/* Tells how a task failed. Returns the exit code. */
int fleet_say_failure(struct context *context, plm_ref ref, const struct engine_result *result);

#endif
