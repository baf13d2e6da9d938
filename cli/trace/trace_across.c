#include "cli/trace/trace_across.h"

#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "cli/fleet_door.h"

enum { TASKS_LEAST = 1024 };

struct across {
	const struct trace_part *part;
	struct trace_edges *edges;
	plm_ref *ref; /* of tasks in the trace */
	size_t n, room;
	bool full; /* no memory */
};

static void across_see(void *argument, const struct run *run)
{
	struct across *a = argument;
	plm_ref ref = run->ref;
	if (!run->started || a->full || !a->part->rename(a->part, &ref))
		return;
	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : TASKS_LEAST;
		plm_ref *grown = realloc(a->ref, room * sizeof *grown);
		a->full = !grown;
		if (!grown)
			return;
		a->ref = grown;
		a->room = room;
	}
	a->ref[a->n++] = ref;
}

static void across_mark(void *argument, const struct run *run)
{
	struct across *a = argument;
	struct run shown = *run;
	if (a->part->rename(a->part, &shown.ref))
		edges_mark(a->edges, &shown);
}

static void across_add(void *argument, plm_ref from, plm_ref to)
{
	const plm_event event = { .kind = PLM_EVENT_DEPENDS, .other = from, .ref = to };
	edges_add(argument, &event);
}

static int across_play(struct across *a, const struct trace_part *const *parts, size_t n,
    void (*take)(void *argument, const struct run *run))
{
	const struct runs_sink sink = { .run = take };
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		a->part = parts[i];
		r = replay_run(parts[i]->recording, parts[i]->survey, 0, &sink, a);
	}
	return r == 0 && a->full ? why(-ENOMEM, "no memory for the tasks of the trace") : r;
}

int across_find(struct context *context, const struct trace_part *const *parts, size_t n,
    struct trace_edges *ret)
{
	struct across a = { .edges = ret };
	int r = across_play(&a, parts, n, across_see);
	if (r == 0)
		r = fleet_edges(context, a.ref, a.n, across_add, ret);
	if (r == 0)
		r = edges_sort(ret);
	if (r == 0 && ret->n > 0)
		r = across_play(&a, parts, n, across_mark);
	free(a.ref);
	return r;
}
