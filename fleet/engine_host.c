/* engine_host.c - the verbs of a host: join, claim, renew, leave. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

static void host_add_boot(struct engine *e, uint64_t boot)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIx64, boot);
	engine_text(e, text);
}

static void host_add_facts(struct engine *e, const struct engine_facts *f)
{
	const struct {
		const char *name;
		int64_t number;
	} numbers[] = {
		{ "pid", f->pid },
		{ "cores", f->cores },
		{ "busy", f->busy },
		{ "mem_total", (int64_t)f->memory_total },
		{ "mem_used", (int64_t)f->memory_used },
	};
	engine_text(e, "name");
	engine_text(e, f->name);
	engine_text(e, "runtime");
	engine_text(e, f->runtime);
	engine_text(e, "version");
	engine_text(e, PLM_VERSION);
	engine_text(e, "can");
	engine_text(e, f->can);
	engine_text(e, "lacks");
	engine_text(e, f->lacks);
	engine_text(e, "has");
	engine_text(e, f->has);
	engine_text(e, "boot");
	host_add_boot(e, f->boot);
	engine_text(e, "serves");
	engine_text(e, f->serves);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		engine_text(e, numbers[i].name);
		engine_number(e, numbers[i].number);
	}
}

int engine_join(struct engine *e, const char *member, const struct engine_facts *facts)
{
	engine_begin(e, "join");
	engine_text(e, member);
	host_add_facts(e, facts);
	return engine_call(e);
}

int engine_renew(struct engine *e, const char *member, const struct engine_facts *facts,
    struct engine_orders *ret)
{
	enum { ORDER, NEXT, NEEDS, PUSHED, DROPS, TRACE, ENDS };
	engine_begin(e, "renew");
	engine_text(e, member);
	host_add_facts(e, facts);
	int r = engine_call(e);
	if (r < 0)
		return r;
	const char *order = engine_part_text(e, ORDER);
	size_t n = engine_parts(e) > ENDS ? engine_parts(e) - ENDS : 0;
	e->end = realloc(e->end, (n + 1) * sizeof *e->end);
	CHECK(e->end);
	for (size_t i = 0; i < n; i++)
		e->end[i] = (uint64_t)engine_part_number(e, ENDS + i);
	*ret = (struct engine_orders){ .drain = order[0] != 0,
		.close = strcmp(order, "close") == 0,
		.next_ms = engine_part_number(e, NEXT),
		.needs = engine_part_text(e, NEEDS),
		.drops = engine_part_text(e, DROPS),
		.pushed = (uint64_t)engine_part_number(e, PUSHED),
		.trace = engine_part_text(e, TRACE),
		.end = e->end,
		.ends = n };
	return 0;
}

/* Items of six values: see claim_one() and block_claim() in fleet.lua. */
enum { ITEM_KIND, ITEM_WIDTH = 6 };

static bool host_read_one(const struct engine *e, size_t at, struct engine_claim *ret)
{
	enum { KIND, ID, ATTEMPT, WORDS, LEFT, ENDS };
	const redisReply *words = engine_part(e, at + WORDS);
	bool text = words->type == REDIS_REPLY_STRING;
	*ret = (struct engine_claim){ .id = (uint64_t)engine_part_number(e, at + ID),
		.attempt = (uint64_t)engine_part_number(e, at + ATTEMPT),
		.words = text ? words->str : "",
		.words_bytes = text ? words->len : 0,
		.left_ms = (uint64_t)engine_part_number(e, at + LEFT),
		.ends = engine_part_text(e, at + ENDS) };
	return true;
}

size_t engine_claim_end(const struct engine_claim *claim, uint64_t *id, const char **ret)
{
	char *at = (char *)(uintptr_t)(claim->ends ? claim->ends : "");
	while (*at) {
		uint64_t found = strtoull(at, &at, 10);
		*ret = at + (*at == ' ');
		size_t n = strcspn(*ret, ";");
		if (*at == ' ' && (*id == ENGINE_PREVIOUS || found == engine_task_id(*id))) {
			*id = *id == ENGINE_PREVIOUS ? found : *id;
			return n;
		}
		at = (char *)(uintptr_t)(*ret + n + ((*ret)[n] == ';'));
	}
	return 0;
}

/* A part of a block: where the words of each task begin, and where the last ends; the words. Places
 * that lie outside the words give no words, which task_words_read() refuses. */
static unsigned host_read_block(
    const struct engine *e, size_t at, struct engine_claim *ret, unsigned most)
{
	enum { KIND, FIRST, FROM, COUNT, PLACES, WORDS };
	const redisReply *places = engine_part(e, at + PLACES), *words = engine_part(e, at + WORDS);
	uint64_t first = (uint64_t)engine_part_number(e, at + FIRST);
	uint64_t from = (uint64_t)engine_part_number(e, at + FROM);
	size_t n = (size_t)engine_part_number(e, at + COUNT);
	uint32_t begin, place, next;
	if (places->type != REDIS_REPLY_STRING || words->type != REDIS_REPLY_STRING ||
	    places->len < (n + 1) * sizeof place || n > most)
		return 0;
	memcpy(&begin, places->str, sizeof begin);
	for (size_t i = 0; i < n; i++) {
		memcpy(&place, places->str + i * sizeof place, sizeof place);
		memcpy(&next, places->str + (i + 1) * sizeof next, sizeof next);
		bool good = begin <= place && place <= next && next - begin <= words->len;
		ret[i] = (struct engine_claim){ .id = first + from + i,
			.attempt = 1,
			.block = first,
			.from = from,
			.words = good ? words->str + (place - begin) : "",
			.words_bytes = good ? next - place : 0 };
	}
	return (unsigned)n;
}

int engine_claim(struct engine *e, const char *member, const struct engine_room *room, unsigned n,
    const struct engine_class *class, size_t classes, struct engine_claim *ret, int64_t *ret_ms)
{
	engine_begin(e, "claim");
	engine_text(e, member);
	engine_number(e, room->free);
	engine_number(e, (int64_t)room->heard);
	engine_number(e, n);
	for (size_t i = 0; i < classes; i++) {
		engine_text(e, class[i].needs);
		engine_number(e, class[i].most);
	}
	int r = engine_call(e);
	if (r < 0)
		return r;
	unsigned found = 0;
	*ret_ms = engine_part_number(e, 0);
	for (size_t at = 1; at + ITEM_WIDTH <= engine_parts(e) && found < n; at += ITEM_WIDTH) {
		if (engine_part_text(e, at + ITEM_KIND)[0] == 'b')
			found += host_read_block(e, at, ret + found, n - found);
		else
			found += host_read_one(e, at, ret + found);
	}
	return (int)found;
}

void *engine_reply_take(struct engine *e)
{
	void *reply = e->reply;
	e->reply = NULL;
	return reply;
}

void engine_reply_free(void *reply)
{
	if (reply)
		freeReplyObject(reply);
}

void engine_place_print(plm_ref ref, char text[ENGINE_PLACE_BYTES])
{
	snprintf(text, ENGINE_PLACE_BYTES, "%" PRIx64 ".%" PRIx64, ref.id, ref.runtime);
}

bool engine_place_parse(const char *text, plm_ref *ret)
{
	return sscanf(text, "%" SCNx64 ".%" SCNx64, &ret->id, &ret->runtime) == 2;
}

int engine_mine(
    struct engine *e, const char *member, uint64_t (*ret)[2], size_t n, uint64_t *ret_pushed)
{
	engine_begin(e, "mine");
	engine_text(e, member);
	int r = engine_call(e);
	if (r < 0)
		return r;
	size_t found = engine_parts(e) / 2;
	*ret_pushed = (uint64_t)engine_part_number(e, 0);
	for (size_t i = 0; i < found && i < n; i++) {
		ret[i][0] = (uint64_t)engine_part_number(e, 1 + i * 2);
		ret[i][1] = (uint64_t)engine_part_number(e, 2 + i * 2);
	}
	return (int)found;
}

int engine_leave(struct engine *e, const char *member)
{
	engine_begin(e, "leave");
	engine_text(e, member);
	return engine_call(e);
}

/* ---- large values ---- */

static int host_say_refs(struct engine *e, const char *verb, uint64_t boot, const char *refs)
{
	engine_begin(e, verb);
	host_add_boot(e, boot);
	while (*refs) {
		size_t n = strcspn(refs, " ");
		if (n)
			engine_bytes(e, refs, n);
		refs += n + (refs[n] != 0);
	}
	return engine_call(e);
}

int engine_pledge(struct engine *e, uint64_t boot, const char *refs)
{
	return host_say_refs(e, "pledge", boot, refs);
}

int engine_dropped(struct engine *e, uint64_t boot, const char *refs)
{
	return host_say_refs(e, "dropped", boot, refs);
}
