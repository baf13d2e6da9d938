/* test_fleet.c - a fleet through the real programs and a real Redis: what commands do, what tasks
 * may ask for, what is refused. Deaths: test_fleet_deaths.c. */
#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 300 };

static char *fleet_file(const char *name, const char *text)
{
	static char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", fleet_directory, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void refused(int code, const char *why, const char *const *words)
{
	struct output_of o = program_run(&fleet_host[0], "plmctl", words, NULL, 0);
	ck_assert_msg(o.code == code && strstr(o.err, why),
	    "exit code %d, not %d; \"%s\" is not in: %s", o.code, code, why, o.err);
	output_free(&o);
}
#define REFUSED(code, why, ...) refused(code, why, (const char *const[]){ __VA_ARGS__, NULL })

START_TEST(commands_and_functions_run_on_hosts)
{
	fleet_host_up(0, "2");
	check_output(fleet("submit", "--", "echo", "hello"), 0, "hello\n", "");
	check_output(
	    fleet("submit", "--", "sh", "-c", "echo out; echo err >&2; exit 3"), 3, "out\n", "err");
	check_output(
	    fleet("submit", "--shell", "echo $A", "--env", "A=travels"), 0, "travels\n", "");
	check_output(fleet("submit", "--dir", "/", "pwd"), 0, "/\n", "");
	check_output(fleet("call", "probe.sum", "1", "2"), 0, "3", "");
	REFUSED(127, "no host that is up has module no", "call", "no.such");
	char *first = fleet_expect(0, "call", "--detach", "probe.sum", "4", "5");
	char *sum = fleet_expect(0, "call", "probe.sum", first, "10");
	ck_assert_str_eq(sum, "19");
	char *got = fleet_expect(0, "get", first);
	ck_assert_str_eq(got, "9");
	char *in = fleet_expect(0, "submit", "--stdin", first, "cat");
	ck_assert_str_eq(in, "9");
	free(first);
	free(sum);
	free(got);
	free(in);
}
END_TEST

START_TEST(the_environment_of_the_submitter_stays_at_home)
{
	fleet_host_up(0, "1");
	setenv("FLEET_TEST_SECRET", "kept", 1);
	check_output(fleet("submit", "--shell", "echo ${FLEET_TEST_SECRET-none} ${PLM_FLEET-none}"),
	    0, "none none\n", "");
	ck_assert_str_eq(REDIS("EVAL",
			     "for _,k in ipairs(redis.call('KEYS','*')) do "
			     "if redis.call('TYPE',k).ok=='hash' then "
			     "for _,v in ipairs(redis.call('HVALS',k)) do "
			     "if string.find(v,'FLEET_TEST_SECRET=') then return 'found' end end "
			     "end end return 'clean'",
			     "0"),
	    "clean");
}
END_TEST

START_TEST(lists_show_tasks_and_hosts)
{
	fleet_host_up(0, "1");
	fleet_host_up(1, "1");
	char *good = fleet_expect(0, "submit", "--detach", "--label", "good", "--", "echo", "a");
	char *bad = fleet_expect(0, "submit", "--detach", "--label", "bad", "--", "false");
	char *row;
	fleet_run(1, "wait", good, bad);
	row = fleet_expect(0, "tasks", "--quiet", "--failed");
	ck_assert_str_eq(row, bad);
	free(row);
	row = fleet_expect(0, "tasks", "--quiet", "--label", "good");
	ck_assert_str_eq(row, good);
	free(row);
	row = fleet_expect(0, "logs", good);
	ck_assert_str_eq(row, "a");
	free(row);
	row = fleet_expect(0, "info", "--json", bad);
	ck_assert_ptr_nonnull(strstr(row, "\"message\": \"exit code 1\""));
	free(row);
	row = fleet_expect(0, "status", "--json");
	ck_assert_ptr_nonnull(strstr(row, "\"hosts\": 2"));
	ck_assert_ptr_nonnull(strstr(row, "\"done\": 1"));
	ck_assert_ptr_nonnull(strstr(row, "\"failed\": 1"));
	free(row);
	fleet_run(0, "forget", good, bad);
	row = fleet_expect(0, "tasks", "--quiet");
	ck_assert_str_eq(row, "");
	free(row);
	REFUSED(65, "no such task", "get", good);
	free(good);
	free(bad);
}
END_TEST

START_TEST(codes_and_json_are_those_of_a_runtime)
{
	fleet_host_up(0, "1");
	REFUSED(127, "command not found", "submit", "--", "no-such-program");
	REFUSED(126, "not executable", "submit", "--", "/dev/null");
	REFUSED(125, "cannot enter", "submit", "--dir", "/no/such", "--", "true");
	REFUSED(9, "failed: exit code 9\n", "submit", "--", "sh", "-c", "exit 9");
	char *ref = fleet_expect(0, "submit", "--detach", "--", "echo", "a");
	fleet_run(0, "wait", ref);
	char *row = fleet_expect(0, "logs", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "\"stream\": \"stdout\", \"attempt\": 1, \"text\": \"a"));
	free(row);
	row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "\"exit_code\": 0, \"signal\": null"));
	ck_assert_ptr_nonnull(strstr(row, "\"started\": \"20"));
	ck_assert_ptr_nonnull(strstr(row, "\"run_ms\": "));
	free(row);
	row = fleet_expect(0, "tasks", "--sort", "-ran", "--columns", "exit,run_ms", "--json");
	ck_assert_ptr_nonnull(strstr(row, "{\"exit\": 0, \"run_ms\": "));
	free(row);
	fleet_run(0, "forget", ref);
	REFUSED(65, ref, "get", ref);
	free(ref);
}
END_TEST

/* A PLM_FLEET that somebody left in the environment must not send orders for a runtime there. */
START_TEST(a_name_means_a_runtime_whatever_the_variable_says)
{
	fleet_host_up(0, "1");
	char *ref = fleet_expect(0, "submit", "--detach", "--", "sleep", "60");
	fleet_run(0, "--name", fleet_host[0].name, "cancel", "--label", "nothing");
	char *row = fleet_expect(0, "--name", fleet_host[0].name, "status", "--json");
	ck_assert_ptr_nonnull(strstr(row, "\"manager_pid\""));
	free(row);
	REFUSED(
	    64, "give one of them", "--name", fleet_host[0].name, "--fleet", fleet_url, "tasks");
	fleet_run(0, "cancel", ref);
	free(ref);
}
END_TEST

START_TEST(a_file_is_loaded_once_with_unique)
{
	fleet_host_up(0, "2");
	char *path = fleet_file("tasks",
	    "shell:4:0:0:echo one\nshell:2:0:0:echo two\n"
	    "func:0:0:0:probe.sum 1 2\n# a comment\n");
	struct output_of o = fleet("load", "--wait", path);
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "loaded 3, skipped 0"));
	output_free(&o);
	o = fleet("load", "--unique", "--wait", path);
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "loaded 0, skipped 3"));
	output_free(&o);
	path = fleet_file("graph",
	    "{\"name\": \"a\", \"func\": \"probe.sum\", \"args\": [\"1\", \"2\"]}\n"
	    "{\"name\": \"b\", \"func\": \"probe.sum\", \"args\": [{\"result\": \"a\"}, \"4\"]}\n");
	o = fleet("load", "--quiet", path);
	if (o.code == 0) {
		char *last = strrchr(o.out, '@');
		ck_assert_ptr_nonnull(last);
		last[strcspn(last, "\n")] = 0;
		char *sum = fleet_expect(0, "get", last);
		ck_assert_str_eq(sum, "7");
		free(sum);
	}
	ck_assert_msg(o.code == 0, "%s", o.err);
	output_free(&o);
}
END_TEST

START_TEST(retries_pauses_and_limits_hold)
{
	fleet_host_up(0, "1");
	char *ref = fleet_expect(
	    0, "submit", "--detach", "--retries", "2", "--backoff", "10ms", "--", "false");
	fleet_run(1, "wait", ref);
	char *row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "\"attempt\": 3"));
	free(row);
	free(ref);
	REFUSED(124, "--run-limit", "submit", "--run-limit", "50ms", "sleep", "100");
	REFUSED(124, "--total-limit", "submit", "--total-limit", "50ms", "sleep", "100");
	REFUSED(
	    124, "--queue-limit", "submit", "--queue-limit", "50ms", "--needs", "gpus=99", "echo");
	ref = fleet_expect(0, "call", "--detach", "--crash-retries", "1", "probe.crash", "9");
	fleet_run(1, "wait", ref);
	row = fleet_expect(0, "info", "--json", ref);
	ck_assert_ptr_nonnull(strstr(row, "\"attempt\": 2"));
	free(row);
	free(ref);
}
END_TEST

START_TEST(tasks_wait_for_tasks_and_fail_with_them)
{
	fleet_host_up(0, "2");
	char *bad = fleet_expect(0, "submit", "--detach", "--", "false");
	char *after = fleet_expect(0, "submit", "--detach", "--after", bad, "--", "true");
	char *later = fleet_expect(0, "submit", "--detach", "--after", after, "--", "true");
	fleet_run(3, "wait", bad, after, later);
	char *row = fleet_expect(0, "info", "--json", later);
	ck_assert_ptr_nonnull(strstr(row, "which it waits for"));
	free(row);
	REFUSED(65, "is not done", "retry", later);
	free(bad);
	free(after);
	free(later);
}
END_TEST

START_TEST(waiting_and_running_tasks_are_cancelled_and_failed_ones_retried)
{
	fleet_host_up(0, "1");
	char *runs = fleet_expect(0, "submit", "--detach", "--shell", "echo began >&2; sleep 1000");
	ctl_until(&fleet_host[0], runs, "tasks", "--quiet", "--state", "running");
	char *waits = fleet_expect(0, "submit", "--detach", "--needs", "gpus=99", "true");
	fleet_run(0, "cancel", "--wait", waits, runs);
	fleet_run(2, "wait", runs, waits);
	char *counts = fleet_expect(0, "status", "--json");
	ck_assert_ptr_nonnull(strstr(counts, "\"cancelled\": 2"));
	free(counts);
	char *path = fleet_file("flag", "");
	char line[PATH_BYTES + 32];
	snprintf(line, sizeof line, "test -s %s", path);
	char *fails = fleet_expect(0, "submit", "--detach", "--shell", line);
	fleet_run(1, "wait", fails);
	fleet_file("flag", "set");
	fleet_run(0, "move", "--to", "todo", "--failed");
	fleet_run(0, "wait", fails);
	free(runs);
	free(waits);
	free(fails);
}
END_TEST

START_TEST(higher_priorities_go_first_and_needs_wait_for_a_host_that_meets_them)
{
	char line[PATH_BYTES + 64];
	fleet_host_up(0, "1");
	char *blocks = fleet_expect(0, "submit", "--detach", "sleep", "1000");
	ctl_until(&fleet_host[0], blocks, "tasks", "--quiet", "--state", "running");
	static const char *const priorities[] = { "-5", "7", "0", "32767" };
	char *ref[4];
	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof line, "echo %s >> %s", priorities[i], fleet_ledger());
		ref[i] = fleet_expect(
		    0, "submit", "--detach", "--priority", priorities[i], "--shell", line);
	}
	snprintf(line, sizeof line, "echo gpu >> %s", fleet_ledger());
	char *needs = fleet_expect(
	    0, "submit", "--detach", "--needs", "rare=1", "--priority", "9", "--shell", line);
	fleet_run(0, "cancel", blocks);
	fleet_run(0, "wait", ref[0], ref[1], ref[2], ref[3]);
	FILE *file = fopen(fleet_ledger(), "r");
	char text[64] = "";
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
	fclose(file);
	ck_assert_str_eq(text, "32767\n7\n0\n-5\n");
	fleet_host_up(1, "rare=2 x1");
	fleet_run(0, "wait", needs);
	char *row = fleet_expect(0, "info", "--json", needs);
	ck_assert_ptr_nonnull(strstr(row, fleet_host_name(1)));
	free(row);
	for (int i = 0; i < 4; i++)
		free(ref[i]);
	free(blocks);
	free(needs);
}
END_TEST

static void explained(const char *expected, const char *ref)
{
	char *text = fleet_expect(0, "explain", ref);
	ck_assert_msg(strstr(text, expected) != NULL, "\"%s\" is not in: %s", expected, text);
	free(text);
}

START_TEST(explain_tells_why_a_task_waits_and_which_hosts_can_run_it)
{
	char *rare = fleet_expect(0, "submit", "--detach", "--needs", "rare=1", "sleep", "1000");
	char *after = fleet_expect(0, "submit", "--detach", "--after", rare, "--", "true");
	explained("no host of the fleet is up", rare);
	explained(rare, after);
	fleet_host_up(0, "1");
	explained("no host that is up can ever meet its needs, rare=1", rare);
	/* The reason comes with the next renewal. */
	ctl_until(&fleet_host[0], fleet_host_name(0), "explain", rare);
	explained("no worker has such a resource", rare);
	char *paused = fleet_expect(
	    0, "submit", "--detach", "--retries", "1", "--backoff", "100s", "--", "false");
	ctl_until(&fleet_host[0], "exit code 1", "explain", paused);
	explained("the next begins in", paused);
	fleet_host_up(1, "rare=1 x1");
	ctl_until(&fleet_host[0], fleet_host_name(1), "explain", rare);
	char *next = fleet_expect(0, "submit", "--detach", "--needs", "rare=1", "true");
	ctl_until(&fleet_host[0], fleet_host_name(1), "explain", next);
	fleet_run(0, "cancel", "--wait", "--all");
	explained("cancelled", rare);
	free(rare);
	free(after);
	free(paused);
	free(next);
}
END_TEST

START_TEST(a_drained_host_takes_nothing_and_a_closed_one_stops)
{
	fleet_host_up(0, "1");
	fleet_host_up(1, "1");
	fleet_run(0, "drain", fleet_host_name(1));
	fleet_host_until(1, "drain");
	for (int i = 0; i < 10; i++) {
		char *ref = fleet_expect(0, "submit", "--detach", "true");
		fleet_run(0, "wait", ref);
		char *row = fleet_expect(0, "info", "--json", ref);
		ck_assert_ptr_nonnull(strstr(row, fleet_host_name(0)));
		free(row);
		free(ref);
	}
	kill(fleet_bridge(1), SIGKILL); /* its successor is drained, too */
	fleet_host_until(1, "lost");
	fleet_host_until(1, "drain");
	fleet_run(0, "resume", fleet_host_name(1));
	fleet_host_until(1, "up");
	fleet_run(0, "close", fleet_host_name(1));
	ck_assert(wait_for_death(fleet_host[1].pid));
	fleet_host_until(1, "left");
	REFUSED(65, "no host of this name", "drain", "nobody");
}
END_TEST

START_TEST(a_paused_host_sends_back_what_it_has_not_begun)
{
	char *ref[4], *row;
	fleet_host_up(0, "1");
	free(ctl_expect(&fleet_host[0], 0, "--fleet", "", "pause"));
	for (int i = 0; i < 4; i++)
		ref[i] = fleet_expect(0, "submit", "--detach", "true");
	fleet_host_up(1, "1");
	fleet_run(0, "wait", ref[0], ref[1], ref[2], ref[3]);
	for (int i = 0; i < 4; i++) {
		row = fleet_expect(0, "info", "--json", ref[i]);
		ck_assert_ptr_nonnull(strstr(row, fleet_host_name(1)));
		free(row);
		free(ref[i]);
	}
}
END_TEST

START_TEST(a_stop_lets_the_tasks_of_the_fleet_end_first)
{
	fleet_host_up(0, "1");
	char line[PATH_BYTES + 64];
	snprintf(line, sizeof line, "echo began >> %s; sleep 0.5; echo ended", fleet_ledger());
	char *ref = fleet_expect(0, "submit", "--detach", "--shell", line);
	fleet_ledger_until(1);
	fleet_host_stop(0);
	char *out = fleet_expect(0, "get", ref);
	ck_assert_str_eq(out, "ended");
	ck_assert_uint_eq(fleet_ledger_lines("began"), 1);
	free(out);
	free(ref);
}
END_TEST

START_TEST(what_a_fleet_cannot_do_is_refused_in_words)
{
	fleet_host_up(0, "1");
	REFUSED(64, "on the machine of a host", "topology");
	REFUSED(64, "plmctl drain HOST", "pause");
	REFUSED(64, "plmctl close HOST", "stop");
	REFUSED(64, "process list", "--fleet", "redis://:secret@localhost", "tasks");
	REFUSED(64, "unknown option", "--fleet", "redis://localhost?colour=red", "tasks");
	REFUSED(64, "cacert", "--fleet", "rediss://localhost?cacrt=x", "tasks");
	REFUSED(64, "wants redis://", "--fleet", "http://localhost", "tasks");
	REFUSED(65, "another fleet", "get", "@1.1.1");
	struct output_of o = fleet("submit", "--replicas", "2", "--detach", "true");
	ck_assert_int_ne(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "no --replicas"));
	output_free(&o);
	o = fleet("submit", "--output-cap", "1M", "--shell", "head -c 9000000 /dev/zero");
	ck_assert_int_ne(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "let --output-cap be larger"));
	output_free(&o);
}
END_TEST

START_TEST(keys_and_versions_of_others_are_left_alone)
{
	REDIS("set", "plm:{other}:meta", "mine");
	char url[300];
	snprintf(url, sizeof url, "unix://%s/redis.sock?queue=other", fleet_directory);
	REFUSED(125, "not made by plm", "--fleet", url, "tasks");
	ck_assert_str_eq(REDIS("get", "plm:{other}:meta"), "mine");
	snprintf(url, sizeof url, "unix://%s/redis.sock?queue=newer", fleet_directory);
	REDIS("hset", "plm:{newer}:meta", "format", "99", "epoch", "1");
	REFUSED(76, "format 99", "--fleet", url, "tasks");
	REDIS("config", "set", "maxmemory", "100mb");
	REDIS("config", "set", "maxmemory-policy", "allkeys-lru");
	REFUSED(76, "noeviction", "tasks");
	REDIS("config", "set", "maxmemory-policy", "noeviction");
	fleet_run(0, "tasks");
	REDIS("function", "flush");
	REDIS("function", "load",
	    "#!lua name=plm_fleet_2\n"
	    "redis.register_function('plm2_open', function() return 1 end)");
	REFUSED(76, "another build", "tasks");
}
END_TEST

START_TEST(a_password_comes_from_a_file_that_is_ours_alone)
{
	char url[600];
	fleet_redis_kill();
	fleet_redis_start("--requirepass", "open sesame");
	REFUSED(77, "password", "tasks");
	char *path = fleet_file("password", "wrong\n");
	chmod(path, 0600);
	snprintf(url, sizeof url, "%s&password-file=%s", fleet_url, path);
	REFUSED(77, "refuses", "--fleet", url, "tasks");
	fleet_file("password", "open sesame\n");
	fleet_run(0, "--fleet", url, "tasks");
	chmod(path, 0644);
	REFUSED(64, "chmod 600", "--fleet", url, "tasks");
}
END_TEST

/* Does a regular expression match a file of any process in /proc? */
static bool seen_in_proc(const char *file, const char *text)
{
	char line[PATH_BYTES + 100];
	snprintf(line, sizeof line, "grep -sqa %s /proc/[0-9]*/%s", text, file);
	return system(line) == 0;
}

START_TEST(a_password_in_the_variable_reaches_no_list_and_no_task)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof at;
	char url[200], port[16];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	close(fd);
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	fleet_redis_kill();
	fleet_redis_start("--port", port);
	REDIS("config", "set", "requirepass", "sesame7431");
	snprintf(url, sizeof url, "redis://:sesame7431@127.0.0.1:%s?queue=test&lease=3s", port);
	setenv("PLM_FLEET", url, 1);
	fleet_host_up(0, "1");
	char *env = fleet_expect(0, "submit", "env");
	ck_assert_ptr_null(strstr(env, "sesame7431"));
	free(env);
	ck_assert(!seen_in_proc("cmdline", "sesame743[1]"));
	struct output_of o = fleet("--fleet", fleet_nowhere(), "tasks");
	ck_assert_int_ne(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "cannot be reached"));
	output_free(&o);
}
END_TEST

START_TEST(a_full_engine_takes_no_task_and_lets_work_end)
{
	fleet_host_up(0, "1");
	char *runs = fleet_expect(0, "submit", "--detach", "--shell", "sleep 0.2; echo done");
	REDIS("config", "set", "maxmemory", "1");
	REFUSED(75, "memory of Redis is full", "submit", "--detach", "true");
	char *out = fleet_expect(0, "get", runs);
	ck_assert_str_eq(out, "done");
	REDIS("config", "set", "maxmemory", "0");
	check_output(fleet("submit", "echo", "again"), 0, "again\n", "");
	free(runs);
	free(out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		commands_and_functions_run_on_hosts,
		the_environment_of_the_submitter_stays_at_home,
		lists_show_tasks_and_hosts,
		codes_and_json_are_those_of_a_runtime,
		a_name_means_a_runtime_whatever_the_variable_says,
		a_file_is_loaded_once_with_unique,
		retries_pauses_and_limits_hold,
		tasks_wait_for_tasks_and_fail_with_them,
		waiting_and_running_tasks_are_cancelled_and_failed_ones_retried,
		higher_priorities_go_first_and_needs_wait_for_a_host_that_meets_them,
		explain_tells_why_a_task_waits_and_which_hosts_can_run_it,
		a_drained_host_takes_nothing_and_a_closed_one_stops,
		a_paused_host_sends_back_what_it_has_not_begun,
		a_stop_lets_the_tasks_of_the_fleet_end_first,
		what_a_fleet_cannot_do_is_refused_in_words,
		keys_and_versions_of_others_are_left_alone,
		a_password_comes_from_a_file_that_is_ours_alone,
		a_password_in_the_variable_reaches_no_list_and_no_task,
		a_full_engine_takes_no_task_and_lets_work_end,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests(
	    "fleet", TEST_TIMEOUT_S, fleet_begin, fleet_end, tests, sizeof tests / sizeof tests[0]);
}
