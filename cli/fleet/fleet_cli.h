/* fleet_cli.h - the parts of plmctl on a fleet. Only files of this folder include this header. */
#ifndef PLM_CLI_FLEET_CLI_H
#define PLM_CLI_FLEET_CLI_H

#include "cli/fleet_door.h"
#include "fleet/engine.h"

enum { FLEET_PAGE = 512 }; /* tasks of one request */

/* The number of a reference. EXIT_FINE, or an exit code after a message. */
int fleet_id(struct context *context, plm_ref ref, uint64_t *ret);
/* The row of a task as a row of a list of the runtime, for filters. */
void fleet_as_task(const struct context *context, const struct engine_row *row, plm_task_row *ret);
/* Waits for tasks: calls `ended` for each, once, and stops when `ended` says so. 0, -ETIMEDOUT,
 * -EINTR, or an error of engine.h. */
typedef bool fleet_ended_f(void *context, size_t i, enum engine_state state);
int fleet_await(
    struct context *context, const uint64_t *ids, size_t n, fleet_ended_f *ended, void *argument);
/* Tells how a task failed. Returns the exit code. */
int fleet_say_failure(struct context *context, plm_ref ref, const struct engine_result *result);

#endif
