/* command_case.h - for the tests of commands: submissions to the host through plmctl, and checks of
 * the output. */
#ifndef PLM_TEST_COMMAND_CASE_H
#define PLM_TEST_COMMAND_CASE_H

#include "tests/support/fixture.h"

#define order(...) \
	program_run(&host, "plmctl", (const char *const[]){ "submit", __VA_ARGS__, NULL }, NULL, 0)
#define detached(...) ctl_expect(&host, 0, "submit", "--detach", __VA_ARGS__)

/* NULL: any output. stderr must contain err. Frees the output. */
void check_output(struct output_of o, int code, const char *out, const char *err);
/* Checks a field of `plmctl info --json`. */
void expect_field(const char *ref, const char *key, const char *expected);

/* Starts a command with a child in another session; returns the pid of the child. */
pid_t command_with_far_child(void);

/* The number of open descriptors of all workers together. */
unsigned descriptors_of_workers(void);

#endif
