/* roles.h - a whole runtime in one process: scheduler and workers as threads, clients as handles.
 *
 * For what real processes hide: ThreadSanitizer compares all accesses, because every role works on
 * one mapping; and a test may look into the tables. The test plays the manager: it gives out slots
 * and declares those that left dead. The segments have no name: nothing is left in /dev/shm,
 * however it ends. Everything here fails the test (ck_abort) when it goes wrong. */
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
	struct tables tables; /* the manager's view, and everybody's mapping */
	struct tables scheduler_tables;
	struct scheduler scheduler;
	pthread_t scheduler_thread;
	struct roles_worker *worker[ROLES_WORKERS_MAX];
	unsigned workers;
	pthread_mutex_t slots_mutex;
};

/* Boots with the module `probe` and the test module, if its path is given. */
void roles_start(struct roles *r, const struct limits *limits, const char *module);
void roles_add_worker(struct roles *r);

/* One scheduler ends between two steps, another begins and derives all again. */
void roles_stop_scheduler(struct roles *r);
void roles_start_scheduler(struct roles *r);

/* A client of its own; when it leaves, what it held is released. */
plm *roles_join(struct roles *r);
void roles_leave(struct roles *r, plm **rtp);

/* All clients have left: ends workers and scheduler, then looks into the ledger: every record free,
 * no byte of the store used, every slot free, every structure sound. */
void roles_stop(struct roles *r);

/* Looks again and again until done(context); fails with what at the deadline. */
void roles_until(bool (*done)(void *context), void *context, const char *what);

uint32_t roles_records_used(const struct roles *r);
uint64_t roles_store_used(const struct roles *r);

#endif
