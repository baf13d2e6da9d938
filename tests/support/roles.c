#include "tests/support/roles.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "tests/support/roles_log.h"

enum { LOOK_AGAIN_NS = 1000000, MODULE_EXPORTS_MAX = 64 };

void roles_until(bool (*done)(void *context), void *context, const char *what)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	uint64_t deadline = deadline_after_ms(ROLES_DEADLINE_MS);
	while (!done(context)) {
		ck_assert_msg(clock_ns() < deadline, "in %d ms it never came to: %s",
		    ROLES_DEADLINE_MS, what);
		nanosleep(&pause, NULL);
	}
}

/* ---- as the manager does ---- */

static void register_module(struct roles *r, const char *path)
{
	const char *names[MODULE_EXPORTS_MAX];
	const plm_module *module;
	ck_assert_msg(module_open(path, &module) == 0, "%s", why_text());
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].name;
	ck_assert_int_eq(
	    registry_add(&r->tables.registry, path, module->name, names, module->count), 0);
}

static void roles_claim(struct roles *r, uint32_t slot, enum process_kind kind)
{
	ck_assert(process_claim(&r->tables.process[slot], kind, getpid(), process_kind_name(kind)));
}

/* A process slot is free again after the scheduler has buried the process. */
static uint32_t claim_member(struct roles *r, enum process_kind kind)
{
	uint32_t slots = r->tables.limits.processes - SLOT_FIRST_SHARED, slot, i = 0;
	pthread_mutex_lock(&r->slots_mutex);
	do {
		slot = process_nth_slot(&r->tables, kind, i);
		if (process_state(sh_load(&r->tables.process[slot].state)) == PROCESS_FREE)
			r->tables.process[slot].worker = i; /* worker number */
	} while (
	    !process_claim(&r->tables.process[slot], kind, getpid(), process_kind_name(kind)) &&
	    ++i < slots);
	pthread_mutex_unlock(&r->slots_mutex);
	ck_assert_uint_lt(i, slots);
	return slot;
}

static void declare_dead(struct roles *r, uint32_t slot)
{
	uint64_t word = sh_load(&r->tables.process[slot].state);
	ck_assert(process_step(&r->tables.process[slot], &word, PROCESS_DEAD));
	processes_changed(&r->tables);
}

/* ---- life ---- */

static void *run_scheduler(void *context)
{
	scheduler_run(context);
	return NULL;
}

static void *run_worker(void *context)
{
	worker_run(context);
	return NULL;
}

void roles_start_scheduler(struct roles *r)
{
	roles_claim(r, SLOT_SCHEDULER, KIND_SCHEDULER);
	ck_assert_int_eq(scheduler_open(&r->scheduler, &r->scheduler_tables), 0);
	ck_assert_int_eq(
	    pthread_create(&r->scheduler_thread, NULL, run_scheduler, &r->scheduler), 0);
}

void roles_stop_scheduler(struct roles *r)
{
	atomic_store(&r->scheduler.stop, true);
	event_bump(&r->scheduler.me->event);
	pthread_join(r->scheduler_thread, NULL);
	scheduler_close(&r->scheduler);
	declare_dead(r, SLOT_SCHEDULER);
	uint64_t word = sh_load(&r->tables.process[SLOT_SCHEDULER].state);
	ck_assert(process_step(&r->tables.process[SLOT_SCHEDULER], &word, PROCESS_FREE));
}

void roles_start(struct roles *r, const struct limits *limits, const char *module)
{
	static int count;
	char name[RUNTIME_NAME_BYTES];
	*r = (struct roles){ .slots_mutex = PTHREAD_MUTEX_INITIALIZER };
	snprintf(name, sizeof name, "roles-%d-%d", (int)getpid(), ++count);
	ck_assert_msg(tables_create(name, limits, &r->tables) == 0, "%s", why_text());
	roles_log_start(&r->tables, name);
	register_module(r, MODULE_BUILTIN);
	if (module)
		register_module(r, module);
	roles_claim(r, SLOT_MANAGER, KIND_MANAGER);
	tables_share(&r->tables, &r->scheduler_tables);
	sh_store(&r->tables.control->mode, MODE_UP);
	roles_start_scheduler(r);
}

void roles_add_worker(struct roles *r)
{
	ck_assert_uint_lt(r->workers, ROLES_WORKERS_MAX);
	struct roles_worker *w = calloc(1, sizeof *w);
	ck_assert_ptr_nonnull(w);
	tables_share(&r->tables, &w->worker.rt.tables);
	w->slot = claim_member(r, KIND_WORKER);
	ck_assert_int_eq(worker_open(&w->worker, w->slot), 0);
	ck_assert_int_eq(pthread_create(&w->thread, NULL, run_worker, &w->worker), 0);
	r->worker[r->workers++] = w;
}

plm *roles_join(struct roles *r)
{
	struct plm *rt = calloc(1, sizeof *rt);
	ck_assert_ptr_nonnull(rt);
	tables_share(&r->tables, &rt->tables);
	rt->socket = -1;
	ck_assert_int_eq(handle_open(rt, claim_member(r, KIND_CLIENT)), 0);
	return rt;
}

void roles_leave(struct roles *r, plm **rtp)
{
	struct plm *rt = *rtp;
	uint32_t slot = rt->self;
	*rtp = NULL;
	handle_close(rt);
	tables_detach(&rt->tables);
	free(rt);
	declare_dead(r, slot);
}

/* ---- the end, and the ledger ---- */

static void stop_worker(struct roles *r, struct roles_worker *w)
{
	atomic_store(&w->worker.stop, true);
	event_bump(&w->worker.rt.me->event);
	pthread_join(w->thread, NULL);
	worker_close(&w->worker);
	tables_detach(&w->worker.rt.tables);
	declare_dead(r, w->slot);
	free(w);
}

static bool all_buried(void *context)
{
	const struct roles *r = context;
	for (uint32_t i = SLOT_FIRST_SHARED; i < r->tables.limits.processes; i++)
		if (process_state(sh_load(&r->tables.process[i].state)) != PROCESS_FREE)
			return false;
	return true;
}

uint32_t roles_records_used(const struct roles *r)
{
	uint32_t used = 0, fresh = pool_fresh(&r->tables.pool);
	for (uint32_t i = 0; i < fresh; i++)
		used += word_state(sh_load(&r->tables.record[i].state)) != RECORD_FREE;
	return used;
}

uint64_t roles_store_used(const struct roles *r)
{
	uint64_t used = 0;
	for (uint32_t i = 0; i < r->tables.limits.nodes; i++) {
		struct arena_usage usage;
		arena_usage(&r->tables.arena[i], &usage);
		used += usage.used_bytes;
	}
	return used;
}

/* Names the first few records in use, with their holders. */
static void name_leftovers(const struct roles *r, char *ret, size_t size)
{
	size_t n = 0;
	ret[0] = 0;
	for (uint32_t i = 0; i < pool_fresh(&r->tables.pool) && n < size; i++) {
		const struct record *record = &r->tables.record[i];
		uint64_t word = sh_load(&record->state);
		if (word_state(word) != RECORD_FREE)
			n += (size_t)snprintf(ret + n, size - n,
			    "; %u %s, owner %u, holds %#llx, uses %#x, pending %#x", i,
			    record_state_name(word_state(word)), word_owner(word),
			    (unsigned long long)sh_load(&record->holds), sh_load(&record->uses),
			    sh_load(&record->pending));
	}
}

static void check_ledger(const struct roles *r)
{
	char leftovers[400];
	const char *unsound = tables_check(&r->tables);
	ck_assert_msg(unsound == NULL, "%s", unsound);
	name_leftovers(r, leftovers, sizeof leftovers);
	ck_assert_msg(roles_records_used(r) == 0, "%u records are still in use%s",
	    roles_records_used(r), leftovers);
	ck_assert_uint_eq(roles_store_used(r), 0);
}

void roles_stop(struct roles *r)
{
	for (unsigned i = 0; i < r->workers; i++)
		stop_worker(r, r->worker[i]);
	roles_until(all_buried, r, "every slot is free");
	roles_stop_scheduler(r);
	check_ledger(r);
	roles_log_stop();
	tables_detach(&r->scheduler_tables);
	tables_detach(&r->tables);
}
