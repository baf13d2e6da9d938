/* manager.h - the process that makes the others: plm itself.
 *
 * It creates the segments, forks scheduler and workers, watches every member by pidfd, admits
 * clients, restarts with back-off, and takes everything down. It takes no shared lock and walks no
 * shared structure but the process table (`make layers` checks the symbols it uses): a bug in a
 * worker must not be able to stop the one process that can have the rest repaired.
 * It loads no user code and has one thread: what it forks is clean.
 * Death: nothing else ends. Members and clients go on in shared memory; who dies meanwhile is found
 * dead, and new clients come in, when the next plm of the name goes on with the runtime (adopt.c).
 * All may be dead by then: that is the same. With --tied its members end with it instead. */
#ifndef PLM_MANAGER_H
#define PLM_MANAGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/door.h"
#include "manager/options.h"
#include "manager/outer.h"
#include "tables/tables.h"

enum watch { /* what an epoll event is about; with a slot or a descriptor in the low half */
	WATCH_DOOR = 1,
	WATCH_SIGNAL,
	WATCH_JOINED, /* a member says that it is LIVE, or the scheduler that spares are to come or
		       * go */
	WATCH_STRANGER, /* a connection that has not said hello: its descriptor */
	WATCH_PROCESS,  /* the pidfd of a slot */
	WATCH_SOCKET,   /* the connection of a client's slot */
	WATCH_LOADER,
	WATCH_ORPHAN, /* the pidfd of a process that a dead worker left: its number */
	WATCH_OUTER,  /* a token may be free */
	WATCH_PARENT, /* --tied: the pidfd of who started us */
};

struct watched { /* what the manager keeps of a process slot */
	int pidfd;
	int socket; /* clients */
	pid_t pid;  /* of who lives there; and so on: what the table says may be damaged */
	enum process_kind kind;
	uint32_t generation;
	uint64_t born_ns;
	char *module;            /* a client's request that waits for the loader */
	uint32_t module_number;  /* of that request */
	uint64_t beat_ns;        /* of a worker, as seen last, */
	uint64_t beat_judged_ns; /* and when that was by the judge's clock (hang.c) */
	bool fenced;  /* killed for giving no sign of life; the kernel has not said so yet */
	bool adopted; /* no child of ours: its parent was a manager that is dead */
};

struct backoff {
	uint64_t due_ns; /* DEADLINE_NEVER: nothing to start */
	uint32_t delay_ms;
	uint32_t missing;    /* how many to start */
	uint64_t starved_ns; /* since when no process slot is free for one; 0: there is one */
	bool told;           /* and that is in the log */
};

enum { STRANGERS_MAX = 128 };
struct stranger { /* a connection that has not said hello */
	int socket;
	uint64_t since_ns;
};

struct loader {    /* one module at a time, in a process of its own */
	pid_t pid; /* 0: none */
	int pidfd, report;
	uint32_t slot;   /* who asked; SLOT_MANAGER: the boot */
	uint32_t number; /* of the request */
	char *path;
	bool overdue; /* killed at its deadline */
	uint64_t deadline_ns;
};

enum { ORPHANS_MAX = 256 }; /* at a time */
struct orphan {             /* a process that a dead worker left */
	pid_t pid;
	int pidfd;
};

struct judge {            /* hang.c: a clock that stands still while this process does not run */
	uint64_t now_ns;  /* of that clock */
	uint64_t seen_ns; /* real time when it was set last */
	uint64_t look_ns; /* of that clock, at the last look at the workers */
};

struct manager {
	const struct options *options;
	struct tables tables;
	struct watched *slot; /* [processes] */
	struct place *place;  /* [workers]; NULL: they are not pinned */
	int epoll, door, signals, joined;
	char state[STATE_PATH_BYTES]; /* the journal's directory; "": there is no journal */
	int state_lock;               /* the file lock that makes this its only user */
	int lock;                     /* the file lock that makes this the only plm of the name */
	char directory[108];          /* where its socket and its bell are */
	int parent;                   /* --tied: the pidfd of who started us, else -1 */
	bool adopts;                  /* the segments are those of a manager that is dead */
	int ready;  /* where the ready line goes: stdout, or a pipe to who started the
		     * daemon */
	int notify; /* a service manager that wants to know how far we are; -1: none */
	struct stranger stranger[STRANGERS_MAX]; /* the first is the oldest */
	uint32_t strangers;
	bool door_rests;       /* no descriptor was free for who knocks ... */
	bool descriptor_freed; /* ... and one is since then */
	uint64_t door_due_ns;  /* when to look again in any case */
	uint64_t door_told_ns; /* when that was logged last */
	struct backoff scheduler, workers, journal;
	struct outer outer;
	struct loader loader;
	uint32_t modules_due; /* of the boot, that are not loaded yet: the ready line waits */
	struct orphan orphan[ORPHANS_MAX]; /* killed, and not dead yet as far as we know */
	uint32_t orphans;
	bool announced; /* the ready line is out */
	bool draining, ending, failed;
	bool abandoned;           /* this boot failed, and the runtime goes on as without it */
	bool journal_dismissed;   /* nobody else is left, and it was told so */
	uint32_t failures;        /* of members, before the ready line */
	bool hopeless;            /* too many: it is set aside at the end */
	uint64_t end_deadline_ns; /* when what has not ended is killed */
	uint64_t look_due_ns;     /* for workers that hang; DEADLINE_NEVER: nobody wants to know */
	struct judge judge;       /* of workers that hang */
};

/* ---- manager.c ---- */
int manager_boot(struct manager *m, const struct options *options, int ready);
int manager_run(struct manager *m); /* 0, or -EIO: it failed and has said how */
int manager_watch(struct manager *m, int fd, enum watch what, uint32_t which);
void manager_unwatch(struct manager *m, int fd); /* and closes it */
void manager_drain(struct manager *m);
int manager_take_back(struct manager *m); /* it drains no more, and goes on; 0, -ESHUTDOWN */
void manager_fail(struct manager *m);     /* it ends, as one that could not boot */
/* Says why_text(), and ends; but a runtime that another manager left goes on without this one. */
void manager_boot_failed(struct manager *m);
void manager_end(struct manager *m);
void manager_admit(struct manager *m, uint32_t admission); /* ADMISSION_ bits */

int manager_make_slots(struct manager *m);

/* ---- instance.c ---- */
/* The only one of its name. What a dead one left is attached, to go on with, or removed.
 * -ESHUTDOWN: the guard asks, and there is nothing to go on with. */
int instance_claim(struct manager *m);
int instance_bell(struct manager *m); /* opens m->joined */
void instance_set_aside(struct manager *m, const char *reason);
void instance_release(struct manager *m);

/* ---- claim.c ---- */
int claim_take(struct manager *m);   /* the lock of the name; -EADDRINUSE: a manager is up */
int claim_births(struct manager *m); /* waits for the children of a dead one to have said who they
				      * are */
int claim_record(struct manager *m); /* where the socket is; of a runtime that is gone on with:
				      * where it was */
void claim_remove(const struct manager *m);

/* ---- foreign.c ---- */
struct foreign { /* living processes of a runtime of another build */
	unsigned processes;
	pid_t one, manager; /* any of them; its manager, 0: that is dead */
};
void foreign_look(const char *control, struct foreign *ret); /* the segment's path */
void foreign_end(const char *control);                       /* kills them, and waits */

/* ---- descriptors.c ---- */
void descriptors_raise(void);    /* as many as may be, for the manager ... */
void descriptors_restore(void);  /* ... and as many as before, in what it forks */
bool descriptors_short(int any); /* none is left for a client; any: one that is open */

/* ---- adopt.c ---- */
int adopt_tables(struct manager *m);    /* this process becomes its manager */
int adopt_processes(struct manager *m); /* who lives is watched, who died is mourned */
bool adopt_still_lives(const struct process *p);

/* ---- state.c ---- */
int state_claim(struct manager *m);    /* the only one with this --state; 0 if none was given */
void state_publish(struct manager *m); /* clients learn of it */

/* ---- members.c ---- */
int members_plan(struct manager *m); /* where workers will run, before the first is spawned */
int members_spawn(struct manager *m, enum process_kind kind);
void members_spawn_due(struct manager *m);
void members_died(struct manager *m, uint32_t slot);
void members_gone(struct manager *m, uint32_t slot, int status); /* the table hears of it */
void members_wake(struct manager *m); /* after a death: all look again at what there is */
void members_signal(struct manager *m, int signal); /* all but the journal, which ends last */
void members_dismiss_journal(struct manager *m, int signal);
bool members_only_journal(const struct manager *m); /* is left */
bool members_all_live(const struct manager *m);
void members_complete(struct manager *m);        /* who is missing is started */
uint32_t members_count(const struct manager *m); /* children that still live */

/* ---- staff.c ---- */
uint32_t staff_workers(const struct manager *m);   /* that there are to be, of all kinds */
uint32_t staff_processes(const struct manager *m); /* of them */
uint32_t staff_planned(const struct manager *m);   /* and of all that may come beside them */
/* NULL: what the control page says of workers can be gone on with; else why not. */
const char *staff_unsound(const struct tables *t);
struct vacancy { /* a slot of a worker that has no process */
	uint32_t worker, kind;
	uint32_t gpu_first; /* number of the worker's first GPU */
	uint32_t relieved;  /* of a spare: the process slot it is to stand in for, else 0 */
};
bool staff_vacancy(const struct manager *m, struct vacancy *ret);
void staff_dismiss(struct manager *m); /* who is too many is asked to leave */
void staff_ask_to_leave(struct manager *m, uint32_t slot);
int staff_set(struct manager *m, const char *text);      /* workers of the first kind */
int staff_drain(struct manager *m, const char *worker);  /* it leaves and is not replaced ... */
int staff_resume(struct manager *m, const char *worker); /* ... until now */

/* ---- places.c ---- */
/* May one more client come in? *ret_kept: to a slot that is kept for visits. 0 or -EUSERS. */
int places_for_client(const struct manager *m, bool visit, bool *ret_kept);
int places_none(const struct manager *m);         /* -EUSERS, with a why */
uint32_t places_clients(const struct manager *m); /* slots that clients have */
/* No slot was free for a member, or one is again. Logged when it lasts. */
void places_starve(const struct manager *m, struct backoff *b, const char *what);
void places_feed(struct backoff *b, const char *what);

/* ---- outer.c ---- */
void outer_join(struct manager *m);  /* if a make has started us; before the first worker */
void outer_step(struct manager *m);  /* takes tokens, starts and dismisses workers */
void outer_leave(struct manager *m); /* gives all tokens back */

/* ---- spares.c ---- */
bool staff_spare_vacancy(const struct manager *m, struct vacancy *ret);
void staff_relieve(struct manager *m); /* spares are as many as the scheduler asks for */

/* ---- hang.c ---- */
void hang_look(struct manager *m); /* kills workers that give no sign of life */

/* ---- orphans.c ---- */
void orphans_adopt(void); /* from now on what children leave behind is given to this process */
void orphans_end(struct manager *m);              /* kills what was */
void orphans_ended(struct manager *m, int pidfd); /* one of them, and maybe it left others */
/* Until those that were killed have ended, for 100 ms at most: a death is told after them. */
void orphans_await(struct manager *m);
void orphans_reap(struct manager *m); /* those that ended without us */
/* Of a runtime, found by their environment and killed: all, or (not NULL) those of process slots
 * where nobody lives. */
void orphans_of(uint64_t runtime, const bool *lives);
void orphans_unowned(struct manager *m); /* of workers of this runtime that were no child of ours */

/* ---- strangers.c ---- */
int strangers_add(struct manager *m, int socket); /* 0 or -errno; the oldest makes room */
bool strangers_has(const struct manager *m, int socket);
void strangers_remove(struct manager *m, int socket); /* it said hello; it stays open */
void strangers_overdue(struct manager *m); /* closes those that have said nothing for too long */

/* ---- admission.c ---- */
int admission_open(struct manager *m);
void admission_accept(struct manager *m);
void admission_step(struct manager *m); /* opens the door again that had no descriptor */
void admission_hello(struct manager *m, int socket);
void admission_request(struct manager *m, uint32_t slot);
void admission_answer(
    struct manager *m, uint32_t slot, uint32_t number, int code, const char *text);
void admission_client_died(struct manager *m, uint32_t slot);

/* ---- loader.c ---- */
int loader_begin(struct manager *m); /* the modules of the boot: the first is on its way */
void loader_next(struct manager *m); /* starts the next one, if none runs */
void loader_done(struct manager *m); /* it has ended */
void loader_overdue(struct manager *m);
void loader_kill(struct manager *m);

/* In a child of the manager: the descriptors that stay open, everything else closed; own signals.
 * */
void child_begin(const int *keep, int n);

#endif
