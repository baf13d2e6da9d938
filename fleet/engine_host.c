/* engine_host.c - the verbs of a host: join, claim, renew, commit and fail, leave. */
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
	enum { ORDER, NEXT, NEEDS, DROPS, ENDS };
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
		.end = e->end,
		.ends = n };
	return 0;
}

int engine_claim(struct engine *e, const char *member, unsigned n, const struct engine_class *class,
    size_t classes, struct engine_claim *ret, int64_t *ret_ms)
{
	enum { ID, ATTEMPT, WORDS, LEFT, AFTER, WIDTH };
	engine_begin(e, "claim");
	engine_text(e, member);
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
	for (size_t at = 1; at + WIDTH <= engine_parts(e) && found < n; at += WIDTH) {
		const redisReply *words = engine_part(e, at + WORDS);
		bool text = words->type == REDIS_REPLY_STRING;
		ret[found++] = (struct engine_claim){
			.id = (uint64_t)engine_part_number(e, at + ID),
			.attempt = (uint64_t)engine_part_number(e, at + ATTEMPT),
			.words = text ? words->str : "",
			.words_bytes = text ? words->len : 0,
			.left_ms = (uint64_t)engine_part_number(e, at + LEFT),
		};
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

static void host_far_text(const struct engine_far *far, char text[ENGINE_FAR_BYTES])
{
	char ref[ENGINE_PLACE_BYTES];
	engine_place_print(far->ref, ref);
	snprintf(
	    text, ENGINE_FAR_BYTES, "%s %" PRIu64 " %s %s", ref, far->bytes, far->hash, far->host);
}

static void host_add_far(struct engine *e, unsigned part, const struct engine_far *far)
{
	char field[16], text[ENGINE_FAR_BYTES];
	snprintf(field, sizeof field, "f%u", part);
	host_far_text(far, text);
	engine_text(e, field);
	engine_text(e, text);
}

/* Fields of the task: v2 and the like for bytes, f0 and the like for places of large values. */
static void host_add_values(struct engine *e, const struct engine_end *end)
{
	engine_number(e, (int64_t)end->mores + (end->far != NULL));
	if (end->far)
		host_add_far(e, 0, end->far);
	for (size_t i = 0; i < end->mores; i++) {
		const struct engine_value *value = &end->more[i];
		char field[16];
		snprintf(field, sizeof field, "v%u", value->part);
		if (value->far) {
			host_add_far(e, value->part, value->far);
			continue;
		}
		engine_text(e, field);
		engine_bytes(e, value->data, value->bytes);
	}
}

/* Of ENDING_LACKS: the lost value, in place of a message. */
static void host_add_message(struct engine *e, const struct engine_end *end)
{
	char text[ENGINE_FAR_BYTES + 32], far[ENGINE_FAR_BYTES];
	if (end->kind != ENDING_LACKS) {
		engine_text(e, end->message);
		return;
	}
	host_far_text(end->lost_at, far);
	snprintf(text, sizeof text, "%" PRIu64 " %s", engine_task_id(end->lost), far);
	engine_text(e, text);
}

int engine_commit(
    struct engine *e, const char *member, const struct engine_end *ends, size_t n, uint8_t *taken)
{
	engine_begin(e, "commit");
	engine_text(e, member);
	for (size_t i = 0; i < n; i++) {
		const struct engine_end *end = &ends[i];
		const char kind[2] = { (char)end->kind, 0 };
		engine_number(e, (int64_t)end->id);
		engine_number(e, (int64_t)end->attempt);
		engine_text(e, kind);
		engine_number(e, end->code);
		engine_number(e, end->signal);
		host_add_message(e, end);
		engine_bytes(e, end->error_output, end->error_bytes);
		engine_number(e, (int64_t)end->wall_us);
		engine_bytes(e, end->value, end->value_bytes);
		host_add_values(e, end);
	}
	int r = engine_call(e);
	for (size_t i = 0; i < n; i++)
		taken[i] = r == 0 && engine_part_number(e, i) == 1;
	return r;
}

int engine_mine(struct engine *e, const char *member, uint64_t (*ret)[2], size_t n)
{
	engine_begin(e, "mine");
	engine_text(e, member);
	int r = engine_call(e);
	if (r < 0)
		return r;
	size_t found = engine_parts(e) / 2;
	for (size_t i = 0; i < found && i < n; i++) {
		ret[i][0] = (uint64_t)engine_part_number(e, i * 2);
		ret[i][1] = (uint64_t)engine_part_number(e, i * 2 + 1);
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
