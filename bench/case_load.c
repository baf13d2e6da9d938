/* A task file of a million lines: the time and memory to load the file with plmctl, and the time
 * of plmctl's commands while the tasks wait. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"

enum { FEW_TASKS = 100000, REST_TASKS = 200000, RECORDS_EACH = 2, LINE_BYTES = 8192 };
enum { TEXT_BYTES = sizeof "./cachesim trace00000000 LRU 1GB" - 1 };

static const struct format {
	const char *name, *before, *behind;
} formats[] = {
	{ "lines TYPE:PRIORITY:...", "shell:4:0:1:", "" },
	{ "lines of JSON", "{\"shell\": \"", "\", \"priority\": 4}" },
};

struct load {
	struct bench *bench;
	const struct format *format;
	size_t lines;
	double few_bytes; /* of the control segment of FEW_TASKS */
};

static int write_lines(const struct load *load, char *path)
{
	int fd = mkstemp(path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file)
		return -errno;
	for (size_t i = 0; i < load->lines; i++)
		fprintf(file, "%s./cachesim trace%08zu LRU 1GB%s\n", load->format->before, i,
		    load->format->behind);
	return fclose(file) == 0 ? 0 : -errno;
}

static int run_plmctl(const struct load *load, const struct runtime *runtime, const char *path)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, "%sctl --name %s load --quiet %s > /dev/null",
	    load->bench->plm_path, runtime->name, path);
	return system(line) == 0 ? 0 : -EIO;
}

static void print_rows(const struct load *load, double seconds, double bytes)
{
	char name[96];
	snprintf(name, sizeof name, "a million %s", load->format->name);
	struct row time = {
		.name = name, .unit = "s", .value = seconds, .sense = TARGET_AT_MOST, .bound = 10
	};
	row_print(load->bench, &time);
	snprintf(name, sizeof name, "each queued, without its text: %s", load->format->name);
	struct row each = {
		.name = name, .unit = "bytes", .value = bytes, .sense = TARGET_AT_MOST, .bound = 400
	};
	row_print(load->bench, &each);
}

static int load_body(struct runtime *runtime, void *context)
{
	struct load *load = context;
	char path[] = "/tmp/plm-bench-load-XXXXXX";
	plm_status before, after;
	int r = write_lines(load, path);
	if (r == 0)
		r = plm_pause(runtime->client);
	if (r >= 0)
		r = plm_status_get(runtime->client, &before);
	uint64_t start = clock_ns();
	if (r >= 0)
		r = run_plmctl(load, runtime, path);
	double seconds = (double)(clock_ns() - start) * 1e-9;
	unlink(path);
	if (r >= 0)
		r = plm_status_get(runtime->client, &after);
	if (r < 0)
		return bench_failed("loading a task file", r);
	double n = (double)load->lines;
	double store = (double)(after.store_used - before.store_used) / n;
	double control = ((double)runtime_control_bytes(runtime) - load->few_bytes) /
	    (n * RECORDS_EACH + REST_TASKS - FEW_TASKS);
	print_rows(load, seconds * 1e6 / n, store + RECORDS_EACH * control - TEXT_BYTES);
	return 0;
}

static int control_body(struct runtime *runtime, void *context)
{
	struct load *load = context;
	load->few_bytes = (double)runtime_control_bytes(runtime);
	return load->few_bytes > 0 ? 0 : bench_failed("the size of the control segment", -EIO);
}

int case_load(struct bench *bench)
{
	enum { MILLION = 1000000, TENTH = 100000 };
	struct load load = { .bench = bench, .lines = bench_choose(bench, MILLION, TENTH) };
	struct runtime_options options = {
		.path = bench->plm_path, .workers = 1, .tasks = FEW_TASKS, .quiet = true
	};
	rows_title("load: task files, into a queue that is paused");
	int r = runtime_with(&options, control_body, &load);
	options.tasks = RECORDS_EACH * load.lines + REST_TASKS;
	for (size_t i = 0; i < COUNT_OF(formats) && r == 0; i++) {
		load.format = &formats[i];
		r = runtime_with(&options, load_body, &load);
	}
	return r;
}
