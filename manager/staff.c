#include "manager/staff.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/why.h"
#include "manager/manager.h"

/* ---- numbers ---- */

/* The control page may be damaged: each number read is bounded. */
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

static uint32_t staff_numbers_of(const struct control *c)
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

uint32_t staff_wanted(const struct manager *m)
{
	return staff_wanted_of(m->tables.control);
}

uint32_t staff_numbers(const struct manager *m)
{
	return staff_numbers_of(m->tables.control);
}

const char *staff_title(
    const struct manager *m, enum process_kind kind, uint32_t slot, char ret[STAFF_TITLE_BYTES])
{
	const struct process *p = &m->tables.process[slot];
	int n = snprintf(ret, STAFF_TITLE_BYTES, "%s%s",
	    kind == KIND_WORKER && p->spare ? "spare of " : "", process_kind_name(kind));
	if (kind == KIND_WORKER)
		n += snprintf(ret + n, STAFF_TITLE_BYTES - (size_t)n, " %u", p->worker);
	snprintf(
	    ret + n, STAFF_TITLE_BYTES - (size_t)n, " (process slot %u, pid %d)", slot, p->pid);
	return ret;
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

/* Under the jobserver of a make a worker comes with each token: keep process slots for as many as
 * tokens can bring. */
uint32_t staff_planned(const struct manager *m)
{
	const struct control *c = m->tables.control;
	uint32_t wanted = staff_wanted_of(c), cap = m->outer.joined ? m->outer.cap : 0;
	return staff_processes_for(c, wanted > cap ? wanted : cap) + c->spares;
}

/* A boot writes such a page, and staff_set() changes it. */
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
	    staff_processes_for(c, sh_peek(&c->staff)) > t->limits.processes - SLOT_FIRST_SHARED)
		return "the number of its workers makes no sense";
	return NULL;
}

/* ---- missing workers, workers too many ---- */

/* A leaving worker counts as missing already, and a spare fills no vacancy. */
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

/* The first worker with too few processes: the number of a dead process need not be known. */
bool staff_vacancy(const struct manager *m, struct vacancy *ret)
{
	const struct control *c = m->tables.control;
	uint32_t present[WORKERS_MAX] = { 0 }, end = staff_numbers_of(c), gpus = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++)
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
		processes_changed(&m->tables); /* the scheduler takes back the queued tasks */
		process_bump(&m->tables, slot);
	}
}

/* A STARTING worker is asked after joining. */
void staff_dismiss(struct manager *m)
{
	char title[STAFF_TITLE_BYTES];
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		struct process *p = &m->tables.process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) != KIND_WORKER || process_state(word) != PROCESS_LIVE ||
		    staff_is_wanted(m->tables.control, p->worker))
			continue;
		log_info_about(STAFF_ABOUT(&m->tables.process[i], KIND_WORKER, i),
		    "%s is asked to leave", staff_title(m, KIND_WORKER, i, title));
		staff_ask_to_leave(m, i);
	}
}

/* ---- the largest number of workers ---- */

int staff_check_room(const struct manager *m, uint32_t wanted, uint32_t clients)
{
	const struct control *c = m->tables.control;
	uint32_t each = staff_slots_of(c, 0), others = staff_processes_for(c, 0);
	uint32_t room =
	    m->tables.limits.processes - SLOT_FIRST_SHARED - (journal_slot(&m->tables) != 0);
	if (wanted > staff_count_of(c, 0) && staff_gpus_of(&c->kind[0]))
		return why(-EINVAL,
		    "%u workers are too many: the GPUs were dealt at boot, to %u "
		    "workers of this kind",
		    wanted, staff_count_of(c, 0));
	if (wanted > (WORKERS_MAX - others) / each)
		return why(-EINVAL,
		    "%u workers are too many: a runtime has at most %d worker "
		    "processes, which is %u workers of this kind",
		    wanted, WORKERS_MAX, (WORKERS_MAX - others) / each);
	if (others + wanted * each + clients > room)
		return why(-EUSERS,
		    "%u process slots are too few for %u workers: there is room for %u beside "
		    "the manager, the scheduler, %u processes of other workers and %u clients; "
		    "boot with a larger --processes",
		    m->tables.limits.processes, wanted,
		    room > others + clients ? (room - others - clients) / each : 0, others,
		    clients);
	return 0;
}
