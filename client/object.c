/* object.c - objects: reserve, fill, seal; and values, read in place. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/handle.h"
#include "client/wait.h"
#include "events/eventlog.h"

/* From now on submitters leave to us what becomes free; until we have room, or do not ask again. */
static void object_go_first(struct plm *rt, enum arena_use use)
{
	uint64_t until_ns = clock_coarse_ns() + RUNNING_WAITS_MS * NS_PER_MS;
	if (rt->help && use == ARENA_RESULT)
		sh_poke(&rt->tables.control->running_waits_ns, until_ns, "running_waits_ns, begun");
}

static void object_let_others(struct plm *rt, enum arena_use use)
{
	if (rt->help && use == ARENA_RESULT)
		sh_poke(&rt->tables.control->running_waits_ns, 0, "running_waits_ns, ended");
}

int handle_alloc(
    struct plm *rt, uint64_t length, enum arena_use use, shared32 *granule, uint64_t deadline_ns)
{
	bool waited = false;
	int r;
	for (unsigned tries = 0;; waited = true) {
		r = store_alloc(&rt->tables, sh_peek(&rt->me->node), length, use, granule);
		if (r != -ENOSPC && r != -EDQUOT)
			break;
		object_go_first(rt, use);
		if (r == -ENOSPC) /* else the end of a kept result would not help */
			sh_poke(&rt->tables.control->room_bytes, length);
		if (!wait_for_room(rt, deadline_ns, &tries))
			break;
	}
	if (waited)
		object_let_others(rt, use);
	return r == -EDQUOT ? -ENOSPC : r;
}

/* Reserves a record, with room for the value. The word is still RESERVED. */
static int object_reserve(struct plm *rt, size_t len, struct record **ret)
{
	int r = handle_check(rt);
	if (r < 0)
		return r;
	uint64_t deadline = handle_deadline(rt);
	uint32_t index, n;
	r = reserved_take(rt, &index, 1, &n, deadline);
	if (r < 0)
		return r;
	struct record *record = record_at(&rt->tables, index);
	record->value_bytes = len;
	ref_born(rt, index);
	if (len > RECORD_INLINE_VALUE)
		r = handle_alloc(
		    rt, len, rt->help ? ARENA_RESULT : ARENA_OBJECT, &record->value, deadline);
	uint64_t word = sh_peek(&record->state);
	if (r < 0)
		plm_drop(rt, ref_public(rt, record_ref(index, word_generation(word))));
	else
		*ret = record;
	return r;
}

static plm_ref object_ref(const struct plm *rt, const struct record *record)
{
	uint64_t word = sh_peek(&record->state);
	return ref_public(rt, record_ref(record_index(&rt->tables, record), word_generation(word)));
}

static void *object_place(struct plm *rt, struct record *record)
{
	uint32_t granule = sh_peek(&record->value);
	return granule ? store_writable(&rt->tables, granule) : record->value_inline;
}

static int object_create(plm *rt, size_t len, void **ret_data, plm_ref *ret)
{
	struct record *record;
	int r = object_reserve(rt, len, &record);
	if (r < 0)
		return r;
	*ret_data = object_place(rt, record);
	*ret = object_ref(rt, record);
	return 0;
}

int plm_create(plm *rt, size_t len, void **ret_data, plm_ref *ret)
{
	unsigned said = why_count();
	if (!ret_data || !ret)
		return why(-EINVAL, "plm_create: no place for the object or its reference");
	return handle_end(said, object_create(rt, len, ret_data, ret));
}

static void object_note(
    struct plm *rt, enum event_kind kind, const struct record *r, uint64_t ref, uint64_t bytes)
{
	struct logged_event e = eventlog_of_record(kind, clock_ns(), r, ref, sh_load(&r->state));
	e.argument = bytes;
	eventlog_put(&rt->tables, e);
}

static int object_seal(struct plm *rt, struct record *record, uint64_t word)
{
	uint32_t index = record_index(&rt->tables, record);
	record->end_ms = record->submit_ms = tables_ms(&rt->tables);
	record->results = 1;
	uint64_t ref = record_ref(index, word_generation(word));
	if (!record_step(record, &word, RECORD_DONE, rt->self, 0, FLAG_OBJECT))
		return why(
		    -EINVAL, "plm_seal: the reference names no object that waits to be sealed");
	if (eventlog_on(&rt->tables) && sh_peek(&record->value))
		object_note(rt, EVENT_SEALED, record, ref, record->value_bytes);
	wake_holders(&rt->tables, index);
	/* Seal first, then look for dependants. The scheduler links a dependant first and then
	 * looks at the word, so the scheduler or we see the other side. */
	if (!sh_load(&record->dependents))
		return 0;
	uint64_t hint = hint_make(HINT_SETTLED, ref);
	return handle_tell(rt, &hint, 1);
}

static int object_seal_ref(plm *rt, plm_ref ref)
{
	int r = handle_check(rt);
	uint64_t word;
	struct record *record = r < 0 ? NULL : ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r;
	if (word_state(word) != RECORD_RESERVED || word_owner(word) != rt->self)
		return why(-EINVAL, "only the process that created an object can seal it, once");
	return object_seal(rt, record, word);
}

int plm_seal(plm *rt, plm_ref ref)
{
	unsigned said = why_count();
	return handle_end(said, object_seal_ref(rt, ref));
}

static int object_put(plm *rt, const void *data, size_t len, plm_ref *ret)
{
	struct record *record;
	int r = object_reserve(rt, len, &record);
	if (r < 0)
		return r;
	if (len)
		memcpy(object_place(rt, record), data, len);
	plm_ref ref = object_ref(rt, record);
	r = object_seal(rt, record, sh_peek(&record->state));
	if (r == 0)
		*ret = ref;
	return r;
}

int plm_put(plm *rt, const void *data, size_t len, plm_ref *ret)
{
	unsigned said = why_count();
	if (!ret || (len && !data))
		return why(
		    -EINVAL, "plm_put: no %s", ret ? "bytes are given" : "place for the reference");
	return handle_end(said, object_put(rt, data, len, ret));
}

/* ---- reading ---- */

static int object_why_not_done(enum record_state state)
{
	if (state == RECORD_FAILED)
		return why(-PLM_EFAILED, "the task failed; plm_error() tells why");
	if (state == RECORD_CANCELLED ||
	    state == RECORD_RUNNING) /* RUNNING: will be cancelled, by its flag */
		return why(-PLM_ECANCELLED, "the task was cancelled");
	return why(-ESTALE, "unknown reference: it was dropped, or never existed");
}

/* Makes a view of a settled future. The caller's hold on the future goes into the view, or ends. */
static int object_view_take(
    struct plm *rt, struct record *r, struct record *speaker, plm_ref ref, plm_view *ret)
{
	enum record_state state = word_state(sh_load(&speaker->state));
	plm_view view = { .ref = ref };
	uint64_t length = 0;
	const void *value = state == RECORD_DONE ? record_value(&rt->tables, r, &length) : NULL;
	if (!value) {
		plm_drop(rt, ref);
		return state == RECORD_DONE ? why(-EIO, "the record of this future is damaged")
					    : object_why_not_done(state);
	}
	view.data = value;
	view.len = length;
	if (eventlog_on(&rt->tables) && sh_peek(&r->value))
		object_note(rt, EVENT_READ, r, ref.id, length);
	if (length <= RECORD_INLINE_VALUE) {
		memcpy(view.small, value, length);
		view.data = NULL; /* plm_get() points `data` into the caller's view */
		view.ref = PLM_NONE;
		plm_drop(rt, ref);
	}
	*ret = view;
	if (!ret->data)
		ret->data = ret->small;
	return 0;
}

static int object_get(plm *rt, plm_ref ref, plm_view *ret, int timeout_ms)
{
	uint64_t deadline_ns = timeout_ms == 0 ? 0 : deadline_after_ms(timeout_ms);
	int r = handle_check(rt);
	if (r == 0)
		r = ref_hold_until(rt, ref, handle_answer_deadline(rt, timeout_ms));
	if (r < 0)
		return r;
	uint64_t word;
	struct record *record = ref_resolve(rt, ref, &word, &r);
	if (!record)
		return r; /* impossible, except in a damaged segment */
	struct record *speaker = ref_speaker(rt, record, &word);
	uint64_t speaker_ref =
	    record_ref(record_index(&rt->tables, speaker), word_generation(word));
	if (!word_settled(word))
		r = wait_settled(rt, speaker, speaker_ref, deadline_ns);
	if (r == 0)
		return object_view_take(rt, record, speaker, ref, ret);
	plm_drop(rt, ref);
	return r == -ETIMEDOUT
	    ? why(r, "the future is still %s after %d ms",
		  record_state_name(word_state(sh_load(&speaker->state))), timeout_ms)
	    : r;
}

int plm_get(plm *rt, plm_ref ref, plm_view *ret, int timeout_ms)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_get: no place for the value");
	return handle_end(said, object_get(rt, ref, ret, timeout_ms));
}

void plm_release(plm *rt, plm_view *view)
{
	if (!view)
		return;
	if (view->ref.id)
		plm_drop(rt, view->ref);
	*view = (plm_view){ 0 };
}
