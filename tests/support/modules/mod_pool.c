/* mod_pool.c - tasks that treat their worker badly: they leak, and they wait without a word. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plm.h"

enum { TEXT_BYTES = 32 };

char *pool_leaked; /* others could read it: no compiler may take it for unused */

static long mod_pool_number(plm_call *call)
{
	char text[TEXT_BYTES] = "";
	size_t length = 0;
	const void *data = plm_arg_data(call, 0, &length);
	if (data && length < TEXT_BYTES)
		memcpy(text, data, length);
	return strtol(text, NULL, 10);
}

/* BYTES: which it never gives back. */
static int mod_pool_leak(plm_call *call)
{
	size_t bytes = (size_t)mod_pool_number(call);
	pool_leaked = malloc(bytes);
	if (!pool_leaked)
		return plm_fail(call, ENOMEM, "no memory");
	memset(pool_leaked, 1, bytes);
	return 0;
}

/* MILLISECONDS: waits for a task that sleeps so long. */
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
