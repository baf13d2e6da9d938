/* Objects: reading does not depend on the size, writing costs one copy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/machine_limits.h"
#include "bench/measured_runtime.h"

enum { KIB = 1 << 10, MIB = 1 << 20, GIB = 1 << 30 };

/* ---- get ---- */

struct reading {
	plm *client;
	plm_ref ref;
	unsigned samples;
	unsigned gets; /* for one sample: a single get costs little more than reading the clock */
};

/* Reads the first and the last byte, so that an unreadable view is noticed. */
static int get_once(plm *client, plm_ref ref)
{
	plm_view view;
	int r = plm_get(client, ref, &view, 0);
	if (r < 0)
		return r;
	const unsigned char *bytes = view.data;
	unsigned read = bytes[0] + bytes[view.len - 1];
	__asm__ volatile("" : : "r"(read)); /* the reads are the point */
	plm_release(client, &view);
	return 0;
}

static int round_get(void *context, struct samples *ret)
{
	const struct reading *reading = context;
	for (unsigned i = 0; i < reading->samples; i++) {
		uint64_t start = clock_ns();
		for (unsigned j = 0; j < reading->gets; j++) {
			int r = get_once(reading->client, reading->ref);
			if (r < 0)
				return r;
		}
		samples_add(ret, (double)(clock_ns() - start) / reading->gets);
	}
	return 0;
}

/* A worker's result, because programs mostly get objects from other programs. Also times the
 * first get. */
static int fill_object(
    struct bench *bench, struct runtime *runtime, const char *bytes, const char *name, plm_ref *ret)
{
	plm_arg arg = PLM_BYTES(bytes, strlen(bytes));
	plm_task task = { .function = "probe.fill", .args = &arg, .nargs = 1 };
	int r = plm_submit(runtime->client, &task, ret);
	if (r >= 0)
		r = plm_wait(runtime->client, ret, 1, 1, 60000, NULL);
	uint64_t start = clock_ns();
	if (r >= 0)
		r = get_once(runtime->client, *ret);
	if (r < 0)
		return bench_failed(name, r);
	double us = (double)(clock_ns() - start) * 1e-3;
	struct row row = { .name = name, .unit = "us", .value = us };
	row_print(bench, &row);
	return 0;
}

static void get_rows(struct bench *bench, struct series series[2])
{
	enum { GET_MAX_NS = 2000 };
	for (size_t i = 0; i < 2; i++) {
		struct row row = row_of(&series[i], 0.5, 1, "ns");
		row.sense = TARGET_AT_MOST;
		row.bound = GET_MAX_NS;
		if (i == 1) {
			row.limit = samples_at(&series[0].all, 0.5);
			row.limit_name = series[0].name;
		}
		row_print(bench, &row);
	}
}

static int get_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct reading small = { .client = runtime->client, .samples = 100, .gets = 1000 };
	struct reading large = small;
	struct series series[] = {
		SERIES("get of 1 KiB, again", round_get, &small),
		SERIES("get of 1 GiB, again", round_get, &large),
	};
	int r = fill_object(bench, runtime, "1024", "get of 1 KiB, the first", &small.ref);
	if (r == 0)
		r = fill_object(
		    bench, runtime, "1073741824", "get of 1 GiB, the first", &large.ref);
	if (r == 0)
		r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 7, 3));
	if (r == 0)
		get_rows(bench, series);
	series_free(series, COUNT_OF(series));
	return r;
}

static bool shared_memory_free(uint64_t bytes)
{
	struct statvfs about;
	if (statvfs("/dev/shm", &about) < 0)
		return false;
	return (uint64_t)about.f_bavail * about.f_frsize >= bytes;
}

int case_get(struct bench *bench)
{
	struct runtime_options options = {
		.path = bench->plm_path, .workers = bench->workers, .store = "3G"
	};
	rows_title("get: a view of an object, no copy");
	if (!shared_memory_free((uint64_t)3 * GIB)) {
		printf("left out: it wants 3 GiB free in /dev/shm\n");
		return 0;
	}
	return runtime_with(&options, get_body, bench);
}

/* ---- put ---- */

struct writing {
	plm *client;
	const void *source;
	size_t bytes;
	unsigned samples;
};

static int round_put(void *context, struct samples *ret)
{
	const struct writing *writing = context;
	for (unsigned i = 0; i < writing->samples; i++) {
		plm_ref ref;
		uint64_t start = clock_ns();
		int r = plm_put(writing->client, writing->source, writing->bytes, &ref);
		if (r < 0)
			return r;
		samples_add(ret, (double)writing->bytes / (double)(clock_ns() - start));
		plm_drop(writing->client, ref);
	}
	return 0;
}

/* Nothing is written, so only plm's cost is left. */
static int round_create(void *context, struct samples *ret)
{
	const struct writing *writing = context;
	for (unsigned i = 0; i < writing->samples; i++) {
		plm_ref ref;
		void *data;
		uint64_t start = clock_ns();
		int r = plm_create(writing->client, writing->bytes, &data, &ref);
		if (r >= 0)
			r = plm_seal(writing->client, ref);
		if (r < 0)
			return r;
		plm_drop(writing->client, ref);
		samples_add(ret, (double)(clock_ns() - start));
	}
	return 0;
}

/* Pairs of a bare copy and a put. */
static void put_rows(struct bench *bench, struct series *series, size_t pairs)
{
	for (size_t i = 0; i < 2 * pairs; i++) {
		struct row row = row_of(&series[i], 0.5, 1, "GB/s");
		if (i % 2 == 1) {
			row.limit = samples_at(&series[i - 1].all, 0.5);
			row.limit_name = series[i - 1].name;
			row.sense = TARGET_AT_LEAST;
			row.bound = 0.9;
			row.of_ratio = true;
		}
		row_print(bench, &row);
	}
	struct row created = row_of(&series[2 * pairs], 0.5, 1e-3, "us");
	row_print(bench, &created);
	struct row one_place = row_of(&series[2 * pairs + 1], 0.5, 1, "GB/s");
	row_print(bench, &one_place);
}

struct put_case {
	struct bench *bench;
	void *source;
};

static int put_body(struct runtime *runtime, void *context)
{
	struct put_case *put_case = context;
	/* The store frees an object's memory when the last reader lets go, so the next object
	 * lies in another warm place. Two places of 1 MiB no longer fit into a 2 MiB cache. */
	struct copy_limit one_1 = { .bytes = MIB }, copy_1 = { .bytes = MIB, .places = 2 };
	struct copy_limit copy_64 = { .bytes = 64 * MIB, .places = 2 };
	struct writing put_1 = { runtime->client, put_case->source, MIB, 64 };
	struct writing put_64 = { runtime->client, put_case->source, 64 * MIB, 5 };
	struct writing create_64 = { runtime->client, NULL, 64 * MIB, 50 };
	struct series series[] = {
		SERIES("memcpy of 1 MiB, warm", limit_copy, &copy_1),
		SERIES("put of 1 MiB", round_put, &put_1),
		SERIES("memcpy of 64 MiB, warm", limit_copy, &copy_64),
		SERIES("put of 64 MiB", round_put, &put_64),
		SERIES("create, seal, drop of 64 MiB", round_create, &create_64),
		SERIES("memcpy of 1 MiB, always one place", limit_copy, &one_1),
	};
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(put_case->bench, 9, 4));
	if (r == 0)
		put_rows(put_case->bench, series, 2);
	series_free(series, COUNT_OF(series));
	return r;
}

int case_put(struct bench *bench)
{
	struct runtime_options options = {
		.path = bench->plm_path, .workers = bench->workers, .store = "1G"
	};
	struct put_case context = { bench, malloc(64 * MIB) };
	if (!context.source)
		return bench_failed("put", -ENOMEM);
	/* Untouched memory would all map to the same page of zeroes. */
	memset(context.source, 'x', 64 * MIB);
	rows_title("put: writing an object");
	int r = runtime_with(&options, put_body, &context);
	free(context.source);
	return r;
}
