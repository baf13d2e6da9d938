/* engine_hear.c - the second connection, on which Redis speaks first: bells of a host, ends of
 * tasks for a user. A message is a hint: a lost one costs the time until the next look. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

static int hear_broken(struct engine *e)
{
	int r = why(-ENOTCONN, "%s: %s", e->url.shown,
	    e->heard && e->heard->errstr[0] ? e->heard->errstr : "the connection broke");
	if (e->heard)
		redisFree(e->heard);
	e->heard = NULL;
	return r;
}

int engine_hear(struct engine *e, const char *channel)
{
	if (channel != e->channel)
		snprintf(e->channel, sizeof e->channel, "%s", channel);
	int r = engine_connect(e, &e->heard);
	if (r < 0)
		return r;
	redisReply *reply = redisCommand(e->heard, "SUBSCRIBE %s", e->channel);
	bool good = reply && reply->type == REDIS_REPLY_ARRAY;
	if (!good && reply)
		snprintf(e->heard->errstr, sizeof e->heard->errstr, "%.100s", reply->str);
	if (reply)
		freeReplyObject(reply);
	return good ? 0 : hear_broken(e);
}

int engine_bell_open(struct engine *e, const char *member)
{
	char channel[sizeof e->channel];
	snprintf(channel, sizeof channel, "%sbell:%s", e->prefix, member);
	if (e->heard)
		redisFree(e->heard);
	e->heard = NULL;
	return engine_hear(e, channel);
}

int engine_bell_fd(const struct engine *e)
{
	return e->heard ? e->heard->fd : -1;
}

int engine_watch_open(struct engine *e)
{
	char channel[sizeof e->channel];
	snprintf(e->token, sizeof e->token, "%llx", (unsigned long long)engine_random());
	snprintf(channel, sizeof channel, "%sn:%s", e->prefix, e->token);
	return engine_hear(e, channel);
}

const char *engine_token(const struct engine *e)
{
	return e->token;
}

/* Reads what has come, without waiting. 0 or -ENOTCONN. */
static int hear_read(struct engine *e)
{
	struct pollfd p = { .fd = engine_bell_fd(e), .events = POLLIN };
	if (p.fd < 0)
		return hear_broken(e);
	if (poll(&p, 1, 0) == 1 && redisBufferRead(e->heard) != REDIS_OK)
		return hear_broken(e);
	return 0;
}

int engine_bell(struct engine *e)
{
	void *reply;
	int rung = 0, r = hear_read(e);
	while (r == 0) {
		reply = NULL;
		if (redisGetReplyFromReader(e->heard, &reply) != REDIS_OK)
			return hear_broken(e);
		if (!reply)
			return rung;
		const redisReply *said = reply;
		bool work = said->type == REDIS_REPLY_ARRAY && said->elements == 3 &&
		    said->element[2]->type == REDIS_REPLY_STRING && said->element[2]->str[0] == 'w';
		rung |= work ? BELL_WORK : BELL_ORDER;
		freeReplyObject(reply);
	}
	return r;
}

/* "message", the channel, the ids with blanks between them. */
static size_t hear_ids(const redisReply *reply, uint64_t *ids, size_t n)
{
	size_t found = 0;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
	    reply->element[2]->type != REDIS_REPLY_STRING)
		return 0;
	for (char *at = reply->element[2]->str; *at && found < n;) {
		char *end;
		uint64_t id = strtoull(at, &end, 10);
		if (end == at)
			break;
		ids[found++] = id;
		at = end;
	}
	return found;
}

/* One message; ids beyond n are dropped, which the caller's next look makes good. */
int engine_told(struct engine *e, int timeout_ms, uint64_t *ids, size_t n)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	for (;;) {
		void *reply = NULL;
		if (!e->heard)
			return hear_broken(e);
		if (redisGetReplyFromReader(e->heard, &reply) != REDIS_OK)
			return hear_broken(e);
		if (reply) {
			size_t found = hear_ids(reply, ids, n);
			freeReplyObject(reply);
			if (found)
				return (int)found;
			continue;
		}
		uint64_t now = clock_ns();
		int left = deadline_ns == DEADLINE_NEVER ? -1
		    : deadline_ns <= now                 ? 0
					 : (int)((deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS);
		struct pollfd p = { .fd = e->heard->fd, .events = POLLIN };
		int ready = poll(&p, 1, left);
		if (ready < 0 && errno == EINTR)
			return -EINTR;
		if (ready == 0)
			return 0;
		if (redisBufferRead(e->heard) != REDIS_OK)
			return hear_broken(e);
	}
}
