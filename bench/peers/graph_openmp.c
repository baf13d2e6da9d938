/* graph_openmp - task graphs with OpenMP tasks (gcc): one thread makes the tasks, two run them.
 * A task writes a byte and depends on bytes of the row above. */
#include <stdlib.h>

#include "base/clock.h"
#include "bench/peers/peer_graph.h"
#include "bench/work.h"

enum { THREADS = 2 };

static void make_task(
    const struct graph *graph, const char *above, char *mine, unsigned step, unsigned column)
{
	unsigned need[GRAPH_WIDTH_MAX], n = graph_needs(graph, step, column, need);
	uint64_t turns = graph->turns;
	(void)above; /* used below, which gcc's warning does not see */
	(void)n;
#pragma omp task depend(iterator(unsigned k = 0      \
				 : n),               \
			in                           \
			: above[need[k]]) depend(out \
						 : *mine) firstprivate(turns)
	work_turns(turns);
}

static void make_all(const struct graph *graph, char *byte)
{
	for (unsigned step = 0; step < graph->steps; step++) {
		char *row = byte + (size_t)step * graph->width;
		const char *above = step ? row - graph->width : row;
		for (unsigned i = 0; i < graph_row(graph, step); i++)
			make_task(graph, above, row + i, step, i);
	}
}

static uint64_t graph_openmp_run(const struct graph *graph)
{
	char *byte = calloc(graph->steps, graph->width);
	if (!byte)
		return 0;
	uint64_t start = clock_ns();
#pragma omp parallel num_threads(THREADS)
#pragma omp single
	make_all(graph, byte);
	uint64_t end = clock_ns();
	free(byte);
	return end - start;
}

int main(void)
{
	return graph_main(graph_openmp_run);
}
