/* graph_mpi - task graphs with MPI: the columns are dealt to the ranks in blocks; a message
 * carries each value that another rank needs. No tasks, no queue: each rank knows the work
 * beforehand. The lower bound. */
#include <mpi.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/peers/peer_graph.h"
#include "bench/work.h"

enum { REQUESTS_MAX = 2 * GRAPH_WIDTH_MAX * GRAPH_WIDTH_MAX, REST_US = 200 };

static int rank, ranks;

static int graph_mpi_owner(const struct graph *graph, unsigned column)
{
	return (int)(column * (unsigned)ranks / graph->width);
}

/* Sends the values of the row above that the other rank needs, and receives the values needed
 * here. A value that several columns of the other rank need travels once. */
static int exchange_one(
    const struct graph *graph, unsigned step, unsigned other, uint64_t *value, MPI_Request *request)
{
	int from = graph_mpi_owner(graph, other), n = 0;
	bool sent[64] = { false };
	for (unsigned i = 0; i < graph_row(graph, step); i++) {
		int to = graph_mpi_owner(graph, i);
		if (to == from || sent[to] || !graph_needs_one(graph, step, i, other))
			continue;
		sent[to] = true;
		if (rank == from)
			MPI_Isend(&value[other], 1, MPI_UINT64_T, to, (int)other, MPI_COMM_WORLD,
			    &request[n++]);
		else if (rank == to)
			MPI_Irecv(&value[other], 1, MPI_UINT64_T, from, (int)other, MPI_COMM_WORLD,
			    &request[n++]);
	}
	return n;
}

static void graph_mpi_exchange(const struct graph *graph, unsigned step, uint64_t *value)
{
	static MPI_Request request[REQUESTS_MAX];
	int n = 0;
	for (unsigned other = 0; other < graph_row(graph, step - 1); other++)
		n += exchange_one(graph, step, other, value, request + n);
	MPI_Waitall(n, request, MPI_STATUSES_IGNORE);
}

static uint64_t graph_mpi_run(const struct graph *graph)
{
	uint64_t value[GRAPH_WIDTH_MAX] = { 0 };
	MPI_Barrier(MPI_COMM_WORLD);
	uint64_t start = clock_ns();
	for (unsigned step = 0; step < graph->steps; step++) {
		if (step > 0)
			graph_mpi_exchange(graph, step, value);
		for (unsigned i = 0; i < graph_row(graph, step); i++)
			if (graph_mpi_owner(graph, i) == rank)
				work_turns(graph->turns);
	}
	MPI_Barrier(MPI_COMM_WORLD);
	return clock_ns() - start;
}

/* MPI waits by spinning. Other contestants are measured between graphs, so the ranks only poll
 * then. */
static bool await_graph(struct graph *ret)
{
	int there = 0;
	while (!there) {
		usleep(REST_US);
		MPI_Iprobe(0, GRAPH_WIDTH_MAX, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
	}
	MPI_Recv(ret, sizeof *ret, MPI_BYTE, 0, GRAPH_WIDTH_MAX, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	return ret->width > 0;
}

static uint64_t graph_mpi_lead(const struct graph *graph)
{
	for (int i = 1; i < ranks; i++)
		MPI_Send(graph, sizeof *graph, MPI_BYTE, i, GRAPH_WIDTH_MAX, MPI_COMM_WORLD);
	return graph->width ? graph_mpi_run(graph) : 0;
}

int main(int argc, char **argv)
{
	struct graph graph = { 0 };
	int r = EXIT_SUCCESS;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (rank == 0) {
		r = graph_main(graph_mpi_lead);
		graph_mpi_lead(&(struct graph){ 0 });
	} else {
		while (await_graph(&graph))
			graph_mpi_run(&graph);
	}
	MPI_Finalize();
	return r;
}
