/* mod_test.c - tasks for tests alone, that tell the order of their runs, fail a number of times, or
 * yield several results. Like any module, the source sees plm.h alone. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plm.h"

enum { ORDER_MAX = 4096, COUNTERS = 64, TEXT_BYTES = 32 };

/* The tags of the calls of test.order, for a test that loaded the module into its own process. */
extern uint32_t test_order[ORDER_MAX];
extern _Atomic uint32_t test_order_count;
__attribute__((visibility("default"))) uint32_t test_order[ORDER_MAX];
__attribute__((visibility("default"))) _Atomic uint32_t test_order_count;

static long mod_test_number(plm_call *call, size_t i)
{
	char text[TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, i, &length);
	if (data && length < sizeof text)
		memcpy(text, data, length);
	return strtol(text, NULL, 10);
}

static int mod_test_order(plm_call *call)
{
	uint32_t at = atomic_fetch_add(&test_order_count, 1);
	if (at < ORDER_MAX)
		test_order[at] = (uint32_t)mod_test_number(call, 0);
	return 0;
}

static int mod_test_flaky(plm_call *call)
{
	static _Atomic long calls[COUNTERS];
	unsigned long key = (unsigned long)mod_test_number(call, 0) % COUNTERS;
	long before = atomic_fetch_add(&calls[key], 1);
	if (before < mod_test_number(call, 1))
		return plm_fail(call, EAGAIN, "call %ld failed", before + 1);
	void *result = plm_result(call, sizeof before);
	if (!result)
		return plm_fail(call, ENOSPC, "no room");
	memcpy(result, &before, sizeof before);
	return 0;
}

static int mod_test_split(plm_call *call)
{
	for (size_t i = 0; i < plm_nargs(call); i++) {
		size_t length = 0;
		const void *data = plm_arg_data(call, i, &length);
		void *result = plm_result_at(call, (unsigned)i, length);
		if (!result)
			return plm_fail(call, ENOSPC, "no result %zu", i);
		memcpy(result, data, length);
	}
	return 0;
}

static int mod_test_environment(plm_call *call)
{
	char name[TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	if (data && length < sizeof name)
		memcpy(name, data, length);
	const char *value = getenv(name);
	if (!value)
		return plm_fail(call, ENOENT, "%s is not set", name);
	void *result = plm_result(call, strlen(value));
	if (!result)
		return plm_fail(call, ENOSPC, "no room");
	memcpy(result, value, strlen(value));
	return 0;
}

/* REF as text, no future argument: so the task runs, and waits in its function. */
static int mod_test_await(plm_call *call)
{
	char text[PLM_REF_TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	plm_ref ref;
	if (data && length < sizeof text)
		memcpy(text, data, length);
	if (plm_ref_parse(text, &ref) < 0)
		return plm_fail(call, EINVAL, "%s", plm_why());
	int r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

/* Waits for a child task, which the only worker runs meanwhile. */
static int mod_test_nest(plm_call *call)
{
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	plm_arg arg = PLM_BYTES(data, length);
	plm_task task = { .function = "probe.sleep", .args = &arg, .nargs = 1 };
	plm_ref ref;
	int r = plm_submit(plm_runtime(call), &task, &ref);
	if (r == 0)
		r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

/* REF as text: a hold that the function does not drop. */
static int mod_test_hold(plm_call *call)
{
	char text[PLM_REF_TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	plm_ref ref;
	if (data && length < sizeof text)
		memcpy(text, data, length);
	int r = plm_ref_parse(text, &ref);
	if (r == 0)
		r = plm_hold(plm_runtime(call), ref);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

PLM_MODULE(test, { "nest", mod_test_nest, "MILLISECONDS: waits for a task that sleeps so long" },
    { "await", mod_test_await, "TEXT: waits for the future that the text names" },
    { "environment", mod_test_environment, "NAME: the variable as the worker sees it" },
    { "hold", mod_test_hold, "TEXT: holds the future that the text names" },
    { "order", mod_test_order, "TAG: notes that it ran" },
    { "flaky", mod_test_flaky,
	"KEY N: fails the first N times in a process, then yields how often" },
    { "split", mod_test_split, "BYTES...: each argument is a result" });
