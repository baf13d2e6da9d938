/* random_graph.h - random graphs of tasks: made from a seed, run in order in one process, printed.
 *
 * The same seed makes the same graph. Values are defined here and in mod_graph.c, twice on purpose:
 * the module runs in workers, and this file computes the expected values.
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

struct graph_order { /* the argument of mod_graph.c */
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
	bool object;  /* made by put; else a task */
	bool dropped; /* right after the submission, though other nodes need the value */
	bool needed;  /* the input of another node */
	struct graph_order order; /* the runner of the graph sets the count */
	unsigned retries;
	int priority;
	unsigned inputs;
	struct graph_input input[GRAPH_INPUTS];
	size_t inline_bytes; /* one more argument, of graph_inline() */

	/* expected (graph_run) */
	uint64_t hash;
	uint64_t roots; /* nodes whose failure reaches this node; 0: done */
	uint32_t calls; /* of the function, if no worker dies */
};

struct graph {
	uint64_t seed;
	const char *shape;
	bool together; /* submitted in as few batches as possible */
	unsigned nodes;
	struct graph_node node[GRAPH_NODES];
};

void graph_make(struct graph *g, uint64_t seed);
void graph_run(struct graph *g);
/* A value of a done node; returns the length. */
size_t graph_value(const struct graph_node *n, unsigned result, unsigned char ret[]);
void graph_inline(const struct graph_node *n, unsigned char ret[]);
void graph_print(const struct graph *g, FILE *out);

#endif
