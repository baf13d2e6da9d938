/* engine_hear.c - the second connection, on which Redis speaks first: bells of a host, ends of
 * tasks for a user. A message is a hint: a lost one costs the time until the next look. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

enum { HEAR_BYTES = 16384 };

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

/* Reads what has come, without waiting. 1: something; 0: nothing; -ENOTCONN. */
static int hear_read(struct engine *e)
{
	char text[HEAR_BYTES];
	if (!e->heard)
		return hear_broken(e);
	ssize_t n = recv(e->heard->fd, text, sizeof text, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n <= 0)
		snprintf(e->heard->errstr, sizeof e->heard->errstr, "%s",
		    n < 0 ? strerror(errno) : "Redis has closed the connection");
	else if (redisReaderFeed(e->heard->reader, text, (size_t)n) == REDIS_OK)
		return 1;
	return hear_broken(e);
}

static bool hear_is_news(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	    reply->element[2]->type == REDIS_REPLY_STRING;
}

/* Keeps the next message that has come as e->news. 1, 0 (none) or -ENOTCONN. */
static int hear_next(struct engine *e)
{
	void *reply;
	do {
		reply = NULL;
		if (!e->heard || redisGetReplyFromReader(e->heard, &reply) != REDIS_OK)
			return hear_broken(e);
		if (reply && !hear_is_news(reply))
			freeReplyObject(reply);
		else
			break;
	} while (true);
	if (e->news)
		freeReplyObject(e->news);
	e->news = reply;
	e->news_at = e->news_in_record = 0;
	return reply != NULL;
}

/* "pNUMBER ID;WORDS": push() of fleet.lua. */
static int hear_pushed(const redisReply *text, struct engine_claim *ret)
{
	char *at;
	uint64_t number = strtoull(text->str + 1, &at, 10), id = strtoull(at, &at, 10);
	if (*at != ';')
		return BELL_ORDER;
	at++;
	*ret = (struct engine_claim){ .id = id,
		.attempt = 1,
		.words = at,
		.words_bytes = text->len - (size_t)(at - text->str),
		.pushed = number };
	return BELL_TASK;
}

int engine_bell(struct engine *e, struct engine_claim *ret)
{
	int r = hear_next(e);
	if (r == 0)
		r = hear_read(e);
	if (r == 1 && !e->news)
		r = hear_next(e);
	if (r <= 0)
		return r;
	const redisReply *text = e->news->element[2];
	if (text->str[0] == 'f')
		*ret =
		    (struct engine_claim){ .words = text->str + 1, .words_bytes = text->len - 1 };
	return text->str[0] == 'p' ? hear_pushed(text, ret)
	    : text->str[0] == 'w'  ? BELL_WORK
	    : text->str[0] == 'f'  ? BELL_FOLLOW
				   : BELL_ORDER;
}

/* ---- news: the ends of tasks ---- */

/* A row of records, as tell() of fleet.lua writes them: a letter, a number, perhaps a length, and
 * bytes. */
struct hear_record {
	char kind;
	uint64_t number;
	const char *bytes;
	size_t length;
};

/* Reads the record at *at, and moves on. False at the end, and at what is no record. */
static bool hear_record(const char **at, const char *end, struct hear_record *ret)
{
	char *next;
	if (*at >= end)
		return false;
	ret->kind = **at;
	ret->number = strtoull(*at + 1, &next, 10);
	ret->length = *next == ',' ? strtoull(next + 1, &next, 10) : 0;
	if (*next != ';' || ret->length > (size_t)(end - next - 1))
		return false;
	ret->bytes = next + 1;
	*at = ret->bytes + ret->length;
	return true;
}

/* Task i of a commit: see engine_commit.c. */
static struct engine_news hear_of_block(const struct hear_record *record, uint16_t n, size_t i)
{
	uint16_t index;
	uint32_t begin = 0, end = 0;
	size_t head = sizeof n + n * sizeof n, values = head + n * 2 * sizeof end;
	memcpy(&index, record->bytes + sizeof n + i * sizeof index, sizeof index);
	struct engine_news news = { .id = record->number + index };
	if (record->kind != 'g')
		return news;
	news.value = "";
	if (record->length < values)
		return news;
	const char *ends = record->bytes + head + n * sizeof end;
	if (i > 0)
		memcpy(&begin, ends + (i - 1) * sizeof begin, sizeof begin);
	memcpy(&end, ends + i * sizeof end, sizeof end);
	if (begin > end || end > record->length - values)
		return (struct engine_news){ .id = news.id };
	news.value = record->bytes + values + begin;
	news.value_bytes = end - begin;
	return news;
}

static size_t hear_of(
    struct engine *e, const struct hear_record *record, struct engine_news *ret, size_t n)
{
	uint16_t all = 0;
	size_t found = 0;
	if (record->kind == 'e' || record->kind == 'v') {
		ret[0] = (struct engine_news){ .id = record->number };
		if (record->kind == 'v')
			ret[0].value = record->bytes;
		ret[0].value_bytes = record->length;
		return 1;
	}
	if (record->length >= sizeof all)
		memcpy(&all, record->bytes, sizeof all);
	if (record->length < sizeof all + all * sizeof all)
		return 0;
	while (e->news_in_record < all && found < n)
		ret[found++] = hear_of_block(record, all, e->news_in_record++);
	return found;
}

/* The rest of the last message. */
static size_t hear_rest(struct engine *e, struct engine_news *ret, size_t n)
{
	const redisReply *text = e->news->element[2];
	const char *end = text->str + text->len;
	struct hear_record record;
	size_t found = 0;
	while (found < n) {
		const char *at = text->str + e->news_at;
		if (!hear_record(&at, end, &record))
			break;
		size_t some = hear_of(e, &record, ret + found, n - found);
		found += some;
		if (some && found == n && e->news_in_record) {
			uint16_t all;
			memcpy(&all, record.bytes, sizeof all);
			if (e->news_in_record < all)
				return found;
		}
		e->news_at = (size_t)(at - text->str);
		e->news_in_record = 0;
	}
	return found;
}

/* Waits for bytes of the second connection. 1, 0 (time), or an error. */
static int hear_wait(struct engine *e, uint64_t deadline_ns)
{
	uint64_t now = clock_ns();
	int left = deadline_ns == DEADLINE_NEVER ? -1
	    : deadline_ns <= now                 ? 0
				 : (int)((deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS);
	if (left == 0)
		return hear_read(e);
	struct pollfd p = { .fd = e->heard->fd, .events = POLLIN };
	int ready = soon_look(&e->told, engine_readable, &p.fd) ? 1 : poll(&p, 1, left);
	soon_over(&e->told);
	if (ready < 0 && errno == EINTR)
		return -EINTR;
	int r = ready ? hear_read(e) : 0;
	return ready && r == 0 ? 1 : r; /* perhaps not yet a whole message */
}

int engine_told(struct engine *e, int timeout_ms, struct engine_news *ret, size_t n)
{
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	for (;;) {
		size_t found = e->news ? hear_rest(e, ret, n) : 0;
		if (found)
			return (int)found;
		int r = hear_next(e);
		if (r == 0)
			r = hear_wait(e, deadline_ns);
		if (r <= 0)
			return r;
	}
}
