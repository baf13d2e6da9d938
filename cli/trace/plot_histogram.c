#include "cli/trace/plot_histogram.h"

static unsigned histogram_cell(uint64_t ns)
{
	const unsigned sub = 1u << HISTOGRAM_SUB_BITS;
	if (ns < sub)
		return (unsigned)ns;
	unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
	unsigned cell = ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift) - sub;
	return cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1;
}

uint64_t histogram_floor(unsigned cell)
{
	const unsigned sub = 1u << HISTOGRAM_SUB_BITS;
	if (cell < sub)
		return cell;
	unsigned shift = (cell >> HISTOGRAM_SUB_BITS) - 1;
	return (uint64_t)(cell % sub + sub) << shift;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->n++;
	histogram->sum_ns += ns;
	histogram->cell[histogram_cell(ns)]++;
	if (ns > histogram->greatest_ns)
		histogram->greatest_ns = ns;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)histogram->n), below = 0;
	if (wanted >= histogram->n)
		return histogram->greatest_ns;
	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
		below += histogram->cell[i];
		if (below > wanted) {
			uint64_t middle = (histogram_floor(i) + histogram_floor(i + 1)) / 2;
			return middle < histogram->greatest_ns ? middle : histogram->greatest_ns;
		}
	}
	return histogram->greatest_ns;
}
