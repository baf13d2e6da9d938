/* tree.h - states of the model as a tree of prefixes: which are in the store, and which leave.
 *
 * A node is the state after a path of pieces: system text, first piece, second piece. Its name is
 * the hash of the model and of all texts of the path. The state itself is the future of a task
 * rag.prefill whose arguments are the states of the path above, so a state that is still computed
 * can be used already, by any worker.
 *
 * The states together have at most `budget` bytes. When a question wants room, prefetched states
 * that nobody asked for leave first, then used states, the longest unused first; always leaves of
 * the tree, since a state is of use only behind those above. A prefetch may take the room of used
 * states for half of the budget at most. */
#ifndef RAG_TREE_H
#define RAG_TREE_H

#include <stdbool.h>

#include "corpus.h"

enum { TREE_DEPTH = 4, TREE_NODES = 4096, TREE_ROOT = 0 };

struct tree_figures {
	uint64_t wanted, found;     /* states that questions asked for; ready at once */
	uint64_t prefetched, used;  /* states; of these asked for by a question later */
	uint64_t cancelled;         /* prefetches, because somebody needed the cpu */
	uint64_t bytes, bytes_most; /* of all states, now and at most */
	uint64_t prefetched_bytes, wasted_bytes; /* wasted: left without a use */
};

struct tree_node {
	uint64_t name; /* 0: a free node */
	plm_ref state;
	uint32_t parent, piece, children;
	uint64_t bytes, used_at;
	bool prefetched; /* and not asked for yet */
	bool pinned;     /* in use by a question */
};

struct tree {
	const struct corpus *corpus;
	const char *system; /* the text of the root; the caller's */
	uint64_t budget, clock;
	struct tree_figures figures;
	struct tree_node node[TREE_NODES];
};

/* budget: bytes of all states. system: the text before all pieces. */
void tree_open(struct tree *ret, const struct corpus *c, const char *system, uint64_t budget);
void tree_close(struct tree *t);

/* The states of a path for a question: ret[0] the system text, then a state for each piece. States
 * that are missing, or whose prefetch has not begun, are computed now, before all else. Running
 * prefetches of other paths are cancelled. Ends with tree_unpin(). Returns the number of states; 0:
 * the states of the path do not fit into the budget. */
uint32_t tree_want(struct tree *t, const uint32_t *pieces, uint32_t n, plm_ref *ret);
void tree_unpin(struct tree *t);
/* Submits the missing states of a path with the lowest priority, while there is room for them.
 * Returns the number of tasks. */
uint32_t tree_prefetch(struct tree *t, const uint32_t *pieces, uint32_t n);
/* Waits until no prefetch is under way: for experiments without think time. */
void tree_settle(struct tree *t);
/* Forgets all states but the system text. */
void tree_clear(struct tree *t);

#endif
