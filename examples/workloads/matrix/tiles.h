/* tiles.h - tiles of a square matrix, as the module and the client of this folder know them.
 *
 * A tile is a value of the store: rows x rows doubles, column after column. An element of a seeded
 * matrix depends on the seed and its place alone, so a task can make any tile, and the client can
 * make the same matrix in one piece. */
#ifndef TILES_H
#define TILES_H

#include <stdint.h>

struct tile_order {        /* the first argument of the functions that take tiles */
	uint32_t rows;     /* of a tile */
	uint32_t terms;    /* products to add up, or to take away */
	uint32_t diagonal; /* of Cholesky: the tile lies on the diagonal */
};

struct tile_place {
	uint64_t seed;
	uint32_t rows;      /* of a tile */
	uint32_t across;    /* tiles in a row of the matrix */
	uint32_t i, j;      /* row and column of the tile among the tiles */
	uint32_t symmetric; /* 1: symmetric and positive definite */
};

/* Between -0.5 and 0.5. A symmetric matrix has its order on the diagonal, more than the sum of the
 * other elements of a row, so the matrix is positive definite. */
static inline double tile_element(
    uint64_t seed, uint64_t row, uint64_t column, uint64_t order, uint32_t symmetric)
{
	uint64_t low = row < column ? row : column, high = row < column ? column : row;
	uint64_t z = seed +
	    (symmetric ? low * order + high : row * order + column) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	double element = (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0 - 0.5;
	return symmetric && row == column ? element + (double)order : element;
}

#endif
