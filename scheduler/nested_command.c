/* nested_command.c - waiting clients inside of commands: which worker stands still for a client.
 *
 * A client run by a command writes in its process slot the task around it and the time the wait
 * began (client/nested_wait.c), and rings. While a client of a command waits, the worker of the
 * command counts as sleeping in a wait: the worker gets no task, other workers get the tasks in its
 * ring, and spares.c lends the cpu to a spare. The worker sleeps for the command, and so is not
 * asked.
 *
 * Death: all state here is private; a new scheduler looks at each ring, and finds the waits again.
 */
#include "scheduler/workers.h"

static bool nested_bit(const struct scheduler *s, uint32_t process)
{
	return s->nested.client[process / 64] >> process % 64 & 1;
}

static void nested_set_bit(struct scheduler *s, uint32_t process, bool waits)
{
	if (nested_bit(s, process) == waits)
		return;
	s->nested.client[process / 64] ^= (uint64_t)1 << process % 64;
	s->nested.n += waits ? 1 : UINT32_MAX;
}

/* Among several clients of one command: the youngest wait not served yet. */
static void nested_choose(struct scheduler *s, uint32_t host)
{
	uint32_t best = 0;
	for (uint32_t w = 0; w < tables_slots(s->t) / EXTENSION_SLOTS; w++)
		for (uint64_t bits = s->nested.client[w]; bits; bits &= bits - 1) {
			uint32_t p = w * 64 + (uint32_t)__builtin_ctzll(bits);
			if (waits_host(s, p) != host || waits_is_served(s, p))
				continue;
			if (!best ||
			    sh_load(&s->t->process[p].waiting_ns) >
				sh_load(&s->t->process[best].waiting_ns))
				best = p;
		}
	if (s->worker_process[host].sleeper == best)
		return;
	s->worker_process[host].sleeper = best;
	room_refresh(s, host);
}

void nested_look(struct scheduler *s, uint32_t process)
{
	const struct process *p = &s->t->process[process];
	uint64_t inside = sh_load(&p->inside_word);
	uint32_t host = word_owner(inside);
	if (inside == 0 || process_kind(sh_load(&p->state)) != KIND_CLIENT)
		return;
	nested_set_bit(s, process, waits_host(s, process) != 0);
	if (host < s->t->limits.processes && s->worker_process[host].generation)
		nested_choose(s, host);
}

void nested_look_again(struct scheduler *s)
{
	for (uint32_t w = 0; s->nested.n && w < tables_slots(s->t) / EXTENSION_SLOTS; w++)
		for (uint64_t bits = s->nested.client[w]; bits; bits &= bits - 1)
			nested_look(s, w * 64 + (uint32_t)__builtin_ctzll(bits));
}

void nested_forget(struct scheduler *s, uint32_t process)
{
	if (!nested_bit(s, process))
		return;
	nested_set_bit(s, process, false);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && s->worker_process[p].sleeper == process)
			nested_choose(s, p);
}
