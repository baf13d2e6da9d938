/* test_flow.c - plmctl top and a log with millions of events a second: rates and percentiles are
 * right, and reading costs little, whatever the rate. Time and log are simulated. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/top/top_flow.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60, EVENT_COST_NS = 70, STEP_MS = 5, SECONDS = 20, OTHERS = 3 };

/* ---- a simulated log ---- */

#define WRAPPED(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

struct plm_events {
	uint64_t next_ns; /* of the next event to read */
};

static struct {
	uint64_t now_ns, cpu_ns;
	uint64_t event_ns; /* between two events; each OTHERS + 1st is the end of a task */
	uint64_t ring_ns;  /* older events are overwritten; 0: never */
	uint64_t number, lost, read;
	uint64_t cost_ns; /* of an event */
	double counted;   /* tasks a second, by the workers' count */
	bool always, watched;
	int connects;
	plm_events reader;
} log_;

/* The simulated time begins with the time of the kernel, because libcheck measures, too. */
WRAPPED(int, clock_gettime, clockid_t id, struct timespec *ret)
{
	if (log_.now_ns == 0)
		return __real_clock_gettime(id, ret);
	*ret = clock_timespec(id == CLOCK_THREAD_CPUTIME_ID ? log_.cpu_ns : log_.now_ns);
	return 0;
}

WRAPPED(int, plm_events_open, plm_events **ret, plm_inspect *in, uint64_t since_ns)
{
	(void)in;
	ck_assert_uint_eq(since_ns, PLM_EVENTS_NOW);
	log_.reader.next_ns = log_.now_ns;
	*ret = &log_.reader;
	return 0;
}

WRAPPED(void, plm_events_close, plm_events **events)
{
	*events = NULL;
}

WRAPPED(int, plm_events_state_get, plm_events *events, plm_events_state *ret, size_t size)
{
	(void)events;
	ck_assert_uint_eq(size, sizeof *ret);
	*ret = (plm_events_state){
		.on = log_.always || log_.watched, .always = log_.always, .lost = log_.lost
	};
	return 0;
}

static uint64_t align(uint64_t ns)
{
	return (ns + log_.event_ns - 1) / log_.event_ns * log_.event_ns;
}

WRAPPED(int64_t, plm_events_skip, plm_events *events, uint64_t n)
{
	ck_assert_uint_eq(n, 0);
	uint64_t from = events->next_ns;
	events->next_ns = align(log_.now_ns);
	return (int64_t)((events->next_ns - from) / log_.event_ns);
}

/* Run times of one function go from 1 to 100 us, evenly; each tenth task fails. */
static plm_event log_event(uint64_t time_ns)
{
	uint64_t n = time_ns / log_.event_ns;
	bool end = n % (OTHERS + 1) == 0;
	n /= OTHERS + 1;
	plm_event e = { .time_ns = time_ns,
		.kind = !end      ? PLM_EVENT_STARTED
		    : n % 10 == 0 ? PLM_EVENT_FAILED
				  : PLM_EVENT_DONE,
		.ref = { .id = n, .runtime = 1 },
		.argument = (n % 100 + 1) * 1000 };
	strcpy(e.function_name, "m.f");
	return e;
}

WRAPPED(int, plm_events_read, plm_events *events, plm_event *rows, size_t size, size_t n)
{
	ck_assert_uint_eq(size, sizeof *rows);
	uint64_t settled = log_.now_ns - 2 * NS_PER_MS;
	uint64_t oldest = log_.ring_ns ? align(log_.now_ns - log_.ring_ns) : 0;
	if (events->next_ns < oldest) {
		log_.lost += (oldest - events->next_ns) / log_.event_ns;
		events->next_ns = oldest;
	}
	size_t i = 0;
	for (events->next_ns = align(events->next_ns); i < n && events->next_ns <= settled;
	     events->next_ns += log_.event_ns)
		rows[i++] = log_event(events->next_ns);
	log_.cpu_ns += i * log_.cost_ns;
	log_.read += i;
	return (int)i;
}

WRAPPED(int, plm_connect_with, plm **ret, const char *name, unsigned flags, int timeout_ms)
{
	(void)name;
	(void)timeout_ms;
	ck_assert_uint_eq(flags, PLM_VISIT);
	log_.connects++;
	*ret = (plm *)&log_;
	return 0;
}

WRAPPED(void, plm_disconnect, plm **rt)
{
	*rt = NULL;
}

WRAPPED(int, plm_events_watch, plm *rt)
{
	(void)rt;
	log_.watched = true;
	return 0;
}

WRAPPED(int, plm_events_unwatch, plm *rt)
{
	(void)rt;
	log_.watched = false;
	return 0;
}

/* ---- top ---- */

static struct flow flow;

static void log_begin(uint64_t events_in_a_second)
{
	log_.now_ns = clock_ns();
	log_.event_ns = NS_PER_S / events_in_a_second;
	log_.cost_ns = EVENT_COST_NS;
	flow_follow(&flow, NULL, (plm_inspect *)&log_);
	ck_assert(flow.lives);
}

/* As top does, which never sleeps longer than to the next look. */
static void run_for(unsigned seconds)
{
	uint64_t end = log_.now_ns + seconds * NS_PER_S, frame = log_.now_ns;
	while (log_.now_ns < end) {
		uint64_t step = log_.now_ns + STEP_MS * NS_PER_MS, due = flow_due_ns(&flow);
		log_.now_ns = due > log_.now_ns && due < step ? due : step;
		flow_read(&flow);
		if (log_.now_ns >= frame) {
			flow_fade(&flow, log_.counted);
			frame += NS_PER_S;
		}
	}
}

static void expect_about(double value, double expected, double share, const char *what)
{
	ck_assert_msg(
	    fabs(value - expected) <= expected * share, "%s is %g, not %g", what, value, expected);
}

static void expect_numbers(double events_in_a_second)
{
	ck_assert_uint_eq(flow.runs.functions, 1);
	const struct runs_of *f = &flow.runs.function[0];
	double rate = events_in_a_second / (OTHERS + 1);
	ck_assert_str_eq(f->name, "m.f");
	expect_about(runs_rate(&flow.runs, f->ended), rate, 0.05, "the rate");
	expect_about(runs_rate(&flow.runs, f->failed), rate / 10, 0.2, "the rate of failures");
	expect_about(f->run_ns / f->ran, 50500, 0.05, "the mean");
	expect_about(runs_percentile_ns(f, 0.99), 99000, 0.07, "p99");
	expect_about(runs_percentile_ns(f, 0.5), 50000, 0.1, "the median");
}

static const unsigned rates[] = { 400, 20000, 500000, 4000000, 20000000 };

START_TEST(rates_are_right_and_cheap_at_any_rate)
{
	log_begin(rates[_i]);
	run_for(SECONDS);
	expect_numbers(rates[_i]);
	double core = (double)log_.cpu_ns / (double)(SECONDS * NS_PER_S);
	ck_assert_msg(core < 0.025, "%g of a core", core);
	if (rates[_i] <= 20000) /* nothing is left out that is cheap to read */
		expect_about((double)log_.read, (double)rates[_i] * SECONDS, 0.02, "events read");
	flow_end(&flow);
}
END_TEST

START_TEST(rings_that_are_soon_overwritten_give_the_right_rates)
{
	log_begin(4000000);
	log_.ring_ns = 6 * NS_PER_MS;
	run_for(SECONDS);
	expect_numbers(4000000);
	flow_end(&flow);
}
END_TEST

/* A sample has seen three times as many tasks as workers ran meanwhile. */
START_TEST(of_a_sample_the_count_of_the_workers_gives_the_sum)
{
	log_begin(4000000);
	log_.counted = 1000000.0 / 3;
	run_for(SECONDS);
	expect_about(
	    runs_rate(&flow.runs, flow.runs.function[0].ended), log_.counted, 0.01, "the rate");
	flow_end(&flow);
}
END_TEST

START_TEST(what_has_ended_fades)
{
	log_begin(20000);
	run_for(SECONDS);
	log_.event_ns = 1000 * NS_PER_S; /* nothing happens any more */
	log_.reader.next_ns = log_.now_ns;
	run_for(30);
	double rate = runs_rate(&flow.runs, flow.runs.function[0].ended);
	ck_assert_msg(rate < 20000 / (OTHERS + 1) * 0.06, "%g", rate);
	run_for(300);
	ck_assert_uint_eq(flow.runs.functions, 0);
	flow_end(&flow);
}
END_TEST

START_TEST(nobody_watches_a_log_that_is_always_on)
{
	log_.now_ns = clock_ns();
	log_.always = true;
	log_.event_ns = NS_PER_MS;
	flow_follow(&flow, NULL, (plm_inspect *)&log_);
	ck_assert(flow.lives && log_.connects == 0);
	flow_end(&flow);
}
END_TEST

START_TEST(the_log_is_watched_until_the_end_alone)
{
	log_begin(400);
	ck_assert(log_.watched && log_.connects == 1);
	flow_follow(&flow, NULL, (plm_inspect *)&log_);
	ck_assert_int_eq(log_.connects, 1);
	flow_end(&flow);
	ck_assert(!log_.watched && !flow.lives && flow_due_ns(&flow) == UINT64_MAX);
}
END_TEST

/* ---- run times alone ---- */

START_TEST(each_run_time_has_a_class_near_by)
{
	for (uint64_t ns = 1; ns < UINT64_C(1) << 50; ns += 1 + ns / 7) {
		struct runs runs = { .functions = 0 };
		ck_assert_int_eq(runs_begin(&runs), 0);
		runs_add(&runs, "f", false, ns);
		expect_about(
		    runs_percentile_ns(&runs.function[0], 1), (double)ns, 0.07, "the class");
		runs_end(&runs);
	}
}
END_TEST

START_TEST(functions_without_room_are_counted_together)
{
	struct runs runs = { .functions = 0 };
	char name[32];
	ck_assert_int_eq(runs_begin(&runs), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2 * RUNS_FUNCTIONS; i++) {
			snprintf(name, sizeof name, "f%d", i);
			runs_add(&runs, name, false, 1000);
		}
		runs_fade(&runs, NS_PER_S, 0);
	}
	ck_assert_uint_eq(runs.functions, RUNS_FUNCTIONS);
	ck_assert_str_eq(runs.function[RUNS_FUNCTIONS - 1].name, "(others)");
	expect_about(runs.function[RUNS_FUNCTIONS - 1].ended / runs.function[0].ended,
	    RUNS_FUNCTIONS + 1, 0.001, "the share of the others");
	runs_end(&runs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow");
	TCase *tcase = tcase_create("flow");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_loop_test(
	    tcase, rates_are_right_and_cheap_at_any_rate, 0, (int)(sizeof rates / sizeof rates[0]));
	tcase_add_test(tcase, rings_that_are_soon_overwritten_give_the_right_rates);
	tcase_add_test(tcase, of_a_sample_the_count_of_the_workers_gives_the_sum);
	tcase_add_test(tcase, what_has_ended_fades);
	tcase_add_test(tcase, nobody_watches_a_log_that_is_always_on);
	tcase_add_test(tcase, the_log_is_watched_until_the_end_alone);
	tcase_add_test(tcase, each_run_time_has_a_class_near_by);
	tcase_add_test(tcase, functions_without_room_are_counted_together);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
