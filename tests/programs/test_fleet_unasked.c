/* test_fleet_unasked.c - an idle host gets new tasks unasked, as many as it has free workers, and a
 * task that got lost on its way is found. The test plays users and hosts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "fleet/task_words.h"
#include "tests/support/fleet_case.h"
#include "tests/support/played/fleet_played.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120 };

static void idles(const char *member, unsigned free_workers)
{
	played.room = (struct engine_room){ .free = free_workers, .heard = played.room.heard };
	ck_assert_uint_eq(played_claim(member, 9), 0);
}

/* The next message, which may need a moment. */
static int bell(struct engine_claim *ret)
{
	int rung = 0;
	uint64_t deadline_ns = deadline_after_ms(PLAYED_ANSWER_MS);
	while (rung == 0 && clock_ns() < deadline_ns)
		rung = engine_bell(played.host, ret);
	return rung;
}

START_TEST(an_idle_host_gets_tasks_unasked_as_many_as_it_has_free_workers)
{
	struct engine_claim pushed[2];
	played.room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(played.host, "anna"));
	idles("anna", 2);
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed[0]), BELL_TASK);
	ck_assert_uint_eq(pushed[0].id, (uint64_t)played.ids[0]);
	ck_assert_uint_eq(pushed[0].attempt, 1);
	ck_assert_uint_eq(pushed[0].pushed, 1);
	ck_assert_uint_eq(played_counts().running, 1);
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed[1]), BELL_TASK);
	ck_assert_uint_eq(pushed[1].pushed, 2);
	played_add(1, (struct engine_task){ .priority = 0 }); /* no worker is free */
	ck_assert_uint_eq(played_counts().ready, 1);
	played.room = (struct engine_room){ .free = 1, .heard = 2 };
	ck_assert_uint_eq(played_commit("anna", pushed, 1, ENDING_DONE), 1);
	ck_assert(!played.idle); /* a task waits */
	ck_assert_uint_eq(played_commit("bert", pushed + 1, 1, ENDING_DONE), 0);
	ck_assert_uint_eq(played_claim("anna", 1), 1);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	ck_assert(!played.idle); /* it has not been told that there is no more */
	idles("anna", 1);
	ck_assert_uint_eq(played_commit("anna", pushed + 1, 1, ENDING_DONE), 1);
	ck_assert(played.idle);
	ck_assert_uint_eq(played_counts().done, 3);
}
END_TEST

START_TEST(tasks_on_the_way_count_as_taken)
{
	struct engine_claim pushed;
	played.room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(played.host, "anna"));
	idles("anna", 2);
	played_add(1, (struct engine_task){ .priority = 0 });
	idles("anna", 1); /* said before the first had come */
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed), BELL_TASK);
	ck_assert_int_eq(bell(&pushed), BELL_WORK);
	ck_assert_uint_eq(played_counts().ready, 1);
}
END_TEST

START_TEST(nothing_comes_unasked_past_waiting_tasks_or_to_those_who_do_not_listen)
{
	struct engine_claim pushed;
	played.room = (struct engine_room){ .free = 0 };
	idles("anna", 1);
	played_add(1, (struct engine_task){ .priority = 0 }); /* no bell is open */
	ck_assert_uint_eq(played_counts().ready, 1);
	GOOD(engine_bell_open(played.host, "bert"));
	REDIS("hset", "plm:{test}:idle", "bert", "5");
	played_add(1, (struct engine_task){ .priority = 7 });
	ck_assert_int_eq(bell(&pushed), BELL_WORK);
	ck_assert_uint_eq(played_claim("bert", 1), 1);
	ck_assert_uint_eq(played.claims[0].id, (uint64_t)played.ids[0]);
	played.ids[0]--;
	ck_assert_uint_eq(played_claim("bert", 1), 1);
	idles("bert", 1);
	ck_assert_uint_eq(played_claim("bert", 0), 0); /* wants to be left alone */
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(played_counts().ready, 1);
}
END_TEST

START_TEST(a_task_that_got_lost_on_its_way_is_found_and_goes_back)
{
	struct engine_claim late;
	struct engine_orders orders;
	uint64_t mine[PLAYED_MOST][2], pushed;
	played.room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(played.host, "anna"));
	idles("anna", 1);
	played_add(1, (struct engine_task){ .priority = 0 });
	GOOD(engine_renew(played.host, "anna", &played_facts, &orders));
	ck_assert_uint_eq(orders.pushed, 1);
	ck_assert_int_eq(engine_mine(played.host, "anna", mine, PLAYED_MOST, &pushed), 1);
	ck_assert_uint_eq(pushed, 1);
	played.claims[0] = (struct engine_claim){ .id = mine[0][0], .attempt = mine[0][1] };
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_BACK), 1);
	ck_assert_uint_eq(played_claim("bert", 1), 1);
	/* The number says that the message is not to be obeyed any more, and a commit would be
	 * void. */
	ck_assert_int_eq(bell(&late), BELL_TASK);
	ck_assert_uint_le(late.pushed, pushed);
	ck_assert_uint_eq(played_commit("anna", &late, 1, ENDING_DONE), 0);
	ck_assert_uint_eq(played_commit("bert", played.claims, 1, ENDING_DONE), 1);
}
END_TEST

/* Calls of a command of Redis, also within functions. */
static unsigned long calls_of(const char *command)
{
	char script[200];
	snprintf(script, sizeof script,
	    "return string.match(redis.call('INFO', 'commandstats'), "
	    "'cmdstat_%s:calls=(%%d+)') or '0'",
	    command);
	const char *text = REDIS("eval", script, "0");
	return strtoul(text[0] == '"' ? text + 1 : text, NULL, 10);
}

static void run_alone(const struct task_words *words, const char *needs)
{
	const struct engine_task task = { .words = words->data,
		.words_bytes = words->bytes,
		.needs = needs,
		.label = "",
		.title = "" };
	struct engine_news news;
	GOOD(engine_add(played.user, &task, 1, false, engine_token(played.user), played.ids));
	ck_assert_int_eq(engine_told(played.user, PLAYED_ANSWER_MS, &news, 1), 1);
	ck_assert_ptr_nonnull(news.value);
}

/* A renewal, which alone calls SRANDMEMBER, is followed by a look for tasks; so is the last task
 * with needs. Every other call is an add or a commit. */
START_TEST(a_task_alone_costs_two_calls_though_others_have_needs)
{
	enum { ALONE = 200 };
	const plm_terms terms = { .needs = "plain=1" };
	struct task_words needy = { 0 }, words = { 0 };
	fleet_host_up(0, "plain=1 x2");
	GOOD(task_words_write(&words, played.user, &(plm_task){ .function = "probe.noop" }));
	GOOD(task_words_write(
	    &needy, played.user, &(plm_task){ .function = "probe.noop", .terms = &terms }));
	run_alone(&needy, "plain=1");
	run_alone(&words, "");
	unsigned long calls = calls_of("fcall"), renewals = calls_of("srandmember");
	for (int i = 0; i < ALONE; i++)
		run_alone(&words, "");
	calls = calls_of("fcall") - calls;
	renewals = calls_of("srandmember") - renewals;
	ck_assert_msg(calls <= 2 * ALONE + 2 * (renewals + 1) + 1,
	    "%lu calls and %lu renewals for %d tasks", calls, renewals, ALONE);
	task_words_free(&words);
	task_words_free(&needy);
}
END_TEST

START_TEST(a_task_of_a_module_comes_unasked_to_hosts_that_have_it)
{
	struct engine_claim pushed;
	struct engine_facts facts = played_facts;
	played.room = (struct engine_room){ .free = 0 };
	facts.has = "module other\nmodule tools\npython /usr/bin/python3";
	GOOD(engine_join(played.host, "carl", &facts));
	facts.has = "module tools_too\npython /module tools";
	GOOD(engine_join(played.host, "dora", &facts));
	GOOD(engine_bell_open(played.host, "dora"));
	idles("dora", 9);
	idles("carl", 9); /* does not listen */
	played_add(1, (struct engine_task){ .needs = "module:tools" });
	ck_assert_uint_eq(played_counts().ready, 1);
	ck_assert_int_eq(bell(&pushed), BELL_ORDER); /* a class that is new to the queue */
	ck_assert_uint_eq(played_claim_of("carl", 1, "module:tools"), 1);
	ck_assert_uint_eq(played_commit("carl", played.claims, 1, ENDING_DONE), 1);
	GOOD(engine_bell_open(played.host, "carl"));
	played.room.heard = 1; /* the message that nobody heard */
	idles("carl", 1);
	played_add(1, (struct engine_task){ .needs = "module:tools" });
	ck_assert_int_eq(bell(&pushed), BELL_TASK);
	ck_assert_uint_eq(pushed.id, (uint64_t)played.ids[0]);
	played_add(1, (struct engine_task){ .needs = "module:tools" }); /* no worker is free */
	ck_assert_uint_eq(played_counts().ready, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_idle_host_gets_tasks_unasked_as_many_as_it_has_free_workers,
		tasks_on_the_way_count_as_taken,
		nothing_comes_unasked_past_waiting_tasks_or_to_those_who_do_not_listen,
		a_task_that_got_lost_on_its_way_is_found_and_goes_back,
		a_task_alone_costs_two_calls_though_others_have_needs,
		a_task_of_a_module_comes_unasked_to_hosts_that_have_it,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet unasked", TIMEOUT_S, played_begin, played_end, tests,
	    sizeof tests / sizeof tests[0]);
}
