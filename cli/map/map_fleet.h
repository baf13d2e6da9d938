/* map_fleet.h - the jobs of `plmctl map --fleet` that are under way, as map_flight.c asks for them:
 * the steps of a runtime, on the queue of many machines.
 *
 * The engine tells ends on a second connection, and a message may be lost: after a while without
 * news map asks for the states of all jobs. Without the engine map waits until the engine is back.
 * Who: one thread.
 * Death: of plmctl: the tasks go on, and the results stay for the time of `keep`. */
#ifndef PLM_CLI_MAP_FLEET_H
#define PLM_CLI_MAP_FLEET_H

#include "cli/arguments.h"
#include "cli/map/map_flight.h"
#include "cli/map/map_run.h"

/* Ends the program at an option that means this machine alone. */
void map_fleet_check(const struct context *context, const struct map_plan *plan);
/* Connects and makes the command. *ret_workers: of the hosts that are up, one at least. EXIT_FINE,
 * or an exit code after a message. */
int map_fleet_ready(
    struct context *context, struct command_request *request, unsigned *ret_workers);
/* The room that map_order.h asks a runtime for. */
plm_status map_fleet_room(void);

struct map_fleet_batch { /* of one submission */
	const plm_task *task;
	const char *const *word; /* of all tasks */
	const size_t *words;     /* of each task */
	const char *const *label;
	size_t n;
};
/* refs[PLM_COMMAND_RESULTS * i] is task i, or PLM_NONE if the engine has no room now. 0 or -errno
 * with a why. */
int map_fleet_submit(struct flight *f, const struct map_fleet_batch *batch, plm_ref *refs);
/* 0 or -errno with a why. */
int map_fleet_wait(struct flight *f, const struct flight_wake *wake);
/* Marks ended jobs in f->ready; the output is in the job. 0 or -errno with a why. */
int map_fleet_collect(struct flight *f);
/* Cancels all jobs, and waits until they have ended or one more signal comes. */
void map_fleet_cancel(struct flight *f);

#endif
