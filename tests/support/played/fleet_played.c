#include "tests/support/played/fleet_played.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fleet_case.h"

const struct engine_facts played_facts = { .name = "played", .runtime = "none", .can = "" };
struct played played;

void played_begin(void)
{
	char text[300];
	struct fleet_url url;
	fleet_begin();
	snprintf(text, sizeof text, "unix://%s/redis.sock?queue=test&lease=%dms", fleet_directory,
	    PLAYED_LEASE_MS);
	GOOD(fleet_url_parse("test", text, true, &url));
	GOOD(engine_open(&played.user, &url, PLAYED_ANSWER_MS));
	GOOD(engine_open(&played.host, &url, PLAYED_ANSWER_MS));
	GOOD(engine_watch_open(played.user));
	GOOD(engine_join(played.host, "anna", &played_facts));
	GOOD(engine_join(played.host, "bert", &played_facts));
}

void played_end(void)
{
	engine_close(&played.user);
	engine_close(&played.host);
	fleet_end();
}

/* ---- what users do ---- */

/* n tasks, whose words and titles tell their numbers. */
void played_add(size_t n, struct engine_task like)
{
	static char words[PLAYED_MOST][24];
	static struct engine_task task[PLAYED_MOST];
	for (size_t i = 0; i < n; i++) {
		snprintf(words[i], sizeof words[i], "w%zu", i);
		task[i] = like;
		task[i].words = task[i].title = words[i];
		task[i].words_bytes = i % 7 ? strlen(words[i]) : 0;
		task[i].needs = like.needs ? like.needs : "";
		task[i].label = like.label ? like.label : "";
	}
	GOOD(engine_add(played.user, task, n, false, engine_token(played.user), played.ids));
	for (size_t i = 1; i < n; i++)
		ck_assert_int_eq(played.ids[i], played.ids[0] + (int64_t)i);
}

enum engine_state played_state_of(size_t i)
{
	struct engine_row row;
	GOOD(engine_row(played.user, (uint64_t)played.ids[i], &row));
	return row.state;
}

void played_value_is(size_t i, const char *expected)
{
	struct engine_result result;
	GOOD(engine_result(played.user, (uint64_t)played.ids[i], &result));
	ck_assert_int_eq(result.state, ENGINE_DONE);
	ck_assert_uint_eq(result.value_bytes, strlen(expected));
	ck_assert_mem_eq(result.value, expected, result.value_bytes);
}

struct engine_status played_counts(void)
{
	struct engine_status status;
	GOOD(engine_status(played.user, &status));
	return status;
}

int8_t played_one(int (*act)(struct engine *, const uint64_t *, size_t, int8_t *), size_t i)
{
	uint64_t id = (uint64_t)played.ids[i];
	int8_t done;
	GOOD(act(played.user, &id, 1, &done));
	return done;
}

/* ---- what hosts do ---- */

unsigned played_claim_of(const char *member, unsigned n, const char *needs)
{
	const struct engine_class class = { needs, n };
	int64_t ms;
	int found =
	    engine_claim(played.host, member, &played.room, n, &class, 1, played.claims, &ms);
	ck_assert_msg(found >= 0, "%s", why_text());
	for (int i = 0; i < found; i++) {
		char words[24] = "";
		size_t number = played.claims[i].id - (uint64_t)played.ids[0];
		if (number % 7)
			snprintf(words, sizeof words, "w%zu", number);
		ck_assert_uint_eq(played.claims[i].words_bytes, strlen(words));
		ck_assert_mem_eq(played.claims[i].words, words, strlen(words));
	}
	return (unsigned)found;
}

unsigned played_claim(const char *member, unsigned n)
{
	return played_claim_of(member, n, "");
}

struct engine_end played_end_of(const struct engine_claim *c, enum engine_ending kind)
{
	static char values[PLAYED_MOST][24];
	size_t number = c->id - (uint64_t)played.ids[0];
	char *value = values[number % PLAYED_MOST];
	snprintf(value, sizeof values[0], "v%zu", number);
	return (struct engine_end){ .id = c->id,
		.attempt = c->attempt,
		.block = c->block,
		.from = c->from,
		.kind = kind,
		.message = kind == ENDING_DONE ? "" : "told by the test",
		.code = kind == ENDING_DONE ? 0 : 7,
		.value = value,
		.value_bytes = kind == ENDING_DONE && number % 5 ? strlen(value) : 0,
		.wall_us = number };
}

/* Ends n claims, last first, as the bridge does. */
unsigned played_commit(
    const char *member, const struct engine_claim *c, size_t n, enum engine_ending kind)
{
	static struct engine_end ends[PLAYED_MOST];
	unsigned good = 0;
	for (size_t i = 0; i < n; i++)
		ends[i] = played_end_of(&c[n - 1 - i], kind);
	GOOD(engine_commit(played.host, member, &played.room, ends, n, played.taken, &played.idle));
	for (size_t i = 0; i < n; i++)
		good += played.taken[i];
	return good;
}

/* Hears until n tasks have ended; each once. */
size_t played_hear(size_t n, bool with_values)
{
	static bool heard[PLAYED_MOST];
	struct engine_news news[3];
	size_t all = 0;
	memset(heard, 0, sizeof heard);
	while (all < n) {
		int found = engine_told(played.user, PLAYED_ANSWER_MS, news, 3);
		ck_assert_int_gt(found, 0);
		for (int i = 0; i < found; i++) {
			char value[24] = "";
			size_t number = news[i].id - (uint64_t)played.ids[0];
			ck_assert_uint_lt(number, PLAYED_MOST);
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
