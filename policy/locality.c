#include <stdbool.h>

#include "policy/key.h"
#include "policy/policies.h"

static uint64_t locality_key(const struct policy_worker *worker)
{
	return key_make(worker->free / worker->slots, key_warmth(worker));
}

/* Like the key, without the division: all workers of a node are equals, and compared often. */
static bool locality_less_loaded(const struct policy_worker *a, const struct policy_worker *b)
{
	uint64_t free_a = a->free * b->slots, free_b = b->free * a->slots;
	return free_a != free_b ? free_a > free_b : key_warmth(a) > key_warmth(b);
}

struct nearness { /* the first member counts most */
	uint64_t in_cache;
	uint64_t on_node;
	const struct policy_worker *worker;
};

static bool locality_nearer(const struct nearness *a, const struct nearness *b)
{
	if (a->in_cache != b->in_cache)
		return a->in_cache > b->in_cache;
	if (a->on_node != b->on_node)
		return a->on_node > b->on_node;
	return (a->in_cache | a->on_node) > 0 && locality_less_loaded(a->worker, b->worker);
}

static struct nearness locality_nearness_of(
    const struct policy_view *view, uint32_t number, const struct policy_bytes *bytes, size_t n)
{
	struct nearness sum = { .worker = &view->worker[number] };
	for (size_t i = 0; i < n; i++) {
		sum.in_cache += bytes[i].worker == number ? bytes[i].bytes : 0;
		sum.on_node += bytes[i].node == sum.worker->node ? bytes[i].bytes : 0;
	}
	return sum;
}

static bool locality_is_open(const struct policy_view *view, uint32_t number)
{
	for (uint32_t i = 0; i < view->n; i++)
		if (view->open[i] == number)
			return true;
	return false;
}

/* Weighs only workers named by the bytes. */
static uint32_t locality_nearest_cache(
    const struct policy_view *view, const struct policy_bytes *bytes, size_t n)
{
	struct nearness best = { 0 };
	uint32_t ret = POLICY_NOBODY;
	for (size_t i = 0; i < n; i++) {
		if (bytes[i].bytes == 0 || !locality_is_open(view, bytes[i].worker))
			continue;
		struct nearness one = locality_nearness_of(view, bytes[i].worker, bytes, n);
		if (ret == POLICY_NOBODY || locality_nearer(&one, &best)) {
			best = one;
			ret = bytes[i].worker;
		}
	}
	return ret;
}

static uint32_t locality_nearest_node(
    const struct policy_view *view, const struct policy_bytes *bytes, size_t n)
{
	struct nearness best = { 0 };
	uint32_t ret = POLICY_NOBODY;
	for (uint32_t i = 0; i < view->n; i++) {
		struct nearness one = locality_nearness_of(view, view->open[i], bytes, n);
		if (locality_nearer(&one, &best)) {
			best = one;
			ret = view->open[i];
		}
	}
	return ret;
}

static bool locality_on_a_node(const struct policy_bytes *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i].node != POLICY_NOBODY && bytes[i].bytes > 0)
			return true;
	return false;
}

static uint32_t locality_nearest(
    const struct policy_view *view, const struct policy_bytes *bytes, size_t n)
{
	uint32_t number = locality_nearest_cache(view, bytes, n);
	if (number != POLICY_NOBODY || !locality_on_a_node(bytes, n))
		return number;
	return locality_nearest_node(view, bytes, n);
}

const struct policy policy_locality = {
	.name = "locality",
	.help = "where most bytes of its arguments lie: cache, then node; else the least loaded",
	.key = locality_key,
	.thrifty = true,
	.near = locality_nearest,
};
