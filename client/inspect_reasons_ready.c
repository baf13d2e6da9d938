/* inspect_reasons_ready.c - what a READY task lacks: a worker, a cpu, a resource, its turn. */
#include <inttypes.h>
#include <stdio.h>

#include "base/amount_text.h"
#include "base/clock.h"
#include "base/scan.h"
#include "client/inspect_reasons.h"
#include "tables/due.h"
#include "spec/spec.h"

enum {
	LIST_BYTES = 400, /* of a few references */
	WAY_BYTES = 40,
	MORE_BYTES = 32,
};

/* "@a, @b and 3 more" */
static const char *reasons_ready_list_refs(const struct tables *t, const uint64_t *refs,
    uint32_t named, uint32_t all, char ret[LIST_BYTES])
{
	size_t n = 0;
	ret[0] = 0;
	for (uint32_t i = 0; i < named && i < all && n < LIST_BYTES; i++) {
		char text[VIEW_TEXT_BYTES];
		view_ref(t, refs[i], text);
		n += (size_t)snprintf(ret + n, LIST_BYTES - n, "%s%s", i ? ", " : "", text);
	}
	if (all > named && n < LIST_BYTES)
		snprintf(ret + n, LIST_BYTES - n, " and %" PRIu32 " more", all - named);
	return ret;
}

/* ---- ready ---- */

void reasons_check_scheduler(struct look *l)
{
	uint64_t word = sh_load(&l->t->process[SLOT_SCHEDULER].state);
	if (process_state(word) != PROCESS_LIVE)
		reasons_say(l, "no-scheduler",
		    "no scheduler runs just now; the manager is starting the "
		    "next one");
}

void reasons_check_parked(struct look *l)
{
	if (word_flags(l->word) & FLAG_PARKED)
		reasons_say(l, "parked",
		    "it was parked: `plmctl move --to todo` puts it back into the queue");
}

void reasons_check_paused(struct look *l)
{
	if (sh_peek(&l->t->control->admission) & ADMISSION_PAUSED)
		reasons_say(l, "paused", "the queue is paused: `plmctl resume` ends that");
}

static void reasons_ready_say_memory_short(struct look *l)
{
	const struct control *c = l->t->control;
	uint64_t total = sh_load(&c->memory_total), left = sh_load(&c->memory_free);
	char sizes[3][WAY_BYTES], ours[WAY_BYTES];
	size_print(left, sizes[0], WAY_BYTES);
	size_print(total, sizes[1], WAY_BYTES);
	size_print(c->memory_rules.accept_free, sizes[2], WAY_BYTES);
	size_print(sh_load(&c->memory_ours), ours, WAY_BYTES);
	bool known = sh_load(&c->memory_ours) != 0;
	reasons_say(l, "memory",
	    "no task starts while less than %s of memory is free (--accept-free): "
	    "%s of %s is free now%s%s",
	    sizes[2], sizes[0], sizes[1], known ? "; tasks that run use " : "", known ? ours : "");
}

/* The task was ended when memory ran out, and waits until as much memory is free. */
static void reasons_ready_say_demand(struct look *l)
{
	const struct control *c = l->t->control;
	uint64_t demand = demand_bytes(l->r->demand), left = sh_load(&c->memory_free);
	char wanted[WAY_BYTES], there[WAY_BYTES], margin[WAY_BYTES];
	if (!memory_keeps(l->t, l->r))
		return;
	size_print(demand, wanted, WAY_BYTES);
	size_print(left, there, WAY_BYTES);
	size_print(c->memory_rules.accept_free, margin, WAY_BYTES);
	reasons_say(l, "memory-demand",
	    "it was ended when memory ran out and had used about %s: it waits "
	    "until that and %s more (--accept-free) are free; %s is free now",
	    wanted, margin, there);
}

void reasons_check_memory(struct look *l)
{
	if (sh_load(&l->t->control->memory_state) == MEMORY_SHORT)
		reasons_ready_say_memory_short(l);
	else if (l->r->demand)
		reasons_ready_say_demand(l);
}

void reasons_check_backoff(struct look *l)
{
	uint64_t now = clock_ns(), due = due_backoff(l->t, l->r, l->word);
	char left[WAY_BYTES];
	if (due <= now)
		return;
	ms_print((due - now) / NS_PER_MS, left, sizeof left);
	reasons_say(l, "backoff", "it pauses for another %s before attempt %" PRIu32, left,
	    word_attempt(l->word) + 1);
}

static bool reasons_ready_workers_told_to_leave(const struct tables *t)
{
	bool some = sh_peek(&t->control->staff) == 0;
	for (uint32_t i = 0; i < DRAINED_WORDS; i++)
		some |= sh_peek(&t->control->drained[i]) != 0;
	return some;
}

void reasons_check_workers(struct look *l)
{
	if (l->occupancy.seats > 0)
		return;
	if (reasons_ready_workers_told_to_leave(l->t))
		reasons_say(l, "no-worker",
		    "all workers were told to leave: `plmctl workers --set N` "
		    "or `plmctl resume WORKER` brings some back");
	else
		reasons_say(l, "no-worker", "no worker runs just now; the manager is starting one");
}

/* How many hints stand before the task in the queue of a process; negative: the task is not in
 * that queue. */
static int reasons_ready_place_in_front(const struct look *l, uint32_t process)
{
	uint64_t hints[DOWN_RING_ENTRIES + 1];
	struct ring ring = ring_down(l->t, process);
	hints[0] = sh_load(&l->t->process[process].handed);
	uint32_t n = hints[0] != 0;
	n += ring_look(&ring, hints + n, DOWN_RING_ENTRIES);
	for (uint32_t i = 0; i < n; i++)
		if (hint_kind(hints[i]) == HINT_LOOK && (uint32_t)hints[i] == ref_index(l->ref) &&
		    hint_fits(hints[i], l->word))
			return (int)i;
	return -1;
}

void reasons_check_rings(struct look *l)
{
	char name[NAME_BYTES];
	for (uint32_t i = 0; i < l->occupancy.seats; i++) {
		const struct seat *seat = &l->occupancy.seat[i];
		int before = reasons_ready_place_in_front(l, seat->process);
		if (before < 0 || seat->booked == l->ref)
			continue;
		char more[MORE_BYTES] = "";
		if (before > 0)
			snprintf(more, sizeof more,
			    seat->running ? " and %d more"
					  : ", after %d "
					    "more",
			    before);
		reasons_say(l, "queued", "%s worker %" PRIu32 " (pid %" PRId32 ")%s%s%s",
		    before ? "it stands in the queue of" : "it is next on", seat->worker, seat->pid,
		    seat->running ? ", after " : "",
		    seat->running ? reasons_name_task(l->t, seat->running, name) : "", more);
		if (seat->running)
			reasons_blame(l, seat->running);
		return;
	}
}

void reasons_check_busy(struct look *l)
{
	const struct occupancy *o = &l->occupancy;
	uint32_t booked = 0, taken = 0;
	if (l->terms)
		return; /* reasons_check_needs() says more */
	for (uint32_t i = 0; i < o->seats; i++) {
		taken += seat_taken(&o->seat[i], l->ref);
		booked += o->seat[i].booked && !o->seat[i].running;
	}
	if (o->seats == 0 || taken < o->seats)
		return;
	char kept[MORE_BYTES] = "";
	if (booked)
		snprintf(kept, sizeof kept, ", %" PRIu32 " are kept", booked);
	reasons_say(l, "busy", "no worker is free: %" PRIu32 " of %" PRIu32 " places are busy%s%s",
	    taken - booked, o->seats, kept, booked ? " for tasks that need several cpus" : "");
	for (uint32_t i = 0; i < o->seats; i++)
		if (o->seat[i].running)
			reasons_blame(l, o->seat[i].running);
}

static bool reasons_ready_still(const struct tables *t, const struct heap_entry *entry)
{
	uint64_t word;
	return record_lookup(t, record_ref(entry->id, entry->tag), &word) &&
	    word_state(word) == RECORD_READY;
}

void reasons_check_heap(struct look *l)
{
	const struct heap *heap = &l->t->task_heap;
	uint32_t length = heap_length(heap), before = 0;
	bool inside = false;
	struct heap_entry first = { 0 };
	for (uint32_t i = 0; i < length; i++) {
		const struct heap_entry entry = heap_entry_at(heap, i);
		if (record_ref(entry.id, entry.tag) == l->ref)
			inside = true;
		if (entry.key <= l->r->key || !reasons_ready_still(l->t, &entry))
			continue;
		before++;
		first = entry.key > first.key ? entry : first;
	}
	if (!inside || before == 0)
		return;
	char text[VIEW_TEXT_BYTES];
	view_ref(l->t, record_ref(first.id, first.tag), text);
	reasons_say(l, "behind",
	    "%" PRIu32 " task%s of higher priority or submitted earlier go%s "
	    "first; the next is %s",
	    before, before == 1 ? "" : "s", before == 1 ? "es" : "", text);
	reasons_blame(l, record_ref(first.id, first.tag));
}

/* ---- ready, with needs ---- */

void reasons_check_booked(struct look *l)
{
	const struct share *share = occupancy_share(&l->occupancy, l->ref);
	const struct seat *seat = share ? occupancy_seat(&l->occupancy, share->main) : NULL;
	char name[NAME_BYTES];
	if (!seat)
		return;
	bool other = seat->running && seat->running != l->ref;
	reasons_say(l, "booked", "worker %" PRIu32 " (pid %" PRId32 ") is reserved for it%s%s",
	    seat->worker, seat->pid, other ? ", after " : " and is about to start it",
	    other ? reasons_name_task(l->t, seat->running, name) : "");
	if (other)
		reasons_blame(l, seat->running);
}

/* The scheduler has chosen a main worker, but writes its number after the others keep still. */
void reasons_check_kept(struct look *l)
{
	const struct occupancy *o = &l->occupancy;
	const struct share *share = occupancy_share(o, l->ref);
	if (!share || share->main)
		return;
	uint64_t busy[USERS_MAX] = { 0 };
	uint64_t wanted = share->demand.amount[RESOURCE_CPUS] / AMOUNT_UNIT;
	uint32_t n = 0, idle = share->still;
	bool main = false;
	for (uint32_t i = 0; i < o->seats; i++) {
		const struct seat *seat = &o->seat[i];
		if (seat->booked == l->ref && seat->running && n < USERS_MAX)
			busy[n++] = seat->running;
		main |= seat->worker == share->worker && !seat->booked && !seat->busy;
	}
	idle += main && idle < wanted;
	char list[LIST_BYTES];
	reasons_say(l, "kept",
	    "cpus of a worker are being kept for it: %" PRIu32 " of %" PRIu64 " are idle"
	    "%s%s",
	    idle, wanted, n ? ", others still run " : "",
	    reasons_ready_list_refs(l->t, busy, n, n, list));
	for (uint32_t i = 0; i < n; i++)
		reasons_blame(l, busy[i]);
}

static uint32_t reasons_ready_alternatives_of(const struct terms *terms)
{
	uint32_t alternatives = sh_once(terms->alternatives);
	return alternatives < ALTERNATIVES_MAX ? alternatives : (uint32_t)ALTERNATIVES_MAX;
}

static enum fit reasons_ready_best_fit(
    const struct occupancy *o, const struct terms *terms, uint64_t ref)
{
	struct shortage shortage;
	enum fit best = FIT_NOBODY;
	for (uint32_t way = 0; way < reasons_ready_alternatives_of(terms); way++) {
		enum fit fit = occupancy_fit(o, &terms->alternative[way], ref, &shortage);
		best = fit > best ? fit : best;
	}
	return best;
}

/* The first in order of the tasks with needs that lack cpus alone; 0: the task of this look. */
static uint64_t reasons_ready_first_in_turn(const struct look *l)
{
	enum { UNKNOWN, NO, YES };
	unsigned char eligible[TERMS_MAX + 1] = { UNKNOWN };
	uint32_t end = pool_fresh(&l->t->pool);
	uint64_t first = 0, first_key = l->r->key;
	for (uint32_t i = 0; i < end && i < l->t->limits.records; i++) {
		const struct record *r = &l->t->record[i];
		uint64_t word = sh_load(&r->state), ref = record_ref(i, word_generation(word));
		uint32_t number = r->terms;
		const struct terms *terms = number ? terms_at(l->t->terms, number) : NULL;
		if (word_state(word) != RECORD_READY || !terms || terms->alternatives == 0 ||
		    r->key <= first_key || occupancy_share(&l->occupancy, ref))
			continue;
		if (eligible[number] == UNKNOWN)
			eligible[number] =
			    reasons_ready_best_fit(&l->occupancy, terms, ref) >= FIT_CPUS ? YES
											  : NO;
		if (eligible[number] == NO)
			continue;
		first = ref;
		first_key = r->key;
	}
	return first;
}

/* While a task that has begun to book lacks cpus, no further task begins (scheduler/booking.c). */
static uint64_t reasons_ready_lacks_cpus_still(const struct look *l)
{
	for (uint32_t i = 0; i < l->occupancy.shares; i++) {
		const struct share *share = &l->occupancy.share[i];
		uint64_t cpus = share->demand.amount[RESOURCE_CPUS] / AMOUNT_UNIT;
		if (share->ref != l->ref && !share->main && share->seats + 1 < cpus)
			return share->ref;
	}
	return 0;
}

void reasons_check_turn(struct look *l)
{
	char name[NAME_BYTES];
	if (occupancy_share(&l->occupancy, l->ref) ||
	    reasons_ready_best_fit(&l->occupancy, l->terms, l->ref) < FIT_CPUS)
		return;
	uint64_t other = reasons_ready_lacks_cpus_still(l);
	if (!other)
		other = reasons_ready_first_in_turn(l);
	if (!other)
		return;
	reasons_say(l, "turn", "another task, %s, gets the next free cpus first",
	    reasons_name_task(l->t, other, name));
	reasons_blame(l, other);
}

static const char *reasons_ready_amount_text(
    uint32_t resource, uint64_t amount, char ret[DECIMAL_TEXT_BYTES])
{
	return resource == RESOURCE_MEMORY ? size_text(amount, ret)
					   : decimal_text(amount, AMOUNT_PLACES, ret);
}

/* "gpus=1: worker 0 has 2, of them 1.5 in use by @a, @b" */
static void reasons_ready_say_shortage(struct look *l, const char *way, const struct shortage *s)
{
	struct resource_names names;
	tables_resource_names(l->t, &names);
	const char *resource = spec_resource_name(&names, s->resource);
	char wanted[DECIMAL_TEXT_BYTES], there[DECIMAL_TEXT_BYTES], used[DECIMAL_TEXT_BYTES];
	char list[LIST_BYTES], where[VIEW_TEXT_BYTES];
	reasons_ready_amount_text(s->resource, s->wanted, wanted);
	reasons_ready_amount_text(s->resource, s->there, there);
	reasons_ready_amount_text(s->resource, s->used, used);
	snprintf(where, sizeof where, "worker %" PRIu32 " has", s->worker);
	if (s->resource == RESOURCE_MEMORY)
		snprintf(where, sizeof where, "tasks may have");
	else if (s->workers > 1)
		snprintf(
		    where, sizeof where, "the %" PRIu32 " workers of its kind have", s->workers);
	reasons_say(l, "short", "%s%s=%s: %s %s, of %s %s in use%s%s", way,
	    resource ? resource : "?", wanted, where, there,
	    s->resource == RESOURCE_MEMORY ? "that" : "them", used, s->users ? " by " : "",
	    reasons_ready_list_refs(
		l->t, s->user, s->users < USERS_MAX ? s->users : USERS_MAX, s->users, list));
	for (uint32_t i = 0; i < s->users && i < USERS_MAX; i++)
		reasons_blame(l, s->user[i]);
}

void reasons_check_rank(struct look *l)
{
	const struct terms *terms = l->terms;
	if (terms->rank > 0 && !occupancy_share(&l->occupancy, l->ref))
		reasons_say(l, "apart",
		    "it is replica %" PRIu32 " of %" PRIu32 ": each replica runs on "
		    "workers of its own, and those of this one are busy",
		    terms->rank, terms->replicas);
}

void reasons_check_needs(struct look *l)
{
	struct shortage shortage;
	uint32_t ways = reasons_ready_alternatives_of(l->terms);
	if (l->occupancy.seats == 0 || occupancy_share(&l->occupancy, l->ref))
		return;
	for (uint32_t i = 0; i < ways; i++) {
		char way[WAY_BYTES] = "";
		enum fit fit =
		    occupancy_fit(&l->occupancy, &l->terms->alternative[i], l->ref, &shortage);
		if (ways > 1)
			snprintf(way, sizeof way, "way %" PRIu32 " of %" PRIu32 ": ", i + 1, ways);
		if (fit == FIT_NOBODY)
			reasons_say(
			    l, "no-worker", "%sno worker that runs now offers as much", way);
		else if (fit != FIT_NOW)
			reasons_ready_say_shortage(l, way, &shortage);
	}
}
