/* gearman - the job server and the C library of gearman, two workers, over the loopback. */
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers/peer.h"

enum { BATCH = 1000 };

static int port;
static pid_t server, worker[PEER_WORKERS];
static gearman_client_st *client;

static gearman_return_t gearman_noop(gearman_job_st *job, void *context)
{
	(void)job;
	(void)context;
	return GEARMAN_SUCCESS;
}

static void gearman_work(void)
{
	gearman_worker_st *self = gearman_worker_create(NULL);
	gearman_worker_add_server(self, "127.0.0.1", (in_port_t)port);
	gearman_worker_define_function(
	    self, "noop", 4, gearman_function_create(gearman_noop), 0, NULL);
	while (gearman_success(gearman_worker_work(self)))
		;
}

static int gearman_start(void)
{
	char number[16];
	port = peer_port_free();
	snprintf(number, sizeof number, "%d", port);
	const char *const argument[] = { "gearmand", "--listen=127.0.0.1", "--port", number,
		"--log-file=none", NULL };
	server = peer_server(argument);
	if (peer_port_await(port) < 0)
		return -1;
	for (int i = 0; i < PEER_WORKERS; i++)
		worker[i] = peer_fork(gearman_work);
	client = gearman_client_create(NULL);
	return gearman_success(gearman_client_add_server(client, "127.0.0.1", (in_port_t)port))
	    ? 0
	    : -1;
}

static void gearman_stop(void)
{
	for (int i = 0; i < PEER_WORKERS; i++)
		peer_end(worker[i]);
	peer_end(server);
}

static int gearman_touch(const void *data, size_t bytes)
{
	gearman_return_t r;
	size_t length;
	free(gearman_client_do(client, "noop", NULL, data, bytes, &length, &r));
	if (!gearman_success(r))
		fprintf(stderr, "bench: gearman: %s\n", gearman_client_error(client));
	return gearman_success(r) ? 0 : -1;
}

static int gearman_one(void)
{
	return gearman_touch(NULL, 0); /* an empty string is refused */
}

static int gearman_many(size_t n)
{
	gearman_return_t r;
	for (size_t i = 0; i < n; i++) {
		gearman_client_add_task(client, NULL, NULL, "noop", NULL, NULL, 0, &r);
		if (!gearman_success(r))
			return -1;
	}
	r = gearman_client_run_tasks(client);
	gearman_client_task_free_all(client);
	return gearman_success(r) ? 0 : -1;
}

int main(void)
{
	static const struct peer peer = { gearman_start, gearman_stop, gearman_one, gearman_many,
		NULL, gearman_touch, BATCH, NULL };
	return peer_main(&peer);
}
