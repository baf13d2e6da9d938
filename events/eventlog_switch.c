#include "events/eventlog_switch.h"

/* A process that changes the word without end can keep events on, and nothing else. */
enum { TRIES = 64 };

static uint64_t switch_next(uint64_t word, bool on)
{
	return ((word >> 1) + 1) << 1 | on;
}

static bool switch_is_wanted(const struct tables *t)
{
	for (uint32_t i = 0; i < tables_slots(t); i++)
		if (sh_load(&t->process[i].watches) &&
		    process_present(sh_load(&t->process[i].state)))
			return true;
	return t->control->events_always;
}

void eventlog_recompute(struct tables *t)
{
	shared64 *word = &t->control->events;
	for (int i = 0; i < TRIES; i++) {
		uint64_t seen = sh_load(word);
		if (!(seen & 1) || switch_is_wanted(t) ||
		    sh_cas(word, &seen, switch_next(seen, false), "events, off"))
			return;
	}
}

/* Also when events are on already: a look under way has not seen our flag. */
void eventlog_watch(struct tables *t, uint32_t process)
{
	shared64 *word = &t->control->events;
	sh_store(&t->process[process].watches, 1, "watches, begun");
	uint64_t seen = sh_load(word);
	while (!sh_cas(word, &seen, switch_next(seen, true), "events, on"))
		;
}

void eventlog_unwatch(struct tables *t, uint32_t process)
{
	sh_store(&t->process[process].watches, 0, "watches, ended");
	eventlog_recompute(t);
}
