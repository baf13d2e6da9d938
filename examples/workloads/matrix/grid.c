/* grid.c - a square matrix as tiles in the store, and its operations as task graphs. */
#include "grid.h"

#include <stdlib.h>
#include <string.h>

#include "tiles.h"

static struct grid new_grid(unsigned across, unsigned rows)
{
	if (across == 0 || across > GRID_ACROSS_MAX || rows == 0)
		workload_fail("a matrix has 1 to %d tiles in a row", GRID_ACROSS_MAX);
	struct grid g = { .across = across, .rows = rows };
	g.tile = calloc((size_t)across * across, sizeof *g.tile);
	if (!g.tile)
		workload_fail("out of memory");
	return g;
}

static size_t tiles_of(const struct grid *g)
{
	return (size_t)g->across * g->across;
}

static plm_ref at(const struct grid *g, unsigned i, unsigned j)
{
	return g->tile[(size_t)i * g->across + j];
}

/* One task; terms may be shared, so the needs alone differ. */
static void submit(const struct workload *w, const char *function, const plm_arg *args,
    size_t nargs, int priority, const char *needs, plm_ref *ret)
{
	plm_terms terms = { .needs = needs };
	plm_task task = { .function = function,
		.args = args,
		.nargs = nargs,
		.priority = priority,
		.crash_retries = WORKLOAD_CRASH_RETRIES,
		.terms = needs ? &terms : NULL };
	workload_must(plm_submit(w->rt, &task, ret), function);
}

struct grid grid_make(
    const struct workload *w, unsigned across, unsigned rows, uint64_t seed, int symmetric)
{
	struct grid g = new_grid(across, rows);
	for (unsigned i = 0; i < across; i++)
		for (unsigned j = 0; j < across; j++) {
			struct tile_place place = { seed, rows, across, i, j, symmetric != 0 };
			plm_arg arg = PLM_BYTES(&place, sizeof place);
			submit(w, "matrix.make", &arg, 1, 0, NULL, &g.tile[(size_t)i * across + j]);
		}
	return g;
}

struct grid grid_combine(const struct workload *w, const char *function, const struct grid *x,
    const struct grid *y, const char *needs)
{
	struct grid g = new_grid(x->across, x->rows);
	struct tile_order order = { .rows = g.rows, .terms = 1 };
	for (size_t n = 0; n < tiles_of(&g); n++) {
		plm_arg args[] = { PLM_BYTES(&order, sizeof order), PLM_FUTURE(x->tile[n]),
			PLM_FUTURE(y->tile[n]) };
		submit(w, function, args, 3, 0, needs, &g.tile[n]);
	}
	return g;
}

struct grid grid_multiply(
    const struct workload *w, const struct grid *x, const struct grid *y, const char *needs)
{
	struct grid g = new_grid(x->across, x->rows);
	struct tile_order order = { .rows = g.rows, .terms = g.across };
	plm_arg args[1 + 2 * GRID_ACROSS_MAX];
	args[0] = PLM_BYTES(&order, sizeof order);
	for (unsigned i = 0; i < g.across; i++)
		for (unsigned j = 0; j < g.across; j++) {
			for (unsigned k = 0; k < g.across; k++) {
				args[1 + k] = PLM_FUTURE(at(x, i, k));
				args[1 + g.across + k] = PLM_FUTURE(at(y, k, j));
			}
			submit(w, "matrix.multiply", args, 1 + 2 * (size_t)g.across, 0, needs,
			    &g.tile[(size_t)i * g.across + j]);
		}
	return g;
}

/* Column after column, each tile as soon as the tiles to its left are there. The tiles of the first
 * columns are wanted by most others, and the diagonal by its whole column. */
struct grid grid_cholesky(const struct workload *w, const struct grid *a)
{
	struct grid g = new_grid(a->across, a->rows);
	plm_arg args[3 + 2 * GRID_ACROSS_MAX];
	for (unsigned j = 0; j < g.across; j++)
		for (unsigned i = j; i < g.across; i++) {
			struct tile_order order = { g.rows, j, i == j };
			size_t n = 0;
			args[n++] = PLM_BYTES(&order, sizeof order);
			args[n++] = PLM_FUTURE(at(a, i, j));
			for (unsigned k = 0; k < j; k++)
				args[n++] = PLM_FUTURE(at(&g, i, k));
			for (unsigned k = 0; k <= j && i > j; k++)
				args[n++] = PLM_FUTURE(at(&g, j, k));
			int priority = 2 * (int)(g.across - j) + (i <= j + 1);
			submit(w, "matrix.cholesky", args, n, priority, NULL,
			    &g.tile[(size_t)i * g.across + j]);
		}
	return g;
}

double grid_dot(const struct workload *w, const struct grid *x, const struct grid *y)
{
	size_t tiles = tiles_of(x), n = 0;
	struct tile_order order = { .rows = x->rows, .terms = (uint32_t)tiles };
	plm_arg *args = calloc(1 + 2 * tiles, sizeof *args);
	plm_view view;
	plm_ref ref;
	double number;
	if (!args)
		workload_fail("out of memory");
	args[n++] = PLM_BYTES(&order, sizeof order);
	for (size_t i = 0; i < tiles; i++)
		args[n++] = PLM_FUTURE(x->tile[i]);
	for (size_t i = 0; i < tiles; i++)
		args[n++] = PLM_FUTURE(y->tile[i]);
	submit(w, "matrix.dot", args, n, 0, NULL, &ref);
	free(args);
	workload_get(w, ref, &view);
	memcpy(&number, view.data, sizeof number);
	plm_release(w->rt, &view);
	plm_drop(w->rt, ref);
	return number;
}

void grid_wait(const struct workload *w, const struct grid *g, size_t want)
{
	plm_ref *refs = calloc(tiles_of(g), sizeof *refs);
	size_t n = 0;
	if (!refs)
		workload_fail("out of memory");
	for (size_t i = 0; i < tiles_of(g); i++)
		if (g->tile[i].id)
			refs[n++] = g->tile[i];
	workload_wait(w, refs, n, want && want < n ? want : n);
	free(refs);
}

void grid_read(const struct workload *w, const struct grid *g, double *ret)
{
	size_t order = (size_t)g->across * g->rows;
	for (unsigned i = 0; i < g->across; i++)
		for (unsigned j = 0; j < g->across; j++) {
			double *out = ret + (size_t)j * g->rows * order + (size_t)i * g->rows;
			plm_view view = { 0 };
			if (at(g, i, j).id)
				workload_get(w, at(g, i, j), &view);
			const double *in = view.data;
			for (unsigned c = 0; c < g->rows; c++)
				if (in)
					memcpy(out + c * order, in + (size_t)c * g->rows,
					    g->rows * sizeof *out);
				else
					memset(out + c * order, 0, g->rows * sizeof *out);
			if (in)
				plm_release(w->rt, &view);
		}
}

void grid_drop(const struct workload *w, struct grid *g)
{
	plm_drop_many(w->rt, g->tile, tiles_of(g));
	free(g->tile);
	*g = (struct grid){ 0 };
}
