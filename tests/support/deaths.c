#include "tests/support/deaths.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "tests/support/run_suite.h"

enum { LOOK_AGAIN_NS = 2000000 };

const struct process *pick_member(plm *handle, enum process_kind kind, uint64_t *random)
{
	const struct tables *t = plm_tables(handle);
	uint32_t first = (uint32_t)random_next(random) % t->limits.processes;
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		const struct process *p = &t->process[(first + i) % t->limits.processes];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) == kind && process_state(word) == PROCESS_LIVE)
			return p;
	}
	return NULL;
}

bool kill_member(const struct runtime *rt, const struct process *member)
{
	/* The slot may have been freed since: kill only a child of the manager we booted. */
	pid_t pid = member->pid;
	return pid > 1 && pid != rt->pid && kill(pid, SIGKILL) == 0;
}

static void print_rows(const struct runtime *rt, const char *what)
{
	struct output_of o = ctl(rt, what);
	fprintf(stderr, "plmctl %s:\n%s%s", what, o.out, o.err);
	output_free(&o);
}

void expect_settled(
    const struct runtime *rt, plm *handle, const plm_ref *refs, size_t n, size_t settled)
{
	int r = plm_wait(handle, refs, n, settled, PATIENT_MS, NULL);
	if (r == 0)
		return;
	print_rows(rt, "workers");
	print_rows(rt, "tasks");
	ck_abort_msg("%s", plm_why());
}

bool comes_to(bool (*done)(void *context), void *context)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(PATIENT_MS);
	while (!done(context)) {
		if (clock_ns() >= deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void until(bool (*done)(void *context), void *context, const char *what)
{
	ck_assert_msg(comes_to(done, context), "in %d ms it never came to: %s", PATIENT_MS, what);
}

/* Processes keep a stock of reserved records; every other used record has a task or a value. */
static bool nothing_is_left(void *handle)
{
	plm_status s;
	ck_assert_int_eq(plm_status_get(handle, &s), 0);
	return s.waiting + s.ready + s.running + s.done + s.failed + s.cancelled == 0 &&
	    s.store_used == 0;
}

void expect_alive(plm *handle, unsigned crash_retries)
{
	plm_view view;
	plm_ref ref;
	plm_task task = { .function = "probe.echo",
		.args = &PLM_BYTES("alive", 5),
		.nargs = 1,
		.crash_retries = crash_retries };
	ck_assert_msg(plm_submit(handle, &task, &ref) == 0, "%s", plm_why());
	ck_assert_msg(plm_get(handle, ref, &view, PATIENT_MS) == 0, "%s", plm_why());
	ck_assert_uint_eq(view.len, 5);
	plm_release(handle, &view);
	plm_drop(handle, ref);
}

bool nothing_left(const struct runtime *rt, plm *handle)
{
	static const char *const looks[] = { "status", "tasks", "objects", "clients" };
	bool none = comes_to(nothing_is_left, handle);
	for (size_t i = 0; !none && i < COUNT_OF(looks); i++)
		print_rows(rt, looks[i]);
	struct output_of o = dump(rt, "check");
	if (o.code != 0)
		fprintf(stderr, "plmdump check: %s%s", o.out, o.err);
	bool sound = o.code == 0;
	output_free(&o);
	return none && sound;
}

void expect_nothing_left(const struct runtime *rt, plm *handle)
{
	ck_assert_msg(nothing_left(rt, handle),
	    "records with a value or bytes of the store are "
	    "left, or a structure is not sound");
}
