#include "tables/edges.h"

/* Payloads begin at multiples of 8, so the condition fits below the offset. */
enum { EDGE_CONDITION = 7 };
_Static_assert(ARG_CONDITIONS <= EDGE_CONDITION + 1, "a condition fits below an offset");

static uint64_t edge_make(uint32_t task, const struct arg *arg)
{
	return (uint64_t)task << 32 | arg->offset | arg->condition;
}

static enum arg_condition edge_condition(uint64_t edge)
{
	return (enum arg_condition)(edge & EDGE_CONDITION);
}

/* The argument of the waiting task; NULL: the edge is damaged. */
static struct arg_future *edge_future(const struct tables *t, uint64_t edge)
{
	uint32_t task = (uint32_t)(edge >> 32);
	return task < t->limits.records
	    ? args_future_at(t, record_at(t, task), (uint32_t)edge & ~(uint32_t)EDGE_CONDITION)
	    : NULL;
}

struct record *edges_speaker(const struct tables *t, uint64_t ref)
{
	uint64_t word;
	struct record *r = record_lookup(t, ref, &word);
	if (r && word_state(word) == RECORD_PART)
		r = record_lookup(t, r->part.task, &word);
	return r;
}

void edges_link(struct tables *t, uint32_t index, const struct arg *arg, struct record *speaker)
{
	struct record *r = record_at(t, index);
	enum record_state state = speaker ? word_state(sh_load(&speaker->state)) : RECORD_FREE;
	if (speaker && !state_settled(state)) {
		sh_poke(&arg->future->next, sh_peek(&speaker->dependents));
		sh_poke(&r->pending, sh_peek(&r->pending) + 1, "pending, linked");
		sh_store(&speaker->dependents, edge_make(index, arg), "dependents, linked");
	} else if (!arg_met(arg->condition, state) && !record_wants_any(t, r)) {
		sh_poke(&r->pending, sh_peek(&r->pending) | PENDING_DOOMED, "pending, doomed");
	}
}

/* Takes the first edge off the list; false if the list is empty, or its rest is damaged and so lost
 * until the next rebuild. */
static bool edges_take_one_locked(struct tables *t, struct record *settled, struct edge_taken *ret)
{
	uint64_t edge = sh_peek(&settled->dependents);
	uint32_t task = (uint32_t)(edge >> 32);
	if (!edge)
		return false;
	struct arg_future *future = edge_future(t, edge);
	sh_store(&settled->dependents, future ? sh_peek(&future->next) : 0, "dependents, taken");
	if (!future)
		return false;
	struct record *r = record_at(t, task);
	uint32_t pending = sh_peek(&r->pending);
	if ((pending & ~PENDING_DOOMED) == 0)
		return false; /* a circular list */
	bool met = arg_met(edge_condition(edge), word_state(sh_load(&settled->state)));
	bool any = record_wants_any(t, r);
	pending--;
	if (!met && !any)
		pending |= PENDING_DOOMED;
	sh_poke(&r->pending, pending, "pending, taken");
	*ret = (struct edge_taken){ .task = task,
		.word = sh_load(&r->state),
		.condition = edge_condition(edge),
		.met = met,
		.last = (pending & ~PENDING_DOOMED) == 0,
		.doomed = (pending & PENDING_DOOMED) != 0 };
	if (any) {
		ret->last = pending == 0 || met;
		ret->doomed = !met;
	}
	return true;
}

/* The holder needs a tenth of a microsecond, unless the kernel took its core away. */
static int edges_lock_soon(struct lock *lock)
{
	enum { TRIES = 100 };
	int r = -EBUSY;
	for (int i = 0; i < TRIES && r == -EBUSY; i++) {
		r = lock_try(lock);
		if (r == -EBUSY)
			sh_relax();
	}
	return r;
}

/* Looks under the lock, because an edge to a new life of the record is linked under the lock, too.
 * With try the record must be settled: edges to an object abandoned before its seal are for the
 * scheduler alone, which comes without try. */
static struct record *edges_find_locked(const struct tables *t, uint64_t ref, bool try)
{
	uint64_t word;
	struct record *r = record_lookup(t, ref, &word);
	return r && (!try || state_settled(word_state(word))) ? r : NULL;
}

int edges_take(
    struct tables *t, uint64_t ref, bool try, struct edge_taken *ret, uint32_t max, uint32_t *ret_n)
{
	*ret_n = 0;
	if (!sh_load(&record_at(t, ref_index(ref))->dependents))
		return 0;
	int r = try ? edges_lock_soon(&t->graph_lock) : lock_acquire(&t->graph_lock);
	if (r < 0)
		return r;
	struct record *over = edges_find_locked(t, ref, try);
	while (over && *ret_n < max && edges_take_one_locked(t, over, &ret[*ret_n]))
		++*ret_n;
	lock_release(&t->graph_lock);
	return 0;
}

static bool edges_wanted_locked(const struct tables *t, const struct record *r)
{
	uint64_t edge = sh_peek(&r->dependents);
	for (uint32_t steps = 0; edge && steps < t->limits.records; steps++) {
		struct arg_future *future = edge_future(t, edge);
		if (!future)
			return true;
		uint64_t word = sh_load(&record_at(t, (uint32_t)(edge >> 32))->state);
		if (edge_condition(edge) == ARG_VALUE && record_unsettled(word))
			return true;
		edge = sh_peek(&future->next);
	}
	return edge != 0;
}

bool edges_wanted(struct tables *t, const struct record *r)
{
	if (lock_acquire(&t->graph_lock) < 0)
		return true;
	bool wanted = edges_wanted_locked(t, r);
	lock_release(&t->graph_lock);
	return wanted;
}

static void edges_relink(struct tables *t, uint32_t index)
{
	struct args_reader reader;
	struct arg arg;
	if (!args_open(t, record_at(t, index), &reader))
		return;
	while (args_next(&reader, &arg))
		if (arg.future)
			edges_link(t, index, &arg, edges_speaker(t, arg.future->ref));
}

void edges_rebuild(struct tables *t)
{
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		if (sh_peek(&t->record[i].dependents))
			sh_poke(&t->record[i].dependents, 0);
		if (sh_peek(&t->record[i].pending))
			sh_poke(&t->record[i].pending, 0, "pending, rebuilt");
	}
	/* The scheduler links tasks new to it when it meets them. */
	for (uint32_t i = 0; i < fresh; i++)
		if (sh_peek(&t->record[i].uses) & USES_COUNTED)
			edges_relink(t, i);
}
