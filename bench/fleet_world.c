#include "bench/fleet_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

#define NEEDS "mem=1M" /* of a class of its own; every worker meets it */
#define PORT "6379"

enum { LOOK_US = 10000 };

/* ---- Redis ---- */

static const char *redis_program(void)
{
	static const char *const places[] = { "/usr/bin/redis-server", "/usr/bin/valkey-server",
		"/usr/bin/redis-check-rdb" };
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* Debian's redis-tools has the server under another name: argv[0] tells. */
static _Noreturn void redis_become(const struct fleet *f, const char *program)
{
	const char *port = f->spaces.real ? PORT : "0";
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl(program, "redis-server", "--port", port, "--protected-mode", "no", "--bind",
	    "0.0.0.0", "--unixsocket", f->socket, "--save", "", "--dir", f->directory,
	    "--appendonly", "yes", "--appendfsync", "everysec", "--logfile", "/dev/null",
	    (char *)NULL);
	_exit(127);
}

static redisContext *redis_reach(const struct fleet *f, const char *host)
{
	redisContext *c =
	    f->spaces.real ? redisConnect(host, atoi(PORT)) : redisConnectUnix(f->socket);
	if (c && !c->err)
		return c;
	redisFree(c);
	return NULL;
}

static int redis_start(struct fleet *f)
{
	const char *program = redis_program();
	char host[16];
	if (!program)
		return bench_failed(
		    "Redis is not installed (tools/deps.sh redis-check-rdb:redis-tools)", -ENOENT);
	strcpy(f->directory, "/tmp/plm-bench-fleet-XXXXXX");
	if (!mkdtemp(f->directory))
		return bench_failed("a directory", -errno);
	snprintf(f->socket, sizeof f->socket, "%s/redis.sock", f->directory);
	int machine = spaces_add(&f->spaces);
	int r = machine < 0 ? machine : spaces_enter(&f->spaces, machine);
	if (r < 0)
		return bench_failed("a machine for Redis", r);
	f->redis = fork();
	if (f->redis == 0)
		redis_become(f, program);
	spaces_leave(&f->spaces);
	spaces_address(&f->spaces, machine, host);
	if (f->spaces.real)
		snprintf(f->address, sizeof f->address, "redis://%s:" PORT, host);
	else
		snprintf(f->address, sizeof f->address, "unix://%.120s", f->socket);
	uint64_t deadline_ns = deadline_after_ms(ANSWER_MS);
	while (!(f->bare = redis_reach(f, host)) && clock_ns() < deadline_ns)
		usleep(LOOK_US);
	return f->bare ? 0 : bench_failed("Redis does not answer", -ETIMEDOUT);
}

static void redis_end(struct fleet *f)
{
	char line[PLACE_BYTES];
	if (f->bare)
		redisFree(f->bare);
	if (f->redis > 0) {
		kill(f->redis, SIGKILL);
		waitpid(f->redis, NULL, 0);
	}
	snprintf(line, sizeof line, "rm -rf %s", f->directory);
	if (f->directory[0] && system(line) != 0)
		fprintf(stderr, "left behind: %s\n", f->directory);
}

double redis_number(struct fleet *f, const char *section, const char *name)
{
	redisReply *reply = redisCommand(f->bare, "INFO %s", section);
	const char *at =
	    reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
	double number = at ? strtod(at + strlen(name), NULL) : 0;
	if (reply)
		freeReplyObject(reply);
	return number;
}

double redis_cpu_us(struct fleet *f)
{
	return (redis_number(f, "cpu", "used_cpu_user:") +
		   redis_number(f, "cpu", "used_cpu_sys:")) *
	    1e6;
}

double redis_serving_us(struct fleet *f)
{
	return (redis_number(f, "cpu", "used_cpu_user_main_thread:") +
		   redis_number(f, "cpu", "used_cpu_sys_main_thread:")) *
	    1e6;
}

/* ---- the queue ---- */

int world_queue(const struct fleet *f, const char *name, struct engine **ret)
{
	char text[PLACE_BYTES + 32];
	struct fleet_url url;
	snprintf(text, sizeof text, "%s?queue=%s", f->address, name);
	int r = fleet_url_parse("PLM_FLEET", text, true, &url);
	return r < 0 ? r : engine_open(ret, &url, ANSWER_MS);
}

int world_add_batch(struct fleet *f, struct engine *engine)
{
	static struct engine_task task[BATCH];
	static int64_t ids[BATCH];
	const struct task_words *words = f->with_needs ? &f->needy : &f->words;
	for (int i = 0; i < BATCH; i++)
		task[i] = (struct engine_task){ .words = words->data,
			.words_bytes = words->bytes,
			.needs = f->with_needs ? NEEDS : "",
			.label = "",
			.title = "" };
	return engine_add(engine, task, BATCH, false, engine_token(engine), ids);
}

/* ---- the hosts ---- */

static int world_start_host(struct fleet *f, struct runtime *host)
{
	const struct runtime_options options = {
		.path = f->bench->plm_path, .workers = 2, .quiet = true
	};
	int machine = spaces_add(&f->spaces);
	int r = machine < 0 ? machine : spaces_enter(&f->spaces, machine);
	if (r == 0)
		r = runtime_start(&options, host);
	spaces_leave(&f->spaces);
	return r;
}

static int world_await_hosts(struct fleet *f)
{
	struct engine_status status = { .hosts = 0 };
	uint64_t deadline_ns = deadline_after_ms(ANSWER_MS);
	int r = engine_status(f->engine, &status);
	while (r == 0 && status.hosts < HOSTS && clock_ns() < deadline_ns) {
		usleep(LOOK_US);
		r = engine_status(f->engine, &status);
	}
	return r == 0 && status.hosts < HOSTS ? -ETIMEDOUT : r;
}

static int world_write_words(struct fleet *f)
{
	const plm_terms terms = { .needs = NEEDS };
	const plm_task plain = { .function = "probe.noop", .results = 1 };
	const plm_task needy = { .function = "probe.noop", .results = 1, .terms = &terms };
	int r = task_words_write(&f->words, f->engine, &plain);
	return r < 0 ? r : task_words_write(&f->needy, f->engine, &needy);
}

static int world_join(struct fleet *f)
{
	char text[PLACE_BYTES + 32];
	snprintf(text, sizeof text, "%s?queue=bench", f->address);
	setenv("PLM_FLEET", text, 1);
	int r = world_queue(f, "bench", &f->engine);
	if (r == 0)
		r = engine_watch_open(f->engine);
	for (int i = 0; i < HOSTS && r == 0; i++)
		r = world_start_host(f, &f->host[i]);
	if (r == 0)
		r = world_await_hosts(f);
	return r < 0 ? r : world_write_words(f);
}

int world_open(struct fleet *f, struct bench *bench)
{
	*f = (struct fleet){ .bench = bench };
	spaces_open(&f->spaces);
	int r = redis_start(f);
	if (r < 0)
		return r;
	r = world_join(f);
	return r < 0 ? bench_failed("the fleet", r) : 0;
}

void world_stop_hosts(struct fleet *f)
{
	for (int i = 0; i < HOSTS; i++)
		if (f->host[i].pid)
			runtime_stop(&f->host[i]);
}

void world_close(struct fleet *f)
{
	world_stop_hosts(f);
	engine_close(&f->engine);
	task_words_free(&f->words);
	task_words_free(&f->needy);
	redis_end(f);
	spaces_close(&f->spaces);
}
