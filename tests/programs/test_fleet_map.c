/* test_fleet_map.c - `plmctl map` on a fleet, through the real programs and a real Redis: order,
 * memory, failures, deaths of hosts and of Redis, signals, and what is refused. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/fleet_case.h"
#include "tests/support/map_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 300, LINE_BYTES = 1024, FEW = 1000, MANY = 10000, GROWTH_KB_MAX = 4096 };

static void map_begin(void)
{
	map_setup();
	fleet_begin();
}

static void map_end(void)
{
	fleet_end();
	map_teardown();
}

/* map leaves nothing in the queue: no task runs, none waits, and no result stays. */
static void check_empty_queue(void)
{
	check_shell(0, "", "", "plmctl tasks --quiet");
}

START_TEST(inputs_come_from_everywhere_and_outputs_stay_in_order)
{
	fleet_host_up(0, "2");
	fleet_host_up(1, "2");
	check_shell(0, "1\n2\n3\n", "", "plmctl map -k 'sleep 0.$((3 - {})); echo {}' ::: 1 2 3");
	check_shell(0, "a b\nc\n", "", "printf 'a b\\nc\\n' | plmctl map -k echo");
	check_shell(0, "A-1\nA-2\nB-1\nB-2\n", "", "plmctl map -k echo {1}-{2} ::: A B ::: 1 2");
	check_shell(0, "1 2\n3\n", "", "seq 3 | plmctl map -k -n2 echo");
	check_shell(0, "x.one\tx 1\n", "", "plmctl map --tag echo {.} {#} ::: x.one");
	check_shell(0, "in 7\n", "", "plmctl map --env 'V={}' --shell 'echo in $V' ::: 7");
	check_shell(0, "late\nfirst\n", "",
	    "plmctl map 'sleep 0.{}; test {} = 0 && echo late || echo first' ::: 5 0");
	check_shell(0, "word\n", "",
	    "r=$(printf word | plmctl put -); plmctl map --stdin $r "
	    "'cat; echo; :' ::: 1; plmctl drop $r");
	check_shell(0, "", "", "plmctl map echo < /dev/null");
	check_empty_queue();
}
END_TEST

/* The largest memory of any child so far. Many jobs may take longer than a line may take: the limit
 * is that of the test. */
static long memory_after(int inputs)
{
	char line[LINE_BYTES];
	struct rusage usage;
	int status;
	snprintf(line, sizeof line,
	    "seq %d | plmctl map -k printf '%%06d%%2000s\\n' {} x > out && "
	    "cut -c 1-6 out > numbers && seq -f %%06.0f %d | cmp - numbers",
	    inputs, inputs);
	pid_t map = shell_start(line);
	ck_assert_int_eq(waitpid(map, &status, 0), map);
	ck_assert_msg(status == 0, "the wait status is %d", status);
	getrusage(RUSAGE_CHILDREN, &usage);
	return usage.ru_maxrss;
}

START_TEST(ten_thousand_inputs_take_no_more_memory_than_a_thousand)
{
	char options[LINE_BYTES];
	const char *given = getenv("ASAN_OPTIONS");
	/* AddressSanitizer keeps freed memory for a while. */
	snprintf(options, sizeof options, "%s:quarantine_size_mb=1", given ? given : "");
	setenv("ASAN_OPTIONS", options, 1);
	fleet_host_up(0, "2");
	fleet_host_up(1, "2");
	long few = memory_after(FEW), many = memory_after(MANY);
	printf("%d inputs: %ld KiB, %d inputs: %ld KiB\n", FEW, few, MANY, many);
	ck_assert_int_le(many, few + GROWTH_KB_MAX);
	check_empty_queue();
}
END_TEST

START_TEST(long_output_comes_whole_with_its_errors)
{
	fleet_host_up(0, "1");
	check_shell(0, "100000\n9000000\n", "why",
	    "for n in 100000 9000000; do plmctl map 'head -c {} /dev/zero; echo why >&2' ::: $n | "
	    "wc -c; done");
	check_shell(0, NULL, "",
	    "plmctl map --json 'head -c 100000 /dev/zero #' ::: 1 | grep -c "
	    "'\"exit_code\": 0'");
}
END_TEST

START_TEST(failures_are_counted_and_retried_as_asked)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "2");
	check_shell(2, "", "bad 1",
	    "plmctl map 'test {} = 2 || { echo bad {} >&2; exit {}; }' ::: "
	    "1 2 3");
	check_shell(7, NULL, "halts: job 2",
	    "plmctl map -j1 --halt now,fail=1 'echo {}; exit {}' ::: 0 7 0");
	check_shell(
	    1, "", "job 1: killed: ran longer than", "plmctl map --run-limit 100ms sleep ::: 100");
	check_shell(1, "", NULL, "plmctl map 'kill -9 $$ #' ::: 1");
	check_shell(1, "", "",
	    "plmctl map --joblog log 'exit {}' ::: 0 3; echo $? > code; "
	    "read c < code; exit $c");
	check_shell(1, "3\n", "",
	    "plmctl map --joblog log --resume-failed 'echo {}; exit {}' ::: "
	    "0 3");
	snprintf(line, sizeof line, "plmctl map --retries 2 'echo tried >> %s; exit 1 #' ::: 1",
	    fleet_ledger());
	check_shell(1, "", "", line);
	ck_assert_uint_eq(fleet_ledger_lines("tried"), 3);
	check_empty_queue();
}
END_TEST

START_TEST(jobs_of_a_killed_host_run_on_another)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "2");
	fleet_host_up(1, "2");
	snprintf(line, sizeof line,
	    "seq 200 | plmctl map -k --crash-retries 3 'echo began >> %s; sleep 0.03; echo {}' "
	    "> out 2> err",
	    fleet_ledger());
	pid_t map = shell_start(line);
	fleet_ledger_until(20);
	fleet_host_kill(1);
	int code = shell_end(map);
	char *err = file_text("err");
	ck_assert_msg(code == 0, "exit code %d: %s", code, err);
	free(err);
	check_shell(0, "", "", "seq 200 | cmp - out");
	check_empty_queue();
}
END_TEST

START_TEST(map_waits_for_a_redis_that_comes_back)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "2");
	snprintf(line, sizeof line,
	    "seq 30 | exec plmctl map -k --crash-retries 3 'echo began >> %s; sleep 0.2; echo {}' "
	    "> out 2> err",
	    fleet_ledger());
	pid_t map = shell_start(line);
	fleet_ledger_until(6);
	fleet_redis_kill();
	wait_for_file("err", "waiting for it to come back");
	fleet_redis_start(NULL, NULL);
	ck_assert_int_eq(shell_end(map), 0);
	check_shell(0, "", "", "seq 30 | cmp - out");
}
END_TEST

START_TEST(a_second_ctrl_c_cancels_what_was_submitted)
{
	char line[LINE_BYTES];
	fleet_host_up(0, "2");
	snprintf(line, sizeof line,
	    "exec plmctl map --label 'job-{}' 'echo began >> %s; exec sleep 1000 #' ::: 1 2 3 4 5 "
	    "> out 2> err",
	    fleet_ledger());
	pid_t map = shell_start(line);
	fleet_ledger_until(2);
	check_shell(0, "1\n", "", "plmctl tasks --quiet --label job-5 | wc -l");
	kill(map, SIGINT);
	wait_for_file("err", "starts no more jobs");
	kill(map, SIGINT);
	ck_assert_int_eq(shell_end(map), 128 + SIGINT);
	check_empty_queue();
	ck_assert_uint_eq(fleet_ledger_lines("began"), 2);
	check_shell(0, "free\n", "", "plmctl submit echo free");
}
END_TEST

START_TEST(a_closed_output_ends_map_and_its_jobs)
{
	fleet_host_up(0, "2");
	check_shell(0, "y\n", NULL, "yes | { plmctl map echo; echo $? > code; } | head -n 1");
	wait_for_file("code", "141");
	check_empty_queue();
}
END_TEST

START_TEST(a_full_engine_is_an_error_and_a_host_may_come_later)
{
	REDIS("config", "set", "maxmemory", "1");
	check_shell(75, "", "memory of Redis is full", "plmctl map echo ::: 1");
	REDIS("config", "set", "maxmemory", "0");
	pid_t map = shell_start("exec plmctl map -k echo ::: 1 2 > out 2> err");
	wait_for_file("err", "no host of the fleet is up");
	fleet_host_up(0, "1");
	ck_assert_int_eq(shell_end(map), 0);
	check_shell(0, "1\n2\n", "", "cat out");
}
END_TEST

START_TEST(options_about_this_machine_are_refused_in_words)
{
	check_shell(64, "", "blocks are files of this machine", "plmctl map --pipe cat");
	check_shell(64, "", "starts a runtime here", "plmctl map --private echo ::: 1");
	check_shell(64, "", "comes with the end", "plmctl map --line-buffer echo ::: 1");
	check_shell(64, "", "look at this machine", "plmctl map --load 3 echo ::: 1");
	check_shell(64, "", "nice value of their host", "plmctl map --nice 3 echo ::: 1");
	check_shell(64, "", "give a time", "plmctl map --timeout 200% echo ::: 1");
	check_shell(64, "", "plmctl put", "plmctl map --stdin - cat ::: 1 < /dev/null");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		inputs_come_from_everywhere_and_outputs_stay_in_order,
		ten_thousand_inputs_take_no_more_memory_than_a_thousand,
		long_output_comes_whole_with_its_errors,
		failures_are_counted_and_retried_as_asked,
		jobs_of_a_killed_host_run_on_another,
		map_waits_for_a_redis_that_comes_back,
		a_second_ctrl_c_cancels_what_was_submitted,
		a_closed_output_ends_map_and_its_jobs,
		a_full_engine_is_an_error_and_a_host_may_come_later,
		options_about_this_machine_are_refused_in_words,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests(
	    "fleet_map", TEST_TIMEOUT_S, map_begin, map_end, tests, sizeof tests / sizeof tests[0]);
}
