/* command_memory.c - how much memory a running command has, together with all its descendants.
 *
 * A look costs a file for each process, so looks are rare: none at a command that ends at once.
 * Commands with a limit get frequent looks, and so do all commands while the scheduler says that
 * memory is short. */
#include "base/clock.h"
#include "base/tree.h"
#include "command/command_run.h"

enum { FIRST_LOOK_MS = 25, LIMITED_LOOK_MS = 50, SHORT_LOOK_MS = 100 };

void command_memory_begin(struct run *run)
{
	struct process *me = run->call->rt->me;
	sh_poke(&me->memory_peak, 0, "memory_peak, begun"); /* memory is 0: no command runs */
	run->memory.pause_ns = FIRST_LOOK_MS * NS_PER_MS;
	run->memory.next_ns = clock_ns() + run->memory.pause_ns;
}

/* Children of our process, except those from before the command, belong to the command. */
static struct tree_use command_memory_measure(const struct run *run, bool exact)
{
	struct family now;
	struct tree_use use = { 0 };
	family_look(&now);
	for (size_t i = 0; i < now.n; i++)
		if (!family_has(&run->before, now.child[i]))
			tree_add(now.child[i], exact, &use);
	return use;
}

static uint64_t command_memory_next_pause(const struct run *run)
{
	uint64_t most = SAFETY_TICK_MS, twice = 2 * run->memory.pause_ns;
	if (sh_peek(&run->call->rt->tables.control->memory_state) != MEMORY_FINE)
		most = SHORT_LOOK_MS;
	if (run->memory.limit)
		most = LIMITED_LOOK_MS;
	return twice < most * NS_PER_MS ? twice : most * NS_PER_MS;
}

bool command_memory_look(struct run *run)
{
	struct process *me = run->call->rt->me;
	struct watched_memory *m = &run->memory;
	if (clock_ns() < m->next_ns)
		return m->over == 0;
	if (m->pause_ns == FIRST_LOOK_MS * NS_PER_MS)
		process_post(
		    &run->call->rt->tables, SLOT_SCHEDULER); /* the scheduler's look begins too */
	struct tree_use use = command_memory_measure(run, false);
	/* Pages shared since a fork were counted more than once: count exactly when the limit is
	 * near. */
	if (m->limit && use.bytes > m->limit && use.processes > 1)
		use = command_memory_measure(run, true);
	if (use.bytes > m->peak)
		m->peak = use.bytes;
	if (m->limit && use.bytes > m->limit)
		m->over = use.bytes;
	sh_poke(&me->memory, use.bytes);
	sh_poke(&me->memory_peak, m->peak, "memory_peak, looked at");
	m->pause_ns = command_memory_next_pause(run);
	m->next_ns = clock_ns() + m->pause_ns;
	return m->over == 0;
}

void command_memory_end(struct run *run)
{
	sh_poke(&run->call->rt->me->memory, 0);
	run->call->memory_peak = run->memory.peak;
}
