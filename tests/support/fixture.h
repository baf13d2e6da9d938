/* fixture.h - the host, which is the runtime of a test, and its client, through the real programs.
 *
 * A test process has one of each. For other options boot with runtime_boot(&host, ...) of
 * program_runtime.h; host_stop() ends every host. */
#ifndef PLM_TEST_FIXTURE_H
#define PLM_TEST_FIXTURE_H

#include "client/plm.h"
#include "tests/support/program_runtime.h"

extern struct runtime host;
extern plm *client; /* NULL before host_join() */

/* 4096 records, a store of 64 MB. Check fixtures take functions without an argument. */
void host_boot(const char *workers);
void host_boot_one(void);
void host_boot_two(void);
void host_boot_small(void); /* two workers, 256 records, a store of 4 MB */
/* The client leaves, plmctl stop ends the runtime, and no name of the runtime may be left. */
void host_stop(void);

/* Connects the client, with a patience of DEADLINE_MS. */
void host_join(void);
/* A further client; the caller disconnects. */
plm *host_connect(void);
/* A new client connects; the runtime accepts, runs and answers a task. */
void host_expect_work(void);

#endif
