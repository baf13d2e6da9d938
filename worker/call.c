#include "worker/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "events/eventlog.h"

static void call_note_read(struct plm *rt, const struct record *r, uint64_t ref, uint64_t bytes)
{
	struct logged_event e =
	    eventlog_of_record(EVENT_READ, clock_ns(), r, ref, sh_load(&r->state));
	e.worker = rt->me->worker;
	e.argument = bytes;
	eventlog_put(&rt->tables, e);
}

static int call_find_future(struct plm_call *call, size_t i, uint64_t ref)
{
	struct plm *rt = call->rt;
	uint64_t word;
	struct record *r = record_lookup(&rt->tables, ref, &word);
	struct record *speaker = r ? ref_speaker(rt, r, &word) : NULL;
	if (!speaker || word_state(sh_load(&speaker->state)) != RECORD_DONE)
		return why(-ESTALE, "argument %zu is no finished future", i + 1);
	call->args[i].future = r;
	call->args[i].data = record_value(&rt->tables, r, &call->args[i].length);
	call->future_bytes += call->args[i].length;
	if (eventlog_on(&rt->tables) && sh_peek(&r->value))
		call_note_read(rt, r, ref, call->args[i].length);
	return call->args[i].data ? 0 : why(-EIO, "the value of argument %zu is damaged", i + 1);
}

static int call_find_arg(struct plm_call *call, size_t i, const struct arg *arg)
{
	call->args[i] = arg->future ? (struct call_arg){ 0 }
				    : (struct call_arg){ arg->data, arg->length, NULL };
	if (!arg->future || arg->condition != ARG_VALUE)
		return 0;
	int r = call_find_future(call, i, arg->future->ref);
	return r < 0 && call_takes_first(call) ? 0 : r;
}

/* On an error the call has the arguments in front of the bad one. */
static int call_find_args(struct plm_call *call, size_t nargs)
{
	struct args_reader reader;
	struct arg arg;
	if (!args_open(&call->rt->tables, call->record, &reader))
		return why(-EIO, "the task's arguments are damaged");
	for (; call->nargs < nargs && args_next(&reader, &arg); call->nargs++) {
		int r = call_find_arg(call, call->nargs, &arg);
		if (r < 0)
			return r;
	}
	return call->nargs == nargs ? 0 : why(-EIO, "argument %zu is damaged", call->nargs + 1);
}

void call_name(struct plm_call *call, const char *name, size_t length)
{
	enum { MOST = 24 };
	struct tables *t = &call->rt->tables;
	if (!eventlog_on(t))
		return;
	struct logged_event e = eventlog_of_task(EVENT_NAME, clock_ns(), call->record,
	    record_ref(record_index(t, call->record), word_generation(call->word)));
	e.attempt = word_attempt(call->word);
	e.worker = call->rt->me->worker;
	for (size_t at = 0; at < length && at < MOST; at += sizeof e.argument) {
		size_t n = length - at < sizeof e.argument ? length - at : sizeof e.argument;
		e.argument = 0;
		memcpy(&e.argument, name + at, n);
		eventlog_put(t, e);
	}
}

bool call_takes_first(const struct plm_call *call)
{
	return record_wants_any(&call->rt->tables, call->record);
}

void call_take_first(struct plm_call *call)
{
	size_t i = 0;
	while (i < call->nargs && !call->args[i].data)
		i++;
	void *result = i < call->nargs ? plm_result(call, call->args[i].length) : NULL;
	if (result)
		memcpy(result, call->args[i].data, call->args[i].length);
	else
		plm_fail(call, ENOSPC, "the result of a replica finds no room: %s", why_text());
}

void call_begin(struct plm_call *call, struct plm *rt, struct record *record, uint64_t word)
{
	call->rt = rt;
	call->record = record;
	call->word = word;
	call->nargs = 0;
	call->args = call->here;
	call->outer = NULL;
	call->future_bytes = 0;
	call->held_bytes = 0;
	call->memory_peak = 0;
	call->keeps_part = 0;
	call->code = 0;
	call->detail = NULL;
	call->detail_bytes = 0;
	call->message[0] = 0;
}

int call_open(struct plm_call *call)
{
	size_t nargs = call->record->nargs;
	if (nargs == 0)
		return 0;
	if (nargs > CALL_ARGS_HERE)
		call->args = calloc(nargs, sizeof call->args[0]);
	if (!call->args) {
		call->args = call->here;
		return why(-ENOMEM, "no memory for %zu arguments", nargs);
	}
	return call_find_args(call, nargs);
}

/* A look at each value pays where the values have a page of the store or more, on average. */
static uint64_t call_held_bytes(const struct plm_call *call)
{
	enum { SMALL = 4096 };
	uint64_t bytes = 0;
	if (call->future_bytes < SMALL * call->nargs)
		return 0;
	for (size_t i = 0; i < call->nargs; i++) {
		const struct record *future = call->args[i].future;
		if (future && (sh_peek(&future->holds) || sh_peek(&future->more_held)))
			bytes += call->args[i].length;
	}
	return bytes;
}

void call_close(struct plm_call *call)
{
	call->held_bytes = call_held_bytes(call);
	if (call->args != call->here)
		free(call->args);
}

void call_drop_detail(struct plm_call *call)
{
	free(call->detail);
	call->detail = NULL;
	call->detail_bytes = 0;
}

static struct record *call_part_of(const struct plm_call *call, unsigned which)
{
	const struct tables *t = &call->rt->tables;
	uint32_t next = call->record->first_part;
	for (int steps = 0; next && next <= t->limits.records && steps < RESULTS_MAX; steps++) {
		struct record *part = record_at(t, next - 1);
		if (part->part.which == which)
			return part;
		next = part->part.next;
	}
	return NULL;
}

/* While another process is stopped inside the arena's lock, our worker waits with it. Going on
 * instead would lose the extent: the next value would overwrite the only name of the extent. */
static void call_discard(struct plm_call *call, struct record *r)
{
	while (sh_peek(&r->value) &&
	    store_free(&call->rt->tables, r->value_bytes, ARENA_RESULT, &r->value) == -ETIMEDOUT)
		continue;
	r->value_bytes = 0;
}

void call_discard_results(struct plm_call *call)
{
	call_discard(call, call->record);
	for (unsigned which = 1; which < call->record->results; which++) {
		struct record *part = which != call->keeps_part ? call_part_of(call, which) : NULL;
		if (part)
			call_discard(call, part);
	}
}

/* ---- what a function may call ---- */

size_t plm_nargs(const plm_call *call)
{
	return call->nargs;
}

const void *plm_arg_data(const plm_call *call, size_t i, size_t *ret_len)
{
	if (i >= call->nargs) {
		*ret_len = 0;
		return NULL;
	}
	*ret_len = call->args[i].length;
	return call->args[i].data;
}

void *plm_result(plm_call *call, size_t len)
{
	return plm_result_at(call, 0, len);
}

static int call_find_room(
    struct plm_call *call, size_t len, shared32 *granule, uint64_t deadline_ns)
{
	struct plm *rt = call->rt;
	int r = store_alloc(&rt->tables, sh_peek(&rt->me->node), len, ARENA_RESULT, granule);
	if (r != -ENOSPC)
		return r;
	sh_poke(&rt->me->room_wanted, len);
	r = handle_alloc(rt, len, ARENA_RESULT, granule, deadline_ns);
	sh_poke(&rt->me->room_wanted, 0);
	return r;
}

int call_result(struct plm_call *call, unsigned which, size_t len, uint64_t deadline_ns, void **ret)
{
	struct record *r = which == 0 ? call->record : call_part_of(call, which);
	if (!r || which >= call->record->results)
		return why(-EINVAL, "result %u was asked for, the task has %u", which,
		    call->record->results);
	call_discard(call, r);
	r->value_bytes = len;
	*ret = r->value_inline;
	if (len <= RECORD_INLINE_VALUE)
		return 0;
	int error = call_find_room(call, len, &r->value, deadline_ns);
	if (error < 0)
		r->value_bytes = 0;
	else
		*ret = store_writable(&call->rt->tables, sh_peek(&r->value));
	return error < 0 ? error : 0;
}

void *plm_result_at(plm_call *call, unsigned which, size_t len)
{
	void *to;
	int r = call_result(call, which, len, handle_deadline(call->rt), &to);
	if (r == -ENOSPC)
		why(r, "result %u found no room within %d ms: %s", which,
		    atomic_load_explicit(&call->rt->patience_ms, memory_order_relaxed), why_text());
	return r < 0 ? NULL : to;
}

int plm_fail(plm_call *call, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(call->message, sizeof call->message, format, args);
	va_end(args);
	call->code = code ? code : EIO;
	if (!call->message[0]) /* a plm_why() without a sentence */
		snprintf(call->message, sizeof call->message, "the function gave no message: %s",
		    plm_strerror(code > 0 ? -code : code));
	return call->code;
}

int plm_fail_detail(plm_call *call, const void *data, size_t len)
{
	if (len > PLM_DETAIL_BYTES)
		return why(-E2BIG, "the detail of a failure has %zu bytes: %d at most", len,
		    PLM_DETAIL_BYTES);
	void *copy = len ? malloc(len) : NULL;
	if (len && !copy)
		return why(-ENOMEM, "no memory for %zu bytes of a failure's detail", len);
	if (len)
		memcpy(copy, data, len);
	call_drop_detail(call);
	call->detail = copy;
	call->detail_bytes = (uint32_t)len;
	return 0;
}

int plm_cancelled(const plm_call *call)
{
	sh_poke(&call->rt->me->beat_ns, clock_coarse_ns()); /* asking is a sign of life */
	for (; call; call = call->outer) {
		uint64_t word = sh_peek(&call->record->state);
		if (word_flags(word) & FLAGS_STOPPING ||
		    sh_peek(&call->rt->tables.control->mode) == MODE_STOPPED)
			return 1;
	}
	return 0;
}

plm *plm_runtime(plm_call *call)
{
	return call->rt;
}
