/* test_slice.c - the time slice of a process: short, and the kernel's again; nothing else changes.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/slice.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 20, NICE = 7, SHORT_NS = 100000 };

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct attributes now(void)
{
	struct attributes a = { .size = sizeof a };
	ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
	return a;
}

START_TEST(a_slice_is_shortened_and_restored_and_nothing_else_changes)
{
	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, NICE), 0);
	struct attributes before = now();
	slice_shorten();
	struct attributes shortened = now();
	slice_restore();
	struct attributes after = now();
	if (before.runtime_ns == 0)
		fprintf(stderr, "skipped: this kernel knows no slice of a process\n");
	else
		ck_assert_uint_eq(shortened.runtime_ns, SHORT_NS);
	ck_assert_uint_eq(after.runtime_ns, before.runtime_ns);
	ck_assert_uint_eq(shortened.policy, before.policy);
	ck_assert_int_eq(shortened.nice, NICE);
	ck_assert_int_eq(after.nice, NICE);
}
END_TEST

START_TEST(an_idle_policy_stays)
{
	struct sched_param none = { 0 };
	ck_assert_int_eq(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	slice_shorten();
	ck_assert_int_eq(sched_getscheduler(0), SCHED_IDLE);
}
END_TEST

START_TEST(a_real_time_policy_stays)
{
	struct sched_param one = { .sched_priority = 1 };
	if (sched_setscheduler(0, SCHED_FIFO, &one) < 0 && errno == EPERM) {
		fprintf(stderr, "skipped: no leave for a real-time policy\n");
		return;
	}
	slice_shorten();
	slice_restore();
	ck_assert_int_eq(sched_getscheduler(0), SCHED_FIFO);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		a_slice_is_shortened_and_restored_and_nothing_else_changes,
		an_idle_policy_stays,
		a_real_time_policy_stays,
	};
	return run_tests("slice", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
