/* mod_pool.c - tasks that leak memory of their worker, or wait inside for a task. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plm.h"

enum { TEXT_BYTES = 32 };

char *pool_leaked; /* global, so that no compiler removes the allocation */

static long mod_pool_number(plm_call *call)
{
	char text[TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	if (data && length < TEXT_BYTES)
		memcpy(text, data, length);
	return strtol(text, NULL, 10);
}

/* BYTES: allocates and never frees. */
static int mod_pool_leak(plm_call *call)
{
	size_t bytes = (size_t)mod_pool_number(call);
	pool_leaked = malloc(bytes);
	if (!pool_leaked)
		return plm_fail(call, ENOMEM, "no memory");
	memset(pool_leaked, 1, bytes);
	return 0;
}

/* MILLISECONDS: waits for a task that sleeps for this time. */
static int mod_pool_await(plm_call *call)
{
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	plm_arg arg = PLM_BYTES(data, length);
	plm_task task = { .function = "probe.sleep", .args = &arg, .nargs = 1 };
	plm_ref ref;
	if (plm_submit(plm_runtime(call), &task, &ref) < 0 ||
	    plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL) < 0)
		return plm_fail(call, EIO, "%s", plm_why());
	return 0;
}

PLM_MODULE(pool, { "leak", mod_pool_leak, "BYTES: leaks so many" },
    { "await", mod_pool_await, "MILLISECONDS: waits for a task that sleeps so long" });
