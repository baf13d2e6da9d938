/* nemesis.h - who does to a runtime what may happen to it, and undoes it.
 *
 * Each act is drawn from the seed; whom it meets depends on who lives at that moment. A kill is in
 * the history before it is done. What is stopped is let go on by a child, whatever we
 * wait for ourselves; what was filled at one of the next acts, or by nemesis_relent().
 * Where: the process that runs the soak, which is the parent of guard and clients. */
#ifndef PLM_SOAK_NEMESIS_H
#define PLM_SOAK_NEMESIS_H

#include "verify/soak/client.h"

enum fault {
	FAULT_KILL_WORKER,
	FAULT_KILL_SCHEDULER,
	FAULT_KILL_MANAGER,
	FAULT_KILL_JOURNAL,
	FAULT_KILL_GUARD, /* and the manager, or nobody could guard it */
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
	pid_t client[ATTENDANTS];    /* W: who runs the soak */
	pid_t killed[ATTENDANTS];    /* the last of each place that we have killed */
	const char *disk;            /* a small one that nobody else uses; NULL: there is none */
	bool own_shm;                /* /dev/shm is a small one of our own */
	pid_t stopping[STOPPED_MAX]; /* who lets one go on, each a child of ours; 0: nobody */
	uint64_t full_until_ns;      /* 0: nothing is full */
	enum fault full;
	plm_ref filler[64];
	size_t fillers;
	uint64_t count[FAULTS];
};

/* One act, if there is somebody to meet; and the end of those that are over. */
void nemesis_act(struct nemesis *n);
/* All is let go. */
void nemesis_relent(struct nemesis *n);

/* A child that somebody here waits for: a client, the guard, who lets a stopped one go on. */
bool nemesis_owns(const struct nemesis *n, pid_t pid);

const char *fault_name(enum fault fault);

#endif
