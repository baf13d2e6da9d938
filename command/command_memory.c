/* command_memory.c - while a command runs: how much memory it has, with all that it has started.
 *
 * Looked at seldom while nobody minds: a look costs a file a process. A command that ends at once
 * is never looked at. One that has a limit is looked at often, and so are all while the scheduler
 * says that memory is short. */
#include "base/clock.h"
#include "base/tree.h"
#include "command/command_run.h"

enum { FIRST_LOOK_MS = 25, LIMITED_LOOK_MS = 50, SHORT_LOOK_MS = 100 };

void memory_begin(struct run *run)
{
	struct process *me = run->call->rt->me;
	sh_poke(&me->memory_peak, 0, "memory_peak, begun"); /* memory is 0: no command runs */
	run->memory.pause_ns = FIRST_LOOK_MS * NS_PER_MS;
	run->memory.next_ns = clock_ns() + run->memory.pause_ns;
}

/* The children of this process that were not there before are what the command came to. */
static struct tree_use memory_measure(const struct run *run, bool exact)
{
	struct family now;
	struct tree_use use = { 0 };
	family_look(&now);
	for (size_t i = 0; i < now.n; i++)
		if (!family_has(&run->before, now.child[i]))
			tree_add(now.child[i], exact, &use);
	return use;
}

static uint64_t memory_next_pause(const struct run *run)
{
	uint64_t most = SAFETY_TICK_MS, twice = 2 * run->memory.pause_ns;
	if (sh_peek(&run->call->rt->tables.control->memory_state) != MEMORY_FINE)
		most = SHORT_LOOK_MS;
	if (run->memory.limit)
		most = LIMITED_LOOK_MS;
	return twice < most * NS_PER_MS ? twice : most * NS_PER_MS;
}

bool memory_look(struct run *run)
{
	struct process *me = run->call->rt->me;
	struct watched_memory *m = &run->memory;
	if (clock_ns() < m->next_ns)
		return m->over == 0;
	if (m->pause_ns == FIRST_LOOK_MS * NS_PER_MS)
		process_post(&run->call->rt->tables, SLOT_SCHEDULER); /* its look begins, too */
	struct tree_use use = memory_measure(run, false);
	/* Pages shared since a fork were counted more than once: not when it matters. */
	if (m->limit && use.bytes > m->limit && use.processes > 1)
		use = memory_measure(run, true);
	if (use.bytes > m->peak)
		m->peak = use.bytes;
	if (m->limit && use.bytes > m->limit)
		m->over = use.bytes;
	sh_poke(&me->memory, use.bytes);
	sh_poke(&me->memory_peak, m->peak, "memory_peak, looked at");
	m->pause_ns = memory_next_pause(run);
	m->next_ns = clock_ns() + m->pause_ns;
	return m->over == 0;
}

void memory_end(struct run *run)
{
	sh_poke(&run->call->rt->me->memory, 0);
	run->call->memory_peak = run->memory.peak;
}
