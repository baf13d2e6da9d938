/* test_pressure.c - when memory runs out: which tasks start, return to the queue, or fail; and
 * limits of single commands. Through the real programs.
 *
 * The memory of the machine is simulated (tests/support/memory_case.h); the memory of tasks is
 * real: commands that keep a long text in a shell, and functions that keep pages
 * (tests/support/modules/mod_stubborn.c). One test runs in a control group with little memory, if
 * the test may make a control group. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/memory_case.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 192, LINE_BYTES = 512, NOTES_MAX = 16 };

static char notes[PATH_BYTES];

static void boot_with(const char *const *arguments)
{
	const char *all[32] = { "--tasks", "1024", "--store", "16M", "--module",
		test_module("mod_stubborn") };
	size_t n = 6;
	while (*arguments)
		all[n++] = *arguments++;
	runtime_boot_with(&host, all);
	host_join();
	scratch_write(&host, "notes", "", 0, notes, sizeof notes);
}
#define boot(...) boot_with((const char *const[]){ __VA_ARGS__, NULL })

/* Tasks start from 100M of free memory, and return below 50M; each test sets the total. */
static void boot_simulated(unsigned total_mb, const char *victim)
{
	memory_case_begin(total_mb);
	boot("--workers", "2", "--memory", "8G", "--accept-free", "100M", "--return-free", "50M",
	    "--victim", victim);
}

static void stop(void)
{
	plm_disconnect(&client);
	runtime_stop(&host);
	runtime_end(&host);
	memory_case_end();
}

/* ---- tasks that use memory ---- */

struct note {
	int pid, attempt;
	char who[16];
};

static int read_notes(struct note *ret)
{
	FILE *file = fopen(notes, "r");
	int n = 0;
	ck_assert_ptr_nonnull(file);
	while (n < NOTES_MAX &&
	    fscanf(file, "%15s %d %d\n", ret[n].who, &ret[n].pid, &ret[n].attempt) == 3)
		n++;
	fclose(file);
	return n;
}

static bool are_noted(void *wanted)
{
	struct note all[NOTES_MAX];
	return read_notes(all) >= *(const int *)wanted;
}

static void until_noted(int wanted)
{
	until(are_noted, &wanted, "the commands' notes are written");
}

/* Submits a shell that keeps a text of `mb` MB, writes "WHO PID ATTEMPT", and sleeps. */
static char *keeper(const char *who, unsigned mb, const char *option, const char *value)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line,
	    "x=$(head -c %u /dev/zero | tr '\\0' x); "
	    "echo %s $$ $PLM_ATTEMPT >> %s; sleep 3600; :",
	    mb << 20, who, notes);
	return ctl_expect(&host, 0, "submit", "--detach", option, value, "--shell", line);
}

static plm_status status_now(void)
{
	plm_status status;
	ck_assert_int_eq(plm_status_get(client, &status), 0);
	return status;
}

static bool is_short(void *wanted)
{
	return status_now().memory_short == *(const int *)wanted;
}

static void until_short(int wanted)
{
	until(is_short, &wanted, "the scheduler has seen what memory is left");
}

static bool has_evicted(void *wanted)
{
	return status_now().evicted >= *(const unsigned *)wanted;
}

static bool has_counted(void *context)
{
	(void)context;
	return sh_load(&plm_tables(client)->control->memory_ours) != 0;
}

static void expect_in(const char *text, const char *words)
{
	ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

static void expect_explained(const char *ref, const char *text)
{
	ctl_until(&host, text, "explain", ref); /* a cancelled task takes a moment to end */
}

static void cancel(char *ref)
{
	free(ctl_expect(&host, 0, "cancel", "--grace", "0ms", ref));
	free(ref);
}

/* ---- free memory ---- */

START_TEST(no_task_starts_while_less_is_free_than_accept_free)
{
	boot_simulated(1000, "newest");
	char *runs = keeper("first", 1, "--priority", "0");
	until_noted(1);
	memory_case_set(1000, 90);
	until_short(1);
	char *waits = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "late");
	expect_explained(waits, "less than 100.0 MiB of memory is free (--accept-free)");
	ck_assert_uint_eq(status_now().ready, 1);
	char *state = ctl_expect(&host, 0, "status");
	expect_in(state, "memory-short");
	free(state);
	memory_case_set(1000, 102); /* a little more than the threshold starts no task, or tasks
				  would start and return in turn */
	ctl_until(&host, "\"memory_free\": 106954752", "status", "--json");
	until_short(1);
	memory_case_set(1000, 900);
	char *value = ctl_expect(&host, 0, "get", waits);
	ck_assert_str_eq(value, "late");
	ck_assert_uint_eq(status_now().evicted, 0);
	free(value);
	free(waits);
	cancel(runs);
	stop();
}
END_TEST

/* Both tasks have more than a quarter of the used 390M, so one returns; the other alone has less,
 * and stays. */
START_TEST(the_task_that_started_last_goes_back_and_waits_for_what_it_used)
{
	struct note all[NOTES_MAX];
	unsigned one = 1;
	boot_simulated(400, "newest");
	char *old = keeper("old", 64, "--priority", "0");
	until_noted(1);
	char *fresh = keeper("new", 64, "--priority", "0");
	until_noted(2);
	memory_case_set(400, 10);
	until(has_evicted, &one, "a task is ended");
	until_short(1);
	memory_case_set(400, 150);
	until_short(0);
	expect_explained(fresh, "it was ended when memory ran out and had used about");
	kill(status_now().scheduler_pid, SIGKILL); /* the record remembers the used memory */
	char *next = ctl_expect(&host, 0, "call", "probe.echo", "others start");
	free(next);
	expect_explained(fresh, "it was ended when memory ran out and had used about");
	memory_case_set(400, 350);
	until_noted(3);
	ck_assert_int_eq(read_notes(all), 3);
	ck_assert_str_eq(all[2].who, "new");
	ck_assert_int_eq(all[2].attempt, 2);
	ck_assert_int_lt(kill(all[1].pid, 0), 0);
	ck_assert_int_eq(kill(all[0].pid, 0), 0);
	ck_assert_uint_eq(status_now().returned, 1);
	ck_assert_uint_eq(status_now().evicted, 1);
	cancel(old);
	cancel(fresh);
	stop();
}
END_TEST

START_TEST(the_task_furthest_over_what_it_asked_for_goes_back_if_so_ordered)
{
	struct note all[NOTES_MAX];
	unsigned one = 1;
	boot_simulated(400, "over");
	char *modest = keeper("over", 64, "--needs", "mem=16M");
	until_noted(1);
	char *honest = keeper("honest", 64, "--needs", "mem=1G");
	until_noted(2);
	memory_case_set(400, 10);
	until(has_evicted, &one, "a task is ended");
	memory_case_set(400, 350);
	until_noted(3);
	ck_assert_int_eq(read_notes(all), 3);
	ck_assert_str_eq(all[2].who, "over");
	cancel(modest);
	cancel(honest);
	stop();
}
END_TEST

START_TEST(what_others_use_ends_no_task)
{
	boot_simulated(100000, "newest");
	char *runs = keeper("first", 64, "--priority", "0");
	until_noted(1);
	memory_case_set(100000, 10);
	until(has_counted, NULL, "the scheduler has looked whose it is");
	char *waits = ctl_expect(&host, 0, "call", "--detach", "probe.noop");
	expect_explained(waits, "tasks that run use");
	ck_assert_uint_eq(status_now().evicted, 0);
	ck_assert_uint_eq(status_now().running, 1);
	memory_case_set(100000, 90000);
	free(ctl_expect(&host, 0, "get", waits));
	free(waits);
	cancel(runs);
	stop();
}
END_TEST

START_TEST(a_task_that_does_not_fit_even_alone_fails_and_says_so)
{
	plm_ref ref;
	plm_failure failure;
	boot_simulated(110, "newest");
	char *large = keeper("large", 64, "--retries", "0");
	until_noted(1);
	memory_case_set(110, 10);
	ck_assert_int_eq(plm_ref_parse(large, &ref), 0);
	ck_assert_int_eq(plm_wait(client, &ref, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_error(client, ref, &failure), 0);
	ck_assert_int_eq(failure.code, ENOMEM);
	expect_in(failure.message, "the task does not fit: it ran alone, used about");
	ck_assert_uint_eq(status_now().returned, 0);
	ck_assert_uint_eq(status_now().evicted, 1);
	free(large);
	stop();
}
END_TEST

/* ---- functions ---- */

static plm_ref hog(const char *mb)
{
	plm_arg args[2] = { PLM_BYTES(notes, strlen(notes)), PLM_BYTES(mb, strlen(mb)) };
	plm_task task = { .function = "stubborn.hog", .args = args, .nargs = 2 };
	plm_ref ref;
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static int count_words(const char *word)
{
	char what[16];
	int n = 0;
	FILE *file = fopen(notes, "r");
	ck_assert_ptr_nonnull(file);
	while (fscanf(file, "%*s %*d %15s", what) == 1)
		n += strcmp(what, word) == 0;
	fclose(file);
	return n;
}

static bool both_have(void *context)
{
	return count_words("has") >= *(const int *)context;
}

START_TEST(a_function_that_uses_memory_goes_back_as_well)
{
	int two = 2, three = 3;
	unsigned one = 1;
	boot_simulated(400, "newest");
	plm_ref refs[2] = { hog("64"), hog("64") };
	until(both_have, &two, "both have their memory");
	memory_case_set(400, 10);
	until(has_evicted, &one, "a task is ended");
	memory_case_set(400, 350);
	until(both_have, &three, "one has come back");
	ck_assert_uint_eq(status_now().returned, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(plm_cancel(client, refs[i], 0), 0);
	plm_drop_many(client, refs, 2);
	stop();
}
END_TEST

/* ---- a control group with real limits ---- */

static const struct hierarchy {
	const char *root, *limit;
} hierarchies[] = { { "/sys/fs/cgroup/memory", "memory.limit_in_bytes" },
	{ "/sys/fs/cgroup", "memory.max" } };

static bool write_number(const char *directory, const char *file, long number)
{
	char path[PATH_BYTES], text[32];
	snprintf(path, sizeof path, "%s/%s", directory, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof text, "%ld", number);
	bool good = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0)
		close(fd);
	return good;
}

/* Enters a control group with so much memory; children are born in the group. */
static bool enter_group(unsigned mb, char ret[PATH_BYTES])
{
	char name[32];
	for (size_t i = 0; i < COUNT_OF(hierarchies); i++) {
		test_runtime_name(name, sizeof name);
		snprintf(ret, PATH_BYTES, "%s/plm-%s", hierarchies[i].root, name);
		if (mkdir(ret, 0755) < 0)
			continue;
		if (write_number(ret, hierarchies[i].limit, (long)mb << 20) &&
		    write_number(ret, "cgroup.procs", getpid()))
			return true;
		rmdir(ret);
	}
	return false;
}

static bool is_removed(void *directory)
{
	char root[PATH_BYTES];
	snprintf(root, sizeof root, "%s/..", (const char *)directory);
	write_number(root, "cgroup.procs", getpid());
	return rmdir(directory) == 0 || errno == ENOENT;
}

#ifdef __SANITIZE_ADDRESS__
enum { GROUP_MB = 1000 }; /* AddressSanitizer needs more memory */
#else
enum { GROUP_MB = 400 };
#endif

/* The second task grows until little memory is free, returns to the queue, and waits. The task does
 * not fit even alone. */
START_TEST(in_a_control_group_without_enough_memory_tasks_go_back_and_fail_in_earnest)
{
	char group[PATH_BYTES];
	int one = 1;
	unsigned evicted = 1;
	plm_failure failure;
	if (!enter_group(GROUP_MB, group)) {
		printf("skipped, no control group can be made here: %s\n", __func__);
		return;
	}
	boot("--workers", "2", "--accept-free", "100M", "--return-free", "60M");
	ck_assert_uint_gt(status_now().memory_accept_free, 0);
	plm_ref small = hog("128");
	until(both_have, &one, "the first has its memory");
	plm_ref large = hog("2000");
	until(has_evicted, &evicted, "a task is ended");
	ck_assert_int_eq(plm_cancel(client, small, 1000), 0);
	ck_assert_int_eq(plm_wait(client, &large, 1, 1, DEADLINE_MS, NULL), 0);
	ck_assert_int_eq(plm_error(client, large, &failure), 0);
	ck_assert_int_eq(failure.code, ENOMEM);
	ck_assert_uint_eq(status_now().returned, 1);
	ck_assert_uint_eq(status_now().evicted, 2);
	plm_drop_many(client, (plm_ref[]){ small, large }, 2);
	stop();
	until(is_removed, group, "nobody is left in the control group");
}
END_TEST

/* ---- one command ---- */

/* A number of `plmctl info --json`. */
static uint64_t info_number(const char *ref, const char *key)
{
	char *out = ctl_expect(&host, 0, "info", "--json", ref);
	char *value = json_field(out, key);
	ck_assert_msg(value != NULL, "no %s in %s", key, out);
	uint64_t number = strtoull(value, NULL, 10);
	free(value);
	free(out);
	return number;
}

START_TEST(a_command_over_its_memory_limit_is_killed_and_its_retries_are_spent)
{
	struct note all[NOTES_MAX];
	char line[LINE_BYTES];
	boot("--workers", "1");
	snprintf(line, sizeof line,
	    "echo begun $$ $PLM_ATTEMPT >> %s; "
	    "x=$(head -c 300000000 /dev/zero | tr '\\0' x); sleep 3600; :",
	    notes);
	struct output_of o =
	    ctl(&host, "submit", "--mem-limit", "100M", "--retries", "1", "--shell", line);
	ck_assert_int_eq(o.code, 1);
	expect_in(o.err, "killed: used more memory than --mem-limit 100M: ");
	ck_assert_int_eq(read_notes(all), 2);
	ck_assert_int_eq(all[1].attempt, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_lt(kill(all[i].pid, 0), 0);
	output_free(&o);
	stop();
}
END_TEST

/* Three shells that keep 40 MB each at the same time; each needs 80 MB for a moment. */
static void three_keepers(char line[2 * LINE_BYTES], const char *marks)
{
	char one[LINE_BYTES], path[PATH_BYTES];
	scratch_path(&host, marks, path, sizeof path);
	snprintf(one, sizeof one,
	    "x=$(head -c 40000000 /dev/zero | tr '\\0' x); echo >> %s; "
	    "while [ $(wc -l < %s) -lt 3 ]; do sleep 0.05; done; sleep 0.5; :",
	    path, path);
	snprintf(line, 2 * LINE_BYTES, "f() { %s\n}\nf & f & f & wait", one);
}

START_TEST(a_limit_and_the_record_count_all_that_a_command_has_started)
{
	char line[2 * LINE_BYTES];
	boot("--workers", "1");
	three_keepers(line, "first");
	struct output_of o = ctl(&host, "submit", "--mem-limit", "100M", "--shell", line);
	expect_in(o.err, "more memory than --mem-limit 100M");
	output_free(&o);
	three_keepers(line, "second");
	char *ref =
	    ctl_expect(&host, 0, "submit", "--detach", "--mem-limit", "1G", "--shell", line);
	free(ctl_expect(&host, 0, "wait", ref));
	ck_assert_uint_ge(info_number(ref, "memory_bytes"), 120000000);
	ck_assert_uint_lt(info_number(ref, "resident_bytes"), 100000000);
	free(ref);
	stop();
}
END_TEST

/* ---- options ---- */

static void expect_refused(const char *words, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plm", arguments, NULL, 0);
	ck_assert_int_eq(o.code, 64);
	expect_in(o.err, words);
	output_free(&o);
}
#define refused(words, ...) expect_refused(words, (const char *const[]){ __VA_ARGS__, NULL })

START_TEST(rules_that_contradict_each_other_are_refused)
{
	boot_simulated(1000, "newest");
	refused("--return-free 200M must be less than --accept-free 100M", "--accept-free", "100M",
	    "--return-free", "200M");
	refused("must be less than", "--accept-free", "5%", "--return-free", "5%");
	refused("the machine has 1000M of memory", "--accept-free", "2G");
	refused("wants free memory", "--accept-free", "100%");
	refused("wants free memory", "--return-free", "-1");
	refused("wants newest", "--victim", "oldest");
	refused("leaves no core for a worker", "--reserve-cores", "100000");
	refused("cannot be combined", "--reserve-cores", "1", "--workers", "1");
	stop();
}
END_TEST

/* A threshold that is not given follows from the given one; 0 switches a threshold off. */
START_TEST(thresholds_are_bytes_or_hundredths_of_what_there_is)
{
	static const struct {
		const char *option, *value;
		uint64_t accept, back;
	} all[] = { { "--accept-free", "10%", 100, 20 }, { "--accept-free", "16M", 16, 8 },
		{ "--return-free", "10%", 200, 100 }, { "--return-free", "0", 50, 0 },
		{ "--accept-free", "0", 0, 0 } };
	boot_simulated(1000, "newest");
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		runtime_stop(&host);
		plm_disconnect(&client);
		runtime_reboot_with(
		    &host, (const char *const[]){ all[i].option, all[i].value, NULL });
		host_join();
		ck_assert_uint_eq(status_now().memory_accept_free >> 20, all[i].accept);
		ck_assert_uint_eq(status_now().memory_return_free >> 20, all[i].back);
	}
	stop();
}
END_TEST

int main(void)
{
	const TTest *const all[] = { no_task_starts_while_less_is_free_than_accept_free,
		the_task_that_started_last_goes_back_and_waits_for_what_it_used,
		the_task_furthest_over_what_it_asked_for_goes_back_if_so_ordered,
		what_others_use_ends_no_task, a_task_that_does_not_fit_even_alone_fails_and_says_so,
		a_function_that_uses_memory_goes_back_as_well,
		in_a_control_group_without_enough_memory_tasks_go_back_and_fail_in_earnest,
		a_command_over_its_memory_limit_is_killed_and_its_retries_are_spent,
		a_limit_and_the_record_count_all_that_a_command_has_started,
		rules_that_contradict_each_other_are_refused,
		thresholds_are_bytes_or_hundredths_of_what_there_is };
	return run_tests("pressure", TEST_TIMEOUT_S, NULL, NULL, all, sizeof all / sizeof all[0]);
}
