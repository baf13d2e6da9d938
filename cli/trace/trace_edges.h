/* trace_edges.h - the dependency edges of a recording, each a flow from the run that made the value
 * to the first run that took it.
 *
 * A flow of a trace cannot fork, so each edge has a number of its own. An edge is drawn if both
 * runs are in the trace, on a track. Memory: 16 bytes an edge, EDGES_MAX edges; further edges are
 * counted and not drawn. Who: one thread. Steps: edges_add() for all events, edges_sort(),
 * edges_mark() for all runs, then the questions. */
#ifndef PLM_TRACE_EDGES_H
#define PLM_TRACE_EDGES_H

#include "cli/runs/runs.h"

struct trace_edge {
	uint64_t from, to;
};

struct trace_edges {
	struct trace_edge *edge; /* by `from` after edges_sort() */
	uint32_t *by_taker;      /* numbers of edges, by `to` */
	uint8_t *marks;
	uint64_t n, room, left_out;
	int error; /* -ENOMEM */
};

struct trace_flows { /* of a run; the numbers stay until the next question */
	uint64_t *out, *in;
	size_t outs, ins, room_out, room_in;
};

/* Takes the edge of a PLM_EVENT_DEPENDS, ignores other events (replay_event_f). */
void edges_add(void *edges, const plm_event *event);
/* 0, or -ENOMEM with a why. */
int edges_sort(struct trace_edges *edges);
void edges_mark(struct trace_edges *edges, const struct run *run);
/* The flows that begin and end in the run. Each flow is told once. 0 or -ENOMEM. */
int edges_flows(struct trace_edges *edges, const struct run *run, struct trace_flows *ret);
uint64_t edges_drawn(const struct trace_edges *edges);
/* Appends the flows `more`, numbered from `before` on. 0 or -ENOMEM. */
int flows_append(struct trace_flows *flows, const struct trace_flows *more, uint64_t before);
void edges_free(struct trace_edges *edges);
void flows_free(struct trace_flows *flows);

#endif
