/* session.h - questions with locality, by a law.
 *
 * Several sessions go on at a time and take turns at random. A session begins with a piece by
 * Zipf's law: of a seeded order of the pieces, the k-th is k^1.2 times as rare as the first. Each
 * later question of the session is, by chance, about the same piece again (`same` of a thousand),
 * or about a piece that follows (`follow` of a thousand: in seven of ten cases the next piece of
 * the corpus, else a linked piece, the same link for every session), or else about a new piece by
 * Zipf's law. A question is some words in a row from its piece; each piece has QUESTION_PLACES such
 * places. */
#ifndef RAG_SESSION_H
#define RAG_SESSION_H

#include "corpus.h"

enum { QUESTION_BYTES = 64, QUESTION_PLACES = 2 };

struct session_law {
	uint32_t questions, sessions; /* in all; going on at once */
	uint32_t length;              /* questions of a session; then the next session begins */
	uint32_t same, follow;        /* of a thousand */
	uint64_t seed;
};

struct question {
	uint32_t session, piece;
	char text[QUESTION_BYTES];
};

/* Fills law->questions questions. */
void sessions_make(const struct corpus *c, const struct session_law *law, struct question *ret);

#endif
