/* bench_locks - a process dies while holding a lock: how long until the next process has the
 * lock and the protected data is rebuilt from the records.
 *
 * Runs on the stage (tests/support/stage.h), whose tasks wait in segments like a runtime's. The
 * holder damages the protected data and is killed. The waiter is another process and, like a
 * process born after a death, has not touched a page of the tables yet. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/measure.h"
#include "tests/support/stage.h"

enum {
	FEW = 10000,
	MANY = 1000000,
	BATCH = 1000,
	ARGUMENT_BYTES = 100, /* so much lies in the store */
	WAIT_MAX_MS = 5000,
	BOUND_OF_FEW_MS = 1,
	BOUND_OF_MANY_MS = 100,
	SAMPLES_OF_FEW = 20,
	SAMPLES_OF_MANY = 3,
	WORKERS = 2,
	NAME_BYTES = 64,
};

static const char usage[] =
    "usage: bench_locks [--quick] [--only PART] [--csv FILE] [--help]\n"
    "Measures how long a lock is out of reach when its holder was killed.\n"
    "  --quick      fewer rounds\n"
    "  --only PART  one of: few many (tasks that wait: 10,000, a million)\n"
    "  --csv FILE   append the figures there (default build/bench/results.csv)\n";

/* ---- the protected data ---- */

static void spoil_heap(void)
{
	struct heap_entry entry;
	heap_pop(&stage.tables.task_heap, &entry);
}

static void spoil_pool(void)
{
	sh_set(stage.tables.pool.shm->top, 0);
}

static void spoil_nothing(void)
{
}

struct guarded {
	const char *name;
	struct lock *lock;
	void (*spoil)(void); /* by the holder */
	uint32_t samples;    /* a round */
};

static uint32_t live; /* tasks */

static const char *check_all(void)
{
	const struct tables *t = &stage.tables;
	const char *unsound = heap_check(t->task_heap.shm, t->limits.records);
	unsound = unsound ? unsound : pool_check(&t->pool);
	unsound = unsound ? unsound : arena_check(&t->arena[0]);
	if (!unsound && heap_length(&t->task_heap) != live)
		return "a task that waits is not in the heap";
	return unsound;
}

/* ---- one death ---- */

struct shared { /* shared by the three processes */
	shared32 held;
	shared64 done_ns;
	shared64 cpu_ns; /* CPU time of the waiter until then */
};

static struct shared *shared;
static struct samples cpu; /* of this round */

static pid_t bench_locks_child(void)
{
	pid_t pid = fork();
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t start_holder(const struct guarded *g)
{
	pid_t pid = bench_locks_child();
	if (pid != 0)
		return pid;
	if (lock_acquire(g->lock) < 0)
		_exit(1);
	g->spoil();
	sh_store(&shared->held, 1);
	for (;;)
		pause();
}

static pid_t start_taker(const struct guarded *g)
{
	pid_t pid = bench_locks_child();
	if (pid != 0)
		return pid;
	if (lock_acquire(g->lock) < 0)
		_exit(1);
	sh_store(&shared->done_ns, clock_ns());
	sh_store(&shared->cpu_ns, clock_of(CLOCK_THREAD_CPUTIME_ID));
	lock_release(g->lock);
	_exit(0);
}

static bool is_held(const struct lock *lock)
{
	(void)lock;
	return sh_load(&shared->held);
}

static bool is_wanted(const struct lock *lock)
{
	char text[NAME_BYTES];
	return strstr(lock_describe(lock->shm, text, sizeof text), "others wait");
}

static int bench_locks_await(bool (*reached)(const struct lock *lock), const struct lock *lock)
{
	uint64_t deadline = deadline_after_ms(WAIT_MAX_MS);
	while (!reached(lock)) {
		if (clock_ns() > deadline)
			return -ETIMEDOUT;
		usleep(50);
	}
	return 0;
}

/* 0: the child ended as expected. */
static int bench_locks_reap(pid_t pid)
{
	int status = 0;
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -ECHILD;
}

static int one_death(const struct guarded *g, struct samples *ret)
{
	*shared = (struct shared){ 0 };
	pid_t holder = start_holder(g);
	int r = holder < 0 ? -errno : bench_locks_await(is_held, g->lock);
	pid_t taker = r < 0 ? -1 : start_taker(g);
	if (r == 0)
		r = taker < 0 ? -errno : bench_locks_await(is_wanted, g->lock);
	uint64_t killed = clock_ns();
	if (holder > 0)
		kill(holder, SIGKILL);
	if (taker > 0 && bench_locks_reap(taker) < 0)
		r = -ECHILD;
	if (holder > 0)
		bench_locks_reap(holder);
	if (r < 0)
		return bench_failed(g->name, r);
	samples_add(ret, (double)(sh_load(&shared->done_ns) - killed));
	samples_add(&cpu, (double)sh_load(&shared->cpu_ns));
	return 0;
}

static int some_deaths(void *context, struct samples *ret)
{
	const struct guarded *g = context;
	int r = 0;
	samples_free(&cpu);
	for (uint32_t i = 0; i < g->samples && r == 0; i++)
		r = one_death(g, ret);
	const char *unsound = r == 0 ? check_all() : NULL;
	if (unsound)
		fprintf(stderr, "bench: %s: %s\n", g->name, unsound);
	return unsound ? -EPROTO : r;
}

/* CPU time of the last round, whatever else ran on the machine. */
static int their_cpu(void *context, struct samples *ret)
{
	(void)context;
	*ret = cpu;
	cpu = (struct samples){ 0 };
	return 0;
}

/* ---- a scheduler's start ---- */

/* As the next scheduler does: everything derived is made again. */
static int one_rebuild(void *context, struct samples *ret)
{
	(void)context;
	*shared = (struct shared){ 0 };
	uint64_t begun = clock_ns();
	pid_t pid = bench_locks_child();
	if (pid == 0) {
		scheduler_rebuild(&stage.scheduler);
		sh_store(&shared->done_ns, clock_ns());
		_exit(0);
	}
	if (pid < 0 || bench_locks_reap(pid) < 0)
		return bench_failed("a scheduler's start", -ECHILD);
	samples_add(ret, (double)(sh_load(&shared->done_ns) - begun));
	return 0;
}

/* ---- rows ---- */

/* Random priorities, so that no two orders of the tasks are equal by chance; one argument each. */
static int bench_locks_fill(uint32_t n)
{
	static char argument[ARGUMENT_BYTES];
	plm_arg arg = PLM_BYTES(argument, sizeof argument);
	plm_task *task = calloc(BATCH, sizeof *task);
	plm_ref *refs = calloc(BATCH, sizeof *refs);
	int r = task && refs ? 0 : -ENOMEM;
	uint32_t random = 1;
	for (uint32_t i = 0; i < n && r >= 0; i += BATCH) {
		for (uint32_t k = 0; k < BATCH; k++) {
			random = random * 1664525 + 1013904223;
			task[k] = (plm_task){ .function = "probe.noop",
				.args = &arg,
				.nargs = 1,
				.priority = (int)(random >> 16) - 32768 };
		}
		r = plm_submit_many(&stage.client[0], task, BATCH, refs);
		stage_rest();
	}
	free(task);
	free(refs);
	return r < 0 ? bench_failed("submitting", r) : 0;
}

enum { HEAP, HEAP_CPU, POOL, ARENA, REBUILD, SERIES_COUNT };

static int bench_locks_measure(struct bench *bench, uint32_t n)
{
	struct tables *t = &stage.tables;
	bool many = n > FEW;
	uint32_t samples = many ? SAMPLES_OF_MANY : SAMPLES_OF_FEW;
	struct guarded heap = { "task heap", &t->task_heap.lock, spoil_heap, samples };
	struct guarded pool = { "record pool", &t->pool.lock, spoil_pool, samples };
	struct guarded arena = { "store arena", &t->arena[0].lock, spoil_nothing, samples };
	struct series series[SERIES_COUNT] = {
		[HEAP] = SERIES("lock of the task heap", some_deaths, &heap),
		[HEAP_CPU] = SERIES("CPU of the waiter", their_cpu, NULL),
		[POOL] = SERIES("lock of the record pool", some_deaths, &pool),
		[ARENA] = SERIES("lock of the store arena", some_deaths, &arena),
		[REBUILD] = SERIES("all that is derived", one_rebuild, NULL),
	};
	int r = series_in_turn(series, SERIES_COUNT, bench_choose(bench, 5, 2));
	for (size_t i = 0; i < SERIES_COUNT && r == 0; i++) {
		char name[NAME_BYTES];
		struct row row = row_of(&series[i], 0.5, 1e-6, "ms");
		snprintf(name, sizeof name, "%s, %u live", series[i].name, n);
		row.name = name;
		row.sense = i == HEAP ? TARGET_AT_MOST : TARGET_NONE;
		row.bound = many ? BOUND_OF_MANY_MS : BOUND_OF_FEW_MS;
		row_print(bench, &row);
	}
	series_free(series, SERIES_COUNT);
	samples_free(&cpu);
	return r;
}

static int with_tasks(struct bench *bench, uint32_t n)
{
	shared =
	    mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return bench_failed("shared memory", -errno);
	stage_boot(&(struct stage_plan){ "locality", WORKERS, 0, 0,
	    { .processes = PROCESSES_MAX,
		.workers = WORKERS,
		.records = n + n / 4,
		.nodes = 1,
		.store_bytes = (uint64_t)n * 4 * ARGUMENT_BYTES } });
	int r = bench_locks_fill(live = n);
	if (r == 0)
		r = bench_locks_measure(bench, n);
	stage_close();
	munmap(shared, sizeof *shared);
	return r;
}

static int with_few(struct bench *bench)
{
	rows_title("locks: from the death of the holder to the next one's hands");
	return with_tasks(bench, FEW);
}

static int with_many(struct bench *bench)
{
	return with_tasks(bench, MANY);
}

int main(int argc, char **argv)
{
	static const struct bench_part parts[] = {
		{ "few", with_few },
		{ "many", with_many },
	};
	static const struct bench_program program = { "bench_locks", usage, parts,
		COUNT_OF(parts) };
	return bench_main(&program, argc, argv);
}
