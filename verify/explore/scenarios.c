/* scenarios.c - the scripts of the clients, and the results that clients must see.
 *
 * A script is the whole life of a client. MUST() states what the runtime promised the client.
 * What clients leave behind is judged at the end for all clients (explore_judge.c). Tasks have
 * retries for as many deaths as a scenario has, so each task must yield the value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "verify/explore/explore.h"

enum { TASKS = 10, PATIENCE_MS = 100000, CRASHES = DEATHS_MAX, VALUE_BYTES = 3000 };

#define MAY(kind) (1u << (kind))

static struct { /* the words between clients outside the runtime */
	plm_ref ref[TASKS];
	shared32 given;
} passed;

/* ---- short ways ---- */

static plm_ref scenario_submit(struct plm *rt, const char *function, const plm_arg *args, size_t n)
{
	plm_ref ref;
	plm_task task = {
		.function = function, .args = args, .nargs = n, .crash_retries = CRASHES
	};
	MUST(plm_submit(rt, &task, &ref) == 0);
	return ref;
}

static plm_ref submit_text(struct plm *rt, const char *function, const char *text)
{
	plm_arg arg = PLM_BYTES(text, strlen(text));
	return scenario_submit(rt, function, &arg, 1);
}

static void must_yield(struct plm *rt, plm_ref ref, const void *data, size_t length)
{
	plm_view view;
	MUST(plm_get(rt, ref, &view, PATIENCE_MS) == 0);
	MUST(view.len == length && memcmp(view.data, data, length) == 0);
	plm_release(rt, &view);
}

static void must_yield_number(struct plm *rt, plm_ref ref, int number)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%d", number);
	must_yield(rt, ref, text, (size_t)n);
}

static void scenario_fill(unsigned char *at, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (unsigned char)(seed + i * 7);
}

/* ---- submit, run, get ---- */

static void ten_tasks(struct plm *rt)
{
	plm_ref ref[TASKS];
	for (int i = 0; i < TASKS; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		ref[i] = submit_text(rt, "probe.echo", text);
	}
	for (int i = 0; i < TASKS; i++)
		must_yield_number(rt, ref[i], i);
	plm_drop_many(rt, ref, TASKS);
}

static void ten_at_once(struct plm *rt)
{
	plm_ref ref[TASKS];
	plm_task task[TASKS];
	plm_arg arg[TASKS];
	char text[TASKS][4];
	for (int i = 0; i < TASKS; i++) {
		snprintf(text[i], sizeof text[i], "%u", (unsigned)i % TASKS);
		arg[i] = PLM_BYTES(text[i], strlen(text[i]));
		task[i] = (plm_task){ .function = "probe.sum",
			.args = &arg[i],
			.nargs = 1,
			.priority = i % 3,
			.crash_retries = CRASHES };
	}
	MUST(plm_submit_many(rt, task, TASKS, ref) == 0);
	MUST(plm_wait(rt, ref, TASKS, TASKS, PATIENCE_MS, NULL) == 0);
	for (int i = 0; i < TASKS; i++)
		must_yield_number(rt, ref[i], i);
	plm_drop_many(rt, ref, TASKS);
}

/* Tasks of low priority already wait in a ring or a hand when a task of higher priority comes. */
static void mixed_priorities(struct plm *rt)
{
	plm_ref ref[TASKS];
	plm_arg arg = PLM_BYTES("4", 1);
	plm_task task[3];
	for (int i = 0; i < 3; i++)
		task[i] = (plm_task){ .function = "probe.sum",
			.args = &arg,
			.nargs = 1,
			.priority = -i,
			.crash_retries = CRASHES };
	MUST(plm_submit_many(rt, task, 3, ref) == 0);
	for (int i = 3; i < TASKS; i++) {
		task[0].priority = i % 2 ? i : -i;
		MUST(plm_submit(rt, &task[0], &ref[i]) == 0);
	}
	MUST(plm_wait(rt, ref, TASKS, TASKS, PATIENCE_MS, NULL) == 0);
	for (int i = 0; i < TASKS; i++)
		must_yield_number(rt, ref[i], 4);
	plm_drop_many(rt, ref, TASKS);
}

/* A fan whose task has a higher priority than all queued tasks, once all arguments are there. */
static void high_after_low(struct plm *rt)
{
	plm_ref ref[4];
	plm_arg one = PLM_BYTES("1", 1), all[3];
	for (int i = 0; i < 3; i++) {
		plm_task low = { .function = "probe.sum",
			.args = &one,
			.nargs = 1,
			.priority = -5 * i,
			.crash_retries = CRASHES };
		MUST(plm_submit(rt, &low, &ref[i]) == 0);
		all[i] = PLM_FUTURE(ref[i]);
	}
	plm_task high = { .function = "probe.sum",
		.args = all,
		.nargs = 3,
		.priority = 9,
		.crash_retries = CRASHES };
	MUST(plm_submit(rt, &high, &ref[3]) == 0);
	must_yield_number(rt, ref[3], 3);
	plm_drop_many(rt, ref, 4);
}

/* ---- futures as arguments ---- */

static void scenario_chain(struct plm *rt)
{
	plm_ref ref[TASKS];
	plm_arg one = PLM_BYTES("1", 1);
	for (int i = 0; i < TASKS; i++) {
		plm_arg args[3] = { one };
		size_t n = 1;
		if (i > 0)
			args[n++] = PLM_FUTURE(ref[i - 1]);
		if (i > 2)
			args[n++] = PLM_FUTURE(ref[i - 3]);
		ref[i] = scenario_submit(rt, "probe.sum", args, n);
	}
	int value[TASKS] = { 1, 2, 3 };
	for (int i = 3; i < TASKS; i++)
		value[i] = 1 + value[i - 1] + value[i - 3];
	must_yield_number(rt, ref[TASKS - 1], value[TASKS - 1]);
	must_yield_number(rt, ref[4], value[4]);
	plm_drop_many(rt, ref, TASKS);
}

static void scenario_fan(struct plm *rt)
{
	plm_ref first = submit_text(rt, "probe.sum", "5"), ref[5];
	plm_arg arg = PLM_FUTURE(first), all[5];
	for (int i = 0; i < 5; i++) {
		ref[i] = scenario_submit(rt, "probe.sum", &arg, 1);
		all[i] = PLM_FUTURE(ref[i]);
	}
	plm_drop(rt, first);
	plm_ref last = scenario_submit(rt, "probe.sum", all, 5);
	plm_drop_many(rt, ref, 5);
	must_yield_number(rt, last, 25);
	plm_drop(rt, last);
}

/* ---- cancel ---- */

static void cancel_each(struct plm *rt)
{
	plm_ref ref[TASKS];
	for (int i = 0; i < TASKS; i++) {
		plm_arg arg = i % 3 && i ? PLM_FUTURE(ref[i - 1]) : PLM_BYTES("7", 1);
		ref[i] = scenario_submit(rt, "probe.sum", &arg, 1);
	}
	bool cancelled[TASKS] = { false }; /* "it counts as cancelled from now on" */
	for (int i = 0; i < TASKS; i += 2) {
		int r = plm_cancel(rt, ref[i], PLM_GRACE_OF_TASK);
		MUST(r == 0 || r == -EALREADY);
		cancelled[i] = r == 0;
	}
	for (int i = 0; i < TASKS; i++) {
		plm_view view;
		int r = plm_get(rt, ref[i], &view, PATIENCE_MS);
		MUST(r == -PLM_ECANCELLED || !cancelled[i]);
		if (r == 0) {
			MUST(view.len == 1 && *(const char *)view.data == '7');
			plm_release(rt, &view);
		} else {
			MUST(r == -PLM_ECANCELLED || (i % 3 && r == -PLM_EFAILED));
		}
	}
	plm_drop_many(rt, ref, TASKS);
}

static void cancel_passed(struct plm *rt)
{
	for (uint32_t i = 0; i < sh_load(&passed.given); i++) {
		int r = plm_hold(rt, passed.ref[i]);
		if (r < 0)
			continue; /* the future was dropped already */
		r = plm_cancel(rt, passed.ref[i], PLM_GRACE_OF_TASK);
		MUST(r == 0 || r == -EALREADY);
		plm_drop(rt, passed.ref[i]);
	}
}

static void pass_and_get(struct plm *rt)
{
	for (int i = 0; i < TASKS; i++) {
		passed.ref[i] = submit_text(rt, "probe.sum", "3");
		sh_store(&passed.given, (uint32_t)i + 1);
	}
	for (int i = 0; i < TASKS; i++) {
		plm_view view;
		int r = plm_get(rt, passed.ref[i], &view, PATIENCE_MS);
		MUST(r == 0 || r == -PLM_ECANCELLED);
		if (r == 0)
			plm_release(rt, &view);
	}
	plm_drop_many(rt, passed.ref, TASKS);
}

/* ---- retries ---- */

static void scenario_failing(struct plm *rt)
{
	plm_ref ref[5];
	plm_failure failure;
	plm_arg args[] = { PLM_BYTES("no", 2), PLM_BYTES("71", 2) };
	for (unsigned i = 0; i < 4; i++) {
		plm_task task = { .function = "probe.fail",
			.args = args,
			.nargs = 2,
			.retries = i,
			.crash_retries = CRASHES };
		MUST(plm_submit(rt, &task, &ref[i]) == 0);
	}
	plm_arg future = PLM_FUTURE(ref[3]);
	ref[4] = scenario_submit(rt, "probe.sum", &future, 1);
	MUST(plm_wait(rt, ref, 5, 5, PATIENCE_MS, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		MUST(plm_error(rt, ref[i], &failure) == 0);
		MUST(failure.code == 71 && strcmp(failure.message, "no") == 0);
		MUST(failure.task.id == ref[i < 4 ? i : 3].id);
	}
	plm_drop_many(rt, ref, 5);
}

/* ---- objects ---- */

static void give_objects(struct plm *rt)
{
	static unsigned char bytes[VALUE_BYTES];
	for (unsigned i = 0; i < 4; i++) {
		void *at;
		size_t length = i % 2 ? VALUE_BYTES : 10;
		scenario_fill(bytes, length, i);
		MUST(plm_create(rt, length, &at, &passed.ref[i]) == 0);
		memcpy(at, bytes, length);
		MUST(plm_seal(rt, passed.ref[i]) == 0);
		sh_store(&passed.given, i + 1);
	}
	plm_ref copy;
	plm_arg arg = PLM_FUTURE(passed.ref[3]);
	copy = scenario_submit(rt, "probe.echo", &arg, 1);
	plm_drop_many(rt, passed.ref, 4);
	must_yield(rt, copy, bytes, VALUE_BYTES);
	plm_drop(rt, copy);
}

/* The answer to the first time is none to the second. */
static void hold_again(struct plm *rt, plm_ref ref)
{
	plm_view view;
	if (plm_hold(rt, ref) < 0)
		return; /* the other holder has let go */
	MUST(plm_get(rt, ref, &view, PATIENCE_MS) == 0);
	plm_release(rt, &view);
	plm_drop(rt, ref);
}

static void take_objects(struct plm *rt)
{
	static unsigned char bytes[VALUE_BYTES];
	for (unsigned i = 0; i < sh_load(&passed.given); i++) {
		size_t length = i % 2 ? VALUE_BYTES : 10;
		if (plm_hold(rt, passed.ref[i]) < 0)
			continue;
		plm_view view;
		MUST(plm_get(rt, passed.ref[i], &view, PATIENCE_MS) == 0);
		scenario_fill(bytes, length, i);
		MUST(view.len == length && memcmp(view.data, bytes, length) == 0);
		plm_release(rt, &view);
		plm_drop(rt, passed.ref[i]);
		hold_again(rt, passed.ref[i]);
	}
}

/* ---- tasks that wait for tasks ---- */

/* The children have no retries: a child whose worker dies fails, and the parent fails, too. */
static void must_yield_leaves(struct plm *rt, plm_ref tree, int leaves)
{
	plm_failure failure;
	MUST(plm_wait(rt, &tree, 1, 1, PATIENCE_MS, NULL) == 0);
	if (w.deaths && plm_error(rt, tree, &failure) == 0) {
		if (failure.code != EOWNERDEAD)
			explore_fail(
			    "a tree of tasks failed with %d: %s", failure.code, failure.message);
		return;
	}
	must_yield_number(rt, tree, leaves);
}

static void scenario_nested(struct plm *rt)
{
	plm_arg args[] = { PLM_BYTES("2", 1), PLM_BYTES("2", 1) };
	plm_ref first = scenario_submit(rt, "probe.tree", args, 2);
	plm_ref second = scenario_submit(rt, "probe.tree", args, 2);
	must_yield_leaves(rt, first, 4);
	must_yield_leaves(rt, second, 4);
	plm_drop(rt, first);
	plm_drop(rt, second);
}

/* ---- not enough of something ---- */

static bool is_want(int r)
{
	return r == -ENOSPC || r == -ENOMEM;
}

/* A refused task leaves nothing behind; an accepted task ends, possibly for want of room. */
static void scenario_crowd(struct plm *rt, const char *function, const char *text, size_t length)
{
	plm_ref ref[TASKS];
	int n = 0;
	plm_arg arg = PLM_BYTES(text, strlen(text));
	plm_task task = {
		.function = function, .args = &arg, .nargs = 1, .crash_retries = CRASHES
	};
	for (int i = 0; i < TASKS; i++) {
		int r = plm_submit(rt, &task, &ref[n]);
		MUST(r == 0 || is_want(r));
		n += r == 0;
	}
	for (int i = 0; i < n; i++) {
		plm_view view;
		plm_failure failure;
		int r = plm_get(rt, ref[i], &view, PATIENCE_MS);
		MUST(r == 0 || r == -ENOMEM || r == -PLM_EFAILED);
		if (r == 0) {
			MUST(view.len == length);
			plm_release(rt, &view);
		} else if (r == -PLM_EFAILED) {
			MUST(plm_error(rt, ref[i], &failure) == 0 && is_want(-failure.code));
		}
		plm_drop(rt, ref[i]);
	}
}

static void large_values(struct plm *rt)
{
	scenario_crowd(rt, "probe.fill", "300000", 300000); /* three fit */
}

static void refused_memory(struct plm *rt)
{
	scenario_crowd(rt, "probe.fill", "5000", 5000);
}

/* The table is full, and room comes as values are dropped. */
static void many_futures(struct plm *rt)
{
	enum { MORE_THAN_FIT = RECORDS_MIN / 2 };
	plm_ref ref[MORE_THAN_FIT];
	for (int i = 0; i < MORE_THAN_FIT; i++) {
		int r = plm_put(rt, "x", 1, &ref[i]);
		MUST(r == 0 || r == -ENOSPC);
		if (r < 0)
			ref[i] = PLM_NONE;
	}
	for (int i = 0; i < MORE_THAN_FIT; i++)
		if (ref[i].id) {
			must_yield(rt, ref[i], "x", 1);
			plm_drop(rt, ref[i]);
		}
	plm_patience(rt, PATIENCE_MS);
	plm_ref last = submit_text(rt, "probe.sum", "9");
	must_yield_number(rt, last, 9);
	plm_drop(rt, last);
}

/* ---- somebody is stopped for longer than all patience, and goes on ---- */

/* Errors that a call may return while another process stands still. The only promise is that
 * nothing of the call is left behind. */
static bool may_be_late(int r)
{
	return r == 0 || r == -ETIMEDOUT || r == -ESTALE || r == -ENOSPC || r == -PLM_EFAILED ||
	    r == -PLM_ECANCELLED;
}

static void get_late(struct plm *rt, plm_ref ref)
{
	plm_view view;
	int r = plm_get(rt, ref, &view, PATIENCE_MS);
	MUST(may_be_late(r));
	if (r == 0)
		plm_release(rt, &view);
}

/* After a client dropped all futures, the scheduler knows of no hold of this client, not even of
 * a hold that the client asked for and gave up. */
static void must_hold_nothing(struct plm *rt)
{
	int r;
	do
		r = handle_sync(rt);
	while (r == -ETIMEDOUT);
	MUST(r == 0);
	for (uint32_t i = 0; i < rt->tables.limits.records; i++)
		if (hold_test(&rt->tables, i, rt->self))
			explore_fail(
			    "record %u is held for slot %u, which has dropped all", i, rt->self);
}

static plm_ref submit_late(struct plm *rt, const char *function, const char *text, plm_ref after)
{
	plm_ref ref = PLM_NONE;
	plm_arg args[] = { PLM_BYTES(text, strlen(text)), PLM_FUTURE(after) };
	plm_task task = {
		.function = function, .args = args, .nargs = after.id ? 2 : 1, .retries = 1
	}; /* a task whose worker dies fails, with a message */
	MUST(may_be_late(plm_submit(rt, &task, &ref)));
	return ref;
}

static void give_late(struct plm *rt)
{
	static unsigned char bytes[VALUE_BYTES];
	for (unsigned i = 0; i < 4; i++) {
		int r = plm_put(rt, bytes, i % 2 ? VALUE_BYTES : 10, &passed.ref[i]);
		MUST(may_be_late(r));
		if (r < 0)
			passed.ref[i] = PLM_NONE;
		sh_store(&passed.given, i + 1);
	}
	plm_ref copy = submit_late(rt, "probe.echo", "x", PLM_NONE);
	plm_ref large = submit_late(rt, "probe.fill", "5000", PLM_NONE);
	plm_ref last = submit_late(rt, "probe.sum", "1", copy);
	plm_ref fails = submit_late(rt, "probe.fail", "a message too long for a record", copy);
	plm_drop_many(rt, passed.ref, 4);
	for (size_t i = 0; i < 4; i++) {
		plm_ref ref = (plm_ref[]){ copy, large, last, fails }[i];
		if (ref.id)
			get_late(rt, ref);
		plm_drop(rt, ref);
	}
	must_hold_nothing(rt);
}

static void take_late(struct plm *rt)
{
	for (unsigned i = 0; i < sh_load(&passed.given); i++) {
		plm_ref ref = passed.ref[i];
		int r = ref.id ? plm_hold(rt, ref) : -ESTALE;
		MUST(may_be_late(r));
		if (r < 0)
			continue;
		get_late(rt, ref);
		plm_drop(rt, ref);
		if (plm_hold(rt, ref) == 0) {
			get_late(rt, ref);
			plm_drop(rt, ref);
		}
	}
	must_hold_nothing(rt);
}

static void work_late(struct plm *rt)
{
	plm_ref ref[TASKS];
	for (int i = 0; i < TASKS; i++)
		ref[i] = submit_late(rt, i % 2 ? "probe.fill" : "probe.echo", "3000",
		    i % 4 == 3 ? ref[i - 1] : PLM_NONE);
	for (int i = 1; i < TASKS; i += 4) /* a running task may have written the value already */
		plm_cancel(rt, ref[i], 0);
	for (int i = 0; i < TASKS; i++) {
		if (ref[i].id)
			get_late(rt, ref[i]);
		plm_drop(rt, ref[i]);
	}
}

#define WORKERS_DIE MAY(KIND_WORKER)
#define SCHEDULER_DIES MAY(KIND_SCHEDULER)
#define MEMBERS_DIE (WORKERS_DIE | SCHEDULER_DIES)
#define ALL_DIE (MEMBERS_DIE | MAY(KIND_CLIENT) | MAY(KIND_MANAGER))

#define SCENARIO(title, text, who_dies, times, ...)                                           \
	{                                                                                     \
		.name = title, .help = text, .mortal = who_dies, .deaths = times, .client = { \
			__VA_ARGS__                                                           \
		}                                                                             \
	}

const struct scenario scenarios[] = {
	SCENARIO("submit", "ten tasks, one by one", 0, 0, ten_tasks),
	SCENARIO("batch", "ten tasks at once, two clients", 0, 0, ten_at_once, ten_tasks),
	SCENARIO("worker-death", "ten tasks, workers die", WORKERS_DIE, 3, ten_tasks),
	SCENARIO("scheduler-death", "ten tasks, the scheduler dies", SCHEDULER_DIES, 3, ten_at_once,
	    ten_tasks),
	SCENARIO("client-death", "two clients, they and the others die",
	    MEMBERS_DIE | MAY(KIND_CLIENT), 3, ten_at_once, ten_tasks),
	SCENARIO(
	    "dependencies", "futures as arguments", MEMBERS_DIE, 2, scenario_chain, scenario_fan),
	SCENARIO("priorities", "higher priorities come while lower ones stand before workers",
	    MEMBERS_DIE, 2, mixed_priorities, high_after_low),
	SCENARIO("cancel", "cancel against completion", MEMBERS_DIE, 2, cancel_each, pass_and_get,
	    cancel_passed),
	SCENARIO(
	    "retries", "tasks that fail, and their dependants", MEMBERS_DIE, 2, scenario_failing),
	SCENARIO("objects", "objects go from hand to hand", MEMBERS_DIE | MAY(KIND_CLIENT), 2,
	    give_objects, take_objects),
	{ .name = "nested",
	    .help = "tasks that wait for tasks",
	    .mortal = MEMBERS_DIE,
	    .deaths = 2,
	    .spares = 2,
	    .idles = true,
	    .client = { scenario_nested } },
	{ .name = "watched",
	    .help = "the event log is on: tasks that fail, and tasks that wait for tasks",
	    .mortal = MEMBERS_DIE,
	    .deaths = 3,
	    .spares = 2,
	    .idles = true,
	    .logged = true,
	    .client = { ten_at_once, scenario_failing, scenario_nested } },
	{ .name = "full-store",
	    .help = "values that do not fit, refused memory",
	    .mortal = MEMBERS_DIE,
	    .deaths = 1,
	    .fails = true,
	    .client = { large_values, refused_memory } },
	SCENARIO("full-table", "more futures than records", MEMBERS_DIE | MAY(KIND_CLIENT), 2,
	    many_futures, many_futures, many_futures),
	{ .name = "stopped",
	    .help = "somebody is stopped for 12 s and goes on; some die",
	    .mortal = MEMBERS_DIE | MAY(KIND_CLIENT),
	    .deaths = 2,
	    .freezes = FREEZES_MAX,
	    .client = { give_late, take_late, work_late } },
	SCENARIO("adoption", "everybody may die, the manager too", ALL_DIE, 4, ten_at_once,
	    scenario_chain),
};
const size_t scenario_count = COUNT_OF(scenarios);

/* Between two schedules. */
void scenario_forget(void)
{
	memset(&passed, 0, sizeof passed);
}
