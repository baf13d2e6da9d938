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
#include "base/why.h"
#include "fleet/engine.h"
#include "tests/support/fleet_case.h"
#include "tests/support/run_suite.h"

enum { TIMEOUT_S = 120, MOST = ENGINE_ADD_MOST, ANSWER_MS = 5000, LEASE_MS = 1000 };

static struct engine *user, *engine;
static int64_t ids[MOST];
static struct engine_claim claims[MOST];
static uint8_t taken[MOST];
static bool idle;
static struct engine_room room;

static const struct engine_facts facts = { .name = "played", .runtime = "none", .can = "" };

#define GOOD(call)                                                           \
	do {                                                                 \
		int r_ = (call);                                             \
		ck_assert_msg(r_ >= 0, "%s: %d, %s", #call, r_, why_text()); \
	} while (0)

static void begin(void)
{
	char text[300];
	struct fleet_url url;
	fleet_begin();
	snprintf(text, sizeof text, "unix://%s/redis.sock?queue=test&lease=%dms", fleet_directory,
	    LEASE_MS);
	GOOD(fleet_url_parse("test", text, true, &url));
	GOOD(engine_open(&user, &url, ANSWER_MS));
	GOOD(engine_open(&engine, &url, ANSWER_MS));
	GOOD(engine_watch_open(user));
	GOOD(engine_join(engine, "anna", &facts));
	GOOD(engine_join(engine, "bert", &facts));
}

static void end(void)
{
	engine_close(&user);
	engine_close(&engine);
	fleet_end();
}

/* ---- what users do ---- */

/* n tasks, whose words and titles tell their numbers. */
static void add(size_t n, struct engine_task like)
{
	static char words[MOST][24];
	static struct engine_task task[MOST];
	for (size_t i = 0; i < n; i++) {
		snprintf(words[i], sizeof words[i], "w%zu", i);
		task[i] = like;
		task[i].words = task[i].title = words[i];
		task[i].words_bytes = i % 7 ? strlen(words[i]) : 0;
		task[i].needs = like.needs ? like.needs : "";
		task[i].label = like.label ? like.label : "";
	}
	GOOD(engine_add(user, task, n, false, engine_token(user), ids));
	for (size_t i = 1; i < n; i++)
		ck_assert_int_eq(ids[i], ids[0] + (int64_t)i);
}

static enum engine_state state_of(size_t i)
{
	struct engine_row row;
	GOOD(engine_row(user, (uint64_t)ids[i], &row));
	return row.state;
}

static void value_is(size_t i, const char *expected)
{
	struct engine_result result;
	GOOD(engine_result(user, (uint64_t)ids[i], &result));
	ck_assert_int_eq(result.state, ENGINE_DONE);
	ck_assert_uint_eq(result.value_bytes, strlen(expected));
	ck_assert_mem_eq(result.value, expected, result.value_bytes);
}

static struct engine_status counts(void)
{
	struct engine_status status;
	GOOD(engine_status(user, &status));
	return status;
}

static int8_t one(int (*act)(struct engine *, const uint64_t *, size_t, int8_t *), size_t i)
{
	uint64_t id = (uint64_t)ids[i];
	int8_t done;
	GOOD(act(user, &id, 1, &done));
	return done;
}

/* ---- what hosts do ---- */

static unsigned claim_of(const char *member, unsigned n, const char *needs)
{
	const struct engine_class class = { needs, n };
	int64_t ms;
	int found = engine_claim(engine, member, &room, n, &class, 1, claims, &ms);
	ck_assert_msg(found >= 0, "%s", why_text());
	for (int i = 0; i < found; i++) {
		char words[24] = "";
		size_t number = claims[i].id - (uint64_t)ids[0];
		if (number % 7)
			snprintf(words, sizeof words, "w%zu", number);
		ck_assert_uint_eq(claims[i].words_bytes, strlen(words));
		ck_assert_mem_eq(claims[i].words, words, strlen(words));
	}
	return (unsigned)found;
}

static unsigned claim(const char *member, unsigned n)
{
	return claim_of(member, n, "");
}

static struct engine_end end_of(const struct engine_claim *c, enum engine_ending kind)
{
	static char values[MOST][24];
	size_t number = c->id - (uint64_t)ids[0];
	snprintf(values[number], sizeof values[0], "v%zu", number);
	return (struct engine_end){ .id = c->id,
		.attempt = c->attempt,
		.block = c->block,
		.from = c->from,
		.kind = kind,
		.message = kind == ENDING_DONE ? "" : "told by the test",
		.code = kind == ENDING_DONE ? 0 : 7,
		.value = values[number],
		.value_bytes = kind == ENDING_DONE && number % 5 ? strlen(values[number]) : 0,
		.wall_us = number };
}

/* Ends n claims, last first, as the bridge does. */
static unsigned commit(
    const char *member, const struct engine_claim *c, size_t n, enum engine_ending kind)
{
	static struct engine_end ends[MOST];
	unsigned good = 0;
	for (size_t i = 0; i < n; i++)
		ends[i] = end_of(&c[n - 1 - i], kind);
	GOOD(engine_commit(engine, member, &room, ends, n, taken, &idle));
	for (size_t i = 0; i < n; i++)
		good += taken[i];
	return good;
}

/* Hears until n tasks have ended; each once. */
static size_t hear(size_t n, bool with_values)
{
	static bool heard[MOST];
	struct engine_news news[3];
	size_t all = 0;
	memset(heard, 0, sizeof heard);
	while (all < n) {
		int found = engine_told(user, ANSWER_MS, news, 3);
		ck_assert_int_gt(found, 0);
		for (int i = 0; i < found; i++) {
			char value[24] = "";
			size_t number = news[i].id - (uint64_t)ids[0];
			ck_assert_uint_lt(number, MOST);
			ck_assert(!heard[number]);
			heard[number] = true;
			all++;
			if (!with_values)
				continue;
			if (number % 5)
				snprintf(value, sizeof value, "v%zu", number);
			ck_assert_ptr_nonnull(news[i].value);
			ck_assert_uint_eq(news[i].value_bytes, strlen(value));
			ck_assert_mem_eq(news[i].value, value, strlen(value));
		}
	}
	return all;
}

/* ---- tests ---- */

START_TEST(hosts_share_a_block_and_each_task_commits_once)
{
	struct engine_claim annas[MOST];
	add(100, (struct engine_task){ .label = "lot" });
	ck_assert_str_eq(REDIS("zcard", "plm:{test}:blocks"), "1");
	ck_assert_uint_eq(counts().ready, 100);
	ck_assert_uint_eq(claim("anna", 30), 30);
	memcpy(annas, claims, sizeof annas);
	ck_assert_uint_eq(claim("bert", 300), 70);
	ck_assert_uint_eq(claim("bert", 300), 0);
	ck_assert_uint_eq(counts().running, 100);
	ck_assert_uint_eq(commit("bert", annas, 30, ENDING_DONE), 0); /* not his */
	ck_assert_uint_eq(commit("anna", annas, 10, ENDING_DONE), 10);
	ck_assert_uint_eq(commit("anna", annas, 30, ENDING_DONE), 20); /* ten for the second time */
	ck_assert_uint_eq(commit("bert", claims, 70, ENDING_DONE), 70);
	ck_assert_uint_eq(commit("bert", claims, 70, ENDING_DONE), 0);
	ck_assert_uint_eq(counts().done, 100);
	ck_assert_uint_eq(counts().running + counts().ready, 0);
	for (size_t i = 0; i < 100; i++) {
		char value[24] = "";
		if (i % 5)
			snprintf(value, sizeof value, "v%zu", i);
		value_is(i, value);
	}
	ck_assert_str_eq(REDIS("eval", "return #redis.call('keys', '*p:*')", "0"), "0");
}
END_TEST

START_TEST(ends_are_told_with_their_values)
{
	add(100, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(claim("anna", 100), 100);
	ck_assert_uint_eq(commit("anna", claims, 100, ENDING_DONE), 100);
	ck_assert_uint_eq(hear(100, true), 100);
	add(1, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(claim("anna", 1), 1);
	ck_assert_uint_eq(claims[0].block, 0);
	ck_assert_uint_eq(commit("anna", claims, 1, ENDING_DONE), 1);
	ck_assert_uint_eq(hear(1, true), 1);
}
END_TEST

START_TEST(large_values_are_told_without_their_bytes)
{
	static char large[100000];
	struct engine_news news[16];
	struct engine_end ends[8];
	struct engine_result result;
	memset(large, 'x', sizeof large);
	add(8, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(claim("anna", 8), 8);
	for (size_t i = 0; i < 8; i++) {
		ends[i] = end_of(&claims[i], ENDING_DONE);
		ends[i].value = large;
		ends[i].value_bytes = sizeof large - i;
	}
	GOOD(engine_commit(engine, "anna", &room, ends, 8, taken, &idle));
	ck_assert_int_eq(engine_told(user, ANSWER_MS, news, 16), 8);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_ptr_null(news[i].value);
		GOOD(engine_result(user, (uint64_t)ids[i], &result));
		ck_assert_uint_eq(result.value_bytes, sizeof large - i);
	}
}
END_TEST

START_TEST(lists_show_the_tasks_of_a_block)
{
	struct engine_row row[MOST];
	uint64_t from = 1;
	char title[24];
	add(20, (struct engine_task){ .label = "lot", .priority = 3, .crash_retries = 2 });
	ck_assert_uint_eq(claim("anna", 10), 10);
	ck_assert_uint_eq(commit("anna", claims, 5, ENDING_DONE), 5);
	ck_assert_int_eq(engine_list(user, &from, row, MOST), 20);
	for (int i = 0; i < 20; i++) {
		snprintf(title, sizeof title, "w%d", i);
		ck_assert_int_eq((int64_t)row[i].id, ids[i]);
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
	add(20, (struct engine_task){ .retries = 1 });
	ck_assert_int_eq(one(engine_cancel, 15), 1); /* waits */
	ck_assert_int_eq(one(engine_cancel, 15), 0);
	ck_assert_uint_eq(claim("anna", 10), 10);
	ck_assert_uint_eq(commit("anna", claims + 3, 1, ENDING_FAILED), 1);
	ck_assert_int_eq(one(engine_cancel, 4), 1); /* runs */
	ck_assert_uint_eq(commit("anna", claims + 4, 1, ENDING_CANCELLED), 1);
	ck_assert_uint_eq(commit("anna", claims + 5, 1, ENDING_BACK), 1);
	ck_assert_uint_eq(commit("anna", claims, 10, ENDING_DONE), 7);
	struct engine_status s = counts();
	ck_assert_uint_eq(s.done, 7);
	ck_assert_uint_eq(s.cancelled, 2);
	/* The failed one after a pause of no time, the one sent back, and nine that never ran. */
	ck_assert_uint_eq(s.ready + s.pause, 11);
	ck_assert_uint_eq(claim("bert", 20), 11);
	unsigned second = 0;
	for (unsigned i = 0; i < 11; i++)
		second += claims[i].attempt == 2;
	ck_assert_uint_eq(second, 2);
	ck_assert_uint_eq(commit("bert", claims, 11, ENDING_DONE), 11);
	ck_assert_uint_eq(counts().done, 18);
	ck_assert_int_eq(one(engine_retry, 15), 1);
	ck_assert_int_eq(one(engine_retry, 0), 0); /* done */
	ck_assert_int_eq(state_of(15), ENGINE_READY);
	ck_assert_uint_eq(claim("anna", 20), 1);
	ck_assert_uint_eq(commit("anna", claims, 1, ENDING_DONE), 1);
	ck_assert_uint_eq(counts().done, 19);
}
END_TEST

START_TEST(a_moved_task_goes_first_and_explain_counts_right)
{
	uint64_t id;
	int8_t done;
	struct engine_reason reason;
	add(20, (struct engine_task){ .priority = 0 });
	id = (uint64_t)ids[12];
	GOOD(engine_explain(user, id, &reason));
	ck_assert_uint_eq(reason.before, 12);
	GOOD(engine_move(user, &id, 1, 9, &done));
	ck_assert_int_eq(done, 1);
	GOOD(engine_explain(user, id, &reason));
	ck_assert_uint_eq(reason.before, 0);
	GOOD(engine_explain(user, id + 1, &reason));
	ck_assert_uint_eq(reason.before, 13);
	ck_assert_uint_eq(counts().ready, 20);
	ck_assert_uint_eq(claim("anna", 1), 1);
	ck_assert_uint_eq(claims[0].id, id);
	ck_assert_uint_eq(claim("anna", 100), 19);
	for (unsigned i = 0; i < 19; i++)
		ck_assert_uint_ne(claims[i].id, id);
	GOOD(engine_explain(user, id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_RUNNING);
	ck_assert_str_eq(reason.host, "played");
	ck_assert_uint_eq(counts().ready, 0);
}
END_TEST

START_TEST(priorities_and_needs_of_blocks_and_single_tasks_hold)
{
	uint64_t low, high;
	add(10, (struct engine_task){ .priority = 1 });
	low = (uint64_t)ids[0];
	add(1, (struct engine_task){ .priority = 2 });
	high = (uint64_t)ids[0];
	ck_assert_uint_eq(claim("anna", 1), 1);
	ck_assert_uint_eq(claims[0].id, high);
	ids[0] = (int64_t)low;
	ck_assert_uint_eq(claim("anna", 4), 4);
	ck_assert_uint_eq(claims[0].id, low);
	add(10, (struct engine_task){ .needs = "gpus=1", .priority = 5 });
	ck_assert_uint_eq(claim("anna", 0), 0);
	int64_t ms;
	const struct engine_class classes[] = { { "", 100 }, { "gpus=1", 3 } };
	ck_assert_int_eq(engine_claim(engine, "bert", &room, 100, classes, 2, claims, &ms), 3 + 6);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(claims[i].id, (uint64_t)ids[i]);
	ck_assert_uint_eq(counts().ready, 7);
}
END_TEST

START_TEST(a_lost_member_loses_its_part_of_a_block_alone)
{
	struct engine_claim annas[MOST];
	struct engine_orders orders;
	uint64_t mine[MOST][2], deadline_ns = deadline_after_ms(20 * LEASE_MS);
	add(40, (struct engine_task){ .crash_retries = 1 });
	ck_assert_uint_eq(claim("anna", 20), 20);
	memcpy(annas, claims, sizeof annas);
	uint64_t pushed;
	ck_assert_int_eq(engine_mine(engine, "anna", mine, MOST, &pushed), 20);
	ck_assert_uint_eq(pushed, 0);
	ck_assert_uint_eq(mine[19][0], (uint64_t)ids[19]);
	ck_assert_uint_eq(mine[19][1], 1);
	ck_assert_uint_eq(commit("anna", annas, 5, ENDING_DONE), 5);
	ck_assert_uint_eq(claim("bert", 10), 10);
	while (counts().hosts > 1 && clock_ns() < deadline_ns) {
		const struct timespec pause = { .tv_nsec = 50000000 };
		nanosleep(&pause, NULL);
		GOOD(engine_renew(engine, "bert", &facts, &orders));
	}
	ck_assert_uint_eq(commit("bert", claims, 10, ENDING_DONE), 10);
	ck_assert_uint_eq(counts().ready, 25);
	ck_assert_uint_eq(counts().running, 0);
	ck_assert_uint_eq(commit("bert", annas, 20, ENDING_DONE), 0);
	ck_assert_uint_eq(claim("bert", 100), 25);
	unsigned again = 0;
	for (unsigned i = 0; i < 25; i++)
		again += claims[i].attempt == 2;
	ck_assert_uint_eq(again, 15);
	ck_assert_uint_eq(commit("anna", annas, 20, ENDING_DONE), 0);
	ck_assert_uint_eq(commit("bert", claims, 25, ENDING_DONE), 25);
	ck_assert_uint_eq(counts().done, 40);
}
END_TEST

START_TEST(values_of_a_block_reach_tasks_that_wait_for_them)
{
	uint64_t after[2];
	const struct engine_task task = {
		.words = "", .needs = "", .label = "", .title = "", .after = after, .afters = 2
	};
	int64_t id;
	add(10, (struct engine_task){ .priority = 0 });
	after[0] = (uint64_t)ids[1];
	after[1] = (uint64_t)ids[2];
	ck_assert_uint_eq(claim("anna", 2), 2);
	ck_assert_uint_eq(commit("anna", claims + 1, 1, ENDING_DONE), 1);
	GOOD(engine_add(user, &task, 1, false, "", &id));
	struct engine_reason reason;
	GOOD(engine_explain(user, (uint64_t)id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_WAITING);
	ck_assert_uint_eq(reason.waits, 1);
	value_is(1, "v1");
	ck_assert_uint_eq(claim("anna", 1), 1);
	ck_assert_uint_eq(claims[0].id, after[1]);
	ck_assert_uint_eq(commit("anna", claims, 1, ENDING_DONE), 1);
	GOOD(engine_explain(user, (uint64_t)id, &reason));
	ck_assert_int_eq(reason.state, ENGINE_READY);
	after[0] = 12345;
	ck_assert_int_eq(engine_add(user, &task, 1, false, "", &id), -ENOENT);
}
END_TEST

START_TEST(a_forgotten_block_leaves_nothing)
{
	uint64_t all[60];
	int8_t done[60];
	char before[64];
	snprintf(before, sizeof before, "%s", REDIS("dbsize"));
	add(60, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(one(engine_forget, 3), 0);
	ck_assert_uint_eq(claim("anna", 60), 60);
	ck_assert_uint_eq(commit("anna", claims, 59, ENDING_DONE), 59);
	ck_assert_uint_eq(commit("anna", claims + 59, 1, ENDING_FAILED), 1);
	for (size_t i = 0; i < 60; i++)
		all[i] = (uint64_t)ids[i];
	GOOD(engine_forget(user, all, 30, done));
	ck_assert_int_eq(one(engine_forget, 3), -1);
	ck_assert_uint_eq(counts().done, 29);
	GOOD(engine_forget(user, all + 30, 30, done));
	for (size_t i = 0; i < 30; i++)
		ck_assert_int_eq(done[i], 1);
	ck_assert_uint_eq(counts().done + counts().failed, 0);
	/* What stays are counters of the whole queue: counts and extra. */
	ck_assert_int_eq(atoi(REDIS("dbsize")), atoi(before) + 2);
}
END_TEST

START_TEST(another_user_waits_for_tasks_of_a_block)
{
	struct engine *other;
	struct fleet_url url;
	struct engine_news news[MOST];
	enum engine_state states[MOST];
	uint64_t all[20];
	int n = 0;
	GOOD(fleet_url_parse("test", fleet_url, true, &url));
	GOOD(engine_open(&other, &url, ANSWER_MS));
	GOOD(engine_watch_open(other));
	add(20, (struct engine_task){ .priority = 0 });
	for (size_t i = 0; i < 20; i++)
		all[i] = (uint64_t)ids[i];
	ck_assert_uint_eq(claim("anna", 20), 20);
	GOOD(engine_watch(other, all, 20, states));
	ck_assert_int_eq(states[19], ENGINE_RUNNING);
	ck_assert_uint_eq(commit("anna", claims, 19, ENDING_DONE), 19);
	ck_assert_uint_eq(commit("anna", claims + 19, 1, ENDING_FAILED), 1);
	while (n < 20) {
		int found = engine_told(other, ANSWER_MS, news, MOST);
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
	add(20, (struct engine_task){ .crash_retries = 1 });
	ck_assert_uint_eq(claim("anna", 20), 20);
	ck_assert_uint_eq(commit("anna", claims, 5, ENDING_DONE), 5);
	GOOD(engine_leave(engine, "anna"));
	ck_assert_uint_eq(counts().ready, 15);
	ck_assert_uint_eq(claim("bert", 20), 15);
	ck_assert_uint_eq(commit("bert", claims, 15, ENDING_DONE), 15);
	ck_assert_uint_eq(counts().done, 20);
}
END_TEST

/* ---- tasks that come unasked ---- */

static void idles(const char *member, unsigned free_workers)
{
	room = (struct engine_room){ .free = free_workers, .heard = room.heard };
	ck_assert_uint_eq(claim(member, 9), 0);
}

/* The next message, which may need a moment. */
static int bell(struct engine_claim *ret)
{
	int rung = 0;
	uint64_t deadline_ns = deadline_after_ms(ANSWER_MS);
	while (rung == 0 && clock_ns() < deadline_ns)
		rung = engine_bell(engine, ret);
	return rung;
}

START_TEST(an_idle_host_gets_tasks_unasked_as_many_as_it_has_free_workers)
{
	struct engine_claim pushed[2];
	room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(engine, "anna"));
	idles("anna", 2);
	add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed[0]), BELL_TASK);
	ck_assert_uint_eq(pushed[0].id, (uint64_t)ids[0]);
	ck_assert_uint_eq(pushed[0].attempt, 1);
	ck_assert_uint_eq(pushed[0].pushed, 1);
	ck_assert_uint_eq(counts().running, 1);
	add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed[1]), BELL_TASK);
	ck_assert_uint_eq(pushed[1].pushed, 2);
	add(1, (struct engine_task){ .priority = 0 }); /* no worker is free */
	ck_assert_uint_eq(counts().ready, 1);
	room = (struct engine_room){ .free = 1, .heard = 2 };
	ck_assert_uint_eq(commit("anna", pushed, 1, ENDING_DONE), 1);
	ck_assert(!idle); /* a task waits */
	ck_assert_uint_eq(commit("bert", pushed + 1, 1, ENDING_DONE), 0);
	ck_assert_uint_eq(claim("anna", 1), 1);
	ck_assert_uint_eq(commit("anna", claims, 1, ENDING_DONE), 1);
	ck_assert(!idle); /* it has not been told that there is no more */
	idles("anna", 1);
	ck_assert_uint_eq(commit("anna", pushed + 1, 1, ENDING_DONE), 1);
	ck_assert(idle);
	ck_assert_uint_eq(counts().done, 3);
}
END_TEST

START_TEST(tasks_on_the_way_count_as_taken)
{
	struct engine_claim pushed;
	room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(engine, "anna"));
	idles("anna", 2);
	add(1, (struct engine_task){ .priority = 0 });
	idles("anna", 1); /* said before the first had come */
	add(1, (struct engine_task){ .priority = 0 });
	ck_assert_int_eq(bell(&pushed), BELL_TASK);
	ck_assert_int_eq(bell(&pushed), BELL_WORK);
	ck_assert_uint_eq(counts().ready, 1);
}
END_TEST

START_TEST(nothing_comes_unasked_past_waiting_tasks_or_to_those_who_do_not_listen)
{
	struct engine_claim pushed;
	room = (struct engine_room){ .free = 0 };
	idles("anna", 1);
	add(1, (struct engine_task){ .priority = 0 }); /* no bell is open */
	ck_assert_uint_eq(counts().ready, 1);
	GOOD(engine_bell_open(engine, "bert"));
	REDIS("hset", "plm:{test}:idle", "bert", "5");
	add(1, (struct engine_task){ .priority = 7 });
	ck_assert_int_eq(bell(&pushed), BELL_WORK);
	ck_assert_uint_eq(claim("bert", 1), 1);
	ck_assert_uint_eq(claims[0].id, (uint64_t)ids[0]);
	ids[0]--;
	ck_assert_uint_eq(claim("bert", 1), 1);
	idles("bert", 1);
	ck_assert_uint_eq(claim("bert", 0), 0); /* wants to be left alone */
	add(1, (struct engine_task){ .priority = 0 });
	ck_assert_uint_eq(counts().ready, 1);
}
END_TEST

START_TEST(a_task_that_got_lost_on_its_way_is_found_and_goes_back)
{
	struct engine_claim late;
	struct engine_orders orders;
	uint64_t mine[MOST][2], pushed;
	room = (struct engine_room){ .free = 0 };
	GOOD(engine_bell_open(engine, "anna"));
	idles("anna", 1);
	add(1, (struct engine_task){ .priority = 0 });
	GOOD(engine_renew(engine, "anna", &facts, &orders));
	ck_assert_uint_eq(orders.pushed, 1);
	ck_assert_int_eq(engine_mine(engine, "anna", mine, MOST, &pushed), 1);
	ck_assert_uint_eq(pushed, 1);
	claims[0] = (struct engine_claim){ .id = mine[0][0], .attempt = mine[0][1] };
	ck_assert_uint_eq(commit("anna", claims, 1, ENDING_BACK), 1);
	ck_assert_uint_eq(claim("bert", 1), 1);
	/* The number says that the message is not to be obeyed any more, and a commit would be
	 * void. */
	ck_assert_int_eq(bell(&late), BELL_TASK);
	ck_assert_uint_le(late.pushed, pushed);
	ck_assert_uint_eq(commit("anna", &late, 1, ENDING_DONE), 0);
	ck_assert_uint_eq(commit("bert", claims, 1, ENDING_DONE), 1);
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
		a_forgotten_block_leaves_nothing,
		another_user_waits_for_tasks_of_a_block,
		what_a_member_leaves_behind_goes_to_others,
		an_idle_host_gets_tasks_unasked_as_many_as_it_has_free_workers,
		tasks_on_the_way_count_as_taken,
		nothing_comes_unasked_past_waiting_tasks_or_to_those_who_do_not_listen,
		a_task_that_got_lost_on_its_way_is_found_and_goes_back,
	};
	if (!fleet_redis_there())
		return 0;
	return run_tests(
	    "fleet blocks", TIMEOUT_S, begin, end, tests, sizeof tests / sizeof tests[0]);
}
