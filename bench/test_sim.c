/* test_sim.c - compares the simulation with queueing theory, and tests refused options. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "bench/sim.h"
#include "tests/support/run_suite.h"

enum { MANY = 400000, WORDS_MAX = 8 };

static struct sim_result test_sim_run(const struct sim_setup *setup, const char *policy)
{
	struct sim_result result;
	struct sim_task *tasks = sim_make_tasks(setup);
	ck_assert_ptr_nonnull(tasks);
	ck_assert_int_eq(sim_run(setup, policy_find(policy), tasks, &result), 0);
	free(tasks);
	return result;
}

static void assert_near(const char *what, double seen, double theory, double tolerance)
{
	ck_assert_msg(fabs(seen / theory - 1) <= tolerance, "%s: %g, where theory says %g", what,
	    seen, theory);
}

/* M/M/1: P(wait > t) = load e^(-(1 - load) t), t in mean runtimes. */
START_TEST(one_worker_waits_as_the_theory_of_one_queue_says)
{
	struct sim_setup setup = sim_default();
	setup.workers = 1;
	setup.tasks = MANY;
	setup.load = 0.7;
	setup.immediate = _i;
	struct sim_result result = test_sim_run(&setup, "random");
	assert_near("wait p50", result.wait_p50_us, setup.mean_us * log(0.7 / 0.5) / 0.3, 0.05);
	assert_near("wait p99", result.wait_p99_us, setup.mean_us * log(0.7 / 0.01) / 0.3, 0.05);
	assert_near("stay p99", result.stay_p99_us, setup.mean_us * log(1 / 0.01) / 0.3, 0.05);
	ck_assert_double_eq(result.balance, 1);
}
END_TEST

/* M/M/c: the share of waiting tasks (Erlang's C), then an exponential time of mean 1 / (c (1 -
 * load)). */
START_TEST(one_queue_waits_as_erlang_says_whatever_the_policy)
{
	struct sim_setup setup = sim_default();
	double load = 0.7, busy = 1, sum = 0; /* busy: a^k / k! */
	uint32_t c = 8;
	for (uint32_t k = 0; k < c; busy *= c * load / ++k)
		sum += busy;
	double waits = busy / (1 - load) / (sum + busy / (1 - load));
	setup.workers = c / 2;
	setup.slots = 2;
	setup.tasks = MANY;
	setup.load = load;
	setup.immediate = false;
	struct sim_result result = test_sim_run(&setup, policy_at((size_t)_i)->name);
	assert_near("wait p99", result.wait_p99_us,
	    setup.mean_us * log(waits / 0.01) / (c * (1 - load)), 0.05);
	ck_assert_double_eq(result.most, setup.slots);
}
END_TEST

/* So much capacity that no task waits: the time in the system is the run time. */
static struct sim_setup lonely_tasks(void)
{
	struct sim_setup setup = sim_default();
	setup.tasks = 1000;
	setup.load = 0.0001;
	setup.runtime = SIM_CONSTANT;
	return setup;
}

START_TEST(a_generation_runs_as_fast_as_it_weighs)
{
	struct sim_setup setup = lonely_tasks();
	setup.mix[0] = (uint32_t)_i;
	struct sim_result result = test_sim_run(&setup, "random");
	assert_near("stay", result.stay_p99_us, setup.mean_us / _i, 1e-5); /* whole ns */
	ck_assert_double_eq(result.wait_p99_us, 0);
}
END_TEST

START_TEST(bytes_take_time_to_another_node_half_of_it_within_one_none_at_home)
{
	struct sim_setup setup = lonely_tasks();
	setup.bytes = 1;
	setup.transfer = 3;
	setup.nodes = 2;
	setup.workers = 2;
	struct sim_result far = test_sim_run(&setup, "static-fill"),
			  home = test_sim_run(&setup, "locality");
	setup.nodes = 1;
	struct sim_result near = test_sim_run(&setup, "static-fill");
	assert_near("another node", far.stay_p99_us, 4 * setup.mean_us, 1e-9);
	assert_near("the same node", near.stay_p99_us, 2.5 * setup.mean_us, 1e-9);
	assert_near("at home", home.stay_p99_us, setup.mean_us, 1e-9);
	assert_near("moved of two homes", far.moved, 0.5, 0.1);
	ck_assert_double_eq(home.moved, 0);
}
END_TEST

START_TEST(each_distribution_has_the_mean_asked_for)
{
	struct sim_setup setup = sim_default();
	double sum = 0;
	setup.runtime = (enum sim_runtime)_i;
	setup.tasks = MANY;
	struct sim_task *tasks = sim_make_tasks(&setup);
	for (uint32_t i = 0; i < MANY; i++)
		sum += (double)tasks[i].runtime_ns / SIM_NS_PER_US;
	/* The cut of pareto's tail takes a hundredth; the rest still varies much. */
	assert_near("mean", sum / MANY, setup.mean_us, _i == SIM_PARETO ? 0.06 : 0.01);
	/* Poisson arrivals of the load */
	assert_near("time", (double)tasks[MANY - 1].arrival_ns / SIM_NS_PER_US,
	    MANY * setup.mean_us / (setup.load * setup.workers), 0.01);
	free(tasks);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_figures_another_one_others)
{
	struct sim_setup setup = sim_default();
	setup.tasks = 10000;
	for (size_t i = 0; policy_at(i); i++) {
		setup.seed = 7;
		struct sim_result first = test_sim_run(&setup, policy_at(i)->name);
		struct sim_result again = test_sim_run(&setup, policy_at(i)->name);
		setup.seed = 8;
		struct sim_result other = test_sim_run(&setup, policy_at(i)->name);
		ck_assert_mem_eq(&first, &again, sizeof first);
		ck_assert_double_ne(first.makespan_us, other.makespan_us);
	}
}
END_TEST

START_TEST(static_fill_leaves_the_weak_alone_while_the_strong_have_room)
{
	struct sim_setup setup = lonely_tasks();
	setup.mix_n = 2;
	setup.mix[1] = 4;
	assert_near(
	    "stay", test_sim_run(&setup, "static-fill").stay_p99_us, setup.mean_us / 4, 1e-9);
	assert_near(
	    "one does all", test_sim_run(&setup, "static-fill").balance, setup.workers, 1e-9);
	assert_near("all do the same", test_sim_run(&setup, "round-robin").balance, 1.6, 0.05);
}
END_TEST

/* ---- the command line ---- */

static int test_sim_parse(const char *line, struct sim_request *ret)
{
	char text[128], *word[WORDS_MAX] = { (char[]){ "sim" } };
	int n = 1;
	snprintf(text, sizeof text, "%s", line);
	for (char *at = strtok(text, " "); at && n < WORDS_MAX - 1; at = strtok(NULL, " "))
		word[n++] = at;
	optind = 0; /* getopt_long() begins anew */
	return sim_options(n, word, ret);
}

static const struct {
	const char *line, *says;
} malformed[] = {
	{ "--workers 0", "--workers" },
	{ "--workers 5x", "'5x'" },
	{ "--workers", "wants a value" },
	{ "--workers 100001", "100000" },
	{ "--slots 65", "--slots" },
	{ "--tasks -1", "--tasks" },
	{ "--load nan", "--load" },
	{ "--load 0x1", "--load" },
	{ "--load -0.5", "--load" },
	{ "--bytes 1.5", "--bytes" },
	{ "--mode x", "immediate or queued" },
	{ "--policy best", "power-of-two" },
	{ "--runtime exp", "exponential" },
	{ "--runtime constant:", "--runtime" },
	{ "--runtime pareto:0", "--runtime" },
	{ "--generations 1,5", "--generations" },
	{ "--generations 1,,2", "--generations" },
	{ "--generations 12", "--generations" },
	{ "--seed 7x", "--seed" },
	{ "--seed 18446744073709551616", "--seed" },
	{ "--colour", "no option --colour" },
	{ "extra", "'extra'" },
	{ "--table --load 1", "--load" },
	{ "--cost --seed 3", "--seed" },
	{ "--table --cost", "one of them" },
	{ "--workers 2 --nodes 3 --bytes 1", "3 nodes" },
	{ "--transfer 2", "--bytes" },
	{ "--nodes 2", "--bytes" },
	{ "--mode queued --depth 2", "--depth" },
};

START_TEST(what_is_malformed_or_changes_nothing_is_refused_with_a_reason)
{
	struct sim_request request = { .csv_path = "untouched" };
	ck_assert_int_eq(test_sim_parse(malformed[_i].line, &request), -EINVAL);
	ck_assert_msg(
	    strstr(why_text(), malformed[_i].says), "%s: %s", malformed[_i].line, why_text());
	ck_assert_str_eq(request.csv_path, "untouched");
}
END_TEST

START_TEST(options_say_what_is_run)
{
	struct sim_request request;
	ck_assert_int_eq(test_sim_parse("", &request), 0);
	ck_assert(!request.policy && !request.standard && !request.cost && request.setup.immediate);
	ck_assert_int_eq(
	    test_sim_parse("--generations 1,4,2 --runtime pareto:50 --seed 9", &request), 0);
	ck_assert_uint_eq(request.setup.mix_n, 3);
	ck_assert_uint_eq(request.setup.mix[1], 4);
	ck_assert_int_eq(request.setup.runtime, SIM_PARETO);
	ck_assert_double_eq(request.setup.mean_us, 50);
	ck_assert_uint_eq(request.setup.seed, 9);
	ck_assert_int_eq(test_sim_parse("--policy random --mode queued --load 0", &request), 0);
	ck_assert_ptr_eq(request.policy, policy_find("random"));
	ck_assert(!request.setup.immediate && request.setup.load <= 0);
	ck_assert_int_eq(test_sim_parse("--table --seed 3 --csv x", &request), 0);
	ck_assert(request.standard && request.setup.seed == 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sim");
	TCase *theory = tcase_create("theory"), *options = tcase_create("options");
	tcase_set_timeout(theory, 60);
	tcase_add_loop_test(theory, one_worker_waits_as_the_theory_of_one_queue_says, 0, 2);
	tcase_add_loop_test(theory, one_queue_waits_as_erlang_says_whatever_the_policy, 0, 6);
	tcase_add_loop_test(theory, a_generation_runs_as_fast_as_it_weighs, 1, SIM_GENERATIONS + 1);
	tcase_add_test(theory, bytes_take_time_to_another_node_half_of_it_within_one_none_at_home);
	tcase_add_loop_test(theory, each_distribution_has_the_mean_asked_for, 0, SIM_RUNTIMES);
	tcase_add_test(theory, the_same_seed_gives_the_same_figures_another_one_others);
	tcase_add_test(theory, static_fill_leaves_the_weak_alone_while_the_strong_have_room);
	tcase_add_loop_test(options, what_is_malformed_or_changes_nothing_is_refused_with_a_reason,
	    0, COUNT_OF(malformed));
	tcase_add_test(options, options_say_what_is_run);
	suite_add_tcase(suite, theory);
	suite_add_tcase(suite, options);
	return run_suite(suite);
}
