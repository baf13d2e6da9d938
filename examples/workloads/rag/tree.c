/* tree.c - states of the model as a tree of prefixes. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plm_inspect.h"
#include "tiny.h"

enum { FOREGROUND = 100, PREFETCH = -1000, NO_NODE = TREE_NODES };

static uint64_t hash_of(uint64_t hash, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

static uint64_t name_below(const struct tree *t, uint32_t parent, uint32_t piece)
{
	const struct rag_piece *p = &t->corpus->piece[piece];
	return hash_of(t->node[parent].name ^ UINT64_C(0x9e3779b97f4a7c15),
	    t->corpus->texts + p->at, p->bytes);
}

static uint32_t find(const struct tree *t, uint64_t name)
{
	for (uint32_t i = 0; i < TREE_NODES; i++)
		if (t->node[i].name == name)
			return i;
	return NO_NODE;
}

/* ---- tasks ---- */

/* The states of the path down to the node, the root first. Returns how many. */
static uint32_t path_of(const struct tree *t, uint32_t node, plm_ref *ret)
{
	uint32_t n = 0;
	for (uint32_t i = node;; i = t->node[i].parent) {
		ret[n++] = t->node[i].state;
		if (i == TREE_ROOT)
			break;
	}
	for (uint32_t i = 0; i < n / 2; i++) {
		plm_ref swap = ret[i];
		ret[i] = ret[n - 1 - i];
		ret[n - 1 - i] = swap;
	}
	return n;
}

static void submit(struct tree *t, uint32_t node, const char *text, size_t bytes, int priority)
{
	plm_ref path[TREE_DEPTH + 1];
	plm_arg args[2 + TREE_DEPTH + 1];
	uint32_t n = node == TREE_ROOT ? 0 : path_of(t, t->node[node].parent, path);
	args[0] = PLM_FUTURE(t->corpus->model);
	args[1] = PLM_BYTES(text, bytes);
	for (uint32_t i = 0; i < n; i++)
		args[2 + i] = PLM_FUTURE(path[i]);
	plm_task task = { .function = "rag.prefill",
		.args = args,
		.nargs = 2 + n,
		.priority = priority,
		.crash_retries = WORKLOAD_CRASH_RETRIES,
		.identity = { t->node[node].name, bytes } };
	workload_must(plm_submit(t->corpus->w->rt, &task, &t->node[node].state), "rag.prefill");
}

static void submit_piece(struct tree *t, uint32_t node, int priority)
{
	const struct rag_piece *p = &t->corpus->piece[t->node[node].piece];
	submit(t, node, t->corpus->texts + p->at, p->bytes, priority);
}

static int outcome(const struct tree *t, uint32_t node)
{
	return plm_outcome(t->corpus->w->rt, t->node[node].state);
}

static bool is_running(const struct tree *t, uint32_t node)
{
	plm_inspect *in;
	plm_task_row row = { 0 };
	if (plm_inspect_of(&in, t->corpus->w->rt) < 0)
		return false;
	int r = plm_inspect_task(in, t->node[node].state, 0, &row, sizeof row);
	plm_inspect_close(&in);
	return r == 0 && row.state == PLM_STATE_RUNNING;
}

/* ---- room ---- */

static void forget(struct tree *t, uint32_t node)
{
	struct tree_node *n = &t->node[node];
	plm *rt = t->corpus->w->rt;
	int r = outcome(t, node);
	if (r == -EAGAIN)
		plm_cancel(rt, n->state, PLM_GRACE_OF_TASK);
	plm_drop(rt, n->state);
	t->figures.bytes -= n->bytes;
	if (n->prefetched && r == 0)
		t->figures.wasted_bytes += n->bytes;
	t->node[n->parent].children--;
	*n = (struct tree_node){ 0 };
}

enum leaving { PREFETCHED, USED };

/* The leaf of this kind that was touched longest ago; a prefetched one was not asked for yet. */
static uint32_t victim(const struct tree *t, enum leaving kind)
{
	uint32_t best = NO_NODE;
	for (uint32_t i = 1; i < TREE_NODES; i++) {
		const struct tree_node *n = &t->node[i];
		if (n->name && !n->children && !n->pinned &&
		    n->prefetched == (kind == PREFETCHED) &&
		    (best == NO_NODE || n->used_at < t->node[best].used_at))
			best = i;
	}
	return best;
}

static uint64_t prefetched_bytes(const struct tree *t)
{
	uint64_t bytes = 0;
	for (uint32_t i = 1; i < TREE_NODES; i++)
		bytes += t->node[i].prefetched ? t->node[i].bytes : 0;
	return bytes;
}

/* For a question, prefetched states leave before used states. For a prefetch, used states leave
 * until half of the budget is prefetched; then prefetched states make way for each other. False:
 * there is no room that may be taken. */
static bool make_room(struct tree *t, uint64_t bytes, bool prefetch)
{
	bool enough = prefetch && 2 * (prefetched_bytes(t) + bytes) <= t->budget;
	enum leaving first = enough ? USED : PREFETCHED;
	while (t->figures.bytes + bytes > t->budget || find(t, 0) == NO_NODE) {
		uint32_t leaving = victim(t, first);
		if (leaving == NO_NODE && !prefetch)
			leaving = victim(t, USED);
		if (leaving == NO_NODE)
			return false;
		forget(t, leaving);
	}
	return true;
}

/* A new node, whose task is not submitted yet; NO_NODE: no room. */
static uint32_t add(struct tree *t, uint32_t parent, uint32_t piece, bool prefetch)
{
	uint64_t bytes = tiny_state_bytes(t->corpus->piece[piece].bytes);
	bool pinned = t->node[parent].pinned; /* the parent must not leave meanwhile */
	t->node[parent].pinned = true;
	bool room = make_room(t, bytes, prefetch);
	t->node[parent].pinned = pinned;
	if (!room)
		return NO_NODE;
	uint32_t node = find(t, 0);
	t->node[node] = (struct tree_node){ .name = name_below(t, parent, piece),
		.parent = parent,
		.piece = piece,
		.bytes = bytes,
		.used_at = ++t->clock,
		.prefetched = prefetch };
	t->node[parent].children++;
	t->figures.bytes += bytes;
	if (t->figures.bytes > t->figures.bytes_most)
		t->figures.bytes_most = t->figures.bytes;
	return node;
}

/* ---- questions ---- */

/* The state of a node for a question: if nobody computes it, now and before all else. */
static void ensure(struct tree *t, uint32_t node)
{
	plm *rt = t->corpus->w->rt;
	int r = outcome(t, node);
	t->figures.wanted++;
	if (r == 0) {
		t->figures.found++;
	} else if (r != -EAGAIN || !is_running(t, node)) {
		if (r == -EAGAIN)
			plm_cancel(rt, t->node[node].state, 0);
		plm_drop(rt, t->node[node].state);
		submit_piece(t, node, FOREGROUND);
	}
	if (t->node[node].prefetched)
		t->figures.used++;
	t->node[node].prefetched = false;
}

static void cancel_others(struct tree *t)
{
	for (uint32_t i = 1; i < TREE_NODES; i++)
		if (t->node[i].name && t->node[i].prefetched && !t->node[i].pinned &&
		    outcome(t, i) == -EAGAIN &&
		    plm_cancel(t->corpus->w->rt, t->node[i].state, PLM_GRACE_OF_TASK) == 0)
			t->figures.cancelled++;
}

uint32_t tree_want(struct tree *t, const uint32_t *pieces, uint32_t n, plm_ref *ret)
{
	uint32_t at = TREE_ROOT;
	for (uint32_t i = 0; i < n && i < TREE_DEPTH; i++) {
		uint32_t next = find(t, name_below(t, at, pieces[i]));
		if (next == NO_NODE) {
			next = add(t, at, pieces[i], false);
			if (next == NO_NODE)
				return 0;
			t->figures.wanted++;
			submit_piece(t, next, FOREGROUND);
		} else {
			ensure(t, next);
		}
		t->node[next].used_at = ++t->clock;
		t->node[next].pinned = true;
		at = next;
	}
	cancel_others(t);
	return path_of(t, at, ret);
}

void tree_unpin(struct tree *t)
{
	for (uint32_t i = 1; i < TREE_NODES; i++)
		t->node[i].pinned = false;
}

uint32_t tree_prefetch(struct tree *t, const uint32_t *pieces, uint32_t n)
{
	uint32_t at = TREE_ROOT, submitted = 0;
	for (uint32_t i = 0; i < n && i < TREE_DEPTH; i++) {
		uint32_t next = find(t, name_below(t, at, pieces[i]));
		int r = next == NO_NODE ? 0 : outcome(t, next);
		if (next == NO_NODE) {
			next = add(t, at, pieces[i], true);
			if (next == NO_NODE)
				break;
			t->figures.prefetched++;
			t->figures.prefetched_bytes += t->node[next].bytes;
			submit_piece(t, next, PREFETCH);
			submitted++;
		} else if (r != 0 && r != -EAGAIN) { /* was cancelled */
			plm_drop(t->corpus->w->rt, t->node[next].state);
			submit_piece(t, next, PREFETCH);
			submitted++;
		}
		at = next;
	}
	return submitted;
}

void tree_settle(struct tree *t)
{
	for (uint32_t i = 1; i < TREE_NODES; i++)
		if (t->node[i].name)
			workload_wait(t->corpus->w, &t->node[i].state, 1, 1);
}

/* ---- life ---- */

void tree_open(struct tree *ret, const struct corpus *c, const char *system, uint64_t budget)
{
	memset(ret, 0, sizeof *ret);
	ret->corpus = c;
	ret->budget = budget;
	ret->system = system;
	ret->node[TREE_ROOT] =
	    (struct tree_node){ .name = hash_of(1, system, strlen(system)), .pinned = true };
	submit(ret, TREE_ROOT, system, strlen(system), FOREGROUND);
}

void tree_clear(struct tree *t)
{
	uint32_t leaf;
	tree_unpin(t);
	while ((leaf = victim(t, PREFETCHED)) != NO_NODE || (leaf = victim(t, USED)) != NO_NODE)
		forget(t, leaf);
	t->figures = (struct tree_figures){ 0 };
}

void tree_close(struct tree *t)
{
	tree_clear(t);
	plm_drop(t->corpus->w->rt, t->node[TREE_ROOT].state);
}
