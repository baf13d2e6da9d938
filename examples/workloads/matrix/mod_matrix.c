/* mod_matrix.c - a module: tiles of matrices, on cblas and LAPACK of OpenBLAS.
 *
 * A function reads tiles in place in the store, and computes its result in place in the store: the
 * result is the tile that the next function reads. A result is written by one task only, so a task
 * adds up all products of its tile; not taken: a task for each product, which would copy the tile
 * from version to version. */
#include <cblas.h>
#include <errno.h>
#include <string.h>

#include "plm.h"
#include "tiles.h"

void dpotrf_(const char *, const int *, double *, const int *, int *, size_t);

/* Argument i as `rows` x `rows` doubles, or NULL. Tiles below 25 bytes are no tiles of use. */
static const double *tile(const plm_call *call, size_t i, uint32_t rows)
{
	size_t bytes = 0;
	const void *data = i < plm_nargs(call) ? plm_arg_data(call, i, &bytes) : NULL;
	return bytes == (size_t)rows * rows * sizeof(double) ? data : NULL;
}

static int no_tile(plm_call *call, size_t i, uint32_t rows)
{
	return plm_fail(call, EINVAL, "argument %zu is no tile of %u x %u doubles", i, rows, rows);
}

static int no_room(plm_call *call)
{
	return plm_fail(call, ENOSPC, "no room for a tile: %s", plm_why());
}

/* The first argument, copied out, if all tiles behind the argument are there. */
static int take_order(plm_call *call, size_t tiles_a_term, size_t further, struct tile_order *ret)
{
	size_t bytes = 0;
	const void *data = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes != sizeof *ret)
		return plm_fail(call, EINVAL, "argument 0 is no order of tiles");
	memcpy(ret, data, sizeof *ret);
	size_t tiles = ret->terms * tiles_a_term + further;
	if (plm_nargs(call) != 1 + tiles)
		return plm_fail(call, EINVAL, "%u terms need %zu tiles, not %zu", ret->terms, tiles,
		    plm_nargs(call) - 1);
	for (size_t i = 1; i <= tiles; i++)
		if (!tile(call, i, ret->rows))
			return no_tile(call, i, ret->rows);
	return 0;
}

/* PLACE: a tile of a seeded matrix */
static int make(plm_call *call)
{
	struct tile_place p;
	size_t bytes = 0;
	const void *data = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes != sizeof p)
		return plm_fail(call, EINVAL, "argument 0 is no place of a tile");
	memcpy(&p, data, sizeof p);
	double *out = plm_result(call, (size_t)p.rows * p.rows * sizeof *out);
	if (!out)
		return no_room(call);
	uint64_t order = (uint64_t)p.rows * p.across;
	for (uint32_t column = 0; column < p.rows; column++)
		for (uint32_t row = 0; row < p.rows; row++)
			*out++ = tile_element(p.seed, (uint64_t)p.i * p.rows + row,
			    (uint64_t)p.j * p.rows + column, order, p.symmetric);
	return 0;
}

static int combine(plm_call *call, double sign)
{
	struct tile_order order;
	int r = take_order(call, 2, 0, &order);
	if (r != 0)
		return r;
	if (order.terms != 1)
		return plm_fail(call, EINVAL, "two tiles are wanted, not %u", 2 * order.terms);
	size_t n = (size_t)order.rows * order.rows;
	double *out = plm_result(call, n * sizeof *out);
	if (!out)
		return no_room(call);
	const double *x = tile(call, 1, order.rows), *y = tile(call, 2, order.rows);
	for (size_t i = 0; i < n; i++)
		out[i] = x[i] + sign * y[i];
	return 0;
}

static int add(plm_call *call)
{
	return combine(call, 1);
}

static int subtract(plm_call *call)
{
	return combine(call, -1);
}

/* The sum of the products of all pairs of elements: a number. */
static int dot(plm_call *call)
{
	struct tile_order order;
	int r = take_order(call, 2, 0, &order);
	if (r != 0)
		return r;
	double sum = 0, *out = plm_result(call, sizeof *out);
	if (!out)
		return no_room(call);
	for (uint32_t t = 0; t < order.terms; t++)
		sum += cblas_ddot((int)(order.rows * order.rows), tile(call, 1 + t, order.rows), 1,
		    tile(call, 1 + order.terms + t, order.rows), 1);
	*out = sum;
	return 0;
}

/* The tile of a product: a row of tiles times a column of tiles. */
static int multiply(plm_call *call)
{
	struct tile_order order;
	int r = take_order(call, 2, 0, &order);
	if (r != 0)
		return r;
	int n = (int)order.rows;
	double *out = plm_result(call, (size_t)n * (size_t)n * sizeof *out);
	if (!out)
		return no_room(call);
	for (uint32_t t = 0; t < order.terms; t++) {
		if (plm_cancelled(call))
			return plm_fail(call, ECANCELED, "cancelled at term %u", t);
		cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1,
		    tile(call, 1 + t, order.rows), n, tile(call, 1 + order.terms + t, order.rows),
		    n, t > 0 ? 1 : 0, out, n);
	}
	return 0;
}

/* The last step of a tile on the diagonal: a factor, with zeros above the diagonal. */
static int factor(plm_call *call, double *out, int n)
{
	int info = 0;
	dpotrf_("L", &n, out, &n, &info, 1);
	if (info != 0)
		return plm_fail(
		    call, EDOM, "the matrix is not positive definite (column %d of a tile)", info);
	for (int column = 1; column < n; column++)
		memset(out + (size_t)column * (size_t)n, 0, (size_t)column * sizeof *out);
	return 0;
}

/* A tile of the lower factor: ORDER A, the finished tiles of the row, and, off the diagonal, those
 * of the row of the diagonal tile, and the diagonal tile. */
static int cholesky(plm_call *call)
{
	struct tile_order order;
	size_t bytes = 0;
	const void *data = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes != sizeof order)
		return plm_fail(call, EINVAL, "argument 0 is no order of tiles");
	memcpy(&order, data, sizeof order);
	int r = take_order(call, order.diagonal ? 1 : 2, order.diagonal ? 1 : 2, &order);
	if (r != 0)
		return r;
	int n = (int)order.rows;
	double *out = plm_result(call, (size_t)n * (size_t)n * sizeof *out);
	if (!out)
		return no_room(call);
	memcpy(out, tile(call, 1, order.rows), (size_t)n * (size_t)n * sizeof *out);
	for (uint32_t t = 0; t < order.terms; t++) {
		const double *left = tile(call, 2 + t, order.rows);
		if (plm_cancelled(call))
			return plm_fail(call, ECANCELED, "cancelled at term %u", t);
		if (order.diagonal)
			cblas_dsyrk(
			    CblasColMajor, CblasLower, CblasNoTrans, n, n, -1, left, n, 1, out, n);
		else
			cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, n, n, -1, left, n,
			    tile(call, 2 + order.terms + t, order.rows), n, 1, out, n);
	}
	if (order.diagonal)
		return factor(call, out, n);
	cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, n, n, 1,
	    tile(call, 2 + 2 * order.terms, order.rows), n, out, n);
	return 0;
}

PLM_MODULE(matrix, { "make", make, "PLACE: a tile of a seeded matrix" },
    { "add", add, "ORDER X Y: the sum of two tiles" },
    { "subtract", subtract, "ORDER X Y: the difference of two tiles" },
    { "dot", dot, "ORDER X... Y...: the sum of the products of all elements" },
    { "multiply", multiply, "ORDER X... Y...: a row of tiles times a column of tiles" },
    { "cholesky", cholesky, "ORDER A ROW... [ROW... DIAGONAL]: a tile of the lower factor" });
