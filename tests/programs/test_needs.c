/* test_needs.c - workers of several kinds, and tasks that need several cpus or resources. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/modules/gauge.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, CROWD = 400, WORKER_KILLS = 12, SCHEDULER_KILLS = 7, HOLD_US = 500 };

static char gauge_path[128];

static void needs_boot(const char *workers, const char *policy)
{
	static const struct gauge empty;
	runtime_boot(&host, "--workers", workers, "--module", test_module("mod_gauge"), "--policy",
	    policy, "--memory", "1G", );
	host_join();
	scratch_write(&host, "gauge", &empty, sizeof empty, gauge_path, sizeof gauge_path);
}

static int64_t gauge_word(int which)
{
	int64_t words[2] = { 0 };
	FILE *file = fopen(gauge_path, "r");
	ck_assert(file && fread(words, sizeof words, 1, file) == 1);
	fclose(file);
	return words[which];
}

/* Submits a task with these needs that holds `amount` on the gauge. */
static plm_ref hold(const char *needs, const char *amount, unsigned crash_retries)
{
	plm_terms terms = { .needs = needs };
	plm_arg args[3] = { PLM_BYTES(gauge_path, strlen(gauge_path)),
		PLM_BYTES(amount, strlen(amount)), PLM_BYTES("500", 3) };
	plm_task task = { .function = "gauge.hold",
		.args = args,
		.nargs = 3,
		.terms = needs ? &terms : NULL,
		.crash_retries = crash_retries };
	plm_ref ref;
	ck_assert_msg(plm_submit(client, &task, &ref) == 0, "%s", plm_why());
	return ref;
}

static void await(const plm_ref *refs, size_t n)
{
	ck_assert_msg(plm_wait(client, refs, n, n, DEADLINE_MS * 3, NULL) == 0, "%s", plm_why());
}

static void expect_done(plm_ref ref)
{
	plm_view view;
	ck_assert_msg(plm_get(client, ref, &view, DEADLINE_MS) == 0, "%s", plm_why());
	plm_release(client, &view);
}

/* Many tasks at once, with these needs in turn; together the tasks must never hold more than
 * `most`. */
static void crowd(const char *const *needs, const char *const *amounts, size_t kinds, int64_t most)
{
	plm_ref refs[CROWD];
	for (size_t i = 0; i < CROWD; i++)
		refs[i] = hold(needs[i % kinds], amounts[i % kinds], 0);
	await(refs, CROWD);
	for (size_t i = 0; i < CROWD; i++)
		expect_done(refs[i]);
	plm_drop_many(client, refs, CROWD);
	ck_assert_int_eq(gauge_word(0), 0);
	ck_assert_int_gt(gauge_word(1), 0);
	ck_assert_int_le(gauge_word(1), most);
}

START_TEST(cpus_of_tasks_together_never_exceed_the_slots)
{
	const char *needs[] = { "cpus=1", "cpus=2", "cpus=4", NULL, "cpus=3" };
	const char *amounts[] = { "1", "2", "4", "1", "3" };
	needs_boot("cpus=4 x1", "locality");
	crowd(needs, amounts, 5, 4);
	host_stop();
}
END_TEST

START_TEST(cpus_may_be_slots_of_several_workers_of_a_kind)
{
	const char *needs[] = { "cpus=2", "cpus=3", NULL }, *amounts[] = { "2", "3", "1" };
	needs_boot("3", "locality");
	crowd(needs, amounts, 3, 3);
	host_stop();
}
END_TEST

START_TEST(a_resource_is_never_used_twice)
{
	const char *needs[] = { "licence=1", "licence=2", "licence=0.5" };
	const char *amounts[] = { "1000", "2000", "500" };
	needs_boot("cpus=3,licence=2 x1; cpus=2 x1", "random");
	crowd(needs, amounts, 3, 2000);
	host_stop();
}
END_TEST

START_TEST(memory_is_the_machines_over_all_workers)
{
	const char *needs[] = { "mem=600M", "mem=400M", "mem=1G" };
	const char *amounts[] = { "600", "400", "1024" };
	needs_boot("4", "power-of-two");
	crowd(needs, amounts, 3, 1024);
	host_stop();
}
END_TEST

START_TEST(gpus_are_shared_by_fractions_and_whole_ones_are_alone)
{
	const char *needs[] = { "gpus=0.5", "gpus=1", "gpus=2", "gpus=0.25" };
	const char *amounts[] = { "500", "1000", "2000", "250" };
	needs_boot("cpus=4,gpus=2 x1; cpus=2 x1", "load-aware");
	crowd(needs, amounts, 4, 2000);
	host_stop();
}
END_TEST

START_TEST(what_can_never_be_met_is_refused_with_the_reason)
{
	static const struct {
		const char *needs, *why;
	} all[] = { { "cpus=5", "cpus=5: no worker has more than 4" },
		{ "gpus=1", "gpus=1: no worker has any" },
		{ "mem=2G", "mem=2G: no worker has more than 1G" }, { "fish=1", "\"fish\"" },
		{ "cpus", "cpus" }, { "cpus=0", "cpus" }, { "cpus=1|", "the end at character 8" },
		{ "", "needs" } };
	needs_boot("cpus=4 x1", "locality");
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		plm_terms terms = { .needs = all[i].needs };
		plm_task task = { .function = "probe.noop", .terms = &terms };
		plm_ref ref;
		ck_assert_int_eq(plm_submit(client, &task, &ref), -EINVAL);
		ck_assert_msg(strstr(plm_why(), all[i].why), "\"%s\": %s", all[i].needs, plm_why());
	}
	host_stop();
}
END_TEST

START_TEST(a_large_task_is_not_starved_by_small_ones)
{
	plm_ref small[CROWD], large;
	needs_boot("cpus=2 x1", "locality");
	for (size_t i = 0; i < CROWD / 2; i++)
		small[i] = hold(NULL, "1", 0);
	large = hold("cpus=2", "2", 0);
	for (size_t i = CROWD / 2; i < CROWD; i++)
		small[i] = hold(NULL, "1", 0);
	await(&large, 1);
	uint8_t ready[CROWD];
	size_t done = 0;
	plm_wait(client, small, CROWD, 0, 0, ready);
	for (size_t i = 0; i < CROWD; i++)
		done += ready[i];
	ck_assert_uint_lt(done, CROWD); /* some tasks submitted after the wide task still wait */
	await(small, CROWD);
	ck_assert_int_eq(gauge_word(1), 2);
	host_stop();
}
END_TEST

START_TEST(the_second_way_is_taken_when_the_first_is_in_use)
{
	needs_boot("cpus=2,gpus=1 x1; cpus=2 x1", "locality");
	plm_ref first[4];
	uint64_t deadline_ns = deadline_after_ms(DEADLINE_MS);
	do { /* again, if a task ended before the next task was placed (a busy machine) */
		for (int i = 0; i < 4; i++)
			first[i] = hold("gpus=1 | cpus=2", "1", 0);
		await(first, 4);
	} while (gauge_word(1) < 2 && clock_ns() < deadline_ns);
	ck_assert_int_ge(gauge_word(1), 2); /* a task with the GPU, a task with two cpus */
	host_stop();
}
END_TEST

static void expect_variable(const char *needs, const char *name, const char *value)
{
	char *out = needs ? ctl_expect(&host, 0, "call", "--needs", needs, "gauge.variable", name)
			  : ctl_expect(&host, 0, "call", "gauge.variable", name);
	ck_assert_str_eq(out, value);
	free(out);
}

START_TEST(a_task_is_told_its_cpus_and_sees_its_gpus_alone)
{
	needs_boot("cpus=3,gpus=2 x1", "locality");
	expect_variable("cpus=3", "OMP_NUM_THREADS", "3");
	expect_variable(NULL, "OMP_NUM_THREADS", "1");
	expect_variable("cpus=2", "PLM_CPUS", "2");
	expect_variable("gpus=2", "CUDA_VISIBLE_DEVICES", "0,1");
	expect_variable(NULL, "CUDA_VISIBLE_DEVICES", "");
	expect_variable("gpus=0.5", "CUDA_VISIBLE_DEVICES", "0");
	host_stop();
}
END_TEST

/* ---- deaths ---- */

/* Kill the scheduler only a few times: the successor of one that died young comes later each time.
 */
static void survive(enum process_kind victim, int kills)
{
	static const char *const needs[] = { "cpus=2", "licence=1", NULL, "cpus=3|licence=2" };
	uint64_t random = RANDOM_SEED;
	plm_ref refs[CROWD];
	needs_boot("cpus=4,licence=2 x1", "locality");
	for (size_t i = 0; i < CROWD; i++)
		refs[i] = hold(needs[i % 4], "1", 200);
	for (int i = 0; i < kills; i++) {
		const struct process *member = pick_member(client, victim, &random);
		if (member)
			kill_member(&host, member);
		size_t settled = (size_t)(i + 1) * CROWD / ((size_t)kills * 2);
		plm_wait(client, refs, CROWD, settled, DEADLINE_MS, NULL);
	}
	await(refs, CROWD);
	for (size_t i = 0; i < CROWD; i++)
		expect_done(refs[i]);
	plm_drop_many(client, refs, CROWD);
	expect_done(hold("cpus=4,licence=2", "1", 0)); /* all cpus and resources are free again */
	char *report = program_expect(&host, 0, (const char *const[]){ "status", NULL });
	free(report);
	host_stop();
}

START_TEST(bookings_survive_the_deaths_of_schedulers)
{
	survive(KIND_SCHEDULER, SCHEDULER_KILLS);
}
END_TEST

START_TEST(bookings_end_with_the_workers_that_die)
{
	survive(KIND_WORKER, WORKER_KILLS);
}
END_TEST

START_TEST(slots_kept_for_a_task_are_shown_as_used)
{
	needs_boot("cpus=4 x1", "locality");
	free(
	    ctl_expect(&host, 0, "call", "--detach", "--needs", "cpus=3", "probe.sleep", "600000"));
	ctl_until(&host, "\"cpus_used\": 3", "workers", "--json");
	runtime_end(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("needs");
	TCase *needs = tcase_create("needs");
	tcase_set_timeout(needs, TEST_TIMEOUT_S);
	tcase_add_test(needs, cpus_of_tasks_together_never_exceed_the_slots);
	tcase_add_test(needs, cpus_may_be_slots_of_several_workers_of_a_kind);
	tcase_add_test(needs, a_resource_is_never_used_twice);
	tcase_add_test(needs, memory_is_the_machines_over_all_workers);
	tcase_add_test(needs, gpus_are_shared_by_fractions_and_whole_ones_are_alone);
	tcase_add_test(needs, what_can_never_be_met_is_refused_with_the_reason);
	tcase_add_test(needs, a_large_task_is_not_starved_by_small_ones);
	tcase_add_test(needs, the_second_way_is_taken_when_the_first_is_in_use);
	tcase_add_test(needs, a_task_is_told_its_cpus_and_sees_its_gpus_alone);
	tcase_add_test(needs, slots_kept_for_a_task_are_shown_as_used);
	tcase_add_test(needs, bookings_survive_the_deaths_of_schedulers);
	tcase_add_test(needs, bookings_end_with_the_workers_that_die);
	suite_add_tcase(suite, needs);
	return run_suite(suite);
}
