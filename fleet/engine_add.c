/* engine_add.c - new tasks. Tasks in a row that ask for the same go as one block, which costs the
 * engine a few steps instead of some for each task. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fleet/engine_redis.h"

enum { BLOCK_LEAST = 8, BLOCK_BYTES = 1 << 20, TITLE_BYTES_MOST = 255 };

/* ---- the fields that all tasks of a block share ---- */

static void add_limit(struct engine *e, uint32_t ms)
{
	if (ms)
		engine_number(e, ms);
	else
		engine_text(e, "");
}

static bool add_is_same(const struct engine_task *t, size_t i, size_t j)
{
	return engine_task_id(t->after[i].id) == engine_task_id(t->after[j].id);
}

/* The engine counts the tasks that a task waits for, each once. */
static bool add_named_before(const struct engine_task *t, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (add_is_same(t, i, j))
			return true;
	return false;
}

/* Of several conditions on one task the stricter one: "any" says nothing beside another one. */
static enum engine_condition add_condition(const struct engine_task *t, size_t i)
{
	for (size_t j = i; j < t->afters; j++)
		if (add_is_same(t, i, j) && t->after[j].condition != AFTER_ANY)
			return t->after[j].condition;
	return AFTER_ANY;
}

static void add_after(struct engine *e, const struct engine_task *t)
{
	enum { FEW = 16, AFTER_BYTES = 24 };
	char text[FEW * AFTER_BYTES], *at = text;
	char *all = t->afters > FEW ? malloc(t->afters * AFTER_BYTES) : text;
	CHECK(all);
	at = all;
	*at = 0;
	for (size_t i = 0; i < t->afters; i++) {
		const char condition[2] = { (char)add_condition(t, i), 0 };
		if (!add_named_before(t, i))
			at += sprintf(at, "%s%" PRIu64 "%s", i ? " " : "",
			    engine_task_id(t->after[i].id), condition);
	}
	engine_text(e, all);
	if (all != text)
		free(all);
}

static void add_terms(struct engine *e, const struct engine_task *t)
{
	engine_number(e, t->priority);
	engine_text(e, t->needs);
	engine_number(e, t->retries);
	engine_number(e, t->crash_retries);
	add_limit(e, t->queue_ms);
	add_limit(e, t->total_ms);
	add_limit(e, t->backoff_ms);
	add_limit(e, t->backoff_max_ms);
	engine_text(e, t->label);
}

/* ---- one task, in the order of ADDED in fleet.lua ---- */

static void add_single(struct engine *e, const struct engine_task *t)
{
	char identity[40] = "";
	if (t->identity[0] || t->identity[1])
		snprintf(identity, sizeof identity, "%016" PRIx64 "%016" PRIx64, t->identity[0],
		    t->identity[1]);
	engine_number(e, 1);
	engine_bytes(e, t->words, t->words_bytes);
	add_terms(e, t);
	engine_text(e, t->title);
	engine_text(e, identity);
	add_after(e, t);
	engine_number(e, (int64_t)t->keep_ms);
}

/* ---- a block ---- */

/* Limits of time, an identity, a time to keep and tasks to wait for are kept for each task alone.
 */
static bool add_fits_block(const struct engine_task *t)
{
	return !t->queue_ms && !t->total_ms && !t->identity[0] && !t->identity[1] && !t->afters &&
	    !t->keep_ms && t->words_bytes <= BLOCK_BYTES && strlen(t->title) <= TITLE_BYTES_MOST;
}

static bool add_alike(const struct engine_task *a, const struct engine_task *b)
{
	return a->priority == b->priority && a->retries == b->retries &&
	    a->crash_retries == b->crash_retries && a->backoff_ms == b->backoff_ms &&
	    a->backoff_max_ms == b->backoff_max_ms && strcmp(a->needs, b->needs) == 0 &&
	    strcmp(a->label, b->label) == 0;
}

/* How many tasks from the first on can form a block; 1: none. */
static size_t add_run(const struct engine_task *tasks, size_t n)
{
	size_t run = 0, bytes = 0;
	while (run < n && add_fits_block(&tasks[run]) && add_alike(&tasks[0], &tasks[run]) &&
	    bytes + tasks[run].words_bytes <= BLOCK_BYTES)
		bytes += tasks[run++].words_bytes;
	return run >= BLOCK_LEAST ? run : 1;
}

/* Where the words of each task begin, then the words. */
static void add_words(struct engine *e, const struct engine_task *tasks, size_t n)
{
	uint32_t place = (uint32_t)((n + 1) * sizeof place);
	size_t bytes = place;
	for (size_t i = 0; i < n; i++)
		bytes += tasks[i].words_bytes;
	char *places = engine_space(e, bytes), *words = places + place;
	for (size_t i = 0; i < n; i++) {
		memcpy(places + i * sizeof place, &place, sizeof place);
		memcpy(words, tasks[i].words, tasks[i].words_bytes);
		words += tasks[i].words_bytes;
		place += (uint32_t)tasks[i].words_bytes;
	}
	memcpy(places + n * sizeof place, &place, sizeof place);
}

/* One title if all are equal, else a zero, and each behind a byte with its length. */
static void add_titles(struct engine *e, const struct engine_task *tasks, size_t n)
{
	bool equal = true;
	size_t bytes = 1;
	for (size_t i = 0; i < n; i++) {
		equal &= strcmp(tasks[0].title, tasks[i].title) == 0;
		bytes += 1 + strlen(tasks[i].title);
	}
	if (equal) {
		engine_text(e, tasks[0].title);
		return;
	}
	char *at = engine_space(e, bytes);
	*at++ = 0;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(tasks[i].title);
		*at++ = (char)length;
		memcpy(at, tasks[i].title, length);
		at += length;
	}
}

static void add_block(struct engine *e, const struct engine_task *tasks, size_t n)
{
	engine_number(e, (int64_t)n);
	add_words(e, tasks, n);
	add_terms(e, &tasks[0]);
	add_titles(e, tasks, n);
	engine_text(e, "");
	engine_text(e, "");
	engine_number(e, 0);
}

int engine_add(struct engine *e, const struct engine_task *tasks, size_t n, bool unique,
    const char *token, int64_t *ids)
{
	size_t item = 0, run;
	engine_begin(e, "add");
	engine_text(e, unique ? "1" : "0");
	engine_text(e, token);
	for (size_t i = 0; i < n; i += run) {
		run = add_run(&tasks[i], n - i);
		if (run > 1)
			add_block(e, &tasks[i], run);
		else
			add_single(e, &tasks[i]);
	}
	int r = engine_call(e);
	for (size_t i = 0; i < n; i += run, item++) {
		run = add_run(&tasks[i], n - i);
		for (size_t j = 0; j < run; j++)
			ids[i + j] = r == 0 ? engine_part_number(e, item) + (int64_t)j : 0;
	}
	return r;
}
