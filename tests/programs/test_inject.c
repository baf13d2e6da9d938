/* test_inject.c - injected faults: their text, their draw, and their effect on a running
 * runtime. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "spec/injection.h"
#include "tables/record.h"
#include "tests/support/fixture.h"
#include "tests/support/json.h"
#include "tests/support/run_suite.h"
#include "tests/support/program_runtime.h"

enum { TEST_TIMEOUT_S = 60, MUTATIONS = 20000, DRAWS = 1000000, REPEATED = 24 };

/* A random seed would fail a correct program once in a million; this seed is fixed. */
#define SIGMAS 4.9

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the text ---- */

static struct injections parsed(const char *text)
{
	struct injections all;
	ck_assert_msg(injections_parse(text, &all) == 0, "\"%s\": %s", text, why_text());
	return all;
}

static struct injection plain(const char *text)
{
	return parsed(text).of_generation[0];
}

START_TEST(each_fault_has_a_chance_and_a_delay_has_a_length)
{
	struct injection all = plain("delay=5ms..50ms@10%, fail@1%, crash@0.1%, hang@0.0001%;"
				     "seed=18446744073709551615");
	ck_assert_uint_eq(all.chance[FAULT_DELAY], 100000);
	ck_assert_uint_eq(all.chance[FAULT_FAIL], 10000);
	ck_assert_uint_eq(all.chance[FAULT_CRASH], 1000);
	ck_assert_uint_eq(all.chance[FAULT_HANG], 1);
	ck_assert_uint_eq(all.delay_min_ns, 5 * NS_PER_MS);
	ck_assert_uint_eq(all.delay_max_ns, 50 * NS_PER_MS);
	ck_assert_uint_eq(all.seed, UINT64_MAX);
	struct injection one = plain(" seed = 3 , delay = 1.5us @ 100% # slow\n");
	ck_assert_uint_eq(one.delay_min_ns, 1500);
	ck_assert_uint_eq(one.delay_max_ns, 1500);
	ck_assert_uint_eq(one.seed, 3);
	ck_assert_uint_eq(plain("delay=0ms..0.25s@1%").delay_max_ns, NS_PER_S / 4);
	ck_assert_uint_eq(plain("delay=1s..3600s@1%").delay_max_ns, 3600 * NS_PER_S);
	ck_assert_uint_eq(plain("fail@50%,crash@50%").seed, 0);
}
END_TEST

START_TEST(a_clause_of_a_generation_replaces_the_one_of_all)
{
	struct injections all = parsed("fail@1%,hang@2%; gen=2: crash@3%\ngen=4: delay=1s@4%");
	for (uint32_t generation = 1; generation <= GENERATIONS; generation++) {
		const struct injection *one = injection_for(&all, generation);
		bool own = generation == 2 || generation == 4;
		ck_assert_uint_eq(one->chance[FAULT_FAIL], own ? 0 : 10000);
		ck_assert_uint_eq(one->chance[FAULT_HANG], own ? 0 : 20000);
		ck_assert_uint_eq(one->chance[FAULT_CRASH], generation == 2 ? 30000 : 0);
		ck_assert_uint_eq(one->chance[FAULT_DELAY], generation == 4 ? 40000 : 0);
	}
	all = parsed("gen=3: fail@1%; seed=9");
	ck_assert_ptr_null(injection_for(&all, 1));
	ck_assert_uint_eq(injection_for(&all, 3)->seed, 9);
	all = parsed("fail@0%");
	ck_assert_ptr_null(injection_for(&all, 1));
}
END_TEST

static const struct {
	const char *text, *expected;
} wrong[] = {
	{ "", "inject: the end at character 1: expected a fault" },
	{ " ; # none", "expected a fault" },
	{ "seed=7", "expected a fault" },
	{ "fail", "\"fail\" at character 1: expected fail@PERCENT%" },
	{ "fail=1%", "\"fail\" at character 1: expected fail@PERCENT%" },
	{ "fail@", "the end at character 6: expected how often" },
	{ "fail@,hang@1%", "\",\" at character 6: expected how often" },
	{ "fail@1", "\"1\" at character 6: expected a percentage" },
	{ "fail@%", "expected a number from 0 to 100, with up to 4 decimals" },
	{ "fail@-1%", "from 0 to 100" },
	{ "fail@100.0001%", "from 0 to 100" },
	{ "fail@0.00001%", "up to 4 decimals" },
	{ "fail@1%%", "from 0 to 100" },
	{ "fail@18446744073709551617%", "from 0 to 100" },
	{ "fail@60%,crash@40.0001%", "\"crash\" at character 10: together this is more than" },
	{ "fail@1%,fail@1%", "\"fail\" at character 9: this fault is given already" },
	{ "explode@1%", "\"explode\" at character 1: expected delay, fail, crash, hang" },
	{ "fail@1% crash@1%", "\"crash\" at character 9: expected a comma" },
	{ "fail@1%,", "the end at character 9: expected delay, fail" },
	{ "fail@1%,,hang@1%", "\",\" at character 9: expected delay, fail" },
	{ "delay@1%", "\"delay\" at character 1: expected how long" },
	{ "delay=@1%", "expected how long" },
	{ "delay=5ms", "\"delay=5ms\" at character 1: expected delay=5ms@PERCENT%" },
	{ "delay=5@1%", "\"5\" at character 7: expected a time in us, ms or s" },
	{ "delay=5m@1%", "expected a time" },
	{ "delay=ms@1%", "from 0 to 3600" },
	{ "delay=5ms..@1%", "\"5ms..\" at character 7: expected a time" },
	{ "delay=..5ms@1%", "expected a time" },
	{ "delay=1ms..2ms..3ms@1%", "expected a time" },
	{ "delay=50ms..5ms@1%", "\"50ms..5ms\" at character 7: the shorter time comes first" },
	{ "delay=2s..1999ms@1%", "the shorter time comes first" },
	{ "delay=3601s@1%", "from 0 to 3600" },
	{ "delay=1.0005ms@1%", "up to 3 decimals" },
	{ "gen=5: fail@1%", "\"gen=5\" at character 1: expected a whole number from 1 to 4" },
	{ "gen=0: fail@1%", "from 1 to 4" },
	{ "gen=1 fail@1%", "\"fail\" at character 7: expected a colon" },
	{ "gen: fail@1%", "expected gen=VALUE" },
	{ "gen=1:", "the end at character 7: expected delay, fail" },
	{ "gen=1: fail@1%; gen=1: hang@1%", "\"gen=1: hang@1%\" at character 17: there is a" },
	{ "fail@1%; hang@1%", "\"hang@1%\" at character 10: there is a clause" },
	{ "fail@1%, gen=2: hang@1%", "\"gen\" at character 10: expected delay" },
	{ "fail@1%; seed=", "expected a value" },
	{ "fail@1%; seed=x", "expected a whole number from 0 to 18446744073709551615" },
	{ "fail@1%; seed=18446744073709551616", "expected a whole number" },
	{ "seed=1; fail@1%; seed=1", "\"seed=1\" at character 18: the seed is given already" },
};

START_TEST(what_is_wrong_is_said_where_it_stands)
{
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct injections all, before;
		memset(&all, 0x55, sizeof all);
		before = all;
		int r = injections_parse(wrong[i].text, &all);
		ck_assert_msg(r == -EINVAL, "\"%s\" gives %d", wrong[i].text, r);
		ck_assert_msg(strstr(why_text(), wrong[i].expected) != NULL,
		    "\"%s\": \"%s\", not \"%s\"", wrong[i].text, why_text(), wrong[i].expected);
		ck_assert_mem_eq(&all, &before, sizeof all);
	}
}
END_TEST

static void assert_sane(const char *text, const struct injections *all)
{
	for (uint32_t generation = 0; generation < GENERATIONS; generation++) {
		const struct injection *one = &all->of_generation[generation];
		uint64_t sum = 0;
		for (enum fault f = FAULT_NONE; f < FAULTS; f++)
			sum += one->chance[f];
		ck_assert_msg(sum <= CHANCE_ALL && one->chance[FAULT_NONE] == 0, "\"%s\"", text);
		ck_assert_msg(one->delay_min_ns <= one->delay_max_ns, "\"%s\"", text);
		ck_assert_msg(one->delay_max_ns <= 3600 * NS_PER_S, "\"%s\"", text);
	}
}

START_TEST(a_damaged_text_is_refused_or_means_something_possible)
{
	static const char origin[] = "delay=5ms..50ms@10%, fail@1%; gen=4: crash@99.9%; seed=7";
	static const char alphabet[] = "0123456789.%@,;:= \n#gensdumcrahx\xff";
	uint64_t seed = RANDOM_SEED;
	int accepted = 0;
	for (int i = 0; i < MUTATIONS; i++) {
		char *text = strdup(origin); /* an exact copy, so a sanitizer sees a read beyond */
		struct injections all;
		for (uint64_t changes = 1 + random_next(&seed) % 3; changes > 0; changes--) {
			size_t at = random_next(&seed) % strlen(text);
			if (random_next(&seed) % 3 == 0)
				memmove(text + at, text + at + 1, strlen(text + at));
			else
				text[at] = alphabet[random_next(&seed) % (sizeof alphabet - 1)];
		}
		why_clear();
		int r = injections_parse(text, &all);
		ck_assert_msg(r == 0 || (r == -EINVAL && !strncmp(why_text(), "inject: ", 8)),
		    "\"%s\": %d, %s", text, r, why_text());
		if (r == 0) {
			assert_sane(text, &all);
			accepted++;
		}
		free(text);
	}
	ck_assert_int_gt(accepted, MUTATIONS / 100);
	ck_assert_int_lt(accepted, MUTATIONS);
}
END_TEST

/* ---- the draw ---- */

static uint64_t key_of(uint32_t task)
{
	return key_make(0, task);
}

static void assert_share(const char *what, uint64_t count, uint64_t of, double expected)
{
	double mean = (double)of * expected;
	double bound = SIGMAS * sqrt((double)of * expected * (1 - expected));
	ck_assert_msg(fabs((double)count - mean) <= bound,
	    "%s: %" PRIu64 " of %" PRIu64 ", expected %.0f within %.0f", what, count, of, mean,
	    bound);
}

START_TEST(faults_come_as_often_as_was_asked)
{
	static const char *const seeds[] = { "seed=0", "seed=1", "seed=7", "seed=123456789" };
	for (size_t i = 0; i < COUNT(seeds); i++) {
		char text[128];
		snprintf(text, sizeof text, "delay=1ms@10%%,fail@1%%,crash@0.1%%,hang@0.01%%;%s",
		    seeds[i]);
		struct injection all = plain(text);
		uint64_t count[FAULTS] = { 0 };
		for (uint32_t task = 0; task < DRAWS; task++)
			count[inject_draw(&all, key_of(task), 1).fault]++;
		assert_share("delays", count[FAULT_DELAY], DRAWS, 0.1);
		assert_share("failures", count[FAULT_FAIL], DRAWS, 0.01);
		assert_share("crashes", count[FAULT_CRASH], DRAWS, 0.001);
		assert_share("hangs", count[FAULT_HANG], DRAWS, 0.0001);
	}
}
END_TEST

START_TEST(attempts_of_a_task_and_seeds_are_independent)
{
	struct injection one = plain("fail@10%;seed=1"), other = plain("fail@10%;seed=2");
	uint64_t again = 0, both = 0;
	for (uint32_t task = 0; task < DRAWS; task++) {
		bool first = inject_draw(&one, key_of(task), 1).fault == FAULT_FAIL;
		again += first && inject_draw(&one, key_of(task), 2).fault == FAULT_FAIL;
		both += first && inject_draw(&other, key_of(task), 1).fault == FAULT_FAIL;
	}
	assert_share("second failures", again, DRAWS, 0.01);
	assert_share("failures under both seeds", both, DRAWS, 0.01);
}
END_TEST

START_TEST(delays_fill_their_range_evenly)
{
	enum { PARTS = 16 };
	struct injection all = plain("delay=5ms..50ms@100%");
	uint64_t count[PARTS] = { 0 }, range = 45 * NS_PER_MS + 1;
	for (uint32_t task = 0; task < DRAWS; task++) {
		struct injected injected = inject_draw(&all, key_of(task), 1);
		ck_assert_int_eq(injected.fault, FAULT_DELAY);
		ck_assert_uint_ge(injected.delay_ns, 5 * NS_PER_MS);
		ck_assert_uint_le(injected.delay_ns, 50 * NS_PER_MS);
		count[(injected.delay_ns - 5 * NS_PER_MS) * PARTS / range]++;
	}
	for (size_t i = 0; i < PARTS; i++)
		assert_share("delays in a sixteenth", count[i], DRAWS, 1.0 / PARTS);
}
END_TEST

START_TEST(always_is_always_and_never_is_never)
{
	struct injection always = plain("fail@100%"), never = plain("fail@0%,hang@100%");
	for (uint32_t task = 0; task < DRAWS / 10; task++) {
		ck_assert_int_eq(inject_draw(&always, key_of(task), 1).fault, FAULT_FAIL);
		ck_assert_int_eq(inject_draw(&never, key_of(task), 1).fault, FAULT_HANG);
	}
}
END_TEST

/* ---- a runtime ---- */

#define boot(...) \
	runtime_boot(&host, "--workers", "2", "--tasks", "1024", "--store", "16M", __VA_ARGS__)

static void expect_failure(int code, const char *words, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == code, "exit code %d, not %d: %s", o.code, code, o.err);
	ck_assert_msg(strstr(o.err, words) != NULL, "\"%s\", not \"%s\"", o.err, words);
	output_free(&o);
}

#define expect(code, words, ...) \
	expect_failure((code), (words), (const char *const[]){ __VA_ARGS__, NULL })

static long restarts(void)
{
	char *status = ctl_expect(&host, 0, "status", "--json");
	char *text = json_field(status, "restarts");
	ck_assert_ptr_nonnull(text);
	long n = strtol(text, NULL, 10);
	free(text);
	free(status);
	return n;
}

START_TEST(an_injected_failure_says_that_it_is_one_and_uses_retries)
{
	boot("--inject", "fail@100%", );
	expect(1, "injected failure of attempt 1", "call", "probe.noop");
	expect(1, "injected failure of attempt 4", "call", "--retries", "3", "probe.noop");
	ck_assert_int_eq(restarts(), 0);
	host_stop();
}
END_TEST

START_TEST(retries_get_over_injected_failures)
{
	boot("--inject", "fail@50%", );
	for (int i = 0; i < REPEATED; i++) {
		char *text = ctl_expect(&host, 0, "call", "--retries", "60", "probe.sum", "1", "2");
		ck_assert_str_eq(text, "3");
		free(text);
	}
	host_stop();
}
END_TEST

START_TEST(an_injected_crash_kills_the_worker_once_for_each_attempt)
{
	boot("--inject", "crash@100%", );
	expect(128 + SIGKILL, "signal 9", "call", "probe.noop");
	ck_assert_int_eq(restarts(), 1);
	expect(128 + SIGKILL, "probe.noop", "call", "--crash-retries", "2", "probe.noop");
	ck_assert_int_eq(restarts(), 4);
	host_stop();
}
END_TEST

START_TEST(crash_retries_get_over_injected_crashes)
{
	boot("--inject", "crash@50%", );
	for (int i = 0; i < REPEATED; i++) {
		char *text =
		    ctl_expect(&host, 0, "call", "--crash-retries", "60", "probe.sum", "1", "2");
		ck_assert_str_eq(text, "3");
		free(text);
	}
	ck_assert_int_gt(restarts(), 0);
	host_stop();
}
END_TEST

/* The CPU time of the only worker, from fields 14 and 15 of /proc/PID/stat. */
static unsigned long worker_cpu_ticks(void)
{
	char *worker = ctl_expect(&host, 0, "workers", "--json"), path[64], line[512] = "";
	char *pid = json_field(worker, "pid");
	unsigned long user = 0, kernel = 0;
	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	fclose(file);
	const char *behind_name = strrchr(line, ')');
	ck_assert_ptr_nonnull(behind_name);
	int fields = sscanf(
	    behind_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
	ck_assert_int_eq(fields, 2);
	free(pid);
	free(worker);
	return user + kernel;
}

START_TEST(an_injected_delay_delays_without_burning_a_core)
{
	const uint64_t delay_ms = 700;
	runtime_boot(&host, "--workers", "1", "--tasks", "1024", "--store", "16M", "--inject",
	    "delay=700ms@100%", );
	uint64_t ticks_before = worker_cpu_ticks(), began = clock_ns();
	char *text = ctl_expect(&host, 0, "call", "probe.sum", "1", "2");
	ck_assert_uint_ge(clock_ns() - began, delay_ms * NS_PER_MS);
	ck_assert_str_eq(text, "3");
	uint64_t burnt_ms =
	    (worker_cpu_ticks() - ticks_before) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	ck_assert_uint_lt(burnt_ms, delay_ms / 3);
	free(text);
	host_stop();
}
END_TEST

static char *running_task(void)
{
	char *task = ctl_expect(&host, 0, "call", "--detach", "probe.noop");
	ctl_until(&host, task, "tasks", "--state", "running", "--quiet");
	return task;
}

START_TEST(cancelling_ends_an_injected_delay_and_not_the_worker)
{
	boot("--inject", "delay=3600s@100%", );
	char *task = running_task();
	expect(0, "", "cancel", task);
	expect(130, "cancelled", "get", task);
	ctl_until(&host, task, "tasks", "--state", "cancelled", "--quiet");
	ck_assert_int_eq(restarts(), 0);
	free(task);
	host_stop();
}
END_TEST

START_TEST(an_injected_hang_is_ended_by_killing_the_worker)
{
	boot("--inject", "hang@100%", );
	char *task = running_task();
	expect(0, "", "cancel", task);
	expect(130, "cancelled", "get", task);
	ctl_until(&host, task, "tasks", "--state", "cancelled", "--quiet");
	ck_assert_int_eq(restarts(), 1);
	free(task);
	host_stop();
}
END_TEST

/* Runs a row of tasks; writes "f" for a failed task, "." for a good one. */
static void row_of_calls(const char *inject, char ret[REPEATED + 1])
{
	boot("--inject", inject, );
	for (int i = 0; i < REPEATED; i++) {
		struct output_of o = ctl(&host, "call", "probe.noop");
		ck_assert_int_le(o.code, 1);
		ret[i] = o.code ? 'f' : '.';
		output_free(&o);
	}
	ret[REPEATED] = 0;
	host_stop();
}

START_TEST(what_a_seed_did_it_does_again)
{
	char first[REPEATED + 1], again[REPEATED + 1], other[REPEATED + 1];
	row_of_calls("fail@50%; seed=7", first);
	row_of_calls("fail@50%; seed=7", again);
	row_of_calls("fail@50%; seed=8", other);
	ck_assert_str_eq(first, again);
	ck_assert_str_ne(first, other);
}
END_TEST

START_TEST(plain_workers_are_of_the_first_generation)
{
	boot("--inject", "gen=1: fail@100%; hang@100%", );
	expect(1, "injected", "call", "probe.noop");
	host_stop();
}
END_TEST

static void expect_usage_error(const char *const *arguments)
{
	static const struct runtime nobody = { .name = "no-such-runtime" };
	struct output_of o = program_run(&nobody, "plm", arguments, NULL, 0);
	ck_assert_int_eq(o.code, 64);
	ck_assert_msg(strstr(o.err, "inject: \"101%\" at character 6") != NULL, "%s", o.err);
	output_free(&o);
}

START_TEST(a_bad_text_is_a_usage_error_of_the_option_and_of_the_environment)
{
	expect_usage_error((const char *const[]){ "--inject", "fail@101%", NULL });
	setenv("PLM_INJECT", "fail@101%", 1);
	expect_usage_error((const char *const[]){ NULL });
	unsetenv("PLM_INJECT");
}
END_TEST

START_TEST(the_environment_injects_too)
{
	setenv("PLM_INJECT", "fail@100%", 1);
	runtime_boot(&host, "--workers", "2", "--tasks", "1024", "--store", "16M", );
	unsetenv("PLM_INJECT");
	expect(1, "injected", "call", "probe.noop");
	host_stop();
}
END_TEST

static void add_tests(Suite *suite, const char *name, const TTest *const *tests, size_t n)
{
	TCase *tcase = tcase_create(name);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const texts[] = {
		each_fault_has_a_chance_and_a_delay_has_a_length,
		a_clause_of_a_generation_replaces_the_one_of_all,
		what_is_wrong_is_said_where_it_stands,
		a_damaged_text_is_refused_or_means_something_possible,
	};
	const TTest *const draws[] = {
		faults_come_as_often_as_was_asked,
		attempts_of_a_task_and_seeds_are_independent,
		delays_fill_their_range_evenly,
		always_is_always_and_never_is_never,
	};
	const TTest *const running[] = {
		an_injected_failure_says_that_it_is_one_and_uses_retries,
		retries_get_over_injected_failures,
		an_injected_crash_kills_the_worker_once_for_each_attempt,
		crash_retries_get_over_injected_crashes,
		an_injected_delay_delays_without_burning_a_core,
		cancelling_ends_an_injected_delay_and_not_the_worker,
		an_injected_hang_is_ended_by_killing_the_worker,
		what_a_seed_did_it_does_again,
		plain_workers_are_of_the_first_generation,
		a_bad_text_is_a_usage_error_of_the_option_and_of_the_environment,
		the_environment_injects_too,
	};
	Suite *suite = suite_create("inject");
	add_tests(suite, "text", texts, COUNT(texts));
	add_tests(suite, "draw", draws, COUNT(draws));
	add_tests(suite, "runtime", running, COUNT(running));
	return run_suite(suite);
}
