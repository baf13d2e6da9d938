/* roles.h - a whole runtime in one process: scheduler and workers as threads, clients as handles.
 *
 * All roles work on one mapping, so ThreadSanitizer compares all accesses and a test can look into
 * the tables; real processes allow neither. The test plays the manager: it gives out process slots
 * and declares departed members dead. The segments have no name, so nothing can stay in /dev/shm.
 * Every error fails the test (ck_abort). */
#ifndef PLM_TEST_ROLES_H
#define PLM_TEST_ROLES_H

#include <pthread.h>

#include "client/handle.h"
#include "scheduler/scheduler.h"
#include "worker/worker.h"

enum { ROLES_WORKERS_MAX = 4, ROLES_DEADLINE_MS = 60000 };

struct roles_worker {
	struct worker worker;
	uint32_t slot;
	pthread_t thread;
};

struct roles {
	struct tables tables; /* view of the manager; the mapping of all roles */
	struct tables scheduler_tables;
	struct scheduler scheduler;
	pthread_t scheduler_thread;
	struct roles_worker *worker[ROLES_WORKERS_MAX];
	unsigned workers;
	pthread_mutex_t slots_mutex;
};

/* Boots with the module `probe` and, if the path is given, the test module. */
void roles_start(struct roles *r, const struct limits *limits, const char *module);
void roles_add_worker(struct roles *r);

/* The scheduler ends between two rounds; the next scheduler derives its state again. */
void roles_stop_scheduler(struct roles *r);
void roles_start_scheduler(struct roles *r);

/* A further client; roles_leave() releases the holds of the client. */
plm *roles_join(struct roles *r);
void roles_leave(struct roles *r, plm **rtp);

/* Call after all clients have left. Ends workers and scheduler, then checks the ledger: all records
 * and process slots free, no byte of the store used, every structure sound. */
void roles_stop(struct roles *r);

/* Polls until done(context); fails with `what` at the deadline. */
void roles_until(bool (*done)(void *context), void *context, const char *what);

uint32_t roles_records_used(const struct roles *r);
uint64_t roles_store_used(const struct roles *r);

#endif
