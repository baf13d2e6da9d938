/* test_descriptors.c - limits of open files: the manager raises the soft limit to the hard one,
 * commands keep the old limit, and a manager without a free descriptor rests until one is free. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 90,
	SOFT = 200,
	HARD = 900,
	FEW = 64, /* the limit of a manager, which itself needs some of the descriptors */
	KNOCKERS = 100,
	LOOK_MS = 400,
	TICKS_AT_REST = 10, /* a busy loop would use 40 in LOOK_MS */
};

START_TEST(commands_have_the_limit_that_plm_was_started_with)
{
	struct rlimit limit = { .rlim_cur = SOFT, .rlim_max = HARD }, manager;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	runtime_boot(&host, "--workers", "1", "--tasks", "256", "--store", "4M", );
	ck_assert_int_eq(prlimit(host.pid, RLIMIT_NOFILE, NULL, &manager), 0);
	ck_assert_uint_eq(manager.rlim_cur, HARD);
	char *text = ctl_expect(&host, 0, "submit", "--shell", "ulimit -Sn; ulimit -Hn");
	ck_assert_str_eq(text, "200\n900");
	free(text);
	host_stop();
}
END_TEST

static unsigned times_told(void)
{
	char path[PATH_MAX], line[512];
	unsigned n = 0;
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *log = fopen(path, "r");
	while (log && fgets(line, sizeof line, log))
		n += strstr(line, "no file descriptor is left") != NULL;
	if (log)
		fclose(log);
	return n;
}

static bool is_told(void *unused)
{
	(void)unused;
	return times_told() > 0;
}

static unsigned long ticks(void)
{
	char path[PATH_MAX];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)host.pid);
	FILE *stat = fopen(path, "r");
	ck_assert(stat &&
	    fscanf(stat,
		"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		"%lu %lu",
		&user, &system) == 2);
	fclose(stat);
	return user + system;
}

static bool is_let_in(void *unused)
{
	plm *handle;
	(void)unused;
	if (plm_connect(&handle, host.name) < 0)
		return false;
	expect_alive(handle, 0);
	plm_disconnect(&handle);
	return true;
}

START_TEST(a_manager_without_a_free_descriptor_rests_until_there_is_one)
{
	struct rlimit few = { .rlim_cur = FEW, .rlim_max = FEW };
	struct sockaddr_un address;
	int knocker[KNOCKERS];
	runtime_boot(&host, "--workers", "2", "--tasks", "256", "--store", "4M", );
	ck_assert_int_eq(prlimit(host.pid, RLIMIT_NOFILE, &few, NULL), 0);
	ck_assert_int_eq(door_address(host.name, &address), 0);
	for (int i = 0; i < KNOCKERS; i++) {
		knocker[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		ck_assert_int_eq(
		    connect(knocker[i], (struct sockaddr *)&address, sizeof address), 0);
	}
	until(is_told, NULL, "a word of the log");
	unsigned long before = ticks();
	/* The period in which the manager must rest. */
	nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * NS_PER_MS }, NULL);
	ck_assert_uint_lt(ticks() - before, TICKS_AT_REST);
	for (int i = 0; i < KNOCKERS; i++)
		close(knocker[i]);
	until(is_let_in, NULL, "a client is let in");
	ck_assert_uint_eq(times_told(), 1);
	host_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("descriptors");
	TCase *tcase = tcase_create("descriptors");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, commands_have_the_limit_that_plm_was_started_with);
	tcase_add_test(tcase, a_manager_without_a_free_descriptor_rests_until_there_is_one);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
