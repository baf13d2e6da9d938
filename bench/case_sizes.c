/* Objects of every size: which costs grow with the bytes, and which do not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"

enum { SAMPLES = 200, SAMPLES_LARGE = 5, PATIENCE_MS = 60000, LARGE = 1 << 20 };

static const struct {
	size_t bytes;
	const char *name;
} sizes[] = {
	{ 1, "1 B" },
	{ 32, "32 B" },
	{ 1 << 10, "1 KiB" },
	{ 1 << 16, "64 KiB" },
	{ 1 << 20, "1 MiB" },
	{ 1 << 26, "64 MiB" },
	{ 1 << 30, "1 GiB" },
};

struct sized {
	plm *client;
	char *source, *target; /* private; as large as the largest */
	size_t bytes;
};

static int step_put(const struct sized *sized, double *ret_ns)
{
	plm_ref ref;
	uint64_t start = clock_ns();
	int r = plm_put(sized->client, sized->source, sized->bytes, &ref);
	*ret_ns = (double)(clock_ns() - start);
	plm_drop(sized->client, ref);
	return r;
}

static int step_create(const struct sized *sized, double *ret_ns)
{
	plm_ref ref;
	void *place;
	uint64_t start = clock_ns();
	int r = plm_create(sized->client, sized->bytes, &place, &ref);
	if (r >= 0)
		r = plm_seal(sized->client, ref);
	*ret_ns = (double)(clock_ns() - start);
	plm_drop(sized->client, ref);
	return r;
}

/* The private copy with which a put is compared. */
static int step_copy(const struct sized *sized, double *ret_ns)
{
	uint64_t start = clock_ns();
	memcpy(sized->target, sized->source, sized->bytes);
	__asm__ volatile("" : : "r"(sized->target) : "memory");
	*ret_ns = (double)(clock_ns() - start);
	return 0;
}

/* A worker makes the object, then a worker, perhaps another worker, reads the object. */
static int make_by_worker(const struct sized *sized, plm_ref *ret)
{
	char text[24];
	snprintf(text, sizeof text, "%zu", sized->bytes);
	plm_arg arg = PLM_BYTES(text, strlen(text));
	plm_task fill = { .function = "probe.fill", .args = &arg, .nargs = 1 };
	int r = plm_submit(sized->client, &fill, ret);
	return r < 0 ? r : plm_wait(sized->client, ret, 1, 1, PATIENCE_MS, NULL);
}

static int step_handover(const struct sized *sized, double *ret_ns)
{
	plm_ref object, ref;
	plm_view view;
	int r = make_by_worker(sized, &object);
	if (r < 0)
		return r;
	plm_arg arg = PLM_FUTURE(object);
	plm_task look = { .function = "bench.touch", .args = &arg, .nargs = 1 };
	uint64_t start = clock_ns();
	r = plm_submit(sized->client, &look, &ref);
	if (r >= 0)
		r = plm_get(sized->client, ref, &view, PATIENCE_MS);
	*ret_ns = (double)(clock_ns() - start);
	if (r >= 0)
		plm_release(sized->client, &view);
	plm_drop(sized->client, ref);
	plm_drop(sized->client, object);
	return r;
}

static int step_get(const struct sized *sized, double *ret_ns)
{
	enum { GETS = 100 };
	plm_ref object;
	plm_view view;
	int r = plm_put(sized->client, sized->source, sized->bytes, &object);
	uint64_t start = clock_ns();
	for (int i = 0; i < GETS && r >= 0; i++) {
		r = plm_get(sized->client, object, &view, 0);
		if (r >= 0)
			plm_release(sized->client, &view);
	}
	*ret_ns = (double)(clock_ns() - start) / GETS;
	plm_drop(sized->client, object);
	return r;
}

static const struct {
	const char *name;
	int (*run)(const struct sized *, double *);
} steps[] = {
	{ "memcpy", step_copy },
	{ "put", step_put },
	{ "create, seal", step_create },
	{ "get, again", step_get },
	{ "worker to worker", step_handover },
};

/* The median of some samples, after a warm-up. */
static int size_row(struct bench *bench, const struct sized *sized, size_t step, const char *size)
{
	struct samples samples = { 0 };
	unsigned n = sized->bytes > LARGE ? SAMPLES_LARGE : SAMPLES;
	double ns = 0;
	char name[64];
	int r = steps[step].run(sized, &ns);
	for (unsigned i = 0; i < n && r >= 0; i++) {
		r = steps[step].run(sized, &ns);
		samples_add(&samples, ns);
	}
	snprintf(name, sizeof name, "%s, %s", steps[step].name, size);
	struct row row = { .name = name,
		.unit = "us",
		.value = samples_at(&samples, 0.5) * 1e-3,
		.low = samples_at(&samples, 0.1) * 1e-3,
		.high = samples_at(&samples, 0.9) * 1e-3 };
	if (r >= 0)
		row_print(bench, &row);
	samples_free(&samples);
	return r < 0 ? bench_failed(name, r) : 0;
}

static int sizes_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	size_t n = COUNT_OF(sizes) - bench->quick; /* a GiB takes long */
	size_t most = sizes[n - 1].bytes;
	struct sized sized = { runtime->client, malloc(most), malloc(most), 0 };
	int r = sized.source && sized.target ? runtime_load_bench(runtime) : -ENOMEM;
	if (r < 0)
		bench_failed("bench.so", r);
	else
		memset(sized.source, 'x', most);
	for (size_t i = 0; i < n && r >= 0; i++) {
		sized.bytes = sizes[i].bytes;
		for (size_t step = 0; step < COUNT_OF(steps) && r >= 0; step++)
			r = size_row(bench, &sized, step, sizes[i].name);
	}
	free(sized.source);
	free(sized.target); /* otherwise every later fork copies these page tables */
	return r;
}

int case_sizes(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path,
		.workers = bench->workers,
		.store = bench->quick ? "512M" : "3G" };
	rows_title("sizes: objects, 10 % .. 90 % of the samples");
	return runtime_with(&options, sizes_body, bench);
}
