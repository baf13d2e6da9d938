/* test_trace.c - plmctl trace tells what happened: every attempt once, runs as long as the workers
 * counted, a flow for each dependency (trace_check.py), from the log and from a live recording;
 * what is missing is said; a file is there as a whole or not at all. */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/plm_inspect.h"
#include "tests/support/deaths.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/trace_case.h"

enum { TEST_TIMEOUT_S = 180, PATH_BYTES = 256, NOOPS = 20000 };

static const char counts_runs[] =
    "import json,gzip,sys; p=sys.argv[1]; f=gzip.open(p) if p.endswith(\".gz\") else open(p); "
    "e=json.load(f)[\"traceEvents\"]; "
    "print(sum(x[\"ph\"]==\"X\" and \"task\" in x[\"cat\"] for x in e))";

static unsigned runs_in(const char *json)
{
	char *text = trace_python(counts_runs, json);
	unsigned n = (unsigned)strtoul(text, NULL, 10);
	free(text);
	return n;
}

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static void expect_no_part(const char *path)
{
	char line[2 * PATH_BYTES];
	snprintf(line, sizeof line, "ls %s.part* >/dev/null 2>&1", path);
	ck_assert_int_ne(system(line), 0);
}

/* A trace ends in these words. */
static bool is_whole(void *path)
{
	char line[2 * PATH_BYTES];
	snprintf(line, sizeof line, "tail -n 1 %s | grep -q '^]}$'", (const char *)path);
	return system(line) == 0; /* NOLINT: our words */
}

/* Runs plmctl, expects the code and the text on stderr. */
#define says(code, text, ...) says_with((code), (text), (const char *const[]){ __VA_ARGS__, NULL })
static void says_with(int code, const char *text, const char *const *words)
{
	struct output_of o = program_run(&host, "plmctl", words, NULL, 0);
	ck_assert_msg(o.code == code && strstr(o.err, text) != NULL,
	    "exit code %d, expected %d with \"%s\": %s", o.code, code, text, o.err);
	output_free(&o);
}

/* ---- the log ---- */

/* Runs plmctl, and compares the number of dependencies. */
#define expect_flows(n, ...) expect_flows_of((n), (const char *const[]){ __VA_ARGS__, NULL })
static void expect_flows_of(uint64_t n, const char *const *words)
{
	char *out = program_expect(&host, 0, words), *field = json_field(out, "dependencies");
	ck_assert_uint_eq(strtoull(field, NULL, 10), n);
	free(field);
	free(out);
}

START_TEST(a_mixed_load_with_a_killed_worker_becomes_a_true_trace)
{
	char path[PATH_BYTES];
	trace_mixed_load();
	scratch_path(&host, "mixed.plmrec", path, sizeof path);
	expect_flows(TRACE_MIXED_FLOWS, "trace", "--json", path);
	trace_expect_all(path);
	scratch_path(&host, "mixed.plmrec.gz", path, sizeof path);
	expect_flows(TRACE_MIXED_FLOWS, "trace", "--json", "--last", "1h", path);
	trace_expect_all(path);
}
END_TEST

START_TEST(last_takes_the_end_of_the_log_alone)
{
	char path[PATH_BYTES];
	trace_noops(100);
	uint64_t n;
	scratch_path(&host, "all.json", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", path));
	n = runs_in(path);
	ck_assert_uint_eq(n, 100);
	free(ctl_expect(&host, 0, "trace", "--last", "1ms", path));
	ck_assert_uint_eq(runs_in(path), 0);
	free(ctl_expect(&host, 0, "trace", "--last", "1h", path));
	ck_assert_uint_eq(runs_in(path), 100);
}
END_TEST

START_TEST(a_dead_runtime_tells_its_last_seconds)
{
	char path[PATH_BYTES];
	trace_noops(100);
	plm_disconnect(&client);
	runtime_kill(&host);
	scratch_path(&host, "dead.json.gz", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", "--last", "60s", path));
	ck_assert_uint_eq(runs_in(path), 100);
}
END_TEST

START_TEST(a_trace_goes_to_stdout_and_a_summary_is_json)
{
	char path[PATH_BYTES], *field;
	trace_noops(10);
	char *out = ctl_expect(&host, 0, "trace", "-");
	ck_assert_msg(strncmp(out, "{\"displayTimeUnit\"", 18) == 0, "%.100s", out);
	free(out);
	scratch_path(&host, "a.pftrace.gz", path, sizeof path);
	out = ctl_expect(&host, 0, "trace", "--json", path);
	field = json_field(out, "runs");
	ck_assert_str_eq(field, "10");
	free(field);
	free(out);
	scratch_path(&host, "a.bin", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", "--format", "json", path));
	ck_assert_uint_eq(runs_in(path), 10);
}
END_TEST

/* ---- recording ---- */

static void record_and_stop(const char *name, int signal_number)
{
	char path[PATH_BYTES], json[PATH_BYTES];
	scratch_path(&host, name, path, sizeof path);
	pid_t pid = trace_record(path, 0);
	trace_noops(NOOPS);
	kill(pid, signal_number);
	ck_assert_int_eq(exit_of(pid), 0);
	trace_await_log_off("the end of the recording switches the log off");
	expect_no_part(path);
	snprintf(json, sizeof json, "%s", path);
	if (strstr(name, ".plmrec")) {
		trace_expect_true(path);
		scratch_path(&host, "again.json.gz", json, sizeof json);
		free(ctl_expect(&host, 0, "trace", "--from", path, json));
	}
	ck_assert_uint_eq(runs_in(json), NOOPS);
}

START_TEST(a_recording_has_every_run_from_its_begin_to_a_signal)
{
	record_and_stop("live.plmrec", SIGINT);
	record_and_stop("live.plmrec.gz", SIGTERM);
	record_and_stop("live.json", SIGHUP);
}
END_TEST

START_TEST(a_recording_of_a_mixed_load_is_true)
{
	char path[PATH_BYTES];
	char *before = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "700");
	scratch_path(&host, "live.plmrec", path, sizeof path);
	pid_t pid = trace_record(path, 0);
	trace_mixed_load();
	free(ctl_expect(&host, 0, "wait", before));
	kill(pid, SIGINT);
	ck_assert_int_eq(exit_of(pid), 0);
	trace_expect_true(path);
	free(before);
}
END_TEST

START_TEST(for_ends_a_recording)
{
	char path[PATH_BYTES];
	scratch_path(&host, "live.pftrace", path, sizeof path);
	free(ctl_expect(&host, 0, "trace", "--record", path, "--for", "200ms"));
	ck_assert(is_there(path));
	expect_no_part(path);
}
END_TEST

START_TEST(the_end_of_the_runtime_ends_a_recording)
{
	char path[PATH_BYTES], json[PATH_BYTES];
	scratch_path(&host, "live.plmrec", path, sizeof path);
	pid_t pid = trace_record(path, 0);
	trace_noops(1000);
	plm_disconnect(&client);
	runtime_stop(&host);
	ck_assert_int_eq(exit_of(pid), 0);
	scratch_path(&host, "live.json", json, sizeof json);
	free(ctl_expect(&host, 0, "trace", "--from", path, json));
	ck_assert_uint_eq(runs_in(json), 1000);
}
END_TEST

/* ---- trouble ---- */

START_TEST(overwritten_events_are_counted_and_what_is_left_is_true)
{
	char path[PATH_BYTES], json[PATH_BYTES];
	runtime_boot(&host, "--workers", "2", "--tasks", "4096", "--store", "64M", "--events", "on",
	    "--event-ring", "512", );
	host_join();
	trace_noops(5000);
	scratch_path(&host, "few.plmrec", path, sizeof path);
	scratch_path(&host, "few.json", json, sizeof json);
	free(ctl_expect(&host, 0, "trace", path));
	trace_expect_true(path);
	pid_t pid = trace_record(path, 0);
	trace_noops(NOOPS);
	kill(pid, SIGINT);
	ck_assert_int_eq(exit_of(pid), 0);
	says(0, "events are missing", "trace", "--from", path, json);
	trace_expect_true(path);
	trace_stop();
}
END_TEST

static bool part_has_events(void *path)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_size > 10000;
}

START_TEST(two_recordings_do_not_share_a_file)
{
	char path[PATH_BYTES];
	scratch_path(&host, "live.plmrec", path, sizeof path);
	pid_t pid = trace_record(path, 0);
	says(125, "another plmctl writes this file", "trace", "--record", path);
	trace_noops(10);
	kill(pid, SIGINT);
	ck_assert_int_eq(exit_of(pid), 0);
	trace_expect_true(path);
}
END_TEST

START_TEST(a_killed_recorder_leaves_what_it_had)
{
	char path[PATH_BYTES], part[PATH_BYTES], json[PATH_BYTES];
	scratch_path(&host, "live.plmrec", path, sizeof path);
	scratch_path(&host, "live.plmrec.part", part, sizeof part);
	scratch_path(&host, "live.json", json, sizeof json);
	pid_t pid = trace_record(path, 0);
	trace_noops(NOOPS);
	until(part_has_events, part, "the recording has events");
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	trace_await_log_off("the death of the recorder switches the log off");
	ck_assert(!is_there(path));
	says(0, "the recording is cut", "trace", "--from", part, json);
	ck_assert_uint_gt(runs_in(json), 100);
}
END_TEST

/* Tasks run until the child has ended. */
static bool has_ended(void *pid)
{
	siginfo_t info = { .si_pid = 0 };
	trace_noops(NOOPS / 10);
	ck_assert_int_eq(
	    waitid(P_PID, (id_t) * (pid_t *)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid != 0;
}

START_TEST(at_the_limit_for_files_a_recording_keeps_what_it_had_and_a_trace_leaves_nothing)
{
	char path[PATH_BYTES], json[PATH_BYTES];
	const char *const trace[] = { "plmctl", "trace", json, NULL };
	scratch_path(&host, "full.plmrec", path, sizeof path);
	scratch_path(&host, "full.json", json, sizeof json);
	pid_t pid = trace_record(path, 150000);
	until(has_ended, &pid, "the recording ends by itself");
	ck_assert_int_eq(exit_of(pid), 125);
	says(0, "the recording is cut", "trace", "--from", path, json);
	ck_assert_uint_gt(runs_in(json), 1000);
	unlink(json);
	ck_assert_int_eq(exit_of(trace_start(20000, trace)), 125);
	ck_assert(!is_there(json));
	expect_no_part(json);
}
END_TEST

static void expect_said(const char *text)
{
	char path[PATH_BYTES], line[2 * PATH_BYTES];
	scratch_path(&host, "stderr", path, sizeof path);
	snprintf(line, sizeof line, "grep -q '%s' %s", text, path);
	ck_assert_msg(system(line) == 0, "\"%s\" was not said", text); /* NOLINT: our words */
}

static bool mount_small(const char *directory)
{
	return mkdir(directory, 0700) == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", directory, "tmpfs", 0, "size=128k") == 0;
}

START_TEST(on_a_full_file_system_what_was_recorded_is_kept_and_nothing_is_half_written)
{
	char small[PATH_BYTES], path[PATH_BYTES], json[PATH_BYTES], csv[PATH_BYTES];
	scratch_path(&host, "small", small, sizeof small);
	if (!mount_small(small)) {
		printf("skipped: a full file system: %s\n", strerror(errno));
		return;
	}
	scratch_path(&host, "small/full.plmrec", path, sizeof path);
	pid_t pid = trace_record(path, 0);
	until(has_ended, &pid, "the recording ends by itself");
	ck_assert_int_eq(exit_of(pid), 75);
	expect_said("No space left on device");
	expect_said("keeps what was recorded");
	trace_await_log_off("the end of the recording switches the log off");
	scratch_path(&host, "full.json", json, sizeof json);
	says(0, "the recording is cut", "trace", "--from", path, json);
	ck_assert_uint_gt(runs_in(json), 1000);
	scratch_path(&host, "small/full.json", json, sizeof json);
	says(75, "No space left on device", "trace", "--from", path, json);
	scratch_path(&host, "small/full.csv", csv, sizeof csv);
	says(75, "No space left on device", "plot", "--from", path, "--csv", csv);
	if (system("gnuplot --version >/dev/null 2>&1") == 0) { /* NOLINT: our words */
		scratch_path(&host, "small/full.svg", csv, sizeof csv);
		says(75, "No space left on device", "plot", "--from", path, csv);
		ck_assert(!is_there(csv));
	}
	pid = trace_record(json, 0);
	until(has_ended, &pid, "the recording ends by itself");
	ck_assert_int_eq(exit_of(pid), 75);
	expect_said("is not written");
	ck_assert(!is_there(json));
	ck_assert_int_eq(umount2(small, MNT_DETACH), 0);
}
END_TEST

/* A name that is given at the end would replace /dev/null, too. */
START_TEST(pipes_are_written_and_links_are_followed)
{
	char pipe[PATH_BYTES], link[PATH_BYTES], file[PATH_BYTES], line[4 * PATH_BYTES];
	struct stat st;
	trace_noops(10);
	scratch_path(&host, "pipe", pipe, sizeof pipe);
	scratch_path(&host, "link.json", link, sizeof link);
	scratch_path(&host, "file.json", file, sizeof file);
	ck_assert_int_eq(mkfifo(pipe, 0600), 0);
	ck_assert_int_eq(symlink(file, link), 0);
	snprintf(line, sizeof line, "cat %s > %s & ", pipe, file);
	ck_assert_int_eq(system(line), 0); /* NOLINT: our words */
	free(ctl_expect(&host, 0, "trace", "--format", "json", pipe));
	ck_assert(stat(pipe, &st) == 0 && S_ISFIFO(st.st_mode));
	until(is_whole, file, "cat has the trace");
	ck_assert_int_eq(unlink(file), 0);
	scratch_write(&host, "file.json", "old", 3, file, sizeof file);
	free(ctl_expect(&host, 0, "trace", link));
	ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	ck_assert_uint_eq(runs_in(file), 10);
	says(64, "no regular file", "trace", "--record", pipe, "--format", "recording");
}
END_TEST

START_TEST(without_a_log_the_way_to_one_is_told)
{
	char path[PATH_BYTES];
	scratch_path(&host, "none.json", path, sizeof path);
	says(66, "plm --events on", "trace", path);
	says(66, "plmctl trace --record", "trace", "--last", "5s", path);
	says(66, "plmctl trace --record", "plot", "--csv", path);
	ck_assert(!is_there(path));
	expect_no_part(path);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	char path[PATH_BYTES], recording[PATH_BYTES];
	scratch_path(&host, "x.json", path, sizeof path);
	scratch_write(&host, "bad.plmrec", "nonsense", 8, recording, sizeof recording);
	says(64, ".pftrace", "trace", "x.txt");
	says(64, "--record FILE", "trace", "--for", "1s", path);
	says(64, "does not go with", "trace", "--record", path, "--last", "1s");
	says(64, "1ms at least", "trace", "--last", "0s", path);
	says(64, "1ms at least", "trace", "--record", path, "--for", "0s");
	says(64, "1ms at least", "plot", "--window", "0s", "--csv", path);
	says(64, "does not go with", "trace", "--from", recording, "--last", "1s", path);
	says(64, "stdout", "trace", "--record", "-", "--format", "json");
	says(64, "json|perfetto|recording", "trace", "--format", "xml", path);
	says(66, "is not a recording", "trace", "--from", recording, path);
	says(66, "No such file", "trace", "--from", "no/such.plmrec", path);
	says(69, "no runtime", "trace", "--name", "test-trace-nobody", path);
	says(125, "No such file", "trace", "no/such/directory/x.json");
	says(64, "too many arguments", "trace", path, path);
	ck_assert(!is_there(path));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	const TTest *const logged[] = {
		a_mixed_load_with_a_killed_worker_becomes_a_true_trace,
		last_takes_the_end_of_the_log_alone,
		a_trace_goes_to_stdout_and_a_summary_is_json,
		pipes_are_written_and_links_are_followed,
	};
	const TTest *const unlogged[] = {
		a_recording_has_every_run_from_its_begin_to_a_signal,
		a_recording_of_a_mixed_load_is_true,
		for_ends_a_recording,
		two_recordings_do_not_share_a_file,
		a_killed_recorder_leaves_what_it_had,
		at_the_limit_for_files_a_recording_keeps_what_it_had_and_a_trace_leaves_nothing,
		on_a_full_file_system_what_was_recorded_is_kept_and_nothing_is_half_written,
		without_a_log_the_way_to_one_is_told,
		what_makes_no_sense_is_refused,
	};
	TCase *on = tcase_create("logged"), *off = tcase_create("unlogged");
	TCase *dead = tcase_create("dead"), *ended = tcase_create("ended");
	TCase *few = tcase_create("few");
	tcase_add_checked_fixture(on, trace_boot, trace_stop);
	for (size_t i = 0; i < sizeof logged / sizeof logged[0]; i++)
		tcase_add_test(on, logged[i]);
	tcase_add_checked_fixture(off, trace_boot_unlogged, trace_stop);
	for (size_t i = 0; i < sizeof unlogged / sizeof unlogged[0]; i++)
		tcase_add_test(off, unlogged[i]);
	tcase_add_checked_fixture(dead, trace_boot, trace_end);
	tcase_add_test(dead, a_dead_runtime_tells_its_last_seconds);
	tcase_add_checked_fixture(ended, trace_boot_unlogged, trace_end);
	tcase_add_test(ended, the_end_of_the_runtime_ends_a_recording);
	tcase_add_test(few, overwritten_events_are_counted_and_what_is_left_is_true);
	TCase *const all[] = { on, off, dead, ended, few };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		tcase_set_timeout(all[i], TEST_TIMEOUT_S);
		suite_add_tcase(suite, all[i]);
	}
	return run_suite(suite);
}
