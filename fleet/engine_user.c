/* engine_user.c - the verbs of users: cancel, result, watch, and lists for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

/* ---- values of users ---- */

int engine_put(
    struct engine *e, const char *title, const void *value, size_t bytes, uint64_t *ret_id)
{
	engine_begin(e, "put");
	engine_text(e, title);
	engine_bytes(e, value, bytes);
	int r = engine_call(e);
	*ret_id =
	    r == 0 && e->reply->type == REDIS_REPLY_STRING ? strtoull(e->reply->str, NULL, 10) : 0;
	return r;
}

/* ---- words about many tasks ---- */

static int user_act(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	for (size_t i = 0; i < n; i++)
		engine_number(e, (int64_t)engine_task_id(ids[i]));
	int r = engine_call(e);
	for (size_t i = 0; i < n && r == 0; i++)
		ret[i] = (int8_t)engine_part_number(e, i);
	return r;
}

int engine_cancel(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	engine_begin(e, "cancel");
	return user_act(e, ids, n, ret);
}

int engine_requeue(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	engine_begin(e, "requeue");
	return user_act(e, ids, n, ret);
}

int engine_retry(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	engine_begin(e, "retry");
	return user_act(e, ids, n, ret);
}

int engine_forget(struct engine *e, const uint64_t *ids, size_t n, int8_t *ret)
{
	engine_begin(e, "forget");
	return user_act(e, ids, n, ret);
}

int engine_move(struct engine *e, const uint64_t *ids, size_t n, enum engine_place place,
    int priority, int8_t *ret)
{
	static const char *const names[] = { "priority", "front", "parked", "back" };
	engine_begin(e, "move");
	engine_text(e, names[place]);
	engine_number(e, priority);
	return user_act(e, ids, n, ret);
}

/* ---- states ---- */

static const char *const state_names[ENGINE_STATES] = { "none", "waiting", "ready", "pause",
	"parked", "running", "done", "failed", "cancelled" };

const char *engine_state_name(enum engine_state state)
{
	return state_names[state < ENGINE_STATES ? state : ENGINE_NONE];
}

static enum engine_state user_state(const char *text)
{
	for (int i = ENGINE_NONE + 1; i < ENGINE_STATES; i++)
		if (strcmp(state_names[i], text) == 0)
			return (enum engine_state)i;
	return ENGINE_NONE;
}

int engine_watch(struct engine *e, const uint64_t *ids, size_t n, enum engine_state *ret)
{
	return engine_watch_for(e, e->token, ids, n, ret);
}

int engine_watch_for(
    struct engine *e, const char *token, const uint64_t *ids, size_t n, enum engine_state *ret)
{
	engine_begin(e, "watch");
	engine_text(e, token);
	for (size_t i = 0; i < n; i++)
		engine_number(e, (int64_t)engine_task_id(ids[i]));
	int r = engine_call(e);
	for (size_t i = 0; i < n && r == 0; i++)
		ret[i] = user_state(engine_part_text(e, i));
	return r;
}

/* ---- result ---- */

static int user_read_far(const char *text, struct engine_far *ret)
{
	char ref[ENGINE_PLACE_BYTES];
	int n =
	    sscanf(text, "%33s %" SCNu64 " %64s %99[^\n]", ref, &ret->bytes, ret->hash, ret->host);
	return n == 4 && engine_place_parse(ref, &ret->ref)
	    ? 0
	    : why(-EBADMSG, "the place of a large value cannot be read: %.100s", text);
}

int engine_place(struct engine *e, const struct engine_far *far, struct carry_order *ret)
{
	char boot[24];
	snprintf(boot, sizeof boot, "%" PRIx64, far->ref.runtime);
	engine_begin(e, "place");
	engine_text(e, boot);
	int r = engine_call(e);
	if (r < 0)
		return r;
	*ret = (struct carry_order){ .ref = far->ref, .bytes = far->bytes };
	snprintf(ret->address, sizeof ret->address, "%s", engine_part_text(e, 0));
	snprintf(ret->hash, sizeof ret->hash, "%s", far->hash);
	memcpy(ret->secret, e->secret, sizeof ret->secret);
	return ret->address[0] ? 0
			       : why(-ENODATA, "host %s, where the value was, is gone", far->host);
}

int engine_remake(struct engine *e, uint64_t id, const struct engine_far *far)
{
	char boot[24];
	snprintf(boot, sizeof boot, "%" PRIx64, far->ref.runtime);
	engine_begin(e, "remake");
	engine_number(e, (int64_t)engine_task_id(id));
	engine_text(e, boot);
	int r = engine_call(e);
	return r < 0 ? r : e->reply->type == REDIS_REPLY_INTEGER && e->reply->integer == 1;
}

int engine_result(struct engine *e, uint64_t id, struct engine_result *ret)
{
	enum { STATE, CODE, SIGNAL, MESSAGE, VALUE, ERRORS, ATTEMPT, FAR };
	char field[16] = "val", far[16];
	unsigned part = engine_part_of(id);
	if (part)
		snprintf(field, sizeof field, "v%u", part);
	snprintf(far, sizeof far, "f%u", part);
	engine_begin(e, "result");
	engine_number(e, (int64_t)engine_task_id(id));
	engine_text(e, field);
	engine_text(e, far);
	int r = engine_call(e);
	if (r < 0)
		return r;
	const redisReply *value = engine_part(e, VALUE), *errors = engine_part(e, ERRORS);
	*ret = (struct engine_result){ .state = user_state(engine_part_text(e, STATE)),
		.code = (int)engine_part_number(e, CODE),
		.signal = (int)engine_part_number(e, SIGNAL),
		.attempt = (unsigned)engine_part_number(e, ATTEMPT),
		.message = engine_part_text(e, MESSAGE),
		.value = engine_part_text(e, VALUE),
		.error_output = engine_part_text(e, ERRORS),
		.value_bytes = value && value->type == REDIS_REPLY_STRING ? value->len : 0,
		.error_bytes = errors && errors->type == REDIS_REPLY_STRING ? errors->len : 0 };
	if (ret->state == ENGINE_NONE)
		return why(-ENOENT, "%s has no such task any more", e->url.shown);
	if (engine_part_text(e, FAR)[0])
		return user_read_far(engine_part_text(e, FAR), &ret->far);
	return ret->state != ENGINE_DONE || part == 0 || value->type == REDIS_REPLY_STRING
	    ? 0
	    : why(-ENOENT, "the task has no result of number %u", part);
}

/* ---- lists ---- */

static void user_row(const struct engine *e, size_t at, struct engine_row *ret)
{
	enum {
		ID,
		HOST,
		STATE,
		PRIORITY,
		NEEDS,
		ATTEMPT,
		OWNER,
		ADDED,
		BEGAN,
		ENDED,
		LABEL,
		TITLE,
		CODE,
		SIGNAL,
		MESSAGE,
		RETRIES,
		CRASHES,
		WALL,
		AFTER
	};
	*ret = (struct engine_row){ .id = (uint64_t)engine_part_number(e, at + ID),
		.state = user_state(engine_part_text(e, at + STATE)),
		.priority = (int)engine_part_number(e, at + PRIORITY),
		.code = (int)engine_part_number(e, at + CODE),
		.signal = (int)engine_part_number(e, at + SIGNAL),
		.attempt = (unsigned)engine_part_number(e, at + ATTEMPT),
		.retries = (unsigned)engine_part_number(e, at + RETRIES),
		.crash_retries = (unsigned)engine_part_number(e, at + CRASHES),
		.added_ms = (uint64_t)engine_part_number(e, at + ADDED),
		.began_ms = (uint64_t)engine_part_number(e, at + BEGAN),
		.ended_ms = (uint64_t)engine_part_number(e, at + ENDED),
		.wall_us = (uint64_t)engine_part_number(e, at + WALL),
		.needs = engine_part_text(e, at + NEEDS),
		.host = engine_part_text(e, at + HOST),
		.label = engine_part_text(e, at + LABEL),
		.title = engine_part_text(e, at + TITLE),
		.message = engine_part_text(e, at + MESSAGE),
		.after = engine_part_text(e, at + AFTER) };
}

enum { ROW_PARTS = 19, HOST_PARTS = 18 };

int engine_list(struct engine *e, uint64_t *from, struct engine_row *ret, size_t n)
{
	engine_begin(e, "list");
	engine_number(e, (int64_t)*from);
	engine_number(e, (int64_t)n);
	int r = engine_call(e);
	if (r < 0)
		return r;
	size_t rows = 0;
	for (size_t at = 1; at + ROW_PARTS <= engine_parts(e) && rows < n; at += ROW_PARTS)
		user_row(e, at, &ret[rows++]);
	*from = (uint64_t)engine_part_number(e, 0);
	return (int)rows;
}

int engine_row(struct engine *e, uint64_t id, struct engine_row *ret)
{
	uint64_t task = engine_task_id(id), from = task;
	int r = engine_list(e, &from, ret, 1);
	if (r < 0)
		return r;
	return r == 1 && ret->id == task
	    ? 0
	    : why(-ENOENT, "%s has no such task any more", e->url.shown);
}

int engine_status(struct engine *e, struct engine_status *ret)
{
	engine_begin(e, "status");
	int r = engine_call(e);
	if (r < 0)
		return r;
	*ret = (struct engine_status){
		.waiting = (uint64_t)engine_part_number(e, 1),
		.ready = (uint64_t)engine_part_number(e, 3),
		.pause = (uint64_t)engine_part_number(e, 5),
		.running = (uint64_t)engine_part_number(e, 7),
		.done = (uint64_t)engine_part_number(e, 9),
		.failed = (uint64_t)engine_part_number(e, 11),
		.cancelled = (uint64_t)engine_part_number(e, 13),
		.hosts = (uint64_t)engine_part_number(e, 15),
		.parked = (uint64_t)engine_part_number(e, 17),
	};
	return 0;
}

int engine_hosts(struct engine *e, engine_host_f *row, void *context)
{
	enum {
		MEMBER,
		SEEN,
		CLAIMED,
		NAME,
		STATE,
		ORDER,
		SEEN_AT,
		CORES,
		BUSY,
		TOTAL,
		USED,
		FINISHED,
		PID,
		RUNTIME,
		VERSION,
		CAN,
		LACKS,
		HAS
	};
	engine_begin(e, "hosts");
	int r = engine_call(e);
	for (size_t at = 0; r == 0 && at + HOST_PARTS <= engine_parts(e); at += HOST_PARTS) {
		const struct engine_host host = { .member = engine_part_text(e, at + MEMBER),
			.name = engine_part_text(e, at + NAME),
			.state = engine_part_text(e, at + STATE),
			.order = engine_part_text(e, at + ORDER),
			.runtime = engine_part_text(e, at + RUNTIME),
			.version = engine_part_text(e, at + VERSION),
			.can = engine_part_text(e, at + CAN),
			.lacks = engine_part_text(e, at + LACKS),
			.has = engine_part_text(e, at + HAS),
			.seen_ms = (uint64_t)engine_part_number(e, at + SEEN),
			.claimed = (uint64_t)engine_part_number(e, at + CLAIMED),
			.cores = (uint64_t)engine_part_number(e, at + CORES),
			.busy = (uint64_t)engine_part_number(e, at + BUSY),
			.memory_total = (uint64_t)engine_part_number(e, at + TOTAL),
			.memory_used = (uint64_t)engine_part_number(e, at + USED),
			.finished = (uint64_t)engine_part_number(e, at + FINISHED),
			.pid = (int)engine_part_number(e, at + PID) };
		row(context, &host);
	}
	return r;
}

int engine_order(struct engine *e, const char *name, const char *order)
{
	engine_begin(e, "order");
	engine_text(e, name);
	engine_text(e, order);
	int r = engine_call(e);
	return r < 0 ? r : e->reply->type == REDIS_REPLY_INTEGER ? (int)e->reply->integer : 0;
}

int engine_freshen(struct engine *e)
{
	engine_begin(e, "freshen");
	int r = engine_call(e);
	return r < 0 ? r : 0;
}

int engine_follow(struct engine *e, uint64_t id, const char *token, int stream, uint64_t from,
    struct engine_followed *ret)
{
	engine_begin(e, "follow");
	engine_number(e, (int64_t)engine_task_id(id));
	engine_text(e, token);
	engine_number(e, stream);
	engine_number(e, (int64_t)from);
	int r = engine_call(e);
	if (r < 0)
		return r;
	*ret = (struct engine_followed){ user_state(engine_part_text(e, 0)),
		(unsigned)engine_part_number(e, 1) };
	return ret->state != ENGINE_NONE
	    ? 0
	    : why(-ENOENT, "%s has no such task any more", e->url.shown);
}

/* ---- explain ---- */

enum { REASON_PARTS = 8, WAIT_PARTS = 3 };

int engine_explain(struct engine *e, uint64_t id, struct engine_reason *ret)
{
	enum { STATE, NEEDS, BEFORE, PAUSE, HOST, BEGAN, ATTEMPT, MESSAGE };
	engine_begin(e, "explain");
	engine_number(e, (int64_t)engine_task_id(id));
	int r = engine_call(e);
	if (r < 0)
		return r;
	size_t n = engine_parts(e);
	*ret = (struct engine_reason){ .state = user_state(engine_part_text(e, STATE)),
		.needs = engine_part_text(e, NEEDS),
		.before = (uint64_t)engine_part_number(e, BEFORE),
		.pause_ms = (uint64_t)engine_part_number(e, PAUSE),
		.host = engine_part_text(e, HOST),
		.began_ms = (uint64_t)engine_part_number(e, BEGAN),
		.attempt = (unsigned)engine_part_number(e, ATTEMPT),
		.message = engine_part_text(e, MESSAGE),
		.waits = n > REASON_PARTS ? (n - REASON_PARTS) / WAIT_PARTS : 0 };
	return ret->state != ENGINE_NONE
	    ? 0
	    : why(-ENOENT, "%s has no such task any more", e->url.shown);
}

struct engine_wait engine_waits_for(const struct engine *e, size_t i)
{
	size_t at = REASON_PARTS + WAIT_PARTS * i;
	return (struct engine_wait){ .id = (uint64_t)engine_part_number(e, at),
		.state = engine_part_text(e, at + 1),
		.condition = (enum engine_condition)engine_part_text(e, at + 2)[0] };
}
