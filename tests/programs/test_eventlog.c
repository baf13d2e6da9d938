/* test_eventlog.c - the event log of real processes: order of the events of a task under kills,
 * watchers that die, runtimes that are adopted or dead, a full /dev/shm, and the two programs that
 * print the log. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/plm_inspect.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/roles_log.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 180, TASKS = 400, ROWS = 256, KILLS = 6 };

static plm_inspect *in;
static plm_events *events;

static void look(uint64_t since_ns)
{
	ck_assert_msg(plm_inspect_open(&in, host.name) == 0, "%s", plm_why());
	ck_assert_msg(plm_events_open(&events, in, since_ns) == 0, "%s", plm_why());
}

static void look_no_more(void)
{
	plm_events_close(&events);
	plm_inspect_close(&in);
}

static plm_events_state state_now(void)
{
	plm_events_state state;
	ck_assert_int_eq(plm_events_state_get(events, &state, sizeof state), 0);
	return state;
}

static bool is_off(void *context)
{
	(void)context;
	return !state_now().on;
}

static bool is_on(void *context)
{
	(void)context;
	return state_now().on;
}

static void watch(void)
{
	ck_assert_msg(plm_events_watch(client) == 0, "%s", plm_why());
}

/* ---- the order of the events of a task ---- */

static struct log_judge *judge;
static unsigned kinds[PLM_EVENTS];

static void judge_some(void)
{
	static plm_event rows[ROWS];
	int n;
	while ((n = plm_events_read(events, rows, sizeof rows[0], ROWS)) > 0)
		for (int i = 0; i < n; i++) {
			const char *broken = log_judge_see(judge, &rows[i]);
			ck_assert_msg(!broken, "%s: %s, task %u, attempt %u, process slot %u",
			    broken, plm_event_name(rows[i].kind), (unsigned)rows[i].ref.id,
			    rows[i].attempt, rows[i].process);
			kinds[rows[i].kind]++;
		}
}

static bool all_ended(void *context)
{
	(void)context;
	judge_some();
	return !log_judge_open(judge);
}

/* Some fail, some are tried again, some wait for others. */
static plm_ref submit_mixed(unsigned i, plm_ref before)
{
	static const char *const functions[] = { "probe.noop", "probe.sleep", "probe.fail",
		"probe.echo" };
	plm_arg text[] = { PLM_BYTES("3", 1), PLM_BYTES("7", 1) };
	plm_task task = { .function = functions[i % 4],
		.args = text,
		.nargs = i % 4 == 2 ? 2 : 1,
		.retries = i % 8 == 2,
		.crash_retries = i % 3 };
	plm_ref ref;
	if (i % 4 == 3)
		text[0] = PLM_FUTURE(before);
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static void kill_one(uint64_t *random, enum process_kind kind)
{
	const struct process *member = pick_member(client, kind, random);
	if (member)
		kill_member(&host, member);
}

START_TEST(each_start_has_one_end_though_workers_and_schedulers_are_killed)
{
	plm_ref ref[TASKS];
	uint64_t random = RANDOM_SEED;
	runtime_boot(&host, "--workers", "2", "--tasks", "4096", "--store", "64M", );
	host_join();
	look(PLM_EVENTS_NOW);
	judge = log_judge_new();
	ck_assert_ptr_nonnull(judge);
	watch();
	for (unsigned i = 0; i < TASKS; i++) {
		ref[i] = submit_mixed(i, i ? ref[i - 1] : PLM_NONE);
		if (i % (TASKS / KILLS) == 9)
			kill_one(&random, KIND_WORKER);
		if (i == TASKS / 2)
			kill_one(&random, KIND_SCHEDULER);
		if (i % 40 == 5)
			plm_cancel(client, ref[i], 0);
		if (i % 40 == 1)
			plm_requeue(client, ref[i], 0);
		judge_some();
	}
	expect_settled(&host, client, ref, TASKS, TASKS);
	until(all_ended, NULL, "every start has its end");
	ck_assert_uint_eq(state_now().lost, 0);
	ck_assert_uint_eq(kinds[PLM_EVENT_SUBMITTED], TASKS);
	ck_assert_uint_ge(log_judge_ends(judge), TASKS / 4);
	ck_assert_uint_ge(kinds[PLM_EVENT_RETURNED], 1);
	ck_assert_uint_ge(kinds[PLM_EVENT_DEAD], 2);
	ck_assert_uint_ge(kinds[PLM_EVENT_DEPENDS], TASKS / 4);
	log_judge_free(judge);
	look_no_more();
	host_stop();
}
END_TEST

/* ---- watchers ---- */

static void watch_and_sleep(void *context)
{
	plm *rt = NULL;
	const int *told = context;
	if (plm_connect(&rt, host.name) < 0 || plm_events_watch(rt) < 0)
		_exit(1);
	if (write(*told, "w", 1) != 1)
		_exit(1);
	pause();
}

START_TEST(a_killed_watcher_turns_the_log_off)
{
	int told[2];
	char byte;
	host_boot_small();
	host_join();
	look(0);
	ck_assert(is_off(NULL));
	ck_assert_int_eq(pipe(told), 0);
	pid_t child = child_of(watch_and_sleep, &told[1]);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	ck_assert(is_on(NULL));
	watch(); /* a second watcher ends well, and the first still watches */
	ck_assert_int_eq(plm_events_unwatch(client), 0);
	ck_assert(is_on(NULL));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	until(is_off, NULL, "the log is off");
	watch();
	plm_disconnect(&client);
	ck_assert(is_off(NULL));
	look_no_more();
	host_stop();
}
END_TEST

START_TEST(a_runtime_is_adopted_with_its_log)
{
	runtime_boot_loose(
	    &host, "--workers", "1", "--tasks", "256", "--store", "4M", "--event-ring", "1024", );
	host_join();
	watch();
	host_expect_work();
	runtime_kill(&host);
	runtime_reboot(&host, "--workers", "1", );
	look(0);
	ck_assert(is_on(NULL)); /* the watcher lives */
	ck_assert_uint_eq(state_now().ring_events, 1024);
	uint64_t written = state_now().written;
	host_expect_work();
	ck_assert_uint_gt(state_now().written, written);
	plm_disconnect(&client);
	until(is_off, NULL, "the log is off");
	look_no_more();
	host_stop();
}
END_TEST

START_TEST(a_watcher_that_dies_without_a_manager_is_found_by_the_next)
{
	int told[2];
	char byte;
	runtime_boot_loose(&host, "--workers", "1", "--tasks", "256", "--store", "4M", );
	look(0);
	ck_assert_int_eq(pipe(told), 0);
	pid_t child = child_of(watch_and_sleep, &told[1]);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	runtime_kill(&host);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert(is_on(NULL));
	runtime_reboot(&host, "--workers", "1", );
	ck_assert(is_off(NULL));
	look_no_more();
	host_stop();
}
END_TEST

/* ---- the programs ---- */

static void expect_in(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

static void copy_segment(const char *what, char *ret, size_t size)
{
	char from[128], command[512], name[32];
	runtime_segment(&host, what, from, sizeof from);
	snprintf(name, sizeof name, "copy.%s", what);
	scratch_path(&host, name, ret, size);
	snprintf(command, sizeof command, "cp --sparse=always %s %s", from, ret);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(the_last_seconds_of_a_dead_runtime_can_be_read)
{
	char control[160], log[160];
	runtime_boot(
	    &host, "--workers", "1", "--tasks", "256", "--store", "4M", "--events", "on", );
	output_free(&(struct output_of[]){ ctl(&host, "call", "probe.sum", "1", "2") }[0]);
	output_free(&(struct output_of[]){ ctl(&host, "submit", "--", "false") }[0]);
	runtime_kill(&host);
	struct output_of out = dump(&host, "events", "--last", "1h");
	ck_assert_int_eq(out.code, 0);
	expect_in(out.out, "probe.sum");
	expect_in(out.out, "failed");
	output_free(&out);
	out = dump(&host, "events", "--json", "--kind", "name,done");
	unsigned values = 0;
	ck_assert_ptr_null(json_lines_check(out.out, out.out_bytes, &values));
	ck_assert_uint_eq(values, 2);
	expect_in(out.out, "\"detail\": \"false\"");
	output_free(&out);
	copy_segment("control", control, sizeof control);
	out = dump(&host, "--file", control, "events");
	ck_assert_int_ne(out.code, 0);
	expect_in(out.err, "no event log was given");
	output_free(&out);
	copy_segment("events", log, sizeof log);
	out = dump(&host, "--file", control, "events");
	ck_assert_int_eq(out.code, 0);
	expect_in(out.out, "probe.sum");
	output_free(&out);
	out = dump(&host, "--file", control, "--event-file", control, "events");
	ck_assert_int_eq(out.code, 76);
	output_free(&out);
	runtime_end(&host);
}
END_TEST

START_TEST(a_runtime_whose_log_was_removed_goes_on)
{
	char log[128];
	runtime_boot_loose(&host, "--workers", "1", "--tasks", "256", "--store", "4M", );
	runtime_segment(&host, "events", log, sizeof log);
	ck_assert_int_eq(unlink(log), 0);
	host_join();
	watch();
	host_expect_work();
	struct output_of out = dump(&host, "events");
	ck_assert_int_ne(out.code, 0);
	expect_in(out.err, ".events");
	output_free(&out);
	out = dump(&host, "check");
	ck_assert_int_eq(out.code, 0);
	output_free(&out);
	runtime_kill(&host);
	runtime_reboot(&host, "--workers", "1", );
	host_expect_work();
	host_stop();
}
END_TEST

/* Starts `plmctl events --follow --json` with its output in a file. */
static pid_t follow(const char *path)
{
	char program[256];
	const char *bin = getenv("PLM_BIN");
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	snprintf(program, sizeof program, "%s/plmctl", bin ? bin : ".");
	dup2(fd, STDOUT_FILENO);
	execl(program, "plmctl", "--name", host.name, "events", "--follow", "--json", "--function",
	    "probe.sum", NULL);
	_exit(127);
}

static bool has_done(void *context)
{
	char text[4096] = "";
	FILE *file = fopen(context, "r");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file)
		fclose(file);
	text[n] = 0;
	return strstr(text, "\"event\": \"done\"") != NULL;
}

START_TEST(plmctl_follows_the_events_until_the_runtime_ends)
{
	char path[160];
	int status;
	host_boot_small();
	scratch_path(&host, "followed", path, sizeof path);
	look(0);
	pid_t pid = follow(path);
	until(is_on, NULL, "plmctl watches");
	output_free(&(struct output_of[]){ ctl(&host, "call", "probe.sum", "1", "2") }[0]);
	output_free(&(struct output_of[]){ ctl(&host, "call", "probe.noop") }[0]);
	until(has_done, path, "plmctl has printed the end");
	kill(pid, SIGTERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	until(is_off, NULL, "nobody watches");
	pid = follow(path);
	until(is_on, NULL, "plmctl watches");
	look_no_more();
	runtime_stop(&host);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 69, "status %#x", status);
	runtime_end(&host);
}
END_TEST

START_TEST(options_of_the_log_are_judged_and_shown)
{
	struct output_of out;
	runtime_prepare(&host);
	out = program_run(
	    &host, "plm", (const char *const[]){ "--event-ring", "1000", NULL }, NULL, 0);
	ck_assert_int_eq(out.code, 64);
	expect_in(out.err, "power of two");
	output_free(&out);
	out =
	    program_run(&host, "plm", (const char *const[]){ "--events", "never", NULL }, NULL, 0);
	ck_assert_int_eq(out.code, 64);
	output_free(&out);
	runtime_boot(&host, "--workers", "1", "--event-ring", "512", "--events", "on", );
	out = ctl(&host, "status", "--json");
	expect_in(out.out, "\"events\": \"always on\"");
	expect_in(out.out, "\"event_ring\": 512");
	output_free(&out);
	host_stop();
}
END_TEST

/* The better name of a command is that of its program. */
static char *run_named(const char *name)
{
	char program[256];
	scratch_path(&host, name, program, sizeof program);
	ck_assert_int_eq(symlink("/bin/true", program), 0);
	return ctl_expect(&host, 0, "submit", "--", program, "x");
}

/* No character that a terminal obeys, or that hides or turns text; the text is there. */
static void expect_harmless(struct output_of o, const char *text)
{
	static const char *const wild[] = { "\033", "\a", "\r", "\177", "\xff", "\xc2\x9b",
		"\xe2\x80\xae", "\xe2\x80\x8b" };
	ck_assert_int_eq(o.code, 0);
	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++)
		ck_assert_msg(!strstr(o.out, wild[i]), "wild character %zu in:\n%s", i, o.out);
	expect_in(o.out, text);
	output_free(&o);
}

START_TEST(names_do_not_speak_to_the_terminal)
{
	char longest[201];
	memset(longest, 'L', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	runtime_boot(
	    &host, "--workers", "1", "--tasks", "256", "--store", "4M", "--events", "on", );
	free(run_named("e\033[31m\a\r\177"));
	free(run_named("c\xc2\x9bm\xff"));
	free(run_named("r\xe2\x80\xae\xe2\x80\x8bt"));
	free(run_named(longest));
	expect_harmless(ctl(&host, "events", "--kind", "name"), "e?[31m");
	expect_harmless(ctl(&host, "events", "--json"), "r\\u202e\\u200");
	expect_harmless(dump(&host, "events"), "LLLLLLLL");
	expect_harmless(ctl(&host, "trace", "--format", "json", "-"), "\"name\":\"c?m?\"");
	runtime_kill(&host);
	runtime_end(&host);
}
END_TEST

START_TEST(events_of_a_task_are_found_by_its_number_and_as_the_last_one)
{
	runtime_boot(
	    &host, "--workers", "1", "--tasks", "256", "--store", "4M", "--events", "on", );
	char *first = ctl_expect(&host, 0, "submit", "--detach", "--", "true");
	char *second = ctl_expect(&host, 0, "submit", "--detach", "--", "true"), number[16];
	snprintf(number, sizeof number, "%.*s", (int)strcspn(first + 1, "."), first + 1);
	ctl_until(&host, "done", "events", first);
	ctl_until(&host, "done", "events", second);
	struct output_of by_number = ctl(&host, "events", number),
			 last = ctl(&host, "events", "last");
	expect_in(by_number.out, first);
	expect_in(last.out, second);
	ck_assert(!strstr(by_number.out, second) && !strstr(last.out, first));
	output_free(&by_number);
	output_free(&last);
	free(ctl_expect(&host, 65, "events", "ffff"));
	runtime_kill(&host);
	runtime_end(&host);
	free(first);
	free(second);
}
END_TEST

/* ---- a full /dev/shm ---- */

static bool mount_small(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/dev/shm", "tmpfs", 0, "size=64m,mode=1777") == 0;
}

static void fill_up(void)
{
	struct statvfs fs;
	int fd = open("/dev/shm/filler", O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstatvfs(fd, &fs), 0);
	ck_assert_int_eq(posix_fallocate(fd, 0, (off_t)(fs.f_bavail * fs.f_frsize - (1 << 20))), 0);
	close(fd);
}

START_TEST(a_full_shared_memory_stops_the_log_and_nothing_else)
{
	plm_ref ref[TASKS];
	if (!mount_small()) {
		printf("skipped: a full /dev/shm: no mount namespace: %s\n", strerror(errno));
		return;
	}
	runtime_boot(
	    &host, "--workers", "2", "--tasks", "1024", "--store", "1M", "--processes", "64", );
	host_join();
	look(0);
	fill_up();
	watch();
	for (unsigned i = 0; i < TASKS; i++) {
		plm_task task = { .function = "probe.noop" };
		ck_assert_int_eq(plm_submit(client, &task, &ref[i]), 0);
	}
	expect_settled(&host, client, ref, TASKS, TASKS);
	ck_assert_uint_ge(state_now().without_room, 2);
	ck_assert_uint_eq(state_now().rings, 0);
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	ck_assert_uint_eq(status.restarts, 0);
	ck_assert_int_eq(plm_events_unwatch(client), 0);
	ck_assert_int_eq(unlink("/dev/shm/filler"), 0);
	watch(); /* with room again, the log begins */
	host_expect_work();
	ck_assert_uint_ge(state_now().rings, 2);
	look_no_more();
	host_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_start_has_one_end_though_workers_and_schedulers_are_killed,
		a_killed_watcher_turns_the_log_off,
		a_runtime_is_adopted_with_its_log,
		a_watcher_that_dies_without_a_manager_is_found_by_the_next,
		the_last_seconds_of_a_dead_runtime_can_be_read,
		a_runtime_whose_log_was_removed_goes_on,
		plmctl_follows_the_events_until_the_runtime_ends,
		options_of_the_log_are_judged_and_shown,
		names_do_not_speak_to_the_terminal,
		events_of_a_task_are_found_by_its_number_and_as_the_last_one,
		a_full_shared_memory_stops_the_log_and_nothing_else,
	};
	return run_tests(
	    "eventlog", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
