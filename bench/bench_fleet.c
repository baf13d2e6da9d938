/* bench_fleet - a fleet on one machine, beside what the same Redis does with bare commands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/fleet_world.h"

enum { IN_FLIGHT = 8 * BATCH, PAYLOAD = 64, IDLE_S = 8, TOLD = 4096 };

static const char usage[] =
    "usage: bench_fleet [--quick] [--only CASE] [--plm PATH] [--csv FILE] [--help]\n"
    "Measures a fleet of two hosts beside the bare Redis that keeps its queue: each in a network\n"
    "namespace of its own, or, without leave for that, on a unix socket.\n"
    "  --quick         shorter rounds, and fewer\n"
    "  --only CASE     rates, trip, idle, queue, hosts\n"
    "  --plm PATH      the program to boot (default ./plm)\n"
    "  --csv FILE      append the figures there (default build/bench/results.csv)\n";

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

static int fleet_round(void *context, struct samples *ret)
{
	struct fleet *f = context;
	static struct engine_news told[TOLD];
	unsigned added = 0, ended = 0;
	uint64_t began = clock_ns();
	while (ended < f->tasks) {
		while (added < f->tasks && added - ended < IN_FLIGHT) {
			int r = world_add_batch(f, f->engine);
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

int print_rates(struct fleet *f)
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

/* Calls of the functions in Redis. The count holds on a busy machine, too. */
static int print_calls(struct fleet *f)
{
	static const char count[] = "cmdstat_fcall:calls=";
	unsigned trips = bench_choose(f->bench, 1000, 200);
	struct samples ignored = { .n = 0 };
	double before = redis_number(f, "commandstats", count);
	int r = trip_round(f, &ignored);
	samples_free(&ignored);
	const struct row row = { .name = "fleet: calls of Redis, one function",
		.unit = "calls",
		.value = (redis_number(f, "commandstats", count) - before) / trips,
		.sense = TARGET_AT_MOST,
		.bound = 2.1 };
	if (r == 0)
		row_print(f->bench, &row);
	return r;
}

/* As in most fleets, some tasks have needs: each host knows a class of needs that none of the
 * measured tasks has. */
int print_trip(struct fleet *f)
{
	struct samples ignored = { .n = 0 };
	struct series series[] = { SERIES("fleet: bare round trip, p50", ping_round, f),
		SERIES("fleet: one function on one host alone, p50", local_round, f),
		SERIES("fleet: one function, submit to result, p50", trip_round, f) };
	int r = needs_round(f, &ignored);
	samples_free(&ignored);
	if (r == 0)
		r = series_in_turn(series, COUNT_OF(series), bench_choose(f->bench, 7, 3));
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
	return print_calls(f);
}

/* Two hosts with nothing to do: each renews its lease, and looks for work. */
int print_idle(struct fleet *f)
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

/* ---- the cases ---- */

static int fleet_case(
    struct bench *bench, const char *what, int (*print)(struct fleet *), bool hosts)
{
	static struct fleet f;
	char title[280];
	int r = world_open(&f, bench);
	snprintf(title, sizeof title, "fleet: %s%s", what,
	    f.spaces.real ? ", machines are network namespaces" : ", on one unix socket");
	rows_title(title);
	if (!f.spaces.real)
		printf("no network namespaces: %s\n", f.spaces.why);
	if (r == 0 && !hosts)
		world_stop_hosts(&f);
	f.tasks = bench_choose(bench, 200, 40) * BATCH;
	if (r == 0)
		r = print(&f);
	world_close(&f);
	return r;
}

static int case_rates(struct bench *bench)
{
	return fleet_case(bench, "rates", print_rates, true);
}

static int case_trip(struct bench *bench)
{
	return fleet_case(bench, "a trip", print_trip, true);
}

static int case_idle(struct bench *bench)
{
	return fleet_case(bench, "nothing to do", print_idle, true);
}

static int case_queue(struct bench *bench)
{
	return fleet_case(bench, "a long queue", print_queue, false);
}

static int case_hosts(struct bench *bench)
{
	return fleet_case(bench, "many hosts", print_hosts, false);
}

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = { { "rates", case_rates }, { "trip", case_trip },
		{ "idle", case_idle }, { "queue", case_queue }, { "hosts", case_hosts } };
	static const struct bench_program program = { "bench_fleet", usage, parts,
		COUNT_OF(parts) };
	return bench_main(&program, argc, argv);
}
