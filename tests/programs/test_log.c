/* test_log.c - the log of a runtime: with --log json each line of each process is an object, and
 * below systemd each line of text begins with a priority. */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 90, TEXT_BYTES = 1 << 16, EXIT_NO_BOOT = 73 };

static char *log_text(void)
{
	static char text[TEXT_BYTES];
	char path[PATH_MAX];
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	text[n] = 0;
	if (file)
		fclose(file);
	return text;
}

/* The last line of the log with this text; the caller frees. NULL: there is none. */
static char *line_with(const char *part)
{
	char *found = NULL;
	for (char *line = strtok(log_text(), "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, part)) {
			free(found);
			found = strdup(line);
		}
	return found;
}

static bool log_has(void *part)
{
	return strstr(log_text(), part) != NULL;
}

static void expect_field(const char *line, const char *key, const char *expected)
{
	char *value = json_field(line, key);
	ck_assert_msg(value && strcmp(value, expected) == 0, "%s is %s in %s", key,
	    value ? value : "missing", line);
	free(value);
}

static void expect_number(const char *line, const char *key, int expected)
{
	char text[16];
	snprintf(text, sizeof text, "%d", expected);
	expect_field(line, key, text);
}

/* A worker is killed, and each task ends a worker: manager and workers log. */
static int make_deaths(void)
{
	char *rows = ctl_expect(&host, 0, "workers", "--json");
	char *pid = json_field(rows, "pid");
	int killed = atoi(pid);
	free(pid);
	free(rows);
	kill(killed, SIGKILL);
	until(log_has, "replaced in", "a replaced worker");
	free(ctl_expect(&host, 0, "call", "probe.echo", "x"));
	until(log_has, "leaves after 1 tasks", "a worker that leaves");
	until(log_has, "has left after", "a manager that notices");
	return killed;
}

static void expect_lines_of_json(void)
{
	unsigned values;
	const char *text = log_text();
	const char *wrong = json_lines_check(text, strlen(text), &values);
	ck_assert_msg(!wrong && values >= 3, "%s in\n%s", wrong, text);
}

static void json_has_all_processes(void)
{
	int killed = make_deaths();
	char *line = line_with("replaced in");
	expect_field(line, "level", "warning");
	expect_field(line, "role", "manager");
	expect_field(line, "runtime", host.name);
	expect_number(line, "pid", host.pid);
	expect_number(line, "about_pid", killed);
	expect_number(line, "signal", SIGKILL);
	ck_assert_ptr_nonnull(strstr(line, "\"worker\": "));
	free(line);
	line = line_with("leaves after 1 tasks");
	expect_field(line, "level", "info");
	expect_field(line, "role", "worker");
	ck_assert_ptr_nonnull(strstr(line, "\"worker\": "));
	ck_assert_ptr_nonnull(strstr(line, "\"process_slot\": "));
	free(line);
	runtime_stop(&host);
	expect_lines_of_json();
	runtime_end(&host);
}

START_TEST(each_line_is_an_object)
{
	runtime_boot(&host, "--workers", "2", "--recycle-tasks", "1", "--log", "json", );
	json_has_all_processes();
}
END_TEST

START_TEST(the_variable_says_the_same)
{
	setenv(LOG_FORM, "json", 1);
	runtime_boot(&host, "--workers", "2", "--recycle-tasks", "1", );
	json_has_all_processes();
}
END_TEST

START_TEST(the_option_is_stronger_than_the_variable)
{
	setenv(LOG_FORM, "json", 1);
	runtime_boot(&host, "--workers", "2", "--recycle-tasks", "1", "--log", "text", );
	make_deaths();
	ck_assert_msg(!strchr(log_text(), '{'), "%s", log_text());
	runtime_stop(&host);
	runtime_end(&host);
}
END_TEST

START_TEST(a_boot_that_fails_says_so_in_an_object)
{
	unsigned values;
	runtime_prepare(&host);
	struct output_of o = program_run(&host, "plm",
	    (const char *const[]){
		"--name", host.name, "--log", "json", "--module", "/no-such-\x1b-module.so", NULL },
	    NULL, 0);
	ck_assert_int_eq(o.code, EXIT_NO_BOOT);
	const char *wrong = json_lines_check(o.err, o.err_bytes, &values);
	ck_assert_msg(!wrong && values >= 1, "%s in\n%s", wrong, o.err);
	expect_field(o.err, "level", "error");
	ck_assert_ptr_nonnull(strstr(o.err, "/no-such-\\u001b-module.so: No such file"));
	output_free(&o);
	o = program_run(&host, "plm", (const char *const[]){ "--log", "xml", NULL }, NULL, 0);
	ck_assert_msg(o.code == 64 && strstr(o.err, "text|json"), "%d: %s", o.code, o.err);
	output_free(&o);
	runtime_end(&host);
}
END_TEST

START_TEST(below_systemd_each_line_has_a_priority)
{
	char path[PATH_MAX], stream[64];
	struct stat st;
	runtime_prepare(&host);
	scratch_write(&host, "plm.log", "", 0, path, sizeof path);
	ck_assert_int_eq(stat(path, &st), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	runtime_reboot(&host, "--workers", "2", "--recycle-tasks", "1", );
	make_deaths();
	runtime_stop(&host);
	unsigned warnings = 0, others = 0;
	for (char *line = strtok(log_text(), "\n"); line; line = strtok(NULL, "\n")) {
		bool warning = strstr(line, ": warning: ") != NULL;
		ck_assert_msg(strncmp(line, warning ? "<4>" : "<6>", 3) == 0, "%s", line);
		warnings += warning;
		others += !warning;
	}
	ck_assert(warnings > 0 && others > 0);
	runtime_end(&host);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_line_is_an_object,
		the_variable_says_the_same,
		the_option_is_stronger_than_the_variable,
		a_boot_that_fails_says_so_in_an_object,
		below_systemd_each_line_has_a_priority,
	};
	return run_tests("log", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
