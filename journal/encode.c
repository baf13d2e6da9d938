#include "journal/encode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"
#include "journal/journal.h"
#include "tables/args.h"
#include "tables/command_block.h"
#include "tables/edges.h"

/* FNV-1a over words, which is fast for long data. Equal sums are confirmed by the bytes. */
int64_t encode_sum(const void *data, size_t length)
{
	uint64_t sum = UINT64_C(14695981039346656037) ^ length;
	const unsigned char *at = data;
	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;
		memcpy(&word, at, sizeof word);
		sum = (sum ^ word) * UINT64_C(1099511628211);
		sum ^= sum >> 29;
	}
	for (; length > 0; at++, length--)
		sum = (sum ^ *at) * UINT64_C(1099511628211);
	return (int64_t)sum;
}

static int encode_reserve(struct encoding *e, size_t more)
{
	if (e->length + more <= e->room)
		return 0;
	size_t room = (e->length + more) * 2;
	unsigned char *bytes = realloc(e->bytes, room);
	if (!bytes)
		return why(-ENOMEM, "no memory for %zu bytes of arguments", room);
	e->bytes = bytes;
	e->room = room;
	return 0;
}

static void encode_put(struct encoding *e, const void *data, size_t length)
{
	memcpy(e->bytes + e->length, data, length);
	e->length += length;
}

static int encode_put_bytes(struct encoding *e, const void *data, size_t length)
{
	unsigned char kind = ARGUMENT_BYTES;
	uint32_t n = (uint32_t)length;
	int r = encode_reserve(e, 5 + length);
	if (r < 0)
		return r;
	encode_put(e, &kind, 1);
	encode_put(e, &n, sizeof n);
	if (length)
		encode_put(e, data, length);
	return 0;
}

static int encode_put_number(
    struct encoding *e, enum argument_kind what, uint64_t id, uint32_t which)
{
	unsigned char kind = (unsigned char)what;
	int r = encode_reserve(e, 13);
	if (r < 0)
		return r;
	encode_put(e, &kind, 1);
	encode_put(e, &id, sizeof id);
	encode_put(e, &which, sizeof which);
	return 0;
}

static bool encode_has_number(enum argument_kind kind)
{
	return kind == ARGUMENT_SHARED || kind == ARGUMENT_TASK || kind == ARGUMENT_AFTER_ANY ||
	    kind == ARGUMENT_AFTER_FAILED || kind == ARGUMENT_LOST;
}

bool encoding_next(const unsigned char *bytes, size_t length, size_t *at, struct argument *ret)
{
	if (*at >= length)
		return false;
	const unsigned char *from = bytes + *at + 1;
	size_t left = length - *at - 1;
	*ret = (struct argument){ .kind = (enum argument_kind)bytes[*at] };
	if (ret->kind == ARGUMENT_BYTES) {
		uint32_t n;
		if (left < sizeof n)
			return false;
		memcpy(&n, from, sizeof n);
		if (n > left - sizeof n)
			return false;
		ret->data = from + sizeof n;
		ret->length = n;
		*at += 1 + sizeof n + n;
		return true;
	}
	if (!encode_has_number(ret->kind) || left < sizeof ret->id + sizeof ret->which)
		return false;
	memcpy(&ret->id, from, sizeof ret->id);
	memcpy(&ret->which, from + sizeof ret->id, sizeof ret->which);
	*at += 1 + sizeof ret->id + sizeof ret->which;
	return true;
}

/* ---- blobs ---- */

static uint64_t encode_oldest_shared(const struct journal *j)
{
	return j->next_task > SHARED_TASKS ? j->next_task - SHARED_TASKS : 0;
}

static int encode_add_blob(
    struct journal *j, int64_t sum, const void *data, size_t length, uint64_t id, uint64_t *ret)
{
	int64_t found;
	int r = db_number(&j->db, DB_FIND_BLOB, &found,
	    BIND(bind_int(sum), bind_uint(encode_oldest_shared(j)), bind_blob(data, length)));
	*ret = r == 1 ? (uint64_t)found : j->next_blob;
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(&j->db, DB_ADD_BLOB,
	    BIND(bind_uint(j->next_blob), bind_uint(id), bind_int(sum), bind_blob(data, length)));
	j->next_blob += r == 0;
	return r;
}

int encode_value(struct journal *j, uint64_t ref, const void *data, size_t length, uint64_t id,
    uint64_t *ret_blob)
{
	struct object *known = &j->object[ref_index(ref) % OBJECTS_KNOWN];
	if (ref && known->ref == ref && known->task > encode_oldest_shared(j)) {
		*ret_blob = known->blob;
		return 0;
	}
	uint64_t before = j->next_blob;
	int r = encode_add_blob(j, encode_sum(data, length), data, length, id, ret_blob);
	if (r == 0 && ref && *ret_blob == before)
		*known = (struct object){ ref, *ret_blob, id };
	return r;
}

/* ---- arguments ---- */

static int encode_lose(struct encoding *e, uint32_t number, const char *what)
{
	if (!e->undurable) {
		snprintf(
		    e->undurable_text, sizeof e->undurable_text, "argument %u is %s", number, what);
		e->undurable = e->undurable_text;
	}
	return encode_put_number(e, ARGUMENT_LOST, 0, 0);
}

/* The number of the record's task in this journal; 0: none. */
static uint64_t encode_task_of(const struct journal *j, const struct record *r, uint64_t word)
{
	const struct entry *entry = &j->entry[record_index(&j->rt.tables, r)];
	return entry->flags & ENTRY_ACCEPTED && entry->generation == word_generation(word)
	    ? entry->id
	    : 0;
}

static bool encode_is_command(const struct journal *j, const struct record *r)
{
	struct function_entry function;
	return registry_function(&j->rt.tables.registry, r->function, &function) &&
	    strcmp(function.name, COMMAND_FUNCTION) == 0;
}

/* The number of a task whose end another task needs. */
static int encode_put_needed(
    struct journal *j, uint64_t task, enum argument_kind kind, uint32_t which, struct encoding *e)
{
	j->any_needed = true;
	int r = db_run(&j->db, DB_ADD_NEEDED, BIND(bind_uint(task)));
	return r < 0 ? r : encode_put_number(e, kind, task, which);
}

size_t encode_end(const struct command_after *end, char ret[END_TEXT_BYTES])
{
	char ref[PLM_REF_TEXT_BYTES];
	plm_ref_print((plm_ref){ .id = end->ref, .runtime = end->runtime }, ref);
	return (size_t)snprintf(ret, END_TEXT_BYTES, "%s %s %d", ref, end->state, end->code);
}

/* An order after a task. A met order is an argument of bytes. A task that is not durable ends with
 * the runtime, nobody knows how: after a boot everything that waits for any end of it may start. */
static int encode_put_order(struct journal *j, const struct record *waiting, const struct arg *arg,
    uint32_t number, struct encoding *e)
{
	const struct tables *t = &j->rt.tables;
	const struct record *r = edges_speaker(t, arg->future->ref);
	struct command_after end =
	    command_after_make(arg->future->ref, t->control->runtime, RECORD_FREE, 0);
	uint64_t word = r ? sh_load(&r->state) : 0;
	bool any = arg->condition == ARG_AFTER_ANY;
	if (r && arg_met(arg->condition, word_state(word)))
		end = command_after_of(t, r);
	else if (r && encode_task_of(j, r, word))
		return encode_put_needed(j, encode_task_of(j, r, word),
		    any ? ARGUMENT_AFTER_ANY : ARGUMENT_AFTER_FAILED, 0, e);
	else if (!any)
		return encode_lose(e, number, "a future of a task that is not durable");
	/* plm.h promises an empty argument to functions. */
	char text[END_TEXT_BYTES];
	size_t length = encode_is_command(j, waiting) ? encode_end(&end, text) : 0;
	return encode_put_bytes(e, text, length);
}

static int encode_put_future(
    struct journal *j, uint64_t ref, uint64_t id, uint32_t number, struct encoding *e)
{
	const struct tables *t = &j->rt.tables;
	uint64_t word, spoken;
	struct record *r = record_lookup(t, ref, &word);
	if (!r)
		return encode_lose(e, number, "a future that no longer exists");
	bool part = word_state(word) == RECORD_PART;
	uint64_t length;
	struct record *speaker = part ? record_lookup(t, r->part.task, &spoken) : r;
	if (!speaker)
		return encode_lose(e, number, "a future that no longer exists");
	spoken = sh_load(&speaker->state);
	if (word_state(spoken) == RECORD_DONE) {
		const void *data = record_value(t, r, &length);
		uint64_t blob;
		if (!data || length > VALUE_BYTES_MAX)
			return encode_lose(
			    e, number, "a value of more than 1 MiB, too large to be kept");
		if (length < SHARED_BYTES_MIN)
			return encode_put_bytes(e, data, length);
		int done = encode_value(j, ref, data, length, id, &blob);
		return done < 0 ? done : encode_put_number(e, ARGUMENT_SHARED, blob, 0);
	}
	uint64_t task = encode_task_of(j, speaker, spoken);
	if (!task)
		return encode_lose(e, number, "a future of a task that is not durable");
	return encode_put_needed(j, task, ARGUMENT_TASK, part ? r->part.which : 0, e);
}

int encode_args(struct journal *j, struct record *r, uint64_t id, struct encoding *ret)
{
	struct args_reader reader;
	struct arg arg;
	int done = 0;
	ret->length = 0;
	ret->undurable = NULL;
	if (!args_open(&j->rt.tables, r, &reader)) {
		ret->undurable = "its arguments were gone before they could be written";
		return 0;
	}
	while (done == 0 && args_next(&reader, &arg)) {
		uint64_t blob;
		if (arg.future && arg.condition != ARG_VALUE) {
			done = encode_put_order(j, r, &arg, reader.next, ret);
		} else if (arg.future) {
			done = encode_put_future(j, arg.future->ref, id, reader.next, ret);
		} else if (arg.length < SHARED_BYTES_MIN) {
			done = encode_put_bytes(ret, arg.data, arg.length);
		} else {
			done = encode_value(j, 0, arg.data, arg.length, id, &blob);
			if (done == 0)
				done = encode_put_number(ret, ARGUMENT_SHARED, blob, 0);
		}
	}
	return done;
}
