/* tables_check.c - the checkers of the tables, and the list of all checkers. See tables.h. */
#include <stdio.h>

#include "tables/lent.h"
#include "tables/tables.h"

static const char *check_processes(const struct tables *t)
{
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if ((word & 0xff) >= PROCESS_STATES || (word >> 8 & 0xff) >= KINDS)
			return "processes: a slot is in no known state";
		bool fixed = i < SLOT_FIRST_SHARED;
		enum process_kind kind = process_kind(word);
		if (process_present(word) &&
		    (fixed != (kind == KIND_MANAGER || kind == KIND_SCHEDULER) ||
			(kind == KIND_JOURNAL && i != journal_slot(t))))
			return "processes: a slot holds the wrong kind of process";
	}
	return NULL;
}

static const char *check_loans(const struct tables *t)
{
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t lent = sh_load(&p->lent);
		if (lent_to(sh_load(&p->booked)) >= t->limits.processes)
			return "loans: a cpu is lent to a process slot that does not exist";
		if (lent_claim(lent) > t->limits.processes)
			return "loans: a worker has more cpus than the runtime has";
		if (!lent_open(lent) && (lent_out(lent) || lent_limit(lent)))
			return "loans: a worker without a command has borrowed cpus";
	}
	return NULL;
}

static const char *check_record(const struct tables *t, const struct record *r)
{
	uint64_t word = sh_load(&r->state);
	if (word_state(word) >= RECORD_STATES)
		return "records: a record is in an unknown state";
	if (word_state(word) == RECORD_FREE)
		return sh_load(&r->args) || sh_load(&r->value)
		    ? "records: a free record names an extent"
		    : NULL;
	if (word_owner(word) >= t->limits.processes)
		return "records: a record's owner is no process slot";
	if (word_state(word) != RECORD_PART && record_returns(r) > word_attempt(word))
		return "records: a task was returned more often than it ran";
	if (word_state(word) == RECORD_WAITING && sh_load(&r->uses) & USES_COUNTED &&
	    (sh_load(&r->pending) & ~PENDING_DOOMED) == 0)
		return "records: a task waits without a missing argument";
	if (word_state(word) == RECORD_DONE && !sh_load(&r->value) &&
	    r->value_bytes > RECORD_INLINE_VALUE)
		return "records: a finished task has no value";
	return NULL;
}

/* The process slot is free, and its last process is buried. The journal's holds pass to its
 * successor. */
static bool tables_check_slot_is_free(const struct tables *t, uint32_t process)
{
	return process >= SLOT_FIRST_SHARED && process != journal_slot(t) &&
	    process_state(sh_load(&t->process[process].state)) == PROCESS_FREE;
}

/* The scheduler deals with holds, reserved records and the running task before a process slot is
 * FREE again. */
static const char *check_ownership(const struct tables *t, uint32_t index)
{
	uint64_t word = sh_load(&record_at(t, index)->state);
	enum record_state state = word_state(word);
	if (state == RECORD_FREE)
		return NULL;
	bool owned = state == RECORD_RESERVED || state == RECORD_RUNNING;
	if (owned && tables_check_slot_is_free(t, word_owner(word)))
		return "records: a process that is gone owns a reserved or running record";
	for (uint32_t p = SLOT_FIRST_SHARED; hold_any(t, index) && p < t->limits.processes; p++)
		if (hold_test(t, index, p) && tables_check_slot_is_free(t, p))
			return "records: a process that is gone holds a record";
	return NULL;
}

static const char *check_records(const struct tables *t)
{
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		const char *why = check_record(t, &t->record[i]);
		if (!why)
			why = check_ownership(t, i);
		if (why)
			return why;
	}
	return NULL;
}

static const char *check_rings(const struct tables *t)
{
	uint32_t slots = tables_slots(t);
	for (uint32_t p = 0; p < slots; p++) {
		struct ring up = ring_up(t, p), down = ring_down(t, p);
		const char *why = ring_check(&up);
		if (!why)
			why = ring_check(&down);
		if (why)
			return why;
	}
	return NULL;
}

static const char *check_registry(const struct tables *t)
{
	char path[MODULE_PATH_BYTES];
	uint32_t first, count, next = 1;
	for (uint32_t i = 0; i < registry_modules(&t->registry); i++) {
		if (!registry_module(&t->registry, i, path, &first, &count) || first != next)
			return "registry: a module's functions are not where they should be";
		next = first + count;
	}
	return NULL;
}

void tables_check_each(const struct tables *t, tables_report_f *report, void *context)
{
	report(context, "processes", check_processes(t));
	report(context, "loans", check_loans(t));
	report(context, "records", check_records(t));
	report(context, "pool", pool_check(&t->pool));
	report(context, "task heap", heap_check(t->task_heap.shm, t->task_heap.capacity));
	report(context, "worker heap", heap_check(t->worker_heap.shm, t->worker_heap.capacity));
	report(context, "rings", check_rings(t));
	report(context, "registry", check_registry(t));
	for (uint32_t i = 0; i < t->limits.nodes; i++) {
		char name[24];
		snprintf(name, sizeof name, "arena %u", i);
		report(context, name, arena_check(&t->arena[i]));
	}
}

static void tables_check_remember_first(void *context, const char *structure, const char *why)
{
	(void)structure;
	const char **first = context;
	if (!*first)
		*first = why;
}

const char *tables_check(const struct tables *t)
{
	const char *first = NULL;
	tables_check_each(t, tables_check_remember_first, &first);
	return first;
}
