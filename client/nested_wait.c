/* nested_wait.c - a client run by a command of the same runtime: `plmctl submit` inside a task.
 *
 * The waits of such a client are waits of the task. The worker sleeps until the command ends and
 * cannot know of the waits. So the client says in its process slot inside which task it runs
 * (inside_word) and since when it waits (waiting_ns). The scheduler then lends the worker's cpu to
 * a spare, or refuses the wait, as for a function in a wait (scheduler/nested_command.c).
 *
 * Every command gets PLM_TASK, which names the task. Nothing proves that the client descends from
 * the command: a container hides the ancestors of a process, and an invented PLM_TASK costs a spare
 * process and nothing else.
 * Death: of the client: the process slot is freed. Of the worker or the command: the attempt ends,
 * and the record's word says so. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/nested_wait.h"
#include "tables/args.h"

enum { DEADLOCK_LOOKS = 1000 };

struct search {
	const struct tables *t;
	nested_ours_f *is_ours;
	void *context;
	int looks; /* left: the same argument may be met on many ways */
};

static bool nested_wait_search_needs_us(struct search *s, uint32_t index)
{
	if (index >= s->t->limits.records || --s->looks < 0)
		return false;
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	if (word_state(word) == RECORD_PART)
		return nested_wait_search_needs_us(s, ref_index(r->part.task));
	struct args_reader reader;
	struct arg arg;
	if (word_state(word) != RECORD_WAITING || !args_open(s->t, r, &reader))
		return word_state(word) == RECORD_RUNNING && s->is_ours(s->context, r);
	while (args_next(&reader, &arg))
		if (arg.future && nested_wait_search_needs_us(s, ref_index(arg.future->ref)))
			return true;
	return false;
}

bool nested_deadlock(const struct tables *t, uint32_t index, nested_ours_f *is_ours, void *context)
{
	struct search search = { t, is_ours, context, DEADLOCK_LOOKS };
	return nested_wait_search_needs_us(&search, index);
}

static bool nested_wait_is_around_us(void *context, const struct record *r)
{
	const struct plm *rt = context;
	return record_index(&rt->tables, r) == sh_peek(&rt->me->inside) && nested_inside(rt);
}

static bool nested_deadlocked(void *context, uint32_t index)
{
	struct plm *rt = context;
	return nested_deadlock(&rt->tables, index, nested_wait_is_around_us, rt);
}

void nested_enter(struct plm *rt)
{
	plm_ref task;
	uint64_t word;
	const char *text = getenv("PLM_TASK");
	if (!text || plm_ref_parse(text, &task) < 0 || task.runtime != rt->runtime)
		return;
	if (!record_lookup(&rt->tables, task.id, &word) || word_state(word) != RECORD_RUNNING)
		return;
	sh_poke(&rt->me->inside, ref_index(task.id));
	sh_store(&rt->me->inside_word, word_without_flags(word));
	rt->nested = true;
	rt->deadlocked = nested_deadlocked;
	rt->help_context = rt;
}

bool nested_inside(const struct plm *rt)
{
	return rt->nested && tables_host(&rt->tables, rt->me);
}

void nested_wait_begin(struct plm *rt)
{
	if (!rt->nested)
		return;
	pthread_mutex_lock(&rt->waiters_mutex);
	bool first = rt->nested_waits++ == 0;
	if (first)
		sh_store(&rt->me->waiting_ns, clock_ns(), "waiting_ns, begun");
	pthread_mutex_unlock(&rt->waiters_mutex);
	if (first)
		tell_scheduler(&rt->tables, rt->self, NULL, 0, true);
}

void nested_wait_end(struct plm *rt)
{
	if (!rt->nested)
		return;
	pthread_mutex_lock(&rt->waiters_mutex);
	bool last = --rt->nested_waits == 0;
	if (last)
		sh_store(&rt->me->waiting_ns, 0, "waiting_ns, ended");
	pthread_mutex_unlock(&rt->waiters_mutex);
	if (last) /* the spare must make way for the worker */
		tell_scheduler(&rt->tables, rt->self, NULL, 0, true);
}

static uint32_t nested_wait_count_waiting(const struct tables *t)
{
	uint32_t n = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < tables_slots(t); i++)
		n += process_present(sh_load(&t->process[i].state)) &&
		    sh_peek(&t->process[i].waiting_ns) != 0;
	return n;
}

int nested_refused(struct plm *rt)
{
	uint64_t refused = rt->help || rt->nested ? sh_load(&rt->me->refused) : 0;
	if (refused == 0 || refused != sh_peek(&rt->me->waiting_ns))
		return 0;
	uint32_t n = nested_wait_count_waiting(&rt->tables), spares = rt->tables.control->spares;
	if (rt->nested)
		return why(-EDEADLK,
		    "this is the command of a task, %u of those wait for other "
		    "tasks, and no spare process is left to run any (plm --spares %u): start the "
		    "runtime with a larger --spares, or do not wait in the command (--detach)",
		    n, spares);
	return why(-EDEADLK,
	    "%u workers wait inside tasks for others, and no spare is left "
	    "(--spares %u): let tasks take futures as arguments instead of waiting for them",
	    n, spares);
}
