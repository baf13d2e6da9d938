/* test_segment.c - ownership of segments, refusals, and a full /dev/shm; with processes of
 * another user and in another mount namespace. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "shm/segment.h"
#include "tests/support/run_suite.h"
#include "tests/support/suite_watcher.h"

enum { TEST_TIMEOUT_S = 60, NOBODY = 65534, CANNOT = 77 };

enum { SEGMENT_BYTES = 4 * SEGMENT_HEADER_BYTES, ABI = 42 };

static const char *segment_name(void)
{
	static char name[64], runtime[32];
	if (!name[0]) {
		test_runtime_name(runtime, sizeof runtime);
		snprintf(name, sizeof name, "/plm-%u-%s", (unsigned)geteuid(), runtime);
	}
	return name;
}

static struct segment new_segment(void)
{
	struct segment s;
	ck_assert_msg(segment_create(segment_name(), SEGMENT_BYTES, SEGMENT_BYTES, &s) == 0, "%s",
	    why_text());
	return s;
}

static void end_segment(struct segment *s)
{
	segment_detach(s);
	segment_unlink(segment_name());
}

START_TEST(an_existing_name_is_not_taken_over)
{
	struct segment s = new_segment(), other;
	int r = segment_create(segment_name(), SEGMENT_BYTES, SEGMENT_BYTES, &other);
	ck_assert_int_eq(r, -EEXIST);
	end_segment(&s);
}
END_TEST

START_TEST(a_segment_is_for_its_user_alone_whatever_the_umask)
{
	static const mode_t umasks[] = { 0, 0777 };
	for (size_t i = 0; i < COUNT_OF(umasks); i++) {
		struct stat st;
		umask(umasks[i]);
		struct segment s = new_segment();
		ck_assert_int_eq(fstat(s.fd, &st), 0);
		ck_assert_uint_eq(st.st_mode & 0777, 0600);
		end_segment(&s);
	}
}
END_TEST

/* Attaching a copy of the descriptor must fail with -EPROTO and a sentence with this text. */
static void expect_refusal(
    const struct segment *s, const char *purpose, uint32_t abi, const char *reason)
{
	struct segment other;
	int r = segment_attach(fcntl(s->fd, F_DUPFD_CLOEXEC, 3), purpose, abi, true, &other);
	ck_assert_int_eq(r, -EPROTO);
	ck_assert_msg(
	    strstr(why_text(), reason) != NULL, "\"%s\" does not say \"%s\"", why_text(), reason);
}

START_TEST(what_does_not_introduce_itself_rightly_is_refused_with_its_reason)
{
	struct segment s = new_segment(), other;
	expect_refusal(&s, "control", ABI, "not yet initialised");
	segment_publish(&s, "control", ABI, 1);
	ck_assert_int_eq(
	    segment_attach(fcntl(s.fd, F_DUPFD_CLOEXEC, 3), "control", ABI, true, &other), 0);
	segment_detach(&other);
	expect_refusal(&s, "control", ABI + 1, "another build");
	expect_refusal(&s, "store", ABI, "another kind");
	s.header->version++;
	expect_refusal(&s, "control", ABI, "another version");
	s.header->version--;
	s.header->pid_namespace++;
	expect_refusal(&s, "control", ABI, "another PID namespace");
	s.header->pid_namespace--;
	ck_assert_int_eq(ftruncate(s.fd, SEGMENT_BYTES / 2), 0);
	expect_refusal(&s, "control", ABI, "its size");
	ck_assert_int_eq(ftruncate(s.fd, 100), 0);
	expect_refusal(&s, "control", ABI, "too short");
	end_segment(&s);
}
END_TEST

START_TEST(random_bytes_are_refused_and_harm_nobody)
{
	struct segment s = new_segment();
	uint64_t random = RANDOM_SEED;
	unsigned char *bytes = (unsigned char *)s.header;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < SEGMENT_HEADER_BYTES; i++)
			bytes[i] = (unsigned char)random_next(&random);
		expect_refusal(&s, "control", ABI, "not a plm segment");
		sh_store(&s.header->magic, SEGMENT_MAGIC);
		expect_refusal(&s, "control", ABI, "refused");
	}
	end_segment(&s);
}
END_TEST

START_TEST(a_name_that_others_may_open_is_refused)
{
	struct segment s = new_segment();
	ck_assert_int_eq(fchmod(s.fd, 0644), 0);
	ck_assert_int_eq(segment_open(segment_name(), true), -EACCES);
	ck_assert_ptr_nonnull(strstr(why_text(), "others may open it"));
	ck_assert_int_eq(fchmod(s.fd, 0600), 0);
	int fd = segment_open(segment_name(), true);
	ck_assert_int_ge(fd, 0);
	close(fd);
	end_segment(&s);
	ck_assert_int_eq(segment_open(segment_name(), true), -ENOENT);
}
END_TEST

static void squat(void *name)
{
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		_exit(CANNOT);
	int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0666);
	_exit(fd >= 0 ? 0 : 1);
}

START_TEST(a_name_squatted_by_another_user_is_told_apart)
{
	char name[64];
	snprintf(name, sizeof name, "%s", segment_name());
	int code = exit_of(child_of(squat, name));
	if (code == CANNOT) {
		printf("skipped, only root can become somebody else: %s\n", __func__);
		return;
	}
	struct segment s;
	ck_assert_int_eq(code, 0);
	ck_assert_int_eq(segment_create(name, SEGMENT_BYTES, SEGMENT_BYTES, &s), -EACCES);
	ck_assert_msg(strstr(why_text(), "belongs to user 65534") != NULL, "%s", why_text());
	ck_assert_int_eq(segment_open(name, false), -EACCES);
	segment_unlink(name);
}
END_TEST

static void create_in_tiny_shm(void *context)
{
	struct segment s;
	(void)context;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tiny", "/dev/shm", "tmpfs", 0, "size=1m") < 0)
		_exit(CANNOT);
	if (segment_create(segment_name(), 4 << 20, 4 << 20, &s) != -ENOSPC)
		_exit(1);
	if (!strstr(why_text(), "/dev/shm is full: 4096 KiB wanted, 1024 KiB free"))
		_exit(2);
	if (shm_open(segment_name(), O_RDONLY, 0) >= 0) /* nothing is left behind */
		_exit(3);
	if (segment_create(segment_name(), 4 << 20, 1 << 19, &s) < 0)
		_exit(4);
}

START_TEST(memory_is_reserved_before_it_is_promised)
{
	int code = exit_of(child_of(create_in_tiny_shm, NULL));
	if (code == CANNOT)
		printf("skipped, no mount namespace to be had: %s\n", __func__);
	else
		ck_assert_int_eq(code, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("segment");
	TCase *segment = tcase_create("segment");
	tcase_set_timeout(segment, TEST_TIMEOUT_S);
	suite_add_tcase(suite, segment);
	tcase_add_test(segment, an_existing_name_is_not_taken_over);
	tcase_add_test(segment, a_segment_is_for_its_user_alone_whatever_the_umask);
	tcase_add_test(segment, what_does_not_introduce_itself_rightly_is_refused_with_its_reason);
	tcase_add_test(segment, random_bytes_are_refused_and_harm_nobody);
	tcase_add_test(segment, a_name_that_others_may_open_is_refused);
	tcase_add_test(segment, a_name_squatted_by_another_user_is_told_apart);
	tcase_add_test(segment, memory_is_reserved_before_it_is_promised);
	return run_suite(suite);
}
