/* session.c - questions with locality, by a law. */
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ZIPF 1.2

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((next(state) >> 32) * n >> 32);
}

/* A piece by Zipf's law; the order of the pieces is a seeded shuffle. */
static uint32_t zipf(const uint32_t *order, const double *sum, uint32_t n, uint64_t *state)
{
	double at = (double)(next(state) >> 11) / 9007199254740992.0 * sum[n - 1];
	uint32_t low = 0, high = n - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (sum[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return order[low];
}

static uint32_t link_of(uint64_t seed, uint32_t piece, uint32_t n)
{
	uint64_t state = seed + (piece + 1) * UINT64_C(0xd1342543de82ef95);
	return below(&state, n);
}

/* Words in a row, from one of the places of the piece. Lines become one line. */
static void write_question(const struct corpus *c, struct question *q, uint64_t *state)
{
	const struct rag_piece *p = &c->piece[q->piece];
	const char *text = c->texts + p->at;
	uint32_t at = p->bytes * below(state, QUESTION_PLACES) / (QUESTION_PLACES + 1);
	size_t n = 0;
	while (at > 0 && at < p->bytes && (unsigned char)text[at - 1] > ' ')
		at++;
	for (; at < p->bytes && n + 2 < QUESTION_BYTES; at++)
		if ((unsigned char)text[at] > ' ')
			q->text[n++] = text[at];
		else if (n > 0 && q->text[n - 1] != ' ')
			q->text[n++] = ' ';
	memcpy(q->text + n, "?", 2);
}

void sessions_make(const struct corpus *c, const struct session_law *law, struct question *ret)
{
	uint64_t state = law->seed;
	uint32_t *order = calloc(c->n, sizeof *order), *piece, *asked;
	double *sum = calloc(c->n, sizeof *sum);
	piece = calloc(law->sessions, sizeof *piece);
	asked = calloc(law->sessions, sizeof *asked);
	if (!order || !sum || !piece || !asked)
		workload_fail("out of memory");
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t j = below(&state, i + 1);
		order[i] = order[j];
		order[j] = i;
		sum[i] = (i ? sum[i - 1] : 0) + pow(i + 1, -ZIPF);
	}
	for (uint32_t i = 0; i < law->questions; i++) {
		uint32_t s = below(&state, law->sessions), chance = below(&state, 1000);
		uint32_t from = piece[s];
		if (asked[s] % law->length == 0 || chance >= law->same + law->follow)
			piece[s] = zipf(order, sum, c->n, &state);
		else if (chance >= law->same)
			piece[s] = below(&state, 10) < 7 ? (from + 1) % c->n
							 : link_of(law->seed, from, c->n);
		ret[i] = (struct question){ .session = s + asked[s] / law->length * law->sessions,
			.piece = piece[s] };
		asked[s]++;
		write_question(c, &ret[i], &state);
	}
	free(order);
	free(sum);
	free(piece);
	free(asked);
}
