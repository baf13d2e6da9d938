/* engine_commit.c - the ends of attempts: commit and fail.
 *
 * Ends of tasks that lie in one claim of a block go together, as a row of bytes that the engine
 * keeps as they are (result_of() in fleet.lua reads them). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fleet/engine_redis.h"

struct commit { /* one call */
	const struct engine_end *ends;
	size_t n;
	uint16_t *order; /* ends of one claim stand together, by id */
};

static bool commit_goes_together(const struct engine_end *end)
{
	return end->block && end->kind == ENDING_DONE && end->error_bytes == 0 && end->mores == 0 &&
	    !end->far && end->wall_us <= UINT32_MAX;
}

/* ---- order ---- */

static const struct engine_end *commit_compared; /* for the comparison */

static int commit_compare(const void *x, const void *y)
{
	const struct engine_end *a = &commit_compared[*(const uint16_t *)x];
	const struct engine_end *b = &commit_compared[*(const uint16_t *)y];
	uint64_t block_a = commit_goes_together(a) ? a->block : 0;
	uint64_t block_b = commit_goes_together(b) ? b->block : 0;
	if (block_a != block_b)
		return block_a < block_b ? -1 : 1;
	if (a->from != b->from && block_a)
		return a->from < b->from ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* How many ends from the place on go together; 1: one end alone. */
static size_t commit_group(const struct commit *c, size_t at)
{
	const struct engine_end *first = &c->ends[c->order[at]];
	size_t n = 1;
	if (!commit_goes_together(first))
		return 1;
	while (at + n < c->n) {
		const struct engine_end *next = &c->ends[c->order[at + n]];
		if (!commit_goes_together(next) || next->block != first->block ||
		    next->from != first->from)
			break;
		n++;
	}
	return n;
}

/* ---- words ---- */

static void commit_far_text(const struct engine_far *far, char text[ENGINE_FAR_BYTES])
{
	char ref[ENGINE_PLACE_BYTES];
	engine_place_print(far->ref, ref);
	snprintf(
	    text, ENGINE_FAR_BYTES, "%s %" PRIu64 " %s %s", ref, far->bytes, far->hash, far->host);
}

static void commit_add_far(struct engine *e, unsigned part, const struct engine_far *far)
{
	char field[16], text[ENGINE_FAR_BYTES];
	snprintf(field, sizeof field, "f%u", part);
	commit_far_text(far, text);
	engine_text(e, field);
	engine_text(e, text);
}

/* Fields of the task: v2 and the like for bytes, f0 and the like for places of large values. */
static void commit_more(struct engine *e, const struct engine_end *end)
{
	engine_number(e, (int64_t)end->mores + (end->far != NULL));
	if (end->far)
		commit_add_far(e, 0, end->far);
	for (size_t i = 0; i < end->mores; i++) {
		const struct engine_value *value = &end->more[i];
		char field[16];
		snprintf(field, sizeof field, "v%u", value->part);
		if (value->far) {
			commit_add_far(e, value->part, value->far);
			continue;
		}
		engine_text(e, field);
		engine_bytes(e, value->data, value->bytes);
	}
}

/* Of ENDING_LACKS: the lost value, in place of a message. */
static void commit_message(struct engine *e, const struct engine_end *end)
{
	char text[ENGINE_FAR_BYTES + 32], far[ENGINE_FAR_BYTES];
	if (end->kind != ENDING_LACKS) {
		engine_text(e, end->message);
		return;
	}
	commit_far_text(end->lost_at, far);
	snprintf(text, sizeof text, "%" PRIu64 " %s", engine_task_id(end->lost), far);
	engine_text(e, text);
}

static void commit_single(struct engine *e, const struct engine_end *end)
{
	const char kind[2] = { (char)end->kind, 0 };
	engine_number(e, (int64_t)end->id);
	engine_number(e, (int64_t)end->attempt);
	engine_text(e, kind);
	engine_number(e, end->code);
	engine_number(e, end->signal);
	commit_message(e, end);
	engine_bytes(e, end->error_output, end->error_bytes);
	engine_number(e, (int64_t)end->wall_us);
	engine_bytes(e, end->value, end->value_bytes);
	commit_more(e, end);
}

/* How many, the index of each, then, unless all are empty, microseconds, places and values. */
static void commit_pack(struct engine *e, const struct commit *c, size_t at, uint16_t n)
{
	size_t values = 0, full = 0;
	uint32_t place = 0;
	for (size_t i = 0; i < n; i++) {
		const struct engine_end *end = &c->ends[c->order[at + i]];
		values += end->value_bytes;
		full += end->value_bytes || end->wall_us;
	}
	size_t head = sizeof n + n * sizeof n, rest = full ? n * 2 * sizeof place + values : 0;
	char *piece = engine_space(e, head + rest);
	memcpy(piece, &n, sizeof n);
	for (size_t i = 0; i < n; i++) {
		const struct engine_end *end = &c->ends[c->order[at + i]];
		uint16_t index = (uint16_t)(end->id - end->block);
		uint32_t wall_us = (uint32_t)end->wall_us;
		memcpy(piece + sizeof n + i * sizeof index, &index, sizeof index);
		if (!full)
			continue;
		char *numbers = piece + head + i * sizeof place;
		memcpy(numbers, &wall_us, sizeof wall_us);
		if (end->value_bytes)
			memcpy(piece + head + n * 2 * sizeof place + place, end->value,
			    end->value_bytes);
		place += (uint32_t)end->value_bytes;
		memcpy(numbers + n * sizeof place, &place, sizeof place);
	}
}

static void commit_together(struct engine *e, const struct commit *c, size_t at, size_t n)
{
	const struct engine_end *first = &c->ends[c->order[at]];
	engine_number(e, (int64_t)first->block);
	engine_number(e, (int64_t)first->from);
	engine_text(e, "g");
	for (int i = 0; i < 5; i++)
		engine_text(e, "");
	commit_pack(e, c, at, (uint16_t)n);
	engine_number(e, 0);
}

/* An item is accepted as a whole (1), void (0), or a text has a 0 or 1 for each end. */
static bool commit_taken(const struct engine *e, size_t item, size_t i)
{
	const redisReply *part = engine_part(e, item);
	if (part && part->type == REDIS_REPLY_STRING)
		return i < part->len && part->str[i] == '1';
	return engine_part_number(e, item) == 1;
}

int engine_commit(struct engine *e, const char *member, const struct engine_room *room,
    const struct engine_end *ends, size_t n, uint8_t *taken, bool *ret_idle)
{
	struct commit c = { ends, n, calloc(n + 1, sizeof *c.order) };
	size_t item = 1, group;
	CHECK(c.order && n <= ENGINE_COMMIT_MOST);
	for (size_t i = 0; i < n; i++)
		c.order[i] = (uint16_t)i;
	commit_compared = ends;
	qsort(c.order, n, sizeof *c.order, commit_compare);
	engine_begin(e, "commit");
	engine_text(e, member);
	engine_number(e, room->free);
	engine_number(e, (int64_t)room->heard);
	for (size_t i = 0; i < n; i += group) {
		group = commit_group(&c, i);
		if (commit_goes_together(&ends[c.order[i]]))
			commit_together(e, &c, i, group);
		else
			commit_single(e, &ends[c.order[i]]);
	}
	int r = engine_call(e);
	*ret_idle = r == 0 && engine_part_number(e, 0) == 1;
	for (size_t i = 0; i < n; i += group, item++) {
		group = commit_group(&c, i);
		for (size_t j = 0; j < group; j++)
			taken[c.order[i + j]] = r == 0 && commit_taken(e, item, j);
	}
	free(c.order);
	return r;
}
