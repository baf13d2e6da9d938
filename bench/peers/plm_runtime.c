/* plm_runtime - plm as a contestant: the default build, the default options.
 *
 *	plm_runtime PLM [MODULE [STORE [place]]]
 *
 * With the module of the benchmarks the contestant answers `touch`, in a store of the given size.
 *With `place` the client writes the bytes of the object in place, so no copy is measured. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bench/commands.h"
#include "bench/peers/peer.h"
#include "bench/measured_runtime.h"

enum { BATCH = 10000, IN_FLIGHT = 2, PATIENCE_MS = 60000 };

static struct runtime runtime;
static const char *path = "./plm", *module, *store;
static bool in_place;
static plm_task task[BATCH];
static plm_ref ref[IN_FLIGHT][BATCH];

static int plm_runtime_start(void)
{
	struct runtime_options options = { .path = path, .workers = PEER_WORKERS, .store = store };
	for (int i = 0; i < BATCH; i++)
		task[i].function = "probe.noop";
	int r = runtime_start(&options, &runtime);
	return r < 0 || !module ? r : plm_module_load(runtime.client, module);
}

static void plm_runtime_stop(void)
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

static int plm_runtime_one(void)
{
	return one_of(task);
}

static int plm_runtime_settle(plm_ref *refs, size_t n)
{
	int r = plm_wait(runtime.client, refs, n, n, PATIENCE_MS, NULL);
	plm_drop_many(runtime.client, refs, n);
	return r;
}

/* Two batches in flight: one batch is submitted while another runs. */
static int plm_runtime_many(size_t n)
{
	int r = plm_submit_many(runtime.client, task, n / 2, ref[0]);
	for (int i = 1; i < IN_FLIGHT && r >= 0; i++)
		r = plm_submit_many(runtime.client, task, n / 2, ref[i]);
	for (int i = 0; i < IN_FLIGHT && r >= 0; i++)
		r = plm_runtime_settle(ref[i], n / 2);
	return r;
}

static int plm_runtime_each(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = plm_submit(runtime.client, task, &ref[0][i]);
		if (r < 0)
			return r;
	}
	return plm_runtime_settle(ref[0], n);
}

/* For an object written in place the writer pays only for the writes: two writes stand for all. */
static int make_object(const void *data, size_t bytes, plm_ref *ret)
{
	if (!in_place)
		return plm_put(runtime.client, data, bytes, ret);
	void *place;
	int r = plm_create(runtime.client, bytes, &place, ret);
	if (r < 0)
		return r;
	((char *)place)[0] = ((char *)place)[bytes - 1] = 'x';
	return plm_seal(runtime.client, *ret);
}

static int plm_runtime_touch(const void *data, size_t bytes)
{
	plm_ref object;
	int r = make_object(data, bytes, &object);
	if (r < 0)
		return r;
	plm_arg arg = PLM_FUTURE(object);
	plm_task todo = { .function = "bench.touch", .args = &arg, .nargs = 1 };
	r = one_of(&todo);
	plm_drop(runtime.client, object);
	return r;
}

static int plm_runtime_commands(size_t n)
{
	struct commands batch;
	int r = commands_make(&batch, runtime.client, n);
	if (r < 0)
		return r;
	r = commands_run(&batch, n);
	commands_free(&batch);
	return r;
}

int main(int argc, char **argv)
{
	struct peer peer = { plm_runtime_start, plm_runtime_stop, plm_runtime_one, plm_runtime_many,
		plm_runtime_each, NULL, BATCH, plm_runtime_commands };
	path = argc > 1 ? argv[1] : path;
	module = argc > 2 ? argv[2] : NULL;
	store = argc > 3 ? argv[3] : NULL;
	in_place = argc > 4;
	peer.touch = module ? plm_runtime_touch : NULL;
	return peer_main(&peer);
}
