/* test_fleet_blocks.c - tasks that lie in blocks of the engine: the test plays users and hosts
 * through the verbs of the engine and a real Redis.
 *
 * The rule: a task in a block has all that a task alone has, and whatever befalls one task of a
 * block leaves the others as they are. */
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

START_TEST(hosts_share_a_block_and_each_task_commits_once)
{
	struct engine_claim annas[PLAYED_MOST];
	played_add(100, (struct engine_task){ .label = "lot" });
	ck_assert_str_eq(REDIS("zcard", "plm:{test}:blocks"), "1");
	ck_assert_uint_eq(played_counts().ready, 100);
	ck_assert_uint_eq(played_claim("anna", 30), 30);
	memcpy(annas, played.claims, sizeof annas);
	ck_assert_uint_eq(played_claim("bert", 300), 70);
	ck_assert_uint_eq(played_claim("bert", 300), 0);
	ck_assert_uint_eq(played_counts().running, 100);
	ck_assert_uint_eq(played_commit("bert", annas, 30, ENDING_DONE), 0); /* not his */
	ck_assert_uint_eq(played_commit("anna", annas, 10, ENDING_DONE), 10);
	ck_assert_uint_eq(
	    played_commit("anna", annas, 30, ENDING_DONE), 20); /* ten for the second time */
	ck_assert_uint_eq(played_commit("bert", played.claims, 70, ENDING_DONE), 70);
	ck_assert_uint_eq(played_commit("bert", played.claims, 70, ENDING_DONE), 0);
	ck_assert_uint_eq(played_counts().done, 100);
	ck_assert_uint_eq(played_counts().running + played_counts().ready, 0);
	for (size_t i = 0; i < 100; i++) {
		char value[24] = "";
		if (i % 5)
			snprintf(value, sizeof value, "v%zu", i);
		played_value_is(i, value);
	}
	ck_assert_str_eq(REDIS("eval", "return #redis.call('keys', '*p:*')", "0"), "0");
}
END_TEST

START_TEST(ends_are_told_with_their_values)
{
	played_add(100, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(played_claim("anna", 100), 100);
	ck_assert_uint_eq(played_commit("anna", played.claims, 100, ENDING_DONE), 100);
	ck_assert_uint_eq(played_hear(100, true), 100);
	played_add(1, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(played_claim("anna", 1), 1);
	ck_assert_uint_eq(played.claims[0].block, 0);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	ck_assert_uint_eq(played_hear(1, true), 1);
}
END_TEST

START_TEST(large_values_are_told_without_their_bytes)
{
	static char large[100000];
	struct engine_news news[16];
	struct engine_end ends[8];
	struct engine_result result;
	memset(large, 'x', sizeof large);
	played_add(8, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(played_claim("anna", 8), 8);
	for (size_t i = 0; i < 8; i++) {
		ends[i] = played_end_of(&played.claims[i], ENDING_DONE);
		ends[i].value = large;
		ends[i].value_bytes = sizeof large - i;
	}
	GOOD(engine_commit(played.host, "anna", &played.room, ends, 8, played.taken, &played.idle));
	ck_assert_int_eq(engine_told(played.user, PLAYED_ANSWER_MS, news, 16), 8);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_ptr_null(news[i].value);
		GOOD(engine_result(played.user, (uint64_t)played.ids[i], &result));
		ck_assert_uint_eq(result.value_bytes, sizeof large - i);
	}
}
END_TEST

START_TEST(lists_show_the_tasks_of_a_block)
{
	struct engine_row row[PLAYED_MOST];
	uint64_t from = 1;
	char title[24];
	played_add(20, (struct engine_task){ .label = "lot", .priority = 3, .crash_retries = 2 });
	ck_assert_uint_eq(played_claim("anna", 10), 10);
	ck_assert_uint_eq(played_commit("anna", played.claims, 5, ENDING_DONE), 5);
	ck_assert_int_eq(engine_list(played.user, &from, row, PLAYED_MOST), 20);
	for (int i = 0; i < 20; i++) {
		snprintf(title, sizeof title, "w%d", i);
		ck_assert_int_eq((int64_t)row[i].id, played.ids[i]);
		ck_assert_str_eq(row[i].title, title);
		ck_assert_str_eq(row[i].label, "lot");
		ck_assert_int_eq(row[i].priority, 3);
		ck_assert_uint_eq(row[i].crash_retries, 2);
		ck_assert_str_eq(row[i].host, i < 10 ? "played" : "");
		ck_assert_uint_eq(row[i].attempt, i < 10);
		ck_assert_int_eq(row[i].state,
		    i < 5        ? ENGINE_DONE
			: i < 10 ? ENGINE_RUNNING
				 : ENGINE_READY);
		ck_assert_uint_eq(row[i].wall_us, i < 5 ? (uint64_t)i : 0);
		ck_assert_int_eq(row[i].ended_ms > 0, i < 5);
	}
}
END_TEST

START_TEST(a_task_fails_is_retried_and_is_cancelled_beside_the_others)
{
	played_add(20, (struct engine_task){ .retries = 1 });
	ck_assert_int_eq(played_one(engine_cancel, 15), 1); /* waits */
	ck_assert_int_eq(played_one(engine_cancel, 15), 0);
	ck_assert_uint_eq(played_claim("anna", 10), 10);
	ck_assert_uint_eq(played_commit("anna", played.claims + 3, 1, ENDING_FAILED), 1);
	ck_assert_int_eq(played_one(engine_cancel, 4), 1); /* runs */
	ck_assert_uint_eq(played_commit("anna", played.claims + 4, 1, ENDING_CANCELLED), 1);
	ck_assert_uint_eq(played_commit("anna", played.claims + 5, 1, ENDING_BACK), 1);
	ck_assert_uint_eq(played_commit("anna", played.claims, 10, ENDING_DONE), 7);
	struct engine_status s = played_counts();
	ck_assert_uint_eq(s.done, 7);
	ck_assert_uint_eq(s.cancelled, 2);
	/* The failed one after a pause of no time, the one sent back, and nine that never ran. */
	ck_assert_uint_eq(s.ready + s.pause, 11);
	ck_assert_uint_eq(played_claim("bert", 20), 11);
	unsigned second = 0;
	for (unsigned i = 0; i < 11; i++)
		second += played.claims[i].attempt == 2;
	ck_assert_uint_eq(second, 2);
	ck_assert_uint_eq(played_commit("bert", played.claims, 11, ENDING_DONE), 11);
	ck_assert_uint_eq(played_counts().done, 18);
	ck_assert_int_eq(played_one(engine_retry, 15), 1);
	ck_assert_int_eq(played_one(engine_retry, 0), 0); /* done */
	ck_assert_int_eq(played_state_of(15), ENGINE_READY);
	ck_assert_uint_eq(played_claim("anna", 20), 1);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	ck_assert_uint_eq(played_counts().done, 19);
}
END_TEST

START_TEST(a_moved_task_goes_first_and_explain_counts_right)
{
	uint64_t id;
	int8_t done;
	struct engine_reason reason;
	played_add(20, (struct engine_task){ .priority = 0 });
	id = (uint64_t)played.ids[12];
	GOOD(engine_explain(played.user, id, &reason));
	ck_assert_uint_eq(reason.before, 12);
	GOOD(engine_move(played.user, &id, 1, PLACE_PRIORITY, 9, &done));
	ck_assert_int_eq(done, 1);
	GOOD(engine_explain(played.user, id, &reason));
	ck_assert_uint_eq(reason.before, 0);
	GOOD(engine_explain(played.user, id + 1, &reason));
	ck_assert_uint_eq(reason.before, 13);
	ck_assert_uint_eq(played_counts().ready, 20);
	ck_assert_uint_eq(played_claim("anna", 1), 1);
	ck_assert_uint_eq(played.claims[0].id, id);
	ck_assert_uint_eq(played_claim("anna", 100), 19);
	for (unsigned i = 0; i < 19; i++)
		ck_assert_uint_ne(played.claims[i].id, id);
	GOOD(engine_explain(played.user, id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_RUNNING);
	ck_assert_str_eq(reason.host, "played");
	ck_assert_uint_eq(played_counts().ready, 0);
}
END_TEST

START_TEST(priorities_and_needs_of_blocks_and_single_tasks_hold)
{
	uint64_t low, high;
	played_add(10, (struct engine_task){ .priority = 1 });
	low = (uint64_t)played.ids[0];
	played_add(1, (struct engine_task){ .priority = 2 });
	high = (uint64_t)played.ids[0];
	ck_assert_uint_eq(played_claim("anna", 1), 1);
	ck_assert_uint_eq(played.claims[0].id, high);
	played.ids[0] = (int64_t)low;
	ck_assert_uint_eq(played_claim("anna", 4), 4);
	ck_assert_uint_eq(played.claims[0].id, low);
	played_add(10, (struct engine_task){ .needs = "gpus=1", .priority = 5 });
	ck_assert_uint_eq(played_claim("anna", 0), 0);
	int64_t ms;
	const struct engine_class classes[] = { { "", 100 }, { "gpus=1", 3 } };
	ck_assert_int_eq(
	    engine_claim(played.host, "bert", &played.room, 100, classes, 2, played.claims, &ms),
	    3 + 6);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(played.claims[i].id, (uint64_t)played.ids[i]);
	ck_assert_uint_eq(played_counts().ready, 7);
}
END_TEST

START_TEST(a_lost_member_loses_its_part_of_a_block_alone)
{
	struct engine_claim annas[PLAYED_MOST];
	struct engine_orders orders;
	uint64_t mine[PLAYED_MOST][2], deadline_ns = deadline_after_ms(20 * PLAYED_LEASE_MS);
	played_add(40, (struct engine_task){ .crash_retries = 1 });
	ck_assert_uint_eq(played_claim("anna", 20), 20);
	memcpy(annas, played.claims, sizeof annas);
	uint64_t pushed;
	ck_assert_int_eq(engine_mine(played.host, "anna", mine, PLAYED_MOST, &pushed), 20);
	ck_assert_uint_eq(pushed, 0);
	ck_assert_uint_eq(mine[19][0], (uint64_t)played.ids[19]);
	ck_assert_uint_eq(mine[19][1], 1);
	ck_assert_uint_eq(played_commit("anna", annas, 5, ENDING_DONE), 5);
	ck_assert_uint_eq(played_claim("bert", 10), 10);
	while (played_counts().hosts > 1 && clock_ns() < deadline_ns) {
		const struct timespec pause = { .tv_nsec = 50000000 };
		nanosleep(&pause, NULL);
		GOOD(engine_renew(played.host, "bert", &played_facts, &orders));
	}
	ck_assert_uint_eq(played_commit("bert", played.claims, 10, ENDING_DONE), 10);
	ck_assert_uint_eq(played_counts().ready, 25);
	ck_assert_uint_eq(played_counts().running, 0);
	ck_assert_uint_eq(played_commit("bert", annas, 20, ENDING_DONE), 0);
	ck_assert_uint_eq(played_claim("bert", 100), 25);
	unsigned again = 0;
	for (unsigned i = 0; i < 25; i++)
		again += played.claims[i].attempt == 2;
	ck_assert_uint_eq(again, 15);
	ck_assert_uint_eq(played_commit("anna", annas, 20, ENDING_DONE), 0);
	ck_assert_uint_eq(played_commit("bert", played.claims, 25, ENDING_DONE), 25);
	ck_assert_uint_eq(played_counts().done, 40);
}
END_TEST

START_TEST(values_of_a_block_reach_tasks_that_wait_for_them)
{
	struct engine_after after[2] = { { .id = 0 } };
	const struct engine_task task = {
		.words = "", .needs = "", .label = "", .title = "", .after = after, .afters = 2
	};
	int64_t id;
	played_add(10, (struct engine_task){ .priority = 0 });
	after[0].id = (uint64_t)played.ids[1];
	after[1].id = (uint64_t)played.ids[2];
	ck_assert_uint_eq(played_claim("anna", 2), 2);
	ck_assert_uint_eq(played_commit("anna", played.claims + 1, 1, ENDING_DONE), 1);
	GOOD(engine_add(played.user, &task, 1, false, "", &id));
	struct engine_reason reason;
	GOOD(engine_explain(played.user, (uint64_t)id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_WAITING);
	ck_assert_uint_eq(reason.waits, 1);
	played_value_is(1, "v1");
	ck_assert_uint_eq(played_claim("anna", 1), 1);
	ck_assert_uint_eq(played.claims[0].id, after[1].id);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	GOOD(engine_explain(played.user, (uint64_t)id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_READY);
	after[0].id = 12345;
	ck_assert_int_eq(engine_add(played.user, &task, 1, false, "", &id), -ENOENT);
}
END_TEST

/* The engine notes each end in the task that waits, whatever befalls the other task later. */
START_TEST(a_claim_says_how_the_tasks_before_it_ended)
{
	struct engine_after after[3] = { { .condition = AFTER_ANY }, { .condition = AFTER_FAILED },
		{ .condition = AFTER_DONE } };
	const struct engine_task task = {
		.words = "", .needs = "", .label = "", .title = "", .after = after, .afters = 3
	};
	struct engine_claim claim;
	const char *end = "";
	int64_t id, ms;
	const struct engine_class any = { "", 1 };
	played_add(10, (struct engine_task){ .priority = 0 });
	for (size_t i = 0; i < 3; i++)
		after[i].id = (uint64_t)played.ids[i];
	ck_assert_uint_eq(played_claim("anna", 10), 10);
	ck_assert_uint_eq(played_commit("anna", played.claims, 1, ENDING_DONE), 1);
	GOOD(engine_add(played.user, &task, 1, false, "", &id));
	ck_assert_uint_eq(played_commit("anna", played.claims + 1, 1, ENDING_FAILED), 1);
	ck_assert_uint_eq(played_commit("anna", played.claims + 2, 1, ENDING_DONE), 1);
	ck_assert_int_eq(played_one(engine_retry, 1), 1);
	played.ids[0] = id;
	GOOD(engine_move(played.user, (const uint64_t[]){ (uint64_t)id }, 1, PLACE_PRIORITY, 9,
	    (int8_t[1]){ 0 }));
	ck_assert_int_eq(
	    engine_claim(played.host, "bert", &played.room, 1, &any, 1, &claim, &ms), 1);
	ck_assert_uint_eq(claim.id, (uint64_t)id);
	ck_assert_uint_eq(engine_claim_end(&claim, &after[0].id, &end), strlen("done 0"));
	ck_assert_int_eq(strncmp(end, "done 0;", 7), 0);
	ck_assert_uint_eq(engine_claim_end(&claim, &after[1].id, &end), strlen("failed 7"));
	ck_assert_int_eq(strncmp(end, "failed 7;", 9), 0);
	ck_assert_uint_eq(engine_claim_end(&claim, &after[2].id, &end), 0);
	after[1].id += 10;
	ck_assert_uint_eq(engine_claim_end(&claim, &after[1].id, &end), 0);
}
END_TEST

START_TEST(a_forgotten_block_leaves_nothing)
{
	uint64_t all[60];
	int8_t done[60];
	char before[64];
	snprintf(before, sizeof before, "%s", REDIS("dbsize"));
	played_add(60, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(played_one(engine_forget, 3), 0);
	ck_assert_uint_eq(played_claim("anna", 60), 60);
	ck_assert_uint_eq(played_commit("anna", played.claims, 59, ENDING_DONE), 59);
	ck_assert_uint_eq(played_commit("anna", played.claims + 59, 1, ENDING_FAILED), 1);
	for (size_t i = 0; i < 60; i++)
		all[i] = (uint64_t)played.ids[i];
	GOOD(engine_forget(played.user, all, 30, done));
	ck_assert_int_eq(played_one(engine_forget, 3), -1);
	ck_assert_uint_eq(played_counts().done, 29);
	GOOD(engine_forget(played.user, all + 30, 30, done));
	for (size_t i = 0; i < 30; i++)
		ck_assert_int_eq(done[i], 1);
	ck_assert_uint_eq(played_counts().done + played_counts().failed, 0);
	/* What stays are counters of the whole queue: counts and extra. */
	ck_assert_int_eq(atoi(REDIS("dbsize")), atoi(before) + 2);
}
END_TEST

START_TEST(another_user_waits_for_tasks_of_a_block)
{
	struct engine *other;
	struct fleet_url url;
	struct engine_news news[PLAYED_MOST];
	enum engine_state states[PLAYED_MOST];
	uint64_t all[20];
	int n = 0;
	GOOD(fleet_url_parse("test", fleet_url, true, &url));
	GOOD(engine_open(&other, &url, PLAYED_ANSWER_MS));
	GOOD(engine_watch_open(other));
	played_add(20, (struct engine_task){ .priority = 0 });
	for (size_t i = 0; i < 20; i++)
		all[i] = (uint64_t)played.ids[i];
	ck_assert_uint_eq(played_claim("anna", 20), 20);
	GOOD(engine_watch(other, all, 20, states));
	ck_assert_int_eq(states[19], ENGINE_RUNNING);
	ck_assert_uint_eq(played_commit("anna", played.claims, 19, ENDING_DONE), 19);
	ck_assert_uint_eq(played_commit("anna", played.claims + 19, 1, ENDING_FAILED), 1);
	while (n < 20) {
		int found = engine_told(other, PLAYED_ANSWER_MS, news, PLAYED_MOST);
		ck_assert_int_gt(found, 0);
		n += found;
	}
	GOOD(engine_watch(other, all, 20, states));
	ck_assert_int_eq(states[0], ENGINE_DONE);
	ck_assert_int_eq(states[19], ENGINE_FAILED);
	engine_close(&other);
}
END_TEST

START_TEST(what_a_member_leaves_behind_goes_to_others)
{
	played_add(20, (struct engine_task){ .crash_retries = 1 });
	ck_assert_uint_eq(played_claim("anna", 20), 20);
	ck_assert_uint_eq(played_commit("anna", played.claims, 5, ENDING_DONE), 5);
	GOOD(engine_leave(played.host, "anna"));
	ck_assert_uint_eq(played_counts().ready, 15);
	ck_assert_uint_eq(played_claim("bert", 20), 15);
	ck_assert_uint_eq(played_commit("bert", played.claims, 15, ENDING_DONE), 15);
	ck_assert_uint_eq(played_counts().done, 20);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		hosts_share_a_block_and_each_task_commits_once,
		ends_are_told_with_their_values,
		large_values_are_told_without_their_bytes,
		lists_show_the_tasks_of_a_block,
		a_task_fails_is_retried_and_is_cancelled_beside_the_others,
		a_moved_task_goes_first_and_explain_counts_right,
		priorities_and_needs_of_blocks_and_single_tasks_hold,
		a_lost_member_loses_its_part_of_a_block_alone,
		values_of_a_block_reach_tasks_that_wait_for_them,
		a_claim_says_how_the_tasks_before_it_ended,
		a_forgotten_block_leaves_nothing,
		another_user_waits_for_tasks_of_a_block,
		what_a_member_leaves_behind_goes_to_others,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests("fleet blocks", TIMEOUT_S, played_begin, played_end, tests,
	    sizeof tests / sizeof tests[0]);
}
