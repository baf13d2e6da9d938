#include "manager/spare_processes.h"

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"
#include "manager/staff.h"

struct ledger { /* indexed by worker number */
	uint16_t wanted[WORKERS_MAX], serving[WORKERS_MAX];
	uint32_t present; /* spares, leaving spares included */
};

static uint32_t spare_processes_worker_of(const struct process *p)
{
	return p->worker % WORKERS_MAX;
}

static bool spare_processes_is_worker(const struct process *p, uint64_t *ret_word)
{
	*ret_word = sh_load(&p->state);
	return process_kind(*ret_word) == KIND_WORKER && process_present(*ret_word);
}

/* Only a LIVE process gets a spare. */
static bool spare_processes_is_relieved(const struct manager *m, uint32_t slot, uint64_t word)
{
	return process_state(word) == PROCESS_LIVE && tables_relieved(&m->tables, slot);
}

static void spare_processes_take_stock(const struct manager *m, struct ledger *ret)
{
	*ret = (struct ledger){ 0 };
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		const struct process *p = &m->tables.process[i];
		uint64_t word;
		if (!spare_processes_is_worker(p, &word))
			continue;
		ret->wanted[spare_processes_worker_of(p)] +=
		    spare_processes_is_relieved(m, i, word);
		ret->present += p->spare != 0;
		ret->serving[spare_processes_worker_of(p)] +=
		    p->spare && process_state(word) != PROCESS_LEAVING;
	}
}

bool spare_processes_vacancy(const struct manager *m, struct vacancy *ret)
{
	struct ledger ledger;
	spare_processes_take_stock(m, &ledger);
	if (ledger.present >= m->tables.control->spares)
		return false;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		const struct process *p = &m->tables.process[i];
		uint64_t word;
		if (!spare_processes_is_worker(p, &word) ||
		    !spare_processes_is_relieved(m, i, word) ||
		    ledger.serving[spare_processes_worker_of(p)] >=
			ledger.wanted[spare_processes_worker_of(p)])
			continue;
		*ret = (struct vacancy){ p->worker, p->worker_kind, p->gpu_first, i };
		return true;
	}
	return false;
}

/* The spare with the most leisure leaves first. */
static int spare_processes_leisure(const struct process *p)
{
	if (sh_peek(&p->waiting_ns))
		return 0;
	if (sh_peek(&p->running))
		return 1;
	return sh_peek(&p->booked) == BOOKED_FOR_NOBODY ? 3 : 2;
}

/* A STARTING spare is asked after joining. */
static uint32_t spare_processes_next_to_leave(const struct manager *m, const struct ledger *ledger)
{
	uint32_t best = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		const struct process *p = &m->tables.process[i];
		uint64_t word;
		if (spare_processes_is_worker(p, &word) && p->spare &&
		    process_state(word) == PROCESS_LIVE &&
		    ledger->serving[spare_processes_worker_of(p)] >
			ledger->wanted[spare_processes_worker_of(p)] &&
		    (!best ||
			spare_processes_leisure(p) >
			    spare_processes_leisure(&m->tables.process[best])))
			best = i;
	}
	return best;
}

static void spare_processes_dismiss(struct manager *m)
{
	struct ledger ledger;
	char title[STAFF_TITLE_BYTES];
	uint32_t slot;
	spare_processes_take_stock(m, &ledger);
	while ((slot = spare_processes_next_to_leave(m, &ledger)) != 0) {
		const struct process *p = &m->tables.process[slot];
		log_info_about(STAFF_ABOUT(p, KIND_WORKER, slot), "%s is needed no more",
		    staff_title(m, KIND_WORKER, slot, title));
		staff_ask_to_leave(m, slot);
		ledger.serving[spare_processes_worker_of(p)]--;
	}
}

void spare_processes_adjust(struct manager *m)
{
	struct vacancy vacancy;
	if (m->tables.control->spares == 0 || m->ending)
		return;
	spare_processes_dismiss(m);
	if (!spare_processes_vacancy(m, &vacancy))
		return;
	m->workers.missing++;
	if (m->workers.due_ns == DEADLINE_NEVER)
		m->workers.due_ns = clock_ns();
}
