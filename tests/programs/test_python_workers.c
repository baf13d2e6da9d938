/* test_python_workers.c - workers that are processes of a Python interpreter: how they boot, die,
 * come back and are adopted, and why a boot is refused.
 *
 * The tests want the package plm as built (make python), in $PLM_PACKAGE or build/release/python,
 * and the interpreter $PYTHON (python3).
 * Tasks are functions of the module probe, so nothing here depends on the code in Python. */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/family.h"
#include "client/handle.h"
#include "tests/support/command_case.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, EXIT_NO_BOOT = 73, EXIT_USAGE = 64, WORKERS = 2, LINE_BYTES = 512 };

static plm *handle;

static const char *interpreter(void)
{
	const char *given = getenv("PYTHON");
	return given && given[0] ? given : "python3";
}

/* False: the package is not built, as this machine has no suitable interpreter (make python). */
static bool python_package(char ret[PATH_MAX])
{
	char library[PATH_MAX + 64];
	const char *where = getenv("PLM_PACKAGE");
	if (!realpath(where && where[0] ? where : "build/release/python", ret))
		return false;
	snprintf(library, sizeof library, "%s/plm/_core.abi3.so", ret);
	return access(library, R_OK) == 0;
}

static void python_prepare(void)
{
	char package[PATH_MAX];
	ck_assert(python_package(package));
	setenv("PYTHONPATH", package, 1);
}

/* A program in the directory of the runtime. */
__attribute__((format(printf, 2, 3))) static void write_program(
    char ret_path[PATH_MAX], const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	scratch_write(&host, "program", text, (size_t)n, ret_path, PATH_MAX);
	ck_assert_int_eq(chmod(ret_path, 0700), 0);
}

static void python_boot(void)
{
	python_prepare();
	runtime_boot(&host, "--workers", "2", "--python", interpreter(), );
	handle = host_connect();
}

static void python_stop(void)
{
	plm_disconnect(&handle);
	runtime_stop(&host);
	runtime_end(&host);
}

/* ---- the processes of the runtime ---- */

static bool is_python(pid_t pid)
{
	char path[64], program[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(path, program, sizeof program - 1);
	if (n < 0)
		return false;
	program[n] = 0;
	return strstr(strrchr(program, '/'), "python") != NULL;
}

/* Living workers with an interpreter; *ret_one: the last of them. */
static uint32_t live_workers(pid_t *ret_one)
{
	const struct tables *t = plm_tables(handle);
	uint32_t n = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE ||
		    !is_python(p->pid))
			continue;
		*ret_one = p->pid;
		n++;
	}
	return n;
}

static bool workers_are(void *context)
{
	pid_t one;
	return live_workers(&one) == *(uint32_t *)context;
}

static void await_workers(uint32_t n)
{
	until(workers_are, &n, "the wanted number of Python workers");
}

/* The child of the manager that forks workers; 0: none. */
static pid_t zygote(void)
{
	char path[64], name[32];
	struct family children;
	family_of(host.pid, &children);
	for (size_t i = 0; i < children.n; i++) {
		snprintf(path, sizeof path, "/proc/%d/comm", (int)children.child[i]);
		FILE *file = fopen(path, "r");
		bool worker = file && fgets(name, sizeof name, file) && strstr(name, "plm-");
		if (file)
			fclose(file);
		if (!worker && is_python(children.child[i]))
			return children.child[i];
	}
	return 0;
}

static bool zygote_is_there(void *context)
{
	return zygote() != *(pid_t *)context && zygote() != 0;
}

/* ---- life ---- */

START_TEST(python_workers_run_tasks_and_name_their_interpreter)
{
	pid_t one;
	ck_assert_uint_eq(live_workers(&one), WORKERS);
	char *sum = ctl_expect(&host, 0, "call", "probe.sum", "1", "2");
	ck_assert_str_eq(sum, "3");
	free(sum);
	char *list = ctl_expect(&host, 0, "workers");
	ck_assert_msg(strstr(list, "PYTHON") && strstr(list, "/python3"), "%s", list);
	free(list);
	python_stop();
}
END_TEST

START_TEST(more_python_workers_are_born_and_leave)
{
	free(ctl_expect(&host, 0, "workers", "--set", "7"));
	await_workers(7);
	free(ctl_expect(&host, 0, "workers", "--set", "1"));
	await_workers(1);
	expect_alive(handle, 0);
	python_stop();
}
END_TEST

/* The parent of a worker is the manager, which therefore learns how the worker ended. */
START_TEST(a_killed_python_worker_is_replaced_in_the_same_runtime)
{
	struct family children;
	pid_t one;
	ck_assert_uint_eq(live_workers(&one), WORKERS);
	family_of(host.pid, &children);
	ck_assert(family_has(&children, one));
	kill(one, SIGKILL);
	ck_assert(wait_for_death(one));
	await_workers(WORKERS);
	expect_alive(handle, 0);
	python_stop();
}
END_TEST

START_TEST(a_task_that_kills_its_python_worker_fails_with_the_signal)
{
	struct output_of o = ctl(&host, "call", "probe.crash", "11");
	ck_assert_msg(o.code != 0 && strstr(o.err, "signal"), "%d: %s", o.code, o.err);
	output_free(&o);
	await_workers(WORKERS);
	python_stop();
}
END_TEST

START_TEST(after_the_death_of_the_zygote_workers_live_on_and_are_born_again)
{
	pid_t former = zygote(), one;
	ck_assert_int_gt(former, 0);
	kill(former, SIGKILL);
	until(zygote_is_there, &former, "the next zygote");
	ck_assert_uint_eq(live_workers(&one), WORKERS);
	kill(one, SIGKILL);
	ck_assert(wait_for_death(one));
	await_workers(WORKERS);
	python_stop();
}
END_TEST

static bool one_is_starting(void *context)
{
	const struct tables *t = plm_tables(handle);
	(void)context;
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_STARTING)
			return true;
	}
	return false;
}

/* The order was sent, and no worker was forked for it. */
START_TEST(an_order_of_a_dead_zygote_goes_to_the_next)
{
	pid_t former = zygote();
	kill(former, SIGSTOP);
	free(ctl_expect(&host, 0, "workers", "--set", "3"));
	until(one_is_starting, NULL, "an order");
	kill(former, SIGKILL);
	await_workers(WORKERS + 1);
	expect_alive(handle, 0);
	python_stop();
}
END_TEST

static bool manager_is_stopped(void *context)
{
	(void)context;
	return process_stopped(host.pid, process_start_time(host.pid));
}

/* The manager kills what dead workers leave behind, and finds the new worker among its children
 * before it reads of the new worker. */
START_TEST(a_worker_born_while_another_dies_is_no_orphan)
{
	plm_status s;
	pid_t one, former = zygote();
	ck_assert_uint_eq(live_workers(&one), WORKERS);
	kill(former, SIGSTOP);
	for (int i = 0; i < 2; i++) /* the second answer comes when the order was sent */
		free(ctl_expect(&host, 0, "workers", "--set", "3"));
	until(one_is_starting, NULL, "an order");
	kill(host.pid, SIGSTOP);
	until(manager_is_stopped, NULL, "the stop of the manager");
	kill(one, SIGKILL);
	ck_assert(wait_for_death(one));
	kill(former, SIGCONT);
	await_workers(WORKERS);
	kill(host.pid, SIGCONT);
	await_workers(WORKERS + 1);
	ck_assert_int_eq(plm_status_get(handle, &s), 0);
	ck_assert_uint_eq(s.restarts, 1);
	python_stop();
}
END_TEST

START_TEST(a_runtime_ends_while_a_zygote_does_not_answer)
{
	pid_t former = zygote();
	kill(former, SIGSTOP);
	free(ctl_expect(&host, 0, "workers", "--set", "3"));
	until(one_is_starting, NULL, "an order");
	python_stop();
	ck_assert(wait_for_death(former));
}
END_TEST

START_TEST(recycled_python_workers_are_replaced)
{
	plm_status s;
	python_prepare();
	runtime_boot(&host, "--workers", "1", "--python", interpreter(), "--recycle-tasks", "3", );
	handle = host_connect();
	for (int i = 0; i < 10; i++)
		expect_alive(handle, 0);
	ck_assert_int_eq(plm_status_get(handle, &s), 0);
	ck_assert_uint_eq(s.restarts, 0);
	python_stop();
}
END_TEST

/* ---- the manager ---- */

START_TEST(without_a_manager_python_workers_go_on_and_the_next_manager_adopts_them)
{
	pid_t before, after, former;
	python_prepare();
	runtime_boot_loose(&host, "--workers", "1", "--python", interpreter(), );
	handle = host_connect();
	ck_assert_uint_eq(live_workers(&before), 1);
	former = zygote();
	runtime_kill(&host);
	ck_assert(wait_for_death(former));
	expect_alive(handle, 0);
	runtime_reboot(&host, "--workers", "1", "--python", interpreter(), );
	ck_assert_uint_eq(live_workers(&after), 1);
	ck_assert_int_eq(before, after);
	kill(after, SIGKILL);
	ck_assert(wait_for_death(after));
	await_workers(1);
	expect_alive(handle, 0);
	python_stop();
}
END_TEST

START_TEST(tied_python_workers_and_their_zygote_end_with_the_manager)
{
	pid_t one, former = zygote();
	ck_assert_uint_eq(live_workers(&one), WORKERS);
	plm_disconnect(&handle);
	runtime_kill(&host);
	ck_assert(wait_for_death(one));
	ck_assert(wait_for_death(former));
	runtime_end(&host);
}
END_TEST

/* ---- kinds and needs ---- */

START_TEST(a_task_with_the_need_python_runs_in_a_python_worker_alone)
{
	char kinds[LINE_BYTES];
	python_prepare();
	snprintf(kinds, sizeof kinds, "python=%s,cpus=2; cpus=1 x1", interpreter());
	runtime_boot(&host, "--workers", kinds, );
	for (int i = 0; i < 4; i++) {
		char *pid = ctl_expect(&host, 0, "submit", "--needs", "python=1", "--", "sh", "-c",
		    "cat /proc/$PPID/cmdline | tr '\\0' ' '");
		ck_assert_msg(strstr(pid, "plm._zygote") != NULL, "%s", pid);
		free(pid);
	}
	check_output(order("--needs", "python=3", "--", "true"), EXIT_USAGE, NULL,
	    "no worker has more than 2");
	check_output(order("--needs", "python2=1", "--", "true"), EXIT_USAGE, NULL,
	    "no worker runs that Python");
	runtime_stop(&host);
	runtime_end(&host);
}
END_TEST

START_TEST(without_python_workers_the_need_and_the_function_are_refused)
{
	runtime_boot(&host, "--workers", "1", );
	check_output(order("--needs", "python=1", "--", "true"), EXIT_USAGE, NULL,
	    "plm --python INTERPRETER");
	struct output_of o = ctl(&host, "call", "py.call", "x");
	ck_assert_msg(o.code != 0 && strstr(o.err, "py.call"), "%d: %s", o.code, o.err);
	output_free(&o);
	runtime_stop(&host);
	runtime_end(&host);
}
END_TEST

START_TEST(a_c_worker_beside_python_workers_says_what_a_python_task_needs)
{
	char kinds[LINE_BYTES];
	python_prepare();
	snprintf(kinds, sizeof kinds, "python=%s; licence=1", interpreter());
	runtime_boot(&host, "--workers", kinds, );
	struct output_of o = ctl(&host, "call", "--needs", "licence=1", "py.call", "x");
	ck_assert_msg(
	    o.code != 0 && strstr(o.err, "this worker has no Python interpreter"), "%s", o.err);
	output_free(&o);
	runtime_stop(&host);
	runtime_end(&host);
}
END_TEST

/* ---- a boot that cannot succeed ---- */

static void expect_no_boot(const char *python, const char *preload, const char *reason)
{
	struct output_of o = program_run(&host, "plm",
	    (const char *const[]){
		"--workers", "2", "--python", python, preload ? "--preload" : NULL, preload, NULL },
	    NULL, 0);
	ck_assert_msg(o.code == EXIT_NO_BOOT && strstr(o.err, reason), "%d: %s", o.code, o.err);
	output_free(&o);
}

START_TEST(a_boot_with_a_useless_interpreter_fails_with_the_reason)
{
	char path[PATH_MAX];
	runtime_prepare(&host);
	expect_no_boot("/nowhere/python3", NULL, "/nowhere/python3 cannot be executed");
	expect_no_boot("no-such-python", NULL, "no-such-python cannot be executed");
	write_program(path, "#!/bin/sh\nexit 3\n");
	expect_no_boot(path, NULL, "ended with exit code 3");
	expect_no_boot(path, NULL, "-m pip install plm");
	write_program(path, "#!/bin/sh\nkill -SEGV $$\n");
	expect_no_boot(path, NULL, "killed by signal 11");
	runtime_end(&host);
}
END_TEST

START_TEST(a_boot_without_the_package_or_a_module_fails_with_the_reason)
{
	char path[PATH_MAX];
	python_prepare();
	runtime_prepare(&host);
	expect_no_boot(
	    interpreter(), "json,no_such_module", "cannot import the module no_such_module");
	write_program(path, "#!/bin/sh\nexec %s -I -S \"$@\"\n", interpreter());
	expect_no_boot(path, NULL, "No module named");
	runtime_end(&host);
}
END_TEST

/* A virtual environment is known by the link, and the runtime may start interpreters from another
 * directory. */
START_TEST(a_path_of_an_interpreter_is_made_absolute_and_keeps_its_links)
{
	char path[PATH_MAX], link[PATH_MAX], programs[PATH_MAX], expected[PATH_MAX + 64];
	const char *where = getenv("PLM_BIN");
	ck_assert_ptr_nonnull(realpath(where && where[0] ? where : ".", programs));
	setenv("PLM_BIN", programs, 1);
	runtime_prepare(&host);
	write_program(path, "#!/bin/sh\nexit 3\n");
	scratch_path(&host, "link", link, sizeof link);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(chdir(host.directory), 0);
	snprintf(expected, sizeof expected, "%s/./link ended with exit code 3", host.directory);
	expect_no_boot("./link", NULL, expected);
	setenv("PATH", host.directory, 1);
	snprintf(expected, sizeof expected, "%s/link ended with exit code 3", host.directory);
	expect_no_boot("link", NULL, expected);
	ck_assert_int_eq(chdir(programs), 0);
	runtime_end(&host);
}
END_TEST

START_TEST(another_version_of_the_package_is_refused)
{
	char path[PATH_MAX];
	runtime_prepare(&host);
	write_program(path,
	    "#!/bin/sh\nexec %s -c 'import socket, struct; s = socket.socket(fileno=3); "
	    "s.send(struct.pack(\"=IIi24s400s\", 0x504c4d48, 1, 0, b\"9.9\", b\"\")); "
	    "s.recv(1)'\n",
	    interpreter());
	expect_no_boot(path, NULL, "is version 9.9");
	runtime_end(&host);
}
END_TEST

static void add_case(
    Suite *suite, const char *name, void (*setup)(void), const TTest *const *tests, size_t n)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	if (setup)
		tcase_add_checked_fixture(tcase, setup, NULL);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const booted[] = {
		python_workers_run_tasks_and_name_their_interpreter,
		more_python_workers_are_born_and_leave,
		a_killed_python_worker_is_replaced_in_the_same_runtime,
		a_task_that_kills_its_python_worker_fails_with_the_signal,
		after_the_death_of_the_zygote_workers_live_on_and_are_born_again,
		an_order_of_a_dead_zygote_goes_to_the_next,
		a_worker_born_while_another_dies_is_no_orphan,
		a_runtime_ends_while_a_zygote_does_not_answer,
		tied_python_workers_and_their_zygote_end_with_the_manager,
	};
	const TTest *const packaged[] = {
		recycled_python_workers_are_replaced,
		without_a_manager_python_workers_go_on_and_the_next_manager_adopts_them,
		a_task_with_the_need_python_runs_in_a_python_worker_alone,
		a_c_worker_beside_python_workers_says_what_a_python_task_needs,
		a_boot_without_the_package_or_a_module_fails_with_the_reason,
	};
	const TTest *const plain[] = {
		without_python_workers_the_need_and_the_function_are_refused,
		a_boot_with_a_useless_interpreter_fails_with_the_reason,
		a_path_of_an_interpreter_is_made_absolute_and_keeps_its_links,
		another_version_of_the_package_is_refused,
	};
	char package[PATH_MAX];
	Suite *suite = suite_create("python workers");
	if (python_package(package)) {
		add_case(suite, "booted", python_boot, booted, COUNT_OF(booted));
		add_case(suite, "packaged", NULL, packaged, COUNT_OF(packaged));
	} else {
		printf("left out, the package plm is not built (make python): Python workers\n");
	}
	add_case(suite, "plain", NULL, plain, COUNT_OF(plain));
	return run_suite(suite);
}
