#include "tests/support/chance.h"

#include <math.h>

double chi_square(const uint32_t *seen, const double *expected, uint32_t n)
{
	double sum = 0;
	for (uint32_t i = 0; i < n; i++) {
		double off = (double)seen[i] - expected[i];
		if (expected[i] > 0)
			sum += off * off / expected[i];
		else if (seen[i])
			return INFINITY;
	}
	return sum;
}

double chi_square_bound(uint32_t degrees)
{
	double spread = 2.0 / (9.0 * degrees), root = 1 - spread + 4.75 * sqrt(spread);
	return degrees * root * root * root;
}
