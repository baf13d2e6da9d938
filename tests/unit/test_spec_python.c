/* test_spec_python.c - texts of workers with interpreters: the resource of each interpreter, and
 * refused texts. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/why.h"
#include "spec/spec.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 30 };

static struct described {
	struct resource_names names;
	struct worker_kind kind[WORKER_KINDS_MAX];
	uint32_t kinds;
} d;

static int describe(const char *text)
{
	d = (struct described){ 0 };
	return spec_workers(text, &d.names, d.kind, &d.kinds);
}

static void expect_printed(uint32_t kind, const char *expected)
{
	char text[SPEC_TEXT_BYTES];
	ck_assert_uint_lt(spec_print_kind(&d.kind[kind], &d.names, text, sizeof text), sizeof text);
	ck_assert_str_eq(text, expected);
}

START_TEST(an_interpreter_brings_a_resource_with_as_much_as_there_are_cpus)
{
	ck_assert_int_eq(
	    describe("python=/a/bin/python3,cpus=2 x2; licence=1; python=b,cpus=3; python=b"), 0);
	ck_assert_str_eq(d.names.name[3], "python");
	ck_assert_str_eq(d.names.name[4], "licence");
	ck_assert_str_eq(d.names.name[5], "python2");
	ck_assert_str_eq(d.names.pythons.path[0], "/a/bin/python3");
	ck_assert_str_eq(d.names.pythons.path[1], "b");
	ck_assert_str_eq(d.names.pythons.path[2], "");
	ck_assert_uint_eq(d.kind[0].python, 1);
	ck_assert_uint_eq(d.kind[0].amount[3], 2000);
	ck_assert_uint_eq(d.kind[1].python, 0);
	ck_assert_uint_eq(d.kind[1].amount[3], 0);
	ck_assert_uint_eq(d.kind[2].python, 2);
	ck_assert_uint_eq(d.kind[2].amount[5], 3000);
	ck_assert_uint_eq(d.kind[3].amount[5], 1000);
	expect_printed(0, "gen=1,cpus=2,python=/a/bin/python3 x2");
	expect_printed(1, "gen=1,cpus=1,licence=1 x1");
	expect_printed(2, "gen=1,cpus=3,python=b x1");
	expect_printed(3, "gen=1,cpus=1,python=b x1");
}
END_TEST

START_TEST(an_interpreter_for_all_kinds_leaves_those_with_their_own)
{
	ck_assert_int_eq(describe("python=a; cpus=4 x2; 3"), 0);
	ck_assert_int_eq(spec_python_everywhere("/p", &d.names, d.kind, d.kinds), 0);
	ck_assert_uint_eq(d.kind[0].python, 1);
	ck_assert_uint_eq(d.kind[1].python, 2);
	ck_assert_uint_eq(d.kind[2].python, 2);
	ck_assert_str_eq(d.names.pythons.path[1], "/p");
	ck_assert_uint_eq(d.kind[1].amount[spec_python_resource(&d.names, 1)], 4000);
	ck_assert_uint_eq(d.kind[2].amount[spec_python_resource(&d.names, 1)], 1000);
	ck_assert_uint_eq(d.kind[0].amount[spec_python_resource(&d.names, 1)], 0);
	ck_assert_int_eq(spec_python_everywhere("/q", &d.names, d.kind, d.kinds), 0);
	ck_assert_str_eq(d.names.pythons.path[2], "");
}
END_TEST

START_TEST(what_is_wrong_with_interpreters_is_said)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "python2=1", "\"python2\" at character 1: interpreters have such names" },
		{ "cpus=2,python5=1", "interpreters have such names" },
		{ "python=a,python=b", "python is given already" },
		{ "python=", "expected a value" },
		{ "python=a,a=1,b=1,c=1,d=1,e=1", "at most 5 resources can be named" },
		{ "a=1,b=1,c=1,d=1,e=1,python=a", "at most 5 resources can be named" },
		{ "python=a;python=b;python=c;python=d;python=e;python=f",
		    "at most 5 Python interpreters" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_int_eq(describe(rows[i].text), -EINVAL);
		ck_assert_msg(strstr(why_text(), rows[i].expected) != NULL, "\"%s\": %s",
		    rows[i].text, why_text());
	}
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
	char text[PYTHON_PATH_BYTES + 32] = "python=";
	memset(text + strlen(text), 'p', PYTHON_PATH_BYTES - 1);
	ck_assert_int_eq(describe(text), 0);
	strcat(text, "p");
	ck_assert_int_eq(describe(text), -EINVAL);
	ck_assert_msg(strstr(why_text(), "1 to 247 characters") != NULL, "%s", why_text());
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_interpreter_brings_a_resource_with_as_much_as_there_are_cpus,
		an_interpreter_for_all_kinds_leaves_those_with_their_own,
		what_is_wrong_with_interpreters_is_said,
		a_path_that_is_too_long_is_refused,
	};
	return run_tests("interpreters in texts of workers", TEST_TIMEOUT_S, NULL, NULL, tests,
	    sizeof tests / sizeof tests[0]);
}
