/* fleet_case.h - for the tests of fleets: a Redis of the test's own, and runtimes as its hosts.
 *
 * The Redis listens on a unix socket in the directory of the test and keeps an append-only file.
 * PLM_FLEET names the fleet, so that plmctl and plm need no option. A machine without a Redis skips
 * the tests in plain sight. */
#ifndef PLM_TEST_FLEET_CASE_H
#define PLM_TEST_FLEET_CASE_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/support/program_runtime.h"

enum { FLEET_HOSTS = 3, FLEET_LEASE_MS = 3000 };

extern struct runtime fleet_host[FLEET_HOSTS];
extern char fleet_url[256]; /* with a queue of the test, and the lease */
extern char fleet_directory[96];

bool fleet_redis_there(void); /* false after a line that says why nothing is tested */
void fleet_begin(void);       /* Redis, and PLM_FLEET; no host */
void fleet_end(void);         /* hosts and Redis are gone */

/* Redis alone. option: two more words of its command line, or NULL. */
void fleet_redis_start(const char *option, const char *word);
void fleet_redis_kill(void);
/* redis-cli with these words; the answer without its last newline, until the next call. */
const char *fleet_redis(const char *const *words);
#define REDIS(...) fleet_redis((const char *const[]){ __VA_ARGS__, NULL })

/* An address where nothing answers: a port that the test has and nobody listens on. */
const char *fleet_nowhere(void);

/* Boots host i with so many workers; returns when the host is in the fleet. */
void fleet_host_up(unsigned i, const char *kinds);
/* The same, but all that the host says to Redis and hears goes through a process in between, which
 * a test can stop: the host is cut off, and nothing tells. */
void fleet_host_up_behind_wire(unsigned i, const char *kinds);
void fleet_wire_cut(void);
void fleet_wire_heal(void);
/* The name of host i in lists. */
const char *fleet_host_name(unsigned i);
void fleet_host_stop(unsigned i); /* plmctl stop */
void fleet_host_kill(unsigned i); /* SIGKILL to all its processes */
/* Sends a signal to every process of the host, the manager first. */
void fleet_host_signal(unsigned i, int signal);
pid_t fleet_bridge(unsigned i);
/* Waits until `plmctl hosts` shows a member of host i in this state. */
void fleet_host_until(unsigned i, const char *state);

/* plmctl on the fleet. */
#define fleet(...) ctl(&fleet_host[0], __VA_ARGS__)
#define fleet_expect(code, ...) ctl_expect(&fleet_host[0], code, __VA_ARGS__)
/* The same, and the output is of no interest. */
#define fleet_run(code, ...) free(fleet_expect(code, __VA_ARGS__))

/* A file that commands append lines to; the lines that begin with a text. */
const char *fleet_ledger(void);
unsigned fleet_ledger_lines(const char *begin);
/* Waits until the ledger has so many lines. */
void fleet_ledger_until(unsigned lines);
/* Waits until the process is gone whose number is the first line of the ledger. */
void fleet_ledger_until_gone(void);

#endif
