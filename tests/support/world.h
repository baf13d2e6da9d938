/* world.h - a small runtime as the image of a kill sweep: every role a function of one process.
 *
 * Setup boots it and brings it to where the operation begins; the victim does one role's step and
 * dies; the survivor is the manager, who declares the death, and the scheduler: the living one, or,
 * when it was the victim or died in the recovery, a new one. Then world_judge() says what is not as
 * promised. */
#ifndef PLM_TEST_WORLD_H
#define PLM_TEST_WORLD_H

#include "client/handle.h"
#include "scheduler/scheduler.h"
#include "tests/support/sweep.h"
#include "worker/worker.h"

enum { WORLD_WORKER = SLOT_FIRST_MEMBER, WORLD_A, WORLD_B, WORLD_JOINING, WORLD_SLOTS };

struct world {
	struct tables tables; /* the manager's */
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
void world_boot_for(uint32_t processes); /* with so many slots: PROCESSES_STEP, or twice that */
size_t world_regions(struct sweep_region *ret); /* what a sweep saves and restores */

void world_learn(void);                         /* as the loader does: what functions there are */
void world_join(struct plm *rt, uint32_t slot); /* a client comes in */
/* The scheduler, or the worker, that was started in this slot comes to life, and is played. */
void world_born(uint32_t slot);
/* Another worker, of this number, in a slot of its own: it is the caller's, who ends it again.
 * `spare_of`: the slot it stands in for, 0 none. */
void world_open_worker(struct worker *w, uint32_t slot, uint32_t number, uint32_t spare_of);
void world_end_worker(struct worker *w); /* in an outcome, if it is there still */
void world_crowd(void); /* in a setup: so many are awake that nobody spins before it sleeps */
void world_hush(void);  /* what roles log is no news here */

/* In a forked process: this role is now played here. */
void world_play(struct plm *rt);

void world_settle(void);       /* the scheduler, until it has nothing to do */
void world_work(void);         /* and the worker, until nothing is left to run */
uint32_t world_run_some(void); /* the worker, what is placed; 0: nothing was */
/* The task is RUNNING by the worker from now on, as if it never ended. */
void world_claim_only(plm_ref ref);

/* Gives a client a hold on what another one made, as the scheduler would. */
void world_share(struct plm *with, plm_ref ref);

void world_declare_dead(uint32_t slot);
void world_recover(uint32_t victim);
/* The same, as a sweep calls it: client A, the worker, or the scheduler was the victim. */
void recover_client(void *image);
void recover_worker(void *image);
void recover_scheduler(void *image);

/* NULL, or what is wrong: a structure, a record no life leads to, something of the dead; then all
 * work is done, outcome() (may be NULL) judges what B finds, all leave, and nothing must be left.
 */
const char *world_judge(uint32_t victim, const char *(*outcome)(void));

/* ---- for setups and outcomes: they must not fail ---- */
plm_ref world_submit(struct plm *rt, const char *function, const plm_arg *args, size_t n,
    unsigned results, unsigned retries, unsigned crash_retries);
plm_ref world_put(struct plm *rt, const void *data, size_t length);
bool world_yields(plm_ref ref, const void *data, size_t length);
/* B finds it failed so; message may be NULL. */
bool world_failed(plm_ref ref, int code, const char *message, plm_ref root);
enum record_state world_state_of(plm_ref ref); /* FREE: gone */

#endif
