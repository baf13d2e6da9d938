/* peer_graph.h - task graphs in steps, as in Task Bench: `width` columns, `steps` rows; a task
 * needs some of the tasks of the row above. Each runtime builds and runs the graphs in its own way
 * (graph_*.c).
 *
 *	trivial  nothing                      spread   three distant columns, new ones each step
 *	chain    the task's own column        fft      the column and the partners of a butterfly
 *	stencil  the column and neighbours    tree     opens from one column to all, and closes
 *	nearest  two neighbours to each side  random   each column with one half of probability
 *
 * A program here reads lines of `PATTERN WIDTH STEPS TURNS` from standard input and answers with
 * the time of the graph in ns, from the first submission to the end of the last task; with `ahead`
 * behind the line, from the moment at which all tasks have been submitted (plm alone). To `turns N`
 * a program answers with the time of N turns of the work alone. */
#ifndef PLM_BENCH_GRAPH_H
#define PLM_BENCH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GRAPH_WIDTH_MAX = 64 };

enum graph_pattern {
	GRAPH_TRIVIAL,
	GRAPH_CHAIN,
	GRAPH_STENCIL,
	GRAPH_NEAREST,
	GRAPH_SPREAD,
	GRAPH_FFT,
	GRAPH_TREE,
	GRAPH_RANDOM,
	GRAPH_PATTERNS,
};

struct graph {
	enum graph_pattern pattern;
	unsigned width, steps;
	uint64_t turns; /* the work of a task */
	bool ahead;     /* the whole graph is submitted before the first task starts */
};

/* The number of tasks in the row: columns 0 to this number less one. */
unsigned graph_row(const struct graph *graph, unsigned step);
/* Fills in the columns of the row above that this task needs; returns their number. */
unsigned graph_needs(
    const struct graph *graph, unsigned step, unsigned column, unsigned ret[GRAPH_WIDTH_MAX]);
bool graph_needs_one(const struct graph *graph, unsigned step, unsigned column, unsigned other);

/* Reads one request. 1: *ret is a graph to run; 0: answered already; -1: the end. */
int graph_request(struct graph *ret);
void graph_answer(uint64_t ns);

/* All of main() for a runtime of one process. `run` returns ns; 0: it failed. */
int graph_main(uint64_t (*run)(const struct graph *graph));

#endif
