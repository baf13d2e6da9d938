/* text.h - a text without an end, the same for the same seed: lines of words by Zipf's law.
 *
 * Chunk number n of a text depends on the seed and n alone, so any task can make any chunk. A line
 * is a document. Each word is drawn from a vocabulary; the k-th word is k times as rare as the
 * first. With a skew, so many of a thousand words are one word, "hot". */
#ifndef WORKLOAD_TEXT_H
#define WORKLOAD_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_VOCABULARY = 20000, TEXT_LINE_WORDS = 100 };

struct text_order {
	uint64_t seed, chunk;
	uint32_t bytes; /* of the chunk, which ends with a line's end */
	uint32_t skew;  /* of a thousand words */
};

void text_make(const struct text_order *order, char *ret);
/* The number of letters a to z. Task and sequential loop run this code, so their times compare the
 * ways and not two loops. */
uint64_t text_letters(const char *text, size_t bytes);

#endif
