/* workload.c - what the programs of this folder share: a private runtime, a clock, rows of
 * figures. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plm_inspect.h"

enum { PATH_BYTES = 4096, WORDS_MAX = 24, ROWS = 64, NAME_COLUMNS = 64 };

_Noreturn void workload_fail(const char *format, ...)
{
	va_list args;
	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1); /* the runtime is tied to this process and ends, too */
}

void workload_must(int r, const char *what)
{
	if (r < 0)
		workload_fail("%s: %s", what, plm_why()[0] ? plm_why() : plm_strerror(r));
}

/* ---- boot and end ---- */

/* The directory of this program, build/VARIANT/workloads. */
static void own_directory(char ret[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_BYTES - 1);
	if (n <= 0)
		workload_fail("/proc/self/exe: %s", strerror(errno));
	ret[n] = 0;
	*strrchr(ret, '/') = 0;
}

/* The program plm: in $PLM_BIN, else where make puts plm of this variant. */
static void path_of_plm(char ret[PATH_BYTES])
{
	char own[PATH_BYTES];
	const char *bin = getenv("PLM_BIN");
	own_directory(own);
	if (bin && bin[0])
		snprintf(ret, PATH_BYTES, "%s/plm", bin);
	else if (snprintf(ret, PATH_BYTES, "%s/../plm", own) >= PATH_BYTES || access(ret, X_OK))
		snprintf(ret, PATH_BYTES, "%.4000s/../../../plm", own);
}

static size_t add_option(const char **words, size_t n, const char *option, const char *value)
{
	if (value) {
		words[n++] = option;
		words[n++] = value;
	}
	return n;
}

_Noreturn static void become_plm(
    const struct workload *w, const struct workload_options *o, const char *plm_path, int out)
{
	const char *words[WORDS_MAX] = { "plm", "--name", w->name, "--tied", "--fresh", "--quiet" };
	char own[PATH_BYTES], module[2 * PATH_BYTES];
	size_t n = 6;
	own_directory(own);
	snprintf(module, sizeof module, "%s/%s.so", own, o->module ? o->module : "");
	n = add_option(words, n, "--workers", o->workers);
	n = add_option(words, n, "--policy", o->policy);
	n = add_option(words, n, "--inject", o->inject);
	n = add_option(words, n, "--store", o->store);
	n = add_option(words, n, "--module", o->module ? module : NULL);
	union {
		const char **words;
		char *const *argv;
	} call = { words };
	dup2(out, STDOUT_FILENO);
	execv(plm_path, call.argv);
	fprintf(stderr, "%s: %s\n", plm_path, strerror(errno));
	_exit(127);
}

void workload_boot(struct workload *w, const struct workload_options *options)
{
	static unsigned boots;
	int ends[2];
	char line[256], path[PATH_BYTES];
	path_of_plm(path);
	snprintf(w->name, sizeof w->name, "workload-%d-%u", (int)getpid(), boots++);
	if (pipe(ends) < 0)
		workload_fail("pipe: %s", strerror(errno));
	fflush(stdout);
	w->manager = fork();
	if (w->manager == 0)
		become_plm(w, options, path, ends[1]);
	close(ends[1]);
	ssize_t n = read(ends[0], line, sizeof line);
	close(ends[0]);
	if (w->manager < 0 || n <= 0)
		workload_fail("%s did not boot", path);
	workload_must(plm_connect(&w->rt, w->name), "plm_connect");
	workload_must(plm_patience(w->rt, WORKLOAD_PATIENCE_MS), "plm_patience");
}

void workload_end(struct workload *w)
{
	workload_must(plm_stop(w->rt, 1), "plm_stop");
	plm_disconnect(&w->rt);
	waitpid(w->manager, NULL, 0);
	*w = (struct workload){ 0 };
}

/* ---- values ---- */

void workload_get(const struct workload *w, plm_ref ref, plm_view *ret)
{
	plm_failure failure;
	int r = plm_get(w->rt, ref, ret, WORKLOAD_PATIENCE_MS);
	if (r == -PLM_EFAILED && plm_error(w->rt, ref, &failure) == 0)
		workload_fail("%s failed: %s", failure.function, failure.message);
	workload_must(r, "plm_get");
}

plm_ref workload_put_file(const struct workload *w, const char *path)
{
	plm_ref ref;
	void *data;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (bytes < 0)
		workload_fail("%s: %s", path, strerror(errno));
	workload_must(plm_create(w->rt, (size_t)bytes, &data, &ref), path);
	for (off_t at = 0; at < bytes;) {
		ssize_t n = pread(fd, (char *)data + at, (size_t)(bytes - at), at);
		if (n <= 0)
			workload_fail("%s: %s", path, n < 0 ? strerror(errno) : "became shorter");
		at += n;
	}
	close(fd);
	workload_must(plm_seal(w->rt, ref), path);
	return ref;
}

void workload_wait(const struct workload *w, const plm_ref *refs, size_t n, size_t want)
{
	workload_must(plm_wait(w->rt, refs, n, want, WORKLOAD_PATIENCE_MS, NULL), "plm_wait");
}

/* ---- workers ---- */

static size_t list_workers(const struct workload *w, plm_process_row rows[ROWS])
{
	plm_inspect *in;
	uint64_t cursor = 0;
	workload_must(plm_inspect_of(&in, w->rt), "plm_inspect_of");
	int n =
	    plm_inspect_processes(in, 1 << PLM_KIND_WORKER, &cursor, rows, sizeof rows[0], ROWS);
	workload_must(n, "plm_inspect_processes");
	plm_inspect_close(&in);
	return (size_t)n;
}

/* The pid of a living worker, if possible one that runs a task; 0: none lives at this moment. */
static pid_t some_worker(const struct workload *w)
{
	static plm_process_row rows[ROWS];
	size_t n = list_workers(w, rows);
	pid_t found = 0;
	for (size_t i = 0; i < n; i++)
		if (rows[i].live && rows[i].pid > 0 && (!found || rows[i].running.id))
			found = rows[i].pid;
	return found;
}

/* After a kill the successors may not be there yet, so the search goes on for a while. */
void workload_kill_worker(const struct workload *w)
{
	double deadline = workload_now() + WORKLOAD_PATIENCE_MS / 1e3;
	for (;;) {
		pid_t victim = some_worker(w);
		if (victim && kill(victim, SIGKILL) == 0)
			return;
		if (workload_now() > deadline)
			workload_fail("there is no worker to kill");
		sched_yield();
	}
}

uint64_t workload_tasks_of(const struct workload *w, unsigned generation)
{
	static plm_process_row rows[ROWS];
	uint64_t sum = 0;
	size_t n = list_workers(w, rows);
	for (size_t i = 0; i < n; i++)
		if (rows[i].worker_generation == generation)
			sum += rows[i].done;
	return sum;
}

/* ---- figures ---- */

uint64_t workload_number(const char *option, const char *text)
{
	char *end;
	errno = 0;
	uint64_t number = text ? strtoull(text, &end, 10) : 0;
	if (!text || end == text || *end || errno)
		workload_fail("%s takes a number, not \"%s\"", option, text ? text : "");
	return number;
}

unsigned workload_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned)n : 1;
}

double workload_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double workload_median(double *values, size_t n)
{
	qsort(values, n, sizeof values[0], compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void workload_row(double value, const char *unit, const char *format, ...)
{
	char name[128];
	va_list args;
	va_start(args, format);
	vsnprintf(name, sizeof name, format, args);
	va_end(args);
	printf("%-*s  %12.6g  %s\n", NAME_COLUMNS, name, value, unit);
	fflush(stdout);
}
