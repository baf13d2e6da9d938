/* mod_soak.c - the tasks of the soak: each computes a value from the inputs, and notes each
 * attempt in the history in $SOAK_HISTORY. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plm.h"

#include "verify/soak/bytes.h"
#include "verify/soak/soak_history.h"

enum { STURDY = 200, STEP_US = 500, NS_PER_US = 1000, ONE_IN = 4 };

static int history = -1; /* once a process */

static int mod_soak_tell(plm_call *call, enum deed deed, uint64_t task, int code)
{
	const char *directory = getenv("SOAK_HISTORY");
	if (history < 0 && directory)
		history = history_open(directory, "worker");
	struct note event = { .deed = deed, .task = task, .code = code };
	if (history_write(history, event) < 0)
		return plm_fail(call, EBADF, "the history cannot be written");
	return 0;
}

static int be_busy(plm_call *call, uint32_t us)
{
	for (; us > 0; us -= us < STEP_US ? us : STEP_US) {
		struct timespec step = { .tv_nsec = (us < STEP_US ? us : STEP_US) * NS_PER_US };
		if (plm_cancelled(call))
			return plm_fail(call, ECANCELED, "it was asked to stop");
		nanosleep(&step, NULL);
	}
	return 0;
}

/* Runs a nested task, number 0, whose attempts are not counted. */
static int wait_for_nested(plm_call *call, const struct order *order, uint64_t *seed)
{
	plm *rt = plm_runtime(call);
	struct order its = { .seed = NESTED_SEED(order), .length = NESTED_BYTES };
	plm_task task = { .function = "soak.work",
		.args = &PLM_BYTES(&its, sizeof its),
		.nargs = 1,
		.crash_retries = STURDY };
	plm_view view;
	plm_ref ref;
	int r = plm_submit(rt, &task, &ref);
	if (r < 0)
		return plm_fail(call, -r, "a task below it: %s", plm_why());
	if ((r = plm_get(rt, ref, &view, -1)) < 0) {
		r = plm_fail(call, -r, "a task below it: %s", plm_why());
	} else {
		*seed = bytes_with(*seed, bytes_digest(view.data, view.len));
		plm_release(rt, &view);
	}
	plm_drop(rt, ref);
	return r;
}

static int yield_result(plm_call *call, const struct order *order)
{
	uint64_t seed = order->seed;
	for (size_t i = 1; i < plm_nargs(call); i++) {
		size_t length;
		const void *data = plm_arg_data(call, i, &length);
		seed = bytes_with(seed, bytes_digest(data, length));
	}
	int r = order->nests ? wait_for_nested(call, order, &seed) : 0;
	if (r)
		return r;
	void *result = plm_result(call, order->length);
	if (!result && order->length)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	bytes_fill(result, order->length, seed);
	return 0;
}

static int fail_as_ordered(plm_call *call, const struct order *order)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (order->fails == FAILS_ALWAYS ||
	    (order->fails == FAILS_AT_TIMES && now.tv_nsec / NS_PER_US % ONE_IN == 0))
		return plm_fail(call, order->code, "as ordered");
	return 0;
}

/* ORDER INPUT... */
static int mod_soak_work(plm_call *call)
{
	struct order order;
	size_t length;
	const void *data = plm_arg_data(call, 0, &length);
	if (length != sizeof order)
		return plm_fail(call, EINVAL, "an order of %zu bytes", length);
	memcpy(&order, data, sizeof order);
	int r = mod_soak_tell(call, DEED_BEGUN, order.task, 0);
	if (r == 0)
		r = be_busy(call, order.busy_us);
	if (r == 0)
		r = yield_result(call, &order);
	if (r == 0) /* a value that was given up must not be seen */
		r = fail_as_ordered(call, &order);
	int told = mod_soak_tell(call, DEED_ENDED, order.task, r);
	return r ? r : told;
}

PLM_MODULE(soak, { "work", mod_soak_work, "ORDER INPUT...: a value made of all it is given" });
