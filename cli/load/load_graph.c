/* load_graph.c - lines with names and lines that wait for names: in which order to submit lines,
 * and which lines can never run.
 *
 * A line may wait for a line that comes later in the file. The second reading puts such a line off,
 * and submits the line after all lines it waits for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "cli/load/load.h"

enum { WALK_TEXT_BYTES = 300 };

#define SEEN UINT32_MAX /* instead of a list link */

/* ---- names ---- */

static uint32_t load_graph_hash_of(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static uint32_t *load_graph_slot_of(const struct load_graph *g, const char *text)
{
	size_t at = load_graph_hash_of(text) & (g->slots - 1);
	while (g->slot[at] && strcmp(g->name[g->slot[at] - 1].text, text) != 0)
		at = (at + 1) & (g->slots - 1);
	return &g->slot[at];
}

static void load_graph_make_slots(struct load_graph *g)
{
	enum { SLOTS_FIRST = 256 };
	if (g->slots && g->names * 2 < g->slots)
		return;
	free(g->slot);
	g->slots = g->slots ? g->slots * 2 : SLOTS_FIRST;
	g->slot = calloc(g->slots, sizeof *g->slot);
	if (!g->slot)
		exit(failed(-ENOMEM, "load"));
	for (size_t i = 0; i < g->names; i++)
		*load_graph_slot_of(g, g->name[i].text) = (uint32_t)i + 1;
}

static uint32_t load_graph_name_number(struct load_graph *g, const char *text)
{
	load_graph_make_slots(g);
	uint32_t *slot = load_graph_slot_of(g, text);
	if (*slot)
		return *slot - 1;
	g->name = grow(g->name, g->names + 1, &g->names_room, sizeof *g->name);
	g->name[g->names] = (struct load_name){ .text = strdup(text) };
	if (!g->name[g->names].text)
		exit(failed(-ENOMEM, "load"));
	*slot = (uint32_t)++g->names;
	return *slot - 1;
}

/* ---- building ---- */

/* The name of the line whose future this is; NULL: a reference, or none. */
static const char *load_graph_named(const struct load_future *future)
{
	return future->of && future->of[0] != '@' ? future->of : NULL;
}

static void load_graph_add_edge(struct load_graph *g, struct load_node *node, const char *text)
{
	uint32_t number = load_graph_name_number(g, text);
	g->edge = grow(g->edge, g->edges + 1, &g->edges_room, sizeof *g->edge);
	g->edge[g->edges++] = (struct load_edge){ .from = (uint32_t)(node - g->node),
		.name = number,
		.next = g->name[number].first_edge };
	g->name[number].first_edge = (uint32_t)g->edges;
	node->edges++;
	node->missing++;
}

static int load_graph_take_name(struct load_graph *g, struct load_node *node, const char *text)
{
	uint32_t number = load_graph_name_number(g, text);
	if (g->name[number].node)
		return why(-EINVAL, "the name \"%.60s\" is that of line %llu", text,
		    (unsigned long long)g->node[g->name[number].node - 1].line);
	g->name[number].node = (uint32_t)(node - g->node) + 1;
	node->name = number + 1;
	return 0;
}

int load_graph_add(struct load_graph *g, const struct load_item *item, const struct load_line *line)
{
	bool waits = false;
	for (size_t i = 0; i < item->futures; i++)
		waits |= load_graph_named(&item->future[i]) != NULL;
	for (size_t i = 0; i < item->words; i++)
		waits |= item->result[i] != NULL;
	if (!item->name && !waits)
		return 0;
	g->node = grow(g->node, g->nodes + 1, &g->nodes_room, sizeof *g->node);
	struct load_node *node = &g->node[g->nodes];
	*node = (struct load_node){
		.line = line->number, .offset = line->offset, .first_edge = (uint32_t)g->edges
	};
	int r = item->name ? load_graph_take_name(g, node, item->name) : 0;
	if (r < 0)
		return r;
	g->nodes++;
	for (size_t i = 0; i < item->futures; i++)
		if (load_graph_named(&item->future[i]))
			load_graph_add_edge(g, node, item->future[i].of);
	for (size_t i = 0; i < item->words; i++)
		if (item->result[i])
			load_graph_add_edge(g, node, item->result[i]);
	return 0;
}

/* ---- judging ---- */

struct judging {
	struct load_graph *graph;
	load_say_f *say;
	void *context;
};

/* Marks a node as bad, with the present why, and all lines that wait for the node, directly or not.
 */
static void load_graph_condemn(const struct judging *j, struct load_node *first)
{
	struct load_graph *g = j->graph;
	uint32_t list = (uint32_t)(first - g->node) + 1;
	first->next = 0;
	first->bad = true;
	j->say(j->context, first->line);
	while (list) {
		struct load_node *node = &g->node[list - 1];
		list = node->next;
		uint32_t edge = node->name ? g->name[node->name - 1].first_edge : 0;
		for (; edge; edge = g->edge[edge - 1].next) {
			struct load_node *from = &g->node[g->edge[edge - 1].from];
			if (from->bad)
				continue;
			why(-EINVAL, "it waits for \"%.60s\", line %llu, which is bad",
			    g->name[node->name - 1].text, (unsigned long long)node->line);
			from->bad = true;
			j->say(j->context, from->line);
			from->next = list;
			list = (uint32_t)(from - g->node) + 1;
		}
	}
}

static void load_graph_judge_names(const struct judging *j)
{
	struct load_graph *g = j->graph;
	for (size_t i = 0; i < g->edges; i++) {
		const struct load_name *name = &g->name[g->edge[i].name];
		struct load_node *from = &g->node[g->edge[i].from];
		if (name->node || from->bad)
			continue;
		why(-EINVAL, "it waits for \"%.60s\", and no good line has that name", name->text);
		load_graph_condemn(j, from);
	}
}

/* Counts missing lines down as the second reading will. Nodes left over wait for each other in a
 * circle, or for such nodes. */
static void load_graph_count_down(struct load_graph *g)
{
	struct load_node *node;
	for (size_t i = 0; i < g->nodes; i++) {
		g->node[i].put_off = true;
		if (g->node[i].missing == 0) {
			g->node[i].next = g->ready;
			g->ready = (uint32_t)i + 1;
		}
	}
	while ((node = load_graph_ready(g)) != NULL)
		load_graph_done(g, node, PLM_NONE);
}

static struct load_node *load_graph_missing_one(
    const struct load_graph *g, const struct load_node *node)
{
	for (uint32_t i = 0; i < node->edges; i++) {
		const struct load_name *name = &g->name[g->edge[node->first_edge + i].name];
		struct load_node *of = name->node ? &g->node[name->node - 1] : NULL;
		if (of && of->missing && !of->bad)
			return of;
	}
	return NULL;
}

/* Walks from a node that is left over along missing lines, until the way closes to a circle. */
static void load_graph_condemn_cycle(const struct judging *j, struct load_node *node)
{
	struct load_graph *g = j->graph;
	char text[WALK_TEXT_BYTES] = "";
	size_t n = 0;
	for (; node && node->next != SEEN; node = load_graph_missing_one(g, node))
		node->next = SEEN;
	struct load_node *at = node;
	while (at && n < sizeof text) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%s\"%.60s\" (line %llu)",
		    n ? " waits for " : "", g->name[at->name - 1].text,
		    (unsigned long long)at->line);
		at = load_graph_missing_one(g, at);
		if (at == node)
			break;
	}
	if (!node)
		return;
	why(-EINVAL, "a circle: %s waits for %s", text, at == node ? "it" : "more of them");
	load_graph_condemn(j, node);
}

static struct load_node *load_graph_node_of(
    const struct load_graph *g, const struct load_edge *edge)
{
	uint32_t node = g->name[edge->name].node;
	return node ? &g->node[node - 1] : NULL;
}

static void load_graph_count_again(struct load_graph *g)
{
	for (size_t i = 0; i < g->nodes; i++) {
		g->node[i].missing = g->node[i].edges;
		g->node[i].put_off = false;
		g->node[i].next = 0;
		g->node[i].ref = PLM_NONE;
		g->node[i].wanted = 0;
	}
	for (size_t i = 0; i < g->edges; i++) {
		struct load_node *of = load_graph_node_of(g, &g->edge[i]);
		if (of && !g->node[g->edge[i].from].bad)
			of->wanted++;
	}
	g->ready = 0;
	g->at = 0;
}

void load_graph_judge(struct load_graph *g, load_say_f *say, void *context)
{
	const struct judging j = { .graph = g, .say = say, .context = context };
	load_graph_judge_names(&j);
	load_graph_count_down(g);
	for (size_t i = 0; i < g->nodes; i++)
		g->node[i].next = 0;
	for (size_t i = 0; i < g->nodes; i++)
		if (g->node[i].missing && !g->node[i].bad)
			load_graph_condemn_cycle(&j, &g->node[i]);
	load_graph_count_again(g);
}

/* ---- submitting ---- */

struct load_node *load_graph_at(struct load_graph *g, uint64_t line)
{
	while (g->at < g->nodes && g->node[g->at].line < line)
		g->at++;
	return g->at < g->nodes && g->node[g->at].line == line ? &g->node[g->at] : NULL;
}

void load_graph_done(struct load_graph *g, struct load_node *node, plm_ref ref)
{
	node->ref = ref;
	uint32_t edge = node->name ? g->name[node->name - 1].first_edge : 0;
	for (; edge; edge = g->edge[edge - 1].next) {
		struct load_node *from = &g->node[g->edge[edge - 1].from];
		if (--from->missing > 0 || !from->put_off)
			continue;
		from->next = g->ready;
		g->ready = (uint32_t)(from - g->node) + 1;
	}
}

void load_graph_served(
    struct load_graph *g, const struct load_node *node, load_let_go_f *let_go, void *context)
{
	for (uint32_t i = 0; i < node->edges; i++) {
		struct load_node *of = load_graph_node_of(g, &g->edge[node->first_edge + i]);
		if (!of || of->wanted == 0 || --of->wanted > 0 || !of->held)
			continue;
		of->held = false;
		let_go(context, of->ref);
	}
}

struct load_node *load_graph_ready(struct load_graph *g)
{
	if (!g->ready)
		return NULL;
	struct load_node *node = &g->node[g->ready - 1];
	g->ready = node->next;
	return node;
}

plm_ref load_graph_ref(const struct load_graph *g, const char *text)
{
	uint32_t number = g->slots ? *load_graph_slot_of(g, text) : 0;
	uint32_t node = number ? g->name[number - 1].node : 0;
	return node ? g->node[node - 1].ref : PLM_NONE;
}

const char *load_graph_name(const struct load_graph *g, const struct load_node *node)
{
	return node && node->name ? g->name[node->name - 1].text : NULL;
}

void load_graph_free(struct load_graph *g)
{
	for (size_t i = 0; i < g->names; i++)
		free(g->name[i].text);
	free(g->name);
	free(g->node);
	free(g->edge);
	free(g->slot);
}
