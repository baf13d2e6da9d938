/* bench_fleet - a fleet on one machine, beside what the same Redis does with bare commands. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/measure.h"
#include "bench/measured_runtime.h"
#include "fleet/engine.h"
#include "fleet/task_words.h"

enum { HOSTS = 2, BATCH = 512, IN_FLIGHT = 8 * BATCH, PATH_BYTES = 160, PAYLOAD = 64 };
enum { ANSWER_MS = 10000, IDLE_S = 8, TOLD = 4096 };

static const char usage[] =
    "usage: bench_fleet [--quick] [--only CASE] [--plm PATH] [--csv FILE] [--help]\n"
    "Measures a fleet of two hosts beside the bare Redis that keeps its queue.\n"
    "  --quick         shorter rounds, and fewer\n"
    "  --only CASE     fleet\n"
    "  --plm PATH      the program to boot (default ./plm)\n"
    "  --csv FILE      append the figures there (default build/bench/results.csv)\n";

struct fleet {
	struct bench *bench;
	char directory[64], socket[PATH_BYTES];
	pid_t redis;
	redisContext *bare;
	struct engine *engine;
	struct runtime host[HOSTS];
	struct task_words words;
	unsigned tasks; /* of a round */
};

/* ---- Redis ---- */

static int redis_start(struct fleet *f)
{
	static const char *const places[] = { "/usr/bin/redis-server", "/usr/bin/valkey-server",
		"/usr/bin/redis-check-rdb" };
	size_t at = 0;
	while (at < COUNT_OF(places) && access(places[at], X_OK) != 0)
		at++;
	if (at == COUNT_OF(places))
		return bench_failed(
		    "Redis is not installed (tools/deps.sh redis-check-rdb:redis-tools)", -ENOENT);
	strcpy(f->directory, "/tmp/plm-bench-fleet-XXXXXX");
	if (!mkdtemp(f->directory))
		return bench_failed("a directory", -errno);
	snprintf(f->socket, sizeof f->socket, "%s/redis.sock", f->directory);
	f->redis = fork();
	if (f->redis == 0) {
		/* Debian's redis-tools has the server under another name: argv[0] tells. */
		execl(places[at], "redis-server", "--port", "0", "--unixsocket", f->socket,
		    "--save", "", "--dir", f->directory, "--appendonly", "yes", "--appendfsync",
		    "everysec", "--logfile", "/dev/null", (char *)NULL);
		_exit(127);
	}
	uint64_t deadline_ns = deadline_after_ms(ANSWER_MS);
	while (clock_ns() < deadline_ns) {
		f->bare = redisConnectUnix(f->socket);
		if (f->bare && !f->bare->err)
			return 0;
		redisFree(f->bare);
		f->bare = NULL;
		usleep(10000);
	}
	return bench_failed("Redis does not answer", -ETIMEDOUT);
}

static void redis_end(struct fleet *f)
{
	char line[PATH_BYTES];
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

/* A number of INFO: the text behind `name`. */
static double redis_number(struct fleet *f, const char *section, const char *name)
{
	redisReply *reply = redisCommand(f->bare, "INFO %s", section);
	const char *at =
	    reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
	double number = at ? strtod(at + strlen(name), NULL) : 0;
	if (reply)
		freeReplyObject(reply);
	return number;
}

/* ---- bare lists: as many moves of the same bytes as a task makes ---- */

static int bare_move(
    struct fleet *f, const char *const *push, const size_t *bytes, const char *list)
{
	void *reply;
	redisAppendCommandArgv(f->bare, BATCH + 2, (const char **)(uintptr_t)push, bytes);
	redisAppendCommand(f->bare, "LPOP %s %d", list, BATCH);
	for (int i = 0; i < 2; i++) {
		if (redisGetReply(f->bare, &reply) != REDIS_OK)
			return -EIO;
		freeReplyObject(reply);
	}
	return 0;
}

static int bare_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	static char payload[PAYLOAD];
	const char *word[BATCH + 2] = { "RPUSH", "todo" };
	size_t bytes[BATCH + 2] = { 5, 4 };
	memset(payload, 'x', sizeof payload);
	for (int i = 0; i < BATCH; i++) {
		word[i + 2] = payload;
		bytes[i + 2] = sizeof payload;
	}
	uint64_t began = clock_ns();
	for (unsigned i = 0; i < f->tasks; i += BATCH) {
		int r = bare_move(f, word, bytes, "todo"); /* to a host, and back */
		if (r == 0)
			r = bare_move(f, word, bytes, "todo");
		if (r < 0)
			return r;
	}
	samples_add(ret, f->tasks / ((double)(clock_ns() - began) * 1e-9));
	return 0;
}

/* ---- the fleet ---- */

static int fleet_add_batch(struct fleet *f)
{
	static struct engine_task task[BATCH];
	static int64_t ids[BATCH];
	for (int i = 0; i < BATCH; i++)
		task[i] = (struct engine_task){ .words = f->words.data,
			.words_bytes = f->words.bytes,
			.needs = "",
			.label = "",
			.title = "" };
	return engine_add(f->engine, task, BATCH, false, engine_token(f->engine), ids);
}

static int fleet_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	static struct engine_news told[TOLD];
	unsigned added = 0, ended = 0;
	uint64_t began = clock_ns();
	while (ended < f->tasks) {
		while (added < f->tasks && added - ended < IN_FLIGHT) {
			int r = fleet_add_batch(f);
			if (r < 0)
				return r;
			added += BATCH;
		}
		int n = engine_told(f->engine, ANSWER_MS, told, TOLD);
		if (n <= 0)
			return n < 0 ? n : -ETIMEDOUT;
		ended += (unsigned)n;
	}
	samples_add(ret, added / ((double)(clock_ns() - began) * 1e-9));
	return 0;
}

static int ping_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	for (unsigned i = 0; i < bench_choose(f->bench, 2000, 300); i++) {
		uint64_t began = clock_ns();
		redisReply *reply = redisCommand(f->bare, "PING");
		if (!reply)
			return -EIO;
		freeReplyObject(reply);
		samples_add(ret, (double)(clock_ns() - began) * 1e-3);
	}
	return 0;
}

static int trip_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	const struct engine_task task = { .words = f->words.data,
		.words_bytes = f->words.bytes,
		.needs = "",
		.label = "",
		.title = "" };
	for (unsigned i = 0; i < bench_choose(f->bench, 1000, 200); i++) {
		struct engine_result result;
		struct engine_news ended;
		int64_t id;
		uint64_t began = clock_ns();
		int r = engine_add(f->engine, &task, 1, false, engine_token(f->engine), &id);
		if (r == 0)
			r = engine_told(f->engine, ANSWER_MS, &ended, 1);
		if (r == 1 && !ended.value)
			r = engine_result(f->engine, (uint64_t)id, &result);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - began) * 1e-3);
	}
	return 0;
}

/* ---- rows ---- */

static double redis_cpu_us(struct fleet *f)
{
	return (redis_number(f, "cpu", "used_cpu_user:") +
		   redis_number(f, "cpu", "used_cpu_sys:")) *
	    1e6;
}

/* Where the rest of a bare move goes: the processor time of Redis for one round of each. */
static int print_engine_time(struct fleet *f)
{
	struct samples ignored = { .n = 0 };
	double began = redis_cpu_us(f);
	int r = bare_round(f, &ignored);
	double between = redis_cpu_us(f);
	if (r == 0)
		r = fleet_round(f, &ignored);
	double ended = redis_cpu_us(f);
	struct row bare = { .name = "fleet: processor time of Redis, four bare moves",
		.unit = "us",
		.value = (between - began) / f->tasks };
	struct row task = { .name = "fleet: processor time of Redis, a task",
		.unit = "us",
		.value = (ended - between) / f->tasks,
		.limit_name = bare.name,
		.limit = bare.value };
	samples_free(&ignored);
	if (r < 0)
		return bench_failed("a round", r);
	row_print(f->bench, &bare);
	row_print(f->bench, &task);
	return 0;
}

static int print_rates(struct fleet *f)
{
	struct series series[] = { SERIES("fleet: bare pipelined lists, 4 moves a task", bare_round,
				       f),
		SERIES("fleet: no-op functions, batched", fleet_round, f) };
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(f->bench, 7, 3));
	if (r < 0)
		return bench_failed("a round", r);
	struct row bare = row_of(&series[0], 0.5, 1, "/s"),
		   fleet = row_of(&series[1], 0.5, 1, "/s");
	row_print(f->bench, &bare);
	fleet.limit_name = bare.name;
	fleet.limit = bare.value;
	fleet.sense = TARGET_AT_LEAST;
	fleet.bound = 100000;
	row_print(f->bench, &fleet);
	series_free(series, COUNT_OF(series));
	return print_engine_time(f);
}

static int print_trip(struct fleet *f)
{
	struct series series[] = { SERIES("fleet: bare round trip, p50", ping_round, f),
		SERIES("fleet: one function, submit to result, p50", trip_round, f) };
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(f->bench, 7, 3));
	if (r < 0)
		return bench_failed("a round", r);
	struct row bare = row_of(&series[0], 0.5, 1, "us"), trip = row_of(&series[1], 0.5, 1, "us");
	row_print(f->bench, &bare);
	trip.limit_name = bare.name;
	trip.limit = bare.value;
	row_print(f->bench, &trip);
	series_free(series, COUNT_OF(series));
	return 0;
}

/* Two hosts with nothing to do: each renews its lease, and looks for work. */
static int print_idle(struct fleet *f)
{
	double before = redis_number(f, "commandstats", "cmdstat_fcall:calls=");
	sleep(IDLE_S);
	double after = redis_number(f, "commandstats", "cmdstat_fcall:calls=");
	struct row row = { .name = "fleet: round trips of an idle host",
		.unit = "/s",
		.value = (after - before) / IDLE_S / HOSTS,
		.sense = TARGET_AT_MOST,
		.bound = 1.01 };
	row_print(f->bench, &row);
	return 0;
}

/* After the hosts are gone: nothing is claimed. */
static int print_memory(struct fleet *f)
{
	unsigned n = bench_choose(f->bench, 1000000, 100000) / BATCH * BATCH;
	double before = redis_number(f, "memory", "used_memory:");
	for (unsigned i = 0; i < n; i += BATCH) {
		int r = fleet_add_batch(f);
		if (r < 0)
			return bench_failed("adding tasks", r);
	}
	struct row row = { .name = "fleet: memory of Redis, a queued task",
		.unit = "bytes",
		.value = (redis_number(f, "memory", "used_memory:") - before) / n };
	row_print(f->bench, &row);
	return 0;
}

/* ---- the case ---- */

static int fleet_join(struct fleet *f)
{
	const struct runtime_options options = {
		.path = f->bench->plm_path, .workers = 2, .quiet = true
	};
	char text[PATH_BYTES + 32];
	struct fleet_url url;
	struct engine_status status = { .hosts = 0 };
	snprintf(text, sizeof text, "unix://%s?queue=bench", f->socket);
	setenv("PLM_FLEET", text, 1);
	int r = fleet_url_parse("PLM_FLEET", text, true, &url);
	if (r == 0)
		r = engine_open(&f->engine, &url, ANSWER_MS);
	if (r == 0)
		r = engine_watch_open(f->engine);
	for (int i = 0; i < HOSTS && r == 0; i++)
		r = runtime_start(&options, &f->host[i]);
	uint64_t deadline_ns = deadline_after_ms(ANSWER_MS);
	while (r == 0 && status.hosts < HOSTS && clock_ns() < deadline_ns) {
		usleep(10000);
		r = engine_status(f->engine, &status);
	}
	if (r == 0)
		r = task_words_write(
		    &f->words, f->engine, &(plm_task){ .function = "probe.noop", .results = 1 });
	return r == 0 && status.hosts < HOSTS ? -ETIMEDOUT : r;
}

static int fleet_measure(struct fleet *f)
{
	f->tasks = bench_choose(f->bench, 200, 40) * BATCH;
	int r = print_rates(f);
	if (r == 0)
		r = print_trip(f);
	if (r == 0)
		r = print_idle(f);
	for (int i = 0; i < HOSTS; i++)
		runtime_stop(&f->host[i]);
	return r == 0 ? print_memory(f) : r;
}

static int case_fleet(struct bench *bench)
{
	static struct fleet f;
	f = (struct fleet){ .bench = bench };
	rows_title("fleet: a Redis with a file, two hosts of two workers, on this machine");
	int r = redis_start(&f);
	if (r == 0) {
		r = fleet_join(&f);
		if (r < 0)
			bench_failed("the fleet", r);
		else
			r = fleet_measure(&f);
	}
	engine_close(&f.engine);
	task_words_free(&f.words);
	redis_end(&f);
	return r;
}

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = { { "fleet", case_fleet } };
	static const struct bench_program program = { "bench_fleet", usage, parts,
		COUNT_OF(parts) };
	return bench_main(&program, argc, argv);
}
