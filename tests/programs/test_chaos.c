/* test_chaos.c - real processes, killed at random under load and all at once; the promises of a
 * runtime's end and of a worker's birth.
 *
 * PLM_CHAOS_SECONDS (8) is the duration of the load, PLM_CHAOS_SEED repeats a run's choices. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum {
	CHAOS_SECONDS = 8,
	TEST_TIMEOUT_S = 300,
	WORKERS = 3,
	PATH_BYTES = 512,
};

static void chaos_boot(void)
{
	runtime_boot(&host, "--workers", "3", "--tasks", "4096", "--store", "16M", );
}

static void boot_guarded(void)
{
	runtime_boot_loose(
	    &host, "--guard", "--workers", "3", "--tasks", "4096", "--store", "16M", );
}

/* ---- the load: each client checks the results of its own tasks ---- */

enum {
	BATCH = 32,
	CLIENTS = 3,
	TREE_EVERY = 4,
	VALUE_BYTES = 100,
	CRASHES = 150,
	RETRIES = 50,
	LOOKS = 1000
};

struct score { /* shared with the clients */
	_Atomic bool stop;
	_Atomic uint64_t submitted[CLIENTS];
	_Atomic uint64_t right[CLIENTS]; /* settled once, with the right value */
};

static struct score *score;

_Noreturn static void client_fails(const char *what, int r)
{
	fprintf(stderr, "client %d: %s: %d, %s\n", (int)getpid(), what, r, plm_why());
	_exit(1);
}

static void client_expects(plm *handle, plm_ref ref, const void *data, size_t length)
{
	plm_view view;
	plm_failure failure;
	int r = plm_get(handle, ref, &view, PATIENT_MS);
	if (r == -PLM_EFAILED && plm_error(handle, ref, &failure) == 0)
		fprintf(stderr, "%s failed with %d, signal %d: %s\n", failure.function,
		    failure.code, failure.signal, failure.message);
	if (r < 0)
		client_fails("get", r);
	if (view.len != length || memcmp(view.data, data, length) != 0)
		client_fails("a wrong value", 0);
	plm_release(handle, &view);
}

static plm_task sturdy(const char *function, const plm_arg *args, size_t n)
{
	return (plm_task){ .function = function,
		.args = args,
		.nargs = n,
		.crash_retries = CRASHES,
		.retries = RETRIES };
}

/* Pairs of tasks: the first echoes a value, the second echoes the result of the first. */
static void client_batch(plm *handle, uint64_t *random)
{
	static char value[BATCH][VALUE_BYTES];
	size_t length[BATCH];
	plm_arg bytes[BATCH], futures[BATCH];
	plm_task first[BATCH], second[BATCH];
	plm_ref ref[BATCH * 2];
	for (int i = 0; i < BATCH; i++) {
		length[i] = random_next(random) % VALUE_BYTES;
		memset(value[i], (int)random_next(random), length[i]);
		bytes[i] = PLM_BYTES(value[i], length[i]);
		first[i] = sturdy("probe.echo", &bytes[i], 1);
		second[i] = sturdy("probe.echo", &futures[i], 1);
	}
	int r = plm_submit_many(handle, first, BATCH, ref);
	for (int i = 0; i < BATCH; i++)
		futures[i] = PLM_FUTURE(ref[i]);
	if (r == 0)
		r = plm_submit_many(handle, second, BATCH, ref + BATCH);
	if (r < 0)
		client_fails("submit", r);
	r = plm_wait(handle, ref, 2 * BATCH, 2 * BATCH, PATIENT_MS, NULL);
	if (r < 0)
		client_fails("wait", r);
	for (int i = 0; i < 2 * BATCH; i++)
		client_expects(handle, ref[i], value[i % BATCH], length[i % BATCH]);
	plm_drop_many(handle, ref, 2 * BATCH);
}

/* Tasks submit tasks. A child that dies with its worker fails the parent, and the parent runs
 * again. */
static void client_tree(plm *handle)
{
	plm_task task =
	    sturdy("probe.tree", (plm_arg[]){ PLM_BYTES("2", 1), PLM_BYTES("3", 1) }, 2);
	plm_ref ref;
	int r = plm_submit(handle, &task, &ref);
	if (r < 0)
		client_fails("submit of a tree", r);
	client_expects(handle, ref, "9", 1);
	plm_drop(handle, ref);
}

static void client_object(plm *handle, uint64_t *random)
{
	static char large[1 << 16];
	plm_ref object, echo;
	size_t length = random_next(random) % sizeof large;
	memset(large, (int)random_next(random), length);
	int r = plm_put(handle, large, length, &object);
	plm_task task = sturdy("probe.echo", &PLM_FUTURE(object), 1);
	if (r == 0)
		r = plm_submit(handle, &task, &echo);
	if (r < 0)
		client_fails("an object", r);
	plm_drop(handle, object);
	client_expects(handle, echo, large, length);
	plm_drop(handle, echo);
}

_Noreturn static void client_main(int number, uint64_t random)
{
	plm *handle;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int r = plm_connect(&handle, host.name);
	if (r < 0 && number < 0)
		_exit(0); /* the manager was just killed */
	if (r < 0)
		client_fails("connect", r);
	plm_patience(handle, PATIENT_MS);
	for (unsigned round = 0; !atomic_load(&score->stop); round++) {
		unsigned tasks = 2 * BATCH + 1 + (round % TREE_EVERY == 0);
		if (number >= 0)
			atomic_fetch_add(&score->submitted[number], tasks);
		client_batch(handle, &random);
		client_object(handle, &random);
		if (round % TREE_EVERY == 0)
			client_tree(handle);
		if (number >= 0)
			atomic_fetch_add(&score->right[number], tasks);
	}
	plm_disconnect(&handle);
	_exit(0);
}

/* number < 0: a client to be killed, whose tasks are not counted. */
static pid_t client_start(int number, uint64_t seed)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		client_main(number, seed);
	return pid;
}

static void client_expect_end(pid_t pid)
{
	int status = -1;
	bool ended = wait_for_death(pid);
	if (!ended)
		kill(pid, SIGABRT);
	waitpid(pid, &status, 0);
	ck_assert_msg(
	    ended && status == 0, "a client ended with wait status %#x", (unsigned)status);
}

/* ---- the killer ---- */

struct killer {
	plm *handle;
	uint64_t random;
	pid_t victim; /* a client started to be killed */
	bool guarded; /* the guard starts a killed manager again */
	unsigned schedulers, workers, clients, managers, returns;
};

static void kill_one(struct killer *k, enum process_kind kind, unsigned *count)
{
	const struct process *victim = pick_member(k->handle, kind, &k->random);
	if (victim && kill_member(&host, victim))
		++*count;
}

static void kill_client(struct killer *k)
{
	if (k->victim > 0) {
		kill(k->victim, SIGKILL);
		waitpid(k->victim, NULL, 0);
		k->clients++;
	}
	k->victim = client_start(-1, random_next(&k->random) | 1);
}

static void kill_manager(struct killer *k)
{
	const struct process *manager = &plm_tables(k->handle)->process[SLOT_MANAGER];
	if (k->guarded && kill_member(&host, manager))
		k->managers++;
}

/* A running task goes back into the queue: the task is not lost, and no budget of retries pays. */
static void return_one(struct killer *k)
{
	for (int look = 0; look < LOOKS;
	     look++) { /* most tasks seen running are settled before the call */
		const struct process *p = pick_member(k->handle, KIND_WORKER, &k->random);
		uint64_t running = p ? sh_load(&p->running) : 0;
		if (running &&
		    plm_requeue(k->handle, ref_public(k->handle, running),
			(int)(random_next(&k->random) % 20)) == 0) {
			k->returns++;
			return;
		}
	}
}

/* Sets the pace of the deaths; waits for nothing. */
static void let_them_work(struct killer *k)
{
	struct timespec pause = { .tv_nsec = (long)(random_next(&k->random) % (80 * NS_PER_MS)) };
	nanosleep(&pause, NULL);
}

static void kill_for(struct killer *k, unsigned seconds)
{
	uint64_t end = clock_ns() + seconds * NS_PER_S;
	while (clock_ns() < end) {
		let_them_work(k);
		switch (random_next(&k->random) % 16) {
		case 0: kill_one(k, KIND_SCHEDULER, &k->schedulers); break;
		case 1:
		case 2:
		case 3: kill_client(k); break;
		case 4:
		case 5: kill_manager(k); break;
		case 6:
		case 7:
		case 8:
		case 9: return_one(k); break;
		default: kill_one(k, KIND_WORKER, &k->workers); break;
		}
	}
	kill_client(k);
	kill(k->victim, SIGKILL);
	waitpid(k->victim, NULL, 0);
}

static bool is_complete(void *handle)
{
	plm_status s;
	return plm_status_get(handle, &s) == 0 && s.workers == WORKERS && plm_resume(handle) == 0;
}

/* _i = 1: managers die, too, under a guard. */
START_TEST(under_random_deaths_each_task_ends_once_and_nothing_is_left)
{
	uint64_t seed = number_from("PLM_CHAOS_SEED", clock_ns() | 1);
	unsigned seconds = (unsigned)number_from("PLM_CHAOS_SECONDS", CHAOS_SECONDS);
	pid_t child[CLIENTS];
	score = shared_memory(sizeof *score);
	printf("chaos: PLM_CHAOS_SEED=%llu, %u s\n", (unsigned long long)seed, seconds);
	if (_i) {
		host_stop();
		boot_guarded();
	}
	struct killer k = { .handle = host_connect(), .random = seed, .guarded = _i != 0 };
	for (int i = 0; i < CLIENTS; i++)
		child[i] = client_start(i, random_next(&k.random) | 1);
	kill_for(&k, seconds);
	atomic_store(&score->stop, true);
	uint64_t tasks = 0;
	for (int i = 0; i < CLIENTS; i++) {
		client_expect_end(child[i]);
		ck_assert_uint_eq(atomic_load(&score->submitted[i]), atomic_load(&score->right[i]));
		ck_assert_uint_gt(atomic_load(&score->right[i]), 0);
		tasks += atomic_load(&score->right[i]);
	}
	plm_status s;
	ck_assert_int_eq(plm_status_get(k.handle, &s), 0);
	printf("chaos: %llu tasks right; killed %u workers, %u schedulers, %u managers, %u "
	       "clients; %llu restarts; %u returns asked for, %llu made\n",
	    (unsigned long long)tasks, k.workers, k.schedulers, k.managers, k.clients,
	    (unsigned long long)s.restarts, k.returns, (unsigned long long)s.returned);
	ck_assert_uint_gt(k.workers, 0);
	ck_assert_uint_gt(s.restarts, 0);
	until(is_complete, k.handle, "all workers");
	expect_nothing_left(&host, k.handle);
	plm_disconnect(&k.handle);
}
END_TEST

/* ---- all at once ---- */

struct family { /* the processes in the process table of a runtime */
	pid_t pid[WORKERS + 1];
	unsigned n;
};

static void find_family(plm *handle, struct family *ret)
{
	const struct tables *t = plm_tables(handle);
	ret->n = 0;
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes && ret->n < WORKERS + 1; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_present(word) && process_kind(word) != KIND_CLIENT)
			ret->pid[ret->n++] = t->process[i].pid;
	}
	ck_assert_uint_eq(ret->n, WORKERS + 1);
}

static void expect_host_down(plm *handle, const plm_ref *ref)
{
	plm_ref more;
	ck_assert_int_eq(plm_wait(handle, ref, 1, 1, PATIENT_MS, NULL), -EHOSTDOWN);
	int r = plm_submit(handle,
	    &(plm_task){ .function = "probe.sleep", .args = &PLM_BYTES("1", 1), .nargs = 1 },
	    &more);
	ck_assert_int_eq(r == 0 ? plm_wait(handle, &more, 1, 1, PATIENT_MS, NULL) : r, -EHOSTDOWN);
}

START_TEST(with_a_tied_manager_its_children_end_and_clients_know)
{
	plm *handle = host_connect();
	plm_ref ref;
	struct family family;
	plm_task task = { .function = "probe.sleep", .args = &PLM_BYTES("600000", 6), .nargs = 1 };
	ck_assert_int_eq(plm_submit(handle, &task, &ref), 0);
	find_family(handle, &family);
	runtime_kill(&host);
	for (unsigned i = 0; i < family.n; i++)
		ck_assert_msg(wait_for_death(family.pid[i]), "process %d outlives its manager",
		    (int)family.pid[i]);
	expect_host_down(handle, &ref);
	plm_disconnect(&handle);
	runtime_reboot(&host, "--fresh", "--workers", "2", );
	host_expect_work();
}
END_TEST

/* ---- a second runtime ---- */

START_TEST(a_second_runtime_of_the_name_is_refused)
{
	struct output_of o =
	    program_run(&host, "plm", (const char *const[]){ "--name", host.name, NULL }, NULL, 0);
	ck_assert_int_eq(o.code, 75);
	ck_assert_msg(strstr(o.err, "is up already") && strstr(o.err, host.name), "%s", o.err);
	output_free(&o);
	host_expect_work();
}
END_TEST

/* ---- the end of a runtime, and its children ---- */

static bool is_stopping(void *handle)
{
	plm_ref ref;
	int r = plm_submit(handle, &(plm_task){ .function = "probe.noop" }, &ref);
	if (r == 0)
		plm_drop(handle, ref);
	return r == -ESHUTDOWN;
}

START_TEST(a_terminated_runtime_runs_what_it_has_accepted)
{
	enum { TASKS = 2 * WORKERS };
	plm *handle = host_connect();
	plm_ref refs[TASKS];
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(
		    plm_submit(handle,
			&(plm_task){
			    .function = "probe.sleep", .args = &PLM_BYTES("200", 3), .nargs = 1 },
			&refs[i]),
		    0);
	kill(host.pid, SIGTERM);
	until(is_stopping, handle, "new tasks are refused");
	ck_assert_int_eq(plm_wait(handle, refs, TASKS, TASKS, PATIENT_MS, NULL), 0);
	int status;
	ck_assert(wait_for_death(host.pid));
	ck_assert_int_eq(waitpid(host.pid, &status, 0), host.pid);
	ck_assert_int_eq(status, 0);
	host.pid = 0;
	plm_disconnect(&handle);
	char path[PATH_BYTES];
	runtime_segment(&host, "control", path, sizeof path);
	ck_assert_int_lt(access(path, F_OK), 0);
	runtime_end(&host);
}
END_TEST

struct allowed {
	const char *text; /* in the link's target */
	int count;        /* how many may be open, beyond the standard three */
};

static int is_allowed(struct allowed *list, size_t n, const char *target)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(target, list[i].text))
			return list[i].count-- > 0;
	return 0;
}

static void expect_descriptors(pid_t pid, struct allowed *list, size_t n)
{
	char path[PATH_BYTES], target[PATH_BYTES];
	struct dirent *entry;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	ck_assert_ptr_nonnull(directory);
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || fd <= STDERR_FILENO)
			continue;
		ssize_t length =
		    readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
		ck_assert_int_gt(length, 0);
		target[length] = 0;
		ck_assert_msg(is_allowed(list, n, target), "process %d has descriptor %d: %s",
		    (int)pid, fd, target);
	}
	closedir(directory);
}

START_TEST(members_hold_no_descriptor_they_do_not_need)
{
	plm *handle = host_connect();
	struct family family;
	find_family(handle, &family);
	for (unsigned i = 0; i < family.n; i++) {
		struct allowed list[] = { { ".control", 1 }, { ".store", 1 }, { ".bell", 1 },
			{ "/sys/devices/system/node", 1 }, /* a worker looks up its NUMA node */
			{ "[pidfd]",
			    i == 0 ? WORKERS : 0 } }; /* the scheduler may have to end a worker */
		expect_descriptors(family.pid[i], list, COUNT_OF(list));
	}
	plm_disconnect(&handle);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*after)(void))
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, TEST_TIMEOUT_S + (double)number_from("PLM_CHAOS_SECONDS", 0));
	tcase_add_checked_fixture(tcase, chaos_boot, after);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("chaos");
	TCase *deaths = add_case(suite, "deaths", host_stop);
	tcase_add_loop_test(
	    deaths, under_random_deaths_each_task_ends_once_and_nothing_is_left, 0, 2);
	tcase_add_test(deaths, with_a_tied_manager_its_children_end_and_clients_know);
	TCase *outside = add_case(suite, "outside", host_stop);
	tcase_add_test(outside, a_second_runtime_of_the_name_is_refused);
	tcase_add_test(outside, members_hold_no_descriptor_they_do_not_need);
	TCase *end = add_case(suite, "end", NULL);
	tcase_add_test(end, a_terminated_runtime_runs_what_it_has_accepted);
	return run_suite(suite);
}
