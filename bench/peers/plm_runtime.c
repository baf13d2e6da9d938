/* plm_runtime - plm as one contestant among the others: the default build, the default options. */
#include <errno.h>
#include <stdlib.h>

#include "bench/peers/peer.h"
#include "bench/runtime.h"

enum { BATCH = 10000, IN_FLIGHT = 2, PATIENCE_MS = 60000 };

static struct runtime runtime;
static const char *path = "./plm";
static plm_task task[BATCH];
static plm_ref ref[IN_FLIGHT][BATCH];

static int start(void)
{
	struct runtime_options options = { .path = path, .workers = PEER_WORKERS };
	for (int i = 0; i < BATCH; i++)
		task[i].function = "probe.noop";
	return runtime_start(&options, &runtime);
}

static void stop(void)
{
	runtime_stop(&runtime);
}

static int one_of(const plm_task *todo)
{
	plm_ref future;
	plm_view view;
	int r = plm_submit(runtime.client, todo, &future);
	if (r < 0)
		return r;
	r = plm_get(runtime.client, future, &view, PATIENCE_MS);
	if (r >= 0)
		plm_release(runtime.client, &view);
	plm_drop(runtime.client, future);
	return r;
}

static int one(void)
{
	return one_of(task);
}

static int settle(plm_ref *refs, size_t n)
{
	int r = plm_wait(runtime.client, refs, n, n, PATIENCE_MS, NULL);
	plm_drop_many(runtime.client, refs, n);
	return r;
}

/* Two batches in flight: one is submitted while the other runs. */
static int many(size_t n)
{
	int r = plm_submit_many(runtime.client, task, n / 2, ref[0]);
	for (int i = 1; i < IN_FLIGHT && r >= 0; i++)
		r = plm_submit_many(runtime.client, task, n / 2, ref[i]);
	for (int i = 0; i < IN_FLIGHT && r >= 0; i++)
		r = settle(ref[i], n / 2);
	return r;
}

static int each(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = plm_submit(runtime.client, task, &ref[0][i]);
		if (r < 0)
			return r;
	}
	return settle(ref[0], n);
}

static int touch(const void *data, size_t bytes)
{
	plm_ref object;
	int r = plm_put(runtime.client, data, bytes, &object);
	if (r < 0)
		return r;
	plm_arg arg = PLM_FUTURE(object);
	plm_task todo = { .function = "probe.noop", .args = &arg, .nargs = 1 };
	r = one_of(&todo);
	plm_drop(runtime.client, object);
	return r;
}

int main(int argc, char **argv)
{
	static const struct peer peer = { start, stop, one, many, each, touch, BATCH };
	if (argc > 1)
		path = argv[1];
	return peer_main(&peer);
}
