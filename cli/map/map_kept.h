/* map_kept.h - rows kept in memory: all inputs, to be shuffled (--shuf), or the last ones, to be
 * spread over jobs. */
#ifndef PLM_CLI_MAP_KEPT_H
#define PLM_CLI_MAP_KEPT_H

#include "cli/map/map_sources.h"

struct kept {                       /* zeroes: none */
	struct text values, begins; /* begins: size_t of each row, in values */
	size_t rows, at;
};

void kept_add(struct kept *k, const char *values, size_t length);
/* The next row goes to *ret. False: no more. */
bool kept_next(struct kept *k, struct row *ret);
/* Puts the rows that have not been taken in a random order. */
void kept_shuffle(struct kept *k);
void kept_free(struct kept *k);

#endif
