/* test_jobserver.c - idle cpus lent to a make: the make uses the cpus and gives them back to
 * waiting tasks, and no cpu is lost with a killed make, worker or scheduler. The jobs themselves
 * count how many jobs run at once: never more than cpus.
 *
 * The jobs are this program, too: `test_jobserver job WHO`. So is a small make that opens the
 * jobserver by a path (`test_jobserver fifo N`), since the make of this machine may be too old. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "client/handle.h"
#include "tables/lent.h"
#include "tests/support/command_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 256, LOOK_NS = 1000000, SLOTS = 4, MAKERS = 3 };
#define ALL UINT32_MAX

struct jobs { /* shared with all jobs */
	_Atomic uint32_t started, running, most, ended;
	_Atomic uint32_t gate; /* job n ends if n < gate ... */
	_Atomic uint32_t
	    meet; /* ... or when so many jobs have started; 0: without this condition */
	_Atomic uint32_t of[MAKERS];    /* started jobs by make */
	_Atomic int32_t parent[MAKERS]; /* make of the last started job */
};

static struct jobs *jobs;
static char self[PATH_BYTES];

/* ---- jobs ---- */

static void look_again(void)
{
	static const struct timespec pause = { .tv_nsec = LOOK_NS };
	nanosleep(&pause, NULL);
}

static int job(struct jobs *j, uint32_t who)
{
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	j->parent[who] = getppid();
	uint32_t running = ++j->running, most = j->most;
	while (running > most && !atomic_compare_exchange_weak(&j->most, &most, running))
		;
	j->of[who]++;
	uint32_t number = j->started++;
	while (number >= j->gate && !(j->meet && j->started >= j->meet)) {
		if (clock_ns() >= deadline)
			return 1;
		look_again();
	}
	j->running--;
	j->ended++;
	return 0;
}

/* Like a make that knows the path: takes a token for each job beyond the first. */
static int small_make(struct jobs *j, int count)
{
	char path[PATH_BYTES], token;
	const char *flags = getenv("MAKEFLAGS"), *at = flags ? strstr(flags, "=fifo:") : NULL;
	if (!at || sscanf(at, "=fifo:%255s", path) != 1)
		return 2;
	int fd = open(path, O_RDWR | O_CLOEXEC), held = 0, status, failed = 0;
	if (fd < 0)
		return 3;
	for (int i = 0, live = 0; i < count || live > 0;) {
		if (i < count && (live == 0 || read(fd, &token, 1) == 1)) {
			held += live > 0;
			if (fork() == 0)
				_exit(job(j, 0));
			i++;
			live++;
		}
		if (i < count && live < SLOTS)
			continue;
		wait(&status);
		failed |= status;
		live--;
		if (held > 0 && write(fd, "+", 1) == 1)
			held--;
	}
	return failed != 0;
}

static struct jobs *shared_jobs(void)
{
	const char *path = getenv("PLM_TEST_JOBS");
	int fd = path ? open(path, O_RDWR) : -1;
	void *memory = mmap(NULL, sizeof *jobs, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		exit(4);
	return memory;
}

/* ---- the scene ---- */

static void prepare(void)
{
	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
	unsetenv("MAKEFLAGS");
	jobs = shared_file(sizeof *jobs, "PLM_TEST_JOBS");
}

static void jobserver_boot(const char *workers, const char *jobserver)
{
	prepare();
	runtime_boot(&host, "--workers", workers, "--tasks", "4096", "--store", "64M", jobserver, );
	host_join();
}

static void end(void)
{
	plm_disconnect(&client);
	check_output(dump(&host, "check"), 0, NULL, NULL);
	host_stop();
}

/* The makefile of the make WHO. */
static void write_makefile(int count, uint32_t who)
{
	char text[8 * PATH_BYTES], name[32], path[PATH_BYTES];
	int n = snprintf(text, sizeof text, "all:");
	for (int i = 0; i < count; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, " job%d", i);
	n += snprintf(text + n, sizeof text - (size_t)n, "\njob%%:\n\t@%s job %u\n", self, who);
	snprintf(name, sizeof name, "Makefile%u", who);
	scratch_write(&host, name, text, (size_t)n, path, sizeof path);
}

/* Returns the reference of the task. */
static char *begin_make(int count, uint32_t who)
{
	char name[32];
	write_makefile(count, who);
	snprintf(name, sizeof name, "Makefile%u", who);
	return detached("--dir", host.directory, "--", "make", "-rf", name, "all");
}

static void begin_again(void)
{
	jobs->started = jobs->running = jobs->most = jobs->ended = jobs->gate = jobs->meet = 0;
	for (int i = 0; i < MAKERS; i++)
		jobs->of[i] = 0;
}

static void expect_success(char *ref)
{
	struct output_of o = ctl(&host, "wait", ref);
	if (o.code != 0)
		ck_abort_msg("%s", ctl(&host, "explain", ref).out);
	output_free(&o);
	free(ctl_expect(&host, 0, "drop", ref));
	free(ref);
}

#define UNTIL(condition)                                                                  \
	for (uint64_t late_ = deadline_after_ms(DEADLINE_MS); !(condition); look_again()) \
	ck_assert_msg(clock_ns() < late_,                                                 \
	    "never came to be: " #condition " (%u started, "                              \
	    "%u running, %u lent)",                                                       \
	    jobs->started, jobs->running, slots_lent())

/* The cpus kept for borrowers by living workers. */
static uint32_t slots_lent(void)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++)
		n += process_state(sh_load(&t->process[p].state)) == PROCESS_LIVE &&
		    lent_to(sh_load(&t->process[p].booked)) != 0;
	return n;
}

static uint32_t borrowers_that_want(void)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++)
		n += lent_wants(sh_load(&t->process[p].lent));
	return n;
}

/* The first process slot of a worker that lends or borrows. */
static const struct process *worker_that(bool borrows)
{
	const struct tables *t = plm_tables(client);
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes; p++)
		if (borrows ? lent_open(sh_load(&t->process[p].lent))
			    : lent_to(sh_load(&t->process[p].booked)) != 0)
			return &t->process[p];
	ck_abort_msg("there is no such worker");
}

/* The scheduler has asked for all lent cpus back, and the make still uses all of them. */
static bool all_are_asked_back(void)
{
	uint64_t lent = sh_load(&worker_that(true)->lent);
	return slots_lent() == SLOTS - 1 && lent_out(lent) == SLOTS - 1 && lent_limit(lent) == 0;
}

/* Starts a make that has all cpus, with a job on each cpu and more jobs to do. */
static char *make_with_all_slots(void)
{
	char *ref = begin_make(12, 0);
	UNTIL(jobs->running == SLOTS);
	ck_assert_uint_eq(slots_lent(), SLOTS - 1);
	return ref;
}

static void expect_all_slots_again(void)
{
	begin_again();
	jobs->meet = SLOTS;
	expect_success(begin_make(2 * SLOTS, 0));
	ck_assert_uint_eq(jobs->most, SLOTS);
	UNTIL(slots_lent() == 0);
}

/* ---- a make gets idle cpus ---- */

START_TEST(a_make_gets_the_idle_slots_and_leaves_none)
{
	jobserver_boot("4", "--jobserver=pipe");
	jobs->meet = SLOTS;
	expect_success(begin_make(2 * SLOTS, 0));
	ck_assert_uint_eq(jobs->most, SLOTS);
	UNTIL(slots_lent() == 0);
	end();
}
END_TEST

START_TEST(one_that_takes_tokens_by_a_path_gets_them_too)
{
	jobserver_boot("4", "--jobserver=fifo");
	jobs->meet = SLOTS;
	check_output(order("--", self, "fifo", "8"), 0, "", "");
	ck_assert_uint_eq(jobs->most, SLOTS);
	UNTIL(slots_lent() == 0);
	end();
}
END_TEST

START_TEST(cpus_that_a_task_asked_for_are_its_makes_without_a_loan)
{
	jobserver_boot("cpus=3 x1", "--jobserver=pipe");
	jobs->meet = 3;
	write_makefile(6, 0);
	check_output(order("--dir", host.directory, "--needs", "cpus=3", "--", "make", "-rf",
			 "Makefile0", "all"),
	    0, "", "");
	ck_assert_uint_eq(jobs->most, 3);
	end();
}
END_TEST

START_TEST(without_the_option_a_make_runs_one_job)
{
	jobserver_boot("4", NULL);
	jobs->gate = ALL;
	expect_success(begin_make(SLOTS, 0));
	ck_assert_uint_eq(jobs->most, 1);
	check_output(order("--shell", "echo ${MAKEFLAGS-none}"), 0, "none\n", NULL);
	end();
}
END_TEST

START_TEST(flags_of_the_submitter_stay_but_for_its_jobserver)
{
	jobserver_boot("2", "--jobserver=pipe");
	setenv("CARGO_MAKEFLAGS", "-j --jobserver-auth=9,10", 1);
	check_output(
	    order("--env", "MAKEFLAGS=ks -j8 --jobserver-auth=9,10 -- A=b", "--shell",
		"echo $MAKEFLAGS ${CARGO_MAKEFLAGS-none} | sed 's/auth=[0-9]*,[0-9]*/auth=R,W/'"),
	    0, "ks -j2 --jobserver-auth=R,W -- A=b none\n", NULL);
	check_output(order("--env", "PLM_JOBSERVER=fifo", "--shell",
			 "echo $MAKEFLAGS | grep -c "
			 "'^-j2 --jobserver-auth=fifo:/proc/[0-9]*/fd/[0-9]*$'"),
	    0, "1\n", NULL);
	check_output(order("--env", "PLM_JOBSERVER=none", "--shell", "echo ${MAKEFLAGS-none}"), 0,
	    "none\n", NULL);
	check_output(
	    program_run(&host, "plm", (const char *const[]){ "--jobserver=tcp", NULL }, NULL, 0),
	    64, "", "jobserver wants pipe, fifo or none");
	unsetenv("CARGO_MAKEFLAGS");
	end();
}
END_TEST

/* ---- a make and tasks share the cpus ---- */

START_TEST(what_runs_never_exceeds_the_slots)
{
	enum { PLAIN = 60, EACH = 40 };
	jobserver_boot("4", "--jobserver=pipe");
	char *plain[PLAIN], *made[2] = { NULL };
	jobs->gate = ALL;
	made[0] = begin_make(EACH, 0);
	for (int i = 0; i < PLAIN; i++) {
		plain[i] = detached("--", self, "job", "2");
		if (i == PLAIN / 2)
			made[1] = begin_make(EACH, 1);
	}
	for (int i = 0; i < PLAIN; i++)
		expect_success(plain[i]);
	expect_success(made[0]);
	expect_success(made[1]);
	ck_assert_uint_eq(jobs->ended, PLAIN + 2 * EACH);
	ck_assert_uint_le(jobs->most, SLOTS);
	UNTIL(slots_lent() == 0);
	end();
}
END_TEST

START_TEST(a_task_that_waits_gets_the_first_slot_that_comes_back)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *made = make_with_all_slots(), *plain = detached("--", self, "job", "2");
	UNTIL(all_are_asked_back());
	ck_assert_uint_eq(jobs->of[2], 0);
	jobs->gate = 1;
	UNTIL(jobs->started == SLOTS + 1);
	ck_assert_uint_eq(jobs->of[2], 1); /* the plain task got the free cpu, the make got none */
	jobs->gate = ALL;
	expect_success(plain);
	expect_success(made);
	ck_assert_uint_eq(jobs->most, SLOTS);
	end();
}
END_TEST

START_TEST(makes_share_alike)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *first = make_with_all_slots(), *second = begin_make(12, 1);
	UNTIL(all_are_asked_back());
	jobs->gate = 1; /* one cpu becomes free: for the task of the second make */
	UNTIL(jobs->of[1] == 1 && borrowers_that_want() == 2);
	jobs->gate = 2; /* now the first make has two borrowed cpus, the second none */
	UNTIL(jobs->of[1] == 2);
	ck_assert_uint_eq(jobs->of[0], SLOTS);
	jobs->gate = ALL;
	expect_success(first);
	expect_success(second);
	ck_assert_uint_eq(jobs->most, SLOTS);
	end();
}
END_TEST

START_TEST(a_slot_that_becomes_idle_is_lent_to_one_that_wants_it)
{
	jobserver_boot("2", "--jobserver=pipe");
	char *plain = detached("--", self, "job", "2"), *made;
	UNTIL(jobs->of[2] == 1);
	made = begin_make(4, 0);
	UNTIL(jobs->of[0] == 1 && lent_wants(sh_load(&worker_that(true)->lent)));
	jobs->gate = 1; /* the plain task ends, and no other event wakes the scheduler */
	UNTIL(jobs->of[0] == 2);
	jobs->gate = ALL;
	expect_success(plain);
	expect_success(made);
	end();
}
END_TEST

START_TEST(a_command_that_is_no_make_keeps_no_slot_from_a_task)
{
	jobserver_boot("2", "--jobserver=pipe");
	char *sleeper = detached("--", "sleep", "1000");
	UNTIL(slots_lent() == 1);
	free(ctl_expect(&host, 0, "call", "probe.echo", "x"));
	free(ctl_expect(&host, 0, "call", "--needs", "cpus=1", "probe.echo", "x"));
	free(ctl_expect(&host, 0, "cancel", sleeper));
	free(ctl_expect(&host, 1, "wait", sleeper));
	free(ctl_expect(&host, 0, "drop", sleeper));
	free(sleeper);
	UNTIL(slots_lent() == 0);
	end();
}
END_TEST

/* ---- deaths ---- */

START_TEST(tokens_of_a_killed_make_are_there_again)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *ref = make_with_all_slots();
	ck_assert_int_eq(kill(jobs->parent[0], SIGKILL), 0);
	free(ctl_expect(&host, 1, "wait", ref));
	free(ctl_expect(&host, 0, "drop", ref));
	free(ref);
	expect_all_slots_again();
	end();
}
END_TEST

START_TEST(tokens_of_a_killed_worker_are_there_again)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *ref = make_with_all_slots();
	ck_assert_int_eq(kill(worker_that(true)->pid, SIGKILL), 0);
	free(ctl_expect(&host, 1, "wait", ref));
	free(ctl_expect(&host, 0, "drop", ref));
	free(ref);
	expect_all_slots_again();
	end();
}
END_TEST

/* All cpus are in use, so the plain task may begin only when a job has ended. */
static void expect_that_all_are_lent_still(char *made, char *plain)
{
	UNTIL(all_are_asked_back());
	ck_assert_uint_eq(jobs->of[2], 0);
	jobs->gate = 1;
	UNTIL(jobs->of[2] == 1);
	jobs->gate = ALL;
	expect_success(plain);
	expect_success(made);
	ck_assert_uint_eq(jobs->most, SLOTS);
}

START_TEST(a_lent_slot_that_is_killed_is_made_good_by_the_next_one)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *made = make_with_all_slots(), *plain = detached("--", self, "job", "2");
	UNTIL(all_are_asked_back());
	const struct process *lent = worker_that(false);
	pid_t pid = lent->pid;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(wait_for_death(pid));
	expect_that_all_are_lent_still(made, plain);
	end();
}
END_TEST

START_TEST(a_new_scheduler_finds_what_is_lent)
{
	jobserver_boot("4", "--jobserver=pipe");
	char *made = make_with_all_slots(), *plain = detached("--", self, "job", "2");
	UNTIL(all_are_asked_back());
	const struct process *scheduler = &plm_tables(client)->process[SLOT_SCHEDULER];
	pid_t pid = scheduler->pid;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(wait_for_death(pid));
	expect_that_all_are_lent_still(made, plain);
	expect_all_slots_again();
	end();
}
END_TEST

START_TEST(a_new_manager_goes_on_with_what_is_lent)
{
	prepare();
	runtime_boot_loose(&host, "--workers", "4", "--jobserver=pipe", );
	host_join();
	char *made = make_with_all_slots(), *plain = detached("--", self, "job", "2");
	UNTIL(all_are_asked_back());
	runtime_kill(&host);
	runtime_reboot_with(&host, (const char *const[]){ NULL });
	expect_that_all_are_lent_still(made, plain);
	expect_all_slots_again();
	end();
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "job") == 0)
		return job(shared_jobs(), (uint32_t)atoi(argv[2]) % MAKERS);
	if (argc == 3 && strcmp(argv[1], "fifo") == 0)
		return small_make(shared_jobs(), atoi(argv[2]));
	Suite *suite = suite_create("jobserver");
	TCase *tcase = tcase_create("loans"), *deaths = tcase_create("deaths");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, a_make_gets_the_idle_slots_and_leaves_none);
	tcase_add_test(tcase, one_that_takes_tokens_by_a_path_gets_them_too);
	tcase_add_test(tcase, cpus_that_a_task_asked_for_are_its_makes_without_a_loan);
	tcase_add_test(tcase, without_the_option_a_make_runs_one_job);
	tcase_add_test(tcase, flags_of_the_submitter_stay_but_for_its_jobserver);
	tcase_add_test(tcase, what_runs_never_exceeds_the_slots);
	tcase_add_test(tcase, a_task_that_waits_gets_the_first_slot_that_comes_back);
	tcase_add_test(tcase, makes_share_alike);
	tcase_add_test(tcase, a_slot_that_becomes_idle_is_lent_to_one_that_wants_it);
	tcase_add_test(tcase, a_command_that_is_no_make_keeps_no_slot_from_a_task);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(deaths, TEST_TIMEOUT_S);
	tcase_add_test(deaths, tokens_of_a_killed_make_are_there_again);
	tcase_add_test(deaths, tokens_of_a_killed_worker_are_there_again);
	tcase_add_test(deaths, a_lent_slot_that_is_killed_is_made_good_by_the_next_one);
	tcase_add_test(deaths, a_new_scheduler_finds_what_is_lent);
	tcase_add_test(deaths, a_new_manager_goes_on_with_what_is_lent);
	suite_add_tcase(suite, deaths);
	return run_suite(suite);
}
