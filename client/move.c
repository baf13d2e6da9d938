/* move.c - a queued task gets another place in the queue (tables/moves.h). */
#include <errno.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/handle.h"
#include "tables/moves.h"

static const enum move_kind move_kinds[] = {
	[PLM_TO_FRONT] = MOVE_TO_FRONT,
	[PLM_TO_PRIORITY] = MOVE_TO_PRIORITY,
	[PLM_ASIDE] = MOVE_ASIDE,
	[PLM_BACK] = MOVE_BACK,
};

static int move_check(enum plm_place place, int priority)
{
	if (place < PLM_TO_FRONT || place > PLM_BACK)
		return why(-EINVAL, "plm_move: %d is no place in a queue", (int)place);
	if (priority < PRIORITY_MIN || priority > PRIORITY_MAX)
		return why(-EINVAL, "plm_move: priority %d is not within %d to %d", priority,
		    PRIORITY_MIN, PRIORITY_MAX);
	return 0;
}

/* Under a hold of ours on the task. */
static int move_ask(struct plm *rt, plm_ref ref, uint64_t order)
{
	uint64_t word, answer = MOVE_NONE;
	int r = 0;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	record = ref_speaker(rt, record, &word);
	uint64_t task = record_ref(record_index(&rt->tables, record), word_generation(word));
	if (word_flags(word) & FLAG_OBJECT || word_state(word) == RECORD_RESERVED)
		return why(-EINVAL,
		    "the reference names an object, not a task: only a queued task can be moved");
	uint64_t asked_ns = clock_ns();
	pthread_mutex_lock(&rt->import_mutex);
	r = ref_ask_move(rt, task, order, handle_answer_deadline(rt, -1), &answer);
	pthread_mutex_unlock(&rt->import_mutex);
	if (r == -ETIMEDOUT)
		return handle_scheduler_silent(rt, asked_ns);
	if (r < 0 || move_kind(answer) == MOVE_DONE)
		return r;
	enum record_state state = word_state(sh_load(&record->state));
	return why(-EALREADY, "the task is %s already: only a queued task can be moved",
	    record_state_name(state));
}

static int move_move(plm *rt, plm_ref ref, enum plm_place place, int priority)
{
	int r = handle_check(rt);
	if (r == 0)
		r = move_check(place, priority);
	if (r == 0)
		r = ref_hold(rt, ref);
	if (r < 0)
		return r;
	r = move_ask(rt, ref, move_make(move_kinds[place], priority));
	plm_drop(rt, ref);
	return r;
}

int plm_move(plm *rt, plm_ref ref, enum plm_place place, int priority)
{
	unsigned said = why_count();
	return handle_end(said, move_move(rt, ref, place, priority));
}
