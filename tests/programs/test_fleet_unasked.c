/* test_fleet_unasked.c - an idle host gets new tasks unasked, as many as it has free workers, and a
 * task that got lost on its way is found. The test plays users and hosts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
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
		a_task_of_a_module_comes_unasked_to_hosts_that_have_it,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet unasked", TIMEOUT_S, played_begin, played_end, tests,
	    sizeof tests / sizeof tests[0]);
}
