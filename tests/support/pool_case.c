#include "tests/support/pool_case.h"

#include <check.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "client/handle.h"

enum { LOOK_AGAIN_NS = 1000000 };

void pool_boot(void)
{
	runtime_boot(&host, "--workers", "3", "--tasks", "4096", "--store", "16M", );
	host_join();
}

/* ---- what is there ---- */

void pool_until(bool (*done)(uint64_t wanted), uint64_t wanted, const char *what)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (!done(wanted)) {
		ck_assert_msg(clock_ns() < deadline, "it never came to %llu %s",
		    (unsigned long long)wanted, what);
		nanosleep(&pause, NULL);
	}
}

uint32_t pool_workers_in(enum process_state state)
{
	const struct tables *t = plm_tables(client);
	uint32_t n = 0;
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		n += process_kind(word) == KIND_WORKER && process_state(word) == state;
	}
	return n;
}

const struct process *pool_worker_process(uint32_t worker, enum process_state state)
{
	const struct tables *t = plm_tables(client);
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == state &&
		    t->process[i].worker == worker)
			return &t->process[i];
	}
	return NULL;
}

plm_status pool_status(void)
{
	plm_status s;
	ck_assert_int_eq(plm_status_get(client, &s), 0);
	return s;
}

bool pool_workers_are(uint64_t wanted)
{
	return pool_workers_in(PROCESS_LIVE) == wanted && pool_workers_in(PROCESS_STARTING) == 0 &&
	    pool_workers_in(PROCESS_LEAVING) == 0 && pool_workers_in(PROCESS_DEAD) == 0;
}

bool pool_running_are(uint64_t wanted)
{
	return pool_status().running == wanted;
}

bool pool_leaving_are(uint64_t wanted)
{
	return pool_workers_in(PROCESS_LEAVING) == wanted;
}

/* ---- tasks ---- */

plm_ref pool_submit(const char *function, const char *text, unsigned crash_retries)
{
	plm_ref ref;
	plm_arg arg = PLM_BYTES(text, strlen(text));
	plm_task task = {
		.function = function, .args = &arg, .nargs = 1, .crash_retries = crash_retries
	};
	int r = plm_submit(client, &task, &ref);
	ck_assert_msg(r == 0, "submit: %s", plm_why());
	return ref;
}

plm_ref pool_submit_after(plm_ref future)
{
	plm_ref ref;
	plm_task task = { .function = "probe.echo", .args = &PLM_FUTURE(future), .nargs = 1 };
	ck_assert_int_eq(plm_submit(client, &task, &ref), 0);
	return ref;
}

void pool_sleepers(const char *ms, unsigned crash_retries, plm_ref *ret, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ret[i] = pool_submit("probe.sleep", ms, crash_retries);
	pool_until(pool_running_are, n, "running tasks");
}

enum record_state pool_state_of(plm_ref ref, uint32_t *ret_attempt)
{
	uint64_t word = 0;
	ck_assert_ptr_nonnull(record_lookup(plm_tables(client), ref.id, &word));
	if (ret_attempt)
		*ret_attempt = word_attempt(word);
	return word_state(word);
}

void pool_expect_done_once(const plm_ref *ref, unsigned n)
{
	ck_assert_int_eq(plm_wait(client, ref, n, n, DEADLINE_MS, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		uint32_t attempt;
		ck_assert_int_eq(pool_state_of(ref[i], &attempt), RECORD_DONE);
		ck_assert_uint_eq(attempt, 1);
	}
}

void pool_expect_ready(const plm_ref *ref, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(pool_state_of(ref[i], NULL), RECORD_READY);
}
