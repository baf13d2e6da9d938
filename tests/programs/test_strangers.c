/* test_strangers.c - other users are kept out: at the door, from segments and processes, from names
 * before plm makes them; and plm refuses to run where other users could come in. Tests that must
 * act as another user need root, and otherwise print that they are skipped. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	NOBODY = 65534,
	SOMEBODY = 65533, /* a user who boots plm where names are taken */
	PATH_BYTES = 512,
};

/* ---- as another user ---- */

static bool is_root(const char *test)
{
	if (geteuid() != 0)
		printf("left out, only root can become somebody else: %s\n", test);
	return geteuid() == 0;
}

static void become_user(uid_t uid)
{
	if (setgid(uid) < 0 || setuid(uid) < 0)
		_exit(1);
}

static void become_nobody(void)
{
	become_user(NOBODY);
}

static void expect_of_child(void (*act)(void), const char *what)
{
	int status;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		act();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "%s: wait status %#x", what, (unsigned)status);
}

/* Opens the directories and the socket to all users, so that only the check of the peer's user id
 * is left. */
static struct sockaddr_un open_the_way(void)
{
	struct sockaddr_un address;
	char directory[PATH_BYTES];
	ck_assert_int_eq(door_address(host.name, &address), 0);
	scratch_path(&host, "plm", directory, sizeof directory);
	ck_assert_int_eq(chmod(host.directory, 0755), 0);
	ck_assert_int_eq(chmod(directory, 0755), 0);
	ck_assert_int_eq(chmod(address.sun_path, 0777), 0);
	return address;
}

static struct sockaddr_un door;

static void knock_as_nobody(void)
{
	struct door_request hello = {
		.magic = DOOR_MAGIC, .version = DOOR_VERSION, .kind = DOOR_HELLO
	};
	struct door_reply reply;
	become_nobody();
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (connect(fd, (const struct sockaddr *)&door, sizeof door) < 0)
		_exit(2);
	(void)!send(fd, &hello, sizeof hello, MSG_NOSIGNAL);
	/* The manager closes the connection, without an answer and without a descriptor. */
	if (recv(fd, &reply, sizeof reply, 0) > 0)
		_exit(3);
}

static void connect_as_nobody(void)
{
	plm *handle;
	become_nobody();
	if (plm_connect(&handle, host.name) != -EPERM || !strstr(plm_why(), "belongs to user"))
		_exit(2);
}

/* Tries as NOBODY to open, truncate, remove, rename and change the segments. */
static void take_segments_as_nobody(void)
{
	char paths[2][PATH_BYTES];
	/* The path contains our user id, so make it before the change of the user. */
	runtime_segment(&host, "control", paths[0], sizeof paths[0]);
	runtime_segment(&host, "store", paths[1], sizeof paths[1]);
	become_nobody();
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		const char *path = paths[i];
		if (open(path, O_RDONLY) >= 0 || errno != EACCES)
			_exit(2);
		if (open(path, O_RDWR) >= 0 || errno != EACCES || truncate(path, 0) == 0)
			_exit(3);
		if (unlink(path) == 0 || rename(path, "/dev/shm/plm-taken") == 0)
			_exit(4);
		if (chmod(path, 0666) == 0 || chown(path, NOBODY, NOBODY) == 0)
			_exit(5);
	}
}

START_TEST(another_user_is_kept_out_of_door_and_segments)
{
	if (!is_root(__func__))
		return;
	expect_of_child(take_segments_as_nobody, "taking segments as nobody");
	struct sockaddr_un address = open_the_way();
	door = address;
	expect_of_child(knock_as_nobody, "knocking as nobody");
	expect_of_child(connect_as_nobody, "plm_connect as nobody");
	char directory[PATH_BYTES];
	scratch_path(&host, "plm", directory, sizeof directory);
	chmod(directory, 0700);
	host_expect_work();
}
END_TEST

/* A segment with a second name would survive its removal. The kernel refuses such a link by another
 * user (protected_hardlinks); otherwise plm refuses the segment. */
START_TEST(a_segment_with_a_second_name_is_refused)
{
	char path[PATH_BYTES], second[PATH_BYTES + 8];
	runtime_segment(&host, "control", path, sizeof path);
	snprintf(second, sizeof second, "%s.link", path);
	ck_assert_int_eq(link(path, second), 0);
	runtime_kill(&host);
	runtime_reboot(
	    &host, "--workers", "2", ); /* sets the segment aside and makes a new runtime */
	unlink(second);
	snprintf(second, sizeof second, "%s.aside", path);
	ck_assert_msg(unlink(second) == 0, "it was gone on with");
	static const char *const others[] = { "store", "events" };
	for (int i = 0; i < 2; i++) {
		runtime_segment(&host, others[i], path, sizeof path);
		snprintf(second, sizeof second, "%s.aside", path);
		ck_assert_msg(unlink(second) == 0, "%s is not set aside", others[i]);
	}
	host_expect_work();
}
END_TEST

/* ---- processes ---- */

static pid_t members[3];

static void harm_members_as_nobody(void)
{
	char path[PATH_BYTES];
	become_nobody();
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (kill(members[i], SIGKILL) == 0 || errno != EPERM || kill(members[i], 0) == 0)
			_exit(2);
		if (ptrace(PTRACE_SEIZE, members[i], NULL, NULL) == 0 || errno != EPERM)
			_exit(3);
		snprintf(path, sizeof path, "/proc/%d/mem", (int)members[i]);
		if (open(path, O_RDWR) >= 0 || open(path, O_RDONLY) >= 0)
			_exit(4);
		snprintf(path, sizeof path, "/proc/%d/fd/3", (int)members[i]);
		if (open(path, O_RDONLY) >= 0)
			_exit(5);
	}
}

START_TEST(another_user_cannot_signal_or_trace_a_process_of_it)
{
	if (!is_root(__func__))
		return;
	plm_status s;
	plm *handle = host_connect();
	uint64_t random = RANDOM_SEED;
	ck_assert_int_eq(plm_status_get(handle, &s), 0);
	const struct process *worker = pick_member(handle, KIND_WORKER, &random);
	ck_assert_ptr_nonnull(worker);
	members[0] = s.manager_pid;
	members[1] = s.scheduler_pid;
	members[2] = worker->pid;
	expect_of_child(harm_members_as_nobody, "harming members as nobody");
	expect_alive(handle, 0);
	plm_disconnect(&handle);
}
END_TEST

/* ---- names that are taken already ---- */

static char squatted[PATH_BYTES], precious[PATH_BYTES], home[PATH_BYTES];

static void squat_with_a_file(void)
{
	become_nobody();
	umask(0);
	if (open(squatted, O_RDWR | O_CREAT | O_EXCL, 0666) < 0)
		_exit(2);
}

static void squat_with_a_link(void)
{
	become_nobody();
	if (symlink(precious, squatted) < 0)
		_exit(2);
}

static void squat_with_a_directory(void)
{
	become_nobody();
	if (mkdir(squatted, 0777) < 0)
		_exit(2);
}

/* Runs plm as SOMEBODY: plm must end with a message. */
static void boot_as_somebody(void)
{
	char path[PATH_BYTES];
	const char *where = getenv("PLM_BIN");
	int log = open(precious, O_WRONLY | O_APPEND);
	snprintf(path, sizeof path, "%s/plm", where && where[0] ? where : ".");
	become_user(SOMEBODY);
	if (home[0])
		setenv("XDG_RUNTIME_DIR", home, 1);
	else
		unsetenv("XDG_RUNTIME_DIR");
	dup2(log, STDERR_FILENO);
	dup2(log, STDOUT_FILENO);
	execl(path, path, "--name", host.name, "--workers", "1", "--tied", (char *)NULL);
	_exit(99);
}

/* Returns the message of plm. */
static char *boot_refused(void)
{
	static char said[4096];
	int status;
	pid_t pid = fork();
	if (pid == 0)
		boot_as_somebody();
	bool ended = wait_for_death(pid);
	if (!ended)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	int fd = open(precious, O_RDONLY);
	ssize_t n = read(fd, said, sizeof said - 1);
	said[n < 0 ? 0 : n] = 0;
	close(fd);
	ck_assert_msg(ended, "plm goes on where names are another's: %s", said);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 99,
	    "wait status %#x: %s", (unsigned)status, said);
	return said;
}

/* All copies of this test use the same /tmp/plm-UID, so a copy waits until other copies have ended.
 */
static void alone_with_tmp(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
}

/* Makes a home and a file for SOMEBODY, in a directory that all users may enter. */
static void prepare_somebody(void)
{
	snprintf(precious, sizeof precious, "%s/precious", host.directory);
	snprintf(home, sizeof home, "%s/home", host.directory);
	ck_assert_int_eq(chmod(host.directory, 0755), 0);
	ck_assert(mkdir(home, 0700) == 0 && chown(home, SOMEBODY, SOMEBODY) == 0);
	int fd = open(precious, O_RDWR | O_CREAT, 0600);
	ck_assert(fd >= 0 && fchown(fd, SOMEBODY, SOMEBODY) == 0);
	close(fd);
}

static bool others_reach_the_programs(void)
{
	char path[PATH_BYTES];
	const char *where = getenv("PLM_BIN");
	snprintf(path, sizeof path, "%s/plm", where && where[0] ? where : ".");
	pid_t pid = fork();
	if (pid == 0) {
		become_user(SOMEBODY);
		_exit(access(path, X_OK) == 0 ? 0 : 1);
	}
	return exit_of(pid) == 0;
}

START_TEST(names_that_another_user_took_first_are_refused_with_a_word)
{
	static const struct {
		void (*squat)(void);
		const char *what;
	} ways[] = {
		{ squat_with_a_file, "control" },
		{ squat_with_a_file, "store" },
		{ squat_with_a_link, "control" },
		{ squat_with_a_link, "store" },
		{ squat_with_a_file, "lock" },
		{ squat_with_a_link, "lock" },
		{ squat_with_a_directory, "lock" },
	};
	if (!is_root(__func__) || !others_reach_the_programs())
		return;
	prepare_somebody();
	alone_with_tmp();
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		snprintf(squatted, sizeof squatted, "/dev/shm/plm-%d-%s.%s", SOMEBODY, host.name,
		    ways[i].what);
		expect_of_child(ways[i].squat, "squatting");
		const char *said = boot_refused();
		remove(squatted);
		ck_assert_msg(strstr(said, "plm-65533-test-"), "%s: %s", ways[i].what, said);
		ck_assert_int_eq(truncate(precious, 0), 0);
	}
	home[0] =
	    0; /* without XDG_RUNTIME_DIR the sockets lie in /tmp/plm-UID, which is taken, too */
	snprintf(squatted, sizeof squatted, "/tmp/plm-%d", SOMEBODY);
	expect_of_child(squat_with_a_directory, "squatting");
	const char *said = boot_refused();
	rmdir(squatted);
	ck_assert_msg(strstr(said, "belongs to user 65534"), "%s", said);
}
END_TEST

/* ---- modes of files and directories ---- */

static void expect_mode(const char *path, mode_t mode)
{
	struct stat st;
	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	ck_assert_msg((st.st_mode & 07777) == mode, "%s has mode %o, not %o", path,
	    (unsigned)st.st_mode & 07777, (unsigned)mode);
}

START_TEST(with_a_umask_of_zero_nothing_is_open_to_others)
{
	static const char *const whats[] = { "control", "store", "lock" };
	char path[PATH_BYTES], name[PATH_BYTES];
	host_stop();
	mode_t before = umask(0);
	host_boot_small();
	umask(before);
	for (size_t i = 0; i < COUNT_OF(whats); i++) {
		runtime_segment(&host, whats[i], path, sizeof path);
		expect_mode(path, 0600);
	}
	scratch_path(&host, "plm", path, sizeof path);
	expect_mode(path, 0700);
	snprintf(name, sizeof name, "%.200s/%s.bell", path, host.name);
	expect_mode(name, 0600);
	host_expect_work();
}
END_TEST

static void boot_on_a_read_only_shm(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev/shm", "tmpfs", MS_RDONLY, NULL) < 0)
		_exit(77);
	struct output_of o = program_run(
	    &host, "plm", (const char *const[]){ "--name", "readonly", "--tied", NULL }, NULL, 0);
	if (o.signal || o.code == 0 || !strstr(o.err, "/dev/shm") || !strstr(o.err, "ead-only"))
		_exit(2);
}

START_TEST(on_a_read_only_dev_shm_a_boot_ends_with_a_word)
{
	if (!is_root(__func__))
		return;
	pid_t pid = fork();
	if (pid == 0) {
		boot_on_a_read_only_shm();
		_exit(0);
	}
	int code = exit_of(pid);
	if (code == 77)
		printf("left out, no mount namespace can be had: %s\n", __func__);
	ck_assert_msg(code == 0 || code == 77, "code %d", code);
}
END_TEST

static void copy_program(const char *program, const char *to)
{
	static char data[1 << 16];
	char path[PATH_BYTES];
	const char *where = getenv("PLM_BIN");
	snprintf(path, sizeof path, "%s/%s", where && where[0] ? where : ".", program);
	int in = open(path, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;
	while ((n = read(in, data, sizeof data)) > 0)
		ck_assert_int_eq(write(out, data, (size_t)n), n);
	close(in);
	ck_assert_int_eq(fchown(out, NOBODY, NOBODY), 0);
	ck_assert_int_eq(fchmod(out, 04755), 0);
	close(out);
}

static int run_copy(const char *path, const char *first, const char *second)
{
	char log[PATH_BYTES];
	scratch_path(&host, "said", log, sizeof log);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
		execl(path, path, first, second, (char *)NULL);
		_exit(99);
	}
	return exit_of(pid);
}

START_TEST(a_set_id_program_is_refused)
{
	char path[PATH_BYTES], said[PATH_BYTES] = "";
	if (!is_root(__func__))
		return;
	scratch_path(&host, "said", path, sizeof path);
	int log = open(path, O_RDONLY | O_CREAT, 0600);
	scratch_path(&host, "set-id-plm", path, sizeof path);
	copy_program("plm", path);
	ck_assert_int_gt(run_copy(path, "--name", host.name), 0);
	ck_assert_int_gt(read(log, said, sizeof said - 1), 0);
	ck_assert_msg(strstr(said, "set-user-id"), "%s", said);
	scratch_path(&host, "set-id-plmctl", path, sizeof path);
	copy_program("plmctl", path);
	ck_assert_int_gt(run_copy(path, "--name", host.name), 0);
	memset(said, 0, sizeof said);
	ck_assert_int_gt(run_copy(path, "status", NULL), 0);
	ck_assert_int_gt(read(log, said, sizeof said - 1), 0);
	close(log);
	host_expect_work();
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	const TTest *const tests[] = {
		another_user_is_kept_out_of_door_and_segments,
		a_segment_with_a_second_name_is_refused,
		another_user_cannot_signal_or_trace_a_process_of_it,
		names_that_another_user_took_first_are_refused_with_a_word,
		with_a_umask_of_zero_nothing_is_open_to_others,
		on_a_read_only_dev_shm_a_boot_ends_with_a_word,
		a_set_id_program_is_refused,
	};
	return run_tests("strangers", TEST_TIMEOUT_S, host_boot_small, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
