/* test_fleet_words.c - texts and bytes of a fleet from outside: addresses that a person writes, and
 * tasks that another machine wrote. Any bytes give an error, never a crash. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"
#include "fleet/engine_redis.h"
#include "fleet/task_words.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 60, CHANGES = 200000 };

/* ---- addresses ---- */

static struct fleet_url good(const char *text)
{
	struct fleet_url url;
	int r = fleet_url_parse("--fleet", text, false, &url);
	ck_assert_msg(r == 0, "%s: %s", text, why_text());
	return url;
}

static void bad(const char *text, const char *why)
{
	struct fleet_url url;
	int r = fleet_url_parse("--fleet", text, false, &url);
	ck_assert_msg(r < 0 && strstr(why_text(), why), "%s: %d, \"%s\" is not in: %s", text, r,
	    why, why_text());
}

START_TEST(an_address_has_a_place_and_options)
{
	struct fleet_url url = good("redis://10.0.0.1:7000/3?queue=lab&lease=30s&keep=2d");
	ck_assert_str_eq(url.host, "10.0.0.1");
	ck_assert_int_eq(url.port, 7000);
	ck_assert_int_eq(url.db, 3);
	ck_assert_str_eq(url.queue, "lab");
	ck_assert_uint_eq(url.lease_ms, 30000);
	ck_assert_uint_eq(url.keep_ms, 2 * 86400000);
	url = good("redis://host");
	ck_assert_int_eq(url.port, 6379);
	ck_assert_str_eq(url.queue, "default");
	ck_assert_uint_eq(url.lease_ms, 10000);
	url = good("redis://worker@host?queue=a.b-c_9");
	ck_assert_str_eq(url.user, "worker");
	url = good("unix:///run/redis.sock?db=2");
	ck_assert_str_eq(url.path, "/run/redis.sock");
	ck_assert_str_eq(url.host, "");
	ck_assert_int_eq(url.db, 2);
	bad("", "wants redis://");
	bad("redis://", "1 to");
	bad("redis://host:port", "wants");
	bad("redis://host:70000", "70000");
	bad("redis://host?queue=", "NAME=VALUE");
	bad("redis://host?queue=a%20b", "letters");
	bad("redis://host?lease=10ms", "second at least");
	bad("redis://host?lease=ten", "ten");
	bad("redis://host?colour=red", "unknown option");
	bad("unix://?queue=a", "1 to");
	url = good("rediss://host:7000/3?cacert=/ca&cert=/me&key=/mine");
	ck_assert(url.tls && !url.tls_unchecked);
	ck_assert_str_eq(url.cacert, "/ca");
	ck_assert_str_eq(url.key, "/mine");
	ck_assert(good("rediss://host?verify=no").tls_unchecked);
	bad("rediss://host?verify=perhaps", "verify=no");
	bad("redis://host?cacert=/ca", "for rediss://");
}
END_TEST

START_TEST(a_password_is_taken_from_the_environment_or_a_file_of_ours)
{
	struct fleet_url url;
	char path[] = "/tmp/plm-test-password-XXXXXX", text[128];
	bad("redis://:secret@host", "process list");
	ck_assert_int_eq(fleet_url_parse("PLM_FLEET", "redis://me:a@b:c@host/1", true, &url), 0);
	ck_assert_str_eq(url.user, "me");
	ck_assert_str_eq(url.password, "a@b:c");
	ck_assert_str_eq(url.host, "host");
	ck_assert_ptr_null(strstr(url.shown, "a@b:c"));
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "from a file\nnot this\n", 21), 21);
	snprintf(text, sizeof text, "redis://host?password-file=%s", path);
	url = good(text);
	ck_assert_str_eq(url.password, "from a file");
	ck_assert_int_eq(fchmod(fd, 0640), 0);
	bad(text, "chmod 600");
	unlink(path);
	bad(text, "No such file");
	close(fd);
}
END_TEST

/* ---- tasks ---- */

static struct engine queue = { .epoch_number = 7 };

static struct task_words words_of(void)
{
	static const plm_terms terms = { .needs = "cpus=2", .run_ms = 9, .grace_ms = 5 };
	struct task_words words = { .data = NULL };
	const plm_arg args[] = { PLM_BYTES("one", 3), PLM_FUTURE(engine_ref(&queue, 300)),
		PLM_BYTES(NULL, 0) };
	const plm_task task = { .function = "probe.sum",
		.args = args,
		.nargs = COUNT_OF(args),
		.terms = &terms,
		.results = 1 };
	ck_assert_int_eq(task_words_write(&words, &queue, &task), 0);
	return words;
}

START_TEST(a_task_is_read_as_it_was_written)
{
	static struct task_read read;
	struct task_words words = words_of();
	ck_assert_uint_eq(words.afters, 1);
	ck_assert_uint_eq(words.after[0].id, 300);
	ck_assert_int_eq(task_words_read(words.data, words.bytes, &read), 0);
	ck_assert_str_eq(read.function, "probe.sum");
	ck_assert_str_eq(read.needs, "cpus=2");
	ck_assert_uint_eq(read.task.nargs, 3);
	ck_assert_uint_eq(read.terms.run_ms, 9);
	ck_assert_uint_eq(read.terms.grace_ms, 5);
	ck_assert_int_eq(memcmp(read.arg[0].data, "one", 3), 0);
	ck_assert_uint_eq(read.afters, 1);
	ck_assert_uint_eq(read.after[0].arg, 1);
	ck_assert_uint_eq(read.after[0].id, 300);
	ck_assert_uint_eq(read.task.flags, PLM_TIED);
	task_words_free(&words);
}
END_TEST

START_TEST(conditions_travel_with_a_task)
{
	static struct task_read read;
	struct task_words words = { .data = NULL };
	plm_arg args[] = { PLM_AFTER(engine_ref(&queue, 300), PLM_AFTER_ANY),
		PLM_AFTER(engine_ref(&queue, 301), PLM_AFTER_FAILED),
		PLM_FUTURE(engine_ref(&queue, 302)) };
	const plm_task task = {
		.function = "tools.add", .args = args, .nargs = COUNT_OF(args), .results = 1
	};
	struct engine_task row;
	ck_assert_int_eq(task_words_prepare(&words, &queue, &task, &row), 0);
	ck_assert_str_eq(row.needs, "module:tools");
	ck_assert_uint_eq(row.afters, 3);
	ck_assert_int_eq(row.after[0].condition, AFTER_ANY);
	ck_assert_int_eq(task_words_read(words.data, words.bytes, &read), 0);
	ck_assert_uint_eq(read.afters, 3);
	ck_assert_int_eq(read.after[0].condition, AFTER_ANY);
	ck_assert_int_eq(read.after[1].condition, AFTER_FAILED);
	ck_assert_uint_eq(read.after[1].id, 301);
	ck_assert_int_eq(read.after[2].condition, AFTER_DONE);
	args[2].len = 77;
	ck_assert_int_eq(task_words_write(&words, &queue, &task), -EINVAL);
	task_words_free(&words);
}
END_TEST

static void classed(const char *function, const char *needs, const char *expected)
{
	char class[TASK_CLASS_BYTES], module[TASK_MODULE_BYTES];
	task_class_print(function, needs, class);
	ck_assert_str_eq(class, expected);
	struct task_class read = task_class_read(class);
	task_module(function, module);
	ck_assert_str_eq(read.module, module);
	ck_assert_str_eq(read.needs, needs);
}

START_TEST(a_class_holds_needs_and_module)
{
	classed("probe.sum", "", "");
	classed("command.run", "cpus=2 | gpus=1", "cpus=2 | gpus=1");
	classed("py.call", "python=1", "python=1");
	classed("tools.add", "", "module:tools");
	classed("pyx.call", "cpus=2 | gpus=1", "module:pyx cpus=2 | gpus=1");
	classed("nothing", "", "");
	classed("a b.add", "", "");
	ck_assert(task_module_is_in("module a\nmodule tools\npython /x", "tools"));
	ck_assert(!task_module_is_in("module tools2\npython module tools", "tools"));
	ck_assert(!task_module_is_in("", "tools"));
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_read_within_their_bounds)
{
	static struct task_read read;
	struct task_words words = words_of();
	uint64_t random = RANDOM_SEED;
	unsigned refused = 0;
	for (size_t n = 0; n < words.bytes; n++) {
		char *part = malloc(n + 1); /* a byte too far is seen by the sanitizers */
		memcpy(part, words.data, n);
		ck_assert_int_eq(task_words_read(part, n, &read), -EBADMSG);
		free(part);
	}
	for (int i = 0; i < CHANGES; i++) {
		char *copy = malloc(words.bytes);
		memcpy(copy, words.data, words.bytes);
		for (uint64_t k = random_next(&random) % 4 + 1; k > 0; k--)
			copy[random_next(&random) % words.bytes] = (char)random_next(&random);
		refused += task_words_read(copy, words.bytes, &read) < 0;
		free(copy);
	}
	ck_assert_uint_gt(refused, CHANGES / 4);
	task_words_free(&words);
}
END_TEST

START_TEST(what_does_not_travel_is_refused)
{
	static const plm_terms replicas = { .replicas = 2 };
	struct task_words words = { .data = NULL };
	plm_arg foreign = PLM_FUTURE(((plm_ref){ .id = UINT64_C(1) << 32 | 1, .runtime = 8 }));
	char *large = calloc(1, ENGINE_VALUE_MOST + 1);
	plm_task task = { .function = "a.b", .args = &foreign, .nargs = 1 };
	ck_assert_int_eq(task_words_write(&words, &queue, &task), -EXDEV);
	foreign = PLM_BYTES(large, ENGINE_VALUE_MOST + 1);
	ck_assert_int_eq(task_words_write(&words, &queue, &task), -E2BIG);
	task = (plm_task){ .function = "a.b", .results = TASK_WORDS_RESULTS + 1 };
	ck_assert_int_eq(task_words_write(&words, &queue, &task), -E2BIG);
	task = (plm_task){ .function = "a.b", .terms = &replicas };
	ck_assert_int_eq(task_words_write(&words, &queue, &task), -EINVAL);
	free(large);
	task_words_free(&words);
}
END_TEST

START_TEST(numbers_of_the_queue_become_references_and_come_back)
{
	static const uint64_t ids[] = { 1, 300, UINT32_MAX, UINT64_C(1) << 32,
		(UINT64_C(1) << ENGINE_TASK_BITS) - 1,
		UINT64_C(5) << ENGINE_TASK_BITS | UINT64_C(3) << 32 | 7,
		UINT64_C(1023) << ENGINE_TASK_BITS | 1 };
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		char text[PLM_REF_TEXT_BYTES];
		plm_ref ref;
		uint64_t id;
		ck_assert_int_eq(plm_ref_print(engine_ref(&queue, ids[i]), text), 0);
		ck_assert_int_eq(plm_ref_parse(text, &ref), 0);
		ck_assert_int_eq(engine_id(&queue, ref, &id), 0);
		ck_assert_uint_eq(id, ids[i]);
		ref.runtime++;
		ck_assert_int_eq(engine_id(&queue, ref, &id), -EXDEV);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_address_has_a_place_and_options,
		a_password_is_taken_from_the_environment_or_a_file_of_ours,
		a_task_is_read_as_it_was_written,
		conditions_travel_with_a_task,
		a_class_holds_needs_and_module,
		damaged_bytes_are_refused_or_read_within_their_bounds,
		what_does_not_travel_is_refused,
		numbers_of_the_queue_become_references_and_come_back,
	};
	return run_tests("fleet words", TIMEOUT_S, NULL, NULL, tests, COUNT_OF(tests));
}
