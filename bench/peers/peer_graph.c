#include "bench/peers/peer_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/work.h"

enum { SPREAD = 3 };

static const char *const names[GRAPH_PATTERNS] = {
	"trivial",
	"chain",
	"stencil",
	"nearest",
	"spread",
	"fft",
	"tree",
	"random",
};

static unsigned log2_of(unsigned n)
{
	unsigned bits = 0;
	while (n >>= 1)
		bits++;
	return bits;
}

/* The tree opens 1, 2, 4 .. width and closes again. */
static unsigned tree_level(const struct graph *graph, unsigned step)
{
	unsigned depth = log2_of(graph->width);
	unsigned phase = step % (2 * depth);
	return phase <= depth ? phase : 2 * depth - phase;
}

unsigned graph_row(const struct graph *graph, unsigned step)
{
	if (graph->pattern != GRAPH_TREE || graph->width < 2)
		return graph->width;
	return 1u << tree_level(graph, step);
}

static bool tree_needs(const struct graph *graph, unsigned step, unsigned column, unsigned other)
{
	bool opens = graph_row(graph, step) > graph_row(graph, step - 1);
	return opens ? other == column / 2 : other / 2 == column;
}

static bool spread_needs(const struct graph *graph, unsigned step, unsigned column, unsigned other)
{
	for (unsigned i = 0; i < SPREAD; i++)
		if ((column + i * graph->width / SPREAD + step) % graph->width == other)
			return true;
	return false;
}

static bool fft_needs(const struct graph *graph, unsigned step, unsigned column, unsigned other)
{
	unsigned bits = log2_of(graph->width);
	return other == column || (bits && other == (column ^ 1u << (step - 1) % bits));
}

static bool random_needs(unsigned step, unsigned column, unsigned other)
{
	uint64_t x = ((uint64_t)step << 32 | column << 16 | other) * 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x >> 63;
}

bool graph_needs_one(const struct graph *graph, unsigned step, unsigned column, unsigned other)
{
	unsigned apart = column > other ? column - other : other - column;
	switch (graph->pattern) {
	case GRAPH_CHAIN: return apart == 0;
	case GRAPH_STENCIL: return apart <= 1;
	case GRAPH_NEAREST: return apart <= 2;
	case GRAPH_SPREAD: return spread_needs(graph, step, column, other);
	case GRAPH_FFT: return fft_needs(graph, step, column, other);
	case GRAPH_TREE: return tree_needs(graph, step, column, other);
	case GRAPH_RANDOM: return random_needs(step, column, other);
	default: return false;
	}
}

unsigned graph_needs(
    const struct graph *graph, unsigned step, unsigned column, unsigned ret[GRAPH_WIDTH_MAX])
{
	unsigned n = 0;
	if (step == 0)
		return 0;
	for (unsigned other = 0; other < graph_row(graph, step - 1); other++)
		if (graph_needs_one(graph, step, column, other))
			ret[n++] = other;
	return n;
}

/* ---- requests ---- */

void graph_answer(uint64_t ns)
{
	printf("%llu\n", (unsigned long long)ns);
	fflush(stdout);
}

static bool pattern_of(const char *name, enum graph_pattern *ret)
{
	for (int i = 0; i < GRAPH_PATTERNS; i++)
		if (strcmp(names[i], name) == 0) {
			*ret = (enum graph_pattern)i;
			return true;
		}
	return false;
}

static void answer_turns(unsigned long long turns)
{
	uint64_t start = clock_ns();
	work_turns(turns);
	graph_answer(clock_ns() - start);
}

int graph_request(struct graph *ret)
{
	char line[128], name[16], how[8] = "";
	unsigned long long number, turns;
	unsigned steps;
	if (!fgets(line, sizeof line, stdin))
		return -1;
	int n = sscanf(line, "%15s %llu %u %llu %7s", name, &number, &steps, &turns, how);
	if (n == 2 && strcmp(name, "turns") == 0) {
		answer_turns(number);
		return 0;
	}
	if (n < 4 || number < 1 || number > GRAPH_WIDTH_MAX || !pattern_of(name, &ret->pattern)) {
		graph_answer(0);
		return 0;
	}
	ret->width = (unsigned)number;
	ret->steps = steps;
	ret->turns = turns;
	ret->ahead = strcmp(how, "ahead") == 0;
	return 1;
}

int graph_main(uint64_t (*run)(const struct graph *graph))
{
	struct graph graph;
	int r;
	puts("first");
	fflush(stdout);
	while ((r = graph_request(&graph)) >= 0)
		if (r > 0)
			graph_answer(run(&graph));
	return EXIT_SUCCESS;
}
