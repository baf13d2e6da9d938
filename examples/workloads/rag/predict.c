/* predict.c - predictors. */
#include "predict.h"

#include <stdlib.h>
#include <string.h>

void seen_open(struct seen *ret, const struct corpus *c)
{
	*ret = (struct seen){ .corpus = c, .random = 1 };
	ret->followed = calloc((size_t)c->n * c->n, sizeof *ret->followed);
	ret->path = calloc(c->n, sizeof *ret->path);
	if (!ret->followed || !ret->path)
		workload_fail("no memory for what was seen of %u pieces", c->n);
}

void seen_close(struct seen *s)
{
	free(s->followed);
	free(s->path);
	*s = (struct seen){ 0 };
}

void seen_add(struct seen *s, uint32_t session, const struct path *path)
{
	struct path *last = &s->session[session % PREDICT_SESSIONS];
	if (path->n == 0)
		return;
	if (last->n > 0) {
		uint16_t *times =
		    &s->followed[(size_t)last->piece[0] * s->corpus->n + path->piece[0]];
		*times += *times < UINT16_MAX;
	}
	s->path[path->piece[0]] = *path;
	*last = *path;
	s->random = s->random * UINT64_C(6364136223846793005) + 1442695040888963407;
}

/* The path of a question that this piece answers best: as seen, else with its neighbour. */
static struct path path_of(const struct seen *s, uint32_t piece)
{
	struct path path = { { piece, s->corpus->near[piece][0] }, PREDICT_DEPTH };
	return s->path[piece].n ? s->path[piece] : path;
}

static const struct path *last_of(const struct seen *s, uint32_t session)
{
	return &s->session[session % PREDICT_SESSIONS];
}

static uint32_t none(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	(void)s, (void)session, (void)next, (void)ret;
	return 0;
}

static uint32_t last(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	(void)next;
	ret[0] = *last_of(s, session);
	return ret[0].n > 0;
}

/* The PREDICT_MOST most frequent, by one pass; equal counts by number. */
static uint32_t markov(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	const struct path *from = last_of(s, session);
	uint32_t piece[PREDICT_MOST], found = 0;
	(void)next;
	if (from->n == 0)
		return 0;
	const uint16_t *times = &s->followed[(size_t)from->piece[0] * s->corpus->n];
	for (uint32_t i = 0; i < s->corpus->n; i++) {
		uint32_t at = found < PREDICT_MOST ? found : PREDICT_MOST - 1;
		if (times[i] == 0 || (found == PREDICT_MOST && times[i] <= times[piece[at]]))
			continue;
		for (; at > 0 && times[piece[at - 1]] < times[i]; at--)
			piece[at] = piece[at - 1];
		piece[at] = i;
		found += found < PREDICT_MOST;
	}
	for (uint32_t i = 0; i < found; i++)
		ret[i] = path_of(s, piece[i]);
	return found;
}

static uint32_t neighbours(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	const struct path *from = last_of(s, session);
	(void)next;
	for (uint32_t i = 0; from->n && i < PREDICT_MOST; i++)
		ret[i] = path_of(s, s->corpus->near[from->piece[0]][i]);
	return from->n ? PREDICT_MOST : 0;
}

static uint32_t any(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	uint64_t z = s->random + session;
	(void)next;
	for (uint32_t i = 0; i < PREDICT_MOST; i++) {
		z = (z ^ (z >> 29)) * UINT64_C(0xbf58476d1ce4e5b9) + i;
		ret[i] = path_of(s, (uint32_t)((z >> 33) % s->corpus->n));
	}
	return PREDICT_MOST;
}

static uint32_t oracle(
    const struct seen *s, uint32_t session, const struct path *next, struct path *ret)
{
	(void)s, (void)session;
	if (!next || !next->n)
		return 0;
	ret[0] = *next;
	return 1;
}

const struct prediction predictions[] = { { "none", none }, { "last", last }, { "markov", markov },
	{ "neighbours", neighbours }, { "random", any }, { "oracle", oracle }, { NULL, NULL } };
