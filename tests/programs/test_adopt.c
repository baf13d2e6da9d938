/* test_adopt.c - a runtime without a manager, and under the next manager, even after the death
 * of all processes: accepted tasks and kept results stay, no process is left behind. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/segment.h"
#include "tests/support/command_case.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 120,
	PATH_BYTES = 256,
	MEMBERS = 3,
	STREAM = 200,
	ROUNDS = 25,
	CHANGES = 150
};

static void adopt_boot(void)
{
	runtime_boot_loose(&host, "--workers", "2", "--tasks", "4096", "--store", "16M", );
}

static void reboot(void)
{
	runtime_reboot(&host, "--workers", "2", );
}

static void end(void)
{
	runtime_stop(&host);
	runtime_end(&host);
}

/* ---- the living processes ---- */

struct family {
	pid_t pid[MEMBERS]; /* scheduler, then workers */
};

static struct family members(plm *handle)
{
	struct family ret = { { 0 } };
	const struct tables *t = plm_tables(handle);
	size_t workers = 0;
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (process_state(word) != PROCESS_LIVE)
			continue;
		if (process_kind(word) == KIND_SCHEDULER)
			ret.pid[0] = p->pid;
		else if (process_kind(word) == KIND_WORKER && ++workers < MEMBERS)
			ret.pid[workers] = p->pid;
	}
	for (size_t i = 0; i < MEMBERS; i++)
		ck_assert_int_gt(ret.pid[i], 0);
	return ret;
}

static void kill_all(const struct family *family)
{
	kill(host.pid, SIGSTOP); /* a living manager would replace dead members between two kills */
	for (size_t i = 0; i < MEMBERS; i++)
		kill(family->pid[i], SIGKILL);
	runtime_kill(&host);
	for (size_t i = 0; i < MEMBERS; i++)
		ck_assert(wait_for_death(family->pid[i]));
}

/* ---- the manager alone ---- */

START_TEST(without_a_manager_clients_and_workers_go_on)
{
	plm *handle = host_connect();
	struct family before = members(handle), after;
	runtime_kill(&host);
	for (int i = 0; i < STREAM; i++)
		expect_alive(handle, 9);
	after = members(handle);
	ck_assert_mem_eq(&before, &after, sizeof before);
	reboot();
	after = members(handle);
	ck_assert_mem_eq(&before, &after, sizeof before);
	expect_alive(handle, 9);
	plm_disconnect(&handle);
	end();
}
END_TEST

static bool one_serves(void *handle)
{
	plm_status s;
	return plm_status_get(handle, &s) == 0 && s.workers == 1;
}

START_TEST(the_next_manager_does_not_wait_for_a_drained_worker)
{
	plm *handle = host_connect();
	ck_assert_int_eq(plm_drain_worker(handle, 1), 0);
	until(one_serves, handle, "the drained worker has left");
	runtime_kill(&host);
	reboot(); /* returns with the ready line */
	expect_alive(handle, 9);
	ck_assert(one_serves(handle));
	plm_disconnect(&handle);
	end();
}
END_TEST

START_TEST(a_client_asks_the_next_manager_what_it_cannot_ask_the_dead_one)
{
	plm *handle = host_connect();
	runtime_kill(&host);
	ck_assert_int_eq(plm_pause(handle), -EHOSTDOWN);
	ck_assert_msg(strstr(plm_why(), "--daemon` takes it over"), "%s", plm_why());
	reboot();
	ck_assert_msg(plm_pause(handle) == 0, "%s", plm_why());
	ck_assert_int_eq(plm_resume(handle), 0);
	plm *other = host_connect();
	expect_alive(other, 9);
	plm_disconnect(&other);
	plm_disconnect(&handle);
	end();
}
END_TEST

START_TEST(a_stop_under_the_next_manager_ends_its_processes_and_no_client)
{
	plm *handle = host_connect();
	runtime_kill(&host);
	reboot();
	runtime_stop(&host);
	ck_assert_int_eq(plm_pause(handle), -EHOSTDOWN); /* the stop did not end this client */
	plm_disconnect(&handle);
	runtime_end(&host);
}
END_TEST

START_TEST(the_end_of_a_client_that_no_manager_saw_frees_what_it_held)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		plm *handle = host_connect();
		plm_ref ref;
		char text[1000] = { 0 };
		if (plm_put(handle, text, sizeof text, &ref) < 0)
			_exit(1);
		(void)!write(ends[1], "1", 1);
		pause();
	}
	char byte;
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	runtime_kill(&host);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	reboot();
	plm *handle = host_connect();
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
	end();
}
END_TEST

/* ---- other processes die while no manager lives; all processes die ---- */

static char *running(const char *crash_retries)
{
	char *ref = ctl_expect(
	    &host, 0, "call", "--detach", "--crash-retries", crash_retries, "probe.sleep", "300");
	ctl_until(&host, "running", "tasks");
	return ref;
}

/* _i: the victim: 0 the worker of the task, 1 the scheduler, 2 every process. */
START_TEST(what_ran_where_nobody_saw_the_death_runs_again_or_fails_by_its_budget)
{
	plm *handle = host_connect();
	struct family family = members(handle);
	char *again = running("1"), *once = running("0");
	if (_i == 2) {
		plm_disconnect(&handle);
		kill_all(&family);
	} else {
		runtime_kill(&host);
		for (size_t i = _i ? 0 : 1; i < (_i ? 1 : MEMBERS); i++)
			kill(family.pid[i], SIGKILL);
		for (size_t i = _i ? 0 : 1; i < (_i ? 1 : MEMBERS); i++)
			ck_assert(wait_for_death(family.pid[i]));
	}
	reboot();
	free(ctl_expect(&host, 0, "get", again));
	struct output_of o = ctl(&host, "get", once);
	ck_assert_msg(o.code == (_i == 1 ? 0 : 1), "%d: %s", o.code, o.err);
	if (_i != 1)
		ck_assert_msg(strstr(o.err, "no manager lived"), "%s", o.err);
	output_free(&o);
	if (handle)
		plm_disconnect(&handle);
	free(again);
	free(once);
	end();
}
END_TEST

START_TEST(after_the_death_of_all_queued_tasks_and_kept_values_are_there)
{
	plm *handle = host_connect();
	struct family family = members(handle);
	char *value = ctl_expect(&host, 0, "put", "README.md");
	char *done = ctl_expect(&host, 0, "call", "--detach", "probe.sum", "1", "2");
	free(ctl_expect(&host, 0, "wait", done));
	free(ctl_expect(&host, 0, "pause"));
	char *queued = ctl_expect(&host, 0, "call", "--detach", "probe.sum", done, "10");
	char *after = ctl_expect(&host, 0, "call", "--detach", "probe.sum", queued, "100");
	plm_disconnect(&handle);
	kill_all(&family);
	reboot();
	free(ctl_expect(&host, 0, "resume")); /* the next manager keeps the pause */
	const struct {
		const char *ref, *value;
	} expected[] = { { done, "3" }, { queued, "13" }, { after, "113" } };
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		char *text = ctl_expect(&host, 0, "get", expected[i].ref);
		ck_assert_str_eq(text, expected[i].value);
		free(text);
	}
	struct output_of o = ctl(&host, "get", value);
	ck_assert_int_eq(o.code, 0);
	ck_assert_msg(strncmp(o.out, "# plm", 5) == 0, "%.40s", o.out);
	output_free(&o);
	free(ctl_expect(&host, 0, "drop", value, done, queued, after));
	handle = host_connect();
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
	free(value);
	free(done);
	free(queued);
	free(after);
	end();
}
END_TEST

START_TEST(what_a_dead_client_had_not_sealed_is_gone_after_the_death_of_all)
{
	plm *handle = host_connect();
	struct family family = members(handle);
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		plm *own = host_connect();
		plm_ref ref;
		void *data;
		if (plm_create(own, 100000, &data, &ref) < 0)
			_exit(1);
		memset(data, 1, 50000);
		(void)!write(ends[1], "1", 1);
		pause();
	}
	char byte;
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	plm_disconnect(&handle);
	kill_all(&family);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	reboot();
	handle = host_connect();
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
	end();
}
END_TEST

START_TEST(a_waiting_client_is_told_when_no_process_comes_back)
{
	plm *handle = host_connect();
	plm_ref ref;
	plm_task task = { .function = "probe.sleep", .args = &PLM_BYTES("600000", 6), .nargs = 1 };
	struct family family = members(handle);
	ck_assert_int_eq(plm_submit(handle, &task, &ref), 0);
	kill_all(&family);
	ck_assert_int_eq(plm_wait(handle, &ref, 1, 1, PATIENT_MS, NULL), -EHOSTDOWN);
	ck_assert_msg(strstr(plm_why(), "--daemon` resumes it"), "%s", plm_why());
	reboot();
	expect_alive(handle, 9); /* the old handle works again */
	plm_cancel(handle, ref, PLM_GRACE_OF_TASK);
	plm_drop(handle, ref);
	plm_disconnect(&handle);
	end();
}
END_TEST

/* The worker is a child of the dead manager, and dies under the next manager. */
START_TEST(what_the_command_of_an_adopted_worker_left_is_ended_with_it)
{
	pid_t left = command_with_far_child();
	runtime_kill(&host);
	reboot();
	ck_assert_int_eq(kill(left, 0), 0); /* the worker lives, so its command does */
	plm *handle = host_connect();
	const struct tables *t = plm_tables(handle);
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++)
		if (sh_peek(&t->process[i].running))
			kill(t->process[i].pid, SIGKILL);
	ck_assert(wait_for_death(left));
	plm_disconnect(&handle);
	end();
}
END_TEST

/* ---- again and again ---- */

/* Managers die at random moments of an adoption; the adopted tasks go on. */
START_TEST(a_manager_that_dies_while_it_takes_over_loses_nothing)
{
	uint64_t random = number_from("PLM_CHAOS_SEED", RANDOM_SEED);
	plm *handle = host_connect();
	plm_ref ref[ROUNDS];
	plm_task task = { .function = "probe.sum",
		.nargs = 2,
		.crash_retries = 200,
		.args = (plm_arg[]){ PLM_BYTES("1", 1), PLM_BYTES("2", 1) } };
	runtime_kill(&host);
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec moment = { .tv_nsec = (long)(random_next(&random) % 12000000) };
		uint32_t victim = (uint32_t)(random_next(&random) % 3);
		ck_assert_int_eq(plm_submit(handle, &task, &ref[i]), 0);
		pid_t pid = fork();
		if (pid == 0) {
			const char *bin = getenv("PLM_BIN");
			char path[PATH_BYTES];
			snprintf(path, sizeof path, "%s/plm", bin && bin[0] ? bin : ".");
			int null = open("/dev/null", O_WRONLY);
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
			execl(path, path, "--name", host.name, (char *)NULL);
			_exit(127);
		}
		nanosleep(&moment, NULL); /* waits for nothing: the random moment of the death */
		pid_t scheduler = plm_tables(handle)->process[SLOT_SCHEDULER].pid;
		if (victim == 0 && scheduler > 1) /* 0: a new scheduler is being started */
			kill(scheduler, SIGKILL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	reboot();
	ck_assert_int_eq(plm_wait(handle, ref, ROUNDS, ROUNDS, PATIENT_MS, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		plm_view view;
		ck_assert_int_eq(plm_get(handle, ref[i], &view, 0), 0);
		ck_assert_mem_eq(view.data, "3", 1);
		plm_release(handle, &view);
	}
	plm_drop_many(handle, ref, ROUNDS);
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
	end();
}
END_TEST

/* ---- a fresh runtime ---- */

START_TEST(fresh_begins_anew_and_tells_who_waits)
{
	plm *handle = host_connect();
	struct family family = members(handle);
	plm_ref ref;
	plm_task task = { .function = "probe.sleep", .args = &PLM_BYTES("600000", 6), .nargs = 1 };
	ck_assert_int_eq(plm_submit(handle, &task, &ref), 0);
	runtime_kill(&host);
	runtime_reboot(&host, "--fresh", "--workers", "1", );
	ck_assert_int_eq(plm_wait(handle, &ref, 1, 1, PATIENT_MS, NULL), -EHOSTDOWN);
	for (size_t i = 0; i < MEMBERS; i++)
		ck_assert(wait_for_death(family.pid[i]));
	ck_assert_uint_eq(host.workers, 1);
	plm_disconnect(&handle);
	handle = host_connect();
	expect_nothing_left(&host, handle);
	plm_disconnect(&handle);
	end();
}
END_TEST

START_TEST(a_segment_of_another_build_is_set_aside_with_a_word)
{
	char control[PATH_BYTES], aside[PATH_BYTES + 8], store[PATH_BYTES];
	plm *handle = host_connect();
	struct family family = members(handle);
	plm_disconnect(&handle);
	kill_all(&family);
	runtime_segment(&host, "control", control, sizeof control);
	int fd = open(control, O_RDWR);
	uint32_t abi = 12345;
	ck_assert_int_eq(
	    pwrite(fd, &abi, sizeof abi, offsetof(struct segment_header, abi)), sizeof abi);
	close(fd);
	reboot();
	handle = host_connect();
	expect_alive(handle, 9);
	plm_disconnect(&handle);
	end();
	static const char *const whats[] = { "control", "store", "events" };
	for (int i = 0; i < 3; i++) {
		runtime_segment(&host, whats[i], store, sizeof store);
		snprintf(aside, sizeof aside, "%s.aside", store);
		ck_assert_msg(unlink(aside) == 0, "%s is not there", aside);
	}
}
END_TEST

/* ---- the guard, and a tie ---- */

static pid_t manager_pid(plm *handle)
{
	return plm_tables(handle)->process[SLOT_MANAGER].pid;
}

static bool has_new_manager(void *context)
{
	plm *handle = context;
	static pid_t before;
	pid_t now = manager_pid(handle);
	if (!before)
		before = now;
	return now != before && process_start_time(now) && plm_pause(handle) == 0 &&
	    plm_resume(handle) == 0;
}

START_TEST(the_guard_starts_a_manager_that_was_killed_and_ends_with_it)
{
	runtime_stop(&host);
	runtime_end(&host);
	runtime_boot_loose(&host, "--guard", "--workers", "2", );
	plm *handle = host_connect();
	struct family before = members(handle), after;
	ck_assert(!has_new_manager(handle));
	ck_assert_int_ne(manager_pid(handle), host.pid);
	kill(manager_pid(handle), SIGKILL);
	until(has_new_manager, handle, "a new manager");
	after = members(handle);
	ck_assert_mem_eq(&before, &after, sizeof before);
	expect_alive(handle, 9);
	plm_disconnect(&handle);
	end();
}
END_TEST

/* A client admitted by a manager that dies before the client has joined is refused by the next
 * manager. Process slots may run short (-EUSERS) until the scheduler frees those of clients that
 * left. */
static void come_and_go(void *context)
{
	_Atomic bool *over = context;
	plm *handle;
	while (!atomic_load(over)) {
		int r = plm_connect(&handle, host.name);
		if (r == 0)
			plm_disconnect(&handle);
		else if (r != -ENOENT && r != -EHOSTDOWN && r != -EUSERS)
			fprintf(stderr, "connect: %d, %s\n", r, plm_why()), _exit(1);
	}
}

static bool has_a_place(void *context)
{
	plm *handle;
	(void)context;
	if (plm_connect(&handle, host.name) < 0)
		return false;
	plm_disconnect(&handle);
	return true;
}

START_TEST(a_client_is_let_in_or_told_that_none_is_up_while_managers_change)
{
	enum { COMERS = 3 };
	pid_t comer[COMERS];
	_Atomic bool *over = shared_memory(sizeof *over);
	for (int i = 0; i < COMERS; i++)
		comer[i] = child_of(come_and_go, over);
	for (int i = 0; i < CHANGES; i++) {
		runtime_kill(&host);
		reboot();
	}
	atomic_store(over, true);
	for (int i = 0; i < COMERS; i++)
		ck_assert_int_eq(exit_of(comer[i]), 0);
	until(has_a_place, NULL, "a place is free");
	end();
}
END_TEST

START_TEST(what_is_tied_ends_with_who_started_it)
{
	int ends[2];
	char text[32] = { 0 };
	ck_assert_int_eq(pipe(ends), 0);
	pid_t starter = fork();
	if (starter == 0) {
		struct runtime own;
		runtime_boot(&own, "--workers", "1", );
		(void)!write(ends[1], own.name, sizeof own.name);
		pause();
	}
	ck_assert_int_gt(read(ends[0], text, sizeof text), 0);
	char control[PATH_BYTES];
	snprintf(control, sizeof control, "/dev/shm/plm-%u-%s.control", (unsigned)geteuid(), text);
	ck_assert_int_eq(access(control, F_OK), 0);
	kill(starter, SIGKILL);
	ck_assert_int_eq(waitpid(starter, NULL, 0), starter);
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (access(control, F_OK) == 0 && clock_ns() < deadline)
		;
	ck_assert_int_ne(access(control, F_OK), 0);
	end();
}
END_TEST

START_TEST(a_tie_to_a_parent_that_does_not_stay_is_refused)
{
	const char *const other[] = { "--daemon", "--guard" };
	for (size_t i = 0; i < 2; i++) {
		struct output_of o = program_run(&host, "plm",
		    (const char *const[]){ "--name", "x", "--tied", other[i], NULL }, NULL, 0);
		ck_assert_int_eq(o.code, 64);
		ck_assert_msg(strstr(o.err, other[i]), "%s", o.err);
		output_free(&o);
	}
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		without_a_manager_clients_and_workers_go_on,
		the_next_manager_does_not_wait_for_a_drained_worker,
		a_client_asks_the_next_manager_what_it_cannot_ask_the_dead_one,
		a_stop_under_the_next_manager_ends_its_processes_and_no_client,
		the_end_of_a_client_that_no_manager_saw_frees_what_it_held,
		after_the_death_of_all_queued_tasks_and_kept_values_are_there,
		what_a_dead_client_had_not_sealed_is_gone_after_the_death_of_all,
		a_waiting_client_is_told_when_no_process_comes_back,
		what_the_command_of_an_adopted_worker_left_is_ended_with_it,
		a_manager_that_dies_while_it_takes_over_loses_nothing,
		fresh_begins_anew_and_tells_who_waits,
		a_segment_of_another_build_is_set_aside_with_a_word,
		the_guard_starts_a_manager_that_was_killed_and_ends_with_it,
		a_client_is_let_in_or_told_that_none_is_up_while_managers_change,
		what_is_tied_ends_with_who_started_it,
		a_tie_to_a_parent_that_does_not_stay_is_refused,
	};
	Suite *suite = suite_create("adopt");
	TCase *tcase = tcase_create("adopt");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, adopt_boot, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(
	    tcase, what_ran_where_nobody_saw_the_death_runs_again_or_fails_by_its_budget, 0, 3);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
