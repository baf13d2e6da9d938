/* graph_starpu - task graphs with StarPU: two workers of one process, dependencies declared task
 * by task. */
#include <starpu.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/peers/peer_graph.h"
#include "bench/work.h"

static void graph_starpu_work(void *buffers[], void *argument)
{
	(void)buffers;
	work_turns((uint64_t)(uintptr_t)argument);
}

static struct starpu_codelet codelet = {
	.cpu_funcs = { graph_starpu_work }, .nbuffers = 0, .name = "work"
};

static struct starpu_task *make_task(
    const struct graph *graph, struct starpu_task *const *above, unsigned step, unsigned column)
{
	unsigned need[GRAPH_WIDTH_MAX], n = graph_needs(graph, step, column, need);
	struct starpu_task *task = starpu_task_create(), *needed[GRAPH_WIDTH_MAX];
	task->cl = &codelet;
	task->cl_arg = (void *)(uintptr_t)graph->turns;
	task->destroy = 0;
	for (unsigned k = 0; k < n; k++)
		needed[k] = above[need[k]];
	if (n)
		starpu_task_declare_deps_array(task, n, needed);
	return starpu_task_submit(task) == 0 ? task : NULL;
}

static size_t make_all(const struct graph *graph, struct starpu_task **task)
{
	size_t n = 0;
	for (unsigned step = 0; step < graph->steps; step++) {
		unsigned width = graph_row(graph, step);
		size_t above = step ? n - graph_row(graph, step - 1) : 0;
		for (unsigned i = 0; i < width; i++)
			task[n + i] = make_task(graph, task + above, step, i);
		n += width;
	}
	return n;
}

static uint64_t graph_starpu_run(const struct graph *graph)
{
	struct starpu_task **task = calloc((size_t)graph->steps * graph->width, sizeof(void *));
	if (!task)
		return 0;
	starpu_resume();
	uint64_t start = clock_ns();
	size_t n = make_all(graph, task);
	starpu_task_wait_for_all();
	uint64_t end = clock_ns();
	starpu_pause(); /* rest while other contestants are measured */
	for (size_t i = 0; i < n; i++)
		starpu_task_destroy(task[i]);
	free(task);
	return end - start;
}

int main(void)
{
	setenv("STARPU_NCPU", "2", 0);
	setenv("STARPU_NCUDA", "0", 0);
	setenv("STARPU_NOPENCL", "0", 0);
	setenv("STARPU_SILENT", "1", 0);
	if (starpu_init(NULL) != 0)
		return EXIT_FAILURE;
	starpu_pause();
	int r = graph_main(graph_starpu_run);
	starpu_resume();
	starpu_shutdown();
	return r;
}
