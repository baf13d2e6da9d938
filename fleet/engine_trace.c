/* engine_trace.c - the ways of a trace of the fleet: a request to the hosts, their parts back, and
 * the clock that all times are told in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

enum { CLOCK_TRIPS = 16, NS_PER_US = 1000 };

/* TIME was read somewhere between the two readings here. */
int engine_clock(struct engine *e, struct engine_clock *ret)
{
	static const char *const word[] = { "TIME" };
	static const size_t length[] = { sizeof "TIME" - 1 };
	ret->uncertain_ns = UINT64_MAX;
	for (int i = 0; i < CLOCK_TRIPS; i++) {
		uint64_t sent_ns = clock_ns();
		int r = engine_command(e, word, length, 1);
		uint64_t trip_ns = clock_ns() - sent_ns;
		if (r < 0)
			return r;
		uint64_t uncertain_ns = (trip_ns + NS_PER_US) / 2;
		if (uncertain_ns >= ret->uncertain_ns)
			continue;
		int64_t engine_ns = engine_part_number(e, 0) * (int64_t)NS_PER_S +
		    engine_part_number(e, 1) * NS_PER_US + NS_PER_US / 2;
		ret->uncertain_ns = uncertain_ns;
		ret->offset_ns = engine_ns - (int64_t)(sent_ns + trip_ns / 2);
	}
	return 0;
}

int engine_trace_ask(struct engine *e, const char *request)
{
	engine_begin(e, "trace_ask");
	engine_text(e, request);
	int r = engine_call(e);
	return r < 0 ? r : e->reply->type == REDIS_REPLY_INTEGER ? (int)e->reply->integer : 0;
}

int engine_trace_give(
    struct engine *e, const char *token, const void *part, size_t bytes, unsigned life_ms)
{
	engine_begin(e, "trace_give");
	engine_text(e, token);
	engine_bytes(e, part, bytes);
	engine_number(e, life_ms);
	return engine_call(e);
}

int engine_trace_take(
    struct engine *e, const char *token, unsigned wait_ms, const void **ret, size_t *ret_bytes)
{
	char key[FLEET_QUEUE_BYTES + 64], wait[16];
	snprintf(key, sizeof key, "%strace:%s", e->prefix, token);
	snprintf(wait, sizeof wait, "%u.%03u", wait_ms / 1000, wait_ms % 1000);
	const char *const word[] = { "BLPOP", key, wait };
	const size_t length[] = { strlen(word[0]), strlen(key), strlen(wait) };
	int r = engine_command(e, word, length, COUNT_OF(word));
	const redisReply *part = engine_part(e, 1);
	if (r < 0 || !part || part->type != REDIS_REPLY_STRING)
		return r;
	*ret = part->str;
	*ret_bytes = part->len;
	return 1;
}
