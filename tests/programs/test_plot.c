/* test_plot.c - plmctl plot: pictures in each form and for each part, tables whose numbers agree
 * with each other and with the tasks that ran, names that gnuplot would run, no gnuplot at all. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/trace_case.h"

enum { TEST_TIMEOUT_S = 180, PATH_BYTES = 4096, TABLE_BYTES = 1 << 20 };

static char table[TABLE_BYTES], bin_before[PATH_BYTES];

static void read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s is not there", path);
	size_t n = fread(table, 1, sizeof table - 1, file);
	fclose(file);
	table[n] = 0;
}

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* gnuplot is installed where the tests run as they should. */
static bool can_draw(void)
{
	if (system("command -v gnuplot >/dev/null") == 0)
		return true;
	printf("skipped: pictures, since gnuplot is not installed\n");
	return false;
}

static void expect_picture(const char *path, const char *magic, const char *text)
{
	read_file(path);
	ck_assert_msg(
	    strncmp(table, magic, strlen(magic)) == 0, "%s begins with %.8s", path, table);
	ck_assert_msg(!text || strstr(table, text), "no \"%s\" in %s", text, path);
}

/* ---- pictures ---- */

START_TEST(each_form_is_drawn)
{
	static const struct {
		const char *name, *magic, *text;
	} forms[] = {
		{ "a.svg", "<?xml", "probe.sum: " },
		{ "a.pdf", "%PDF-", NULL },
		{ "a.png", "\x89PNG", NULL },
	};
	char path[PATH_BYTES];
	if (!can_draw())
		return;
	trace_mixed_load();
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		scratch_path(&host, forms[i].name, path, sizeof path);
		free(ctl_expect(&host, 0, "plot", "--last", "1h", path));
		expect_picture(path, forms[i].magic, forms[i].text);
	}
}
END_TEST

START_TEST(each_part_is_drawn_alone)
{
	static const struct {
		const char *part, *title;
	} parts[] = {
		{ "busy", "worker 0" },
		{ "throughput", "throughput: tasks that ended" },
		{ "running", "running tasks" },
		{ "queue", "waiting for a value" },
		{ "store", "store in use" },
		{ "latency", "submit to start" },
		{ "functions", "probe.noop: 200 runs" },
	};
	char path[PATH_BYTES];
	if (!can_draw())
		return;
	trace_mixed_load();
	scratch_path(&host, "part.svg", path, sizeof path);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		free(ctl_expect(&host, 0, "plot", "--only", parts[i].part, path));
		expect_picture(path, "<?xml", parts[i].title);
		for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++)
			ck_assert_msg(j == i || !strstr(table, parts[j].title), "%s shows %s",
			    parts[i].part, parts[j].title);
	}
}
END_TEST

START_TEST(a_runtime_without_tasks_and_a_picture_of_many_workers_are_drawn)
{
	char path[PATH_BYTES];
	if (!can_draw())
		return;
	scratch_path(&host, "empty.svg", path, sizeof path);
	free(ctl_expect(&host, 0, "plot", path));
	expect_picture(path, "<?xml", "throughput");
	free(ctl_expect(&host, 0, "workers", "--set", "30"));
	trace_noops(100);
	ctl_until(&host, "worker\": 29,", "workers", "--json");
	free(ctl_expect(&host, 0, "plot", path));
	expect_picture(path, "<?xml", "process of a worker");
}
END_TEST

/* The name of a command is that of its program. */
START_TEST(names_of_users_are_shown_and_not_run)
{
	static const char name[] = "q'\"\\`touch hit`$(x)\033[";
	char program[PATH_BYTES], path[PATH_BYTES], json[PATH_BYTES];
	scratch_path(&host, name, program, sizeof program);
	const char *bin = getenv("PLM_BIN");
	ck_assert_ptr_nonnull(realpath(bin ? bin : ".", bin_before));
	ck_assert_int_eq(symlink("/bin/true", program), 0);
	ck_assert_int_eq(chdir(host.directory), 0);
	setenv("PLM_BIN", bin_before, 1);
	free(ctl_expect(&host, 0, "submit", "--", program, "x"));
	free(ctl_expect(&host, 0, "trace", "a.json"));
	free(ctl_expect(&host, 0, "plot", "--csv", "tables"));
	scratch_path(&host, "a.json", json, sizeof json);
	char *text =
	    trace_python("import json,sys; print(sum(\"touch hit\" in e[\"name\"] for e in "
			 "json.load(open(sys.argv[1]))[\"traceEvents\"]))",
		json);
	ck_assert_int_eq(strtol(text, NULL, 10), 1);
	free(text);
	scratch_path(&host, "tables/runs.csv", path, sizeof path);
	read_file(path);
	ck_assert_ptr_nonnull(strstr(table, "\"q'\"\"\\`touch hit`$(x)?[\""));
	if (can_draw()) {
		free(ctl_expect(&host, 0, "plot", "a.svg"));
		scratch_path(&host, "a.svg", path, sizeof path);
		expect_picture(path, "<?xml", "touch hit");
	}
	ck_assert(!is_there("hit"));
}
END_TEST

/* ---- tables ---- */

START_TEST(the_tables_agree_with_each_other)
{
	char path[PATH_BYTES], recording[PATH_BYTES];
	trace_mixed_load();
	scratch_path(&host, "a.plmrec", recording, sizeof recording);
	scratch_path(&host, "tables", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", recording));
	free(ctl_expect(&host, 0, "plot", "--from", recording, "--csv", path));
	trace_judge("plot_check.py", path);
	free(ctl_expect(&host, 0, "plot", "--from", recording, "--csv", path, "--window", "50ms"));
	trace_judge("plot_check.py", path);
}
END_TEST

static char *percentiles(const char *recording)
{
	char path[PATH_BYTES];
	scratch_path(&host, "tables", path, sizeof path);
	struct output_of o = ctl(&host, "plot", "--from", recording, "--csv", path);
	ck_assert_int_eq(o.code, 0);
	scratch_path(&host, "tables/latency.csv", path, sizeof path);
	read_file(path);
	free(o.out);
	return o.err;
}

/* A command that runs until the file is there. */
static char *gated(const char *gate)
{
	char line[2 * PATH_BYTES];
	snprintf(line, sizeof line, "until [ -e %s ]; do sleep 0.01; done", gate);
	char *ref = ctl_expect(&host, 0, "submit", "--detach", "--shell", line);
	ctl_until(&host, ref, "tasks", "--quiet", "--state", "running");
	return ref;
}

START_TEST(a_task_submitted_before_the_events_has_no_time_since_submit)
{
	char gate[PATH_BYTES], alone[PATH_BYTES], three[PATH_BYTES], picture[PATH_BYTES];
	char *said, *ref[2];
	scratch_path(&host, "alone.plmrec", alone, sizeof alone);
	scratch_path(&host, "three.plmrec", three, sizeof three);
	for (int i = 0; i < 2; i++) {
		scratch_path(&host, i ? "gate-b" : "gate-a", gate, sizeof gate);
		ref[i] = gated(gate);
		pid_t pid = trace_record(i ? three : alone, 0);
		for (int n = 0; i && n < 3; n++)
			free(ctl_expect(&host, 0, "call", "probe.sleep", "1"));
		scratch_write(&host, i ? "gate-b" : "gate-a", "", 0, gate, sizeof gate);
		free(ctl_expect(&host, 0, "wait", ref[i]));
		kill(pid, SIGINT);
		ck_assert_int_eq(exit_of(pid), 0);
		free(ref[i]);
	}
	said = percentiles(alone);
	ck_assert_ptr_nonnull(strstr(said, "of 1 of 1 tasks the submission is not among"));
	ck_assert_ptr_nonnull(strstr(table, "\n50,,0."));
	free(said);
	said = percentiles(three);
	ck_assert_ptr_nonnull(strstr(said, "of 1 of 4 tasks the submission is not among"));
	ck_assert_ptr_nonnull(strstr(table, "\n50,0.0"));
	free(said);
	if (!can_draw())
		return;
	scratch_path(&host, "a.svg", picture, sizeof picture);
	free(ctl_expect(&host, 0, "plot", "--from", alone, "--only", "latency", picture));
	expect_picture(picture, "<?xml", "n = 1; since submit: 0");
	ck_assert_ptr_null(strstr(table, "submit to end"));
	free(ctl_expect(&host, 0, "plot", "--from", three, "--only", "latency", picture));
	expect_picture(picture, "<?xml", "n = 4; since submit: 3");
	ck_assert_ptr_nonnull(strstr(table, "submit to end"));
}
END_TEST

/* ---- trouble ---- */

static void says(int code, const char *text, const char *const *words)
{
	struct output_of o = program_run(&host, "plmctl", words, NULL, 0);
	ck_assert_msg(o.code == code && strstr(o.err, text) != NULL,
	    "exit code %d, expected %d with \"%s\": %s", o.code, code, text, o.err);
	output_free(&o);
}
#define SAYS(code, text, ...) says((code), (text), (const char *const[]){ __VA_ARGS__, NULL })

START_TEST(what_makes_no_sense_is_refused)
{
	char path[PATH_BYTES];
	scratch_path(&host, "x.svg", path, sizeof path);
	SAYS(64, "--csv DIR", "plot");
	SAYS(64, "--csv DIR", "plot", "--json", path);
	SAYS(64, ".svg, .pdf or .png", "plot", "x.gif");
	SAYS(64, "busy|throughput", "plot", "--only", "everything", path);
	SAYS(125, "No such file", "plot", "no/such/directory/x.svg");
	ck_assert(!is_there(path));
}
END_TEST

START_TEST(without_gnuplot_the_package_is_named_and_tables_are_written)
{
	char path[PATH_BYTES], tables[PATH_BYTES];
	trace_noops(10);
	scratch_path(&host, "x.svg", path, sizeof path);
	scratch_path(&host, "tables", tables, sizeof tables);
	setenv("PATH", "/nonexistent", 1);
	SAYS(125, "gnuplot-nox", "plot", path);
	ck_assert(!is_there(path));
	free(ctl_expect(&host, 0, "plot", "--csv", tables));
	setenv("PATH", "/usr/bin:/bin", 1);
	scratch_path(&host, "tables/runs.csv", tables, sizeof tables);
	read_file(tables);
	ck_assert_ptr_nonnull(strstr(table, "\"probe.noop\""));
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		each_form_is_drawn,
		each_part_is_drawn_alone,
		names_of_users_are_shown_and_not_run,
		a_runtime_without_tasks_and_a_picture_of_many_workers_are_drawn,
		the_tables_agree_with_each_other,
		what_makes_no_sense_is_refused,
		without_gnuplot_the_package_is_named_and_tables_are_written,
	};
	Suite *suite = suite_create("plot");
	TCase *logged = tcase_create("logged"), *recorded = tcase_create("recorded");
	tcase_add_checked_fixture(logged, trace_boot, trace_stop);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		tcase_add_test(logged, all[i]);
	tcase_add_checked_fixture(recorded, trace_boot_unlogged, trace_stop);
	tcase_add_test(recorded, a_task_submitted_before_the_events_has_no_time_since_submit);
	tcase_set_timeout(logged, TEST_TIMEOUT_S);
	tcase_set_timeout(recorded, TEST_TIMEOUT_S);
	suite_add_tcase(suite, logged);
	suite_add_tcase(suite, recorded);
	return run_suite(suite);
}
