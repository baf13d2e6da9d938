/* client_matrix.c - matrices as task graphs, checked against BLAS and LAPACK, and measured beside.
 *
 *	matrix check                            small sizes; policies, classes of workers, kills
 *	matrix multiply [ORDER TILE ROUNDS]     the same product in turn by plm and by OpenBLAS
 *	matrix cholesky [ORDER TILE ROUNDS]     the same factor in turn by plm and by LAPACK
 *	matrix classes [ORDER TILE ROUNDS]      simulated GPU and CPU workers under each policy
 *
 * A wrong result ends the program with exit code 1. */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "tiles.h"

void dpotrf_(const char *, const int *, double *, const int *, int *, size_t);

enum { ROUNDS_MAX = 99, SEED_A = 1, SEED_B = 2, SEED_S = 3 };

/* Workers of four generations; a delay before each task plays the slower hardware. */
static const char kinds[] = "gen=4,gpus=1 x1; gen=3,gpus=1 x1; gen=2 x1; gen=1 x1";
static const char speeds[] =
    "gen=4: delay=1ms@100%; gen=3: delay=1500us@100%; gen=2: delay=2ms@100%; gen=1: delay=4ms@100%";
static const char *const policies[] = { "locality", "load-aware", "power-of-two", "round-robin",
	"random", "static-fill" };

struct setup {
	unsigned order, tile, rounds;
};

static double *room(unsigned order)
{
	double *all = calloc((size_t)order * order, sizeof *all);
	if (!all)
		workload_fail("no memory for a matrix of order %u", order);
	return all;
}

static double *whole(unsigned order, uint64_t seed, int symmetric)
{
	double *all = room(order);
	for (unsigned column = 0; column < order; column++)
		for (unsigned row = 0; row < order; row++)
			all[(size_t)column * order + row] =
			    tile_element(seed, row, column, order, symmetric != 0);
	return all;
}

/* ---- references ---- */

static void reference_multiply(unsigned order, const double *a, const double *b, double *ret)
{
	int n = (int)order;
	cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, ret, n);
}

/* In place; zeros above the diagonal. */
static void reference_cholesky(unsigned order, double *a)
{
	int n = (int)order, info;
	dpotrf_("L", &n, a, &n, &info, 1);
	if (info != 0)
		workload_fail("LAPACK: column %d is not positive definite", info);
	for (size_t column = 1; column < order; column++)
		memset(a + column * order, 0, column * sizeof *a);
}

/* The largest difference, of matrices whose elements are sums of `order` products below 1. */
static void compare(
    const struct workload *w, const struct grid *g, const double *right, const char *what)
{
	unsigned order = g->across * g->rows;
	double *got = room(order), worst = 0, bound = 1e-13 * (double)order;
	grid_read(w, g, got);
	for (size_t i = 0; i < (size_t)order * order; i++)
		if (!(fabs(got[i] - right[i]) <= worst))
			worst = fabs(got[i] - right[i]);
	free(got);
	if (!(worst <= bound))
		workload_fail(
		    "%s of order %u: differs by %g from the reference", what, order, worst);
}

/* ---- checks ---- */

static void check_elements(const struct workload *w, const struct setup *s)
{
	unsigned across = s->order / s->tile;
	double *a = whole(s->order, SEED_A, 0), *b = whole(s->order, SEED_B, 0), sum = 0;
	struct grid x = grid_make(w, across, s->tile, SEED_A, 0);
	struct grid y = grid_make(w, across, s->tile, SEED_B, 0);
	struct grid plus = grid_combine(w, "matrix.add", &x, &y, NULL);
	struct grid minus = grid_combine(w, "matrix.subtract", &x, &y, NULL);
	for (size_t i = 0; i < (size_t)s->order * s->order; i++)
		sum += a[i] * b[i];
	double dot = grid_dot(w, &x, &y);
	if (fabs(dot - sum) > 1e-12 * (double)s->order * (double)s->order)
		workload_fail("dot of order %u: %.17g, not %.17g", s->order, dot, sum);
	for (size_t i = 0; i < (size_t)s->order * s->order; i++)
		a[i] += b[i];
	compare(w, &plus, a, "add");
	for (size_t i = 0; i < (size_t)s->order * s->order; i++)
		a[i] -= 2 * b[i];
	compare(w, &minus, a, "subtract");
	grid_drop(w, &plus);
	grid_drop(w, &minus);
	grid_drop(w, &x);
	grid_drop(w, &y);
	free(a);
	free(b);
}

/* kills: workers that are killed while each of the two graphs runs. */
static void check_graphs(const struct workload *w, const struct setup *s, unsigned kills)
{
	unsigned across = s->order / s->tile;
	double *a = whole(s->order, SEED_A, 0), *b = whole(s->order, SEED_B, 0);
	double *c = room(s->order), *spd = whole(s->order, SEED_S, 1);
	struct grid x = grid_make(w, across, s->tile, SEED_A, 0);
	struct grid y = grid_make(w, across, s->tile, SEED_B, 0);
	struct grid z = grid_make(w, across, s->tile, SEED_S, 1);
	struct grid product = grid_multiply(w, &x, &y, NULL);
	struct grid lower = grid_cholesky(w, &z);
	for (unsigned k = 0; k < kills; k++) {
		grid_wait(w, k % 2 ? &lower : &product, 1 + k);
		workload_kill_worker(w);
	}
	reference_multiply(s->order, a, b, c);
	reference_cholesky(s->order, spd);
	compare(w, &product, c, "multiply");
	compare(w, &lower, spd, "cholesky");
	struct grid *all[] = { &x, &y, &z, &product, &lower };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		grid_drop(w, all[i]);
	free(a);
	free(b);
	free(c);
	free(spd);
}

/* A matrix that is not positive definite fails with a reason, and so do the tiles behind. */
static void check_failure(const struct workload *w)
{
	struct grid wrong = grid_make(w, 2, 8, SEED_A, 0);
	struct grid lower = grid_cholesky(w, &wrong);
	plm_failure failure;
	grid_wait(w, &lower, 0);
	int r = plm_error(w->rt, lower.tile[3], &failure);
	if (r < 0 || !strstr(failure.message, "positive definite"))
		workload_fail("a matrix that is not positive definite: %s",
		    r < 0 ? plm_why() : failure.message);
	grid_drop(w, &lower);
	grid_drop(w, &wrong);
}

/* ---- classes of workers ---- */

/* (A + B)(A - B): the products are for GPUs, as in the origin; the rest runs anywhere. Returns the
 * seconds. */
static double run_classes(const struct workload *w, const struct setup *s, struct grid *product)
{
	unsigned across = s->order / s->tile;
	struct grid x = grid_make(w, across, s->tile, SEED_A, 0);
	struct grid y = grid_make(w, across, s->tile, SEED_B, 0);
	grid_wait(w, &x, 0);
	grid_wait(w, &y, 0);
	double begin = workload_now();
	struct grid plus = grid_combine(w, "matrix.add", &x, &y, NULL);
	struct grid minus = grid_combine(w, "matrix.subtract", &x, &y, NULL);
	*product = grid_multiply(w, &plus, &minus, "gpus=1");
	grid_wait(w, product, 0);
	double took = workload_now() - begin;
	grid_drop(w, &plus);
	grid_drop(w, &minus);
	grid_drop(w, &x);
	grid_drop(w, &y);
	return took;
}

static void policy_row(const char *policy, const struct setup *s, bool show)
{
	struct workload w;
	struct grid product;
	double times[ROUNDS_MAX], *a = whole(s->order, SEED_A, 0), *b = whole(s->order, SEED_B, 0);
	double *c = room(s->order), all = 0;
	workload_boot(&w,
	    &(struct workload_options){
		.workers = kinds, .inject = speeds, .policy = policy, .module = "matrix" });
	for (unsigned r = 0; r < s->rounds; r++) {
		times[r] = run_classes(&w, s, &product);
		if (r + 1 < s->rounds)
			grid_drop(&w, &product);
	}
	for (size_t i = 0; i < (size_t)s->order * s->order; i++) {
		double plus = a[i] + b[i];
		b[i] = a[i] - b[i];
		a[i] = plus;
	}
	reference_multiply(s->order, a, b, c);
	compare(&w, &product, c, policy);
	grid_drop(&w, &product);
	for (unsigned g = 1; g <= 4; g++)
		all += (double)workload_tasks_of(&w, g);
	if (show) {
		workload_row(workload_median(times, s->rounds) * 1e3, "ms", "classes, %s", policy);
		for (unsigned g = 4; g >= 1; g--)
			workload_row((double)workload_tasks_of(&w, g) / all, "share",
			    "classes, %s: tasks of generation %u", policy, g);
	}
	workload_end(&w);
	free(a);
	free(b);
	free(c);
}

/* ---- measuring ---- */

/* Each round measures plm, then OpenBLAS with a thread for each core. The first round warms up. */
static void measure_multiply(const struct workload *w, const struct setup *s)
{
	unsigned across = s->order / s->tile;
	double *a = whole(s->order, SEED_A, 0), *b = whole(s->order, SEED_B, 0);
	double *c = room(s->order), ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
	struct grid x = grid_make(w, across, s->tile, SEED_A, 0);
	struct grid y = grid_make(w, across, s->tile, SEED_B, 0);
	grid_wait(w, &x, 0);
	grid_wait(w, &y, 0);
	for (unsigned r = 0; r <= s->rounds; r++) {
		double begin = workload_now();
		struct grid product = grid_multiply(w, &x, &y, NULL);
		grid_wait(w, &product, 0);
		double middle = workload_now();
		reference_multiply(s->order, a, b, c);
		theirs[r ? r - 1 : 0] = workload_now() - middle;
		ours[r ? r - 1 : 0] = middle - begin;
		if (r == 0)
			compare(w, &product, c, "multiply");
		grid_drop(w, &product);
	}
	double flops = 2 * pow(s->order, 3), mine = workload_median(ours, s->rounds);
	double blas = workload_median(theirs, s->rounds);
	workload_row(flops / mine / 1e9, "Gflop/s", "multiply, order %u", s->order);
	workload_row(flops / blas / 1e9, "Gflop/s", "multiply, order %u, OpenBLAS", s->order);
	workload_row(blas / mine, "x", "multiply, order %u, of OpenBLAS", s->order);
	grid_drop(w, &x);
	grid_drop(w, &y);
	free(a);
	free(b);
	free(c);
}

static void measure_cholesky(const struct workload *w, const struct setup *s)
{
	unsigned across = s->order / s->tile;
	size_t bytes = (size_t)s->order * s->order * sizeof(double);
	double *a = whole(s->order, SEED_S, 1), *c = room(s->order);
	double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];
	struct grid z = grid_make(w, across, s->tile, SEED_S, 1);
	grid_wait(w, &z, 0);
	for (unsigned r = 0; r <= s->rounds; r++) {
		double begin = workload_now();
		struct grid lower = grid_cholesky(w, &z);
		grid_wait(w, &lower, 0);
		double end = workload_now();
		memcpy(c, a, bytes);
		double middle = workload_now();
		reference_cholesky(s->order, c);
		theirs[r ? r - 1 : 0] = workload_now() - middle;
		ours[r ? r - 1 : 0] = end - begin;
		if (r == 0)
			compare(w, &lower, c, "cholesky");
		grid_drop(w, &lower);
	}
	double flops = pow(s->order, 3) / 3, mine = workload_median(ours, s->rounds);
	double lapack = workload_median(theirs, s->rounds);
	workload_row(flops / mine / 1e9, "Gflop/s", "cholesky, order %u", s->order);
	workload_row(flops / lapack / 1e9, "Gflop/s", "cholesky, order %u, LAPACK", s->order);
	workload_row(lapack / mine, "x", "cholesky, order %u, of LAPACK", s->order);
	grid_drop(w, &z);
	free(a);
	free(c);
}

static void run_check(void)
{
	struct workload w;
	workload_boot(&w, &(struct workload_options){ .workers = "2", .module = "matrix" });
	check_elements(&w, &(struct setup){ .order = 60, .tile = 12 });
	check_graphs(&w, &(struct setup){ .order = 35, .tile = 35 }, 0);
	check_graphs(&w, &(struct setup){ .order = 96, .tile = 16 }, 0);
	check_graphs(&w, &(struct setup){ .order = 512, .tile = 64 }, 4);
	check_failure(&w);
	workload_end(&w);
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
		policy_row(policies[i], &(struct setup){ 64, 16, 1 }, false);
	printf("matrix: all results are right\n");
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "check";
	bool classes = strcmp(mode, "classes") == 0;
	struct setup s = { classes ? 128 : 1024, classes ? 16 : 256, 5 };
	if (argc > 2)
		s.order = (unsigned)workload_number("ORDER", argv[2]);
	if (argc > 3)
		s.tile = (unsigned)workload_number("TILE", argv[3]);
	if (argc > 4)
		s.rounds = (unsigned)workload_number("ROUNDS", argv[4]);
	if (!s.tile || s.order % s.tile || !s.rounds || s.rounds >= ROUNDS_MAX)
		workload_fail("ORDER must be a multiple of TILE, ROUNDS 1 to %d", ROUNDS_MAX - 1);
	if (classes) {
		for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
			policy_row(policies[i], &s, true);
	} else if (strcmp(mode, "multiply") == 0 || strcmp(mode, "cholesky") == 0) {
		struct workload w;
		openblas_set_num_threads((int)workload_cores());
		workload_boot(&w, &(struct workload_options){ .module = "matrix" });
		(mode[0] == 'm' ? measure_multiply : measure_cholesky)(&w, &s);
		workload_end(&w);
	} else if (strcmp(mode, "check") == 0) {
		run_check();
	} else {
		workload_fail("there are check, multiply, cholesky and classes, not \"%s\"", mode);
	}
	return 0;
}
