/* nemesis.h - injects into a runtime every fault that may happen, and undoes the damage.
 *
 * The seed decides each act; the victim depends on the processes that live at that moment. A
 * kill is written to the history before the signal is sent. A child process continues a stopped
 * process, even while the soak waits. A later act, or nemesis_relent(), empties what an act has
 * filled. Where: the process that runs the soak, which is the parent of the guard and
 * of the clients. */
#ifndef PLM_SOAK_NEMESIS_H
#define PLM_SOAK_NEMESIS_H

#include "verify/soak/client.h"

enum fault {
	FAULT_KILL_WORKER,
	FAULT_KILL_SCHEDULER,
	FAULT_KILL_MANAGER,
	FAULT_KILL_JOURNAL,
	FAULT_KILL_GUARD, /* and the manager, because a living manager would be left without a
			   * guard */
	FAULT_KILL_ALL,
	FAULT_KILL_CLIENT,
	FAULT_KILL_COMMAND,
	FAULT_STOP_WORKER,
	FAULT_STOP_SCHEDULER,
	FAULT_STOP_MANAGER,
	FAULT_STOP_JOURNAL,
	FAULT_STOP_GUARD,
	FAULT_STOP_CLIENT,
	FAULT_STOP_COMMAND,
	FAULT_FILL_STORE,
	FAULT_FILL_SHM,
	FAULT_FILL_DISK,
	FAULTS
};

enum { ATTENDANTS = 5, STOPPED_MAX = 16 };

struct nemesis {
	struct runtime *rt;
	const char *const *boot; /* arguments of plm */
	plm *handle;
	int history;
	uint64_t random;
	pid_t client[ATTENDANTS];    /* W: the soak */
	pid_t killed[ATTENDANTS];    /* the last killed client of each place */
	const char *disk;            /* a small disk for this run alone; NULL: none */
	bool own_shm;                /* /dev/shm is a small file system of this run */
	pid_t stopping[STOPPED_MAX]; /* children of ours that continue stopped processes; 0: none */
	uint64_t full_until_ns;      /* 0: nothing is full */
	enum fault full;
	plm_ref filler[64];
	size_t fillers;
	uint64_t count[FAULTS];
};

/* Does one act, if a victim lives; also ends acts whose time is over. */
void nemesis_act(struct nemesis *n);
/* Waits until all stopped processes continue, and empties what was filled. */
void nemesis_relent(struct nemesis *n);

/* True for a child that this process waits for itself: a client, the guard, or a child that
 * continues a stopped process. */
bool nemesis_owns(const struct nemesis *n, pid_t pid);

const char *fault_name(enum fault fault);

#endif
