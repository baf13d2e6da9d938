/* The cost of a journal: kept tasks in a runtime without a journal and in a runtime with one.
 * The two runtimes are measured in turn. A round with a journal ends when the last result is on
 * disk, because unwritten results are no throughput. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"

enum { BATCH = 1000, SETTLE_MAX_MS = 60000, LOOK_US = 500 };

struct kept {
	struct runtime *runtime;
	plm_task task;
	size_t total;
	bool written; /* true when all is on disk */
};

static int run_batch(struct kept *k, size_t n)
{
	static plm_task tasks[BATCH];
	static plm_ref refs[2 * BATCH], firsts[BATCH];
	plm *client = k->runtime->client;
	unsigned results = k->task.results ? k->task.results : 1;
	for (size_t i = 0; i < n; i++)
		tasks[i] = k->task;
	int r = plm_submit_many(client, tasks, n, refs);
	for (size_t i = 0; i < n; i++)
		firsts[i] = refs[i * results];
	if (r == 0)
		r = plm_wait(client, firsts, n, n, SETTLE_MAX_MS, NULL);
	for (size_t i = 0; i < n && r == 0; i++)
		r = plm_forget(client, firsts[i]);
	plm_drop_many(client, refs, n * results);
	return r;
}

static int await_written(struct kept *k, uint64_t before)
{
	plm_status status;
	uint64_t deadline = deadline_after_ms(SETTLE_MAX_MS);
	do {
		int r = plm_status_get(k->runtime->client, &status);
		if (r < 0 || clock_ns() > deadline)
			return r < 0 ? r : -ETIMEDOUT;
		if (status.journal_ended < before + k->total)
			usleep(LOOK_US);
	} while (status.journal_ended < before + k->total);
	return 0;
}

static int round_kept(void *context, struct samples *ret)
{
	struct kept *k = context;
	plm_status status;
	int r = plm_status_get(k->runtime->client, &status);
	uint64_t start = clock_ns(), settled_ns;
	for (size_t done = 0; done < k->total && r == 0; done += BATCH)
		r = run_batch(k, k->total - done < BATCH ? k->total - done : BATCH);
	settled_ns = clock_ns();
	if (r == 0 && status.journal[0])
		r = await_written(k, status.journal_ended);
	uint64_t end = k->written ? clock_ns() : settled_ns;
	if (r < 0)
		return bench_failed("tasks that are kept", r);
	samples_add(ret, (double)k->total * NS_PER_S / (double)(end - start));
	return 0;
}

static int case_journal_compare(struct bench *bench, struct runtime *plain, struct runtime *durable,
    const plm_task *task, size_t total, const char *const names[3], double bound)
{
	struct kept kept[] = { { plain, *task, total, false }, { durable, *task, total, false },
		{ durable, *task, total, true } };
	struct series series[] = { SERIES(names[0], round_kept, &kept[0]),
		SERIES(names[1], round_kept, &kept[1]), SERIES(names[2], round_kept, &kept[2]) };
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	double limit = r == 0 ? samples_at(&series[0].all, 0.5) : 0;
	for (size_t i = 0; i < COUNT_OF(series) && r == 0; i++) {
		struct row row = row_of(&series[i], 0.5, 1, "/s");
		row.limit = i ? limit : 0;
		row.limit_name = series[0].name;
		row.sense = i && bound > 0 ? TARGET_AT_LEAST : TARGET_NONE;
		row.bound = bound;
		row.of_ratio = true;
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	return r;
}

static int case_journal_measure(struct bench *bench, struct runtime *plain, struct runtime *durable)
{
	static const char *const noops[] = { "no-op tasks, kept", "..., journal, until settled",
		"..., journal, until written" };
	static const char *const commands[] = { "/bin/true, kept", "..., journal, until settled ",
		"..., journal, until written " };
	const plm_arg args[] = { PLM_BYTES("", 0), PLM_BYTES("", 0), PLM_BYTES("/bin/true", 9) };
	const plm_task noop = { .function = "probe.noop", .flags = PLM_KEEP };
	const plm_task command = { .function = "command.run",
		.args = args,
		.results = 2,
		.nargs = COUNT_OF(args),
		.flags = PLM_KEEP };
	int r = case_journal_compare(
	    bench, plain, durable, &command, bench_choose(bench, 2000, 1000), commands, 0.9);
	return r < 0 ? r
		     : case_journal_compare(bench, plain, durable, &noop,
			   bench_choose(bench, 400000, 100000), noops, 0);
}

static int with_directory(struct bench *bench, const char *directory)
{
	struct runtime plain, durable;
	struct runtime_options options = { .path = bench->plm_path, .workers = bench->workers };
	int r = runtime_start(&options, &plain);
	if (r < 0)
		return r;
	options.state = directory;
	r = runtime_start(&options, &durable);
	if (r == 0) {
		r = case_journal_measure(bench, &plain, &durable);
		runtime_stop(&durable);
	}
	runtime_stop(&plain);
	return r;
}

int case_journal(struct bench *bench)
{
	/* Beside the figures: on the disk, where a journal belongs, not in memory. */
	char directory[] = "build/bench-state-XXXXXX", path[64];
	static const char *const files[] = { "journal.db", "journal.db-wal", "journal.db-shm",
		"lock" };
	if (!mkdtemp(directory))
		return bench_failed(directory, -errno);
	rows_title("journal: tasks that the runtime keeps, --durability batch");
	int r = with_directory(bench, directory);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		snprintf(path, sizeof path, "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
	return r;
}
