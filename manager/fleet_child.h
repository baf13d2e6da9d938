/* fleet_child.h - the bridge to a fleet (plm --fleet): a child that the manager replaces after a
 * death, and that leaves the fleet before the runtime ends.
 *
 * The bridge is a client of the runtime, not a member: the runtime works as well without it. It
 * starts after the ready line. At a stop the bridge claims nothing more; the tasks that it has end
 * like all others, and the runtime stays until the bridge has committed them. A runtime that ends
 * at once tells the bridge to leave at once. Where: the manager.  Blocks: never. Death of the
 * manager: the bridge claims nothing more, ends what it has, and leaves; the next manager starts a
 * bridge of its own. */
#ifndef PLM_FLEET_CHILD_H
#define PLM_FLEET_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct manager;

struct fleet_child {
	pid_t pid; /* 0: none */
	int pidfd;
	uint64_t due_ns, born_ns; /* due_ns: the next birth; 0: at once */
	uint32_t delay_ms;
	bool leaving; /* asked to leave, for a stop */
	bool left;    /* nothing of the fleet is here any more */
	bool ends;    /* the runtime ends when the bridge has ended */
};

void fleet_child_step(struct manager *m);  /* starts a bridge that is due */
void fleet_child_ended(struct manager *m); /* its pidfd is readable */
void fleet_child_leave(struct manager *m); /* asks the bridge to leave, for a stop */
void fleet_child_stay(struct manager *m);  /* the stop was taken back */
/* All tasks have ended: ends the runtime, after the last commit of the bridge. */
void fleet_child_end_after(struct manager *m);
void fleet_child_end(struct manager *m, bool by_force); /* leaves at once, or is killed */
uint64_t fleet_child_due_ns(const struct manager *m);

#endif
