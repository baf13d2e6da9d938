#include "tests/support/random_graph.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "tests/support/run_suite.h"

enum {
	SMALL = 40,
	LARGE = GRAPH_VALUE_BYTES,
	INLINE_MAX = 300,
	ALWAYS = UINT16_MAX, /* failures */
	DEPTH_MAX = 2,
	CHILDREN_LEAST = 1,
	CHILDREN_SPAN = 3,
	PRIORITIES = 5,
};
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* ---- values ---- */

static uint64_t random_graph_mix(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *byte = data;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * HASH_FACTOR ^ hash >> 29;
	return (hash ^ length) * HASH_FACTOR;
}

static size_t value_of(uint64_t seed, unsigned char ret[])
{
	uint64_t high = seed >> 32;
	size_t length = high % 16 ? high / 16 % SMALL : high / 16 % LARGE;
	for (size_t i = 0; i < length; i++) {
		seed = seed * HASH_FACTOR + 1;
		ret[i] = (unsigned char)(seed >> 56);
	}
	return length;
}

size_t graph_value(const struct graph_node *n, unsigned result, unsigned char ret[])
{
	return value_of(random_graph_mix(n->hash, &result, sizeof result), ret);
}

void graph_inline(const struct graph_node *n, unsigned char ret[])
{
	uint64_t state = n->order.salt | 1;
	for (size_t i = 0; i < n->inline_bytes; i++)
		ret[i] = (unsigned char)random_next(&state);
}

/* ---- the sequential run ---- */

/* The hash of a task after all children. */
static uint64_t with_children(uint64_t hash, unsigned depth, unsigned children, int code)
{
	static const unsigned zero;
	uint64_t result = hash, value_seed = 0;
	unsigned char value[GRAPH_VALUE_BYTES];
	bool failed = false;
	for (unsigned i = 0; i < children; i++) {
		size_t length = sizeof hash;
		if (i % 2)
			length = value_of(value_seed, value);
		failed = (hash >> i) % 8 == 0 || (failed && i % 2);
		if (failed) {
			result = random_graph_mix(result, &code, sizeof code);
			continue;
		}
		uint64_t its = random_graph_mix(hash + i, i % 2 ? (void *)value : &hash, length);
		if (depth > 1)
			its = with_children(its, depth - 1, children, code);
		value_seed = random_graph_mix(its, &zero, sizeof zero);
		length = value_of(value_seed, value);
		result = random_graph_mix(result, value, length);
	}
	return result;
}

static uint64_t hash_of(const struct graph *g, const struct graph_node *n)
{
	unsigned char value[GRAPH_VALUE_BYTES];
	uint64_t hash = n->order.salt;
	for (unsigned i = 0; i < n->inputs; i++) {
		const struct graph_input *input = &n->input[i];
		size_t length = graph_value(&g->node[input->node], input->result, value);
		hash = random_graph_mix(hash, value, length);
	}
	graph_inline(n, value);
	if (n->inline_bytes)
		hash = random_graph_mix(hash, value, n->inline_bytes);
	if (n->order.depth)
		hash = with_children(hash, n->order.depth, n->order.children, n->order.code);
	return hash;
}

void graph_run(struct graph *g)
{
	for (unsigned i = 0; i < g->nodes; i++) {
		struct graph_node *n = &g->node[i];
		n->roots = 0;
		n->calls = 0;
		for (unsigned k = 0; k < n->inputs; k++)
			n->roots |= g->node[n->input[k].node].roots;
		if (n->roots == 0 && n->order.failures > n->retries) {
			n->roots = UINT64_C(1) << i;
			n->calls = n->retries + 1;
		} else if (n->roots == 0) {
			n->hash = hash_of(g, n);
			n->calls = n->object ? 0 : n->order.failures + 1;
		}
	}
}

/* ---- making a graph ---- */

static unsigned random_graph_below(uint64_t *random, unsigned n)
{
	return (unsigned)(random_next(random) >> 16) % n;
}

static bool one_in(uint64_t *random, unsigned n)
{
	return random_graph_below(random, n) == 0;
}

static void random_graph_join(struct graph *g, unsigned from, unsigned to, uint64_t *random)
{
	struct graph_node *n = &g->node[to];
	if (n->inputs == GRAPH_INPUTS)
		return;
	n->input[n->inputs++] =
	    (struct graph_input){ from, random_graph_below(random, g->node[from].order.results) };
	g->node[from].needed = true;
}

static void make_chains(struct graph *g, uint64_t *random)
{
	unsigned chains = 1 + random_graph_below(random, 4);
	for (unsigned i = chains; i < g->nodes; i++)
		random_graph_join(g, i - chains, i, random);
}

static void make_fan(struct graph *g, uint64_t *random)
{
	for (unsigned i = 1; i < g->nodes; i++)
		random_graph_join(g, 0, i, random);
}

static void make_gathering(struct graph *g, uint64_t *random)
{
	for (unsigned i = 0; i + 1 < g->nodes; i++)
		random_graph_join(g, i, g->nodes - 1, random);
}

/* Diamonds: a node, several dependants, a node that joins them and begins the next diamond. */
static void make_diamonds(struct graph *g, uint64_t *random)
{
	unsigned top = 0, width = 2 + random_graph_below(random, 6);
	while (top + width + 1 < g->nodes) {
		unsigned bottom = top + width + 1;
		for (unsigned i = top + 1; i < bottom; i++) {
			random_graph_join(g, top, i, random);
			random_graph_join(g, i, bottom, random);
		}
		top = bottom;
	}
	g->nodes = top + 1;
}

static void make_layers(struct graph *g, uint64_t *random)
{
	unsigned width = 2 + random_graph_below(random, 7);
	for (unsigned i = width; i < g->nodes; i++) {
		unsigned above = (i / width - 1) * width;
		for (unsigned k = 0; k < width; k++)
			if (!one_in(random, 3))
				random_graph_join(g, above + k, i, random);
	}
}

/* The same input may come twice. */
static void make_random(struct graph *g, uint64_t *random)
{
	for (unsigned i = 1; i < g->nodes; i++)
		for (unsigned k = random_graph_below(random, 5); k > 0; k--)
			random_graph_join(g, random_graph_below(random, i), i, random);
}

static void make_tree(struct graph *g, uint64_t *random)
{
	unsigned arity = 2 + random_graph_below(random, 3);
	for (unsigned i = 1; i < g->nodes; i++)
		random_graph_join(g, (i - 1) / arity, i, random);
}

static const struct {
	const char *name;
	void (*make)(struct graph *g, uint64_t *random);
} shapes[] = { { "chains", make_chains }, { "fan", make_fan }, { "gathering", make_gathering },
	{ "diamonds", make_diamonds }, { "layers", make_layers }, { "random", make_random },
	{ "tree", make_tree } };

/* Call before edges choose among the results. */
static void make_node(struct graph_node *n, unsigned number, unsigned trouble, uint64_t *random)
{
	n->order = (struct graph_order){ .salt = random_next(random),
		.code = (int32_t)(GRAPH_CODE + number),
		.results = one_in(random, 4) ? 1 + random_graph_below(random, GRAPH_RESULTS) : 1 };
	if (one_in(random, 4))
		n->priority = (int)random_graph_below(random, PRIORITIES) - PRIORITIES / 2;
	if (one_in(random, 4))
		n->inline_bytes = 1 + random_graph_below(random, INLINE_MAX);
	if (one_in(random, 12)) {
		n->order.depth = 1 + random_graph_below(random, DEPTH_MAX);
		n->order.children = CHILDREN_LEAST + random_graph_below(random, CHILDREN_SPAN);
	}
	n->retries = random_graph_below(random, 3);
	if (trouble && one_in(random, trouble)) {
		n->order.failures = one_in(random, 3) ? ALWAYS : 1 + random_graph_below(random, 3);
		if (n->order.failures != ALWAYS)
			n->retries = n->order.failures + random_graph_below(random, 2);
	}
}

/* A node without inputs may be an object. */
static void finish_node(struct graph_node *n, uint64_t *random)
{
	if (n->inputs == 0 && n->order.results == 1 && one_in(random, 3)) {
		n->object = true;
		n->inline_bytes = 0;
		n->order.failures = n->order.depth = 0;
	}
	n->dropped = n->needed && one_in(random, 3);
}

void graph_make(struct graph *g, uint64_t seed)
{
	static const unsigned troubles[] = { 0, 4, 12,
		40 }; /* one node in so many fails; 0: none */
	uint64_t random = (seed + 1) * HASH_FACTOR | 1;
	memset(g, 0, sizeof *g);
	g->seed = seed;
	for (int i = 0; i < 8; i++)
		random_next(&random);
	unsigned shape = random_graph_below(&random, COUNT_OF(shapes));
	unsigned trouble = troubles[random_graph_below(&random, COUNT_OF(troubles))];
	g->shape = shapes[shape].name;
	g->together = one_in(&random, 2);
	g->nodes =
	    1 + random_graph_below(&random, one_in(&random, 4) ? GRAPH_NODES : GRAPH_NODES / 4);
	for (unsigned i = 0; i < g->nodes; i++)
		make_node(&g->node[i], i, trouble, &random);
	shapes[shape].make(g, &random);
	for (unsigned i = 0; i < g->nodes; i++)
		finish_node(&g->node[i], &random);
}

/* ---- for people ---- */

void graph_print(const struct graph *g, FILE *out)
{
	fprintf(out, "graph %" PRIu64 ": %s, %u nodes, submitted %s\n", g->seed, g->shape, g->nodes,
	    g->together ? "together" : "one by one");
	for (unsigned i = 0; i < g->nodes; i++) {
		const struct graph_node *n = &g->node[i];
		fprintf(out, "%4u %s priority %d results %u", i, n->object ? "object" : "task",
		    n->priority, n->order.results);
		if (n->order.failures)
			fprintf(out, " fails %u of %u times", n->order.failures, n->retries + 1);
		if (n->order.depth)
			fprintf(out, " depth %u of %u", n->order.depth, n->order.children);
		if (n->dropped)
			fprintf(out, " dropped");
		fprintf(out, n->inputs ? " <-" : "");
		for (unsigned k = 0; k < n->inputs; k++)
			fprintf(out, " %u.%u", n->input[k].node, n->input[k].result);
		fprintf(out, n->roots ? " must fail by %#" PRIx64 "\n" : "\n", n->roots);
	}
}
