/* table.c - words with their counts and places: an open hash table. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES_FIRST = 1 << 12, BLOCK_RUNS = 1024 };

struct block {
	struct block *next;
	size_t used;
	struct run run[BLOCK_RUNS];
};

/* ---- words ---- */

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

bool word_next(const char **at, const char *end, const char **ret, uint32_t *ret_bytes)
{
	const char *p = *at;
	while (p < end && !is_letter(*p))
		p++;
	*ret = p;
	while (p < end && is_letter(*p))
		p++;
	*ret_bytes = (uint32_t)(p - *ret);
	*at = p;
	return *ret_bytes > 0;
}

/* FNV-1a, and a last mix: tables use the low bits, partitions the high bits. */
uint32_t word_hash(const char *text, uint32_t bytes)
{
	uint32_t hash = UINT32_C(2166136261);
	for (uint32_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT32_C(16777619);
	hash ^= hash >> 15;
	return hash * UINT32_C(0x2c1b3c6d);
}

/* ---- the table ---- */

static bool grow(struct table *t)
{
	size_t places = t->places ? 2 * t->places : PLACES_FIRST;
	struct word *place = calloc(places, sizeof *place);
	if (!place)
		return false;
	for (size_t i = 0; i < t->places; i++) {
		size_t at = t->place[i].hash & (places - 1);
		if (!t->place[i].text)
			continue;
		while (place[at].text)
			at = (at + 1) & (places - 1);
		place[at] = t->place[i];
	}
	free(t->place);
	t->place = place;
	t->places = places;
	return true;
}

/* The place of the word, new or old; NULL: no memory. */
static struct word *find(struct table *t, const char *text, uint32_t bytes)
{
	if (2 * t->used >= t->places && !grow(t))
		return NULL;
	uint32_t hash = word_hash(text, bytes);
	size_t at = hash & (t->places - 1);
	for (;; at = (at + 1) & (t->places - 1)) {
		struct word *w = &t->place[at];
		if (!w->text) {
			*w = (struct word){ .text = text, .bytes = bytes, .hash = hash };
			t->used++;
			return w;
		}
		if (w->hash == hash && w->bytes == bytes && memcmp(w->text, text, bytes) == 0)
			return w;
	}
}

static struct run *new_run(struct table *t, struct word *w)
{
	if (!t->blocks || t->blocks->used == BLOCK_RUNS) {
		struct block *block = malloc(sizeof *block);
		if (!block)
			return NULL;
		block->next = t->blocks;
		block->used = 0;
		t->blocks = block;
	}
	struct run *run = &t->blocks->run[t->blocks->used++];
	run->next = NULL;
	run->n = 0;
	run->postings = run->own;
	if (w->last)
		w->last->next = run;
	else
		w->first = run;
	w->last = run;
	return run;
}

static bool count_in(struct table *t, struct word *w, uint32_t document)
{
	struct run *run = w->last;
	if (run && run->own[run->n - 1].document == document) {
		run->own[run->n - 1].count++;
		return true;
	}
	if (!run || run->n == RUN_POSTINGS)
		run = new_run(t, w);
	if (!run)
		return false;
	run->own[run->n++] = (struct posting){ document, 1 };
	return true;
}

bool table_count(struct table *t, const char *text, size_t bytes, bool index, uint32_t *document)
{
	const char *end = text + bytes;
	while (text < end) {
		const char *line = index ? memchr(text, '\n', (size_t)(end - text)) : NULL;
		const char *stop = line ? line : end, *found;
		uint32_t n;
		while (word_next(&text, stop, &found, &n)) {
			struct word *w = find(t, found, n);
			if (!w || (index && !count_in(t, w, *document)))
				return false;
			w->count++;
		}
		text = stop == end ? end : stop + 1;
		if (index)
			++*document;
	}
	return true;
}

bool table_add(struct table *t, const char *text, uint32_t bytes, uint64_t count,
    const struct posting *postings, uint32_t n)
{
	struct word *w = find(t, text, bytes);
	struct run *run = w && postings ? new_run(t, w) : NULL;
	if (!w || (postings && !run))
		return false;
	w->count += count;
	if (run) {
		run->postings = postings;
		run->n = n;
	}
	return true;
}

static int compare_words(const void *a, const void *b)
{
	const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;
	uint32_t both = x->bytes < y->bytes ? x->bytes : y->bytes;
	int differ = memcmp(x->text, y->text, both);
	return differ ? differ : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

struct word **table_sorted(const struct table *t)
{
	struct word **words = malloc((t->used + 1) * sizeof(struct word *));
	size_t n = 0;
	for (size_t i = 0; words && i < t->places; i++)
		if (t->place[i].text)
			words[n++] = &t->place[i];
	if (words)
		qsort(words, n, sizeof(struct word *), compare_words);
	return words;
}

void table_free(struct table *t)
{
	while (t->blocks) {
		struct block *next = t->blocks->next;
		free(t->blocks);
		t->blocks = next;
	}
	free(t->place);
	*t = (struct table){ 0 };
}

/* ---- lines ---- */

static size_t digits(uint64_t number)
{
	size_t n = 1;
	for (; number >= 10; number /= 10)
		n++;
	return n;
}

static char *print_number(char *at, uint64_t number)
{
	char *end = at + digits(number), *p = end;
	do
		*--p = (char)('0' + number % 10);
	while (number /= 10);
	return end;
}

size_t words_print_bytes(struct word *const *words, size_t n, bool index)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		bytes += words[i]->bytes + 1; /* the word, the end of the line */
		if (!index)
			bytes += 1 + digits(words[i]->count);
		for (const struct run *r = index ? words[i]->first : NULL; r; r = r->next)
			for (uint32_t k = 0; k < r->n; k++)
				bytes += 2 + digits(r->postings[k].document) +
				    digits(r->postings[k].count);
	}
	return bytes;
}

void words_print(struct word *const *words, size_t n, bool index, char *ret)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(ret, words[i]->text, words[i]->bytes);
		ret += words[i]->bytes;
		if (!index) {
			*ret++ = ' ';
			ret = print_number(ret, words[i]->count);
		}
		for (const struct run *r = index ? words[i]->first : NULL; r; r = r->next)
			for (uint32_t k = 0; k < r->n; k++) {
				*ret++ = ' ';
				ret = print_number(ret, r->postings[k].document);
				*ret++ = ':';
				ret = print_number(ret, r->postings[k].count);
			}
		*ret++ = '\n';
	}
}
