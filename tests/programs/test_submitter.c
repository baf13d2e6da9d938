/* test_submitter.c - a command gets from its submitter the same as a child of a shell: umask,
 * nice value, resource limits, and with --stdin - standard input. The same lines must print the
 * same through sh -c and through plmctl. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tables/inherited.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, NOBODY = 65534 };

static void setup(void)
{
	map_setup();
	map_boot("2", "64M");
}

/* ---- umask, nice, limits ---- */

/* $T is "sh -c" or a plmctl, which must work within these limits, too. */
static const char *const inherited[] = {
	"umask 027; $T umask",
	"umask 0; $T 'touch made; stat -c %a made; rm made'",
	"nice -n 5 $T nice",
	"ulimit -n 100; $T 'ulimit -Sn; ulimit -Hn'",
	"ulimit -S -n 100; ulimit -S -s 1000; ulimit -S -l 77; $T 'ulimit -Sa; ulimit -Ha'",
	"ulimit -S -l 50; ulimit -H -l 99; ulimit -m 100000000; ulimit -t 1000; "
	"$T 'ulimit -Sa; ulimit -Ha'",
};

static struct output_of run_with(const char *tool, const char *line)
{
	return shell("T='%s'; %s", tool, line);
}

static void compare(const char *tool, const char *line)
{
	struct output_of shell_says = run_with("sh -c", line), ours = run_with(tool, line);
	ck_assert_msg(strcmp(shell_says.out, ours.out) == 0 && shell_says.out[0],
	    "%s, %s: \"%s\", not \"%s\"; %s", tool, line, ours.out, shell_says.out, ours.err);
	output_free(&shell_says);
	output_free(&ours);
}

START_TEST(a_command_has_umask_nice_value_and_limits_of_its_submitter)
{
	compare("plmctl submit --shell", inherited[_i]);
	compare("plmctl map -j1 --shell eval {} :::", inherited[_i]);
}
END_TEST

START_TEST(a_loaded_command_has_them_too)
{
	check_shell(0, "0027\n55\n0027\n55\n", "",
	    "printf '%s\\n' 'umask; ulimit -n' "
	    "'{\"shell\": \"umask; ulimit -n\", \"label\": \"own\"}' > tasks; "
	    "(umask 027; ulimit -n 55; plmctl load --quiet --wait tasks) > refs && "
	    "for r in $(cat refs); do plmctl get $r; done; plmctl drop $(cat refs)");
}
END_TEST

START_TEST(without_the_environment_they_are_those_of_the_worker)
{
	check_shell(0, "", "",
	    "umask > theirs; umask 027; "
	    "plmctl submit --no-env --shell umask | cmp - theirs; "
	    "echo '{\"shell\": \"umask\", \"no_env\": true}' > task; "
	    "plmctl load --wait --quiet task > ref; plmctl get $(cat ref) | cmp - theirs; "
	    "plmctl drop $(cat ref)");
}
END_TEST

START_TEST(limits_of_the_submitter_are_kept_over_a_boot)
{
	journal_boot();
	free(ctl_expect(&host, 0, "pause"));
	mode_t before = umask(0135);
	free(keep("--label", "mask", "--shell", "umask; ulimit -n"));
	umask(before);
	status_reaches("journal_accepted", 1);
	journal_crash();
	journal_reboot();
	history_settles();
	char *ref = ctl_expect(&host, 0, "tasks", "--quiet", "--label", "mask");
	char *out = ctl_expect(&host, 0, "logs", ref);
	ck_assert_msg(strncmp(out, "0135\n", 5) == 0, "%s", out);
	free(out);
	free(ref);
	journal_end();
}
END_TEST

/* ---- standard input ---- */

/* $T: "sh -c", or plmctl with --stdin -. */
static const char *const inputs[] = {
	"printf 'one\ntwo\n' | $T cat",
	"printf 'one\ntwo\n' > in; $T cat < in",
	"printf 'one\ntwo\n' > in; { read first; $T cat; } < in",
	"printf 'one\ntwo\n' > in; $T 'head -n 1; echo; exec wc -c' < in",
	"$T 'cat; echo end' < /dev/null",
	"(sleep 0.1; echo late) | $T cat",
};

START_TEST(its_stdin_may_be_that_of_its_submitter)
{
	static const char *const tools[] = { "plmctl submit --stdin - --shell",
		"plmctl submit --stdin /dev/stdin --shell",
		"plmctl submit --stdin /dev/fd/0 --shell",
		"plmctl submit --stdin /proc/self/fd/0 --shell",
		"TMPDIR=/dev/shm plmctl submit --stdin - --shell",
		"plmctl map --private --stdin - --shell eval {} :::" };
	for (size_t i = 0; i < COUNT_OF(tools); i++) {
		struct output_of theirs = run_with("sh -c", inputs[_i]);
		struct output_of ours = shell("T='env %s'; %s", tools[i], inputs[_i]);
		ck_assert_msg(strcmp(theirs.out, ours.out) == 0 && theirs.out[0] && ours.code == 0,
		    "%s, %s: \"%s\", not \"%s\"; %s", tools[i], inputs[_i], ours.out, theirs.out,
		    ours.err);
		output_free(&theirs);
		output_free(&ours);
	}
}
END_TEST

START_TEST(each_attempt_and_each_command_reads_all_of_it)
{
	check_shell(0, "2 in\n", "",
	    "echo in | plmctl submit --stdin - --retries 1 --shell "
	    "'read x; [ $PLM_ATTEMPT = 2 ] && echo $PLM_ATTEMPT $x'");
	check_shell(0, "1 in\n2 in\n3 in\n", "",
	    "echo in | plmctl map -k --stdin - 'echo {} $(cat)' ::: 1 2 3");
	check_shell(
	    64, "", "--stdin -: the inputs come from there", "echo 1 | plmctl map --stdin - cat");
	check_shell(64, "", "--stdin /dev/stdin: the inputs come from there",
	    "echo 1 | plmctl map --stdin /dev/stdin echo ::: 1 :::: -");
	check_shell(
	    64, "", "the inputs come from there", "plmctl map --stdin - -a - cat < /dev/null");
}
END_TEST

START_TEST(a_detached_command_has_it_after_plmctl_has_gone)
{
	check_shell(0, "one\ntwo\n", "",
	    "plmctl pause; A=$(printf 'one\ntwo\n' | "
	    "plmctl submit --detach --stdin - cat); plmctl resume; plmctl get $A; plmctl drop $A");
	check_shell(0, "two\n", "",
	    "printf 'one\ntwo\n' > in; "
	    "A=$({ read first; plmctl submit --detach --stdin - cat; } < in); plmctl get $A; "
	    "plmctl drop $A");
	check_shell(0, "", "",
	    "A=$(plmctl submit --detach --stdin - cat < /dev/null); "
	    "plmctl get $A; plmctl drop $A");
	check_shell(65, "", "--stdin: 100000000 bytes never fit",
	    "head -c 100000000 /dev/zero | plmctl submit --detach --stdin - true");
}
END_TEST

START_TEST(a_file_that_is_called_so_is_found_by_its_path)
{
	check_shell(
	    0, "a file\n", "", "echo a file > ./-; echo in | plmctl submit --stdin ./- cat");
	check_shell(64, "", "--stdin -: tasks outlive", "echo true > t; plmctl load --stdin - t");
	check_shell(65, "", "\"stdin\" is a file, and /dev/stdin is none that a worker has",
	    "echo '{\"shell\": \"cat\", \"stdin\": \"/dev/stdin\"}' | plmctl load -");
	check_shell(66, "", "--stdin -: it cannot be read: Is a directory",
	    "plmctl submit --stdin - cat < /");
	check_shell(66, "", "--stdin /dev/fd/77: Bad file descriptor",
	    "plmctl submit --stdin /dev/fd/77 cat");
	check_shell(66, "", "let TMPDIR name another directory",
	    "echo | TMPDIR=/nowhere plmctl submit --stdin - cat");
}
END_TEST

/* The input comes by a pipe, goes into a file on disk, and must arrive byte for byte. */
START_TEST(a_large_input_comes_whole)
{
	check_shell(0, "", "",
	    "seq 30000000 | head -c 200000000 > in; "
	    "cat in | plmctl submit --stdin - cksum > sum; cksum < in | cmp - sum; rm in");
}
END_TEST

/* ---- limits that may not be given ---- */

/* Without privileges the process raises no limit, and takes as much as it may. */
static int check_poor(void)
{
	const struct rlimit low = { 100, 100 };
	struct inherited rich;
	char text[INHERITED_TEXT_BYTES];
	inherited_print(text);
	if (!inherited_read(text, &rich) || rich.limits != RLIM_NLIMITS)
		return 2;
	if (setrlimit(RLIMIT_NOFILE, &low) < 0 || setpriority(PRIO_PROCESS, 0, rich.nice + 3) < 0)
		return 3;
	if (getuid() == 0 && setuid(NOBODY) < 0)
		return 4;
	struct inherited own;
	inherited_get(&own);
	rich.umask = 0123;
	rich.limit[RLIMIT_NOFILE] = (struct rlimit){ 200, 300 };
	rich.limit[RLIMIT_CORE] = (struct rlimit){ 0, 0 };
	inherited_take(&rich, &own);
	struct rlimit files, core;
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	if (files.rlim_cur != 100 || files.rlim_max != 100 || core.rlim_max != 0)
		return 5;
	if (umask(0) != 0123)
		return 6;
	return getpriority(PRIO_PROCESS, 0) == rich.nice + 3 ? 0 : 7;
}

START_TEST(what_a_worker_may_not_raise_stays_and_the_rest_is_taken)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(check_poor());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(texts_that_make_no_sense_are_refused)
{
	static const char *const texts[] = { "", "plm-inherited:", "plm-inherited: ", "A=B",
		"plm-inherited: 22", "plm-inherited: 7777 0", "plm-inherited: 9 0",
		"plm-inherited: 22 20", "plm-inherited: 22 0 x",
		"plm-inherited: 22 0 1:", "plm-inherited: 22 0 1:2:3", "plm-inherited: 22 0 -1",
		"plm-inherited: 22 0 --", "plm-inherited: 22 0 99999999999999999999999",
		"plm-inherited: 22 0 1 ",
		"plm-inherited: 22 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1" };
	struct inherited out;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		ck_assert_msg(!inherited_read(texts[i], &out), "%s", texts[i]);
	ck_assert(inherited_read("plm-inherited: 22 -5 -:- 1:- 7", &out));
	ck_assert_uint_eq(out.umask, 022);
	ck_assert_int_eq(out.nice, -5);
	ck_assert_uint_eq(out.limits, 3);
	ck_assert_uint_eq(out.limit[1].rlim_cur, 1);
	ck_assert(out.limit[1].rlim_max == RLIM_INFINITY);
	ck_assert_uint_eq(out.limit[2].rlim_max, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("submitter");
	TCase *tcase = tcase_create("inherited");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, setup, map_stop_and_teardown);
	tcase_add_loop_test(tcase, a_command_has_umask_nice_value_and_limits_of_its_submitter, 0,
	    (int)COUNT_OF(inherited));
	tcase_add_test(tcase, a_loaded_command_has_them_too);
	tcase_add_test(tcase, without_the_environment_they_are_those_of_the_worker);
	suite_add_tcase(suite, tcase);
	TCase *input = tcase_create("stdin");
	tcase_set_timeout(input, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(input, setup, map_stop_and_teardown);
	tcase_add_loop_test(
	    input, its_stdin_may_be_that_of_its_submitter, 0, (int)COUNT_OF(inputs));
	tcase_add_test(input, each_attempt_and_each_command_reads_all_of_it);
	tcase_add_test(input, a_detached_command_has_it_after_plmctl_has_gone);
	tcase_add_test(input, a_file_that_is_called_so_is_found_by_its_path);
	tcase_add_test(input, a_large_input_comes_whole);
	suite_add_tcase(suite, input);
	TCase *durable = tcase_create("durable");
	tcase_set_timeout(durable, TEST_TIMEOUT_S);
	tcase_add_test(durable, limits_of_the_submitter_are_kept_over_a_boot);
	suite_add_tcase(suite, durable);
	TCase *values = tcase_create("values");
	tcase_add_test(values, what_a_worker_may_not_raise_stays_and_the_rest_is_taken);
	tcase_add_test(values, texts_that_make_no_sense_are_refused);
	suite_add_tcase(suite, values);
	return run_suite(suite);
}
