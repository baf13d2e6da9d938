/* world.h - a small runtime as the image of a kill sweep: every role is a function of one process.
 *
 * setup() boots the world and brings it to the start of the operation. The victim plays one role
 * and dies. The survivor plays the manager, which declares the death, and then the scheduler; a new
 * scheduler if the victim was the scheduler or died in the recovery. world_judge() names the first
 * broken promise. */
#ifndef PLM_TEST_WORLD_H
#define PLM_TEST_WORLD_H

#include "client/handle.h"
#include "scheduler/scheduler.h"
#include "tests/support/sweep.h"
#include "worker/worker.h"

enum { WORLD_WORKER = SLOT_FIRST_SHARED, WORLD_A, WORLD_B, WORLD_JOINING, WORLD_SLOTS };

struct world {
	struct tables tables; /* of the manager */
	struct tables scheduler_tables;
	struct scheduler scheduler;
	struct worker worker;
	struct plm a, b; /* two clients */
};

extern struct world world;

/* An operation of a sweep on the world; LONG ones are not single-stepped. */
#define OP(what, prepare, act, mend, verdict)                                             \
	{                                                                                 \
		.name = what, .regions = world_regions, .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict                                         \
	}
#define LONG(what, prepare, act, mend, verdict)                                           \
	{                                                                                 \
		.name = what, .regions = world_regions, .setup = prepare, .operate = act, \
		.recover = mend, .judge = verdict, .steps_only = true                     \
	}

void world_boot(void);
void world_boot_for(uint32_t processes); /* EXTENSION_SLOTS process slots, or twice as many */
size_t world_regions(struct sweep_region *ret); /* what a sweep saves and restores */

void world_learn(void);                         /* registers functions, like the loader */
void world_join(struct plm *rt, uint32_t slot); /* a client connects */
/* The scheduler or worker started in this process slot comes to life and is played here. */
void world_born(uint32_t slot);
/* A further worker with this number in this process slot; the caller ends the worker.
 * `spare_of`: the process slot of the waiting worker, 0 none. */
void world_open_worker(struct worker *w, uint32_t slot, uint32_t number, uint32_t spare_of);
void world_end_worker(struct worker *w); /* in an outcome, if the worker still lives */
void world_crowd(void); /* in a setup: enough workers awake, so that none spins before sleep */
void world_hush(void);  /* discards the log of the roles */

/* In a forked process: play this client here from now on. */
void world_play(struct plm *rt);

void world_settle(void);       /* runs the scheduler until nothing is left to do */
void world_work(void);         /* and the worker, until no task is left to run */
uint32_t world_run_some(void); /* runs the placed tasks of the worker; 0: none */
/* The worker claims the task, which then stays RUNNING. */
void world_claim_only(plm_ref ref);

/* Gives a client a hold on the future of another client, like the scheduler. */
void world_share(struct plm *with, plm_ref ref);

void world_declare_dead(uint32_t slot);
void world_recover(uint32_t victim);
/* The same, as a sweep calls it: client A, the worker, or the scheduler was the victim. */
void recover_client(void *image);
void recover_worker(void *image);
void recover_scheduler(void *image);

/* NULL, or the first error: an unsound structure, a record in an impossible state, leftovers of the
 * dead. Then the world does all work, outcome() (may be NULL) judges the results that B finds, all
 * clients leave, and nothing may be left. */
const char *world_judge(uint32_t victim, const char *(*outcome)(void));

/* ---- for setups and outcomes; an error ends the sweep ---- */
plm_ref world_submit(struct plm *rt, const char *function, const plm_arg *args, size_t n,
    unsigned results, unsigned retries, unsigned crash_retries);
plm_ref world_put(struct plm *rt, const void *data, size_t length);
bool world_yields(plm_ref ref, const void *data, size_t length);
/* B finds this failure; message may be NULL. */
bool world_failed(plm_ref ref, int code, const char *message, plm_ref root);
enum record_state world_state_of(plm_ref ref); /* FREE: gone */

#endif
