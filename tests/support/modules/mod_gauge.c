/* mod_gauge.c - tasks that count how many run at once, tasks that wait in their function, and a
 * task that tells a variable of its environment.
 *
 * The gauge is a file that the test makes and reads (gauge.h): the amount held now, and the most
 * ever held. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "gauge.h"
#include "given.h"

enum { US_PER_S = 1000000, NS_PER_US = 1000, LOOK_AGAIN_NS = 500000 };

/* Adds the amount to the gauge in the file that an argument names. NULL: errno says why. */
static struct gauge *mod_gauge_enter(plm_call *call, size_t argument, int64_t amount)
{
	char path[GIVEN_BYTES];
	size_t bytes;
	struct gauge *gauge = given_memory(given_text(call, argument, path), &bytes);
	if (!gauge)
		return NULL;
	int64_t now = atomic_fetch_add(&gauge->now, amount) + amount;
	int64_t most = atomic_load(&gauge->most);
	while (now > most && !atomic_compare_exchange_weak(&gauge->most, &most, now))
		;
	return gauge;
}

static void mod_gauge_leave(struct gauge *gauge, int64_t amount)
{
	atomic_fetch_sub(&gauge->now, amount);
	munmap(gauge, sizeof *gauge);
}

/* FILE AMOUNT MICROSECONDS */
static int mod_gauge_hold(plm_call *call)
{
	char number[GIVEN_BYTES];
	int64_t amount = strtoll(given_text(call, 1, number), NULL, 10);
	long us = strtol(given_text(call, 2, number), NULL, 10);
	struct gauge *gauge = mod_gauge_enter(call, 0, amount);
	if (!gauge)
		return plm_fail(call, errno, "no file of a gauge");
	struct timespec while_held = { us / US_PER_S, us % US_PER_S * NS_PER_US };
	nanosleep(&while_held, NULL);
	mod_gauge_leave(gauge, amount);
	return 0;
}

static int mod_gauge_stand_in(plm_call *call, size_t argument)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	struct gauge *gauge = mod_gauge_enter(call, argument, 1);
	if (!gauge)
		return plm_fail(call, errno, "no file of a gauge");
	while (!atomic_load(&gauge->open) && !plm_cancelled(call))
		nanosleep(&pause, NULL);
	mod_gauge_leave(gauge, 1);
	return 0;
}

/* FILE */
static int mod_gauge_stand(plm_call *call)
{
	return mod_gauge_stand_in(call, 0);
}

/* REF [FILE] */
static int mod_gauge_await(plm_call *call)
{
	char name[GIVEN_BYTES];
	plm_ref ref;
	if (plm_ref_parse(given_text(call, 0, name), &ref) < 0)
		return plm_fail(call, EINVAL, "%s", plm_why());
	int r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	if (r < 0)
		return plm_fail(call, -r, "%s", plm_why());
	return plm_nargs(call) > 1 ? mod_gauge_stand_in(call, 1) : 0;
}

/* NEEDS */
static int mod_gauge_await_needing(plm_call *call)
{
	char needs[GIVEN_BYTES];
	plm_terms terms = { .needs = given_text(call, 0, needs) };
	plm_task task = { .function = "probe.noop", .terms = &terms };
	plm_ref ref;
	int r = plm_submit(plm_runtime(call), &task, &ref);
	if (r == 0)
		r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

/* NAME: yields the value of the variable, or "(unset)". */
static int mod_gauge_variable(plm_call *call)
{
	char name[GIVEN_BYTES];
	const char *value = getenv(given_text(call, 0, name));
	value = value ? value : "(unset)";
	char *result = plm_result(call, strlen(value));
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	memcpy(result, value, strlen(value));
	return 0;
}

PLM_MODULE(gauge, { "hold", mod_gauge_hold, "FILE AMOUNT US: counts up, sleeps, counts down" },
    { "stand", mod_gauge_stand, "FILE: counts up until the gauge is open" },
    { "await", mod_gauge_await, "REF [FILE]: waits for a future, then stands at the gauge" },
    { "await_needing", mod_gauge_await_needing, "NEEDS: waits for a task with these needs" },
    { "variable", mod_gauge_variable, "NAME: of the environment" });
