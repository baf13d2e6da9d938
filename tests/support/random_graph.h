/* random_graph.h - random graphs of tasks: made from a seed, run in their order in one process,
 * printed.
 *
 * The same seed makes the same graph. The values are those of mod_graph.c, defined a second
 * time on purpose: the one runs in workers, the other is what must come out.
 * Where: private memory.  Blocks: never. */
#ifndef PLM_TEST_GRAPH_H
#define PLM_TEST_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	GRAPH_NODES = 64, /* a bit each in a word */
	GRAPH_INPUTS = 48,
	GRAPH_RESULTS = 4,
	GRAPH_VALUE_BYTES = 3000,
	GRAPH_CODE = 1000, /* node n fails with GRAPH_CODE + n */
};

struct graph_order { /* as mod_graph.c reads it */
	uint64_t salt;
	int64_t count;
	uint32_t failures;
	int32_t code;
	uint32_t results, depth, children;
};

struct graph_input {
	unsigned node, result;
};

struct graph_node {
	bool object;              /* it is put; else a task */
	bool dropped;             /* at once when all is submitted: others need it */
	bool needed;              /* it is somebody's input */
	struct graph_order order; /* its count is to be set by who runs it */
	unsigned retries;
	int priority;
	unsigned inputs;
	struct graph_input input[GRAPH_INPUTS];
	size_t inline_bytes; /* one more argument, of graph_inline() */

	/* what must come of it (graph_run) */
	uint64_t hash;
	uint64_t roots; /* nodes whose failure reaches it; 0: done */
	uint32_t calls; /* of its function, when no worker dies */
};

struct graph {
	uint64_t seed;
	const char *shape;
	bool together; /* as many in one submission as there can be */
	unsigned nodes;
	struct graph_node node[GRAPH_NODES];
};

void graph_make(struct graph *g, uint64_t seed);
void graph_run(struct graph *g);
/* A value of a node that is done: its length. */
size_t graph_value(const struct graph_node *n, unsigned result, unsigned char ret[]);
void graph_inline(const struct graph_node *n, unsigned char ret[]);
void graph_print(const struct graph *g, FILE *out);

#endif
