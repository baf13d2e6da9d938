/* near.c - where the bytes of a task's arguments lie: in the cache of the maker, in the memory of a
 * node.
 *
 * Asked only if the arguments together are worth a wake: below that, a worker with room is the
 * better choice. */
#include "scheduler/placing.h"

enum {
	FUTURES_LOOKED_AT = 8,
	WORTH_A_WAKE_BYTES = 64 << 10, /* copying them from another core takes about as long */
};

/* The worker of the value's maker: the word of a settled record keeps the process slot of the
 * owner. The slot may have a new process since. */
static uint32_t near_maker(const struct scheduler *s, uint64_t word)
{
	uint32_t process = word_owner(word);
	bool worker = process < s->t->limits.processes && s->worker_process[process].generation;
	return worker ? s->worker_process[process].worker : POLICY_NOBODY;
}

_Static_assert(sizeof(struct arg_future) + sizeof(uint32_t) > RECORD_INLINE_ARGS,
    "where there is no argument block, there is no future");

static size_t near_find_bytes(struct scheduler *s, struct record *task, struct policy_bytes *ret)
{
	struct args_reader reader;
	struct arg arg;
	uint64_t sum = 0;
	size_t n = 0;
	if (!args_open(s->t, task, &reader))
		return 0;
	while (n < FUTURES_LOOKED_AT && args_next(&reader, &arg)) {
		bool read = arg.future && arg.condition == ARG_VALUE;
		const struct record *by = read ? edges_speaker(s->t, arg.future->ref) : NULL;
		uint64_t word = by ? sh_load(&by->state) : 0;
		if (word_state(word) != RECORD_DONE)
			continue;
		const struct record *r = record_at(s->t, ref_index(arg.future->ref));
		if (sh_peek(&r->value) == 0)
			continue;
		uint32_t node =
		    s->t->limits.nodes > 1 ? store_node(s->t, sh_peek(&r->value)) : POLICY_NOBODY;
		ret[n++] = (struct policy_bytes){ near_maker(s, word), node, r->value_bytes };
		sum += r->value_bytes;
	}
	return sum < WORTH_A_WAKE_BYTES ? 0 : n;
}

bool near_choose(struct scheduler *s, struct record *task, uint32_t *ret_process)
{
	struct policy_bytes bytes[FUTURES_LOOKED_AT];
	struct policy_view view = { s->room.view, s->room.hall[HALL_CPU].open,
		s->room.hall[HALL_CPU].n };
	size_t n;
	if (!s->room.policy->near || sh_peek(&task->args) == 0 || view.n == 0 ||
	    (n = near_find_bytes(s, task, bytes)) == 0)
		return false;
	uint32_t worker = s->room.policy->near(&view, bytes, n);
	if (worker == POLICY_NOBODY)
		return false;
	*ret_process = room_process_of(s, worker);
	return true;
}
