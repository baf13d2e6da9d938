/* test_outer.c - a runtime started by a make: each worker beyond the first takes a token of the
 * make's jobserver, here a pipe of the test. When the workers are idle, and at the end, the runtime
 * has given each token back, unchanged. Tasks report by files in the runtime's directory. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/command_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { TEST_TIMEOUT_S = 120, TASKS = 4, LOOK_NS = 1000000, LINE_BYTES = 256 };

static int ends[2];
static char *ref[TASKS];

static void look_again(void)
{
	static const struct timespec pause = { .tv_nsec = LOOK_NS };
	nanosleep(&pause, NULL);
}

#define UNTIL(condition)                                                                  \
	for (uint64_t late_ = deadline_after_ms(DEADLINE_MS); !(condition); look_again()) \
	ck_assert_msg(clock_ns() < late_,                                                 \
	    "never came to be: " #condition " (%d tokens are free, "                      \
	    "%u run)",                                                                    \
	    tokens(), running())

static int tokens(void)
{
	int bytes = 0;
	ck_assert_int_eq(ioctl(ends[0], FIONREAD, &bytes), 0);
	return bytes;
}

static uint32_t running(void)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++)
		n += process_present(sh_load(&t->process[p].state)) &&
		    sh_load(&t->process[p].running) != 0;
	return n;
}

static void outer_boot(const char *all)
{
	char flags[LINE_BYTES];
	ck_assert_int_eq(pipe(ends), 0); /* for the runtime to inherit */
	ck_assert_int_eq(write(ends[1], all, strlen(all)), (ssize_t)strlen(all));
	snprintf(flags, sizeof flags, " -j9 --jobserver-auth=%d,%d", ends[0], ends[1]);
	setenv("MAKEFLAGS", flags, 1);
	setenv("PLM_TEST_OUTER", "1", 1);
	runtime_boot(&host, "--workers", "4", "--tasks", "1024", "--store", "16M", );
	unsetenv("MAKEFLAGS");
	ck_assert_uint_eq(host.workers, 1);
	host_join();
}

static void begin_tasks(void)
{
	for (int i = 0; i < TASKS; i++)
		ref[i] = detached(
		    "--dir", host.directory, "--shell", "until test -e go; do sleep 0.01; done");
}

static void let_them_end(void)
{
	char path[LINE_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
	for (int i = 0; i < TASKS; i++) {
		free(ctl_expect(&host, 0, "wait", ref[i]));
		free(ctl_expect(&host, 0, "drop", ref[i]));
		free(ref[i]);
	}
}

static void expect_tokens(const char *expected)
{
	char bytes[16] = "";
	UNTIL(tokens() == (int)strlen(expected));
	ck_assert_int_eq(read(ends[0], bytes, sizeof bytes - 1), (ssize_t)strlen(expected));
	for (const char *token = expected; *token; token++)
		ck_assert_msg(strchr(bytes, *token), "token %c is not among %s", *token, bytes);
}

START_TEST(each_worker_beyond_the_first_costs_a_token)
{
	outer_boot("ab");
	ck_assert_int_eq(tokens(), 2);
	begin_tasks();
	UNTIL(running() == 3 && tokens() == 0);
	free(ctl_expect(&host, 0, "call", "--detach", "probe.noop"));
	ck_assert_uint_eq(running(), 3);
	ck_assert_int_eq(write(ends[1], "c", 1), 1);
	UNTIL(running() == 4 && tokens() == 0);
	let_them_end();
	expect_tokens("abc"); /* the idle runtime has returned all tokens */
	free(ctl_expect(&host, 0, "call", "probe.echo", "x"));
	plm_disconnect(&client);
	host_stop();
}
END_TEST

START_TEST(tokens_are_given_back_at_the_end_of_the_runtime)
{
	outer_boot("xyz");
	begin_tasks();
	UNTIL(running() == 4 && tokens() == 0);
	kill(host.pid, SIGTERM);
	UNTIL(sh_load(&plm_tables(client)->control->mode) == MODE_STOPPING);
	ck_assert_int_eq(tokens(), 0); /* the workers still run tasks */
	kill(host.pid, SIGTERM);
	ck_assert(wait_for_death(host.pid));
	waitpid(host.pid, NULL, 0);
	host.pid = 0;
	expect_tokens("xyz");
	plm_disconnect(&client);
	runtime_end(&host);
}
END_TEST

START_TEST(deaths_of_workers_and_of_the_scheduler_lose_no_token)
{
	outer_boot("xyz");
	begin_tasks();
	UNTIL(running() == 4 && tokens() == 0);
	const struct tables *t = plm_tables(client);
	for (uint32_t p = SLOT_SCHEDULER; p < t->limits.processes; p++)
		if (p == SLOT_SCHEDULER || (sh_load(&t->process[p].running) && p % 2))
			kill(t->process[p].pid, SIGKILL);
	char path[LINE_BYTES];
	scratch_write(&host, "go", "", 0, path, sizeof path);
	expect_tokens("xyz");
	plm_disconnect(&client);
	host_stop();
}
END_TEST

START_TEST(numbers_without_descriptors_are_no_jobserver)
{
	setenv("MAKEFLAGS", " -j9 --jobserver-auth=61,62", 1);
	setenv("PLM_TEST_OUTER", "1", 1);
	runtime_boot(&host, "--workers", "4", "--tasks", "1024", "--store", "16M", );
	unsetenv("MAKEFLAGS");
	ck_assert_uint_eq(host.workers, 4);
	host_stop();
}
END_TEST

START_TEST(a_real_make_and_its_runtime_have_so_many_jobs_in_all)
{
	/* three jobs at once: two tasks of the runtime, and the other target */
	static const char makefile[] =
	    "all: plm other\n"
	    "other:\n\t@until test -e enough; do sleep 0.01; done\n"
	    "plm:\n\t+@plm --workers 4 > ready & until test -s ready; do sleep 0.01; done; "
	    "for i in 1 2 3; do plmctl submit --detach --shell 'touch run.$$PLM_SLOT; "
	    "until test -e enough; do sleep 0.01; done'; done > refs; "
	    "until test `ls run.* | wc -l` = 2; do sleep 0.01; done; touch enough; "
	    "plmctl wait $$(cat refs) && plmctl stop\n";
	char text[4 * LINE_BYTES], bin[PATH_MAX], directory[96], name[32];
	const char *where = getenv("PLM_BIN");
	test_runtime_name(name, sizeof name);
	test_path("make-XXXXXX", directory, sizeof directory);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", bin));
	snprintf(text, sizeof text, "%s/Makefile", directory);
	FILE *file = fopen(text, "w");
	ck_assert(file && fputs(makefile, file) >= 0 && fclose(file) == 0);
	unsetenv("MAKEFLAGS");
	setenv("BIN", bin, 1);
	setenv("XDG_RUNTIME_DIR", directory, 1);
	snprintf(text, sizeof text,
	    "cd %s; export PATH=$BIN:$PATH PLM_NAME=%s; "
	    "timeout 60 make -rj3 > log 2>&1 && ! grep 'jobserver unavailable' log; code=$?; "
	    "cat log; rm -rf %s; exit $code",
	    directory, name, directory);
	ck_assert_int_eq(system(text), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outer jobserver");
	TCase *tcase = tcase_create("tokens");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, each_worker_beyond_the_first_costs_a_token);
	tcase_add_test(tcase, tokens_are_given_back_at_the_end_of_the_runtime);
	tcase_add_test(tcase, deaths_of_workers_and_of_the_scheduler_lose_no_token);
	tcase_add_test(tcase, numbers_without_descriptors_are_no_jobserver);
	tcase_add_test(tcase, a_real_make_and_its_runtime_have_so_many_jobs_in_all);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
