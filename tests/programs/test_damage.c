/* test_damage.c - plm boots over the damaged segments of a dead runtime.
 *
 * Whatever the bytes are: plm becomes ready, or ends with a message; plm answers or refuses each
 * request; plm can be stopped, and leaves no process and no file. PLM_DAMAGE_SECONDS (4) is the
 * duration, PLM_DAMAGE_SEED repeats a run's damage. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"
#include "tests/support/segment_copy.h"

enum {
	DAMAGE_SECONDS = 4,
	TEST_TIMEOUT_S = 120,
	PATH_BYTES = 256,
	LINE_BYTES = 256,
	WORDS_MAX = 40,
	HEAD_BYTES =
	    64 << 10, /* header, control page, process table: the other tables depend on these */
	SIGNAL_PAUSE_MS = 20,
	BOOT_MS = 60000, /* enough for a wait for a lock without a living holder */
};

struct copy { /* a copy of a segment of the dead runtime */
	char path[PATH_BYTES];
	unsigned char *data;
	size_t bytes;
};

static struct copy control, store;

/* ---- the dead runtime ---- */

static void copy_take(struct copy *copy, const char *what)
{
	runtime_segment(&host, what, copy->path, sizeof copy->path);
	copy->data = segment_copy(&host, what, &copy->bytes);
}

static char *copy_put(const struct copy *copy)
{
	int fd = open(copy->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert(fd >= 0 && ftruncate(fd, (off_t)copy->bytes) == 0);
	char *data = mmap(NULL, copy->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(data, MAP_FAILED);
	memcpy(data, copy->data, copy->bytes);
	close(fd);
	return data;
}

static void kill_all(plm *handle)
{
	const struct tables *t = plm_tables(handle);
	kill(host.pid, SIGSTOP); /* a living manager would replace dead members between two kills */
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (!process_present(word) || process_kind(word) == KIND_CLIENT)
			continue;
		kill(t->process[i].pid, SIGKILL);
		ck_assert(wait_for_death(t->process[i].pid));
	}
	runtime_kill(&host);
}

/* Values, a running task, tasks that wait for the running task, and queued tasks. */
static void begin_work(plm *handle)
{
	static char large[20000];
	plm_ref ref, object;
	ck_assert_int_eq(plm_put(handle, large, sizeof large, &object), 0);
	ck_assert_int_eq(plm_keep(handle, object), 0);
	plm_task task = { .function = "probe.sleep",
		.args = &PLM_BYTES("600000", 6),
		.nargs = 1,
		.crash_retries = 9,
		.flags = PLM_KEEP };
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(plm_submit(handle, &task, &ref), 0);
	plm_task next = {
		.function = "probe.echo", .args = &PLM_FUTURE(ref), .nargs = 1, .flags = PLM_KEEP
	};
	ck_assert_int_eq(plm_submit(handle, &next, &ref), 0);
	plm_task echo = {
		.function = "probe.echo", .args = &PLM_FUTURE(object), .nargs = 1, .flags = PLM_KEEP
	};
	ck_assert_int_eq(plm_submit(handle, &echo, &ref), 0);
}

static void boot_and_die(void)
{
	plm *handle = NULL;
	runtime_boot_loose(&host, "--workers", "2", "--tasks", "64", "--store", "1M", );
	ck_assert_int_eq(plm_connect(&handle, host.name), 0);
	begin_work(handle);
	program_until(&host, "running", (const char *const[]){ "tasks", NULL });
	kill_all(handle);
	plm_disconnect(&handle);
	copy_take(&control, "control");
	copy_take(&store, "store");
}

/* ---- damage ---- */

static void damage(char *data, size_t bytes, uint64_t *random)
{
	uint64_t n = random_next(random) % WORDS_MAX + 1;
	size_t range = bytes > HEAD_BYTES && random_next(random) % 2 ? HEAD_BYTES : bytes;
	for (uint64_t i = 0; i < n; i++) {
		size_t at = random_next(random) % (range / 4 - 1) * 4;
		uint64_t wild = random_next(random), kind = random_next(random) % 5;
		uint32_t small = (uint32_t)(wild % 16);
		if (kind == 0)
			memcpy(data + at, &wild, sizeof wild);
		else if (kind == 1)
			memset(data + at, 0xff, sizeof wild);
		else if (kind == 2)
			memset(data + at, 0, sizeof wild);
		else if (kind == 3)
			data[at] ^= (char)(1 << wild % 8);
		else
			memcpy(data + at, &small, sizeof small);
	}
}

/* ---- a boot, requests, the end ---- */

/* The first line of plm, "" if plm ended without a line. */
static void first_line(int fd, char *line, size_t size)
{
	uint64_t deadline = deadline_after_ms(BOOT_MS);
	size_t n = 0;
	line[0] = 0;
	while (n < size - 1 && (n == 0 || line[n - 1] != '\n')) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		bool late = clock_ns() >= deadline || poll(&readable, 1, BOOT_MS) != 1;
		if (late)
			runtime_print_log(&host);
		ck_assert_msg(!late, "plm neither comes up nor ends");
		if (read(fd, line + n, 1) != 1)
			break;
		line[++n] = 0;
	}
}

static pid_t start(const char *option, int *ret_out)
{
	char log[PATH_BYTES], path[PATH_BYTES];
	const char *where = getenv("PLM_BIN");
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	scratch_path(&host, "plm.log", log, sizeof log);
	snprintf(path, sizeof path, "%s/plm", where && where[0] ? where : ".");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		execl(path, path, "--name", host.name, "--tied", "--workers", "2", "--tasks", "64",
		    "--store", "1M", option, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*ret_out = ends[0];
	return pid;
}

static int end_of(pid_t pid, const char *when)
{
	int status = 0;
	bool ended = wait_for_death(pid);
	if (!ended)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ck_assert_msg(ended, "plm does not end %s", when);
	ck_assert_msg(WIFEXITED(status), "plm was ended by signal %d %s", WTERMSIG(status), when);
	return WEXITSTATUS(status);
}

/* Each plmctl answers, or refuses with a message: it ends by an exit code, not by a signal.
 * program_run() checks the time. */
static void ask(void)
{
	static const char *const questions[][4] = {
		{ "status" },
		{ "tasks" },
		{ "workers" },
		{ "objects" },
		{ "call", "--detach", "probe.noop" },
	};
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		const char *words[5] = { NULL };
		memcpy(words, questions[i], sizeof questions[i]);
		struct output_of o = program_run(&host, "plmctl", words, NULL, 0);
		ck_assert_msg(o.signal == 0, "plmctl %s: signal %d: %s", words[0], o.signal, o.err);
		output_free(&o);
	}
}

static void expect_nothing_in_shm(void)
{
	static const char *const whats[] = { "control", "store", "events", "files" };
	char path[PATH_BYTES];
	for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++) {
		runtime_segment(&host, whats[i], path, sizeof path);
		ck_assert_msg(access(path, F_OK) != 0, "plm left %s", path);
		strcat(path, ".aside");
		unlink(path); /* plm set the segment aside, and told the user to remove the file */
	}
}

/* A member that cannot continue logs the reason and exits; no member crashes. */
static void expect_no_crash(void)
{
	static const char *const crashes[] = { "bug:", "signal 4 ", "signal 6 ", "signal 7 ",
		"signal 8 ", "signal 11 " };
	char path[PATH_BYTES], line[4 * LINE_BYTES];
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *log = fopen(path, "r");
	while (log && fgets(line, sizeof line, log))
		for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
			ck_assert_msg(!strstr(line, crashes[i]), "%s", line);
	if (log)
		fclose(log);
}

/* Stops the runtime by plmctl, or by signals if the damaged process table has no room for a client.
 * The first signal lets accepted tasks run, the second ends the runtime. */
static void stop_now(pid_t pid)
{
	static const struct timespec pause = { .tv_nsec = SIGNAL_PAUSE_MS * NS_PER_MS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	struct output_of o = ctl(&host, "stop", "--now");
	int code = o.code;
	output_free(&o);
	while (code != 0 && clock_ns() < deadline &&
	    waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    process_start_time(pid)) {
		kill(pid, SIGTERM);
		nanosleep(&pause, NULL);
	}
}

/* True: the runtime became ready, answered requests, and stopped. */
static bool boot_over(const char *option)
{
	char line[LINE_BYTES];
	int out;
	pid_t pid = start(option, &out);
	first_line(out, line, sizeof line);
	bool ready = strncmp(line, "plm: ready ", 11) == 0;
	if (ready) {
		ask();
		stop_now(pid);
	}
	close(out);
	int code = end_of(pid, ready ? "when it is stopped" : "though it did not come up");
	ck_assert_msg(!ready || code == 0, "plm ended with %d when it was stopped", code);
	expect_no_crash();
	return ready;
}

START_TEST(a_boot_over_damaged_segments_goes_on_or_says_why_not)
{
	uint64_t seed = number_from("PLM_DAMAGE_SEED", clock_ns() | 1), random = seed;
	uint64_t end = clock_ns() + number_from("PLM_DAMAGE_SECONDS", DAMAGE_SECONDS) * NS_PER_S;
	unsigned boots = 0, ready = 0;
	boot_and_die();
	do {
		printf("damage: PLM_DAMAGE_SEED=%llu\n", (unsigned long long)random);
		fflush(stdout);
		char *data = copy_put(&control), *values = copy_put(&store);
		damage(data, control.bytes, &random);
		if (random_next(&random) % 4 == 0)
			damage(values, store.bytes / 8, &random);
		munmap(data, control.bytes);
		munmap(values, store.bytes);
		bool up = boot_over(NULL);
		ready += up;
		ck_assert_msg(up || boot_over("--fresh"), "nor does plm --fresh come up");
		expect_nothing_in_shm();
		boots++;
	} while (clock_ns() < end);
	printf("damage: PLM_DAMAGE_SEED=%llu, %u boots, %u came up\n", (unsigned long long)seed,
	    boots, ready);
	ck_assert_uint_gt(ready, 0);
	runtime_end(&host);
}
END_TEST

/* ---- damage that once broke a boot ---- */

static struct control *put_page(void)
{
	munmap(copy_put(&store), store.bytes);
	return (struct control *)(void *)(copy_put(&control) + SEGMENT_HEADER_BYTES);
}

static void expect_aside(void)
{
	char path[PATH_BYTES + 8];
	snprintf(path, sizeof path, "%s.aside", control.path);
	ck_assert_msg(access(path, F_OK) == 0, "%s was not set aside", control.path);
}

START_TEST(what_wants_more_workers_than_it_has_room_for_is_set_aside)
{
	boot_and_die();
	put_page()->kind[0].cpus = 30;
	ck_assert(boot_over(NULL));
	expect_aside();
	put_page()->kinds = UINT32_MAX;
	ck_assert(boot_over(NULL));
	expect_aside();
	expect_nothing_in_shm();
	runtime_end(&host);
}
END_TEST

START_TEST(what_its_processes_cannot_work_with_is_set_aside)
{
	boot_and_die();
	struct lock_shm *lock = &put_page()->graph_lock;
	memset(&lock->mutex, 0xff, sizeof lock->mutex);
	ck_assert_msg(!boot_over(NULL), "it came up with a lock that is none");
	expect_aside();
	expect_nothing_in_shm();
	ck_assert(boot_over(NULL));
	runtime_end(&host);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("damage");
	TCase *tcase = tcase_create("damage");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S + (double)number_from("PLM_DAMAGE_SECONDS", 0));
	tcase_add_test(tcase, a_boot_over_damaged_segments_goes_on_or_says_why_not);
	tcase_add_test(tcase, what_wants_more_workers_than_it_has_room_for_is_set_aside);
	tcase_add_test(tcase, what_its_processes_cannot_work_with_is_set_aside);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
