/* test_daemon.c - runtimes in the background: a daemon keeps nothing of its starter; a guard
 * survives failing restarts. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 90, TEXT_BYTES = 1 << 16, EXIT_NO_BOOT = 73 };

static char log_path[PATH_MAX];

static void setup(void)
{
	runtime_prepare(&host);
	host.loose = true;
	snprintf(log_path, sizeof log_path, "%s/plm/%s.log", host.directory, host.name);
}

static struct output_of boot_daemon(const char *option)
{
	return program_run(&host, "plm",
	    (const char *const[]){
		"--daemon", "--workers", "2", "--tasks", "256", "--store", "4M", option, NULL },
	    NULL, 0);
}

static void daemon_boot(const char *option)
{
	setup();
	struct output_of o = boot_daemon(option);
	ck_assert_msg(o.code == 0 && strstr(o.out, "plm: ready"), "%d: %s", o.code, o.err);
	output_free(&o);
	host_join();
}

static pid_t manager_pid(void)
{
	return plm_tables(client)->process[SLOT_MANAGER].pid;
}

static void stop(void)
{
	pid_t manager = manager_pid();
	plm_disconnect(&client);
	free(ctl_expect(&host, 0, "stop"));
	ck_assert(wait_for_death(manager));
	runtime_end(&host);
}

static char *log_text(void)
{
	static char text[TEXT_BYTES];
	FILE *file = fopen(log_path, "r");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	text[n] = 0;
	if (file)
		fclose(file);
	return text;
}

static void expect_descriptors(pid_t pid)
{
	char path[PATH_MAX], target[PATH_MAX], log[PATH_MAX];
	ck_assert_ptr_nonnull(realpath(log_path, log));
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		ck_assert_int_gt(n, 0);
		target[n] = 0;
		ck_assert_msg(strcmp(target, fd == STDERR_FILENO ? log : "/dev/null") == 0,
		    "descriptor %d of pid %d is %s", fd, (int)pid, target);
	}
}

/* program_run() reads both outputs to the end: a daemon with either output would block the test. */
/* Checked at the start: a program that waits for the line must not wait for ever. */
START_TEST(a_ready_line_for_a_closed_descriptor_is_refused)
{
	setup();
	struct output_of o =
	    program_run(&host, "plm", (const char *const[]){ "--ready", "1000", NULL }, NULL, 0);
	ck_assert_msg(o.code == 64 && strstr(o.err, "no such descriptor"), "%d: %s", o.code, o.err);
	output_free(&o);
	o = program_run(
	    &host, "plm", (const char *const[]){ "--ready", "3", "--daemon", NULL }, NULL, 0);
	ck_assert_msg(o.code == 64 && strstr(o.err, "cannot be combined"), "%d: %s", o.code, o.err);
	output_free(&o);
}
END_TEST

START_TEST(a_daemon_and_all_its_processes_have_the_log_alone)
{
	daemon_boot(_i ? "--guard" : NULL);
	uint32_t slots = plm_tables(client)->limits.processes, members = 0;
	for (uint32_t i = SLOT_MANAGER; i < slots; i++) {
		const struct process *p = &plm_tables(client)->process[i];
		uint64_t word = sh_load(&p->state);
		if (!process_present(word) || process_kind(word) == KIND_CLIENT)
			continue;
		expect_descriptors(p->pid);
		members++;
	}
	ck_assert_uint_eq(members, 4);
	stop();
}
END_TEST

START_TEST(what_stops_the_boot_of_a_daemon_is_said_and_logged)
{
	daemon_boot(NULL);
	struct output_of o = boot_daemon(NULL);
	ck_assert_int_eq(o.code, 75);
	ck_assert_msg(strstr(o.err, "is up already"), "%s", o.err);
	ck_assert_ptr_nonnull(strstr(log_text(), "is up already"));
	output_free(&o);
	o = program_run(&host, "plm",
	    (const char *const[]){ "--name", "daemon-without-module", "--daemon", "--workers", "1",
		"--module", "/no-such-module.so", NULL },
	    NULL, 0);
	ck_assert_int_eq(o.code, EXIT_NO_BOOT);
	ck_assert_msg(strstr(o.err, "/no-such-module.so: No such file"), "%s", o.err);
	output_free(&o);
	stop();
}
END_TEST

/* ---- the guard ---- */

/* No manager boots while other users may enter the runtime directory. */
static void open_directory(bool others)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/plm", host.directory);
	ck_assert_int_eq(chmod(path, others ? 0755 : 0700), 0);
}

static bool restart_has_failed(void *unused)
{
	(void)unused;
	return strstr(log_text(), "trying again in 20 ms") != NULL;
}

static bool has_manager(void *killed)
{
	pid_t pid = manager_pid();
	return pid != *(pid_t *)killed && process_start_time(pid) && plm_pause(client) == 0 &&
	    plm_resume(client) == 0;
}

static pid_t lose_manager(void)
{
	pid_t killed = manager_pid();
	open_directory(true);
	kill(killed, SIGKILL);
	until(restart_has_failed, NULL, "a restart that fails");
	ck_assert_ptr_nonnull(strstr(log_text(), "is open to others"));
	return killed;
}

START_TEST(a_restart_that_fails_for_a_while_is_tried_again)
{
	daemon_boot("--guard");
	pid_t killed = lose_manager();
	open_directory(false);
	until(has_manager, &killed, "a manager");
	expect_alive(client, 0);
	stop();
}
END_TEST

START_TEST(a_signal_between_two_tries_ends_the_runtime)
{
	daemon_boot("--guard");
	pid_t guard = 0, scheduler = plm_tables(client)->process[SLOT_SCHEDULER].pid;
	char path[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)manager_pid());
	FILE *stat = fopen(path, "r");
	ck_assert(stat && fscanf(stat, "%*d (%*[^)]) %*c %d", &guard) == 1);
	fclose(stat);
	lose_manager();
	plm_disconnect(&client);
	kill(guard, SIGTERM);
	open_directory(false);
	ck_assert(wait_for_death(guard));
	ck_assert(wait_for_death(scheduler));
	runtime_segment(&host, "control", path, sizeof path);
	ck_assert_int_ne(access(path, F_OK), 0);
	runtime_end(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = tcase_create("daemon");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_loop_test(tcase, a_daemon_and_all_its_processes_have_the_log_alone, 0, 2);
	tcase_add_test(tcase, a_ready_line_for_a_closed_descriptor_is_refused);
	tcase_add_test(tcase, what_stops_the_boot_of_a_daemon_is_said_and_logged);
	tcase_add_test(tcase, a_restart_that_fails_for_a_while_is_tried_again);
	tcase_add_test(tcase, a_signal_between_two_tries_ends_the_runtime);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
