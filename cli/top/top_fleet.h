/* top_fleet.h - plmctl top of a fleet: the queue, the rate, a row for each host.
 *
 * The frames are of the engine's answers alone, so top runs on a machine without a runtime. An
 * engine that is away is told in the frame, and the last numbers stay.
 * Blocks: for answers of the engine, as long as --timeout (10s). */
#ifndef PLM_CLI_TOP_FLEET_H
#define PLM_CLI_TOP_FLEET_H

#include <signal.h>

#include "cli/ctl_command.h"

/* once: a frame as text, with rates over the interval. *ended: a signal came. Returns the exit
 * code. */
int fleet_top(struct context *context, bool once, uint64_t interval_ms, const sig_atomic_t *ended);

#endif
