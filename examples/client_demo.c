/* client_demo.c - `make demo`: a runtime from boot to end, and the time of each step.
 *
 *	demo [DIRECTORY]        with plm, plmctl and plmdump (default: .)
 *
 * The demo counts the words of a text in 1,000 objects, runs a million empty tasks, hands a large
 * object to a worker, and counts again while a worker and the scheduler are killed. `wc -w` gives
 * the right answer; a wrong answer ends the demo with exit code 1.
 * The runtime has a private name. If the demo dies, by Ctrl-C or otherwise, the manager gets
 * SIGTERM (PDEATHSIG) and ends the runtime. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plm.h"

enum {
	CHUNKS = 1000,
	NOOPS = 1000000,
	BATCH = 10000,   /* two batches are under way at any time */
	TEXT_SHARE = 16, /* copies of the text in the large object */
	PATIENCE_MS = 60000,
	CRASH_RETRIES = 10,
	PATH_BYTES = 256,
};

#define MIB ((size_t)1 << 20)
#define LARGE_MAX ((size_t)1 << 30)
#define LARGE_MIN ((size_t)1 << 24)
#define CONTROL_BYTES (16 * MIB) /* rough size of the control segment */

struct demo {
	const char *programs; /* directory of the programs */
	char name[32];
	pid_t manager;
	plm *rt;
	size_t large_bytes;
	char *text;
	size_t text_bytes;
	int64_t words; /* as counted by wc */
	plm_ref chunk[CHUNKS];
};

/* ---- output ---- */

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A line: the step, its time (negative: none), the result. */
__attribute__((format(printf, 3, 4))) static void say(
    const char *what, double took_ms, const char *format, ...)
{
	va_list args;
	if (took_ms < 0)
		printf("  %-44s %11s   ", what, "");
	else if (took_ms < 1)
		printf("  %-44s %8.1f us   ", what, took_ms * 1e3);
	else
		printf("  %-44s %8.2f ms   ", what, took_ms);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static void title(const char *text)
{
	printf("\n%s\n", text);
	fflush(stdout);
}

_Noreturn static void give_up(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "demo: %s: %s\n", what, why);
	exit(1); /* the kernel sends SIGTERM to the manager */
}

static void must(int r, const char *what)
{
	if (r < 0)
		give_up(what, plm_why()[0] ? plm_why() : plm_strerror(r));
}

/* ---- the programs ---- */

static void program_path(const struct demo *d, const char *program, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/%s", d->programs, program);
}

/* Runs plmctl or plmdump as a user would, with the output of the demo. */
static int run_program(const struct demo *d, const char *program, const char *word)
{
	char path[PATH_BYTES];
	int status;
	program_path(d, program, path);
	pid_t pid = fork();
	if (pid == 0) {
		execl(path, program, "--name", d->name, word, (char *)NULL);
		perror(path);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		give_up(program, strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

_Noreturn static void become_manager(const struct demo *d, int out, pid_t parent)
{
	char path[PATH_BYTES], store[32];
	program_path(d, "plm", path);
	/* An object may fill three quarters of a store: the rest is for results. */
	snprintf(store, sizeof store, "%zuM", (d->large_bytes + d->large_bytes / 2) / MIB);
	dup2(out, STDOUT_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent)
		execl(path, "plm", "--name", d->name, "--store", store, "--tasks", "65536",
		    (char *)NULL);
	perror(path);
	_exit(127);
}

/* ---- boot ---- */

/* /dev/shm may promise more than the machine has. */
static size_t memory_available(void)
{
	char line[128];
	size_t kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

/* The large object, the text, and room for the tables must fit into what is free now. */
static void choose_sizes(struct demo *d)
{
	struct statvfs fs;
	size_t room = memory_available();
	if (statvfs("/dev/shm", &fs) == 0 && (size_t)fs.f_bavail * fs.f_frsize < room)
		room = (size_t)fs.f_bavail * fs.f_frsize;
	d->large_bytes = LARGE_MAX;
	while (d->large_bytes >= LARGE_MIN &&
	    d->large_bytes + d->large_bytes / 2 + CONTROL_BYTES > room)
		d->large_bytes /= 2;
	if (d->large_bytes < LARGE_MIN)
		give_up("/dev/shm",
		    "less than 40 MiB of shared memory are free: free some, or enlarge it");
	if (d->large_bytes < LARGE_MAX)
		printf("Only %zu MiB of shared memory are free: the large object will have %zu "
		       "MiB, not 1 GiB.\n",
		    room / MIB, d->large_bytes / MIB);
}

static void boot(struct demo *d)
{
	int ends[2];
	char line[128];
	title("Boot");
	if (pipe(ends) < 0)
		give_up("pipe", strerror(errno));
	pid_t self = getpid();
	double start = now_ms();
	d->manager = fork();
	if (d->manager == 0)
		become_manager(d, ends[1], self);
	close(ends[1]);
	ssize_t n = read(ends[0], line, sizeof line - 1);
	double ready = now_ms();
	if (d->manager < 0 || n <= 0)
		give_up("plm", "the runtime did not come up");
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	say("fork and exec of plm, until ready", ready - start, "%s", line);
	must(plm_connect(&d->rt, d->name), "plm_connect");
	double connected = now_ms();
	say("this program connected", connected - ready,
	    "by a socket; from here on shared memory alone");
	plm_ref first;
	plm_view view;
	plm_task task = { .function = "probe.noop" };
	must(plm_submit(d->rt, &task, &first), "submit");
	must(plm_get(d->rt, first, &view, PATIENCE_MS), "the first task");
	plm_release(d->rt, &view);
	plm_drop(d->rt, first);
	say("first task, the worker asleep until then", now_ms() - connected, "done");
}

/* ---- a text ---- */

static size_t append_file(const char *path, char *text, size_t used, size_t size)
{
	FILE *file = fopen(path, "r");
	if (!file)
		return used;
	used += fread(text + used, 1, size - used, file);
	fclose(file);
	return used;
}

/* The licences of a Debian system; elsewhere the licence of plm. */
static size_t read_licences(char *text, size_t size)
{
	static const char directory[] = "/usr/share/common-licenses";
	size_t used = 0;
	char path[sizeof directory + 1 + 256];
	DIR *all = opendir(directory);
	for (struct dirent *one; all && (one = readdir(all));) {
		snprintf(path, sizeof path, "%s/%s", directory, one->d_name);
		if (one->d_name[0] != '.')
			used = append_file(path, text, used, size);
	}
	if (all)
		closedir(all);
	return used ? used : append_file("LICENSE", text, used, size);
}

static void make_text(struct demo *d)
{
	d->text_bytes = d->large_bytes / TEXT_SHARE;
	d->text = malloc(d->text_bytes);
	size_t once = d->text ? read_licences(d->text, d->text_bytes) : 0;
	if (!once)
		give_up("the text", "neither /usr/share/common-licenses nor LICENSE can be read");
	for (size_t at = once; at < d->text_bytes; at += once) {
		size_t left = d->text_bytes - at;
		memcpy(d->text + at, d->text, left < once ? left : once);
	}
	d->text[d->text_bytes - 1] = '\n'; /* so that copies of the text do not join words */
}

/* Objects written in place, cut between words. */
static void store_text(struct demo *d)
{
	double start = now_ms();
	size_t at = 0;
	for (int i = 0; i < CHUNKS; i++) {
		size_t end = d->text_bytes / CHUNKS * (size_t)(i + 1);
		void *place;
		while (i < CHUNKS - 1 && d->text[end - 1] != '\n')
			end++;
		end = i == CHUNKS - 1 ? d->text_bytes : end;
		must(plm_create(d->rt, end - at, &place, &d->chunk[i]), "plm_create");
		memcpy(place, d->text + at, end - at);
		must(plm_seal(d->rt, d->chunk[i]), "plm_seal");
		at = end;
	}
	double took = now_ms() - start;
	say("the text into 1,000 objects of the store", took, "%zu MiB of licences, %.1f GB/s",
	    d->text_bytes / MIB, (double)d->text_bytes / took / 1e6);
}

/* The answer of an independent program. */
static void count_with_wc(struct demo *d)
{
	char answer[64] = "";
	int in[2], out[2];
	double start = now_ms();
	if (pipe(in) < 0 || pipe(out) < 0)
		give_up("pipe", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		setenv("LC_ALL", "C", 1);
		execlp("wc", "wc", "-w", (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	for (size_t at = 0; pid > 0 && at < d->text_bytes;) {
		ssize_t n = write(in[1], d->text + at, d->text_bytes - at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	close(in[1]);
	ssize_t n = read(out[0], answer, sizeof answer - 1);
	close(out[0]);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid || n <= 0)
		give_up("wc -w", "no answer");
	d->words = strtoll(answer, NULL, 10);
	say("wc -w of the same text, through a pipe", now_ms() - start, "%" PRId64 " words",
	    d->words);
}

/* ---- counting ---- */

static int64_t number_of(const struct demo *d, plm_ref future, const char *what)
{
	plm_view view;
	plm_failure failure;
	char text[32] = "";
	int r = plm_get(d->rt, future, &view, PATIENCE_MS);
	if (r == -PLM_EFAILED && plm_error(d->rt, future, &failure) == 0)
		give_up(failure.function, failure.message);
	must(r, what);
	memcpy(text, view.data, view.len < sizeof text ? view.len : sizeof text - 1);
	plm_release(d->rt, &view);
	return strtoll(text, NULL, 10);
}

/* A task for each chunk. */
static void submit_map(const struct demo *d, plm_ref *ret)
{
	static plm_arg args[CHUNKS];
	static plm_task tasks[CHUNKS];
	for (int i = 0; i < CHUNKS; i++) {
		args[i] = PLM_FUTURE(d->chunk[i]);
		tasks[i] = (plm_task){ .function = "probe.wordcount",
			.args = &args[i],
			.nargs = 1,
			.crash_retries = CRASH_RETRIES };
	}
	must(plm_submit_many(d->rt, tasks, CHUNKS, ret), "submitting 1,000 tasks");
}

/* A task with the futures of all counts as arguments. */
static plm_ref submit_reduce(const struct demo *d, const plm_ref *counts)
{
	static plm_arg args[CHUNKS];
	plm_ref sum;
	for (int i = 0; i < CHUNKS; i++)
		args[i] = PLM_FUTURE(counts[i]);
	plm_task task = { .function = "probe.sum",
		.args = args,
		.nargs = CHUNKS,
		.crash_retries = CRASH_RETRIES };
	must(plm_submit(d->rt, &task, &sum), "submitting the sum");
	return sum;
}

static void compare(int64_t counted, int64_t expected)
{
	if (counted != expected) {
		fprintf(stderr, "demo: counted %" PRId64 " words, not %" PRId64 "\n", counted,
		    expected);
		exit(1);
	}
}

static void count_words(const struct demo *d)
{
	static plm_ref counts[CHUNKS];
	double start = now_ms();
	submit_map(d, counts);
	plm_ref sum = submit_reduce(d, counts);
	double submitted = now_ms();
	say("1,001 tasks submitted", submitted - start,
	    "each counts a chunk, the last adds 1,000 futures");
	int64_t words = number_of(d, sum, "the sum");
	say("the sum arrived", now_ms() - submitted, "%" PRId64 " words: the same", words);
	compare(words, d->words);
	plm_drop_many(d->rt, counts, CHUNKS);
	plm_drop(d->rt, sum);
}

/* ---- a million tasks ---- */

static void run_noops(const struct demo *d)
{
	static plm_task tasks[BATCH];
	static plm_ref refs[2][BATCH];
	for (int i = 0; i < BATCH; i++)
		tasks[i] = (plm_task){ .function = "probe.noop" };
	double start = now_ms();
	must(plm_submit_many(d->rt, tasks, BATCH, refs[0]), "submit");
	for (int batch = 1; batch <= NOOPS / BATCH; batch++) {
		if (batch < NOOPS / BATCH)
			must(plm_submit_many(d->rt, tasks, BATCH, refs[batch % 2]), "submit");
		plm_ref *last = refs[(batch - 1) % 2];
		must(plm_wait(d->rt, last, BATCH, BATCH, PATIENCE_MS, NULL),
		    "waiting for 10,000 tasks");
		plm_drop_many(d->rt, last, BATCH);
	}
	double took = now_ms() - start;
	say("1,000,000 tasks submitted, run, awaited", took, "%.0f tasks a second",
	    NOOPS / took * 1e3);
}

/* ---- a large object ---- */

/* The best of 20 round trips of an empty task with the object as argument. */
static double hand_over_ms(const struct demo *d, plm_ref object)
{
	double best = 1e9;
	for (int i = 0; i < 20; i++) {
		plm_arg arg = PLM_FUTURE(object);
		plm_task task = { .function = "probe.noop", .args = &arg, .nargs = 1 };
		plm_ref done;
		double start = now_ms();
		must(plm_submit(d->rt, &task, &done), "submit");
		must(plm_wait(d->rt, &done, 1, 1, PATIENCE_MS, NULL), "the hand-over");
		double took = now_ms() - start;
		best = took < best ? took : best;
		plm_drop(d->rt, done);
	}
	return best;
}

static void hand_over(const struct demo *d)
{
	plm_ref large, small, words;
	void *place;
	char size[32];
	double start = now_ms();
	must(plm_put(d->rt, d->text, 1024, &small), "plm_put");
	must(plm_create(d->rt, d->large_bytes, &place, &large), "plm_create");
	for (int i = 0; i < TEXT_SHARE; i++)
		memcpy((char *)place + (size_t)i * d->text_bytes, d->text, d->text_bytes);
	must(plm_seal(d->rt, large), "plm_seal");
	snprintf(size, sizeof size, "%zu MiB", d->large_bytes / MIB);
	say("written into pages never used before", now_ms() - start, "%s", size);
	say("to a worker and back: 1 KiB", hand_over_ms(d, small),
	    "best of 20, as a task's argument");
	say("to a worker and back: the whole object", hand_over_ms(d, large), "%s, nothing copied",
	    size);
	plm_arg arg = PLM_FUTURE(large);
	plm_task task = { .function = "probe.wordcount", .args = &arg, .nargs = 1 };
	start = now_ms();
	must(plm_submit(d->rt, &task, &words), "submit");
	int64_t counted = number_of(d, words, "the words of the large object");
	say("a worker reads the whole object, in place", now_ms() - start,
	    "%" PRId64 " words: %d times the text", counted, TEXT_SHARE);
	compare(counted, TEXT_SHARE * d->words);
	plm_drop(d->rt, words);
	plm_drop(d->rt, large);
	plm_drop(d->rt, small);
}

/* ---- kills ---- */

/* The pid of a living worker, from `plmctl workers --json`. */
static pid_t some_worker(const struct demo *d)
{
	char command[2 * PATH_BYTES], line[1024];
	pid_t pid = 0;
	snprintf(
	    command, sizeof command, "'%s/plmctl' --name %s workers --json", d->programs, d->name);
	FILE *list = popen(command, "r");
	while (list && fgets(line, sizeof line, list)) {
		const char *field = strstr(line, "\"pid\": ");
		if (field && strstr(line, "\"worker\"") && strstr(line, "\"live\""))
			pid = (pid_t)strtol(field + strlen("\"pid\": "), NULL, 10);
	}
	if (list)
		pclose(list);
	return pid;
}

static void kill_one(const char *what, pid_t pid)
{
	if (pid <= 1 || kill(pid, SIGKILL) < 0)
		give_up(what, "the process is gone already");
	say(what, -1, "kill -9 %d", (int)pid);
}

static void count_under_fire(const struct demo *d)
{
	static plm_ref counts[CHUNKS];
	plm_status before, after;
	must(plm_status_get(d->rt, &before), "plm_status_get");
	pid_t worker = some_worker(d);
	double start = now_ms();
	submit_map(d, counts);
	plm_ref sum = submit_reduce(d, counts);
	must(plm_wait(d->rt, counts, CHUNKS, CHUNKS / 4, PATIENCE_MS, NULL),
	    "a quarter of the counts");
	kill_one("a quarter counted: a worker is killed", worker);
	must(plm_wait(d->rt, counts, CHUNKS, CHUNKS / 2, PATIENCE_MS, NULL), "half of the counts");
	kill_one("half counted: the scheduler is killed", before.scheduler_pid);
	int64_t words = number_of(d, sum, "the sum");
	say("the sum arrived", now_ms() - start, "%" PRId64 " words: the same", words);
	compare(words, d->words);
	must(plm_status_get(d->rt, &after), "plm_status_get");
	say("processes replaced by the manager", -1, "%" PRIu64, after.restarts - before.restarts);
	plm_drop_many(d->rt, counts, CHUNKS);
	plm_drop(d->rt, sum);
}

/* ---- the end ---- */

static int names_left(const char *name)
{
	int left = 0;
	DIR *all = opendir("/dev/shm");
	for (struct dirent *one; all && (one = readdir(all));)
		left += strstr(one->d_name, name) != NULL;
	if (all)
		closedir(all);
	return left;
}

static void stop(struct demo *d)
{
	int status = 0;
	title("Stop");
	plm_drop_many(d->rt, d->chunk, CHUNKS);
	plm_disconnect(&d->rt);
	double start = now_ms();
	if (run_program(d, "plmctl", "stop") != 0 || waitpid(d->manager, &status, 0) != d->manager)
		give_up("plmctl stop", "the runtime did not stop");
	say("plmctl stop, until the last process ended", now_ms() - start, "exit code %d",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	int left = names_left(d->name);
	say("names left in /dev/shm", -1, "%d", left);
	if (left || status)
		exit(1);
}

int main(int argc, char **argv)
{
	static struct demo d;
	d.programs = argc > 1 ? argv[1] : ".";
	snprintf(d.name, sizeof d.name, "demo-%d", (int)getpid());
	double start = now_ms();
	choose_sizes(&d);
	make_text(&d);
	boot(&d);
	title("Count the words of a text");
	store_text(&d);
	count_with_wc(&d);
	count_words(&d);
	title("A million empty tasks");
	run_noops(&d);
	title("A large object");
	hand_over(&d);
	title("Count again under kills (lines with a time of day are the log of the runtime)");
	count_under_fire(&d);
	title("plmctl status and plmdump check");
	run_program(&d, "plmctl", "status");
	printf("\n");
	if (run_program(&d, "plmdump", "check") != 0)
		give_up("plmdump check", "a shared structure is damaged");
	stop(&d);
	free(d.text);
	printf("\nAll answers right, in %.1f s.\n", (now_ms() - start) / 1e3);
	return 0;
}
