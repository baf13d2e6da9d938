/* tiny.h - a small transformer with seeded weights: costs and states are real, the text is not.
 *
 * A token is a byte. The state after some tokens is what attention needs of them: a key and a value
 * for each token and layer. A state names only its own tokens; the states of the tokens before are
 * values of their own, so states form a tree, and no byte of a common prefix is kept twice. */
#ifndef RAG_TINY_H
#define RAG_TINY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TINY_LAYERS = 2,
	TINY_DIM = 64,
	TINY_HEADS = 4,
	TINY_INNER = 128, /* of the feed-forward part */
	TINY_TOKENS = 96, /* printable ASCII, and everything else as one */
	TINY_CONTEXT = 8192,
	TINY_STATES = 512 /* before the tokens of a call */
};

struct tiny_model { /* the value of rag.model, behind the head */
	float embed[TINY_TOKENS][TINY_DIM], last[TINY_TOKENS][TINY_DIM];
	struct {
		float query[TINY_DIM][TINY_DIM], key[TINY_DIM][TINY_DIM];
		float value[TINY_DIM][TINY_DIM], out[TINY_DIM][TINY_DIM];
		float up[TINY_DIM][TINY_INNER], down[TINY_INNER][TINY_DIM];
	} layer[TINY_LAYERS];
};

/* Behind the head of a state: the tokens, whole to 8 bytes, then, for each layer, the keys (dim x
 * tokens, so that one product goes along the tokens) and the values (tokens x dim). */
size_t tiny_state_bytes(uint32_t tokens);

struct tiny_past { /* the states before, in order */
	const void *state[TINY_STATES];
	uint32_t states, tokens;
};

void tiny_make(struct tiny_model *ret, uint64_t seed);
/* False: the value is no state of this model. Adds the state to the past. */
bool tiny_past_add(struct tiny_past *past, const void *value, size_t bytes, uint64_t maker);

/* Runs `n` tokens behind the past, and writes their state to ret, whose head is filled. text: the
 * tokens, or NULL: the first token is that which comes next after the past, and so on.
 * stop(context) is asked after each token; true ends the call with false. */
bool tiny_run(const struct tiny_model *model, const struct tiny_past *past, const char *text,
    uint32_t n, uint64_t maker, void *ret, bool (*stop)(void *), void *context);

/* The tokens of a state as text: rows bytes. */
const char *tiny_text(const void *state);

#endif
