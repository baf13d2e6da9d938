/* test_fleet_modules.c - functions of modules in a fleet: tasks go to hosts that have the module,
 * and wait for one; a function that no host has is told at once. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/command_case.h"
#include "tests/support/fleet_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, TASKS = 400, PATH_BYTES = 300 };

static void host_up_with_module(unsigned i, const char *kinds)
{
	runtime_boot(&fleet_host[i], "--workers", kinds, "--module", test_module("mod_test"), );
	fleet_host_until(i, "up");
	ctl_until(&fleet_host[i], "module test", "hosts", "--json");
}

static void load_module_into(unsigned i)
{
	fleet_run(0, "--name", fleet_host[i].name, "module", "load", test_module("mod_test"));
}

static void ran_on(unsigned i, const char *ref)
{
	char *row = fleet_expect(0, "info", "--json", ref);
	ck_assert_msg(strstr(row, fleet_host_name(i)) != NULL, "%s", row);
	free(row);
}

static char *queued(const char *needs, const char *text)
{
	struct output_of o = needs[0]
	    ? fleet("call", "--detach", "--needs", needs, "test.split", text)
	    : fleet("call", "--detach", "test.split", text);
	ck_assert_msg(o.code == 0, "%s", o.err);
	o.out[strcspn(o.out, "\n")] = 0;
	char *ref = strdup(o.out);
	output_free(&o);
	return ref;
}

static void refused(int code, const char *why, const char *function)
{
	struct output_of o = fleet("call", function, "x");
	ck_assert_msg(o.code == code && strstr(o.err, why), "exit code %d, not %d; \"%s\": %s",
	    o.code, code, why, o.err);
	output_free(&o);
}

START_TEST(a_task_goes_to_a_host_with_its_module_and_waits_for_one)
{
	fleet_host_up(0, "2");
	struct output_of o = fleet("call", "--detach", "test.split", "first");
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.err, "no host that is up has module test"));
	o.out[strcspn(o.out, "\n")] = 0;
	fleet_run(0, "submit", "true"); /* the host takes other tasks meanwhile */
	char *why = fleet_expect(0, "explain", o.out);
	ck_assert_ptr_nonnull(strstr(why, "no host that is up has module test"));
	ck_assert_ptr_nonnull(strstr(why, "has none"));
	free(why);
	why = fleet_expect(0, "tasks", "--json", "--quiet", "--state", "ready");
	ck_assert_ptr_nonnull(strstr(why, o.out));
	free(why);
	host_up_with_module(1, "1");
	char *got = fleet_expect(0, "get", o.out);
	ck_assert_str_eq(got, "first");
	free(got);
	ran_on(1, o.out);
	output_free(&o);
	for (int i = 0; i < 10; i++)
		check_output(fleet("call", "test.split", "again"), 0, "again", "");
}
END_TEST

START_TEST(a_module_loaded_later_is_known_at_the_next_renewal)
{
	fleet_host_up(0, "1");
	char *ref = queued("", "late");
	load_module_into(0);
	char *got = fleet_expect(0, "get", ref);
	ck_assert_str_eq(got, "late");
	free(got);
	free(ref);
}
END_TEST

START_TEST(a_call_finds_a_module_that_was_loaded_just_now)
{
	fleet_host_up(0, "1");
	fleet_host_up(1, "1");
	refused(127, "no host that is up has module test", "test.split");
	load_module_into(1);
	check_output(fleet("call", "test.split", "now"), 0, "now", "");
}
END_TEST

START_TEST(a_function_that_no_host_has_is_refused_as_on_a_runtime)
{
	host_up_with_module(0, "1");
	refused(127, "load it on a host", "tools.add");
	refused(127, "no function \"test.nothing\" on host", "test.nothing");
	refused(127, "no function \"probe.nothing\" on host", "probe.nothing");
	refused(127, "no function \"nothing\" on host", "nothing");
	char *none = fleet_expect(0, "tasks", "--quiet", "--state", "ready");
	ck_assert_str_eq(none, "");
	free(none);
}
END_TEST

START_TEST(a_module_and_needs_want_a_host_with_both)
{
	host_up_with_module(0, "1");
	fleet_host_up(1, "rare=1 x1");
	char *ref = queued("rare=1", "both");
	ctl_until(&fleet_host[0], "no worker has such a resource", "explain", ref);
	fleet_run(0, "submit", "true");
	host_up_with_module(2, "rare=1 x1");
	char *got = fleet_expect(0, "get", ref);
	ck_assert_str_eq(got, "both");
	free(got);
	ran_on(2, ref);
	free(ref);
}
END_TEST

static unsigned long engine_calls(void)
{
	const char *text = REDIS("eval",
	    "return string.match(redis.call('INFO', 'commandstats'), 'cmdstat_fcall:calls=(%d+)')",
	    "0");
	return strtoul(text[0] == '"' ? text + 1 : text, NULL, 10);
}

START_TEST(tasks_of_a_module_are_claimed_as_many_as_tasks_of_none)
{
	char path[PATH_BYTES];
	unsigned long before;
	host_up_with_module(0, "2");
	fleet_host_up(1, "2"); /* which has to leave the blocks alone */
	snprintf(path, sizeof path, "%s/tasks", fleet_directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (unsigned i = 0; i < TASKS; i++)
		fprintf(file, "func:0:0:0:test.split %u\n", i);
	fclose(file);
	before = engine_calls();
	fleet_run(0, "load", "--wait", path);
	ck_assert_msg(engine_calls() - before < TASKS / 2, "%lu calls for %d tasks",
	    engine_calls() - before, TASKS);
}
END_TEST

/* A module within plm that the fleet does not know as such would be named here. */
START_TEST(modules_within_plm_are_on_every_host)
{
	fleet_host_up(0, "1");
	fleet_host_up(1, "1");
	char *rows = fleet_expect(0, "hosts", "--json");
	ck_assert_msg(strstr(rows, "\"has\": null") && !strstr(rows, "module "), "%s", rows);
	free(rows);
}
END_TEST

START_TEST(a_file_with_functions_of_no_host_says_so_once)
{
	char path[PATH_BYTES];
	fleet_host_up(0, "1");
	snprintf(path, sizeof path, "%s/tasks", fleet_directory);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("func:0:0:0:tools.add 1\nfunc:0:0:0:tools.sub 1\nfunc:0:0:0:probe.sum 1\n", file);
	fclose(file);
	struct output_of o = fleet("load", path);
	ck_assert_int_eq(o.code, 0);
	const char *said = strstr(o.err, "no host that is up has module tools");
	ck_assert_ptr_nonnull(said);
	ck_assert_ptr_null(strstr(said + 1, "no host that is up has module"));
	output_free(&o);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_task_goes_to_a_host_with_its_module_and_waits_for_one,
		a_module_loaded_later_is_known_at_the_next_renewal,
		a_call_finds_a_module_that_was_loaded_just_now,
		a_function_that_no_host_has_is_refused_as_on_a_runtime,
		a_module_and_needs_want_a_host_with_both,
		tasks_of_a_module_are_claimed_as_many_as_tasks_of_none,
		modules_within_plm_are_on_every_host,
		a_file_with_functions_of_no_host_says_so_once,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet modules", TIMEOUT_S, fleet_begin, fleet_end, tests,
	    sizeof tests / sizeof tests[0]);
}
