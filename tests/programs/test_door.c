/* test_door.c - the way to the manager: when clients are admitted; an answer belongs to its
 * request; every wait for a process that does not act ends in time. Here a process does not act
 * because the test stopped the process (SIGSTOP); the test continues the process later. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "base/rmtree.h"
#include "client/handle.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/pool_case.h"
#include "tests/support/run_suite.h"

enum {
	CLIENTS_MAX = 300,
	KNOCKS = 300,    /* more than the manager keeps without a hello, and the backlog */
	SHORT_MS = 1000, /* the smallest patience of plm_connect_with() */
	RESULTS = 6000,  /* more than a ring of hints holds */
};

static plm *taken[CLIENTS_MAX];
static int clients;

/* Takes all process slots that are open to clients with these flags; returns how many. */
static int crowd(unsigned flags)
{
	int r = 0, before = clients;
	while (r == 0 && clients < CLIENTS_MAX) {
		r = plm_connect_with(&taken[clients], host.name, flags, -1);
		clients += r == 0;
	}
	ck_assert_msg(r == -EUSERS, "after %d clients: %d, %s", clients, r, plm_why());
	return clients - before;
}

static void disperse(void)
{
	while (clients > 0)
		plm_disconnect(&taken[--clients]);
}

/* plmctl stop needs a process slot, which the scheduler frees a moment later. */
static void disperse_and_stop(void)
{
	disperse();
	ctl_until(&host, "\"running\"", "status", "--json");
	host_stop();
}

static void pause_process(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
}

static void continue_process(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
}

static void expect_says(const char *text, const char *expected)
{
	ck_assert_msg(strstr(text, expected) != NULL, "\"%s\" does not say \"%s\"", text, expected);
}

static void ctl_expect_says(int code, const char *expected, const char *const *arguments)
{
	struct output_of o = program_run(&host, "plmctl", arguments, NULL, 0);
	ck_assert_msg(o.code == code, "%s: exit code %d: %s", arguments[0], o.code, o.err);
	expect_says(o.err, expected);
	output_free(&o);
}

#define expect_ctl(code, expected, ...) \
	ctl_expect_says((code), (expected), (const char *const[]){ __VA_ARGS__, NULL })

/* Starts a plmctl in the background; PLM_NAME names the runtime. */
static pid_t ctl_begin(const char *command, const char *option)
{
	char path[512];
	const char *where = getenv("PLM_BIN");
	snprintf(path, sizeof path, "%s/plmctl", where && where[0] ? where : ".");
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("PLM_NAME", host.name, 1);
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execl(path, path, command, option, (char *)NULL);
		_exit(99);
	}
	return pid;
}

/* ---- a stopping runtime ---- */

static bool is_stopping(void *context)
{
	(void)context;
	return pool_status().stopping;
}

/* `plmctl stop` in the background, which ends after the task. */
static pid_t begin_stop(plm_ref *ret_busy)
{
	pool_sleepers("600000", 0, ret_busy, 1);
	pid_t stop = ctl_begin("stop", NULL);
	until(is_stopping, NULL, "a runtime that is being stopped");
	return stop;
}

START_TEST(while_it_stops_one_can_look_and_cancel_and_it_ends)
{
	static const char *const looks[] = { "status", "tasks", "workers", "clients", "objects",
		"functions" };
	char text[PLM_REF_TEXT_BYTES];
	plm_ref busy;
	pool_boot();
	pid_t stop = begin_stop(&busy);
	for (size_t i = 0; i < COUNT_OF(looks); i++)
		free(ctl_expect(&host, 0, looks[i]));
	plm_ref_print(busy, text);
	free(ctl_expect(&host, 0, "explain", text));
	free(ctl_expect(&host, 0, "workers", "--set", "2"));
	expect_ctl(75, "plmctl resume", "submit", "--", "true");
	expect_ctl(75, "plmctl resume", "pause");
	free(ctl_expect(&host, 0, "cancel", text));
	ck_assert_int_eq(exit_of(stop), 0);
	plm_disconnect(&client);
	runtime_end(&host);
}
END_TEST

START_TEST(a_stop_that_takes_long_can_be_made_one_that_does_not)
{
	plm_ref busy;
	pool_boot();
	pid_t stop = begin_stop(&busy);
	free(ctl_expect(&host, 0, "stop", "--now"));
	ck_assert_int_eq(exit_of(stop), 0);
	plm_disconnect(&client);
	runtime_end(&host);
}
END_TEST

START_TEST(resume_takes_a_stop_back)
{
	plm_ref busy;
	pool_boot();
	pid_t stop = begin_stop(&busy);
	plm_task task = { .function = "probe.echo" };
	plm_ref refused = PLM_NONE;
	ck_assert_int_eq(plm_submit(client, &task, &refused), -ESHUTDOWN);
	free(ctl_expect(&host, 0, "resume"));
	ck_assert_int_eq(exit_of(stop), 130);
	ck_assert_int_eq(plm_cancel(client, busy, 0), 0);
	expect_alive(client, 0);
	ck_assert(!pool_status().stopping);
	host_stop();
}
END_TEST

/* The scheduler may be ending already; then the manager starts another scheduler. */
START_TEST(a_stop_taken_back_at_any_moment_leaves_a_runtime_that_works)
{
	enum { ROUNDS = 30 };
	pool_boot();
	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(plm_stop(client, 0), 0);
		int r = plm_resume(client);
		if (r < 0) { /* the runtime ended before the stop was taken back */
			ck_assert_msg(r == -EHOSTDOWN, "%d: %s", r, plm_why());
			ck_assert(wait_for_death(host.pid));
			plm_disconnect(&client);
			runtime_end(&host);
			pool_boot();
			continue;
		}
		expect_alive(client, 0);
	}
	host_stop();
}
END_TEST

/* ---- process slots ---- */

START_TEST(as_many_clients_as_a_crowd_has_find_a_place_by_default)
{
	pool_boot();
	ck_assert_int_ge(crowd(0), 200);
	plm *last = taken[clients - 1]; /* its hold bits lie outside of the record */
	expect_alive(last, 0);
	expect_alive(client, 0);
	disperse();
	expect_nothing_left(&host, client);
	host_stop();
}
END_TEST

static void boot_small(const char *spares)
{
	runtime_boot(&host, "--workers", "3", "--spares", spares, "--processes", "64", "--tasks",
	    "4096", "--store", "16M", );
	host_join();
}

START_TEST(when_clients_have_all_places_one_can_still_look_and_rule)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref busy;
	boot_small("3");
	crowd(0);
	expect_ctl(75, "process slots for clients are taken", "submit", "--", "true");
	pool_sleepers("600000", 0, &busy, 1);
	plm_ref_print(busy, text);
	free(ctl_expect(&host, 0, "tasks"));
	free(ctl_expect(&host, 0, "status"));
	free(ctl_expect(&host, 0, "pause"));
	free(ctl_expect(&host, 0, "resume"));
	free(ctl_expect(&host, 0, "cancel", text));
	free(ctl_expect(&host, 0, "stop")); /* waiting clients do not delay the stop */
	disperse();
	plm_disconnect(&client);
	runtime_end(&host);
}
END_TEST

START_TEST(spares_by_default_leave_places_to_clients)
{
	runtime_boot(
	    &host, "--workers", "40", "--processes", "64", "--tasks", "4096", "--store", "16M", );
	host_join();
	ck_assert_int_ge(crowd(0), 5);
	disperse_and_stop();
}
END_TEST

/* Takes process slots for visits, until the test has this many clients. */
static bool clients_come_to(void *context)
{
	const int *wanted = context;
	crowd(PLM_VISIT);
	return clients == *wanted;
}

/* Starts plmctl again after a refusal: process slots of departed clients are not free at once. */
static bool drain_begins(void *context)
{
	pid_t *drain = context;
	if (*drain == 0 || waitpid(*drain, NULL, WNOHANG) == *drain)
		*drain = ctl_begin("drain", NULL);
	return pool_status().closed;
}

/* If a long command kept its process slot, eight such commands would lock out the next visit. */
START_TEST(a_command_that_goes_on_gives_a_place_for_visits_back)
{
	plm_ref busy;
	boot_small("3");
	pool_sleepers("600000", 0, &busy, 1);
	crowd(0);
	int kept = crowd(PLM_VISIT), all = clients;
	ck_assert_int_ge(kept, 2);
	for (int i = 0; i < kept; i++)
		plm_disconnect(&taken[--clients]);
	pid_t drain = 0;
	until(drain_begins, &drain, "a drain");
	pid_t watch = ctl_begin("status", "--watch=0.2");
	until(clients_come_to, &all, "all places for visits at once");
	ck_assert_int_eq(waitpid(drain, NULL, WNOHANG), 0);
	disperse();
	ck_assert_int_eq(plm_resume(client), 0);
	kill(watch, SIGKILL);
	waitpid(watch, NULL, 0);
	exit_of(drain);
	plm_cancel(client, busy, 0);
	host_stop();
}
END_TEST

static void try_to_come_in(void)
{
	int r = clients < CLIENTS_MAX ? plm_connect_with(&taken[clients], host.name, PLM_VISIT, -1)
				      : -EUSERS;
	clients += r == 0;
}

static void kill_worker(uint32_t worker)
{
	const struct process *p = pool_worker_process(worker, PROCESS_LIVE);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(kill(p->pid, SIGKILL), 0);
}

static bool workers_are_back(void *context)
{
	(void)context;
	for (int i = 0; i < 10; i++)
		try_to_come_in(); /* clients ask for each process slot as soon as it is free */
	return pool_workers_are(POOL_WORKERS);
}

START_TEST(clients_never_get_the_places_of_workers_that_died)
{
	enum { ROUNDS = 5 };
	boot_small("3");
	crowd(0);
	crowd(PLM_VISIT);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		kill_worker(i % POOL_WORKERS);
		until(workers_are_back, NULL, "as many workers as before");
	}
	expect_alive(client, 0);
	disperse_and_stop();
}
END_TEST

static bool log_says(void *expected)
{
	static char log[1 << 16];
	char path[128];
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(log, 1, sizeof log - 1, file) : 0;
	log[n] = 0;
	if (file)
		fclose(file);
	return strstr(log, expected) != NULL;
}

/* The test stops the scheduler, which would free the process slot of the dead worker. */
START_TEST(a_worker_that_finds_no_place_is_told_of_and_comes_when_there_is_one)
{
	boot_small("0");
	crowd(0);
	crowd(PLM_VISIT);
	pid_t scheduler = pool_status().scheduler_pid;
	pause_process(scheduler);
	kill_worker(0);
	until(log_says, "cannot start a worker: no process slot is free", "a word about it");
	continue_process(scheduler);
	until(log_says, "a process slot is free again for the worker", "a word about it");
	pool_until(pool_workers_are, POOL_WORKERS, "workers");
	disperse_and_stop();
}
END_TEST

/* ---- answers ---- */

START_TEST(a_late_answer_is_not_taken_for_that_of_the_next_request)
{
	plm *impatient;
	pool_boot();
	ck_assert_int_eq(plm_connect_with(&impatient, host.name, 0, SHORT_MS), 0);
	pause_process(host.pid);
	ck_assert_int_eq(plm_resume(impatient), -ETIMEDOUT);
	expect_says(plm_why(), "is stopped and does not answer");
	ck_assert_int_eq(plm_set_workers(impatient, 2), -ETIMEDOUT);
	continue_process(host.pid);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(plm_drain_worker(impatient, 99), -ENOENT);
		ck_assert_int_eq(plm_resume(impatient), 0);
	}
	pool_until(pool_workers_are, 2, "workers"); /* the request is still fulfilled */
	plm_disconnect(&impatient);
	host_stop();
}
END_TEST

/* ---- the process slot of a client that left ---- */

static bool clients_are(void *wanted)
{
	return pool_status().clients == *(unsigned *)wanted;
}

START_TEST(a_client_that_disconnects_leaves_although_a_forked_child_lives)
{
	unsigned one = 1;
	plm_ref ref;
	pool_boot();
	plm *other;
	ck_assert_int_eq(plm_connect(&other, host.name), 0);
	ck_assert_int_eq(plm_put(other, "of somebody who goes", 20, &ref), 0);
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	plm_disconnect(&other);
	until(clients_are, &one, "a client less");
	expect_nothing_left(&host, client);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	host_stop();
}
END_TEST

/* ---- a manager that does not act ---- */

static int knock(int flags)
{
	struct sockaddr_un address;
	ck_assert_int_eq(door_address(host.name, &address), 0);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	ck_assert_int_eq(errno, EAGAIN);
	close(fd);
	return -1;
}

START_TEST(connecting_to_a_stopped_manager_ends_in_time)
{
	int fd[KNOCKS], n = 0;
	plm *handle = NULL;
	pool_boot();
	pause_process(host.pid);
	ck_assert_int_eq(plm_connect_with(&handle, host.name, 0, SHORT_MS), -ETIMEDOUT);
	expect_says(plm_why(), "is stopped and does not answer");
	while (n < KNOCKS && (fd[n] = knock(SOCK_NONBLOCK)) >= 0)
		n++;
	ck_assert_int_lt(n, KNOCKS); /* the backlog is full */
	ck_assert_int_eq(plm_connect_with(&handle, host.name, 0, SHORT_MS), -ETIMEDOUT);
	expect_says(plm_why(), "kill -CONT");
	expect_ctl(124, "kill -CONT", "--timeout", "0.1", "status");
	continue_process(host.pid);
	while (n > 0)
		close(fd[--n]);
	expect_alive(client, 0);
	ctl_until(&host, "clients", "status");
	host_stop();
}
END_TEST

START_TEST(connections_that_say_nothing_keep_nobody_out_and_are_closed)
{
	static int fd[KNOCKS];
	plm *handle;
	pool_boot();
	for (int i = 0; i < KNOCKS; i++)
		fd[i] = knock(0);
	ck_assert_int_eq(plm_connect(&handle, host.name), 0);
	plm_disconnect(&handle);
	for (int i = 0; i < KNOCKS; i++) {
		struct pollfd closed = { .fd = fd[i], .events = POLLIN };
		ck_assert_int_eq(poll(&closed, 1, DEADLINE_MS), 1);
		ck_assert_int_ne(closed.revents & POLLHUP, 0);
		close(fd[i]);
	}
	host_stop();
}
END_TEST

/* ---- a scheduler or a journal that does not act ---- */

/* The reason says "nothing from it for N ms"; N is shorter than any default wait. */
static void expect_gave_up_early(void)
{
	const char *said = strstr(plm_why(), "nothing from it for ");
	ck_assert_msg(said != NULL, "it says: %s", plm_why());
	long ms = strtol(said + strlen("nothing from it for "), NULL, 10);
	ck_assert_int_lt(ms, LOCK_WAIT_MS);
}

START_TEST(a_look_at_a_value_behind_a_stopped_scheduler_ends_in_time)
{
	char text[PLM_REF_TEXT_BYTES];
	plm_ref ref;
	plm_view view;
	plm *other;
	pool_boot();
	ck_assert_int_eq(plm_connect(&other, host.name), 0);
	ck_assert_int_eq(plm_put(client, "value", 5, &ref), 0);
	plm_ref_print(ref, text);
	pid_t scheduler = pool_status().scheduler_pid;
	pause_process(scheduler);
	expect_ctl(124, "is stopped", "--timeout", "0.5", "get", text);
	ck_assert_int_eq(plm_get(other, ref, &view, SHORT_MS), -ETIMEDOUT);
	expect_gave_up_early();
	ck_assert_int_eq(plm_wait(other, &ref, 1, 1, SHORT_MS, NULL), -ETIMEDOUT);
	continue_process(scheduler);
	char *value = ctl_expect(&host, 0, "get", text);
	ck_assert_str_eq(value, "value");
	free(value);
	plm_disconnect(&other);
	host_stop();
}
END_TEST

static plm_ref many[RESULTS];

/* A client with a full ring that holds futures. */
static plm *crowd_ring(void)
{
	plm *handle;
	plm_task task = { .function = "probe.echo" };
	ck_assert_int_eq(plm_connect_with(&handle, host.name, 0, SHORT_MS), 0);
	int r = 0;
	while (r == 0) {
		plm_ref ref;
		r = plm_submit(handle, &task, &ref);
	}
	ck_assert_msg(r == -ETIMEDOUT, "%d: %s", r, plm_why());
	return handle;
}

START_TEST(submitting_behind_a_stopped_scheduler_ends_in_time_and_what_was_taken_runs)
{
	plm *impatient;
	plm_task task = { .function = "probe.echo", .args = &PLM_BYTES("x", 1), .nargs = 1 };
	int r = 0, n = 0;
	runtime_boot(&host, "--workers", "3", "--tasks", "16384", "--store", "16M", );
	host_join();
	ck_assert_int_eq(plm_pause(client), 0); /* so that no task goes past the scheduler */
	ck_assert_int_eq(plm_connect_with(&impatient, host.name, 0, SHORT_MS), 0);
	pid_t scheduler = pool_status().scheduler_pid;
	pause_process(scheduler);
	while (n < RESULTS && (r = plm_submit(impatient, &task, &many[n])) == 0)
		n++;
	ck_assert_msg(r == -ETIMEDOUT, "%d after %d tasks: %s", r, n, plm_why());
	expect_says(plm_why(), "is stopped");
	plm *leaver = crowd_ring();
	plm_disconnect(&leaver); /* returns, although no process reads the drops */
	continue_process(scheduler);
	ck_assert_int_eq(plm_resume(client), 0);
	ck_assert_int_eq(plm_wait(impatient, many, (size_t)n, (size_t)n, DEADLINE_MS, NULL), 0);
	plm_disconnect(&impatient);
	expect_nothing_left(&host, client);
	host_stop();
}
END_TEST

START_TEST(a_sync_submission_behind_a_stopped_journal_ends_in_time)
{
	static char state[128];
	runtime_prepare(&host);
	scratch_path(&host, "state", state, sizeof state);
	runtime_reboot(&host, "--workers", "1", "--tasks", "4096", "--store", "16M", "--state",
	    state, "--durability", "sync", );
	host_join();
	free(ctl_expect(&host, 0, "submit", "--detach", "--", "true"));
	const struct tables *t = plm_tables(client);
	pid_t journal = t->process[journal_slot(t)].pid;
	pause_process(journal);
	expect_ctl(124, "has not written", "--timeout", "1", "submit", "--detach", "--", "true");
	continue_process(journal);
	free(ctl_expect(&host, 0, "submit", "--detach", "--", "true"));
	host_stop();
}
END_TEST

int main(void)
{
	const struct {
		const char *name;
		const TTest *test[6];
	} cases[] = {
		{ "stop",
		    { while_it_stops_one_can_look_and_cancel_and_it_ends,
			a_stop_that_takes_long_can_be_made_one_that_does_not,
			resume_takes_a_stop_back,
			a_stop_taken_back_at_any_moment_leaves_a_runtime_that_works } },
		{ "places",
		    { as_many_clients_as_a_crowd_has_find_a_place_by_default,
			when_clients_have_all_places_one_can_still_look_and_rule,
			spares_by_default_leave_places_to_clients,
			a_command_that_goes_on_gives_a_place_for_visits_back,
			clients_never_get_the_places_of_workers_that_died,
			a_worker_that_finds_no_place_is_told_of_and_comes_when_there_is_one } },
		{ "answers",
		    { a_late_answer_is_not_taken_for_that_of_the_next_request,
			a_client_that_disconnects_leaves_although_a_forked_child_lives } },
		{ "time",
		    { connecting_to_a_stopped_manager_ends_in_time,
			connections_that_say_nothing_keep_nobody_out_and_are_closed,
			a_look_at_a_value_behind_a_stopped_scheduler_ends_in_time,
			submitting_behind_a_stopped_scheduler_ends_in_time_and_what_was_taken_runs,
			a_sync_submission_behind_a_stopped_journal_ends_in_time } },
	};
	Suite *suite = suite_create("door");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		TCase *tcase = tcase_create(cases[i].name);
		tcase_set_timeout(tcase, 120);
		for (size_t k = 0; k < COUNT_OF(cases[i].test) && cases[i].test[k]; k++)
			tcase_add_test(tcase, cases[i].test[k]);
		suite_add_tcase(suite, tcase);
	}
	return run_suite(suite);
}
