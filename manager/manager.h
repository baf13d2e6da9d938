/* manager.h - plm itself, the parent of all processes of the runtime.
 *
 * The manager creates the segments, forks scheduler and workers, watches every member by a pidfd,
 * admits clients, restarts members with back-off, and takes everything down. The manager takes no
 * shared lock and walks no shared structure but the process table (`make layers` checks the
 * symbols): a bug in a worker must not stop the process that has damage repaired. A single thread
 * and no user code keep forked children clean. Calls go down: manager.c is the top, and no module
 * of the folder calls a module above. Modules record events in the struct below, or return events;
 * manager_step() decides.
 * Death: nothing else ends. Members and clients go on in shared memory. The next plm of the name
 * resumes the runtime (adopt.h), finds out which processes died meanwhile, and lets clients in. The
 * death of all processes is no special case. With --tied the members end with the manager.
 * Blocks: in epoll alone, for a safety tick at most. */
#ifndef PLM_MANAGER_H
#define PLM_MANAGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/door.h"
#include "manager/admission.h"
#include "manager/fleet_child.h"
#include "manager/hang.h"
#include "manager/loader.h"
#include "manager/members.h"
#include "manager/nursery.h"
#include "manager/options.h"
#include "manager/orphans.h"
#include "manager/outer.h"
#include "manager/strangers.h"
#include "tables/tables.h"

struct manager {
	const struct options *options;
	struct tables tables;
	struct watched *slot; /* [processes] */
	struct place *place;  /* [workers]; NULL: workers are not pinned */

	/* instance.h, claim.h, state.h: the name and the directories */
	int lock;                     /* of the name */
	char directory[108];          /* of the socket and the bell */
	char state[STATE_PATH_BYTES]; /* the journal's directory; "": no journal */
	int state_lock;
	bool adopts; /* the segments of a dead manager */

	int epoll, signals, joined;
	int parent; /* --tied: the pidfd of the starter, else -1 */
	int ready;  /* gets the ready line: stdout, or a pipe to the starter of a daemon */
	int notify; /* socket of a service manager; -1: none */
	bool descriptor_freed; /* since the door rests */

	struct door door;
	struct strangers strangers;
	struct loader loader;
	struct fleet_child fleet;
	struct orphans orphans;
	struct outer outer;
	struct nursery nursery;
	struct hang hang;
	struct backoff scheduler, workers, journal;

	bool announced; /* the ready line is out */
	bool stopping, ending, failed;
	bool abandoned;           /* the boot failed; the adopted runtime goes on */
	bool journal_dismissed;   /* the last member was told to end */
	uint32_t failures;        /* of members, before the ready line */
	bool hopeless;            /* too many failures: the segments are set aside at the end */
	uint64_t end_deadline_ns; /* then living members are killed */
};

int manager_boot(struct manager *m, const struct options *options, int ready);
int manager_run(struct manager *m); /* 0, or -EIO with the reason logged */

#endif
