/* mod_graph.c - a task of a random graph: its results depend on all its arguments, in order.
 *
 * The first argument is an order, further arguments are inputs. A hash over the order's salt and
 * the bytes of the inputs becomes the seed of each result; tests/support/random_graph.c computes
 * the same in one process. The file $TEST_CALLS, 32-bit counts, has the number of calls of each
 * task. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "given.h"

enum { CHILDREN_MAX = 8, SMALL = 40, LARGE = 3000, CRASH_RETRIES = 200, NOT_COUNTED = -1 };
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct order {
	uint64_t salt;
	int64_t count;     /* index of its count in $TEST_CALLS */
	uint32_t failures; /* how many calls fail */
	int32_t code;      /* with this error */
	uint32_t results;
	uint32_t depth, children; /* of the tree of tasks below; their calls are not counted */
};

static uint64_t mod_graph_mix(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *byte = data;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * HASH_FACTOR ^ hash >> 29;
	return (hash ^ length) * HASH_FACTOR;
}

static size_t length_of(uint64_t seed)
{
	uint64_t high = seed >> 32;
	return high % 16 ? high / 16 % SMALL : high / 16 % LARGE;
}

static void mod_graph_fill(unsigned char *data, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * HASH_FACTOR + 1;
		data[i] = (unsigned char)(seed >> 56);
	}
}

/* ---- counts of calls ---- */

static _Atomic uint32_t *counts; /* mapped once in a process */
static size_t counts_n;

static int open_counts(void)
{
	size_t bytes;
	counts = given_memory(getenv("TEST_CALLS"), &bytes);
	if (!counts)
		return -1;
	counts_n = bytes / sizeof *counts;
	return 0;
}

/* A task that is not counted fails at each call, or never. */
static int count_call(plm_call *call, const struct order *order, uint32_t *ret_before)
{
	*ret_before = 0;
	if (order->count == NOT_COUNTED)
		return 0;
	if (!counts && open_counts() < 0)
		return plm_fail(call, EBADF, "no file of counts");
	if ((uint64_t)order->count >= counts_n)
		return plm_fail(call, ERANGE, "count %lld", (long long)order->count);
	*ret_before = atomic_fetch_add(&counts[order->count], 1);
	return 0;
}

/* ---- the tasks below ---- */

/* Even children get an object of the parent, odd children the value of the child before; some fail.
 */
static int submit_children(plm_call *call, const struct order *order, uint64_t hash,
    plm_ref *object, plm_ref *child, size_t *ret_n)
{
	plm *rt = plm_runtime(call);
	int r = plm_put(rt, &hash, sizeof hash, object);
	for (*ret_n = 0; r == 0 && *ret_n < order->children && *ret_n < CHILDREN_MAX;) {
		size_t i = *ret_n;
		struct order its = { .salt = hash + i,
			.count = NOT_COUNTED,
			.failures = (hash >> i) % 8 == 0,
			.code = order->code,
			.results = 1,
			.depth = order->depth - 1,
			.children = order->children };
		plm_arg args[] = { PLM_BYTES(&its, sizeof its),
			PLM_FUTURE(i % 2 ? child[i - 1] : *object) };
		plm_task task = { .function = "graph.node",
			.args = args,
			.nargs = 2,
			.priority = (int)i,
			.crash_retries = CRASH_RETRIES };
		r = plm_submit(rt, &task, &child[i]);
		*ret_n += r == 0;
	}
	return r;
}

/* Adds the value of a child, or the code of its intended failure; any other failure fails the task.
 */
static int mix_child(plm_call *call, plm_ref child, int code, uint64_t *hash)
{
	plm *rt = plm_runtime(call);
	plm_view view;
	plm_failure failure;
	int r = plm_get(rt, child, &view, -1);
	if (r == 0) {
		*hash = mod_graph_mix(*hash, view.data, view.len);
		plm_release(rt, &view);
		return 0;
	}
	if (r != -PLM_EFAILED || (r = plm_error(rt, child, &failure)) < 0)
		return plm_fail(call, -r, "a child: %s", plm_why());
	if (failure.code != code)
		return plm_fail(call, failure.code, "a child: %s", failure.message);
	*hash = mod_graph_mix(*hash, &failure.code, sizeof failure.code);
	return 0;
}

static int mix_children(plm_call *call, const struct order *order, uint64_t *hash)
{
	plm *rt = plm_runtime(call);
	plm_ref object = PLM_NONE, child[CHILDREN_MAX];
	size_t n;
	int r = submit_children(call, order, *hash, &object, child, &n);
	if (r < 0)
		r = plm_fail(call, -r, "its children: %s", plm_why());
	for (size_t i = 0; r == 0 && i < n; i++)
		r = mix_child(call, child[i], order->code, hash);
	plm_drop_many(rt, child, n);
	if (object.id)
		plm_drop(rt, object);
	return r;
}

/* ---- the task ---- */

static int yield_results(plm_call *call, const struct order *order, uint64_t hash)
{
	for (unsigned i = 0; i < order->results; i++) {
		uint64_t seed = mod_graph_mix(hash, &i, sizeof i);
		unsigned char *result = plm_result_at(call, i, length_of(seed));
		if (!result)
			return plm_fail(call, ENOSPC, "%s", plm_why());
		mod_graph_fill(result, length_of(seed), seed);
	}
	return 0;
}

/* ORDER INPUT... */
static int mod_graph_node(plm_call *call)
{
	struct order order;
	size_t length;
	uint32_t before;
	const void *data = plm_arg_data(call, 0, &length);
	if (length != sizeof order)
		return plm_fail(call, EINVAL, "an order of %zu bytes", length);
	memcpy(&order, data, sizeof order);
	uint64_t hash = order.salt;
	for (size_t i = 1; i < plm_nargs(call); i++) {
		data = plm_arg_data(call, i, &length);
		hash = mod_graph_mix(hash, data, length);
	}
	int r = count_call(call, &order, &before);
	if (r == 0 && order.depth > 0)
		r = mix_children(call, &order, &hash);
	if (r == 0)
		r = yield_results(call, &order, hash);
	if (r == 0 && before < order.failures) /* no process may see these results */
		r = plm_fail(call, order.code, "call %u fails", before + 1);
	return r;
}

PLM_MODULE(graph, { "node", mod_graph_node, "ORDER INPUT...: results made of all it is given" });
