/* test_map.c - plmctl map through the real programs: inputs, replacement strings, output,
 * limits, logs, a private runtime. Beside GNU parallel: test_map_parallel.c. Under kills:
 * test_map_kill.c. */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/json.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 90, LINES = 300000, LINES_KB_MAX = 56 << 10 };

/* ---- inputs and commands ---- */

START_TEST(inputs_take_the_place_of_replacement_strings)
{
	check_shell(0, "a/b.tar.gz a/b.tar b.tar.gz a b.tar 1\n.rc  .rc .  2\n/f /f f / f 3\n", "",
	    "plmctl map -k echo {} {.} {/} {//} {/.} {#} ::: a/b.tar.gz .rc /f");
	check_shell(0, "{x}|x{0}|2a}{|1|{", "",
	    "plmctl map printf '%s|%s|%s|%s|%s' {x} 'x{0}' '2{}}{' '{#}' '{' ::: a");
	check_shell(0, "x.o-1 x 1\ny.o-1 y 1\n", "",
	    "plmctl map -k echo '{1/}-{2} {1/.} {2.}' ::: d/x.o d/y.o ::: 1");
	check_shell(0, "1 one\n1 two\n", "", "plmctl map -k -j1 echo {%} {} ::: one two");
}
END_TEST

START_TEST(sources_are_combined_or_linked)
{
	file_write("letters", "a\nb\n");
	check_shell(0, "1 a\n1 b\n2 a\n2 b\n", "", "plmctl map -k echo ::: 1 2 :::: letters");
	check_shell(0, "1 a\n2 b\n", "", "plmctl map -k echo ::: 1 2 3 ::::+ letters");
	check_shell(0, "a 1\nb 2\n", "", "plmctl map -k -a letters echo :::+ 1 2 3");
	check_shell(0, "1 a\n2 b\n3 a\n", "", "plmctl map -k --link echo ::: 1 2 3 :::: letters");
	check_shell(0, "1 a x\n1 a y\n2 b x\n2 b y\n", "",
	    "seq 2 | plmctl map -k echo :::: - ::::+ letters ::: x y");
	check_shell(0, "", "", "plmctl map echo ::: a b ::: ");
	check_shell(0, "1 2-1\n3 4-3\n5-5\n", "", "plmctl map -k -n2 'echo {}-{1}' ::: 1 2 3 4 5");
}
END_TEST

START_TEST(lines_and_zero_ended_texts_are_inputs)
{
	check_shell(0, "[a b]\n[]\n[c]\n", "", "printf 'a b\\n\\nc' | plmctl map -k 'echo [{}]'");
	check_shell(0, "[a\nb]\n[c]\n", "", "printf 'a\\nb\\0c\\0' | plmctl map -k -0 'echo [{}]'");
	check_shell(65, "", "has a zero byte in it", "printf 'a\\0b\\n' | plmctl map echo");
	check_shell(66, "", "nowhere: No such file", "plmctl map echo :::: nowhere");
	check_shell(0, "x\nz\n", "", "printf 'echo x\\necho y | tr y z\\n' | plmctl map -k");
}
END_TEST

START_TEST(words_are_executed_and_one_word_of_a_shell_is_a_line)
{
	check_shell(
	    0, "a b|$HOME|*|x  y|", "", "plmctl map printf '%s|' 'a b' '$HOME' '*' ::: 'x  y'");
	check_shell(0, "x  'y' $HOME\n", "", "plmctl map 'echo {} | cat' ::: \"x  'y' \\$HOME\"");
	check_shell(0, "2 x\n", "", "plmctl map --shell echo '$((1+1))' {} ::: x");
	check_shell(0, "a b\n", "", "plmctl map echo {} ::: a ::: b");
	check_shell(0, "echo 'a b'\n", "", "plmctl map --dry-run echo ::: 'a b'");
	check_shell(0, "", "", "plmctl map --dry-run touch ::: made > plan; [ ! -e made ]");
}
END_TEST

START_TEST(inputs_are_taken_and_outputs_shown_as_they_come)
{
	check_shell(0, "first\nsecond\n", "",
	    "mkfifo in out; plmctl map echo < in > out & "
	    "exec 3>in 4<out; echo first >&3; read x <&4; echo $x; echo second >&3; exec 3>&-; "
	    "cat <&4; wait");
}
END_TEST

START_TEST(memory_does_not_grow_with_the_inputs)
{
	struct rusage usage;
	/* AddressSanitizer keeps freed memory for a while */
	struct output_of o = shell("export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=1; "
				   "seq %d | plmctl map --dry-run echo > plan; wc -l < plan",
	    LINES);
	ck_assert_int_eq(atoi(o.out), LINES);
	output_free(&o);
	getrusage(RUSAGE_CHILDREN, &usage);
	ck_assert_int_lt(usage.ru_maxrss, LINES_KB_MAX);
}
END_TEST

/* ---- output ---- */

#define PIECES "for i in 1 2 3 4 5; do printf '%s' {}; sleep 0.0{}; done; echo"

START_TEST(outputs_of_jobs_are_not_mixed)
{
	check_shell(
	    0, "11111\n22222\n33333\n", "", "plmctl map -j3 \"" PIECES "\" ::: 1 2 3 | sort");
	check_shell(0, "a\nb\n", "ERR", "plmctl map -j2 'echo {}; echo ERR >&2' ::: a b | sort");
}
END_TEST

START_TEST(output_keeps_the_order_of_inputs_when_asked_to)
{
	check_shell(0, "3\n2\n1\n", "", "plmctl map -k -j3 'sleep 0.{}; echo {}' ::: 3 2 1");
	check_shell(0, "1\n2\n3\n", "",
	    "plmctl map -j3 'until [ {} = 1 ] || [ -e $(({} - 1)) ]; do sleep 0.01; done; echo "
	    "{}; sleep 1; touch {}' ::: 3 2 1");
}
END_TEST

START_TEST(lines_are_shown_while_the_job_runs)
{
	pid_t pid = shell_start("plmctl map --line --tag 'echo begun {}; printf half; until [ -e "
				"go "
				"]; do sleep 0.01; done; echo done' ::: a > out");
	wait_for_file("out", "a\tbegun a\n");
	char *text = file_text("out");
	ck_assert_str_eq(text, "a\tbegun a\n"); /* map does not print an incomplete line */
	file_write("go", "");
	ck_assert_int_eq(shell_end(pid), 0);
	free(text);
	text = file_text("out");
	ck_assert_str_eq(text, "a\tbegun a\na\thalfdone\n");
	free(text);
}
END_TEST

START_TEST(lines_have_their_tag)
{
	check_shell(0, "a 1\tx\na 1\ty\nb 1\tx\nb 1\ty", "",
	    "plmctl map -k --tag 'printf \"x\\ny\"; [ {1} = b ] || echo' ::: a b ::: 1");
}
END_TEST

START_TEST(results_are_files)
{
	check_shell(0, "", "",
	    "plmctl map --results r 'echo {1}-{2}; echo e >&2' ::: a/b .. ::: "
	    "1");
	check_shell(0, "a/b-1\ne\n1\n..-1\n2", "",
	    "cd 'r/1/a\\_b/2/1'; cat stdout stderr seq; echo; cd '../../../..\\/2/1'; "
	    "cat stdout seq");
}
END_TEST

START_TEST(json_shows_a_job_an_object)
{
	unsigned values;
	struct output_of o = shell("plmctl map --json -k 'printf \"\\\\377{}\"; exit {}' ::: 0 3");
	ck_assert_int_eq(o.code, 1);
	ck_assert_ptr_null(json_lines_check(o.out, o.out_bytes, &values));
	ck_assert_uint_eq(values, 2);
	ck_assert_ptr_nonnull(strstr(o.out, "\"exit_code\": 3"));
	output_free(&o);
}
END_TEST

START_TEST(large_outputs_come_whole)
{
	check_shell(0, "60000000\n", "",
	    "head -c 30000000 /dev/zero > big; "
	    "plmctl map --output-cap 64M cat ::: big big | wc -c");
}
END_TEST

START_TEST(a_reader_that_leaves_ends_it_quietly)
{
	check_shell(0, "y\n141\n", "",
	    "(plmctl map --line 'yes {}' ::: y y; echo $? > code) | head -n 1; cat code");
}
END_TEST

START_TEST(a_bar_is_drawn_on_a_terminal_only)
{
	check_shell(0, NULL, "", "plmctl map --bar true ::: 1 2 3");
	struct output_of o = shell("TERM=xterm script -qec 'plmctl map --bar true ::: 1 2' x");
	ck_assert_ptr_nonnull(strstr(o.out, "100% 2/2"));
	ck_assert_ptr_nonnull(strstr(o.out, "\033[32m"));
	output_free(&o);
	o = shell("NO_COLOR=1 TERM=xterm script -qec 'plmctl map --bar false ::: 1 2' x");
	ck_assert_ptr_nonnull(strstr(o.out, "100% 2/2, 2 failed"));
	ck_assert_ptr_null(strstr(o.out, "\033["));
	output_free(&o);
}
END_TEST

/* Each drawing of the bar is behind a carriage return. */
static size_t longest_drawing(const char *text)
{
	size_t longest = 0;
	for (size_t n; *text; text += n + (text[n] != 0)) {
		n = strcspn(text, "\r\n");
		longest = n > longest ? n : longest;
	}
	return longest;
}

START_TEST(a_bar_knows_inputs_read_ahead_and_fits_the_terminal)
{
	static const unsigned widths[] = { 8, 20, 41, 80, 200 };
	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
		struct output_of o = shell(
		    "NO_COLOR=1 TERM=dumb script -qec 'stty cols %u; seq 300 | plmctl map -j2 "
		    "--bar \"[ {} -gt 9 ]\"' x",
		    widths[i]);
		ck_assert_uint_lt(longest_drawing(o.out), widths[i]);
		if (widths[i] > 8)
			ck_assert_ptr_nonnull(strstr(o.out, "100% 300/300"));
		output_free(&o);
	}
	check_shell(65, "a\n", "has a zero byte", "printf 'a\\nb\\0c\\n' | plmctl map --bar echo");
}
END_TEST

/* ---- how many jobs run, and when ---- */

START_TEST(as_many_jobs_run_at_once_as_ordered_and_no_more)
{
	/* three jobs wait for each other, so three run at once; no two jobs share a place */
	check_shell(0, NULL, "",
	    "plmctl map -j3 'touch {}; until [ -e 1 -a -e 2 -a -e 3 ]; do "
	    "sleep 0.01; done' ::: 1 2 3");
	check_shell(0, "", "",
	    "plmctl map -j3 'mkdir place.{%} && sleep 0.01 && rmdir place.{%} && [ {%} -le 3 ] # "
	    "{}' ::: $(seq 60)");
	check_shell(0, "", "", "plmctl map -j1 'mkdir only && rmdir only # {}' ::: $(seq 200)");
}
END_TEST

/* Each job waits until so many jobs have started. */
static void check_together(const char *jobs, unsigned together)
{
	struct output_of o =
	    shell("rm -rf b; mkdir b; plmctl map %s 'touch b/{}; until set -- b/*; "
		  "[ $# -ge %u ]; do sleep 0.05; done; [ {%%} -le %u ]' ::: $(seq %u)",
		jobs, together, together, 2 * together);
	ck_assert_msg(o.code == 0 && !o.err[0], "%s: %d, %s", jobs, o.code, o.err);
	output_free(&o);
}

START_TEST(jobs_may_be_counted_from_the_cpus)
{
	cpu_set_t ours;
	ck_assert_int_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
	unsigned cpus = (unsigned)CPU_COUNT(&ours);
	check_together("-j+0", cpus);
	check_together("-j +1", cpus + 1);
	check_together("--jobs 150%", (cpus * 3 + 1) / 2);
	check_together("-j-100000", 1);
	check_together("-P40", 40);
	check_shell(64, "", "--jobs wants a number, not \"+x\"", "plmctl map -j+x true ::: 1");
	check_shell(64, "", "--jobs wants a number, not \"-\"", "plmctl map -j- true ::: 1");
	check_shell(0, NULL, "runs 1000 jobs at once, not 1001",
	    "plmctl map --dry-run -j1 echo ::: 1 && plmctl map -j1001 true ::: $(seq 1002)");
}
END_TEST

START_TEST(fewer_jobs_at_once_than_asked_for_are_announced)
{
	static struct runtime rt;
	runtime_boot(&rt, "--workers", "2", "--tasks", "256", "--store", "1M", );
	setenv("PLM_NAME", rt.name, 1);
	check_shell(0, "", "plmctl: map: runs 2 jobs at once, not 40: runtime \"",
	    "plmctl map -j40 true ::: $(seq 60)");
	check_shell(0, "",
	    "has 2 workers; `plmctl workers --set 40` adds some, --private boots "
	    "its own",
	    "seq 3 | plmctl map -j40 true");
	check_shell(0, "", "runs 2 jobs at once, not 3", "plmctl map -j+1 true ::: 1 2 3");
	check_shell(0, "", "", "plmctl map -j40 true ::: 1 2");
	check_shell(0, "", "", "plmctl map -j0 true ::: 1 2 3");
	check_shell(0, "", "", "plmctl map --quiet -j40 true ::: 1 2 3");
	check_shell(0, "", "", "plmctl map --private -j40 true ::: $(seq 60)");
	unsetenv("PLM_NAME");
	runtime_stop(&rt);
	runtime_end(&rt);
}
END_TEST

START_TEST(a_delay_parts_two_starts)
{
	uint64_t begun_ns = clock_ns();
	check_shell(0, "1\n2\n3\n", "", "plmctl map --delay 150ms echo ::: 1 2 3");
	ck_assert_uint_ge(clock_ns() - begun_ns, 300 * NS_PER_MS);
}
END_TEST

START_TEST(jobs_wait_for_room_on_the_machine)
{
	ck_assert_int_eq(mkdir("proc", 0700), 0);
	setenv("PLM_PROC", "proc", 1);
	file_write("proc/loadavg",
	    "0.0 0.0 0.0 5/100 1\n"); /* five runnable processes, without plmctl four */
	file_write("proc/meminfo", "MemTotal: 900 kB\nMemAvailable:   100 kB\n");
	check_shell(124, "", "ran out", "plmctl --timeout 0.3 map --load 4 touch ::: ran");
	check_shell(124, "", "ran out", "plmctl --timeout 0.3 map --memfree 1M touch ::: ran");
	check_shell(0, "", "", "[ ! -e ran ]");
	check_shell(0, "x\n", "", "plmctl map --load 5 --memfree 100K echo ::: x");
	pid_t pid = shell_start("exec plmctl map --memfree 101K --load 5 touch ::: ran");
	private_manager();
	file_write("proc/meminfo", "MemAvailable: 101 kB\n");
	ck_assert_int_eq(shell_end(pid), 0);
	check_shell(0, "ran\n", "", "ls ran");
}
END_TEST

START_TEST(a_map_halts_when_so_many_jobs_failed_succeeded_or_ended)
{
	check_shell(3, "0\n3\n", "halts: job 2 (echo 3; exit 3) failed with exit code 3; no more",
	    "plmctl map -j1 --halt soon,fail=1 'echo {}; exit {}' ::: 0 3 4");
	check_shell(2, "0\n1\n2\n", "halts: job 3 ",
	    "plmctl map -j1 --halt soon,fail=2 'echo {}; exit {}' ::: 0 1 2 3");
	check_shell(0, "1\n0\n", "halts: job 2 (echo 0; exit 0) succeeded",
	    "plmctl map -j1 --halt now,success=1 'echo {}; exit {}' ::: 1 0 2");
	check_shell(50, "1\n0\n2\n", "halts: job 3 ",
	    "plmctl map -j1 --halt soon,done=75% 'echo {}; exit {}' ::: 1 0 2 3");
	check_shell(64, "", "--halt wants never, or", "plmctl map --halt later,fail=1 true ::: 1");
}
END_TEST

START_TEST(halting_now_ends_what_runs_and_soon_does_not)
{
	uint64_t begun_ns = clock_ns();
	check_shell(128 + SIGKILL, "", "was ended by signal 9; no more are started, 0 cancelled",
	    "plmctl map -j1 --halt now,fail=1 'kill -9 $$ # {}' ::: 1 2");
	check_shell(7, "", "1 cancelled",
	    "plmctl map -j2 --halt now,fail=1 "
	    "'[ {} = 1 ] && exec sleep 60; exit 7' ::: 1 2");
	ck_assert_uint_lt(clock_ns() - begun_ns, 30 * NS_PER_S);
	check_shell(7, "late\n", "1 still running",
	    "plmctl map -j2 --halt soon,fail=1 "
	    "'[ {} = 1 ] || exit 7; sleep 0.3; echo late' ::: 1 2 3 4");
}
END_TEST

START_TEST(the_exit_code_counts_failures)
{
	check_shell(2, "", NULL, "plmctl map 'exit {}' ::: 0 1 2 0");
	check_shell(101, "", NULL, "plmctl map false ::: $(seq 110)");
	check_shell(
	    1, "", "job 1: command not found: no-such-program", "plmctl map no-such-program ::: 1");
}
END_TEST

START_TEST(usage_errors_are_64_and_boot_nothing)
{
	static const char *const lines[] = { "plmctl map -W true ::: 1",
		"plmctl map --resume true ::: 1", "plmctl map --detach true ::: 1",
		"plmctl map --out X true ::: 1", "plmctl map --replicas 2 true ::: 1",
		"plmctl map --private --name x true ::: 1", "plmctl map --line --json true ::: 1",
		"plmctl map --line --results r true ::: 1", "plmctl map --load 0 true ::: 1",
		"plmctl map -j x true ::: 1", "plmctl map echo ::::" };
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		check_shell(64, "", "plmctl: ", lines[i]);
	check_shell(69, "", "no runtime \"nobody\"", "plmctl map --name nobody true ::: 1");
	check_shell(69, "", "no runtime \"nobody\"", "PLM_NAME=nobody plmctl map true ::: 1");
}
END_TEST

/* ---- retries and resumed maps ---- */

START_TEST(failed_jobs_are_tried_again)
{
	check_shell(0, "3\n", "",
	    "plmctl map --retries 2 'echo {} >> tries; [ $(wc -l < tries) "
	    "= 3 ] "
	    "&& wc -l < tries' ::: a | tr -d ' '");
	check_shell(1, "", "",
	    "plmctl map --retries 1 'echo {} >> more; exit 1' ::: a; code=$?; "
	    "[ $(wc -l < more) = 2 ] && exit $code");
}
END_TEST

START_TEST(a_job_that_runs_too_long_is_ended)
{
	check_shell(1, "", "killed: ran longer than --run-limit 100ms",
	    "plmctl map --run-limit "
	    "100ms --joblog log sleep ::: 60");
	check_shell(0, "-1\t15\n", "", "tail -n 1 log | cut -f 7,8");
	check_shell(124, "", "--timeout ran out", "plmctl --timeout 0.2 map sleep ::: 60");
}
END_TEST

START_TEST(a_resumed_map_runs_what_is_missing)
{
	check_shell(1, "1\n2\n", "", "plmctl map -j1 --joblog log 'echo {}; [ {} != 2 ]' ::: 1 2");
	check_shell(0, "3\n", "", "plmctl map -j1 --joblog log --resume echo ::: 1 2 3");
	check_shell(0, "2\n4\n", "",
	    "plmctl map -j1 --resume-failed --joblog log echo ::: 1 2 3 "
	    "4");
	check_shell(0, "1\n2\n3\n2\n4\n", "", "tail -n +2 log | cut -f 1");
	/* a log line without its end counts as an unfinished job */
	check_shell(0, "4\n6\n", "",
	    "head -c -3 log > torn; plmctl map --resume --joblog torn echo ::: 1 2 3 4; "
	    "awk -F '\t' 'NF == 9' torn | wc -l | tr -d ' '");
	check_shell(0, "1\n", "", "plmctl map --joblog log echo ::: 1");
	check_shell(
	    0, "2\n", "", "wc -l < log | tr -d ' '"); /* without --resume the log is replaced */
}
END_TEST

/* ---- the runtime of a map ---- */

START_TEST(a_map_uses_the_runtime_that_is_up)
{
	static struct runtime rt;
	file_write("text", "a value");
	runtime_boot(&rt, "--workers", "2", "--tasks", "256", "--store", "1M", );
	struct output_of o = shell("plmctl map --name %s --shell 'echo $PLM_NAME' ':' ::: "
				   "1",
	    rt.name);
	ck_assert_msg(strncmp(o.out, rt.name, strlen(rt.name)) == 0, "%s %s", o.out, o.err);
	output_free(&o);
	o = shell("PLM_NAME=%s plmctl map --private --shell 'echo $PLM_NAME' ':' ::: 1", rt.name);
	ck_assert_msg(strncmp(o.out, "map-", 4) == 0, "%s %s", o.out, o.err);
	output_free(&o);
	o = shell("export PLM_NAME=%s; R=$(plmctl put text); "
		  "plmctl map -k --in FILE=$R 'echo {} $(cat $FILE)' ::: 1 2; "
		  "A=$(plmctl submit --detach false); plmctl map --after $A echo ::: 3; echo $?",
	    rt.name);
	ck_assert_msg(strcmp(o.out, "1 a value\n2 a value\n1\n") == 0, "%s%s", o.out, o.err);
	ck_assert_ptr_nonnull(strstr(o.err, "job 1: task @"));
	output_free(&o);
	/* more jobs, and more output behind a slow job, than the runtime has room for */
	o = shell("seq 2000 > in; plmctl map -k --name %s '[ {} = 1 ] && sleep 0.3; echo {}' "
		  ":::: in | "
		  "cmp - in",
	    rt.name);
	ck_assert_msg(o.code == 0, "%s%s", o.out, o.err);
	output_free(&o);
	runtime_stop(&rt);
	runtime_end(&rt);
}
END_TEST

START_TEST(a_killed_map_takes_its_runtime_with_it)
{
	pid_t pid = shell_start("exec plmctl map 'echo {} > up; sleep 1000 & setsid sleep 1000' "
				"::: 1");
	wait_for_file("up", "1");
	kill(pid, SIGKILL);
	ck_assert_int_eq(shell_end(pid), 128 + SIGKILL);
} /* map_teardown() fails if a process or file is left */
END_TEST

START_TEST(a_dead_manager_ends_the_map_with_a_word_and_nothing_stays)
{
	pid_t pid = shell_start("exec plmctl map -j1 --joblog log 'echo {} > up; [ {} = 1 ] || "
				"sleep "
				"1000' ::: 1 2 3 2> err");
	wait_for_file("up", "2");
	wait_for_file("log", "echo 1");
	kill(private_manager(), SIGKILL);
	ck_assert_int_eq(shell_end(pid), 69);
	wait_for_file("err", "processes of runtime");
}
END_TEST

/* A map whose jobs run until the file "go" exists; returns when the first job has begun. */
static pid_t start_waiting_map(void)
{
	unlink("up");
	unlink("err");
	pid_t pid = shell_start("exec plmctl map -j1 'echo {} > up; until [ -e go ]; do "
				"sleep 0.01; done; echo {}' ::: 1 2 3 > out 2> err");
	wait_for_file("up", "1");
	return pid;
}

START_TEST(the_first_interrupt_starts_no_more_and_the_second_cancels)
{
	pid_t pid = start_waiting_map();
	kill(pid, SIGHUP);
	wait_for_file("err", "starts no more jobs");
	kill(pid, SIGINT);
	ck_assert_int_eq(shell_end(pid), 128 + SIGINT);
	pid = start_waiting_map();
	kill(pid, SIGTERM);
	ck_assert_int_eq(shell_end(pid), 128 + SIGTERM);
	pid = start_waiting_map();
	kill(pid, SIGINT);
	wait_for_file("err", "starts no more jobs, 1 still run");
	file_write("go", "");
	ck_assert_int_eq(shell_end(pid), 128 + SIGINT);
	char *out = file_text("out");
	ck_assert_str_eq(out, "1\n");
	free(out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		inputs_take_the_place_of_replacement_strings,
		sources_are_combined_or_linked,
		lines_and_zero_ended_texts_are_inputs,
		words_are_executed_and_one_word_of_a_shell_is_a_line,
		inputs_are_taken_and_outputs_shown_as_they_come,
		memory_does_not_grow_with_the_inputs,
		outputs_of_jobs_are_not_mixed,
		output_keeps_the_order_of_inputs_when_asked_to,
		lines_are_shown_while_the_job_runs,
		lines_have_their_tag,
		results_are_files,
		json_shows_a_job_an_object,
		large_outputs_come_whole,
		a_reader_that_leaves_ends_it_quietly,
		a_bar_is_drawn_on_a_terminal_only,
		a_bar_knows_inputs_read_ahead_and_fits_the_terminal,
		as_many_jobs_run_at_once_as_ordered_and_no_more,
		jobs_may_be_counted_from_the_cpus,
		fewer_jobs_at_once_than_asked_for_are_announced,
		a_delay_parts_two_starts,
		jobs_wait_for_room_on_the_machine,
		a_map_halts_when_so_many_jobs_failed_succeeded_or_ended,
		halting_now_ends_what_runs_and_soon_does_not,
		the_exit_code_counts_failures,
		usage_errors_are_64_and_boot_nothing,
		failed_jobs_are_tried_again,
		a_job_that_runs_too_long_is_ended,
		a_resumed_map_runs_what_is_missing,
		a_map_uses_the_runtime_that_is_up,
		a_killed_map_takes_its_runtime_with_it,
		a_dead_manager_ends_the_map_with_a_word_and_nothing_stays,
		the_first_interrupt_starts_no_more_and_the_second_cancels,
	};
	return run_tests(
	    "map", TEST_TIMEOUT_S, map_setup, map_teardown, tests, sizeof tests / sizeof tests[0]);
}
