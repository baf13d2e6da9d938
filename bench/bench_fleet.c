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
enum { PLAYED = 100, PLAYED_TASKS = 10, CLAIMED = 64, LEASE_S = 10, RENEWALS = 5 };
#define NEEDS "mem=1M" /* of a class of its own; every worker meets it */

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
	struct task_words words, needy;
	unsigned tasks; /* of a round */
	bool with_needs;
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
	const struct task_words *words = f->with_needs ? &f->needy : &f->words;
	for (int i = 0; i < BATCH; i++)
		task[i] = (struct engine_task){ .words = words->data,
			.words_bytes = words->bytes,
			.needs = f->with_needs ? NEEDS : "",
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

static int needs_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	unsigned tasks = f->tasks;
	f->with_needs = true;
	f->tasks = tasks / 10 / BATCH * BATCH; /* begins are looked for */
	if (f->tasks == 0)
		f->tasks = BATCH;
	int r = fleet_round(f, ret);
	f->with_needs = false;
	f->tasks = tasks;
	return r;
}

/* The part of the trip that has nothing to do with the fleet. */
static int local_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	for (unsigned i = 0; i < bench_choose(f->bench, 1000, 200); i++) {
		plm *rt = f->host[0].client;
		const plm_task task = { .function = "probe.noop", .results = 1 };
		plm_ref ref;
		uint64_t began = clock_ns();
		int r = plm_submit(rt, &task, &ref);
		if (r == 0)
			r = plm_wait(rt, &ref, 1, 1, ANSWER_MS, NULL);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - began) * 1e-3);
		plm_drop(rt, ref);
	}
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

/* Where the rest of a bare move goes: what one round of each costs Redis, in processor time and in
 * bytes of its file. */
struct engine_cost {
	const char *name;
	round_function *round;
	double tasks, cpu_us, file_bytes;
};

static int cost_measure(struct fleet *f, struct engine_cost *cost)
{
	struct samples ignored = { .n = 0 };
	double cpu = redis_cpu_us(f), file = redis_number(f, "persistence", "aof_current_size:");
	int r = cost->round(f, &ignored);
	cost->cpu_us = (redis_cpu_us(f) - cpu) / cost->tasks;
	cost->file_bytes =
	    (redis_number(f, "persistence", "aof_current_size:") - file) / cost->tasks;
	samples_free(&ignored);
	return r;
}

static int print_engine_cost(struct fleet *f)
{
	double alone = bench_choose(f->bench, 1000, 200);
	struct engine_cost cost[] = {
		{ .name = "four bare moves", .round = bare_round, .tasks = f->tasks },
		{ .name = "a task of a batch", .round = fleet_round, .tasks = f->tasks },
		{ .name = "a task alone", .round = trip_round, .tasks = alone },
	};
	for (size_t i = 0; i < COUNT_OF(cost); i++) {
		char cpu[80], file[80];
		int r = cost_measure(f, &cost[i]);
		if (r < 0)
			return bench_failed(cost[i].name, r);
		snprintf(cpu, sizeof cpu, "fleet: processor time of Redis, %s", cost[i].name);
		snprintf(file, sizeof file, "fleet: bytes in the file of Redis, %s", cost[i].name);
		const struct row rows[] = {
			{ .name = cpu,
			    .unit = "us",
			    .value = cost[i].cpu_us,
			    .limit = i ? cost[0].cpu_us : 0,
			    .limit_name = "four bare moves" },
			{ .name = file,
			    .unit = "bytes",
			    .value = cost[i].file_bytes,
			    .limit = i ? cost[0].file_bytes : 0,
			    .limit_name = "four bare moves" },
		};
		row_print(f->bench, &rows[0]);
		row_print(f->bench, &rows[1]);
	}
	return 0;
}

static int print_rates(struct fleet *f)
{
	struct series series[] = { SERIES("fleet: bare pipelined lists, 4 moves a task", bare_round,
				       f),
		SERIES("fleet: no-op functions, batched", fleet_round, f),
		SERIES("fleet: no-op functions with needs, batched", needs_round, f) };
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(f->bench, 7, 3));
	if (r < 0)
		return bench_failed("a round", r);
	struct row bare = row_of(&series[0], 0.5, 1, "/s"),
		   fleet = row_of(&series[1], 0.5, 1, "/s"),
		   needs = row_of(&series[2], 0.5, 1, "/s");
	row_print(f->bench, &bare);
	fleet.limit_name = bare.name;
	fleet.limit = bare.value;
	fleet.sense = TARGET_AT_LEAST;
	fleet.bound = 100000;
	row_print(f->bench, &fleet);
	needs.limit_name = fleet.name;
	needs.limit = fleet.value;
	row_print(f->bench, &needs);
	series_free(series, COUNT_OF(series));
	return print_engine_cost(f);
}

static int print_trip(struct fleet *f)
{
	struct series series[] = { SERIES("fleet: bare round trip, p50", ping_round, f),
		SERIES("fleet: one function on one host alone, p50", local_round, f),
		SERIES("fleet: one function, submit to result, p50", trip_round, f) };
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(f->bench, 7, 3));
	if (r < 0)
		return bench_failed("a round", r);
	struct row bare = row_of(&series[0], 0.5, 1, "us"),
		   local = row_of(&series[1], 0.5, 1, "us"),
		   trip = row_of(&series[2], 0.5, 1, "us");
	row_print(f->bench, &bare);
	row_print(f->bench, &local);
	trip.limit_name = "3 bare round trips and the local one";
	trip.limit = 3 * bare.value + local.value;
	trip.sense = TARGET_AT_MOST;
	trip.bound = 1;
	trip.of_ratio = true;
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

/* ---- hosts that the bench plays: the real ones are gone ---- */

static int played_claim(struct fleet *f, const char *member, unsigned n, struct engine_claim *ret)
{
	const struct engine_class class = { "", n };
	const struct engine_room room = { .free = n };
	int64_t ms;
	return engine_claim(f->engine, member, &room, n, &class, 1, ret, &ms);
}

static int played_commit(
    struct fleet *f, const char *member, const struct engine_claim *claims, size_t n)
{
	struct engine_end ends[BATCH];
	uint8_t taken[BATCH];
	const struct engine_room room = { .free = (unsigned)n };
	bool idle;
	for (size_t i = 0; i < n; i++)
		ends[i] = (struct engine_end){ .id = claims[i].id,
			.attempt = claims[i].attempt,
			.block = claims[i].block,
			.from = claims[i].from,
			.kind = ENDING_DONE,
			.message = "" };
	return engine_commit(f->engine, member, &room, ends, n, taken, &idle);
}

static const struct engine_facts played_facts = { .name = "played", .runtime = "bench", .can = "" };

/* Processor time of Redis for claims and commits of CLAIMED tasks at the present length of the
 * queue, a task. */
static int claim_cost(struct fleet *f, double *ret_us)
{
	enum { CLAIMS = 200 };
	static struct engine_claim claims[CLAIMED];
	double began = redis_cpu_us(f);
	int r = engine_join(f->engine, "played", &played_facts);
	for (int i = 0; i < CLAIMS && r >= 0; i++) {
		r = played_claim(f, "played", CLAIMED, claims);
		if (r > 0)
			r = played_commit(f, "played", claims, (size_t)r);
	}
	*ret_us = (redis_cpu_us(f) - began) / (CLAIMS * CLAIMED);
	return r;
}

static int queue_fill(struct fleet *f, unsigned n)
{
	int r = 0;
	for (unsigned i = 0; i < n && r >= 0; i += BATCH)
		r = fleet_add_batch(f);
	return r;
}

static int print_million(struct fleet *f)
{
	unsigned n = bench_choose(f->bench, 1000000, 100000) / BATCH * BATCH;
	double few, many, before = 0;
	int r = queue_fill(f, 30 * BATCH);
	if (r >= 0)
		r = claim_cost(f, &few);
	before = redis_number(f, "memory", "used_memory:");
	if (r >= 0)
		r = queue_fill(f, n);
	struct row memory = { .name = "fleet: memory of Redis, a queued task",
		.unit = "bytes",
		.value = (redis_number(f, "memory", "used_memory:") - before) / n };
	if (r >= 0)
		r = claim_cost(f, &many);
	if (r < 0)
		return bench_failed("the long queue", r);
	const struct row claim = { .name = "fleet: claim and commit, a task of a long queue",
		.unit = "us",
		.value = many,
		.limit_name = "the same of a short queue",
		.limit = few,
		.sense = TARGET_AT_MOST,
		.bound = 1.5,
		.of_ratio = true };
	row_print(f->bench, &memory);
	row_print(f->bench, &claim);
	return 0;
}

/* Each host renews as often as a bridge, and has PLAYED_TASKS tasks of a second, claimed and
 * committed at once: the work of a second at once, and how long Redis computes for it. */
static int print_hosts(struct fleet *f)
{
	struct engine_orders orders;
	struct engine_claim claims[PLAYED_TASKS];
	char member[PLAYED][ENGINE_MEMBER_BYTES];
	int r = 0;
	for (int i = 0; i < PLAYED && r >= 0; i++) {
		snprintf(member[i], sizeof member[i], "host%d", i);
		r = engine_join(f->engine, member[i], &played_facts);
	}
	double began = redis_cpu_us(f);
	/* As long as a renewal lasts, so that each host renews once. */
	for (int second = 0; second < LEASE_S / RENEWALS; second++)
		for (int i = 0; i < PLAYED && r >= 0; i++) {
			if (second == 0)
				r = engine_renew(f->engine, member[i], &played_facts, &orders);
			if (r >= 0)
				r = played_claim(f, member[i], PLAYED_TASKS, claims);
			if (r > 0)
				r = played_commit(f, member[i], claims, (size_t)r);
		}
	double spent_us = redis_cpu_us(f) - began;
	if (r < 0)
		return bench_failed("hosts", r);
	const struct row row = { .name = "fleet: core of Redis, 100 hosts of 10 tasks a second",
		.unit = "%",
		.value = spent_us / (LEASE_S / RENEWALS * 1e6) * 100,
		.sense = TARGET_AT_MOST,
		.bound = 20 };
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
	const plm_terms terms = { .needs = NEEDS };
	if (r == 0)
		r = task_words_write(&f->needy, f->engine,
		    &(plm_task){ .function = "probe.noop", .results = 1, .terms = &terms });
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
	if (r == 0)
		r = print_million(f);
	return r == 0 ? print_hosts(f) : r;
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
	task_words_free(&f.needy);
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
