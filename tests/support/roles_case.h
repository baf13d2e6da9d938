/* roles_case.h - the fixture of tests with roles as threads, and short forms of common calls. Every
 * error fails the test (ck_abort). */
#ifndef PLM_TEST_ROLES_CASE_H
#define PLM_TEST_ROLES_CASE_H

#include <check.h>

#include "tests/support/roles.h"

enum {
	ROLES_CASE_TIMEOUT_S = 120,
	LONG_MS = 60000, /* longer than any wait of a healthy runtime */
	SHORT_MS = 30,
};

extern struct roles roles;
extern plm *rt; /* the client of every test */

/* Boots with probe and the test module; roles_case_stop() checks the ledger. */
void roles_case_start(const struct limits *limits, unsigned workers);
void roles_case_stop(void);
TCase *roles_case_add(Suite *suite, const char *name, void (*boot)(void));
const char *roles_case_module(void);       /* the test module's path */
const char *test_module(const char *name); /* path of "mod_test", until the next call */

plm_ref submit(plm *from, const plm_task *task);
plm_ref submit_args(plm *from, const char *function, const plm_arg *args, size_t n);
plm_ref submit_text(plm *from, const char *function, const char *text);
plm_ref submit_after(plm *from, const char *function, plm_ref future);
plm_ref put(plm *from, const void *data, size_t length);

/* Waits for the value. */
void expect_bytes(plm *from, plm_ref ref, const void *data, size_t length);
void expect_text(plm *from, plm_ref ref, const char *text);
void expect_wait(plm *from, plm_ref ref); /* until settled */
plm_failure expect_failure(plm *from, plm_ref ref, int code);

#endif
