/* bridge.h - the process between a runtime and a fleet.
 *
 * The bridge is a client of the runtime, by the public interface alone, and a member of the fleet.
 * It claims tasks for which the runtime has room, submits them as tied tasks, and commits what
 * became of them. The bridge fences itself: when the engine has not renewed the lease for six
 * tenths of it, the bridge ends its tasks, before another host can have them. The lease is counted
 * from before the renewal was sent, on a clock that goes on while the machine sleeps.
 * Where: a child of the manager (manager/fleet_child.h).
 * Blocks: in poll(), and for an answer of the engine, a tenth of the lease at most.
 * Death: the tasks are tied to the bridge and end; the engine gives them to other hosts by their
 * retry rule when the lease ends; the next bridge is another member. */
#ifndef PLM_FLEET_BRIDGE_H
#define PLM_FLEET_BRIDGE_H

#include "fleet/url.h"

/* Returns the exit code: 0 after SIGTERM (claims nothing more, commits what runs, leaves), SIGINT
 * (leaves at once), or the end of the runtime or its manager. */
int bridge_run(const struct fleet_url *url, const char *runtime);

#endif
