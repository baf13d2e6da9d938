/* predict.h - which pieces will the next question of a session need? Predictors, each a function of
 * what was seen, without any other effect.
 *
 *	none        nothing
 *	last        the pieces of the session's last question again
 *	markov      the pieces that followed the last piece most often, in all sessions
 *	neighbours  the pieces nearest to the last piece
 *	random      any pieces: a bound from below
 *	oracle      the pieces of the next question: a bound from above */
#ifndef RAG_PREDICT_H
#define RAG_PREDICT_H

#include "corpus.h"

enum { PREDICT_MOST = 6, PREDICT_DEPTH = 2, PREDICT_SESSIONS = 256 };

struct path {
	uint32_t piece[PREDICT_DEPTH], n; /* n 0: no path */
};

struct seen {
	const struct corpus *corpus;
	uint16_t *followed; /* corpus->n x corpus->n: how often the second came after the first */
	struct path *path;  /* of each piece: the path of the last question that it answered best */
	struct path session[PREDICT_SESSIONS]; /* the last path of each session */
	uint64_t random;
};

void seen_open(struct seen *ret, const struct corpus *c);
void seen_close(struct seen *s);
/* A question of a session was answered with this path. */
void seen_add(struct seen *s, uint32_t session, const struct path *path);

/* Writes the paths that are likely next, the likeliest first; returns how many, at most
 * PREDICT_MOST. next: the true path, for the oracle alone. */
typedef uint32_t predictor(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret);

struct prediction {
	const char *name;
	predictor *predict;
};

extern const struct prediction predictions[]; /* ends with the name NULL */

#endif
