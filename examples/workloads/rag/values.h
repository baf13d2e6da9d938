/* values.h - the values of this workload as bytes in the store: pieces of documents, the matrix of
 * their vectors, lists of near vectors, hits, and states of the model.
 *
 * Each value begins with a kind and sizes. A function checks both before reading further, so a
 * value of another kind, or one that was cut, is refused with a reason. */
#ifndef RAG_VALUES_H
#define RAG_VALUES_H

#include <stddef.h>
#include <stdint.h>

enum rag_kind {
	RAG_PIECES = 0x50474152, /* "RAGP", and so on */
	RAG_MATRIX = 0x4d474152,
	RAG_LISTS = 0x4c474152,
	RAG_HITS = 0x48474152,
	RAG_MODEL = 0x57474152,
	RAG_STATE = 0x53474152
};

enum {
	RAG_DIM = 256,
	RAG_WEIGHTS = 8192
}; /* of a vector made by rag.embed; a matrix may have another */

struct rag_head {
	uint32_t kind;  /* enum rag_kind */
	uint32_t rows;  /* pieces, vectors, lists, hits; of a state: tokens */
	uint32_t dim;   /* of a vector */
	uint32_t more;  /* matrix: weights of words; lists: vectors; state: the next token */
	uint64_t maker; /* who made the vectors, or the model: values of two makers do not mix */
};

/* Pieces: head, rows x struct rag_piece, the bytes of the texts. */
struct rag_piece {
	uint32_t document, offset; /* where the piece begins in its document */
	uint32_t at, bytes;        /* in the texts of the value */
};

/* Matrix: head, rows x dim floats, each row of length 1, and `more` weights of words (search.h).
 * Lists: head, rows x dim floats (centres), rows + 1 offsets, `more` numbers of vectors. */

struct rag_hit {
	uint32_t row;
	float score;
};

struct rag_split_order {      /* the first argument of rag.split */
	uint32_t piece_bytes; /* at most; at least, half of it unless the document ends */
};

struct rag_search_order { /* the first argument of rag.search */
	uint32_t hits;
	uint32_t probes; /* lists to look into; 0: all vectors, exact */
};

struct rag_lists_order { /* the first argument of rag.lists */
	uint32_t lists, rounds;
	uint64_t seed;
};

#endif
