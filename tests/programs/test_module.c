/* test_module.c - modules that hang, die or start processes while they are loaded: the manager
 * goes on, clients are let in, and started processes end. A module in C++ is a module. */
#include <check.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 4096, PIDS_MAX = 4, EXIT_NO_BOOT = 73 };

static char scratch[PATH_BYTES], module[PATH_BYTES], vector[PATH_BYTES], pids[PATH_BYTES];

static const char *where(void)
{
	const char *bin = getenv("PLM_BIN");
	return bin && bin[0] ? bin : ".";
}

static void find(const char *file, char ret[PATH_BYTES])
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", where(), file);
	if (access(path, R_OK) != 0)
		snprintf(path, sizeof path, "build/release/%s", file);
	ck_assert_ptr_nonnull(realpath(path, ret));
}

static void setup(void)
{
	runtime_prepare(&host);
	find("tests/support/modules/mod_constructor.so", module);
	find("examples/vector.so", vector);
	scratch_path(&host, "pids", pids, sizeof pids);
	setenv("PLM_TEST_PIDS", pids, 1);
}

static void boot_with(const char *constructor)
{
	setup();
	snprintf(scratch, sizeof scratch, "%s", host.directory);
	setenv("PLM_TEST_CONSTRUCTOR", constructor, 1);
	runtime_boot(&host, "--workers", "2", "--tasks", "256", "--store", "4M", "--module-limit",
	    "500ms", );
}

static void stop(void)
{
	runtime_stop(&host);
	runtime_end(&host);
	unlink(pids);
	rmdir(scratch);
}

/* The pids that the code of the module has written so far. */
static size_t pids_told(pid_t ret[PIDS_MAX])
{
	size_t n = 0;
	FILE *file = fopen(pids, "r");
	while (file && n < PIDS_MAX && fscanf(file, "%d\n", &ret[n]) == 1)
		n++;
	if (file)
		fclose(file);
	return n;
}

static bool has_begun(void *unused)
{
	pid_t pid[PIDS_MAX];
	(void)unused;
	return pids_told(pid) > 0;
}

static void expect_that_all_end(size_t expected)
{
	pid_t pid[PIDS_MAX];
	size_t n = pids_told(pid);
	ck_assert_uint_eq(n, expected);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(wait_for_death(pid[i]), "pid %d lives on", (int)pid[i]);
}

static void expect_nothing_of_it(void)
{
	char pattern[PATH_BYTES];
	glob_t found;
	snprintf(pattern, sizeof pattern, "/dev/shm/plm-*-%s.*", host.name);
	ck_assert_msg(glob(pattern, 0, NULL, &found) == GLOB_NOMATCH, "%s is left",
	    found.gl_pathc ? found.gl_pathv[0] : "something");
	snprintf(pattern, sizeof pattern, "%s/plm/%s.[bls][eo]*[kl]", host.directory, host.name);
	ck_assert_msg(glob(pattern, 0, NULL, &found) == GLOB_NOMATCH, "%s is left",
	    found.gl_pathc ? found.gl_pathv[0] : "something");
}

static void expect_refusal(const char *words)
{
	struct output_of o = ctl(&host, "module", "load", module);
	ck_assert_int_ne(o.code, 0);
	ck_assert_msg(strstr(o.err, words) && strstr(o.err, "mod_constructor.so"), "%s", o.err);
	output_free(&o);
}

/* ---- at boot ---- */

START_TEST(a_module_that_hangs_ends_the_boot_after_its_limit_and_is_named)
{
	setup();
	setenv("PLM_TEST_CONSTRUCTOR", "hang", 1);
	struct output_of o = program_run(&host, "plm",
	    (const char *const[]){ "--workers", "1", "--store", "4M", "--module-limit", "200ms",
		"--module", module, NULL },
	    NULL, 0);
	ck_assert_int_eq(o.code, EXIT_NO_BOOT);
	ck_assert_uint_eq(o.out_bytes, 0);
	ck_assert_msg(
	    strstr(o.err, "mod_constructor.so") && strstr(o.err, "--module-limit"), "%s", o.err);
	output_free(&o);
	expect_that_all_end(1);
	expect_nothing_of_it();
	runtime_end(&host);
}
END_TEST

/* Boots with a module that hangs, and ends plm by a signal; no ready line may come. */
static int end_boot(const char *mode, int signal)
{
	char path[PATH_BYTES];
	int status;
	snprintf(path, sizeof path, "%s/plm", where());
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		execl(path, "plm", "--name", host.name, "--workers", "1", "--store", "4M",
		    "--module-limit", "1h", "--module", module, mode, (char *)NULL);
		_exit(127);
	}
	until(has_begun, NULL, "the module is being loaded");
	kill(pid, signal);
	ck_assert_msg(wait_for_death(pid), "the boot goes on");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "wait status %#x", (unsigned)status);
	return WEXITSTATUS(status);
}

START_TEST(a_signal_ends_a_boot_that_waits_for_a_module)
{
	setup();
	setenv("PLM_TEST_CONSTRUCTOR", "hang", 1);
	ck_assert_int_eq(end_boot(NULL, _i ? SIGINT : SIGTERM), 0);
	expect_that_all_end(1);
	expect_nothing_of_it();
	runtime_end(&host);
}
END_TEST

START_TEST(a_signal_for_the_starter_of_a_daemon_ends_its_boot)
{
	setup();
	setenv("PLM_TEST_CONSTRUCTOR", "hang", 1);
	ck_assert_int_eq(end_boot("--daemon", SIGINT), EXIT_NO_BOOT);
	expect_that_all_end(1);
	expect_nothing_of_it();
	runtime_end(&host);
}
END_TEST

/* ---- in a runtime that is up ---- */

START_TEST(a_module_that_hangs_is_given_up_and_the_next_one_is_loaded)
{
	boot_with("hang");
	expect_refusal("--module-limit");
	free(ctl_expect(&host, 0, "module", "load", vector));
	expect_that_all_end(1);
	stop();
}
END_TEST

/* The child still lives and has all descriptors of the loader open. */
START_TEST(a_child_of_a_loader_that_died_holds_nobody_up)
{
	boot_with("abort");
	expect_refusal("signal 6");
	host_join();
	expect_alive(client, 0);
	free(ctl_expect(&host, 0, "module", "load", vector));
	expect_that_all_end(2);
	plm_disconnect(&client);
	stop();
}
END_TEST

START_TEST(what_a_module_has_started_ends_with_its_loader)
{
	boot_with("leave");
	free(ctl_expect(&host, 0, "module", "load", module));
	expect_that_all_end(2);
	stop();
}
END_TEST

/* ---- C++ ---- */

/* In a namespace, and with a function that only a lookup by its C name finds. */
static const char cxx_module[] =
    "#include <plm.h>\n"
    "#include <cstring>\n"
    "namespace greetings {\n"
    "static int hello(plm_call *call)\n"
    "{\n"
    "	static int calls = 0;\n"
    "	void *to = plm_result(call, 6);\n"
    "	if (!to)\n"
    "		return plm_fail(call, 28, \"%s\", plm_why());\n"
    "	const plm_arg none = PLM_FUTURE(PLM_NONE), bytes = PLM_BYTES(\"hello\", 5);\n"
    "	std::memcpy(to, bytes.data, bytes.len + none.len);\n"
    "	static_cast<char *>(to)[5] = static_cast<char>('0' + calls++);\n"
    "	return 0;\n"
    "}\n"
    "PLM_MODULE(cxx, { \"hello\", hello, \"greets, and counts\" });\n"
    "}\n";

static int compile_cxx(const char *source, const char *object)
{
	char command[3 * PATH_BYTES];
	snprintf(command, sizeof command,
	    "g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -fvisibility=hidden "
	    "-Iclient -o '%s' -x c++ '%s'",
	    object, source);
	return system(command);
}

START_TEST(a_module_in_cxx_is_loaded_and_called)
{
	char source[PATH_BYTES], object[PATH_BYTES];
	if (system("g++ --version >/dev/null 2>&1") != 0) {
		fprintf(stderr, "skipped: a module in C++ needs g++, which is not installed\n");
		return;
	}
	runtime_boot(&host, "--workers", "1", "--tasks", "256", "--store", "4M", );
	scratch_write(&host, "cxx.cc", cxx_module, sizeof cxx_module - 1, source, sizeof source);
	scratch_path(&host, "cxx.so", object, sizeof object);
	ck_assert_int_eq(compile_cxx(source, object), 0);
	free(ctl_expect(&host, 0, "module", "load", object));
	char *first = ctl_expect(&host, 0, "call", "cxx.hello");
	char *second = ctl_expect(&host, 0, "call", "cxx.hello");
	ck_assert_str_eq(first, "hello0");
	ck_assert_str_eq(second, "hello1"); /* static variables live as long as the worker */
	free(first);
	free(second);
	runtime_stop(&host);
	runtime_end(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("module");
	TCase *tcase = tcase_create("module");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, a_module_that_hangs_ends_the_boot_after_its_limit_and_is_named);
	tcase_add_loop_test(tcase, a_signal_ends_a_boot_that_waits_for_a_module, 0, 2);
	tcase_add_test(tcase, a_signal_for_the_starter_of_a_daemon_ends_its_boot);
	tcase_add_test(tcase, a_module_that_hangs_is_given_up_and_the_next_one_is_loaded);
	tcase_add_test(tcase, a_child_of_a_loader_that_died_holds_nobody_up);
	tcase_add_test(tcase, what_a_module_has_started_ends_with_its_loader);
	tcase_add_test(tcase, a_module_in_cxx_is_loaded_and_called);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
