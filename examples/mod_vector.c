/* mod_vector.c - a module: arithmetic on vectors of doubles.
 * An argument is a raw array of doubles, read in place in shared memory. The function writes a
 * result directly into the store, where readers find the bytes. Nothing is copied. */
#include <errno.h>

#include "plm.h"

/* Argument i as an array of doubles; NULL if the argument is no such array. Arguments and results
 * are aligned to 8 bytes at least. */
static const double *vector(plm_call *call, size_t i, size_t *ret_count)
{
	size_t bytes = 0;
	const void *data = i < plm_nargs(call) ? plm_arg_data(call, i, &bytes) : NULL;
	*ret_count = bytes / sizeof(double);
	return bytes % sizeof(double) == 0 && bytes > 0 ? data : NULL;
}

/* X Y: one double, the sum of the products. */
static int dot(plm_call *call)
{
	size_t nx, ny;
	const double *x = vector(call, 0, &nx), *y = vector(call, 1, &ny);
	if (!x || !y || nx != ny)
		return plm_fail(call, EINVAL,
		    "vector.dot takes two vectors of one length, not %zu "
		    "and %zu",
		    nx, ny);
	double sum = 0;
	for (size_t i = 0; i < nx; i++)
		sum += x[i] * y[i];
	double *result = plm_result(call, sizeof sum);
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	*result = sum;
	return 0;
}

/* X FACTOR: a vector. A long computation asks now and then whether the task was cancelled. */
static int scale(plm_call *call)
{
	enum { LOOK_EVERY = 1 << 20 };
	size_t nx, nf;
	const double *x = vector(call, 0, &nx), *factor = vector(call, 1, &nf);
	if (!x || !factor || nf != 1)
		return plm_fail(call, EINVAL, "vector.scale takes a vector and one double");
	double *result = plm_result(call, nx * sizeof *result);
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	double f = *factor;
	for (size_t i = 0; i < nx; i++) {
		result[i] = x[i] * f;
		if (i % LOOK_EVERY == 0 && plm_cancelled(call))
			return plm_fail(call, ECANCELED, "cancelled at element %zu of %zu", i, nx);
	}
	return 0;
}

PLM_MODULE(vector, { "dot", dot, "X Y: the dot product of two vectors of doubles" },
    { "scale", scale, "X FACTOR: a vector times a double" });
