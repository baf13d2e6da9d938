/* corpus.h - documents as values of the store: pieces, vectors, lists, and the model beside them.
 *
 * All is made by tasks, once, and used in place by every worker. */
#ifndef RAG_CORPUS_H
#define RAG_CORPUS_H

#include "values.h"
#include "workload.h"

enum { CORPUS_NEAR = 6, CORPUS_HITS_MAX = 8, CORPUS_PIECES_MAX = 16384 };

struct corpus {
	const struct workload *w;
	plm_ref pieces, matrix, lists, model;
	uint32_t n; /* pieces */
	const struct rag_piece *piece;
	const char *texts;
	uint32_t (*near)[CORPUS_NEAR]; /* the pieces nearest to each piece, without itself */
	plm_view view;
};

/* A document in the store: a seeded text of so many bytes. */
plm_ref corpus_seeded(const struct workload *w, uint64_t seed, uint32_t bytes);
/* Takes over the references of the documents, and drops them when the pieces are made. */
void corpus_open(struct corpus *ret, const struct workload *w, const plm_ref *documents, size_t n,
    uint32_t piece_bytes, uint64_t model_seed);
void corpus_close(struct corpus *c);

/* The pieces nearest to a text, by tasks: its vector, then the search; probes 0: exact. Returns how
 * many were found. */
uint32_t corpus_search(const struct corpus *c, const char *text, size_t bytes, uint32_t hits,
    uint32_t probes, uint32_t *ret);

#endif
