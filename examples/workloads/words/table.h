/* table.h - words with their counts and, for an index, their places: the ground of map, reduce and
 * the sequential reference.
 *
 * A table names words in place, in the text or value where they were found, which must stay. All
 * memory of a table is given back by table_free(). Calls return false if memory runs out. */
#ifndef WORDS_TABLE_H
#define WORDS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct posting { /* a document, and how often the word stands there */
	uint32_t document, count;
};

struct word {
	const char *text; /* NULL: a free place */
	uint32_t bytes, hash;
	uint64_t count;
	/* Of an index: runs of postings, in the order of the documents. */
	struct run *first, *last;
};

enum { RUN_POSTINGS = 6 };

struct run {
	struct run *next;
	const struct posting *postings; /* `own`, or an array in a value */
	uint32_t n;
	struct posting own[RUN_POSTINGS];
};

struct table {
	struct word *place;
	size_t places, used;
	struct block *blocks; /* memory of runs */
};

/* The next word of [*at, end): letters a to z. False: no more; else *at is behind the word. */
bool word_next(const char **at, const char *end, const char **ret, uint32_t *ret_bytes);
uint32_t word_hash(const char *text, uint32_t bytes);

/* Counts the words of a text. index: with a posting for each line, which is a document; returns the
 * number of the next document in *document. */
bool table_count(struct table *t, const char *text, size_t bytes, bool index, uint32_t *document);
/* Adds the count, and the postings (NULL: none), which stay where they are. */
bool table_add(struct table *t, const char *text, uint32_t bytes, uint64_t count,
    const struct posting *postings, uint32_t n);
/* The words in alphabetical order: an array of t->used words, for free(); NULL: no memory. */
struct word **table_sorted(const struct table *t);
/* The bytes of the words as lines, "WORD COUNT" or "WORD DOCUMENT:COUNT ...", and the lines. */
size_t words_print_bytes(struct word *const *words, size_t n, bool index);
void words_print(struct word *const *words, size_t n, bool index, char *ret);
void table_free(struct table *t);

#endif
