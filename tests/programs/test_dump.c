/* test_dump.c - plmdump on a living, dead or copied runtime, and on random bytes. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/segment_copy.h"
#include "tests/support/program_runtime.h"

enum {
	TEST_TIMEOUT_S = 120,
	CORRUPTIONS = 200,
	PATH_BYTES = 256,
};

static void dump_boot(void)
{
	runtime_boot(&host, "--workers", "2", "--tasks", "1024", "--store", "16M", );
}

START_TEST(dump_of_a_running_runtime_is_sound)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.sleep", "600000");
	ctl_until(&host, ref, "tasks", "--quiet", "--state", "running");
	struct output_of o = dump(&host, "check");
	ck_assert_msg(o.code == 0, "%s%s", o.out, o.err);
	output_free(&o);
	o = dump(&host, "--json", "all");
	unsigned values;
	const char *why = json_lines_check(o.out, o.out_bytes, &values);
	ck_assert_msg(why == NULL, "plmdump --json all: %s", why);
	ck_assert_ptr_nonnull(strstr(o.out, ref));
	output_free(&o);
	o = dump(&host, "heap", "nonsense");
	ck_assert_int_eq(o.code, 64);
	output_free(&o);
	free(ctl_expect(&host, 0, "cancel", ref));
	free(ref);
}
END_TEST

/* Whatever the bytes are, plmdump ends by an exit code, in time. */
static void expect_no_signal(const char *path, unsigned seed)
{
	static const char *const subjects[] = { "all", "check" };
	for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
		struct output_of o = dump(&host, "--file", path, subjects[i]);
		ck_assert_msg(o.signal == 0, "plmdump %s: signal %d with damage %u: %s",
		    subjects[i], o.signal, seed, o.err);
		ck_assert_msg(o.code == 0 || o.code == 1 || o.code == 76,
		    "plmdump %s: exit code %d, damage %u", subjects[i], o.code, seed);
		output_free(&o);
	}
}

START_TEST(dump_of_a_copy_says_the_same_and_of_a_damaged_one_never_dies)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "in the copy"),
	     path[PATH_BYTES];
	free(ctl_expect(&host, 0, "wait", ref));
	size_t bytes;
	unsigned char *data = segment_copy(&host, "control", &bytes), *broken = malloc(bytes);
	scratch_write(&host, "segment", data, bytes, path, sizeof path);
	struct output_of o = dump(&host, "--file", path, "tasks");
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.out, ref));
	output_free(&o);
	uint64_t random = RANDOM_SEED;
	for (unsigned i = 0; i < CORRUPTIONS; i++) {
		memcpy(broken, data, bytes);
		segment_damage(broken, bytes, &random);
		scratch_write(&host, "segment", broken, bytes, path, sizeof path);
		expect_no_signal(path, i);
	}
	free(data);
	free(broken);
	free(ref);
}
END_TEST

START_TEST(dump_of_what_is_no_segment_is_refused)
{
	size_t bytes;
	unsigned char *data = segment_copy(&host, "control", &bytes);
	char path[PATH_BYTES];
	uint64_t random = RANDOM_SEED;
	size_t sizes[] = { 0, 1, 100, 4096, 8192, bytes / 2, bytes - 1 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) { /* a file cut short */
		scratch_write(&host, "segment", data, sizes[i], path, sizeof path);
		struct output_of o = dump(&host, "--file", path, "all");
		ck_assert_int_eq(o.code, 76);
		output_free(&o);
	}
	for (size_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)random_next(&random);
	scratch_write(&host, "segment", data, bytes, path, sizeof path);
	struct output_of o = dump(&host, "--file", path, "all");
	ck_assert_int_eq(o.code, 76);
	output_free(&o);
	o = dump(&host, "--file", "/no-such-file", "all");
	ck_assert_int_eq(o.code, 66);
	output_free(&o);
	free(data);
}
END_TEST

START_TEST(dump_works_after_the_runtime_died)
{
	char *ref = ctl_expect(&host, 0, "call", "--detach", "probe.echo", "the last word");
	free(ctl_expect(&host, 0, "wait", ref));
	runtime_kill(&host);
	struct output_of o = dump(&host, "tasks");
	ck_assert_int_eq(o.code, 0);
	ck_assert_ptr_nonnull(strstr(o.out, ref));
	output_free(&o);
	o = ctl(&host, "status");
	ck_assert_int_eq(o.code, 69);
	output_free(&o);
	runtime_end(&host);
	free(ref);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dump");
	TCase *running = tcase_create("running");
	tcase_set_timeout(running, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(running, dump_boot, host_stop);
	tcase_add_test(running, dump_of_a_running_runtime_is_sound);
	tcase_add_test(running, dump_of_a_copy_says_the_same_and_of_a_damaged_one_never_dies);
	tcase_add_test(running, dump_of_what_is_no_segment_is_refused);
	suite_add_tcase(suite, running);
	TCase *dead = tcase_create("dead");
	tcase_set_timeout(dead, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(dead, dump_boot, NULL);
	tcase_add_test(dead, dump_works_after_the_runtime_died);
	suite_add_tcase(suite, dead);
	return run_suite(suite);
}
