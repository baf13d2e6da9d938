/* test_stopped.c - a process is stopped (SIGSTOP) for longer than other processes wait, and
 * continues: no record and no hold is left of calls that gave up meanwhile. Through the real
 * programs, so each wait takes LOCK_WAIT_MS. The explorer does the same at every step
 * (verify/explore/scenarios.c: stopped). */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 150, OBJECTS = 40, LARGE_BYTES = 5000, LOG_BYTES = 1 << 16 };

static void stopped_boot(void)
{
	runtime_boot(&host, "--workers", "1", "--tasks", "256", "--store", "16M", );
	ck_assert_msg(plm_connect(&client, host.name) == 0, "%s", plm_why());
}

/* ---- the scheduler is stopped ---- */

/* A client that asks for a hold, gives up and leaves before the scheduler has read the request. */
static void ask_and_leave(void *ref)
{
	plm *other;
	if (plm_connect(&other, host.name) < 0)
		_exit(2);
	if (plm_hold(other, *(plm_ref *)ref) != -ETIMEDOUT)
		_exit(3);
	plm_disconnect(&other);
}

static bool is_freed(void *unused)
{
	plm_status s;
	(void)unused;
	return plm_status_get(client, &s) == 0 && s.store_used == 0;
}

START_TEST(what_was_asked_for_in_vain_is_held_by_nobody)
{
	static char bytes[LARGE_BYTES];
	plm_ref ref;
	plm_status s;
	plm *maker;
	ck_assert_int_eq(plm_connect(&maker, host.name), 0);
	ck_assert_int_eq(plm_put(maker, bytes, sizeof bytes, &ref), 0);
	ck_assert_int_eq(plm_status_get(client, &s), 0);
	kill(s.scheduler_pid, SIGSTOP);
	pid_t other = child_of(ask_and_leave, &ref);
	int r = plm_hold(client, ref);
	int code = exit_of(other);
	kill(s.scheduler_pid, SIGCONT);
	ck_assert_msg(r == -ETIMEDOUT && code == 0, "hold: %d, of the other: %d", r, code);
	plm_drop(maker, ref);
	until(is_freed, NULL, "an object that nobody holds is freed, while one that asked lives");
	ck_assert_int_eq(plm_put(maker, bytes, sizeof bytes, &ref), 0);
	ck_assert_int_eq(plm_hold(client, ref),
	    0); /* the late answer to the first request is not taken for the answer to this one */
	plm_disconnect(&maker);
	plm_drop(client, ref);
	expect_alive(client, 0);
	expect_nothing_left(&host, client);
}
END_TEST

/* ---- clients are stopped, each inside a lock ---- */

/* Stops this process while it has the lock; releases the lock when continued. */
static void stop_inside(struct lock *lock)
{
	if (lock_acquire(lock) < 0)
		_exit(3);
	raise(SIGSTOP);
	lock_release(lock);
}

static void stop_inside_arena(void *unused)
{
	plm *other;
	(void)unused;
	if (plm_connect(&other, host.name) < 0)
		_exit(2);
	stop_inside(&other->tables.arena[0].lock);
	plm_disconnect(&other);
}

static void stop_inside_pool(void *unused)
{
	plm *other;
	(void)unused;
	if (plm_connect(&other, host.name) < 0)
		_exit(2);
	stop_inside(&other->tables.pool.lock);
	plm_disconnect(&other);
}

static pid_t stopped_child(void (*act)(void *context))
{
	int status;
	pid_t pid = child_of(act, NULL);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert_msg(WIFSTOPPED(status), "wait status %#x", (unsigned)status);
	return pid;
}

static bool all_is_owed(void *unused)
{
	static char text[LOG_BYTES];
	char path[128];
	(void)unused;
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file)
		fclose(file);
	text[n] = 0;
	return strstr(text, "has held the store arena lock") != NULL &&
	    strstr(text, "has held the record pool lock") != NULL;
}

START_TEST(what_could_not_be_freed_is_freed_when_the_lock_is_let_go)
{
	static char bytes[LARGE_BYTES];
	plm_ref ref[2 * OBJECTS];
	for (size_t i = 0; i < COUNT_OF(ref); i++)
		ck_assert_int_eq(plm_put(client, bytes, i % 2 ? LARGE_BYTES : 1, &ref[i]), 0);
	pid_t arena = stopped_child(stop_inside_arena), pool = stopped_child(stop_inside_pool);
	plm_drop_many(client, ref, COUNT_OF(ref));
	ck_assert_msg(comes_to(all_is_owed, NULL), "the scheduler does not say what it waits for");
	kill(arena, SIGCONT);
	kill(pool, SIGCONT);
	ck_assert_int_eq(exit_of(arena), 0);
	ck_assert_int_eq(exit_of(pool), 0);
	until(is_freed, NULL, "what was dropped is freed");
	for (size_t i = 0; i < COUNT_OF(ref);
	     i++) /* the store has room for as many objects again */
		ck_assert_int_eq(plm_put(client, bytes, LARGE_BYTES, &ref[i]), 0);
	plm_drop_many(client, ref, COUNT_OF(ref));
	expect_nothing_left(&host, client);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	const TTest *const tests[] = {
		what_was_asked_for_in_vain_is_held_by_nobody,
		what_could_not_be_freed_is_freed_when_the_lock_is_let_go,
	};
	return run_tests("stopped", TEST_TIMEOUT_S, stopped_boot, host_stop, tests,
	    sizeof tests / sizeof tests[0]);
}
