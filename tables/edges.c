#include "tables/edges.h"

static uint64_t edge_make(uint32_t task, uint32_t offset)
{
	return (uint64_t)task << 32 | offset;
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
		sh_store(&speaker->dependents, edge_make(index, arg->offset), "dependents, linked");
	} else if (state != RECORD_DONE && !record_wants_any(t, r)) {
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
	struct arg_future *future =
	    task < t->limits.records ? args_future_at(t, record_at(t, task), (uint32_t)edge) : NULL;
	sh_store(&settled->dependents, future ? sh_peek(&future->next) : 0, "dependents, taken");
	if (!future)
		return false;
	struct record *r = record_at(t, task);
	uint32_t pending = sh_peek(&r->pending);
	if ((pending & ~PENDING_DOOMED) == 0)
		return false; /* a circular list */
	bool done = word_state(sh_load(&settled->state)) == RECORD_DONE;
	bool any = record_wants_any(t, r);
	pending--;
	if (!done && !any)
		pending |= PENDING_DOOMED;
	sh_poke(&r->pending, pending, "pending, taken");
	*ret = (struct edge_taken){ .task = task,
		.word = sh_load(&r->state),
		.last = (pending & ~PENDING_DOOMED) == 0,
		.doomed = (pending & PENDING_DOOMED) != 0 };
	if (any) {
		ret->last = pending == 0 || done;
		ret->doomed = !done;
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
static struct record *edges_over_locked(const struct tables *t, uint64_t ref, bool try)
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
	struct record *over = edges_over_locked(t, ref, try);
	while (over && *ret_n < max && edges_take_one_locked(t, over, &ret[*ret_n]))
		++*ret_n;
	lock_release(&t->graph_lock);
	return 0;
}

static bool edges_wanted_locked(const struct tables *t, const struct record *r)
{
	uint64_t edge = sh_peek(&r->dependents);
	for (uint32_t steps = 0; edge && steps < t->limits.records; steps++) {
		uint32_t task = (uint32_t)(edge >> 32);
		struct arg_future *future = task < t->limits.records
		    ? args_future_at(t, record_at(t, task), (uint32_t)edge)
		    : NULL;
		if (!future || record_unsettled(sh_load(&record_at(t, task)->state)))
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

static void edges_link_again(struct tables *t, uint32_t index)
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
			edges_link_again(t, i);
}
