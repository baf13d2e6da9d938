/* engine_call.c - one verb: its words out, its answer in, and what an error of Redis means. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/why.h"
#include "fleet/engine_redis.h"

/* REQUEST_HEAD: room for the number of words, which is known last. */
enum { REQUEST_LEAST = 4096, REQUEST_HEAD = 32, WORD_HEAD_BYTES = 32 };

/* ---- the request ---- */

static void call_grow(struct engine *e, size_t more)
{
	size_t wanted = e->request_bytes + more;
	if (wanted <= e->request_room)
		return;
	size_t room = e->request_room ? e->request_room : REQUEST_LEAST;
	while (room < wanted)
		room *= 2;
	e->request = realloc(e->request, room);
	CHECK(e->request);
	e->request_room = room;
}

char *engine_space(struct engine *e, size_t n)
{
	call_grow(e, n + WORD_HEAD_BYTES);
	char *at = e->request + e->request_bytes;
	at += sprintf(at, "$%zu\r\n", n);
	memcpy(at + n, "\r\n", 2);
	e->request_bytes = (size_t)(at - e->request) + n + 2;
	e->request_words++;
	return at;
}

void engine_bytes(struct engine *e, const void *data, size_t n)
{
	char *at = engine_space(e, n);
	if (n)
		memcpy(at, data, n);
}

void engine_text(struct engine *e, const char *text)
{
	engine_bytes(e, text ? text : "", text ? strlen(text) : 0);
}

void engine_number(struct engine *e, int64_t number)
{
	char text[24];
	engine_bytes(e, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)number));
}

void engine_begin(struct engine *e, const char *verb)
{
	char function[32];
	snprintf(function, sizeof function, "plm2_%s", verb);
	e->request_bytes = REQUEST_HEAD;
	e->request_words = 0;
	engine_text(e, "FCALL");
	engine_text(e, function);
	engine_number(e, 1);
	engine_text(e, e->prefix);
	engine_text(e, e->epoch);
}

/* ---- errors ---- */

static const struct {
	const char *begins;
	int error;
	const char *text; /* NULL: the words of Redis */
} call_errors[] = {
	{ "PLMLOST", -ESTALE, "the lease of this host ended and its tasks were taken over" },
	{ "PLMEPOCH", -EXDEV, "the queue was replaced by another one" },
	{ "PLMNONE", -EXDEV, "the queue is not there any more: Redis lost or removed its keys" },
	{ "PLMDEP", -ENOENT, "a task that was named is not in the queue any more" },
	{ "WRONGPASS", -EACCES, "Redis refuses the user or the password" },
	{ "NOAUTH", -EACCES, "Redis wants a password: ?password-file=FILE, or in PLM_FLEET" },
	{ "ERR AUTH", -EACCES, "Redis has no password, but one was given" },
	{ "ERR invalid password", -EACCES, "Redis refuses the password" },
	{ "NOPERM", -EACCES, NULL },
	{ "OOM", -ENOSPC, "the memory of Redis is full (maxmemory): forget results, or give more" },
	{ "LOADING", -ENOTCONN, "Redis is still reading its file" },
	{ "READONLY", -ENOTCONN, "this Redis is a replica and takes no writes" },
	{ "MISCONF", -ENOTCONN, "Redis cannot write its file, and takes no writes" },
	{ "MASTERDOWN", -ENOTCONN, NULL },
	{ "BUSY", -ENOTCONN, "Redis is busy with a script" },
	{ "ERR unknown command", -EPROTO,
	    "this engine is too old: Redis 7.0, or Valkey, has the functions that a fleet needs" },
	{ "ERR DB index", -EINVAL, "Redis has no database of this number" },
};

static int call_refused(const struct engine *e, const char *text)
{
	if (strncmp(text, "PLMFORMAT", 9) == 0)
		return why(-EPROTO,
		    "%s: the queue is of format %s, and this plm is of format 1: use plm of the "
		    "same version on all hosts, or another queue=NAME",
		    e->url.shown, text + 10);
	if (strncmp(text, "PLMFOREIGN", 10) == 0)
		return why(-EEXIST,
		    "%s: the key %s is there and was not made by plm: use another db or queue=NAME",
		    e->url.shown, text + 11);
	for (size_t i = 0; i < COUNT_OF(call_errors); i++)
		if (strncmp(text, call_errors[i].begins, strlen(call_errors[i].begins)) == 0)
			return why(call_errors[i].error, "%s: %s", e->url.shown,
			    call_errors[i].text ? call_errors[i].text : text);
	return why(-EIO, "%s: Redis says: %.300s", e->url.shown, text);
}

/* The state of the connection is unknown: nothing more may be asked on it. */
int engine_broken(struct engine *e, const char *reason)
{
	char text[160];
	snprintf(text, sizeof text, "%s", reason && reason[0] ? reason : "no answer in time");
	if (e->verbs)
		redisFree(e->verbs);
	e->verbs = NULL;
	return why(-ENOTCONN, "%s: %s", e->url.shown, text);
}

/* ---- the exchange ---- */

bool engine_readable(void *fd)
{
	struct pollfd p = { .fd = *(const int *)fd, .events = POLLIN };
	return poll(&p, 1, 0) != 0;
}

/* Sends a request, and waits for the answer. A connection that is gone must not end a program by
 * SIGPIPE, whose treatment belongs to the program. */
static bool call_exchange(struct engine *e, const char *request, size_t bytes, void **reply)
{
	redisContext *c = e->verbs;
	while (bytes) {
		ssize_t n = send(c->fd, request, bytes, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR) {
			c->err = REDIS_ERR_IO;
			return false;
		}
		request += n > 0 ? n : 0;
		bytes -= n > 0 ? (size_t)n : 0;
	}
	soon_look(&e->answers, engine_readable, &c->fd);
	bool good = redisGetReply(c, reply) == REDIS_OK && *reply;
	soon_over(&e->answers);
	return good;
}

static int call_broken(struct engine *e)
{
	bool late = errno == EAGAIN || errno == EWOULDBLOCK;
	return engine_broken(e,
	    e->verbs->err != REDIS_ERR_IO ? e->verbs->errstr
		: late                    ? "no answer in time"
					  : strerror(errno));
}

static int call_send(struct engine *e)
{
	char head[REQUEST_HEAD];
	void *reply = NULL;
	if (e->reply)
		freeReplyObject(e->reply);
	e->reply = NULL;
	if (!e->verbs)
		return why(-ENOTCONN, "%s: not connected", e->url.shown);
	size_t n = (size_t)snprintf(head, sizeof head, "*%zu\r\n", e->request_words);
	char *request = memcpy(e->request + REQUEST_HEAD - n, head, n);
	if (!call_exchange(e, request, e->request_bytes - REQUEST_HEAD + n, &reply))
		return call_broken(e);
	e->reply = reply;
	return 0;
}

int engine_call(struct engine *e)
{
	int r = call_send(e);
	/* An engine that lost its memory has lost the functions, too. */
	if (r == 0 && e->reply->type == REDIS_REPLY_ERROR &&
	    strncmp(e->reply->str, "ERR Function not found", 22) == 0) {
		r = engine_load(e);
		if (r == 0)
			r = call_send(e);
	}
	if (r == 0 && e->reply->type == REDIS_REPLY_ERROR)
		r = call_refused(e, e->reply->str);
	return r;
}

int engine_command(struct engine *e, const char *const *word, const size_t *length, int n)
{
	void *reply = NULL;
	if (!e->verbs)
		return why(-ENOTCONN, "%s: not connected", e->url.shown);
	if (e->reply)
		freeReplyObject(e->reply);
	e->reply = NULL;
	char *text = NULL;
	long long bytes = redisFormatCommandArgv(&text, n, (const char **)(uintptr_t)word, length);
	CHECK(bytes > 0);
	bool good = call_exchange(e, text, (size_t)bytes, &reply);
	redisFreeCommand(text);
	if (!good)
		return call_broken(e);
	e->reply = reply;
	return e->reply->type == REDIS_REPLY_ERROR ? call_refused(e, e->reply->str) : 0;
}

/* ---- the answer ---- */

size_t engine_parts(const struct engine *e)
{
	return e->reply && e->reply->type == REDIS_REPLY_ARRAY ? e->reply->elements : 0;
}

const redisReply *engine_part(const struct engine *e, size_t i)
{
	return i < engine_parts(e) ? e->reply->element[i] : NULL;
}

int64_t engine_part_number(const struct engine *e, size_t i)
{
	const redisReply *part = engine_part(e, i);
	if (!part)
		return 0;
	if (part->type == REDIS_REPLY_INTEGER)
		return part->integer;
	return part->type == REDIS_REPLY_STRING ? strtoll(part->str, NULL, 10) : 0;
}

const char *engine_part_text(const struct engine *e, size_t i)
{
	const redisReply *part = engine_part(e, i);
	return part && part->type == REDIS_REPLY_STRING ? part->str : "";
}
