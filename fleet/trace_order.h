/* trace_order.h - what the bridge of a host hands to the plmctl that makes the host's part of a
 * trace: on its stdin, since an address with a password may stand in no process list.
 * Who: bridge_trace.c writes it, cli/fleet/fleet_trace.c reads it, of the same build. */
#ifndef PLM_FLEET_TRACE_ORDER_H
#define PLM_FLEET_TRACE_ORDER_H

#include "fleet/engine.h"

enum { TRACE_HOST_BYTES = 100, TRACE_PAIRS_MOST = 1 << 14 };

struct trace_pair {   /* a task that began here */
	uint64_t id;  /* of the fleet */
	uint64_t ref; /* plm_ref.id of the task of the runtime */
};

struct trace_order { /* `pairs` pairs follow */
	char version[16];
	uint64_t bytes; /* of this struct */
	struct fleet_url url;
	char host[TRACE_HOST_BYTES], member[ENGINE_MEMBER_BYTES], token[ENGINE_MEMBER_BYTES];
	uint64_t last_ms; /* 0: all that the log keeps */
	uint64_t pairs;
};

#endif
