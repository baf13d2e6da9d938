/* plot_histogram.h - a histogram of lengths of time with a fixed relative width: 32 cells for each
 * doubling, 3 % a cell, from a nanosecond to centuries.
 * Who: one thread.  Blocks: never.  Allocates: never; 15 KiB each. */
#ifndef PLM_PLOT_HISTOGRAM_H
#define PLM_PLOT_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 5, HISTOGRAM_CELLS = 60 << HISTOGRAM_SUB_BITS };

struct histogram {
	uint64_t n, sum_ns, greatest_ns;
	uint64_t cell[HISTOGRAM_CELLS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
/* The length that this share of all does not exceed, within the width of a cell; 0: empty. */
uint64_t histogram_at(const struct histogram *histogram, double share);
/* The least length of a cell. */
uint64_t histogram_floor(unsigned cell);

#endif
