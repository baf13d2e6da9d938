/* access.c - the operations on the tables: references, holds, hints, values. See tables.h. */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/why.h"
#include "tables/segment_plan.h"
#include "tables/tables.h"

struct record *record_lookup(const struct tables *t, uint64_t ref, uint64_t *ret_word)
{
	uint32_t index = ref_index(ref);
	if (index >= t->limits.records)
		return NULL;
	struct record *r = &t->record[index];
	uint64_t word = sh_load(&r->state);
	if (word_generation(word) != ref_generation(ref) || word_state(word) == RECORD_FREE ||
	    word_state(word) >= RECORD_STATES)
		return NULL;
	*ret_word = word;
	return r;
}

uint32_t record_index(const struct tables *t, const struct record *r)
{
	return (uint32_t)(r - t->record);
}

uint32_t tables_ms(const struct tables *t)
{
	return (uint32_t)((clock_coarse_ns() - t->control->boot_ns) / NS_PER_MS);
}

/* The process that ended an attempt stays the owner in the word. The owner of a fresh task is its
 * submitter, and a returned attempt did not fail. */
uint32_t record_failed_by(const struct tables *t, uint64_t word)
{
	uint32_t owner = word_owner(word);
	if (word_attempt(word) == 0 || word_flags(word) & FLAG_RETURN ||
	    owner >= t->limits.processes ||
	    process_kind(sh_load(&t->process[owner].state)) != KIND_WORKER)
		return NO_WORKER;
	return t->process[owner].worker % WORKERS_MAX;
}

/* ---- holds ---- */

static shared64 *access_hold_word(const struct tables *t, uint32_t index, uint32_t process)
{
	CHECK(index < t->limits.records && process < t->limits.processes);
	if (process < EXTENSION_SLOTS)
		return &t->record[index].holds;
	char *extension = t->extensions + (process / EXTENSION_SLOTS - 1) * t->extension_bytes;
	return (shared64 *)(void *)extension + index;
}

/* The number of hold words to look at: most records have no holder beyond the first word. */
static uint32_t access_hold_words(const struct tables *t, uint32_t index)
{
	return sh_peek(&t->record[index].more_held) ? tables_slots(t) / EXTENSION_SLOTS : 1;
}

void hold_set(struct tables *t, uint32_t index, uint32_t process)
{
	if (process >= 64)
		sh_poke(&t->record[index].more_held, 1, "more_held, set");
	sh_or(access_hold_word(t, index, process), (uint64_t)1 << process % 64, "hold");
}

void hold_clear(struct tables *t, uint32_t index, uint32_t process)
{
	sh_and(access_hold_word(t, index, process), ~((uint64_t)1 << process % 64), "hold");
}

bool hold_test(const struct tables *t, uint32_t index, uint32_t process)
{
	return sh_load(access_hold_word(t, index, process)) >> process % 64 & 1;
}

bool hold_any(const struct tables *t, uint32_t index)
{
	for (uint32_t w = 0; w < access_hold_words(t, index); w++)
		if (sh_load(access_hold_word(t, index, w * 64)))
			return true;
	return false;
}

bool hold_only(const struct tables *t, uint32_t index, uint32_t process)
{
	for (uint32_t w = 0; w < access_hold_words(t, index); w++) {
		uint64_t own = process / 64 == w ? (uint64_t)1 << process % 64 : 0;
		if (sh_load(access_hold_word(t, index, w * 64)) != own)
			return false;
	}
	return true;
}

uint32_t hold_count(const struct tables *t, uint32_t index)
{
	uint32_t n = 0;
	for (uint32_t w = 0; w < access_hold_words(t, index); w++)
		n += (uint32_t)__builtin_popcountll(sh_load(access_hold_word(t, index, w * 64)));
	return n;
}

void hold_wipe(struct tables *t, uint32_t index)
{
	for (uint32_t w = 0; w < access_hold_words(t, index); w++)
		if (sh_peek(access_hold_word(t, index, w * 64)))
			sh_poke(access_hold_word(t, index, w * 64), 0, "hold");
	if (sh_peek(&t->record[index].more_held))
		sh_poke(&t->record[index].more_held, 0, "more_held, wiped");
}

/* ---- hints ---- */

static char *access_rings_of(const struct tables *t, uint32_t process)
{
	CHECK(process < t->limits.processes);
	char *rings = t->rings;
	if (process >= EXTENSION_SLOTS)
		rings = t->extensions + (process / EXTENSION_SLOTS - 1) * t->extension_bytes +
		    t->extension_rings;
	return rings + process % EXTENSION_SLOTS * plan_ring_bytes();
}

struct ring ring_up(const struct tables *t, uint32_t process)
{
	return ring_at(access_rings_of(t, process), UP_RING_ENTRIES);
}

struct ring ring_down(const struct tables *t, uint32_t process)
{
	return ring_at(
	    access_rings_of(t, process) + ring_bytes(UP_RING_ENTRIES), DOWN_RING_ENTRIES);
}

void process_set_awake(struct tables *t, uint32_t process, bool awake)
{
	CHECK(process < t->limits.processes);
	sh_poke(&t->control->awake.each[process], (uint8_t)awake);
}

bool process_awake(const struct tables *t, uint32_t process)
{
	CHECK(process < t->limits.processes);
	return sh_peek(&t->control->awake.each[process]) & 1;
}

/* Count the process as awake from the wake, not from its first instruction, so that the waker makes
 * way in time. */
static void access_post_fenced(struct tables *t, uint32_t process, struct event *event)
{
	if (!event_sleeper(event))
		return;
	process_set_awake(t, process, true);
	event_post_fenced(event);
}

void process_post(struct tables *t, uint32_t process)
{
	sh_fence();
	access_post_fenced(t, process, &t->process[process].event);
}

void process_post_all(struct tables *t, uint32_t process)
{
	process_post(t, process);
	for (int i = 0; i < WAITERS; i++)
		access_post_fenced(t, process, &t->process[process].waiter[i].event);
}

void process_bump(struct tables *t, uint32_t process)
{
	event_bump(&t->process[process].event);
	for (int i = 0; i < WAITERS; i++)
		if (sh_peek(&t->process[process].waiter[i].awaiting) != AWAITING_NOTHING)
			event_bump(&t->process[process].waiter[i].event);
}

void processes_changed(struct tables *t)
{
	sh_add(&t->control->changes, 1);
	process_post(t, SLOT_SCHEDULER);
}

uint32_t tell_scheduler(
    struct tables *t, uint32_t process, const uint64_t *hints, uint32_t n, bool wake)
{
	struct ring ring = ring_up(t, process);
	uint32_t sent = ring_push(&ring, hints, n);
	bool urgent = wake || ring_used(&ring) > UP_RING_ENTRIES / 4;
	/* Publish, fence, look: the scheduler clears the bit before it reads the ring. */
	sh_fence();
	shared64 *unread = &(urgent ? t->control->unread : t->control->unread_quiet)[process / 64];
	uint64_t bit = (uint64_t)1 << process % 64;
	if (!(sh_peek(unread) & bit))
		sh_or(unread, bit, "unread");
	if (urgent)
		access_post_fenced(t, SLOT_SCHEDULER, &t->process[SLOT_SCHEDULER].event);
	return sent;
}

static void access_wake_if_awaiting(struct tables *t, uint32_t process, uint32_t index)
{
	if (process != SLOT_MANAGER && process == journal_slot(t))
		journal_tell(t, index);
	struct waiter *waiter = t->process[process].waiter;
	for (int i = 0; i < WAITERS; i++) {
		uint32_t awaiting = sh_peek(&waiter[i].awaiting);
		if (awaiting == index + 1 || awaiting == AWAITING_ANY)
			access_post_fenced(t, process, &waiter[i].event);
	}
}

void wake_holders(struct tables *t, uint32_t index)
{
	sh_fence_after_cas(); /* the caller's CAS settled the record */
	for (uint32_t w = 0; w < access_hold_words(t, index); w++) {
		uint64_t holders = sh_peek(access_hold_word(t, index, w * 64));
		for (; holders; holders &= holders - 1)
			access_wake_if_awaiting(
			    t, w * 64 + (uint32_t)__builtin_ctzll(holders), index);
	}
}

/* ---- store ---- */

static struct arena *access_arena_of(struct tables *t, uint32_t granule)
{
	for (uint32_t i = 0; i < t->limits.nodes; i++)
		if (granule - t->arena[i].first_granule <
		    t->arena[i].pages * (STORE_PAGE_BYTES / STORE_GRANULE_BYTES))
			return &t->arena[i];
	return NULL;
}

uint32_t store_node(struct tables *t, uint32_t granule)
{
	const struct arena *arena = access_arena_of(t, granule);
	return arena ? (uint32_t)(arena - t->arena) : 0;
}

/* A dead worker leaves the word behind, and the time goes by. A time too far away is nonsense. */
static bool access_running_task_waits(const struct tables *t)
{
	uint64_t until_ns = sh_peek(&t->control->running_waits_ns);
	return until_ns && until_ns - clock_coarse_ns() <= RUNNING_WAITS_MS * NS_PER_MS;
}

int store_alloc(
    struct tables *t, uint32_t node, uint64_t length, enum arena_use use, shared32 *granule)
{
	int r = -ENOSPC;
	if (length >= RUNNING_WAITS_BYTES && use != ARENA_RESULT && access_running_task_waits(t))
		return why(-EDQUOT,
		    "no room for %llu bytes just now: a running task waits for room in the store "
		    "for its result, and goes first; wait (plm_patience()), drop references, or "
		    "boot with a larger store (plm --store SIZE)",
		    (unsigned long long)length);
	for (uint32_t i = 0; i < t->limits.nodes; i++) {
		r = arena_alloc(&t->arena[(node + i) % t->limits.nodes], length, use, granule);
		if (r != -ENOSPC && r != -EDQUOT)
			return r;
	}
	return r;
}

void store_usage(const struct tables *t, struct arena_usage *ret)
{
	struct arena_usage all = { 0 }, one;
	for (uint32_t i = 0; i < t->limits.nodes; i++) {
		arena_usage(&t->arena[i], &one);
		all.total_bytes += one.total_bytes;
		all.reserved_bytes += one.reserved_bytes;
		all.used_bytes += one.used_bytes;
		all.arguments_bytes += one.arguments_bytes;
		all.arguments_most_bytes += one.arguments_most_bytes;
		all.objects_most_bytes += one.objects_most_bytes;
		if (one.largest_free_bytes > all.largest_free_bytes)
			all.largest_free_bytes = one.largest_free_bytes;
	}
	*ret = all;
}

int store_free(struct tables *t, uint64_t length, enum arena_use use, shared32 *granule)
{
	struct arena *arena = access_arena_of(t, sh_peek(granule));
	if (arena)
		return arena_free(arena, length, use, granule);
	sh_store(granule, 0, "granule"); /* a granule in no arena holds no memory */
	return 0;
}

uint64_t tables_shm_free(const struct tables *t)
{
	struct statvfs fs;
	return fstatvfs(t->store_segment.fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

int store_try_free(struct tables *t, uint64_t length, enum arena_use use, shared32 *granule)
{
	struct arena *arena = access_arena_of(t, sh_peek(granule));
	return arena ? arena_try_free(arena, length, use, granule)
		     : store_free(t, length, use, granule);
}

const void *store_readable(const struct tables *t, uint32_t granule, uint64_t length)
{
	uint64_t offset = (uint64_t)granule * STORE_GRANULE_BYTES;
	if (!t->store_read || offset < SEGMENT_HEADER_BYTES || offset > t->store_segment.bytes ||
	    length > t->store_segment.bytes - offset)
		return NULL;
	return t->store_read + offset;
}

const void *record_value(const struct tables *t, const struct record *r, uint64_t *ret_length)
{
	uint64_t length = r->value_bytes;
	uint32_t granule = sh_load(&r->value);
	*ret_length = length;
	if (granule)
		return store_readable(t, granule, length);
	return length <= RECORD_INLINE_VALUE ? r->value_inline : NULL;
}

/* ---- failures ---- */

static bool access_leave_text(struct tables *t, uint32_t node, struct record *r,
    const struct failure_text *text, size_t length, uint64_t detail_bytes)
{
	uint64_t bytes = detail_bytes ? length + 1 + detail_bytes : length;
	r->value_bytes = bytes; /* before an extent of this length exists */
	if (store_alloc(t, node, bytes, ARENA_RESULT, &r->value) < 0) {
		r->value_bytes = 0;
		return false;
	}
	char *to = store_writable(t, sh_peek(&r->value));
	if (length)
		memcpy(to, text->message, length);
	if (detail_bytes) {
		to[length] = 0;
		memcpy(to + length + 1, text->detail, detail_bytes);
	}
	return true;
}

void failure_leave(struct tables *t, uint32_t node, struct record *r,
    const struct record_failure *failure, const struct failure_text *text)
{
	size_t length = text->message ? strlen(text->message) : 0;
	r->value_bytes = 0;
	bool left =
	    text->detail_bytes && access_leave_text(t, node, r, text, length, text->detail_bytes);
	if (!left && length)
		left = access_leave_text(t, node, r, text, length, 0);
	r->failure = *failure;
	r->failure.unsaid = length && !left;
}

/* The extent of a FAILED record is the text; the inline bytes are the failure. */
const char *failure_message(const struct tables *t, const struct record *r, uint64_t *ret_length)
{
	static const char no_room[] =
	    "the store had no room for the result, nor for a longer message: "
	    "drop references, or boot with a larger store (plm --store SIZE)";
	static const char no_words[] =
	    "the store was full, and had no room for the message of "
	    "this failure: drop references, or boot with a larger store (plm --store SIZE)";
	*ret_length = 0;
	if (sh_load(&r->value)) {
		const char *text = record_value(t, r, ret_length);
		*ret_length = text ? strnlen(text, *ret_length) : 0;
		return text;
	}
	if (!r->failure.unsaid)
		return NULL;
	const char *text = r->failure.code == ENOSPC ? no_room : no_words;
	*ret_length = strlen(text);
	return text;
}

const void *failure_detail(const struct tables *t, const struct record *r, uint64_t *ret_length)
{
	uint64_t bytes = 0;
	const char *text = sh_load(&r->value) ? record_value(t, r, &bytes) : NULL;
	size_t length = text ? strnlen(text, bytes) : 0;
	*ret_length = text && length < bytes ? bytes - length - 1 : 0;
	return *ret_length ? text + length + 1 : NULL;
}

uint32_t tables_host(const struct tables *t, const struct process *client)
{
	uint64_t inside = sh_load(&client->inside_word);
	uint32_t index = sh_peek(&client->inside), host = word_owner(inside);
	if (inside == 0 || index >= t->limits.records || host < SLOT_FIRST_SHARED ||
	    host >= t->limits.processes)
		return 0;
	return word_without_flags(sh_load(&t->record[index].state)) == inside ? host : 0;
}

uint32_t tables_waits_inside(const struct tables *t, uint32_t process)
{
	for (uint32_t i = SLOT_FIRST_SHARED; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) == KIND_CLIENT && process_present(word) &&
		    sh_load(&p->waiting_ns) && tables_host(t, p) == process)
			return i;
	}
	return 0;
}
