/* test_graphs.c - a graph of tasks yields the same as a sequential run of the graph.
 *
 * Thousands of random graphs run, many at once, on workers of several kinds, with each policy, and
 * while workers and schedulers are killed. Compared with a sequential run (random_graph.h) are each
 * value, each failure with the task that failed first, and the number of calls of each function.
 * PLM_GRAPH_SEED is the seed of the first graph, each further graph adds one; PLM_GRAPHS is the
 * number of graphs. To repeat a failure, give the seed of the failed graph and the number of graphs
 * beside. */
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/deaths.h"
#include "tests/support/fixture.h"
#include "tests/support/random_graph.h"
#include "tests/support/roles_case.h"
#include "tests/support/run_suite.h"

enum {
	TEST_TIMEOUT_S = 300,
	GRAPHS = 3000, /* with each policy; a third as many when processes are killed */
	GRAPHS_MAX = 1 << 16,
	AT_ONCE = 32,
	CRASH_RETRIES = 200,
	KILLS = 2, /* during each set of AT_ONCE graphs */
	SCHEDULER_EVERY =
	    16, /* kills: the successor of a scheduler that died young comes after seconds */
	MESSAGE_BYTES = 256,
	INLINE_BYTES = 512,
};

static const char workers[] = "gen=4,cpus=2 x1; gen=2,cpus=1 x1; gen=1,cpus=3 x1";
static const char *const policies[] = { "locality", "load-aware", "power-of-two", "round-robin",
	"random", "static-fill" };

struct run {
	struct graph graph;
	plm_ref ref[GRAPH_NODES][GRAPH_RESULTS];
};

static struct run run[AT_ONCE];
static _Atomic uint32_t *calls; /* GRAPH_NODES counters for each graph */
static bool nobody_dies;
static uint64_t random_state;

_Noreturn __attribute__((format(printf, 3, 4))) static void wrong(
    const struct graph *g, unsigned node, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list list;
	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	graph_print(g, stderr);
	ck_abort_msg("PLM_GRAPH_SEED=%" PRIu64 ", node %u: %s", g->seed, node, message);
}

/* ---- submission ---- */

struct parcel { /* the tasks of one submission */
	plm_task task[GRAPH_NODES];
	plm_arg arg[GRAPH_NODES][GRAPH_INPUTS + 2];
	unsigned char bytes[GRAPH_NODES][INLINE_BYTES];
	unsigned first, n;
};

static struct parcel parcel;

static void add_task(struct run *r, unsigned number)
{
	const struct graph_node *n = &r->graph.node[number];
	plm_arg *arg = parcel.arg[parcel.n];
	size_t args = 0;
	arg[args++] = PLM_BYTES(&n->order, sizeof n->order);
	for (unsigned i = 0; i < n->inputs; i++)
		arg[args++] = PLM_FUTURE(r->ref[n->input[i].node][n->input[i].result]);
	graph_inline(n, parcel.bytes[parcel.n]);
	if (n->inline_bytes)
		arg[args++] = PLM_BYTES(parcel.bytes[parcel.n], n->inline_bytes);
	parcel.task[parcel.n++] = (plm_task){ .function = "graph.node",
		.args = arg,
		.nargs = args,
		.priority = n->priority,
		.results = n->order.results,
		.retries = n->retries,
		.crash_retries = nobody_dies ? 0 : CRASH_RETRIES };
}

/* A parcel ends before an object, since references come in the order of the nodes. */
static void send_parcel(struct run *r)
{
	plm_ref refs[GRAPH_NODES * GRAPH_RESULTS], *next = refs;
	int error = parcel.n == 1 ? plm_submit(client, parcel.task, refs)
				  : plm_submit_many(client, parcel.task, parcel.n, refs);
	if (error < 0)
		wrong(&r->graph, parcel.first, "submit: %s", plm_why());
	for (unsigned i = parcel.first; i < parcel.first + parcel.n; i++)
		for (unsigned k = 0; k < r->graph.node[i].order.results; k++)
			r->ref[i][k] = *next++;
	parcel.first += parcel.n;
	parcel.n = 0;
}

static bool depends_on_parcel(const struct graph_node *n)
{
	for (unsigned i = 0; i < n->inputs; i++)
		if (n->input[i].node >= parcel.first)
			return true;
	return false;
}

static void put_object(struct run *r, unsigned number)
{
	unsigned char value[GRAPH_VALUE_BYTES];
	size_t length = graph_value(&r->graph.node[number], 0, value);
	if (plm_put(client, value, length, &r->ref[number][0]) < 0)
		wrong(&r->graph, number, "put: %s", plm_why());
	parcel.first = number + 1;
}

static void drop_node(const struct run *r, unsigned number)
{
	plm_drop_many(client, r->ref[number], r->graph.node[number].order.results);
}

static void submit_graph(struct run *r, unsigned which)
{
	struct graph *g = &r->graph;
	parcel.first = parcel.n = 0;
	for (unsigned i = 0; i < g->nodes; i++) {
		struct graph_node *n = &g->node[i];
		n->order.count = (int64_t)which * GRAPH_NODES + i;
		if (parcel.n && (!g->together || n->object || depends_on_parcel(n)))
			send_parcel(r);
		if (n->object)
			put_object(r, i);
		else
			add_task(r, i);
	}
	if (parcel.n)
		send_parcel(r);
	for (unsigned i = 0; i < g->nodes; i++)
		if (g->node[i].dropped)
			drop_node(r, i);
}

/* ---- comparison ---- */

static void expect_value(const struct run *r, unsigned number, unsigned result)
{
	const struct graph *g = &r->graph;
	unsigned char value[GRAPH_VALUE_BYTES];
	plm_view view;
	plm_failure failure;
	size_t length = graph_value(&g->node[number], result, value);
	int error = plm_get(client, r->ref[number][result], &view, 0);
	if (error == -PLM_EFAILED && plm_error(client, r->ref[number][result], &failure) == 0)
		wrong(g, number, "result %u: %s failed with %d, signal %d: %s", result,
		    failure.function, failure.code, failure.signal, failure.message);
	if (error < 0)
		wrong(g, number, "result %u: %s", result, plm_why());
	if (view.len != length || memcmp(view.data, value, length) != 0)
		wrong(g, number, "result %u is another value: %zu bytes, not %zu", result, view.len,
		    length);
	plm_release(client, &view);
}

/* The failure names the task that failed first, one of the tasks whose failure can reach this node.
 */
static void expect_failed(const struct run *r, unsigned number, unsigned result)
{
	const struct graph *g = &r->graph;
	plm_failure failure;
	int error = plm_error(client, r->ref[number][result], &failure);
	if (error < 0)
		wrong(g, number, "it should have failed: %s", plm_why());
	unsigned root = (unsigned)(failure.code - GRAPH_CODE);
	if (root >= g->nodes || !(g->node[number].roots >> root & 1))
		wrong(g, number, "it failed with %d: %s", failure.code, failure.message);
	if (failure.task.id != r->ref[root][0].id)
		wrong(g, number, "node %u failed first, but another task is named", root);
}

/* With deaths a task is called more often; a dropped task, which the test does not await, may still
 * run or never run. */
static void expect_calls(const struct graph *g, unsigned number)
{
	const struct graph_node *n = &g->node[number];
	uint32_t seen = atomic_load(&calls[n->order.count]);
	bool exactly = !n->dropped && (nobody_dies || n->calls == 0);
	if (exactly          ? seen != n->calls
		: n->dropped ? nobody_dies && seen > n->calls
			     : seen < n->calls)
		wrong(g, number, "called %u times, not %u", seen, n->calls);
}

static void compare(const struct run *r)
{
	const struct graph *g = &r->graph;
	for (unsigned i = 0; i < g->nodes; i++) {
		const struct graph_node *n = &g->node[i];
		for (unsigned k = 0; !n->dropped && k < n->order.results; k++)
			if (n->roots)
				expect_failed(r, i, k);
			else
				expect_value(r, i, k);
		expect_calls(g, i);
	}
}

/* ---- many graphs ---- */

static size_t futures_of(unsigned n, plm_ref refs[])
{
	size_t futures = 0;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < run[i].graph.nodes; k++)
			for (unsigned j = 0; j < run[i].graph.node[k].order.results; j++)
				if (!run[i].graph.node[k].dropped)
					refs[futures++] = run[i].ref[k][j];
	return futures;
}

static void kill_one(void)
{
	bool scheduler = random_next(&random_state) % SCHEDULER_EVERY == 0;
	const struct process *victim =
	    pick_member(client, scheduler ? KIND_SCHEDULER : KIND_WORKER, &random_state);
	if (victim)
		kill_member(&host, victim);
}

static void run_some(unsigned first, unsigned n, uint64_t seed)
{
	static plm_ref refs[AT_ONCE * GRAPH_NODES * GRAPH_RESULTS];
	for (unsigned i = 0; i < n; i++) {
		graph_make(&run[i].graph, seed + first + i);
		graph_run(&run[i].graph);
	}
	for (unsigned i = 0; i < n; i++)
		submit_graph(&run[i], first + i);
	size_t futures = futures_of(n, refs);
	for (unsigned i = 0; !nobody_dies && i < KILLS; i++) {
		size_t settled = random_next(&random_state) % futures;
		expect_settled(&host, client, refs, futures, settled);
		kill_one();
	}
	expect_settled(&host, client, refs, futures, futures);
	for (unsigned i = 0; i < n; i++)
		compare(&run[i]);
	plm_drop_many(client, refs, futures);
}

static void run_graphs(const char *policy, unsigned otherwise)
{
	uint64_t seed = number_from("PLM_GRAPH_SEED", clock_ns());
	unsigned n = (unsigned)number_from("PLM_GRAPHS", otherwise);
	random_state = seed | 1;
	ck_assert(n > 0 && n <= GRAPHS_MAX);
	calls = shared_file((size_t)n * GRAPH_NODES * sizeof *calls, "TEST_CALLS");
	runtime_boot(&host, "--workers", workers, "--module", test_module("mod_graph"), "--policy",
	    policy, );
	host_join();
	printf("graphs: %s, PLM_GRAPH_SEED=%" PRIu64 " PLM_GRAPHS=%u\n", policy, seed, n);
	for (unsigned done = 0; done < n; done += AT_ONCE)
		run_some(done, n - done < AT_ONCE ? n - done : AT_ONCE, seed);
	expect_nothing_left(&host, client);
	plm_disconnect(&client);
	runtime_stop(&host);
	runtime_end(&host);
}

START_TEST(a_graph_yields_what_a_sequential_run_of_it_yields)
{
	nobody_dies = true;
	run_graphs(policies[_i], GRAPHS);
}
END_TEST

START_TEST(a_graph_yields_the_same_when_workers_and_schedulers_are_killed)
{
	run_graphs(policies[_i], GRAPHS / 3);
}
END_TEST

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	Suite *suite = suite_create("graphs");
	TCase *graphs = tcase_create("graphs");
	int n = COUNT_OF(policies);
	tcase_set_timeout(graphs, TEST_TIMEOUT_S);
	tcase_add_loop_test(graphs, a_graph_yields_what_a_sequential_run_of_it_yields, 0, n);
	suite_add_tcase(suite, graphs);
	TCase *deaths = tcase_create("deaths");
	tcase_set_timeout(deaths, TEST_TIMEOUT_S);
	tcase_add_loop_test(
	    deaths, a_graph_yields_the_same_when_workers_and_schedulers_are_killed, 0, n);
	suite_add_tcase(suite, deaths);
	return run_suite(suite);
}
