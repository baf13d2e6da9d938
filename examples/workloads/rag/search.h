/* search.h - vectors of texts, and the nearest of many: exact, or by lists of near vectors. */
#ifndef RAG_SEARCH_H
#define RAG_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "values.h"

/* The maker of the vectors of embed(). */
#define EMBED_MAKER UINT64_C(0x656d62656420763a)

/* A vector of length 1 from the words of a text: each word has a seeded direction, and a weight:
 * weights[hash % RAG_WEIGHTS], or 1 if weights is NULL. A text without words has the vector 0. */
void embed(const char *text, size_t bytes, const float *weights, float ret[RAG_DIM]);
/* Adds 1 for each different word of a text, at hash % RAG_WEIGHTS. */
void embed_count(const char *text, size_t bytes, float ret[RAG_WEIGHTS]);
/* Counts of texts become weights: a word in few of the texts weighs most. */
void embed_weigh(float ret[RAG_WEIGHTS], uint32_t texts);

/* Searches values that were checked by matrix_of() and lists_of(). */
struct matrix {
	uint32_t rows, dim;
	uint64_t maker;
	const float *row;
	const float *weights; /* RAG_WEIGHTS, or NULL: vectors of another maker */
};

struct lists {
	uint32_t lists, dim, vectors;
	const float *centre;
	const uint32_t *begin; /* lists + 1 */
	const uint32_t *vector;
};

bool matrix_of(const void *value, size_t bytes, struct matrix *ret);
bool lists_of(const void *value, size_t bytes, const struct matrix *matrix, struct lists *ret);
size_t matrix_bytes(uint32_t rows, uint32_t dim, uint32_t weights);
size_t lists_bytes(uint32_t lists, uint32_t dim, uint32_t vectors);

/* The nearest vectors, the best first; equal scores by number. Returns how many were found. lists:
 * NULL, or the `probes` lists nearest to the query alone are looked at. */
uint32_t search(const struct matrix *matrix, const struct lists *lists, uint32_t probes,
    const float *query, uint32_t hits, struct rag_hit *ret);
/* k-means over the rows; writes a whole value of lists_bytes(). False: no memory. */
bool lists_make(const struct matrix *matrix, const struct rag_lists_order *order, void *ret);

#endif
