/* mod_words.c - a module: map and reduce over text.
 *
 * `letters` and `sum` are the map and the reduce of the origin of plm: a count for each chunk, and
 * one sum of all counts. `map` and `reduce` count words, or make an inverted index. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mapped.h"
#include "plm.h"
#include "table.h"
#include "text.h"

static int no_memory(plm_call *call)
{
	return plm_fail(call, ENOMEM, "no memory for the words of a task");
}

static void *room(plm_call *call, size_t bytes)
{
	void *out = plm_result(call, bytes);
	if (!out)
		plm_fail(call, ENOSPC, "no room for a result: %s", plm_why());
	return out;
}

static size_t whole(size_t bytes) /* up to a multiple of 8 */
{
	return (bytes + 7) & ~(size_t)7;
}

/* ---- the origin ---- */

static int letters(plm_call *call)
{
	uint64_t all = 0, *out = room(call, sizeof *out);
	for (size_t i = 0; i < plm_nargs(call); i++) {
		size_t bytes;
		const char *text = plm_arg_data(call, i, &bytes);
		all += text_letters(text, bytes);
	}
	if (!out)
		return ENOSPC;
	*out = all;
	return 0;
}

static int sum(plm_call *call)
{
	uint64_t all = 0, *out = room(call, sizeof *out);
	for (size_t i = 0; i < plm_nargs(call); i++) {
		uint64_t number;
		size_t bytes;
		const void *data = plm_arg_data(call, i, &bytes);
		if (bytes != sizeof number)
			return plm_fail(call, EINVAL, "argument %zu is no count", i);
		memcpy(&number, data, sizeof number);
		all += number;
	}
	if (!out)
		return ENOSPC;
	*out = all;
	return 0;
}

/* ---- text ---- */

static int text(plm_call *call)
{
	struct text_order order;
	size_t bytes;
	const void *data = plm_arg_data(call, 0, &bytes);
	if (bytes != sizeof order)
		return plm_fail(call, EINVAL, "argument 0 is no order of text");
	memcpy(&order, data, sizeof order);
	if (order.bytes == 0)
		return plm_fail(call, EINVAL, "a chunk of text has at least a byte");
	char *out = room(call, order.bytes);
	if (!out)
		return ENOSPC;
	text_make(&order, out);
	return 0;
}

/* ---- map ---- */

static int take_order(plm_call *call, struct map_order *ret)
{
	size_t bytes = 0;
	const void *data = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes != sizeof *ret)
		return plm_fail(call, EINVAL, "argument 0 is no order of map or reduce");
	memcpy(ret, data, sizeof *ret);
	if (ret->partitions == 0 || ret->partition >= ret->partitions)
		return plm_fail(
		    call, EINVAL, "partition %u of %u", ret->partition, ret->partitions);
	return 0;
}

/* By the high bits of the hash: tables use the low bits. */
static uint32_t partition_of(const struct word *w, uint32_t partitions)
{
	return (uint32_t)(((uint64_t)w->hash * partitions) >> 32);
}

static uint32_t postings_of(const struct word *w)
{
	uint32_t n = 0;
	for (const struct run *r = w->first; r; r = r->next)
		n += r->n;
	return n;
}

static size_t entry_bytes(const struct word *w)
{
	return sizeof(struct mapped_word) + whole(w->bytes) +
	    postings_of(w) * sizeof(struct posting);
}

static char *write_entry(char *at, const struct word *w)
{
	struct mapped_word head = { w->count, w->bytes, postings_of(w) };
	memcpy(at, &head, sizeof head);
	at += sizeof head;
	memset(at, 0, whole(w->bytes));
	memcpy(at, w->text, w->bytes);
	at += whole(w->bytes);
	for (const struct run *r = w->first; r; r = r->next) {
		memcpy(at, r->postings, r->n * sizeof *r->postings);
		at += r->n * sizeof *r->postings;
	}
	return at;
}

/* Two passes over the table: the size of each partition, then the entries. */
static int write_map(plm_call *call, const struct table *t, uint32_t partitions)
{
	uint64_t *size = calloc(partitions + 1, sizeof *size);
	if (!size)
		return no_memory(call);
	for (size_t i = 0; i < t->places; i++)
		if (t->place[i].text)
			size[1 + partition_of(&t->place[i], partitions)] +=
			    entry_bytes(&t->place[i]);
	size[0] = (partitions + 1) * sizeof *size;
	for (uint32_t p = 0; p < partitions; p++)
		size[p + 1] += size[p];
	char *out = room(call, size[partitions]);
	if (out) {
		memcpy(out, size, (partitions + 1) * sizeof *size);
		for (size_t i = 0; i < t->places; i++)
			if (t->place[i].text) {
				uint64_t *at = &size[partition_of(&t->place[i], partitions)];
				*at = (uint64_t)(write_entry(out + *at, &t->place[i]) - out);
			}
	}
	free(size);
	return out ? 0 : ENOSPC;
}

static int map(plm_call *call)
{
	struct map_order order;
	struct table t = { 0 };
	size_t bytes;
	int r = take_order(call, &order);
	if (r != 0)
		return r;
	if (plm_nargs(call) != 2)
		return plm_fail(call, EINVAL, "map takes an order and a text");
	const char *data = plm_arg_data(call, 1, &bytes);
	uint32_t document = order.first_document;
	r = table_count(&t, data, bytes, order.index != 0, &document)
	    ? write_map(call, &t, order.partitions)
	    : no_memory(call);
	table_free(&t);
	return r;
}

/* ---- reduce ---- */

/* The words of one partition of one map result. */
static int take_mapped(
    plm_call *call, struct table *t, const struct map_order *order, const char *data, size_t bytes)
{
	uint64_t range[2] = { 1, 0 };
	if (bytes >= (order->partitions + 1) * sizeof range[0])
		memcpy(range, data + order->partition * sizeof range[0], sizeof range);
	bool sound = range[0] <= range[1] && range[1] <= bytes;
	const char *at = data + range[0], *end = data + range[1];
	while (sound && at < end) {
		struct mapped_word head = { 0 };
		size_t left = (size_t)(end - at), entry;
		if (left >= sizeof head)
			memcpy(&head, at, sizeof head);
		entry = sizeof head + whole(head.bytes) + head.postings * sizeof(struct posting);
		const char *word = at + sizeof head;
		const void *postings = word + whole(head.bytes);
		sound = entry <= left;
		if (sound &&
		    !table_add(t, word, head.bytes, head.count, order->index ? postings : NULL,
			head.postings))
			return no_memory(call);
		at += entry;
	}
	return sound ? 0 : plm_fail(call, EINVAL, "an argument is no result of words.map");
}

static int write_lines(plm_call *call, const struct table *t, bool index)
{
	struct word **words = table_sorted(t);
	if (!words)
		return no_memory(call);
	size_t bytes = words_print_bytes(words, t->used, index);
	char *out = bytes ? room(call, bytes) : NULL;
	if (out)
		words_print(words, t->used, index, out);
	free(words);
	return out || !bytes ? 0 : ENOSPC;
}

static int reduce(plm_call *call)
{
	struct map_order order;
	struct table t = { 0 };
	int r = take_order(call, &order);
	for (size_t i = 1; r == 0 && i < plm_nargs(call); i++) {
		size_t bytes;
		const char *data = plm_arg_data(call, i, &bytes);
		r = plm_cancelled(call) ? plm_fail(call, ECANCELED, "cancelled at value %zu", i)
					: take_mapped(call, &t, &order, data, bytes);
	}
	if (r == 0)
		r = write_lines(call, &t, order.index != 0);
	table_free(&t);
	return r;
}

PLM_MODULE(words, { "letters", letters, "TEXT...: the number of letters a to z" },
    { "sum", sum, "COUNT...: the sum" }, { "text", text, "ORDER: a chunk of seeded text" },
    { "map", map, "ORDER TEXT: the words of a text, parted" },
    { "reduce", reduce, "ORDER MAPPED...: the words of one partition, as sorted lines" });
