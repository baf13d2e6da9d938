/* trace_fleet.h - one trace of all hosts of a fleet.
 *
 * Each host reads its own event log, and measures its clock against that of Redis; the times of all
 * are shifted to the clock of Redis. A task keeps its reference of the fleet.
 * Who: plmctl trace.  Returns: an exit code, after a message; EXIT_CUT: a trace without some hosts.
 */
#ifndef PLM_TRACE_FLEET_H
#define PLM_TRACE_FLEET_H

#include "cli/ctl_command.h"
#include "cli/trace/trace_write.h"

int trace_fleet(struct context *context, uint64_t last_ms, const struct trace_target *target,
    struct trace_told *told, struct survey *whole);
/* What the bridge of a host runs: answers the request on stdin. */
int trace_for_fleet(struct context *context);

#endif
