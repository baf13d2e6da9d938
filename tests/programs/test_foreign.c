/* test_foreign.c - living processes of a runtime with tables of another build: the kernel lists
 * the processes that map the tables. plm never leaves these processes behind, and never ends one
 * without --fresh. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "shm/segment.h"
#include "tests/support/command_case.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 90, MEMBERS = 3, EXIT_NO_BOOT = 73, EXIT_IS_UP = 75, ANOTHER = 12345 };

static pid_t member[MEMBERS];

static void foreign_boot(void)
{
	size_t n = 0;
	runtime_boot_loose(&host, "--workers", "2", "--tasks", "256", "--store", "4M", );
	plm *handle = host_connect();
	const struct tables *t = plm_tables(handle);
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT && n < MEMBERS)
			member[n++] = t->process[i].pid;
	}
	ck_assert_uint_eq(n, MEMBERS);
	plm_disconnect(&handle);
}

static void end(void)
{
	char segment[PATH_MAX], aside[PATH_MAX + 8];
	runtime_stop(&host);
	static const char *const whats[] = { "control", "store", "events" };
	for (int i = 0; i < 3; i++) {
		runtime_segment(&host, whats[i], segment, sizeof segment);
		snprintf(aside, sizeof aside, "%s.aside", segment);
		unlink(aside);
	}
	runtime_end(&host);
}

static void set_version(uint32_t version)
{
	char control[PATH_MAX];
	runtime_segment(&host, "control", control, sizeof control);
	int fd = open(control, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(
	    pwrite(fd, &version, sizeof version, offsetof(struct segment_header, version)),
	    sizeof version);
	close(fd);
}

static void expect_refusal(const char *option, int code, const char *words)
{
	struct output_of o = program_run(
	    &host, "plm", (const char *const[]){ "--workers", "2", option, NULL }, NULL, 0);
	ck_assert_msg(o.code == code && strstr(o.err, words), "%d: %s", o.code, o.err);
	output_free(&o);
	for (size_t i = 0; i < MEMBERS; i++)
		ck_assert_uint_ne(process_start_time(member[i]), 0);
}

START_TEST(fresh_alone_ends_members_that_live_without_a_manager)
{
	pid_t left = command_with_far_child();
	runtime_kill(&host);
	set_version(ANOTHER);
	expect_refusal(NULL, EXIT_NO_BOOT, "3 processes");
	expect_refusal(NULL, EXIT_NO_BOOT, "--fresh");
	runtime_reboot(&host, "--fresh", "--workers", "2", );
	for (size_t i = 0; i < MEMBERS; i++)
		ck_assert(wait_for_death(member[i]));
	ck_assert(wait_for_death(left));
	plm *handle = host_connect();
	expect_alive(handle, 0);
	plm_disconnect(&handle);
	end();
}
END_TEST

/* Without the lock file, this build sees no holder of the name. */
START_TEST(a_manager_that_lives_is_refused_also_by_fresh)
{
	char lock[DOOR_LOCK_BYTES], pid[32];
	door_lock_path(host.name, lock);
	ck_assert_int_eq(unlink(lock), 0);
	set_version(ANOTHER);
	snprintf(pid, sizeof pid, "(pid %d)", (int)host.pid);
	expect_refusal(NULL, EXIT_IS_UP, pid);
	expect_refusal("--fresh", EXIT_IS_UP, pid);
	set_version(SEGMENT_VERSION);
	expect_refusal("--fresh", EXIT_IS_UP, pid);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foreign");
	TCase *tcase = tcase_create("foreign");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, foreign_boot, NULL);
	tcase_add_test(tcase, fresh_alone_ends_members_that_live_without_a_manager);
	tcase_add_test(tcase, a_manager_that_lives_is_refused_also_by_fresh);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
