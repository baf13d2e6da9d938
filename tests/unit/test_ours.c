/* test_ours.c - names that other users may make (base/ours.c), and removed trees (base/rmtree.c).
 * This user sets the traps, so the result does not depend on fs.protected_symlinks. Tests with a
 * second user need root, and otherwise print that they are skipped. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ours.h"
#include "base/rmtree.h"
#include "base/why.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum {
	TEST_TIMEOUT_S = 60,
	NOBODY = 65534,
	PATH_BYTES = 128,
	DEPTH = 3000, /* deeper than the limit of descriptors, and longer than a path may be */
	DESCRIPTORS_FEW = 32,
};

#define REMEDY "do otherwise"

static char place[PATH_BYTES];
static int place_fd;

static const char *in_place(const char *name)
{
	static char path[2 * PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", place, name);
	return path;
}

static void make_place(void)
{
	test_path("place-XXXXXX", place, sizeof place);
	ck_assert_ptr_nonnull(mkdtemp(place));
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(place_fd, 0);
}

static void remove_place(void)
{
	ck_assert_int_eq(fchmod(place_fd, 0700), 0);
	close(place_fd);
	ck_assert_msg(rmtree_at(AT_FDCWD, place) == 0, "%s", why_text());
}

static void make_file(const char *name, mode_t mode)
{
	int fd = openat(place_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert(fd >= 0 && fchmod(fd, mode) == 0);
	close(fd);
}

static void check_refused(int r, int code, const char *words)
{
	ck_assert_int_eq(r, code);
	ck_assert_msg(strstr(why_text(), words) != NULL, "\"%s\" is not in: %s", words, why_text());
	ck_assert_ptr_nonnull(strstr(why_text(), REMEDY));
}

static bool is_there(const char *name)
{
	struct stat st;
	return fstatat(place_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- names ---- */

START_TEST(what_is_ours_alone_is_opened_and_made)
{
	int fd = ours_file(in_place("file"), O_RDWR | O_CREAT, REMEDY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = ours_file(in_place("file"), O_RDONLY, REMEDY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(ours_directory(in_place("directory"), false, REMEDY), -ENOENT);
	fd = ours_directory(in_place("directory"), true, REMEDY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = ours_directory(in_place("directory"), true, REMEDY);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(a_link_is_followed_nowhere)
{
	make_file("mine", 0600);
	ck_assert_int_eq(mkdirat(place_fd, "course", 0700), 0);
	ck_assert_int_eq(symlinkat("mine", place_fd, "file"), 0);
	ck_assert_int_eq(symlinkat("course", place_fd, "directory"), 0);
	ck_assert_int_eq(symlinkat("nowhere", place_fd, "dangling"), 0);
	check_refused(ours_file(in_place("file"), O_RDWR, REMEDY), -EPERM, "a symbolic link");
	check_refused(
	    ours_file(in_place("dangling"), O_RDWR | O_CREAT, REMEDY), -EPERM, "a symbolic link");
	ck_assert(!is_there("nowhere"));
	check_refused(
	    ours_directory(in_place("directory"), true, REMEDY), -ENOTDIR, "a symbolic link");
}
END_TEST

START_TEST(what_others_may_reach_or_is_of_another_kind_is_refused)
{
	make_file("open", 0644);
	make_file("file", 0600);
	ck_assert_int_eq(mkdirat(place_fd, "open.d", 0700), 0);
	ck_assert_int_eq(fchmodat(place_fd, "open.d", 0750, 0), 0);
	ck_assert_int_eq(linkat(place_fd, "file", place_fd, "second", 0), 0);
	ck_assert_int_eq(mkfifoat(place_fd, "pipe", 0600), 0);
	check_refused(ours_file(in_place("open"), O_RDWR, REMEDY), -EPERM, "chmod 600");
	check_refused(ours_directory(in_place("open.d"), false, REMEDY), -EPERM, "chmod 700");
	check_refused(ours_file(in_place("file"), O_RDWR, REMEDY), -EPERM, "second name");
	check_refused(ours_file(in_place("pipe"), O_RDONLY, REMEDY), -EPERM, "a pipe");
	check_refused(ours_directory(in_place("file"), false, REMEDY), -ENOTDIR, "a regular file");
}
END_TEST

START_TEST(a_directory_that_anybody_may_rename_is_refused)
{
	ck_assert_int_eq(mkdirat(place_fd, "directory", 0700), 0);
	ck_assert_int_eq(fchmod(place_fd, 0777), 0);
	check_refused(ours_directory(in_place("directory"), false, REMEDY), -EPERM, "sticky");
	ck_assert_int_eq(fchmod(place_fd, 01777), 0);
	int fd = ours_directory(in_place("directory"), false, REMEDY);
	ck_assert_msg(fd >= 0, "%s", why_text());
	close(fd);
}
END_TEST

static void squat_as_nobody(void *unused)
{
	(void)unused;
	if (fchdir(place_fd) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		_exit(2);
	umask(0);
	if (open("file", O_RDWR | O_CREAT | O_EXCL, 0600) < 0 || mkdir("directory", 0700) < 0)
		_exit(3);
}

START_TEST(what_another_user_made_first_is_refused_with_his_number)
{
	if (geteuid() != 0) {
		printf("left out, only root can become somebody else: %s\n", __func__);
		return;
	}
	ck_assert_int_eq(fchmod(place_fd, 01777), 0);
	ck_assert_int_eq(exit_of(child_of(squat_as_nobody, NULL)), 0);
	check_refused(ours_file(in_place("file"), O_RDWR | O_CREAT, REMEDY), -EPERM, "user 65534");
	check_refused(ours_directory(in_place("directory"), true, REMEDY), -EPERM, "user 65534");
}
END_TEST

/* ---- trees ---- */

/* Uses no long path, and only two descriptors at a time. */
static void make_deep(int from)
{
	int at = dup(from);
	for (unsigned i = 0; i < DEPTH; i++) {
		ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(at);
		at = next;
	}
	close(openat(at, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	close(at);
}

START_TEST(a_tree_deeper_than_there_are_descriptors_is_removed)
{
	ck_assert_int_eq(mkdirat(place_fd, "tree", 0700), 0);
	int tree = openat(place_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_deep(tree);
	ck_assert_int_eq(mkdirat(tree, "up-0", 0700), 0); /* a name that the removal uses, too */
	close(tree);
	struct rlimit few = { DESCRIPTORS_FEW, DESCRIPTORS_FEW };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_msg(rmtree_at(place_fd, "tree") == 0, "%s", why_text());
	ck_assert(!is_there("tree"));
}
END_TEST

START_TEST(what_links_in_a_tree_lead_to_stays)
{
	ck_assert_int_eq(mkdirat(place_fd, "tree", 0700), 0);
	ck_assert_int_eq(mkdirat(place_fd, "course", 0500), 0);
	make_file("work", 0400);
	ck_assert_int_eq(symlinkat("../course", place_fd, "tree/directory"), 0);
	ck_assert_int_eq(symlinkat("../work", place_fd, "tree/file"), 0);
	ck_assert_int_eq(symlinkat("course", place_fd, "link"), 0);
	ck_assert_int_eq(rmtree_at(place_fd, "tree"), 0);
	ck_assert_int_eq(rmtree_at(place_fd, "link"), 0);
	ck_assert(!is_there("tree") && !is_there("link") && is_there("course") && is_there("work"));
	struct stat st;
	ck_assert_int_eq(fstatat(place_fd, "course", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0500);
}
END_TEST

/* Root ignores modes, so become another user first. */
static void remove_locked_tree(void *unused)
{
	(void)unused;
	if (geteuid() == 0 &&
	    (fchown(place_fd, NOBODY, NOBODY) < 0 || fchdir(place_fd) < 0 || setgid(NOBODY) < 0 ||
		setuid(NOBODY) < 0))
		_exit(2);
	if (mkdirat(place_fd, "tree", 0700) < 0 || mkdirat(place_fd, "tree/a", 0700) < 0 ||
	    mkdirat(place_fd, "tree/a/b", 0700) < 0 || mkdirat(place_fd, "tree/a/b/c", 0) < 0 ||
	    fchmodat(place_fd, "tree/a/b", 0, 0) < 0 || fchmodat(place_fd, "tree/a", 0, 0) < 0 ||
	    fchmodat(place_fd, "tree", 0, 0) < 0)
		_exit(3);
	_exit(rmtree_at(place_fd, "tree") == 0 ? 0 : 4);
}

START_TEST(directories_that_nobody_may_enter_are_removed)
{
	ck_assert_int_eq(exit_of(child_of(remove_locked_tree, NULL)), 0);
	ck_assert(!is_there("tree"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_is_ours_alone_is_opened_and_made,
		a_link_is_followed_nowhere,
		what_others_may_reach_or_is_of_another_kind_is_refused,
		a_directory_that_anybody_may_rename_is_refused,
		what_another_user_made_first_is_refused_with_his_number,
		a_tree_deeper_than_there_are_descriptors_is_removed,
		what_links_in_a_tree_lead_to_stays,
		directories_that_nobody_may_enter_are_removed,
	};
	return run_tests("ours", TEST_TIMEOUT_S, make_place, remove_place, tests,
	    sizeof tests / sizeof tests[0]);
}
