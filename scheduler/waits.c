/* waits.c - which worker processes stand still for a wait, and for which record.
 *
 * A worker process stands still while its own task waits, or a client run by its command.
 * Everything is read from the process table; nothing is changed here. */
#include "scheduler/ground.h"

/* The record awaited in a cell of the process; NULL: none, or any record. */
const struct record *waits_awaited(
    const struct scheduler *s, uint32_t process, uint32_t cell, uint64_t *ret_word)
{
	uint32_t index = sh_peek(&s->t->process[process].waiter[cell].awaiting) - 1;
	if (index >= s->t->limits.records)
		return NULL;
	const struct record *r = record_at(s->t, index);
	*ret_word = sh_load(&r->state);
	return r;
}

bool waits_is_served(const struct scheduler *s, uint32_t process)
{
	uint64_t word;
	bool any = false;
	for (uint32_t i = 0; i < WAITERS; i++) {
		if (waits_awaited(s, process, i, &word) == NULL)
			continue;
		if (!word_settled(word))
			return false;
		any = true;
	}
	return any;
}

/* ---- clients inside of commands ---- */

uint32_t waits_host(const struct scheduler *s, uint32_t process)
{
	const struct process *p = &s->t->process[process];
	uint64_t word = sh_load(&p->state);
	if (process_kind(word) != KIND_CLIENT || !process_present(word) ||
	    sh_load(&p->waiting_ns) == 0)
		return 0;
	uint32_t host = tables_host(s->t, p);
	return host && s->worker_process[host].generation ? host : 0;
}

/* Looks again: the command may have ended since. */
uint32_t waits_nested(const struct scheduler *s, uint32_t process)
{
	uint32_t sleeper = s->worker_process[process].sleeper;
	return sleeper && waits_host(s, sleeper) == process ? sleeper : 0;
}

/* ---- the wait of a worker process ---- */

/* The process of the wait: the worker process itself, or a client run by its command. 0: no wait.
 */
uint32_t waits_sleeper(const struct scheduler *s, uint32_t process)
{
	return sh_load(&s->t->process[process].waiting_ns) ? process : waits_nested(s, process);
}

bool waits_unserved(const struct scheduler *s, uint32_t process)
{
	uint32_t sleeper = waits_sleeper(s, process);
	return sleeper && !waits_is_served(s, sleeper);
}
