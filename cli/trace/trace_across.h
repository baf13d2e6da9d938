/* trace_across.h - dependencies of tasks of a fleet, between runs on any hosts.
 * Who: trace_fleet.c.  Asks the engine for the tasks that are in the trace, a page at a time. */
#ifndef PLM_TRACE_ACROSS_H
#define PLM_TRACE_ACROSS_H

#include "cli/ctl_command.h"
#include "cli/trace/trace_write.h"

/* 0 or -errno with a why. edges_free(ret) in any case. */
int across_find(struct context *context, const struct trace_part *const *parts, size_t n,
    struct trace_edges *ret);

#endif
