/* test_scribbler.c - a process writes random bytes into the segments of a working runtime.
 *
 * Members may die, which the manager logs and repairs; calls may fail, each in time; no client dies
 * and no process hangs; plmctl stop --now, or a signal, ends the runtime, and nothing is left.
 * PLM_SCRIBBLE_SECONDS (3) is the duration, with a new runtime each ROUND_S; PLM_SCRIBBLE_SEED
 * repeats the bytes, but not the moments at which they are written. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum {
	SCRIBBLE_SECONDS = 3,
	ROUND_S = 3,
	TEST_TIMEOUT_S = 200,
	PATH_BYTES = 256,
	CLIENTS = 2,
	CALL_MS = 500, /* the timeout of each call ... */
	CALL_LATE_MS =
	    40000, /* ... and a time no call may reach, even with a few locks without a holder */
	PACE_NS = 200000,
	HEAD_BYTES = 64 << 10, /* header, control page, process table */
	PAUSE_MS = 20,
};

static struct score { /* shared with clients and scribbler */
	_Atomic bool stop;
	_Atomic uint64_t words;
	_Atomic uint64_t good[CLIENTS], failed[CLIENTS];
	_Atomic uint64_t began_ns[CLIENTS]; /* when the current call began, 0: no call */
} * score;

static void pause_ns(long ns)
{
	struct timespec time = { .tv_nsec = ns };
	nanosleep(&time, NULL);
}

/* ---- the scribbler ---- */

struct target {
	char *data;
	size_t bytes;
};

static struct target target_open(const char *what)
{
	char path[PATH_BYTES];
	struct stat st;
	runtime_segment(&host, what, path, sizeof path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert(fd >= 0 && fstat(fd, &st) == 0);
	struct target ret = { .bytes = (size_t)st.st_size };
	ret.data = mmap(NULL, ret.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(ret.data, MAP_FAILED);
	close(fd);
	return ret;
}

static void scribble_once(const struct target *target, uint64_t *random)
{
	size_t range = random_next(random) % 2 ? HEAD_BYTES : target->bytes;
	size_t at = random_next(random) % (range / 8) * 8;
	uint64_t wild = random_next(random), word;
	memcpy(&word, target->data + at, sizeof word);
	switch (random_next(random) % 4) {
	case 0: word ^= (uint64_t)1 << wild % 64; break;
	case 1: word = wild; break;
	case 2: word = wild % 64; break;
	default: word ^= (uint64_t)1 << wild % 32; break;
	}
	memcpy(target->data + at, &word, sizeof word);
}

_Noreturn static void scribble(const struct target *target, uint64_t random)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!atomic_load(&score->stop)) {
		scribble_once(target, &random);
		atomic_fetch_add(&score->words, 1);
		pause_ns(PACE_NS); /* the pace of the scribbler */
	}
	_exit(0);
}

/* ---- the clients ---- */

static void note(int number, int r)
{
	atomic_fetch_add(r == 0 ? &score->good[number] : &score->failed[number], 1);
	atomic_store(&score->began_ns[number], 0);
}

static void begin_call(int number)
{
	atomic_store(&score->began_ns[number], clock_ns());
}

static int run_task(plm *handle)
{
	plm_ref ref;
	plm_view view;
	plm_task task = { .function = "probe.echo",
		.args = &PLM_BYTES("alive", 5),
		.nargs = 1,
		.crash_retries = 3 };
	int r = plm_submit(handle, &task, &ref);
	if (r < 0)
		return r;
	r = plm_get(handle, ref, &view, CALL_MS);
	if (r == 0)
		plm_release(handle, &view);
	plm_drop(handle, ref);
	return r;
}

static int pass_object(plm *handle)
{
	static char data[20000];
	plm_ref ref;
	plm_view view;
	int r = plm_put(handle, data, sizeof data, &ref);
	if (r < 0)
		return r;
	r = plm_get(handle, ref, &view, CALL_MS);
	if (r == 0)
		plm_release(handle, &view);
	plm_drop(handle, ref);
	return r;
}

static int look(plm *handle)
{
	plm_status status;
	return plm_status_get(handle, &status);
}

/* One connection after another, each for a few calls. */
_Noreturn static void work(int number)
{
	static int (*const calls[])(plm * handle) = { run_task, pass_object, look };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!atomic_load(&score->stop)) {
		plm *handle = NULL;
		begin_call(number);
		int r = plm_connect(&handle, host.name);
		note(number, r);
		for (size_t i = 0; r == 0 && i < 30 && !atomic_load(&score->stop); i++) {
			begin_call(number);
			note(number, calls[i % COUNT_OF(calls)](handle));
		}
		if (r < 0)
			pause_ns(PAUSE_MS * NS_PER_MS); /* do not connect in a busy loop */
		begin_call(number);
		plm_disconnect(&handle);
		note(number, 0);
	}
	_exit(0);
}

/* ---- the judgement ---- */

static void expect_in_time(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		uint64_t began = atomic_load(&score->began_ns[i]), now = clock_ns();
		bool late = began && now > began && now - began > CALL_LATE_MS * NS_PER_MS;
		ck_assert_msg(
		    !late, "a call of client %d has not returned in %d ms", i, CALL_LATE_MS);
	}
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

static void expect_good_end(pid_t pid, const char *who)
{
	int status;
	while (!has_ended(pid)) {
		expect_in_time();
		pause_ns(PAUSE_MS * NS_PER_MS);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (status != 0)
		runtime_print_log(&host);
	ck_assert_msg(status == 0, "%s ended with wait status %#x", who, (unsigned)status);
}

/* The first signal stops the runtime, the second ends it at once. Pause between signals, since two
 * pending signals would count as one. */
static void end_runtime(void)
{
	uint64_t deadline = deadline_after_ms(CALL_LATE_MS);
	struct output_of o = ctl(&host, "stop", "--now");
	ck_assert_msg(o.signal == 0, "plmctl stop --now died of signal %d", o.signal);
	bool asked = o.code == 0;
	output_free(&o);
	while (!has_ended(host.pid)) {
		ck_assert_msg(clock_ns() < deadline, "plm does not end");
		if (!asked)
			kill(host.pid, SIGTERM);
		pause_ns(PAUSE_MS * NS_PER_MS);
	}
	expect_good_end(host.pid, "plm");
	host.pid = 0;
}

/* Processes that outlive the manager become children of this process. */
static void expect_nothing_left(void)
{
	static const char *const whats[] = { "control", "store", "files" };
	char path[PATH_BYTES];
	siginfo_t info = { 0 };
	int r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	ck_assert_msg(
	    r < 0 && errno == ECHILD, "a process of the runtime is left: pid %d", (int)info.si_pid);
	for (size_t i = 0; i < COUNT_OF(whats); i++) {
		runtime_segment(&host, whats[i], path, sizeof path);
		ck_assert_msg(access(path, F_OK) != 0, "plm left %s", path);
	}
}

static void scribble_a_round(uint64_t seed, const char *segment, uint64_t end_ns)
{
	pid_t child[CLIENTS];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	runtime_boot_loose(&host, "--workers", "2", "--tasks", "256", "--store", "4M", );
	struct target target = target_open(segment);
	memset(score, 0, sizeof *score);
	for (int i = 0; i < CLIENTS; i++)
		if ((child[i] = fork()) == 0)
			work(i);
	pid_t scribbler = fork();
	if (scribbler == 0)
		scribble(&target, seed);
	munmap(target.data, target.bytes);
	while (clock_ns() < end_ns && !has_ended(host.pid)) {
		expect_in_time();
		pause_ns(PAUSE_MS * NS_PER_MS);
	}
	ck_assert_msg(!has_ended(host.pid), "the manager has ended");
	end_runtime();
	atomic_store(&score->stop, true);
	for (int i = 0; i < CLIENTS; i++)
		expect_good_end(child[i], "a client");
	expect_good_end(scribbler, "the scribbler");
	expect_nothing_left();
	runtime_end(&host);
}

/* _i: the number of the segment. */
START_TEST(wild_bytes_in_a_living_runtime_give_errors_and_nobody_hangs)
{
	static const char *const segments[] = { "control", "store" };
	uint64_t seed = number_from("PLM_SCRIBBLE_SEED", clock_ns() | 1), random = seed;
	uint64_t end =
	    clock_ns() + number_from("PLM_SCRIBBLE_SECONDS", SCRIBBLE_SECONDS) * NS_PER_S;
	uint64_t good = 0, failed = 0, words = 0, rounds = 0;
	score = shared_memory(sizeof *score);
	do {
		uint64_t stop = clock_ns() + ROUND_S * NS_PER_S;
		printf("scribbler: PLM_SCRIBBLE_SEED=%llu\n", (unsigned long long)random);
		scribble_a_round(random, segments[_i], stop < end ? stop : end);
		for (int i = 0; i < CLIENTS; i++) {
			good += atomic_load(&score->good[i]);
			failed += atomic_load(&score->failed[i]);
		}
		words += atomic_load(&score->words);
		random_next(&random);
		rounds++;
	} while (clock_ns() < end);
	printf("scribbler: %s: %llu rounds, %llu wild words, %llu calls went well, %llu failed\n",
	    segments[_i], (unsigned long long)rounds, (unsigned long long)words,
	    (unsigned long long)good, (unsigned long long)failed);
	ck_assert_uint_gt(words, 0);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("scribbler");
	TCase *tcase = tcase_create("scribbler");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S + (double)number_from("PLM_SCRIBBLE_SECONDS", 0));
	tcase_add_loop_test(
	    tcase, wild_bytes_in_a_living_runtime_give_errors_and_nobody_hangs, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
