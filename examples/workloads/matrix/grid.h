/* grid.h - a square matrix as tiles in the store, and its operations as task graphs.
 *
 * Every operation submits all its tasks at once and returns; a future among the arguments of a task
 * is a tile that another task still computes. A failed call ends the program (workload.h). */
#ifndef GRID_H
#define GRID_H

#include "workload.h"

enum { GRID_ACROSS_MAX = 64 };

struct grid {
	unsigned across, rows; /* tiles in a row; rows of a tile */
	plm_ref *tile;         /* across x across, row after row */
};

/* Tiles of a seeded matrix (tiles.h), made by tasks. */
struct grid grid_make(
    const struct workload *w, unsigned across, unsigned rows, uint64_t seed, int symmetric);
/* x + y, x - y (function "matrix.add", "matrix.subtract"), x * y. needs: of each task, or NULL. */
struct grid grid_combine(const struct workload *w, const char *function, const struct grid *x,
    const struct grid *y, const char *needs);
struct grid grid_multiply(
    const struct workload *w, const struct grid *x, const struct grid *y, const char *needs);
/* The lower factor of a symmetric positive definite matrix. Tiles above the diagonal are PLM_NONE.
 */
struct grid grid_cholesky(const struct workload *w, const struct grid *a);
/* The sum of the products of all elements: a number. */
double grid_dot(const struct workload *w, const struct grid *x, const struct grid *y);

/* Waits until `want` tiles are there; 0: all. */
void grid_wait(const struct workload *w, const struct grid *g, size_t want);
/* Waits, and copies the matrix into one piece, column after column; missing tiles are zeros. */
void grid_read(const struct workload *w, const struct grid *g, double *ret);
void grid_drop(const struct workload *w, struct grid *g);

#endif
