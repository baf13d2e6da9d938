/* members.h - the manager's knowledge of watched processes, and messages to all members.
 *
 * The manager keeps pid, kind and generation of each process in private memory: the process table
 * is for all to see, may be damaged, and does not decide which process is killed, reaped or waited
 * for.
 * Where: the manager.  Blocks: never.
 * Death: the next manager finds the living processes in the process table (adopt.c). */
#ifndef PLM_MEMBERS_H
#define PLM_MEMBERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "events/eventlog.h"
#include "manager/nursery.h"
#include "tables/tables.h"

struct manager;

struct watched { /* kept of each process slot */
	int pidfd;
	int socket; /* clients */
	pid_t pid;  /* as of the fork, the admission or the adoption, like kind and generation */
	enum process_kind kind;
	uint32_t generation;
	uint64_t born_ns;
	char *module;            /* a client's request, waiting for the loader */
	uint32_t module_number;  /* number of the request */
	uint64_t beat_ns;        /* of a worker: the last beat ... */
	uint64_t beat_judged_ns; /* ... and the same on the clock of hang.c */
	bool fenced;  /* killed for giving no sign of life; the kernel has not reported the end */
	bool adopted; /* the parent was a former manager */
	enum order_state order; /* of a Python worker not born yet (nursery.h) */
};

struct backoff {         /* when to start missing members of a kind */
	uint64_t due_ns; /* DEADLINE_NEVER: nothing to start */
	uint32_t delay_ms;
	uint32_t missing;    /* number of processes to start */
	uint64_t starved_ns; /* since when no process slot is free; 0: a process slot is free */
	bool told;           /* the log has said so */
};

int members_make_slots(struct manager *m);
/* Marks the process slot of a member or client DEAD; status: as the process table keeps the end of
 * a process. */
void watched_gone(struct manager *m, uint32_t slot, int status);
/* An event of this process, now; call only if eventlog_on(). */
void members_log(struct manager *m, enum event_kind kind, uint32_t slot);
/* A child was born for the process slot, already claimed; takes over the pidfd, -1: opens one. */
int members_watch_child(
    struct manager *m, uint32_t slot, enum process_kind kind, pid_t pid, int pidfd);
void members_wake(struct manager *m);               /* after a death: every process looks again */
void members_signal(struct manager *m, int signal); /* all but the journal, which ends last */
void members_dismiss_journal(struct manager *m, int signal);
bool members_only_journal(const struct manager *m); /* the journal is the last member */
bool members_all_live(const struct manager *m);
uint32_t members_count(const struct manager *m); /* living members */

#endif
