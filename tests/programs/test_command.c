/* test_command.c - commands as tasks, through the real programs: start, environment, output, and
 * reports of failures. The end of commands: test_command_end.c. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/command_case.h"
#include "tests/support/json.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, PATH_BYTES = 256, LINE_BYTES = 512, FORMS = 200 };

static long number_field(const char *ref, const char *key)
{
	char *line = ctl_expect(&host, 0, "info", "--json", ref), *value = json_field(line, key);
	ck_assert_msg(value != NULL, "no %s in %s", key, line);
	long number = atol(value);
	free(value);
	free(line);
	return number;
}

/* ---- starting ---- */

START_TEST(a_command_writes_and_exits_as_without_plm)
{
	check_output(order("--", "echo", "hello"), 0, "hello\n", NULL);
	check_output(order("--", "true"), 0, "", NULL);
	check_output(order("--shell", "echo out; echo err >&2; exit 3"), 3, "out\n", "err\n");
	check_output(order("--shell", "exit 110"), 110, "", "exit code 110");
	check_output(order("--shell", "kill -TERM $$"), 128 + SIGTERM, "", "signal 15");
	check_output(order("--shell", "echo warning >&2"), 0, "", "warning\n");
}
END_TEST

START_TEST(words_reach_the_program_without_a_shell)
{
	check_output(order("printf", "%s|", "a b", "$HOME", "*", "", "--detach", "@x", "@@y"), 0,
	    "a b|$HOME|*||--detach|@x|@@y|", NULL);
	check_output(order("--shell", "printf '%s|' 'a b' $((1+1))"), 0, "a b|2|", NULL);
}
END_TEST

START_TEST(usage_errors_are_64)
{
	check_output(order("--detach"), 64, "", "too few");
	check_output(order("--shell", "true", "extra"), 64, "", "extra");
	check_output(order("--env", "NOVALUE", "true"), 64, "", "NOVALUE");
	check_output(order("--output-cap", "0", "true"), 64, "", "output-cap");
	check_output(order("--output-cap", "many", "true"), 64, "", "many");
	check_output(order("--results", "2", "true"), 64, "", "--results");
}
END_TEST

static void executable(const char *name, const char *text, mode_t mode, char path[PATH_BYTES])
{
	scratch_write(&host, name, text, strlen(text), path, PATH_BYTES);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(what_cannot_be_started_has_the_code_of_a_shell_and_a_word)
{
	char plain[PATH_BYTES], rubbish[PATH_BYTES], lost[PATH_BYTES];
	executable("plain", "text", 0600, plain);
	executable("rubbish", "text", 0700, rubbish);
	executable("lost", "#!/no/interpreter\n", 0700, lost);
	check_output(order("no-such-command"), 127, "", "command not found: no-such-command");
	check_output(order("--env", "PATH=/nowhere", "true"), 127, "", "PATH is /nowhere");
	check_output(order("./no-such-file"), 127, "", "command not found: ./no-such-file");
	check_output(order(lost), 127, "", "asks for in its first line was not found");
	check_output(order(plain), 126, "", "Permission denied");
	check_output(order("/"), 126, "", "is a directory");
	check_output(order(rubbish), 126, "", "nor a script");
	check_output(order("--dir", "/nowhere", "true"), 125, "",
	    "cannot enter the directory "
	    "/nowhere (--dir): No such file");
	check_output(order("--stdin", "/nowhere", "true"), 125, "",
	    "cannot open the --stdin file "
	    "/nowhere: No such file");
	check_output(order("echo", "goes on"), 0, "goes on\n", NULL);
}
END_TEST

START_TEST(no_process_to_be_had_is_said)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "1", "--module", test_module("mod_forkless"), );
	free(ctl_expect(&host, 0, "call", "forkless.now"));
	check_output(order("true"), 125, "", "no process could be started: Resource temp");
	check_output(order("true"), 125, "", "ulimit -u");
}
END_TEST

/* ---- the surroundings of a command ---- */

START_TEST(a_command_runs_in_the_directory_and_environment_of_its_submitter)
{
	char here[PATH_BYTES], expected[PATH_BYTES + 8];
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	setenv("PLM_TEST_OURS", "from us", 1);
	snprintf(expected, sizeof expected, "%s\n", here);
	check_output(order("pwd"), 0, expected, NULL);
	snprintf(expected, sizeof expected, "%s/tests\n", here);
	check_output(order("--dir", "tests", "pwd"), 0, expected, NULL);
	check_output(order("--dir", "/", "pwd"), 0, "/\n", NULL);
	check_output(order("printenv", "PLM_TEST_OURS"), 0, "from us\n", NULL);
	check_output(order("--no-env", "printenv", "PLM_TEST_OURS"), 1, "", NULL);
	check_output(order("--env", "PLM_TEST_OURS=said", "--env", "B=2", "--shell",
			 "echo $PLM_TEST_OURS $B"),
	    0, "said 2\n", NULL);
	check_output(order("--no-env", "--env", "B=2", "printenv", "B"), 0, "2\n", NULL);
}
END_TEST

START_TEST(a_program_is_looked_for_in_the_path_of_its_submitter)
{
	char path[PATH_BYTES], variable[PATH_BYTES + 8];
	executable("plm-test-own", "#!/bin/sh\necho found\n", 0700, path);
	check_output(order("plm-test-own"), 127, "", NULL);
	snprintf(variable, sizeof variable, "PATH=/nowhere:%s:/bin", host.directory);
	check_output(order("--env", variable, "plm-test-own"), 0, "found\n", NULL);
	check_output(order("--env", "PATH=/nowhere:", "--dir", host.directory, "plm-test-own"), 0,
	    "found\n", NULL);
}
END_TEST

START_TEST(a_command_is_told_its_task_attempt_worker_and_runtime)
{
	char *ref = detached("--retries", "1", "--shell",
	    "test $PLM_ATTEMPT = 2 && echo $PLM_TASK $PLM_NAME $PLM_CPUS $PLM_WORKER $PLM_SLOT");
	char *text = ctl_expect(&host, 0, "get", ref), expected[LINE_BYTES];
	long worker = number_field(ref, "worker");
	char *slots = ctl_expect(&host, 0, "workers", "--json");
	snprintf(expected, sizeof expected, "%s %s 1 %ld ", ref, host.name, worker);
	ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s, not %s", text, expected);
	snprintf(expected, sizeof expected, "\"process_slot\": %s,", text + strlen(expected));
	ck_assert_msg(strstr(slots, expected) != NULL, "%s is in no slot of %s", expected, slots);
	free(slots);
	free(text);
	free(ref);
}
END_TEST

START_TEST(a_command_is_told_its_cpus_and_gpus)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "cpus=3,gpus=2 x1", );
	setenv("CUDA_VISIBLE_DEVICES", "7", 1);
	setenv("OMP_NUM_THREADS", "9", 1);
	const char *line = "echo $PLM_CPUS [$CUDA_VISIBLE_DEVICES] $OMP_NUM_THREADS";
	check_output(order("--needs", "cpus=2,gpus=2", "--shell", line), 0, "2 [0,1] 9\n", NULL);
	unsetenv("OMP_NUM_THREADS");
	check_output(order("--needs", "cpus=2", "--shell", line), 0, "2 [] 2\n", NULL);
	unsetenv("CUDA_VISIBLE_DEVICES");
}
END_TEST

START_TEST(thread_counts_are_set_only_where_cpus_were_asked_for)
{
	const char *line = "echo $PLM_CPUS [$OMP_NUM_THREADS$MKL_NUM_THREADS$OPENBLAS_NUM_THREADS]";
	unsetenv("OMP_NUM_THREADS");
	unsetenv("MKL_NUM_THREADS");
	unsetenv("OPENBLAS_NUM_THREADS");
	runtime_end(&host);
	runtime_boot(&host, "--workers", "cpus=2 x1", );
	check_output(order("--shell", line), 0, "1 []\n", NULL);
	check_output(order("--no-env", "--shell", line), 0, "1 []\n", NULL);
	check_output(order("--needs", "mem=1M", "--shell", line), 0, "1 []\n", NULL);
	check_output(order("--needs", "cpus=1", "--shell", line), 0, "1 [111]\n", NULL);
	check_output(order("--needs", "mem=1M | cpus=2", "--shell", line), 0, "1 []\n", NULL);
	check_output(order("--no-env", "--needs", "cpus=2", "--shell", line), 0, "2 [222]\n", NULL);
	check_output(order("--shell", line), 0, "1 []\n", NULL);
}
END_TEST

START_TEST(its_stdin_is_a_file_or_empty)
{
	char path[PATH_BYTES];
	scratch_write(&host, "input", "one\ntwo\n", 8, path, sizeof path);
	check_output(order("cat"), 0, "", NULL);
	check_output(order("--stdin", path, "cat"), 0, "one\ntwo\n", NULL);
	check_output(order("--stdin", "Makefile", "--dir", "/", "head", "-n", "1"), 0,
	    "# plm - a task runtime for one machine.\n", NULL);
}
END_TEST

/* A command ignores and blocks no signal that plm ignores or blocks. Signals 32 and 33 belong to
 * the C library, which may ignore them in spawned processes and refuses to change them for us. */
static void check_signals(void)
{
	check_output(order("grep", "-E", "^Sig(Blk:\t0{16}|Ign:\t0{7}[01][08]0{7})$", "-c",
			 "/proc/self/status"),
	    0, "2\n", NULL);
}

START_TEST(signals_are_as_a_shell_gives_them)
{
	check_signals();
}
END_TEST

START_TEST(a_signal_that_a_function_ignores_is_not_ignored_by_the_command_after_it)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "1", "--module", test_module("mod_parent"), );
	check_signals();
	check_signals();
	free(ctl_expect(&host, 0, "call", "parent.ignore"));
	check_signals();
	check_signals();
}
END_TEST

START_TEST(a_command_inherits_no_descriptor_of_the_worker)
{
	runtime_end(&host);
	runtime_boot(&host, "--workers", "1", "--module", test_module("mod_parent"), );
	free(ctl_expect(&host, 0, "call", "parent.open"));
	/* 3 is the directory that ls reads */
	check_output(order("ls", "/proc/self/fd"), 0, "0\n1\n2\n3\n", NULL);
}
END_TEST

/* ---- the output of a command ---- */

START_TEST(its_output_is_a_value_for_functions)
{
	char *ref = detached("--shell", "echo one two three; echo no value >&2");
	check_output(ctl(&host, "call", "probe.wordcount", ref), 0, "3", NULL);
	check_output(ctl(&host, "get", ref), 0, "one two three\n", NULL);
	free(ref);
}
END_TEST

START_TEST(binary_output_comes_as_it_went)
{
	static char data[100000];
	char path[PATH_BYTES];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7 + i / 256);
	scratch_write(&host, "data", data, sizeof data, path, sizeof path);
	struct output_of o = order("cat", path);
	ck_assert_int_eq(o.code, 0);
	ck_assert_uint_eq(o.out_bytes, sizeof data);
	ck_assert_mem_eq(o.out, data, sizeof data);
	output_free(&o);
	o = order("--shell", "printf 'a\\001\\377b' >&2; exit 4");
	ck_assert_mem_eq(o.err, "a\001\377b", 4);
	output_free(&o);
	char *ref = detached("--shell", "printf 'a\\001\\377b' >&2; exit 4");
	check_output(ctl(&host, "get", ref), 1, "", "exit code 4: a??b");
	unsigned values;
	o = ctl(&host, "logs", "--json", "--stderr", ref);
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, 1);
	output_free(&o);
	free(ref);
}
END_TEST

START_TEST(output_beyond_the_cap_is_cut_off_visibly_and_the_command_goes_on)
{
	char *ref = detached("--output-cap", "1K", "--shell",
	    "head -c 300000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2; "
	    "echo last words >&2; exit 6");
	check_output(ctl(&host, "get", ref), 1, "", "exit code 6: ");
	struct output_of o = ctl(&host, "logs", ref);
	ck_assert_int_eq(o.code, 74);
	ck_assert_uint_eq(o.out_bytes, 1024);
	ck_assert_uint_eq(strspn(o.out, "x"), 1024);
	ck_assert_ptr_nonnull(strstr(o.err,
	    "of the 300000 bytes that it wrote to stdout the last "
	    "298976 were cut off"));
	output_free(&o);
	expect_field(ref, "stdout_bytes", "300000");
	expect_field(ref, "stdout_dropped", "298976");
	ck_assert_int_eq(number_field(ref, "stderr_dropped"), 200000 + 11 - 1024);
	o = ctl(&host, "get", ref);
	ck_assert_msg(strstr(o.err, "last words") != NULL, "the end is not in \"%s\"", o.err);
	output_free(&o);
	free(ref);
	check_output(order("--output-cap", "4", "printf", "12345"), 74, "1234", "were cut off");
	check_output(order("--output-cap", "5", "printf", "12345"), 0, "12345", NULL);
	check_output(order("--output-cap", "4", "--shell", "printf 12345; exit 3"), 3, "1234",
	    "were cut off");
}
END_TEST

/* Without an option 16 MiB of the output are kept. */
START_TEST(a_value_that_is_a_part_of_the_output_is_shown_with_a_word_and_a_code)
{
	char *ref = detached("head", "-c", "20000000", "/dev/zero");
	struct output_of o = ctl(&host, "get", ref);
	ck_assert_int_eq(o.code, 74);
	ck_assert_uint_eq(o.out_bytes, 16 << 20);
	ck_assert_ptr_nonnull(strstr(o.err, "the last 3222784 were cut off"));
	output_free(&o);
	expect_field(ref, "stdout_dropped", "3222784");
	free(ref);
}
END_TEST

START_TEST(a_closed_stdout_is_not_its_end)
{
	check_output(order("--shell", "exec >&- 2>&-; sleep 0.1; exit 5"), 5, "", "exit code 5");
}
END_TEST

/* A command that writes, waits for a file, and writes again. */
static char *half_way(const char *more)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "echo begun; echo begun2 >&2; until [ -e %s/go ]; do sleep "
	    "0.01; done; echo done; echo done2 >&2; %s",
	    host.directory, more);
	return detached("--shell", line);
}

static void touch(const char *name)
{
	char path[PATH_BYTES];
	scratch_write(&host, name, "", 0, path, sizeof path);
}

START_TEST(logs_show_what_was_written_so_far_and_then_all)
{
	char *ref = half_way("exit 9");
	ctl_until(&host, "begun\n", "logs", ref);
	check_output(ctl(&host, "logs", ref), 0, "begun\n", NULL);
	ctl_until(&host, "begun2\n", "logs", "--stderr", ref);
	check_output(
	    ctl(&host, "logs", "--follow", "--timeout", "0.05", ref), 124, "begun\n", NULL);
	touch("go");
	check_output(ctl(&host, "logs", "--follow", ref), 0, "begun\ndone\n", NULL);
	check_output(ctl(&host, "logs", "--stderr", ref), 0, "begun2\ndone2\n", NULL);
	char *object = ctl_expect(&host, 0, "put", "Makefile");
	check_output(ctl(&host, "logs", object), 65, "", "is not a command");
	check_output(ctl(&host, "info", object), 65, "", "is not a command");
	free(object);
	free(ref);
}
END_TEST

/* Follows a running command, then a finished one: both print each byte once. */
START_TEST(following_shows_each_byte_once)
{
	char *ref = detached("--shell", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done");
	check_output(ctl(&host, "logs", "--follow", ref), 0, "1\n2\n3\n4\n5\n6\n7\n8\n", NULL);
	check_output(ctl(&host, "logs", "--follow", ref), 0, "1\n2\n3\n4\n5\n6\n7\n8\n", NULL);
	free(ref);
}
END_TEST

START_TEST(what_was_kept_goes_with_the_future)
{
	char *before = ctl_expect(&host, 0, "status", "--json");
	char *used = json_field(before, "store_used"), wanted[LINE_BYTES];
	char *ref = detached("--shell", "head -c 1000000 /dev/zero >&2; exit 1");
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	ck_assert_int_ge(number_field(ref, "stderr_bytes"), 1000000);
	free(ctl_expect(&host, 0, "drop", ref));
	snprintf(wanted, sizeof wanted, "\"store_used\": %s", used);
	ctl_until(&host, wanted, "status", "--json");
	free(used);
	free(before);
	free(ref);
}
END_TEST

/* ---- what info shows of a command ---- */

START_TEST(the_record_of_a_command_tells_how_it_went)
{
	char *ref = detached("--shell",
	    "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; "
	    "head -c 64000000 /dev/zero | sort -S 60M > /dev/null; sleep 0.2; exit 7");
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	expect_field(ref, "exit_code", "7");
	expect_field(ref, "signal", "null");
	expect_field(ref, "state", "failed");
	expect_field(ref, "attempt", "1");
	ck_assert_int_ge(number_field(ref, "run_ms"), 200);
	ck_assert_int_ge(number_field(ref, "user_ms"), 10);
	ck_assert_int_ge(number_field(ref, "resident_bytes"), 20000000); /* the memory of sort */
	char *line = ctl_expect(&host, 0, "info", ref);
	ck_assert_msg(strstr(line, "/bin/sh -c i=0;") != NULL, "the command is not in %s", line);
	free(line);
	free(ref);
	ref = detached("--shell", "kill -9 $$");
	check_output(ctl(&host, "wait", ref), 1, NULL, NULL);
	expect_field(ref, "exit_code", "null");
	expect_field(ref, "signal", "9");
	free(ref);
}
END_TEST

START_TEST(a_label_is_kept_from_submission_to_the_end)
{
	free(ctl_expect(&host, 0, "pause"));
	char *ref = detached("--label", "nightly", "--shell", "exit 3"), *bare = detached("true");
	expect_field(ref, "label", "nightly");
	expect_field(bare, "label", "null");
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 1, "wait", ref, bare));
	expect_field(ref, "label", "nightly");
	expect_field(bare, "label", "null");
	check_output(order("--label", "", "true"), 64, "", "--label");
	check_output(
	    order("--label",
		"a label of more than sixty-four bytes is refused: it is to be a word, not a text",
		"true"),
	    64, "", "1 to 64 bytes");
	free(ref);
	free(bare);
}
END_TEST

START_TEST(the_time_in_the_queue_is_told)
{
	free(ctl_expect(&host, 0, "pause"));
	char *ref = detached("true");
	ctl_until(&host, "paused", "explain", ref);
	expect_field(ref, "command", "true");
	expect_field(ref, "state", "ready");
	while (number_field(ref, "queue_ms") < 70)
		continue;
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 0, "wait", ref));
	ck_assert_int_ge(number_field(ref, "queue_ms"), 50);
	free(ref);
}
END_TEST

START_TEST(a_failure_has_the_last_lines_of_stderr)
{
	char *ref = detached("--shell", "echo first >&2; echo 'the last' >&2; exit 2");
	check_output(ctl(&host, "get", ref), 1, "", "failed: exit code 2: first; the last\n");
	struct output_of o = ctl(&host, "explain", ref);
	check_output(o, 0, NULL, NULL);
	free(ref);
	ref = detached("--shell", "yes 'a line of some length' | head -n 1000 >&2; exit 2");
	o = ctl(&host, "get", ref);
	ck_assert_msg(strstr(o.err, "exit code 2: a line of some length; a") != NULL,
	    "it begins inside a line: %s", o.err);
	output_free(&o);
	free(ref);
}
END_TEST

START_TEST(commands_leave_no_descriptor_open_in_their_worker)
{
	for (int i = 0; i < 4;
	     i++) /* the descriptors that a worker opens once and keeps are open now */
		check_output(order("echo"), 0, NULL, NULL);
	unsigned before = descriptors_of_workers();
	for (int i = 0; i < FORMS / 4; i++) {
		check_output(order("--shell", "echo; echo >&2"), 0, NULL, NULL);
		check_output(order("no-such-command"), 127, NULL, NULL);
		check_output(order("--stdin", "Makefile", "false"), 1, NULL, NULL);
		check_output(order("--dir", "/nowhere", "true"), 125, NULL, NULL);
	}
	ck_assert_uint_le(descriptors_of_workers(), before);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_command_writes_and_exits_as_without_plm,
		words_reach_the_program_without_a_shell,
		usage_errors_are_64,
		what_cannot_be_started_has_the_code_of_a_shell_and_a_word,
		no_process_to_be_had_is_said,
		a_command_runs_in_the_directory_and_environment_of_its_submitter,
		a_program_is_looked_for_in_the_path_of_its_submitter,
		a_command_is_told_its_task_attempt_worker_and_runtime,
		a_command_is_told_its_cpus_and_gpus,
		thread_counts_are_set_only_where_cpus_were_asked_for,
		its_stdin_is_a_file_or_empty,
		signals_are_as_a_shell_gives_them,
		a_signal_that_a_function_ignores_is_not_ignored_by_the_command_after_it,
		a_command_inherits_no_descriptor_of_the_worker,
		its_output_is_a_value_for_functions,
		binary_output_comes_as_it_went,
		output_beyond_the_cap_is_cut_off_visibly_and_the_command_goes_on,
		a_value_that_is_a_part_of_the_output_is_shown_with_a_word_and_a_code,
		a_closed_stdout_is_not_its_end,
		logs_show_what_was_written_so_far_and_then_all,
		following_shows_each_byte_once,
		what_was_kept_goes_with_the_future,
		the_record_of_a_command_tells_how_it_went,
		a_label_is_kept_from_submission_to_the_end,
		the_time_in_the_queue_is_told,
		a_failure_has_the_last_lines_of_stderr,
		commands_leave_no_descriptor_open_in_their_worker,
	};
	return run_tests("command", TEST_TIMEOUT_S, host_boot_two, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
