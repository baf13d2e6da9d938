#include "cli/trace/trace_edges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/why.h"

enum { EDGES_LEAST = 1024, EDGES_MAX = 1 << 22 };
enum { MADE = 1, TAKEN = 2, TOLD = 4 };

void edges_add(void *context, const plm_event *event)
{
	struct trace_edges *edges = context;
	if (event->kind != PLM_EVENT_DEPENDS || edges->error)
		return;
	if (edges->n == EDGES_MAX) {
		edges->left_out++;
		return;
	}
	if (edges->n == edges->room) {
		uint64_t room = edges->room ? 2 * edges->room : EDGES_LEAST;
		struct trace_edge *grown = realloc(edges->edge, room * sizeof *grown);
		if (!grown) {
			edges->error = -ENOMEM;
			return;
		}
		edges->edge = grown;
		edges->room = room;
	}
	edges->edge[edges->n++] = (struct trace_edge){ event->other.id, event->ref.id };
}

static int edges_by_from(const void *one, const void *two)
{
	const struct trace_edge *a = one, *b = two;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

static int edges_by_to(const void *one, const void *two, void *context)
{
	const struct trace_edge *edge = context;
	const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)two;
	if (edge[a].to != edge[b].to)
		return edge[a].to < edge[b].to ? -1 : 1;
	return (a > b) - (a < b);
}

int edges_sort(struct trace_edges *edges)
{
	if (edges->n > 0 && !edges->error) {
		edges->by_taker = malloc(edges->n * sizeof *edges->by_taker);
		edges->marks = calloc(edges->n, 1);
		if (!edges->by_taker || !edges->marks)
			edges->error = -ENOMEM;
	}
	if (edges->error)
		return why(
		    -ENOMEM, "no memory for %llu dependencies", (unsigned long long)edges->n);
	if (edges->n == 0)
		return 0;
	qsort(edges->edge, edges->n, sizeof *edges->edge, edges_by_from);
	for (uint32_t i = 0; i < edges->n; i++)
		edges->by_taker[i] = i;
	qsort_r(edges->by_taker, edges->n, sizeof *edges->by_taker, edges_by_to, edges->edge);
	return 0;
}

/* The first edge from this task. */
static uint64_t edges_first_from(const struct trace_edges *edges, uint64_t id)
{
	uint64_t low = 0, high = edges->n;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (edges->edge[middle].from < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t edges_first_to(const struct trace_edges *edges, uint64_t id)
{
	uint64_t low = 0, high = edges->n;
	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (edges->edge[edges->by_taker[middle]].to < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void edges_mark_made(struct trace_edges *edges, uint64_t id)
{
	for (uint64_t i = edges_first_from(edges, id); i < edges->n && edges->edge[i].from == id;
	     i++)
		edges->marks[i] |= MADE;
}

static void edges_mark_taken(struct trace_edges *edges, uint64_t id)
{
	for (uint64_t i = edges_first_to(edges, id); i < edges->n; i++) {
		uint32_t number = edges->by_taker[i];
		if (edges->edge[number].to != id)
			break;
		edges->marks[number] |= TAKEN;
	}
}

void edges_mark(struct trace_edges *edges, const struct run *run)
{
	if (edges->n == 0 || run->track == RUN_NO_TRACK)
		return;
	if (run->ending == RUN_DONE)
		edges_mark_made(edges, run->ref.id);
	edges_mark_taken(edges, run->ref.id);
}

static int edges_keep(uint64_t **list, size_t *n, size_t *room, uint64_t number)
{
	if (*n == *room) {
		size_t more = *room ? 2 * *room : 16;
		uint64_t *grown = realloc(*list, more * sizeof *grown);
		if (!grown)
			return why(-ENOMEM, "no memory for the flows of a task");
		*list = grown;
		*room = more;
	}
	(*list)[(*n)++] = number + 1; /* 0 is no flow */
	return 0;
}

static bool edges_is_drawn(const struct trace_edges *edges, uint64_t number)
{
	return (edges->marks[number] & (MADE | TAKEN)) == (MADE | TAKEN);
}

int edges_flows(struct trace_edges *edges, const struct run *run, struct trace_flows *ret)
{
	uint64_t id = run->ref.id;
	int r = 0;
	ret->outs = ret->ins = 0;
	if (edges->n == 0 || run->track == RUN_NO_TRACK)
		return 0;
	uint64_t i = run->ending == RUN_DONE ? edges_first_from(edges, id) : edges->n;
	for (; i < edges->n && edges->edge[i].from == id && r == 0; i++)
		if (edges_is_drawn(edges, i))
			r = edges_keep(&ret->out, &ret->outs, &ret->room_out, i);
	for (i = edges_first_to(edges, id); i < edges->n && r == 0; i++) {
		uint32_t number = edges->by_taker[i];
		if (edges->edge[number].to != id)
			break;
		if (!edges_is_drawn(edges, number) || edges->marks[number] & TOLD)
			continue;
		edges->marks[number] |= TOLD; /* a further attempt takes the same value again */
		r = edges_keep(&ret->in, &ret->ins, &ret->room_in, number);
	}
	return r;
}

int flows_append(struct trace_flows *flows, const struct trace_flows *more, uint64_t before)
{
	int r = 0;
	for (size_t i = 0; i < more->outs && r == 0; i++)
		r = edges_keep(
		    &flows->out, &flows->outs, &flows->room_out, before + more->out[i] - 1);
	for (size_t i = 0; i < more->ins && r == 0; i++)
		r = edges_keep(&flows->in, &flows->ins, &flows->room_in, before + more->in[i] - 1);
	return r;
}

uint64_t edges_drawn(const struct trace_edges *edges)
{
	uint64_t drawn = 0;
	for (uint64_t i = 0; i < edges->n; i++)
		drawn += edges_is_drawn(edges, i);
	return drawn;
}

void edges_free(struct trace_edges *edges)
{
	free(edges->edge);
	free(edges->by_taker);
	free(edges->marks);
	*edges = (struct trace_edges){ .n = 0 };
}

void flows_free(struct trace_flows *flows)
{
	free(flows->in);
	free(flows->out);
	*flows = (struct trace_flows){ .outs = 0 };
}
