/* chance.h - statistics to tell a faulty draw from bad luck. */
#ifndef PLM_TEST_CHANCE_H
#define PLM_TEST_CHANCE_H

#include <stdint.h>

/* Sum of (seen - expected)^2 / expected; infinite if something impossible was seen. */
double chi_square(const uint32_t *seen, const double *expected, uint32_t n);
/* Chance alone exceeds the bound less than once in a million times (Wilson and Hilferty). */
double chi_square_bound(uint32_t degrees);

#endif
