/* fixture.h - the runtime of a test and the test's own client in it, through the real programs.
 *
 * One of each in the process of a test. A test that wants other options boots by itself, with
 * runtime_boot(&host, ...) of program_runtime.h, and ends with host_stop() like the rest. */
#ifndef PLM_TEST_FIXTURE_H
#define PLM_TEST_FIXTURE_H

#include "client/plm.h"
#include "tests/support/program_runtime.h"

extern struct runtime host;
extern plm *client; /* NULL before host_join() */

/* So many workers, 4096 records, a store of 64 MB. Those without an argument suit a fixture. */
void host_boot(const char *workers);
void host_boot_one(void);
void host_boot_two(void);
void host_boot_small(void); /* two workers, 256 records, a store of 4 MB */
/* The client leaves, if there is one; plmctl stop ends the runtime, and nothing of it is left. */
void host_stop(void);

/* Connects the client; it waits DEADLINE_MS for what it asks. */
void host_join(void);
/* One more client; the caller disconnects it. */
plm *host_connect(void);
/* A client connects, a task of it is taken, run and answered. */
void host_expect_work(void);

#endif
