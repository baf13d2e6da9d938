/* graph_plm - task graphs on plm: a call for each row; all is awaited and dropped at the end, which
 * is timed too. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/peers/peer_graph.h"
#include "bench/measured_runtime.h"

enum { PATIENCE_MS = 60000, WORKERS = 2, ARGS_MAX = GRAPH_WIDTH_MAX + 1 };

static struct runtime runtime;

struct row_of_tasks {
	plm_task task[GRAPH_WIDTH_MAX];
	plm_arg arg[GRAPH_WIDTH_MAX][ARGS_MAX];
};

static void row_make(
    const struct graph *graph, unsigned step, const plm_ref *above, struct row_of_tasks *ret)
{
	for (unsigned i = 0; i < graph_row(graph, step); i++) {
		unsigned need[GRAPH_WIDTH_MAX], n = graph_needs(graph, step, i, need);
		plm_arg *arg = ret->arg[i];
		arg[0] = PLM_BYTES(&graph->turns, sizeof graph->turns);
		for (unsigned k = 0; k < n; k++)
			arg[k + 1] = PLM_FUTURE(above[need[k]]);
		ret->task[i] = (plm_task){ .function = "bench.work", .args = arg, .nargs = n + 1 };
	}
}

/* All tasks have to end, not the last row alone: nothing waits for a task of `trivial`. */
static int graph_plm_settle(const plm_ref *refs, size_t n)
{
	int r = plm_wait(runtime.client, refs, n, n, PATIENCE_MS, NULL);
	plm_drop_many(runtime.client, refs, n);
	return r;
}

static int submit_rows(const struct graph *graph, plm_ref *refs, size_t *ret)
{
	static struct row_of_tasks row;
	size_t n = 0;
	int r = 0;
	for (unsigned step = 0; step < graph->steps && r >= 0; step++) {
		unsigned width = graph_row(graph, step);
		size_t above = step ? n - graph_row(graph, step - 1) : 0;
		row_make(graph, step, refs + above, &row);
		r = plm_submit_many(runtime.client, row.task, width, refs + n);
		n += width;
	}
	*ret = n;
	return r;
}

static uint64_t graph_plm_run(const struct graph *graph)
{
	plm_ref *refs = calloc((size_t)graph->steps * graph->width, sizeof *refs);
	size_t n = 0;
	if (graph->ahead)
		plm_pause(runtime.client);
	uint64_t start = clock_ns();
	int r = refs ? submit_rows(graph, refs, &n) : -ENOMEM;
	if (graph->ahead) {
		start = clock_ns();
		plm_resume(runtime.client);
	}
	if (r >= 0)
		r = graph_plm_settle(refs, n);
	uint64_t end = clock_ns();
	free(refs);
	if (r >= 0)
		return end - start;
	bench_failed("a graph", r);
	return 0;
}

/* graph_plm [PLM [MODULE [WORKERS]]] */
int main(int argc, char **argv)
{
	struct runtime_options options = { .path = argc > 1 ? argv[1] : "./plm",
		.workers = argc > 3 ? (unsigned)atoi(argv[3]) : WORKERS };
	int r = runtime_start(&options, &runtime);
	if (r >= 0 && argc > 2)
		r = plm_module_load(runtime.client, argv[2]);
	if (r < 0) {
		bench_failed("bench.so", r);
		return EXIT_FAILURE;
	}
	r = graph_main(graph_plm_run);
	runtime_stop(&runtime);
	return r;
}
