/* seats.c - the bookings that exist, and the worker processes that are kept for them.
 *
 * booking.c begins a booking and adds processes; here a process is kept or freed, and a booking
 * ends. The order of the words in the process table is told in booking.c.
 */
#include <string.h>

#include "scheduler/workers.h"

struct booking *seats_find(struct scheduler *s, uint64_t ref)
{
	for (uint32_t i = 0; i < s->bookings.n; i++)
		if (s->bookings.booking[i].ref == ref)
			return &s->bookings.booking[i];
	return NULL;
}

/* ---- a process is kept, and freed ---- */

void seats_keep(struct scheduler *s, uint32_t process, uint64_t booked, uint32_t way, uint64_t gpus)
{
	struct process *p = &s->t->process[process];
	sh_poke(&p->booked_way, way);
	sh_poke(&p->booked_gpus, gpus);
	sh_store(&p->booked, booked, "booked, kept");
	s->worker_process[process].booked = booked;
	room_refresh(s, process);
	ready_note_again(s, process); /* the process claims nothing else from now on */
	process_post(s->t, process);
}

void seats_keep_still(struct scheduler *s, uint32_t process, uint64_t booked)
{
	seats_keep(s, process, booked, 0, 0);
}

/* A spare goes back to rest until due. */
void seats_free(struct scheduler *s, uint32_t process)
{
	struct process *p = &s->t->process[process];
	uint64_t nobody = p->spare ? BOOKED_FOR_NOBODY : 0;
	sh_store(&p->booked, nobody, "booked, freed");
	s->worker_process[process].booked = nobody;
	room_refresh(s, process);
	process_post(s->t, process); /* the process may keep a successor, or steal, again */
}

bool seats_keeps_still(const struct scheduler *s, uint32_t process)
{
	const struct process *p = &s->t->process[process];
	return sh_load(&p->booked_seen) == s->worker_process[process].booked;
}

/* ---- the end of a booking ---- */

void seats_end(struct scheduler *s, struct booking *b)
{
	uint64_t ref = b->ref;
	uint32_t main = b->main;
	size_t younger = (size_t)(&s->bookings.booking[--s->bookings.n] - b);
	memmove(b, b + 1, younger * sizeof *b); /* keeps the order of beginning */
	if (main && s->worker_process[main].booked == ref)
		seats_free(s, main);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && s->worker_process[p].booked == ref)
			seats_free(s, p);
}

void seats_settled(struct scheduler *s, uint64_t ref)
{
	struct booking *b = s->bookings.n ? seats_find(s, ref) : NULL;
	if (b)
		seats_end(s, b);
}

void seats_returned(struct scheduler *s, uint64_t ref, uint64_t word)
{
	struct booking *b = s->bookings.n ? seats_find(s, ref) : NULL;
	if (b && word_attempt(word) != b->attempt)
		seats_end(s, b);
}

void seats_gone(struct scheduler *s, uint32_t process)
{
	struct booking *b = s->worker_process[process].booked
	    ? seats_find(s, s->worker_process[process].booked)
	    : NULL;
	s->worker_process[process].booked = 0;
	if (!b)
		return;
	if (process == b->main || process == b->reserved_main)
		seats_end(s, b);
	else
		b->seats--;
}

/* A leaving process finishes its running task and begins no other. */
static bool seats_begins_no_more(const struct scheduler *s, uint32_t process, uint64_t ref)
{
	uint64_t word, running = sh_load(&s->t->process[process].running);
	return running && running != ref && record_lookup(s->t, ref, &word) &&
	    word_state(word) == RECORD_READY;
}

/* A leaving process need not keep still any more; a task not yet begun goes to another process. A
 * task perhaps begun stays booked until the task settles or the process is gone. */
void seats_retires(struct scheduler *s, uint32_t process)
{
	uint64_t ref = s->worker_process[process].booked;
	const struct booking *b = ref ? seats_find(s, ref) : NULL;
	if (!b || (process == b->main && !seats_begins_no_more(s, process, ref)))
		return;
	bool was_to_run_it = process == b->main || process == b->reserved_main;
	seats_gone(s, process);
	if (was_to_run_it)
		ready_add(s, ref_index(ref));
}

/* ---- looks ---- */

bool seats_is_ready(const struct scheduler *s, uint64_t ref)
{
	uint64_t word = sh_load(&record_at(s->t, ref_index(ref))->state);
	return word_state(word) == RECORD_READY && word_generation(word) == ref_generation(ref);
}

uint32_t seats_pending(const struct scheduler *s)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->bookings.n; i++)
		n += seats_is_ready(s, s->bookings.booking[i].ref);
	return n;
}
