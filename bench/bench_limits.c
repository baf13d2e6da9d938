/* bench_limits - the limits of the machine, measured without plm. */
#include "base/check.h"
#include "bench/machine_limits.h"

static const char usage[] =
    "usage: bench_limits [--quick] [--only PART] [--csv FILE] [--help]\n"
    "Measures the bare limits of this machine.\n"
    "  --quick      fewer rounds (10 s instead of 20)\n"
    "  --only PART  one of: hops pipeline copies processes\n"
    "  --csv FILE   append the figures there (default build/bench/results.csv)\n";

static struct hop_limit spin_two = { .members = 2, .spin = true, .samples = 100, .turns = 1000 };
static struct hop_limit hot_two = { .members = 2, .samples = 2000, .turns = 1 };
static struct hop_limit hot_three = { .members = 3, .samples = 2000, .turns = 1 };
static struct hop_limit idle_two = { .members = 2, .pause_us = 1000, .samples = 200, .turns = 1 };
static struct hop_limit idle_three = { .members = 3, .pause_us = 1000, .samples = 200, .turns = 1 };
static struct pipeline_limit pipeline = { .items = 10000000 };
static struct fork_limit fork_exit = { .samples = 50 };
static struct fork_limit fork_exec = { .exec = true, .samples = 20 };

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct copy_limit copies[] = {
	{ 64 * KIB, false, 1 },
	{ MIB, false, 1 },
	{ 64 * MIB, false, 1 },
	{ 256 * MIB, false, 1 },
	{ 64 * KIB, true, 1 },
	{ MIB, true, 1 },
	{ 64 * MIB, true, 1 },
	{ 256 * MIB, true, 1 },
};

static int bench_limits_run(struct bench *bench, const char *title, struct series *series, size_t n,
    double scale, const char *unit, bool tail)
{
	rows_title(title);
	int r = series_in_turn(series, n, bench_choose(bench, 5, 2));
	for (size_t i = 0; i < n && r == 0; i++) {
		struct row row = row_of(&series[i], 0.5, scale, unit);
		row_print(bench, &row);
		if (!tail)
			continue;
		row = (struct row){ .name = "  99 of 100 within",
			.unit = unit,
			.value = samples_at(&series[i].all, 0.99) * scale };
		row_print(bench, &row);
	}
	series_free(series, n);
	return r;
}

static int run_hops(struct bench *bench)
{
	struct series series[] = {
		SERIES("two hops, spinning", limit_hop, &spin_two),
		SERIES("two hops, parked, back to back", limit_hop, &hot_two),
		SERIES("three hops, parked, back to back", limit_hop, &hot_three),
		SERIES("two hops, parked, from idle", limit_hop, &idle_two),
		SERIES("three hops, parked, from idle", limit_hop, &idle_three),
	};
	/* A machine with one core has no spinning hop. */
	size_t skip = bench->cores < 2;
	return bench_limits_run(bench, "a token round a ring of processes", series + skip,
	    COUNT_OF(series) - skip, 1e-3, "us", true);
}

static int run_pipeline(struct bench *bench)
{
	struct series series[] = {
		SERIES("three processes, two rings", limit_pipeline, &pipeline),
	};
	return bench_limits_run(bench, "a pipeline", series, COUNT_OF(series), 1e-6, "M/s", false);
}

static int run_copies(struct bench *bench)
{
	static const char *const names[] = {
		"64 KiB, warm",
		"1 MiB, warm",
		"64 MiB, warm",
		"256 MiB, warm",
		"64 KiB, cold",
		"1 MiB, cold",
		"64 MiB, cold",
		"256 MiB, cold",
	};
	struct series series[COUNT_OF(copies)] = { 0 };
	_Static_assert(COUNT_OF(names) == COUNT_OF(copies), "a name for each copy");
	for (size_t i = 0; i < COUNT_OF(copies); i++)
		series[i] = (struct series)SERIES(names[i], limit_copy, &copies[i]);
	return bench_limits_run(
	    bench, "memcpy into shared memory", series, COUNT_OF(series), 1, "GB/s", false);
}

static int run_processes(struct bench *bench)
{
	struct series series[] = {
		SERIES("null system call", limit_syscall, NULL),
		SERIES("fork, exit, wait", limit_fork, &fork_exit),
		SERIES("fork, exec /bin/true, wait", limit_fork, &fork_exec),
	};
	return bench_limits_run(bench, "processes", series, COUNT_OF(series), 1e-3, "us", false);
}

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = {
		{ "hops", run_hops },
		{ "pipeline", run_pipeline },
		{ "copies", run_copies },
		{ "processes", run_processes },
	};
	static const struct bench_program program = {
		"bench_limits",
		usage,
		parts,
		COUNT_OF(parts),
	};
	return bench_main(&program, argc, argv);
}
