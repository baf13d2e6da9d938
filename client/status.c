/* status.c - a look at the whole runtime, for people. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "client/durable.h"
#include "client/handle.h"
#include "client/inspect.h"
#include "client/nested_wait.h"
#include "policy/policy.h"

static void status_count_processes(const struct tables *t, plm_status *s)
{
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (!process_present(word))
			continue;
		s->manager_pid = i == SLOT_MANAGER ? p->pid : s->manager_pid;
		s->scheduler_pid = i == SLOT_SCHEDULER ? p->pid : s->scheduler_pid;
		s->workers += process_kind(word) == KIND_WORKER;
		s->workers_spare += process_kind(word) == KIND_WORKER && p->spare != 0;
		s->workers_busy += process_kind(word) == KIND_WORKER && sh_peek(&p->running) != 0;
		s->clients += process_kind(word) == KIND_CLIENT;
	}
}

static void status_count_records(const struct tables *t, plm_status *s)
{
	uint64_t count[RECORD_STATES] = { 0 };
	uint32_t fresh = pool_fresh(&t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		uint64_t word = sh_load(&t->record[i].state);
		enum record_state state = word_state(word);
		if (state < RECORD_STATES)
			count[state]++;
		s->finished += state == RECORD_DONE && !(word_flags(word) & FLAG_OBJECT);
	}
	s->records_used = fresh - count[RECORD_FREE];
	s->waiting = count[RECORD_WAITING];
	s->ready = count[RECORD_READY];
	s->running = count[RECORD_RUNNING];
	s->done = count[RECORD_DONE];
	s->failed = count[RECORD_FAILED];
	s->cancelled = count[RECORD_CANCELLED];
}

static int status_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void status_read_reassigned(const struct tables *t, plm_status *s)
{
	const struct reassigned *all = &t->control->reassigned;
	uint64_t ns[REASSIGNED_KEPT], count = sh_load(&all->count);
	uint64_t n = count < REASSIGNED_KEPT ? count : REASSIGNED_KEPT;
	if (n == 0)
		return;
	for (uint64_t i = 0; i < n; i++)
		ns[i] = sh_peek(&all->ns[i]);
	s->reassigned = count;
	s->reassign_max_ns = sh_peek(&all->max_ns);
	s->reassign_last_ns = ns[(count - 1) % REASSIGNED_KEPT];
	qsort(ns, n, sizeof ns[0], status_compare);
	s->reassign_median_ns = ns[n / 2];
}

static void status_read_journal(const struct tables *t, plm_status *s)
{
	const struct journal_shm *j = &t->control->journal;
	if (!journal_slot(t))
		return;
	snprintf(
	    s->journal, sizeof s->journal, "%s", durability_name((enum durability)j->durability));
	if (sh_load(&j->trouble))
		snprintf(s->journal_trouble, sizeof s->journal_trouble, "%.*s",
		    (int)sizeof j->trouble_text - 1, j->trouble_text);
	if (sh_load(&j->damaged))
		snprintf(s->journal_damage, sizeof s->journal_damage, "%.*s",
		    (int)sizeof j->damage_text - 1, j->damage_text);
	s->journal_accepted = sh_peek(&j->accepted);
	s->journal_ended = sh_peek(&j->ended);
	s->journal_resumed = sh_peek(&j->resumed);
	s->journal_to_resume = sh_peek(&j->to_resume);
}

void status_read(const struct tables *t, plm_status *ret)
{
	plm_status s = { .processes_max = t->limits.processes,
		.records_max = t->limits.records,
		.restarts = sh_load(&t->control->restarts),
		.returned = sh_load(&t->control->returned),
		.evicted = sh_load(&t->control->evicted),
		.left = sh_load(&t->control->left),
		.memory_total = sh_load(&t->control->memory_total),
		.memory_free = sh_load(&t->control->memory_free),
		.memory_accept_free = t->control->memory_rules.accept_free,
		.memory_return_free = t->control->memory_rules.return_free,
		.memory_short = sh_load(&t->control->memory_state) == MEMORY_SHORT,
		.uptime_ms = tables_ms(t),
		.stopping = sh_load(&t->control->mode) == MODE_STOPPING,
		.paused = (sh_peek(&t->control->admission) & ADMISSION_PAUSED) != 0,
		.closed = (sh_peek(&t->control->admission) & ADMISSION_CLOSED) != 0 };
	snprintf(s.name, sizeof s.name, "%.*s", (int)sizeof t->control->name - 1, t->control->name);
	retention_print(&t->control->retention, s.keep_finished, sizeof s.keep_finished);
	status_count_processes(t, &s);
	status_count_records(t, &s);
	status_read_reassigned(t, &s);
	status_read_journal(t, &s);
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++)
		s.workers_drained += tables_drained(t, worker);
	struct arena_usage usage;
	store_usage(t, &usage);
	s.store_bytes = usage.total_bytes;
	s.store_reserved = usage.reserved_bytes;
	s.store_used = usage.used_bytes;
	s.store_arguments = usage.arguments_bytes;
	s.shm_free = tables_shm_free(t);
	*ret = s;
}

int plm_status_get_sized(plm *rt, plm_status *ret, size_t size)
{
	plm_status status;
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_status_get: no place for the status");
	int r = handle_check(rt);
	if (r < 0)
		return handle_end(said, r);
	status_read(&rt->tables, &status);
	inspect_give(ret, size, &status, sizeof status);
	return 0;
}

int plm_store_get_sized(plm *rt, plm_store *ret, size_t size)
{
	struct arena_usage usage;
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_store_get: no place for the numbers");
	int r = handle_check(rt);
	if (r < 0)
		return handle_end(said, r);
	store_usage(&rt->tables, &usage);
	const plm_store store = { .bytes = usage.total_bytes,
		.used = usage.used_bytes,
		.largest_free = usage.largest_free_bytes,
		.arguments = usage.arguments_bytes,
		.arguments_most = usage.arguments_most_bytes,
		.objects_most = usage.objects_most_bytes };
	inspect_give(ret, size, &store, sizeof store);
	return 0;
}

int plm_alive(plm *rt)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	return handle_end(said, r < 0 ? r : handle_runtime_gone(rt));
}

int plm_inside(plm *rt)
{
	int r = handle_check(rt);
	return r < 0 ? r : nested_inside(rt);
}

int plm_on_finish(plm *rt, char *ret, size_t size)
{
	int r = handle_check(rt);
	if (r < 0)
		return handle_end(why_count(), r);
	const char *line = rt->tables.control->on_finish;
	size_t length = strnlen(line, ON_FINISH_BYTES - 1);
	if (!ret || length >= size)
		return why(-E2BIG, "the line of plm --on-finish has %zu bytes", length);
	memcpy(ret, line, length);
	ret[length] = 0;
	return 0;
}

int plm_flush(plm *rt, int timeout_ms)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	return handle_end(said, r < 0 ? r : durable_flush(rt, timeout_ms));
}

/* The scheduler reads the number when it places the next task. */
int plm_set_policy(plm *rt, const char *name)
{
	int r = handle_check(rt);
	if (r < 0)
		return r;
	if (!name)
		return why(-EINVAL, "plm_set_policy: no policy is named");
	for (uint32_t i = 0; policy_at(i); i++)
		if (strcmp(policy_at(i)->name, name) == 0) {
			sh_store(&rt->tables.control->policy, i);
			return 0;
		}
	return why(-ENOENT, "no such policy: %s (`plmctl policy` lists them)", name);
}
