/* redis_list - tasks in a Redis list: the usual home-made queue. RPUSH, BLPOP in two workers,
 * the results back through another list. No persistence, a unix socket: the fastest settings.
 *
 * A task in the list `one` is answered at once. From the list `many` a worker takes up to a
 * hundred tasks with a single command, and answers all with a single command. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/peer.h"

enum { BATCH = 1000, TAKE = 100 };

static char socket_path[96];
static redisContext *redis;
static pid_t server, worker[PEER_WORKERS];

static redisContext *redis_open(void)
{
	int fd = peer_connect(socket_path); /* waits until the server is up */
	if (fd < 0)
		exit(EXIT_FAILURE);
	close(fd);
	return redisConnectUnix(socket_path);
}

/* A command with a verb, a list, and n times the same task. */
static redisReply *redis_list_push(redisContext *context, const char *list, size_t n)
{
	const char *argument[2 + BATCH] = { "RPUSH", list };
	for (size_t i = 0; i < n; i++)
		argument[2 + i] = "noop";
	return redisCommandArgv(context, (int)(2 + n), argument, NULL);
}

static void redis_list_work(void)
{
	redisContext *context = redis_open();
	for (;;) {
		redisReply *task = redisCommand(context, "BLPOP one many 0");
		if (!task || task->type != REDIS_REPLY_ARRAY)
			return;
		size_t n = 1;
		if (strcmp(task->element[0]->str, "many") == 0) {
			redisReply *more = redisCommand(context, "LPOP many %d", TAKE - 1);
			n += more && more->type == REDIS_REPLY_ARRAY ? more->elements : 0;
			freeReplyObject(more);
		}
		freeReplyObject(task);
		freeReplyObject(redis_list_push(context, "results", n));
	}
}

static int redis_list_start(void)
{
	snprintf(socket_path, sizeof socket_path, "%s/redis", peer_folder());
	const char *const argument[] = { "redis-server", "--port", "0", "--unixsocket", socket_path,
		"--save", "", "--appendonly", "no", "--dir", peer_folder(), NULL };
	server = peer_server(argument);
	for (int i = 0; i < PEER_WORKERS; i++)
		worker[i] = peer_fork(redis_list_work);
	redis = redis_open();
	return redis && !redis->err ? 0 : -1;
}

static void redis_list_stop(void)
{
	for (int i = 0; i < PEER_WORKERS; i++)
		peer_end(worker[i]);
	peer_end(server);
}

/* Waits for a result and takes the results already there, at most `n` in all. Returns how many,
 * or -1. */
static long redis_list_collect(size_t n)
{
	redisReply *reply = redisCommand(redis, "BLPOP results 0");
	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		return -1;
	freeReplyObject(reply);
	if (n == 1)
		return 1;
	reply = redisCommand(redis, "LPOP results %d", (int)n - 1);
	long got = 1 + (reply && reply->type == REDIS_REPLY_ARRAY ? (long)reply->elements : 0);
	freeReplyObject(reply);
	return got;
}

static int redis_list_one(void)
{
	freeReplyObject(redis_list_push(redis, "one", 1));
	return redis_list_collect(1) == 1 ? 0 : -1;
}

static int redis_list_many(size_t n)
{
	freeReplyObject(redis_list_push(redis, "many", n));
	while (n > 0) {
		long got = redis_list_collect(n);
		if (got < 0)
			return -1;
		n -= (size_t)got;
	}
	return 0;
}

static int redis_list_each(size_t n)
{
	for (size_t i = 0; i < n; i++)
		freeReplyObject(redis_list_push(redis, "one", 1));
	for (size_t i = 0; i < n; i++)
		if (redis_list_collect(1) != 1)
			return -1;
	return 0;
}

static int redis_list_touch(const void *data, size_t bytes)
{
	redisReply *reply = redisCommand(redis, "RPUSH one %b", data, bytes);
	int r = reply && reply->type == REDIS_REPLY_INTEGER ? 0 : -1;
	freeReplyObject(reply);
	return r < 0 ? r : (int)-(redis_list_collect(1) != 1);
}

int main(void)
{
	static const struct peer peer = { redis_list_start, redis_list_stop, redis_list_one,
		redis_list_many, redis_list_each, redis_list_touch, BATCH, NULL };
	return peer_main(&peer);
}
