/* result_room.c - a command has done its work, and the store has no room for the result.
 *
 * The result stays in a file, and the worker waits, longer than for a function: a function can
 * compute a result again, a command may have changed the world. The log of the runtime has a line
 * about the wait, and plmctl explain shows the wait. The wait ends: the store may be full of
 * arguments of tasks waiting for our worker. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "command/command_run.h"

enum { ROOM_PATIENCE_MS = 10000, ROOM_LOOK_MS = 250 };

static void result_room_say_waiting(const struct plm_call *call, size_t length, const char *what)
{
	char task[PLM_REF_TEXT_BYTES];
	uint32_t index = record_index(&call->rt->tables, call->record);
	plm_ref_print(ref_public(call->rt, record_ref(index, word_generation(call->word))), task);
	log_warn_about(ABOUT(ABOUT_TASK(task)),
	    "task %s waits %d s for room for %s of %zu bytes: %s", task, ROOM_PATIENCE_MS / 1000,
	    what, length, why_text());
}

int command_room(struct plm_call *call, unsigned which, size_t length, const char *what, void **ret)
{
	uint64_t deadline_ns = deadline_after_ms(ROOM_PATIENCE_MS);
	int r = call_result(call, which, length, deadline_after_ms(ROOM_LOOK_MS), ret);
	if (r == -ENOSPC)
		result_room_say_waiting(call, length, what);
	while (r == -ENOSPC && clock_ns() < deadline_ns && !plm_cancelled(call))
		r = call_result(call, which, length, deadline_after_ms(ROOM_LOOK_MS), ret);
	return r;
}
