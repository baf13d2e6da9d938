#include "worker/task_sleep.h"

#include <sys/resource.h>

#include "worker/worker.h"

enum { LOOK_NS = 1000000 }; /* a look costs about 0.3 us */

static bool task_sleep_seen(struct task_sleep *sleep)
{
	struct rusage usage;
	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return false;
	uint64_t switches = (uint64_t)usage.ru_nvcsw;
	uint64_t own = switches - sleep->switches;
	bool first = sleep->looked_ns == 0; /* the birth of the worker is no sleep of a task */
	sleep->switches = switches;
	return !first && own > sleep->parks && own - sleep->parks >= (sleep->tasks + 1) / 2;
}

void task_sleep_note(struct worker *w)
{
	struct task_sleep *sleep = &w->task_sleep;
	sleep->tasks++;
	if (w->now_ns - sleep->looked_ns < LOOK_NS)
		return;
	shared32 *told = &w->rt.me->tasks_sleep;
	uint32_t sleeps = task_sleep_seen(sleep);
	if (sh_peek(told) != sleeps)
		sh_poke(told, sleeps, "tasks_sleep");
	sleep->looked_ns = w->now_ns;
	sleep->tasks = sleep->parks = 0;
}
