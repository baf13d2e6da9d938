#include "worker/recycle.h"

#include <unistd.h>

#include "base/log.h"
#include "base/tree.h"
#include "worker/worker.h"

#define LOOK_AGAIN_NS (100 * NS_PER_MS)

void recycle_begin(struct worker *w)
{
	if (w->recycling.growth && w->private_at_first == 0)
		w->private_at_first = tree_private_bytes(getpid());
}

static bool recycle_has_grown(struct worker *w)
{
	if (w->recycling.growth == 0 || w->now_ns < w->growth_look_ns)
		return false;
	w->growth_look_ns = w->now_ns + LOOK_AGAIN_NS;
	uint64_t now = tree_private_bytes(getpid());
	return now > w->private_at_first && now - w->private_at_first >= w->recycling.growth;
}

void recycle_if_due(struct worker *w)
{
	struct process *me = w->rt.me;
	uint64_t tasks = sh_peek(&me->done) + sh_peek(&me->failed), word = sh_load(&me->state);
	bool worn = w->recycling.tasks && tasks >= w->recycling.tasks;
	if ((!worn && !recycle_has_grown(w)) || process_state(word) != PROCESS_LIVE)
		return;
	if (process_step(me, &word, PROCESS_LEAVING)) {
		log_info("leaves after %llu tasks%s", (unsigned long long)tasks,
		    worn ? "" : ", its memory has grown");
		processes_changed(&w->rt.tables); /* hints in front of our worker go to others */
	}
}
