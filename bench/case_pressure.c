/* The time from a lack of memory to the death of the task that returns to the queue. The machine's
 * free memory is simulated (base/meter.h), the memory of the tasks is real: shells that keep a long
 * text. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/meter.h"
#include "bench/cases.h"
#include "bench/measured_runtime.h"

enum {
	TRIALS = 5,
	START_MAX_MS = 20000,
	DEATH_MAX_MS = 10000,
	TOTAL_KB = 150 << 10,
	PATH_BYTES = 64,
	LINE_BYTES = 256,
};

/* Both shells together exceed a quarter of 150 MiB, one shell alone does not. */
static const char keeper[] = "x=$(head -c 25000000 /dev/zero | tr '\\0' x); echo $$ > %s; "
			     "sleep 1000; :";

struct shortage {
	struct runtime *runtime;
	char directory[PATH_BYTES / 2], meter[PATH_BYTES], pid[PATH_BYTES];
};

/* Replaces the file in one step: a reader sees the old or the new text. */
static int set_free(const struct shortage *s, unsigned free_kb)
{
	char fresh[PATH_BYTES + 8];
	snprintf(fresh, sizeof fresh, "%s.new", s->meter);
	FILE *file = fopen(fresh, "w");
	if (!file)
		return -errno;
	fprintf(file, "MemTotal: %u kB\nMemAvailable: %u kB\n", (unsigned)TOTAL_KB, free_kb);
	return fclose(file) == 0 && rename(fresh, s->meter) == 0 ? 0 : -errno;
}

/* A pidfd of a shell that has allocated the text, or -errno. */
static int start_one(const struct shortage *s, plm_ref *ret)
{
	char line[LINE_BYTES];
	int pid = 0;
	snprintf(line, sizeof line, keeper, s->pid);
	plm_arg args[] = { PLM_BYTES("", 0), PLM_BYTES("", 0), PLM_BYTES("/bin/sh", 7),
		PLM_BYTES("-c", 2), PLM_BYTES(line, strlen(line)) };
	plm_task task = { .function = "command.run", .args = args, .nargs = COUNT_OF(args) };
	unlink(s->pid);
	int r = plm_submit(s->runtime->client, &task, ret);
	uint64_t deadline = deadline_after_ms(START_MAX_MS);
	while (r == 0 && pid == 0) {
		FILE *file = fopen(s->pid, "r");
		if (file && fscanf(file, "%d\n", &pid) != 1)
			pid = 0;
		if (file)
			fclose(file);
		if (clock_ns() > deadline)
			r = -ETIMEDOUT;
		usleep(1000);
	}
	return r < 0 ? r : (int)syscall(SYS_pidfd_open, pid, 0);
}

static int one_shortage(struct shortage *s, struct samples *ret)
{
	plm_ref old, fresh;
	int r = set_free(s, TOTAL_KB - 1024);
	if (r < 0)
		return bench_failed("writing the meter", r);
	int old_fd = start_one(s, &old);
	int fresh_fd = old_fd < 0 ? old_fd : start_one(s, &fresh);
	if (fresh_fd < 0)
		return bench_failed("the start of a command", fresh_fd);
	struct pollfd dead = { .fd = fresh_fd, .events = POLLIN };
	uint64_t begun = clock_ns();
	r = set_free(s, 0);
	if (r == 0 && poll(&dead, 1, DEATH_MAX_MS) == 1)
		samples_add(ret, (double)(clock_ns() - begun));
	else
		r = bench_failed("the death of a task, for want of memory", -ETIMEDOUT);
	plm_cancel(s->runtime->client, fresh, PLM_GRACE_OF_TASK);
	plm_cancel(s->runtime->client, old, 100);
	dead.fd = old_fd;
	poll(&dead, 1, DEATH_MAX_MS);
	plm_drop_many(s->runtime->client, (plm_ref[]){ old, fresh }, 2);
	close(old_fd);
	close(fresh_fd);
	return r;
}

static int some_shortages(void *context, struct samples *ret)
{
	int r = 0;
	for (int i = 0; i < TRIALS && r == 0; i++)
		r = one_shortage(context, ret);
	return r;
}

static int pressure_body(struct runtime *runtime, void *context)
{
	struct bench *bench = context;
	struct shortage s = { .runtime = runtime };
	struct series series[] = { SERIES("from memory gone to a death", some_shortages, &s) };
	snprintf(s.meter, sizeof s.meter, "%s", getenv(METER_VARIABLE));
	snprintf(s.pid, sizeof s.pid, "%.*s.pid", PATH_BYTES - 8, s.meter);
	rows_title("pressure: memory runs out while two commands have much of it");
	int r = series_in_turn(series, COUNT_OF(series), bench_choose(bench, 5, 2));
	if (r == 0) {
		struct row row = row_of(&series[0], 0.5, 1e-6, "ms");
		row.sense = TARGET_AT_MOST;
		row.bound = 200;
		row_print(bench, &row);
	}
	series_free(series, COUNT_OF(series));
	unlink(s.pid);
	return r;
}

int case_pressure(struct bench *bench)
{
	struct runtime_options options = { .path = bench->plm_path, .workers = 2, .quiet = true };
	struct shortage s = { .directory = "/tmp/plm-bench-XXXXXX" };
	if (!mkdtemp(s.directory))
		return bench_failed("making a directory for the meter", -errno);
	snprintf(s.meter, sizeof s.meter, "%s/meter", s.directory);
	int r = set_free(&s, TOTAL_KB - 1024);
	if (r < 0)
		return bench_failed("writing the meter", r);
	setenv(METER_VARIABLE, s.meter, 1);
	setenv("PLM_ACCEPT_FREE", "20M", 1);
	setenv("PLM_RETURN_FREE", "10M", 1);
	r = runtime_with(&options, pressure_body, bench);
	unsetenv(METER_VARIABLE);
	unsetenv("PLM_ACCEPT_FREE");
	unsetenv("PLM_RETURN_FREE");
	unlink(s.meter);
	rmdir(s.directory);
	return r;
}
