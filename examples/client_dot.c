/* client_dot.c - a client: two vectors go into the store, two tasks run in sequence, one number
 * comes back. The vectors are written once and never copied.
 *
 *	client_dot [MODULE]        loads MODULE (vector.so) first, if given */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plm.h"

enum { ELEMENTS = 1000000 };

static int complain(const char *what, int error)
{
	fprintf(
	    stderr, "client_dot: %s: %s\n", what, plm_why()[0] ? plm_why() : plm_strerror(error));
	return error;
}

/* A vector of equal elements, written in place. */
static int put_vector(plm *rt, double value, plm_ref *ret)
{
	void *data;
	int r = plm_create(rt, ELEMENTS * sizeof(double), &data, ret);
	if (r < 0)
		return complain("plm_create", r);
	double *element = data;
	for (size_t i = 0; i < ELEMENTS; i++)
		element[i] = value;
	r = plm_seal(rt, *ret);
	return r < 0 ? complain("plm_seal", r) : 0;
}

static int submit(plm *rt, const char *function, plm_arg first, plm_arg second, plm_ref *ret)
{
	plm_arg args[] = { first, second };
	plm_task task = { .function = function, .args = args, .nargs = 2, .crash_retries = 1 };
	int r = plm_submit(rt, &task, ret);
	return r < 0 ? complain(function, r) : 0;
}

static int print_number(plm *rt, plm_ref future)
{
	plm_view view;
	plm_failure failure;
	double number;
	int r = plm_get(rt, future, &view, -1);
	if (r == -PLM_EFAILED && plm_error(rt, future, &failure) == 0) {
		fprintf(stderr, "client_dot: %s failed: %s\n", failure.function, failure.message);
		return r;
	}
	if (r < 0)
		return complain("plm_get", r);
	if (view.len == sizeof number) {
		memcpy(&number, view.data, sizeof number);
		printf("%.1f\n", number);
	}
	plm_release(rt, &view);
	return 0;
}

/* dot(scale(x, 3), y). The second task takes the future of the first as an argument, so the client
 * submits both tasks without waiting in between. */
static int compute(plm *rt)
{
	plm_ref x = PLM_NONE, y = PLM_NONE, scaled = PLM_NONE, product = PLM_NONE;
	double factor = 3;
	int r = put_vector(rt, 0.5, &x);
	if (r == 0)
		r = put_vector(rt, 2, &y);
	if (r == 0)
		r = submit(
		    rt, "vector.scale", PLM_FUTURE(x), PLM_BYTES(&factor, sizeof factor), &scaled);
	if (r == 0)
		r = submit(rt, "vector.dot", PLM_FUTURE(scaled), PLM_FUTURE(y), &product);
	if (r == 0)
		r = print_number(rt, product);
	plm_ref all[] = { x, y, scaled, product };
	plm_drop_many(rt, all, sizeof all / sizeof all[0]);
	return r;
}

int main(int argc, char **argv)
{
	plm *rt;
	int r = plm_connect(&rt, NULL);
	if (r < 0) {
		complain("plm_connect", r);
		return 1;
	}
	r = argc > 1 ? plm_module_load(rt, argv[1]) : 0;
	if (r == -EEXIST)
		r = 0; /* the module was loaded before */
	else if (r < 0)
		complain(argv[1], r);
	if (r == 0)
		r = compute(rt);
	plm_disconnect(&rt);
	return r == 0 ? 0 : 1;
}
