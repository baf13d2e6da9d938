/* command_case.h - what the tests of commands share: a runtime, submitting through plmctl, and what
 * is expected of what it says. One runtime a test's process. */
#ifndef PLM_TEST_COMMAND_CASE_H
#define PLM_TEST_COMMAND_CASE_H

#include "tests/support/fixture.h"

#define order(...) \
	program_run(&host, "plmctl", (const char *const[]){ "submit", __VA_ARGS__, NULL }, NULL, 0)
#define detached(...) ctl_expect(&host, 0, "submit", "--detach", __VA_ARGS__)

/* NULL: whatever it is. stderr need only hold err. Frees the output. */
void check_output(struct output_of o, int code, const char *out, const char *err);
/* Of `plmctl info --json`. */
void expect_field(const char *ref, const char *key, const char *expected);

/* That are open in all of them together. */
unsigned descriptors_of_workers(void);

#endif
