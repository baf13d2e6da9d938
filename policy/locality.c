#include <stdbool.h>

#include "policy/key.h"
#include "policy/policies.h"

static uint64_t key(const struct policy_worker *worker)
{
	return key_make(worker->free / worker->slots, key_warmth(worker));
}

struct nearness { /* what comes first counts most */
	uint64_t in_cache;
	uint64_t on_node;
	uint64_t key;
};

static bool nearer(const struct nearness *a, const struct nearness *b)
{
	if (a->in_cache != b->in_cache)
		return a->in_cache > b->in_cache;
	if (a->on_node != b->on_node)
		return a->on_node > b->on_node;
	return a->key > b->key;
}

static struct nearness nearness_of(const struct policy_view *view, uint32_t number,
    const struct policy_bytes *bytes, size_t n)
{
	const struct policy_worker *worker = &view->worker[number];
	struct nearness sum = { .key = key(worker) };
	for (size_t i = 0; i < n; i++) {
		sum.in_cache += bytes[i].worker == number ? bytes[i].bytes : 0;
		sum.on_node += bytes[i].node == worker->node ? bytes[i].bytes : 0;
	}
	return sum;
}

static uint32_t nearest(const struct policy_view *view, const struct policy_bytes *bytes, size_t n)
{
	struct nearness best = { 0 };
	uint32_t ret = POLICY_NOBODY;
	for (uint32_t i = 0; i < view->n; i++) {
		struct nearness one = nearness_of(view, view->open[i], bytes, n);
		if (one.in_cache + one.on_node > 0 && nearer(&one, &best)) {
			best = one;
			ret = view->open[i];
		}
	}
	return ret;
}

const struct policy policy_locality = {
	.name = "locality",
	.help = "where most bytes of its arguments lie: cache, then node; else the least loaded",
	.key = key,
	.thrifty = true,
	.near = nearest,
};
