#include "manager/places.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/manager.h"
#include "manager/staff.h"

enum { STARVED_MS = 1000 };

uint32_t places_clients(const struct manager *m)
{
	uint32_t n = 0, slots = tables_slots(&m->tables);
	for (uint32_t i = SLOT_FIRST_SHARED; i < slots; i++) {
		uint64_t word = sh_load(&m->tables.process[i].state);
		n += process_kind(word) == KIND_CLIENT && process_state(word) != PROCESS_FREE;
	}
	return n;
}

/* Process slots for clients, visits included: at least 1, or no client could wait for a result. */
static uint32_t places_room(const struct manager *m)
{
	uint32_t all =
	    m->tables.limits.processes - SLOT_FIRST_SHARED - (journal_slot(&m->tables) != 0);
	uint32_t planned = staff_planned(m);
	return planned < all ? all - planned : 1;
}

static uint32_t places_kept(uint32_t room)
{
	return room / 4 < VISITS_KEPT ? room / 4 : (uint32_t)VISITS_KEPT;
}

int places_none(const struct manager *m)
{
	uint32_t room = places_room(m), kept = places_kept(room);
	return why(-EUSERS,
	    "all %u process slots for clients are taken (of %u, %u are for the "
	    "runtime's own processes, %u for commands that look and rule): try again later, end "
	    "clients that are needed no more (`plmctl clients`), or boot with a larger --processes",
	    room - kept, m->tables.limits.processes, m->tables.limits.processes - room, kept);
}

int places_for_client(const struct manager *m, bool visit, bool *ret_kept)
{
	uint32_t clients = places_clients(m), room = places_room(m), kept = places_kept(room);
	*ret_kept = clients >= room - kept;
	return clients < (visit ? room : room - kept) ? 0 : places_none(m);
}

/* ---- members without a process slot ---- */

void places_starve(const struct manager *m, struct backoff *b, const char *what)
{
	uint64_t now = clock_ns();
	if (b->starved_ns == 0)
		b->starved_ns = now;
	if (b->told || now - b->starved_ns < STARVED_MS * NS_PER_MS)
		return;
	b->told = true;
	log_warn("cannot start a %s: no process slot is free, clients have %u of %u; trying again "
		 "until one is free",
	    what, places_clients(m), m->tables.limits.processes);
}

void places_feed(struct backoff *b, const char *what)
{
	if (b->told)
		log_info("a process slot is free again for the %s", what);
	b->starved_ns = 0;
	b->told = false;
}
