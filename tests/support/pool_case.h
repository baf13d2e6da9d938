/* pool_case.h - a host whose workers come, leave, stop and die, and questions about these workers.
 * All waits fail the test at a deadline. */
#ifndef PLM_TEST_POOL_CASE_H
#define PLM_TEST_POOL_CASE_H

#include "tables/tables.h"
#include "tests/support/fixture.h"

enum { POOL_WORKERS = 3 };

void pool_boot(void); /* POOL_WORKERS plain workers; the client joins */

/* Waits until done(wanted). */
void pool_until(bool (*done)(uint64_t wanted), uint64_t wanted, const char *what);
bool pool_workers_are(uint64_t wanted); /* live workers, while no worker starts or leaves */
bool pool_running_are(uint64_t wanted); /* tasks */
bool pool_leaving_are(uint64_t wanted); /* processes */
uint32_t pool_workers_in(enum process_state state);
/* The process of the worker with this number, if in this state; else NULL. */
const struct process *pool_worker_process(uint32_t worker, enum process_state state);
plm_status pool_status(void);

plm_ref pool_submit(const char *function, const char *text, unsigned crash_retries);
plm_ref pool_submit_after(plm_ref future);
/* Starts n tasks that sleep; returns when all run. */
void pool_sleepers(const char *ms, unsigned crash_retries, plm_ref *ret, unsigned n);
enum record_state pool_state_of(plm_ref ref, uint32_t *ret_attempt);
void pool_expect_done_once(const plm_ref *ref, unsigned n); /* each task at its first attempt */
void pool_expect_ready(const plm_ref *ref, unsigned n);

#endif
