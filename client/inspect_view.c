#include "client/inspect_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { LOOKS_MAX = 8, TICKS_MISSED = 3 };

void view_ref(const struct tables *t, uint64_t ref, char ret[VIEW_TEXT_BYTES])
{
	snprintf(ret, VIEW_TEXT_BYTES, "@%" PRIx32 ".%" PRIx32 ".%" PRIx64, ref_index(ref),
	    ref_generation(ref), t->control->runtime);
}

/* A time in the segment may lie ahead of our clock, or be nonsense. */
static uint64_t view_ms_since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / NS_PER_MS : 0;
}

static void view_function_name(const struct tables *t, uint32_t number, char ret[VIEW_TEXT_BYTES])
{
	struct function_entry entry;
	if (registry_function(&t->registry, number, &entry))
		snprintf(ret, VIEW_TEXT_BYTES, "%s", entry.name);
	else
		snprintf(ret, VIEW_TEXT_BYTES, "#%" PRIu32, number);
}

/* Times in records are 32-bit milliseconds since boot: differences are right across their wrap. */
static void view_read_times(const struct tables *t, const struct record *r, struct record_view *ret)
{
	uint32_t now = (uint32_t)view_ms_since(t->control->boot_ns, clock_ns());
	bool ran = state_settled(ret->state) && !ret->object;
	ret->age_ms = tables_ms_between(r->submit_ms, now);
	ret->run_ms = ret->state == RECORD_RUNNING ? tables_ms_between(r->start_ms, now)
	    : ran && r->start_ms != 0              ? tables_ms_between(r->start_ms, r->end_ms)
						   : 0;
}

static void view_read_word(uint64_t word, struct record_view *ret)
{
	ret->state = word_state(word);
	ret->part = ret->state == RECORD_PART;
	ret->flags = word_flags(word);
	ret->object = ret->flags & FLAG_OBJECT;
	ret->stopping = ret->state == RECORD_RUNNING && ret->flags & FLAGS_STOPPING;
	ret->parked = (ret->state == RECORD_WAITING || ret->state == RECORD_READY) &&
	    ret->flags & FLAG_PARKED;
	ret->owner = word_owner(word);
	ret->attempt = word_attempt(word);
}

/* False: no function has the number. */
static bool view_known(const struct tables *t, const struct record_view *v, uint32_t function)
{
	struct function_entry entry;
	return v->object || v->state == RECORD_RESERVED || v->state == RECORD_PART ||
	    registry_function(&t->registry, function, &entry);
}

static void view_read_record(
    const struct tables *t, uint32_t index, uint64_t word, struct record_view *ret)
{
	const struct record *r = &t->record[index];
	const struct record *speaker = r;
	*ret = (struct record_view){ .ref = record_ref(index, word_generation(word)) };
	view_read_word(word, ret);
	uint64_t task_word;
	if (ret->part && (speaker = record_lookup(t, r->part.task, &task_word)) != NULL)
		ret->state = word_state(task_word); /* PART again only if the segment is damaged */
	else
		speaker = r;
	if (!ret->object && ret->state != RECORD_RESERVED)
		view_function_name(t, speaker->function, ret->function);
	ret->dead = word_retriable(word) && record_tries(speaker, word) > 1;
	ret->priority = key_priority(speaker->key);
	ret->turn = key_turn(speaker->key);
	ret->nargs = speaker->nargs;
	ret->holders = hold_count(t, index);
	ret->pending = sh_peek(&r->pending) & ~PENDING_DOOMED;
	ret->uses = sh_peek(&r->uses) & ~USES_COUNTED;
	ret->failures = speaker->failures;
	ret->returned = record_returns(speaker);
	ret->bytes = r->value_bytes;
	ret->granule = sh_peek(&r->value);
	ret->results = speaker->results;
	view_read_times(t, speaker, ret);
	ret->damaged = !view_known(t, ret, speaker->function) || (ret->part && speaker == r) ||
	    ret->state == RECORD_PART || ret->owner >= t->limits.processes ||
	    (ret->state == RECORD_DONE && !ret->granule && ret->bytes > RECORD_INLINE_VALUE);
}

bool view_record(const struct tables *t, uint32_t index, struct record_view *ret)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		uint64_t word = sh_load(&t->record[index].state);
		if (word_state(word) == RECORD_FREE || word_state(word) >= RECORD_STATES)
			return false;
		view_read_record(t, index, word, ret);
		if (sh_load(&t->record[index].state) == word)
			return true;
	}
	ret->moved = true;
	return true;
}

static void view_read_running(
    const struct tables *t, const struct process *p, struct process_view *ret)
{
	uint64_t word;
	ret->running = sh_peek(&p->running);
	if (ret->running == 0)
		return;
	ret->run_ms = view_ms_since(sh_peek(&p->running_since_ns), clock_ns());
	const struct record *r = record_lookup(t, ret->running, &word);
	if (r)
		view_function_name(t, r->function, ret->function);
}

/* The kernel knows a stopped process, or a sleeper without beats, as alive, but a person should not
 * rely on such a process. */
static const char *view_condition_of(const struct process *p, const struct process_view *v)
{
	bool sleeps = v->running == 0 || v->blocked;
	if (v->state != PROCESS_LIVE)
		return process_state_name(v->state);
	if (process_stopped(p->pid, p->start_time))
		return "stopped";
	if (v->kind == KIND_WORKER && sleeps && v->beat_ms > TICKS_MISSED * SAFETY_TICK_MS)
		return "suspect";
	return process_state_name(v->state);
}

static uint32_t view_count_used(const struct tables *t, uint32_t worker)
{
	uint32_t n = 0;
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		bool used = sh_peek(&p->running) || sh_peek(&p->booked) > BOOKED_FOR_NOBODY;
		if (tables_relieved(t, i) && (sh_peek(&p->waiting_ns) || tables_waits_inside(t, i)))
			continue; /* a spare has its cpu */
		n += process_kind(word) == KIND_WORKER && process_present(word) &&
		    p->worker == worker && used;
	}
	return n;
}

static void view_read_worker(
    const struct tables *t, uint32_t worker, uint32_t kind, struct process_view *ret)
{
	const struct worker_kind *k = &t->control->kind[kind % WORKER_KINDS_MAX];
	ret->worker = worker;
	ret->worker_generation = k->generation;
	ret->cpus = k->cpus;
	ret->cpus_used = view_count_used(t, worker);
	uint32_t python = sh_once(k->python);
	if (python > 0 && python <= PYTHONS_MAX)
		ret->python = t->control->resources.pythons.path[python - 1];
}

bool view_process(const struct tables *t, uint32_t slot, struct process_view *ret)
{
	const struct process *p = &t->process[slot];
	uint64_t word = sh_load(&p->state), now = clock_ns();
	if (process_state(word) == PROCESS_FREE)
		return false;
	struct ring up = ring_up(t, slot), down = ring_down(t, slot);
	*ret = (struct process_view){
		.slot = slot,
		.generation = process_generation(word),
		.kind = process_kind(word),
		.state = process_state(word),
		.pid = p->pid,
		.node = (int32_t)sh_peek(&p->node),
		.age_ms = view_ms_since(p->joined_ns, now),
		.beat_ms = view_ms_since(sh_peek(&p->beat_ns), now),
		.done = sh_peek(&p->done),
		.failed = sh_peek(&p->failed),
		.blocked = sh_peek(&p->blocked) || tables_waits_inside(t, slot),
		.python = "",
		.spare = process_kind(word) == KIND_WORKER && p->spare != 0,
		.up = ring_used(&up),
		.down = ring_used(&down),
	};
	memcpy(ret->name, p->name, sizeof p->name);
	view_read_running(t, p, ret);
	ret->condition = view_condition_of(p, ret);
	if (ret->kind == KIND_WORKER)
		view_read_worker(t, p->worker, p->worker_kind, ret);
	return true;
}
