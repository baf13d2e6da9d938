/* Command lines as tasks: many at once, single commands in turn, and a million waiting commands. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/commands.h"
#include "bench/machine_limits.h"
#include "bench/measured_runtime.h"

enum { AT_ONCE = 2, PATH_BYTES = 4096, BATCH = 1000 };

static const char *const program[] = { "/bin/true", "1", NULL };
static const char *const shell[] = { "/bin/sh", "-c", "/bin/true", NULL };

/* ---- many ---- */

struct many {
	struct commands commands;
	size_t n;
};

static int round_many(void *context, struct samples *ret)
{
	struct many *many = context;
	uint64_t start = clock_ns();
	int r = commands_run(&many->commands, many->n);
	if (r == 0)
		samples_add(ret, (double)(clock_ns() - start) / (double)many->n);
	return r;
}

static int many_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct many many = { .n = bench_choose(bench, 2000, 500) };
	struct spawn_limit spawn = { program, (unsigned)many.n, AT_ONCE };
	int r = commands_make(&many.commands, runtime->client, many.n);
	if (r < 0)
		return bench_failed("a batch of commands", r);
	struct series series[] = {
		SERIES("posix_spawn, wait: /bin/true, two at once", limit_spawn, &spawn),
		SERIES("commands in a batch, two workers", round_many, &many),
	};
	r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	if (r == 0) {
		struct row bare = row_of(&series[0], 0.5, 1e-3, "us");
		struct row row = row_of(&series[1], 0.5, 1e-3, "us");
		row.limit = bare.value;
		row.limit_name = bare.name;
		row_print(bench, &bare);
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	commands_free(&many.commands);
	return r;
}

/* ---- single commands ---- */

static int round_one(void *context, struct samples *ret)
{
	struct many *many = context;
	for (size_t i = 0; i < many->n; i++) {
		uint64_t start = clock_ns();
		int r = commands_run(&many->commands, 1);
		if (r < 0)
			return r;
		samples_add(ret, (double)(clock_ns() - start));
	}
	return 0;
}

/* plmctl stands beside plm. */
static void plmctl_beside(const char *program_of_plm, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%sctl", program_of_plm);
}

static void one_rows(struct bench *bench, struct series *series, size_t n)
{
	static const int beside[] = { -1, 0, -1, 2 };
	double value[COUNT_OF(beside)];
	for (size_t i = 0; i < n; i++) {
		struct row row = row_of(&series[i], 0.5, 1e-3, "us");
		value[i] = row.value;
		if (beside[i] >= 0) {
			row.limit = value[beside[i]];
			row.limit_name = series[beside[i]].name;
		}
		row_print(bench, &row);
	}
}

static int one_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	char path[PATH_BYTES];
	plmctl_beside(bench->plm_path, path);
	const char *const submit[] = { path, "--name", runtime->name, "submit", "--", "/bin/true",
		"1", NULL };
	unsigned n = bench_choose(bench, 100, 40);
	struct many one = { .n = n };
	struct spawn_limit spawn = { program, n, 1 }, by_shell = { shell, n, 1 };
	struct spawn_limit by_plmctl = { submit, n, 1 };
	int r = commands_make(&one.commands, runtime->client, 1);
	if (r < 0)
		return bench_failed("a command", r);
	struct series series[] = {
		SERIES("posix_spawn, wait: /bin/true", limit_spawn, &spawn),
		SERIES("a command, submit to end", round_one, &one),
		SERIES("sh -c /bin/true", limit_spawn, &by_shell),
		SERIES("plmctl submit -- /bin/true", limit_spawn, &by_plmctl),
	};
	r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	if (r == 0)
		one_rows(bench, series, COUNT_OF(series));
	series_free(series, COUNT_OF(series));
	commands_free(&one.commands);
	return r;
}

int case_command(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = AT_ONCE };
	rows_title("command: /bin/true, many");
	int r = runtime_with(&options, many_body, bench);
	rows_title("command: /bin/true, one at a time");
	int one = runtime_with(&options, one_body, bench);
	return r < 0 ? r : one;
}

/* ---- a million waiting commands ---- */

/* Nothing is started, and nothing dropped: the commands wait. */
static int submit_all(struct runtime *runtime, size_t total, double *ret_seconds)
{
	struct commands commands;
	int r = commands_make(&commands, runtime->client, BATCH);
	uint64_t start = clock_ns();
	for (size_t done = 0; r == 0 && done < total; done += BATCH)
		r = commands_submit(&commands, BATCH);
	*ret_seconds = (double)(clock_ns() - start) * 1e-9;
	commands_free(&commands);
	return r;
}

/* The first rows of a list, where most people stop reading. */
static int first_rows(struct bench *bench, const struct runtime *runtime, double *ret_ms)
{
	enum { ROWS = 10, LINE_BYTES = 1024 };
	char line[2 * PATH_BYTES], ctl[PATH_BYTES];
	plmctl_beside(bench->plm_path, ctl);
	snprintf(line, sizeof line, "%s --name %s tasks --state ready", ctl, runtime->name);
	uint64_t start = clock_ns();
	FILE *rows = popen(line, "re");
	int n = 0;
	while (rows && n < ROWS && fgets(line, sizeof line, rows))
		n++;
	*ret_ms = (double)(clock_ns() - start) * 1e-6;
	if (rows)
		pclose(rows);
	return n == ROWS ? 0 : -EPIPE;
}

static void waiting_row(
    struct bench *bench, const char *name, const char *unit, double value, double bound)
{
	struct row row = {
		.name = name, .unit = unit, .value = value, .sense = TARGET_AT_MOST, .bound = bound
	};
	row_print(bench, &row);
}

struct waiting {
	struct bench *bench;
	size_t total;
	double record_bytes; /* of the control segment */
};

static int waiting_body(struct runtime *runtime, void *context)
{
	const struct waiting *waiting = context;
	double seconds, ms;
	plm_status before, after;
	int r = plm_pause(runtime->client);
	if (r >= 0)
		r = plm_status_get(runtime->client, &before);
	if (r >= 0)
		r = submit_all(runtime, waiting->total, &seconds);
	if (r >= 0)
		r = plm_status_get(runtime->client, &after);
	if (r >= 0)
		r = first_rows(waiting->bench, runtime, &ms);
	if (r < 0)
		return bench_failed("commands that wait", r);
	double store = (double)(after.store_used - before.store_used) / (double)waiting->total;
	waiting_row(waiting->bench, "shared memory, a queued command of 2 words", "bytes",
	    store + COMMANDS_RESULTS * waiting->record_bytes, 400);
	waiting_row(waiting->bench, "submitting a million commands", "s",
	    seconds * 1e6 / (double)waiting->total, 10);
	waiting_row(waiting->bench, "their first ten, by plmctl tasks", "ms", ms, 100);
	return 0;
}

static int control_body(struct runtime *runtime, void *context)
{
	long long *ret = context;
	*ret = runtime_control_bytes(runtime);
	return *ret < 0 ? bench_failed("the size of the control segment", (int)*ret) : 0;
}

/* Bytes for a record, a place in the heap and everything else that grows with the number of
 * records. */
static int measure_record(struct runtime_options options, double *ret_bytes)
{
	enum { FEW = 100000, MORE = 1100000 };
	long long few, more;
	options.tasks = FEW;
	int r = runtime_with(&options, control_body, &few);
	options.tasks = MORE;
	if (r == 0)
		r = runtime_with(&options, control_body, &more);
	if (r == 0)
		*ret_bytes = (double)(more - few) / (MORE - FEW);
	return r;
}

int case_commands_waiting(struct bench *bench)
{
	enum { MILLION = 1000000, TENTH = 100000, REST = 10000 };
	struct waiting waiting = { bench, bench_choose(bench, MILLION, TENTH), 0 };
	struct runtime_options options = { .path = bench->plm_path, .workers = 1 };
	rows_title("commands that wait");
	int r = measure_record(options, &waiting.record_bytes);
	options.tasks = COMMANDS_RESULTS * waiting.total + REST;
	return r < 0 ? r : runtime_with(&options, waiting_body, &waiting);
}
