/* plm_fleet - a fleet as a contestant: a Redis with an append-only file, and hosts of two workers.
 *
 *	plm_fleet PLM          one host, a unix socket
 *	plm_fleet PLM hosts    two hosts and Redis, on machines of their own (fleet_world.h)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "bench/fleet_world.h"
#include "bench/peers/peer.h"

enum { MANY = 4 * ENGINE_ADD_MOST, PATIENCE_MS = 60000, ARGS_MOST = 16 };

static struct fleet world;
static struct bench bench = { .quick = true };
static bool hosts;
static struct runtime runtime;
static const char *path = "./plm";
static pid_t server;
static struct engine *engine;
static struct task_words words, command;

static int fleet_say(int r)
{
	if (r < 0)
		fprintf(stderr, "plm_fleet: %s\n", why_text());
	return r;
}

static int fleet_await_host(void)
{
	struct engine_status status = { .hosts = 0 };
	for (int left_ms = PATIENCE_MS; left_ms > 0 && status.hosts == 0; left_ms -= 10) {
		int r = engine_status(engine, &status);
		if (r < 0)
			return r;
		usleep(10000);
	}
	return status.hosts ? 0 : why(-ETIMEDOUT, "no host has joined");
}

static int fleet_write_command(void)
{
	static const char *const program[] = { "/bin/true" };
	/* As plmctl submits to a fleet: the environment is the host's. */
	const plm_command_options options = { .size = sizeof options, .no_environment = 1 };
	plm_command *made = NULL;
	plm_arg args[ARGS_MOST];
	plm_task task = { .function = NULL };
	int r = plm_command_make(&made, &options, NULL);
	if (r == 0 && plm_command_nargs(made, 1) > ARGS_MOST)
		r = -E2BIG;
	if (r == 0)
		r = plm_command_task(made, program, 1, NULL, args, &task);
	if (r == 0)
		r = task_words_write(&command, engine, &task);
	plm_command_free(NULL, &made);
	return r;
}

static int fleet_start_hosts(void)
{
	bench.plm_path = path;
	int r = world_open(&world, &bench);
	engine = world.engine;
	if (r == 0)
		r = task_words_write(
		    &words, engine, &(plm_task){ .function = "probe.noop", .results = 1 });
	return fleet_say(r == 0 ? fleet_write_command() : r);
}

static int fleet_start(void)
{
	if (hosts)
		return fleet_start_hosts();
	char socket[96], address[128];
	snprintf(socket, sizeof socket, "%s/redis", peer_folder());
	snprintf(address, sizeof address, "unix://%s?queue=bench", socket);
	const char *const argument[] = { "redis-server", "--port", "0", "--unixsocket", socket,
		"--save", "", "--appendonly", "yes", "--dir", peer_folder(), NULL };
	const struct runtime_options options = {
		.path = path, .workers = PEER_WORKERS, .quiet = true
	};
	struct fleet_url url;
	server = peer_server(argument);
	int fd = peer_connect(socket); /* waits until the server is up */
	if (fd < 0)
		return fd;
	close(fd);
	setenv("PLM_FLEET", address, 1);
	int r = fleet_url_parse("PLM_FLEET", address, true, &url);
	if (r == 0)
		r = engine_open(&engine, &url, PATIENCE_MS);
	if (r == 0)
		r = engine_watch_open(engine);
	if (r == 0)
		r = task_words_write(
		    &words, engine, &(plm_task){ .function = "probe.noop", .results = 1 });
	if (r == 0)
		r = runtime_start(&options, &runtime);
	return fleet_say(r == 0 ? fleet_await_host() : r);
}

static void fleet_stop(void)
{
	task_words_free(&words);
	task_words_free(&command);
	if (hosts) {
		world_close(&world);
		return;
	}
	runtime_stop(&runtime);
	engine_close(&engine);
	peer_end(server);
}

static int fleet_add(size_t n, const struct task_words *what)
{
	struct engine_task task[ENGINE_ADD_MOST];
	int64_t ids[ENGINE_ADD_MOST];
	int r = 0;
	for (size_t i = 0; i < ENGINE_ADD_MOST; i++)
		task[i] = (struct engine_task){ .words = what->data,
			.words_bytes = what->bytes,
			.needs = "",
			.label = "",
			.title = "probe.noop" };
	for (size_t some; n > 0 && r == 0; n -= some) {
		some = n < ENGINE_ADD_MOST ? n : ENGINE_ADD_MOST;
		r = engine_add(engine, task, some, false, engine_token(engine), ids);
	}
	return r;
}

/* Values come with the news of the ends. */
static int fleet_collect(size_t n)
{
	struct engine_news news[ENGINE_ADD_MOST];
	while (n > 0) {
		int told = engine_told(engine, PATIENCE_MS, news, ENGINE_ADD_MOST);
		if (told <= 0)
			return told < 0 ? told : why(-ETIMEDOUT, "%zu ends were not told", n);
		n -= (size_t)told < n ? (size_t)told : n;
	}
	return 0;
}

static int fleet_many(size_t n)
{
	int r = fleet_add(n, &words);
	return fleet_say(r == 0 ? fleet_collect(n) : r);
}

static int fleet_commands(size_t n)
{
	int r = fleet_add(n, &command);
	return fleet_say(r == 0 ? fleet_collect(n) : r);
}

static int fleet_one(void)
{
	return fleet_many(1);
}

static int fleet_each(size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = fleet_add(1, &words);
	return fleet_say(r == 0 ? fleet_collect(n) : r);
}

int main(int argc, char **argv)
{
	static struct peer peer = { fleet_start, fleet_stop, fleet_one, fleet_many, fleet_each,
		NULL, MANY, NULL };
	path = argc > 1 ? argv[1] : path;
	hosts = argc > 2 && strcmp(argv[2], "hosts") == 0;
	if (hosts)
		peer.commands = fleet_commands;
	return peer_main(&peer);
}
