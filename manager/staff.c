/* staff.c - how many workers there are to be, and which.
 *
 * A worker has a number, and its kind is known by it. Numbers of the kinds as they were at boot
 * come in the order of the kinds; what the first kind has beyond that stands behind all of them, so
 * that growing it renumbers nobody. What is missing of the wanted is started. Of the first kind,
 * those with the highest numbers leave when there are too many: they end what they run and take
 * nothing new. So does any worker that was drained by its number; it stays away until resumed. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/manager.h"

/* ---- numbers ---- */

/* Bounded whatever the page says: a process slot each is the most there can be. */
static uint32_t staff_kinds_of(const struct control *c)
{
	uint32_t kinds = c->kinds;
	return kinds < WORKER_KINDS_MAX ? kinds : (uint32_t)WORKER_KINDS_MAX;
}

static uint32_t staff_count_of(const struct control *c, uint32_t kind)
{
	uint32_t count = c->kind[kind].count;
	return count < WORKERS_MAX ? count : (uint32_t)WORKERS_MAX;
}

static uint32_t staff_slots_of(const struct control *c, uint32_t kind)
{
	uint32_t cpus = c->kind[kind].cpus;
	return cpus == 0 ? 1 : cpus < CPUS_MAX ? cpus : (uint32_t)CPUS_MAX;
}

static uint32_t staff_wanted_of(const struct control *c)
{
	uint32_t wanted = sh_peek(&c->staff);
	return wanted < WORKERS_MAX ? wanted : (uint32_t)WORKERS_MAX;
}

static uint32_t staff_at_boot(const struct control *c)
{
	uint32_t n = 0;
	for (uint32_t kind = 0; kind < staff_kinds_of(c); kind++)
		n += staff_count_of(c, kind);
	return n;
}

/* One more than the highest number anybody has now. */
static uint32_t staff_numbers(const struct control *c)
{
	uint32_t first = staff_count_of(c, 0), wanted = staff_wanted_of(c);
	uint32_t all = staff_at_boot(c) + (wanted > first ? wanted - first : 0);
	return all < WORKERS_MAX ? all : (uint32_t)WORKERS_MAX;
}

static uint32_t staff_kind_of(const struct control *c, uint32_t worker)
{
	for (uint32_t kind = 0; kind < staff_kinds_of(c); kind++) {
		if (worker < staff_count_of(c, kind))
			return kind;
		worker -= staff_count_of(c, kind);
	}
	return 0;
}

static bool staff_is_wanted(const struct control *c, uint32_t worker)
{
	uint32_t first = staff_count_of(c, 0), boot = staff_at_boot(c);
	if (sh_peek(&c->drained[worker / 64 % DRAINED_WORDS]) >> worker % 64 & 1)
		return false;
	if (staff_kind_of(c, worker) != 0)
		return true;
	return (worker < first ? worker : first + worker - boot) < staff_wanted_of(c);
}

uint32_t staff_workers(const struct manager *m)
{
	const struct control *c = m->tables.control;
	return staff_at_boot(c) - staff_count_of(c, 0) + staff_wanted_of(c);
}

static uint32_t staff_processes_for(const struct control *c, uint32_t wanted)
{
	uint32_t n = wanted * staff_slots_of(c, 0);
	for (uint32_t kind = 1; kind < staff_kinds_of(c); kind++)
		n += staff_count_of(c, kind) * staff_slots_of(c, kind);
	return n;
}

uint32_t staff_processes(const struct manager *m)
{
	const struct control *c = m->tables.control;
	return staff_processes_for(c, staff_wanted_of(c));
}

/* Under the jobserver of a make, workers come as there are tokens: there is to be room for all. */
uint32_t staff_planned(const struct manager *m)
{
	const struct control *c = m->tables.control;
	uint32_t wanted = staff_wanted_of(c), cap = m->outer.joined ? m->outer.cap : 0;
	return staff_processes_for(c, wanted > cap ? wanted : cap) + c->spares;
}

/* As a boot writes it, and what staff_set() makes of it. */
const char *staff_unsound(const struct tables *t)
{
	const struct control *c = t->control;
	if (c->kinds == 0 || c->kinds > WORKER_KINDS_MAX)
		return "the kinds of its workers make no sense";
	for (uint32_t kind = 0; kind < c->kinds; kind++)
		if (c->kind[kind].count > WORKERS_MAX || c->kind[kind].cpus == 0 ||
		    c->kind[kind].cpus > CPUS_MAX)
			return "the kinds of its workers make no sense";
	if (staff_processes_for(c, c->kind[0].count) != t->limits.workers ||
	    sh_peek(&c->staff) > WORKERS_MAX ||
	    staff_processes_for(c, sh_peek(&c->staff)) > t->limits.processes - SLOT_FIRST_MEMBER)
		return "the number of its workers makes no sense";
	return NULL;
}

/* ---- who is missing, who is too many ---- */

/* One that leaves is missing already, and a spare fills no vacancy. */
static bool staff_serves(const struct process *p)
{
	uint64_t word = sh_load(&p->state);
	enum process_state state = process_state(word);
	return process_kind(word) == KIND_WORKER && !p->spare &&
	    (state == PROCESS_STARTING || state == PROCESS_LIVE);
}

static uint32_t staff_gpus_of(const struct worker_kind *kind)
{
	return (uint32_t)(kind->amount[RESOURCE_GPUS] / AMOUNT_UNIT);
}

/* The first with fewer processes than slots: what a dead one was is known by what is missing. */
bool staff_vacancy(const struct manager *m, struct vacancy *ret)
{
	const struct control *c = m->tables.control;
	uint32_t present[WORKERS_MAX] = { 0 }, end = staff_numbers(c), gpus = 0;
	for (uint32_t i = SLOT_FIRST_MEMBER; i < m->tables.limits.processes; i++)
		if (staff_serves(&m->tables.process[i]))
			present[m->tables.process[i].worker % WORKERS_MAX]++;
	for (uint32_t worker = 0; worker < end && worker < WORKERS_MAX; worker++) {
		uint32_t kind = staff_kind_of(c, worker);
		*ret = (struct vacancy){ worker, kind, gpus, 0 };
		if (staff_is_wanted(c, worker) && present[worker] < staff_slots_of(c, kind))
			return true;
		gpus += staff_gpus_of(&c->kind[kind]);
	}
	return false;
}

void staff_ask_to_leave(struct manager *m, uint32_t slot)
{
	struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	if (process_step(p, &word, PROCESS_LEAVING)) {
		members_changed(&m->tables); /* what stands before it goes to others */
		process_bump(&m->tables, slot);
	}
}

/* Who has not joined yet is asked when it has. */
void staff_dismiss(struct manager *m)
{
	for (uint32_t i = SLOT_FIRST_MEMBER; i < m->tables.limits.processes; i++) {
		struct process *p = &m->tables.process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE ||
		    staff_is_wanted(m->tables.control, p->worker))
			continue;
		log_info("worker %u in slot %u pid %d is asked to leave", p->worker, i, p->pid);
		staff_ask_to_leave(m, i);
	}
}

/* ---- how many there may be ---- */

static int staff_check_room(const struct manager *m, uint32_t wanted)
{
	const struct control *c = m->tables.control;
	uint32_t slots = staff_slots_of(c, 0), others = staff_processes_for(c, 0),
		 guests = places_clients(m);
	uint32_t room =
	    m->tables.limits.processes - SLOT_FIRST_MEMBER - (journal_slot(&m->tables) != 0);
	if (wanted > staff_count_of(c, 0) && staff_gpus_of(&c->kind[0]))
		return why(-EINVAL,
		    "%u workers are too many: the GPUs were dealt at boot, to %u "
		    "workers of this kind",
		    wanted, staff_count_of(c, 0));
	if (wanted > (WORKERS_MAX - others) / slots)
		return why(-EINVAL,
		    "%u workers are too many: a runtime has at most %d worker "
		    "processes, which is %u workers of this kind",
		    wanted, WORKERS_MAX, (WORKERS_MAX - others) / slots);
	if (others + wanted * slots + guests > room)
		return why(-EUSERS,
		    "%u process slots are too few for %u workers: there is room for %u beside "
		    "the manager, the scheduler, %u processes of other workers and %u clients; "
		    "boot with a larger --processes",
		    m->tables.limits.processes, wanted,
		    room > others + guests ? (room - others - guests) / slots : 0, others, guests);
	return 0;
}

/* ---- requests ---- */

static int staff_read_number(const char *what, const char *text, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (end == text || *end || text[0] == '-' || n > UINT32_MAX)
		return why(-EINVAL, "%s? \"%.32s\" is no number", what, text);
	*ret = (uint32_t)n;
	return 0;
}

/* Who is too many leaves, who is missing comes. */
static void staff_change(struct manager *m)
{
	staff_dismiss(m);
	members_complete(m);
}

int staff_set(struct manager *m, const char *text)
{
	uint32_t before = staff_wanted_of(m->tables.control), wanted = 0;
	int r = staff_read_number("how many workers", text, &wanted);
	if (r == 0)
		r = staff_check_room(m, wanted);
	if (r < 0)
		return r;
	log_info("workers of the first kind: %u, were %u", wanted, before);
	m->outer.cap = wanted;
	if (m->outer.joined && wanted > before)
		wanted = before; /* more come when there are tokens for them */
	sh_store(&m->tables.control->staff, wanted);
	staff_change(m);
	return 0;
}

static int staff_set_drained(struct manager *m, const char *text, bool drained)
{
	struct control *c = m->tables.control;
	uint32_t worker = 0;
	int r = staff_read_number("which worker", text, &worker);
	if (r < 0)
		return r;
	if (worker >= staff_numbers(c))
		return why(-ENOENT, "there is no worker %u: their numbers are below %u", worker,
		    staff_numbers(c));
	log_info("worker %u is %s", worker, drained ? "drained" : "resumed");
	uint64_t bit = (uint64_t)1 << worker % 64, bits = sh_peek(&c->drained[worker / 64]);
	sh_store(&c->drained[worker / 64], drained ? bits | bit : bits & ~bit);
	staff_change(m);
	return 0;
}

int staff_drain(struct manager *m, const char *worker)
{
	return staff_set_drained(m, worker, true);
}

int staff_resume(struct manager *m, const char *worker)
{
	return staff_set_drained(m, worker, false);
}
