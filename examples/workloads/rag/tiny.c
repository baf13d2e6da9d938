/* tiny.c - a small transformer with seeded weights. */
#include "tiny.h"

#include <math.h>
#include <string.h>

#include "values.h"

enum { HEAD_DIM = TINY_DIM / TINY_HEADS };

/* ---- states as bytes ---- */

static size_t text_bytes(uint32_t tokens)
{
	return ((size_t)tokens + 7) & ~(size_t)7;
}

size_t tiny_state_bytes(uint32_t tokens)
{
	return sizeof(struct rag_head) + text_bytes(tokens) +
	    2 * (size_t)TINY_LAYERS * TINY_DIM * tokens * sizeof(float);
}

static const struct rag_head *head_of(const void *state)
{
	return state;
}

const char *tiny_text(const void *state)
{
	return (const char *)state + sizeof(struct rag_head);
}

static const float *keys_of(const void *state, unsigned layer)
{
	uint32_t n = head_of(state)->rows;
	const void *floats = tiny_text(state) + text_bytes(n);
	return (const float *)floats + (size_t)layer * 2 * TINY_DIM * n;
}

static const float *values_of(const void *state, unsigned layer)
{
	return keys_of(state, layer) + (size_t)TINY_DIM * head_of(state)->rows;
}

bool tiny_past_add(struct tiny_past *past, const void *value, size_t bytes, uint64_t maker)
{
	const struct rag_head *head = value;
	if (bytes < sizeof *head || head->kind != RAG_STATE || head->maker != maker ||
	    head->rows > TINY_CONTEXT || bytes != tiny_state_bytes(head->rows) ||
	    head->more >= TINY_TOKENS || past->states == TINY_STATES)
		return false;
	past->state[past->states++] = value;
	past->tokens += head->rows;
	return true;
}

/* ---- weights ---- */

static float weight(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (float)((double)((z ^ (z >> 31)) >> 11) / 4503599627370496.0 - 1);
}

/* Each matrix keeps the length of a vector, roughly: weights of variance 1 / rows. */
static void fill(float *at, size_t rows, size_t columns, uint64_t *state)
{
	float scale = sqrtf(3.0F / (float)rows);
	for (size_t i = 0; i < rows * columns; i++)
		at[i] = scale * weight(state);
}

void tiny_make(struct tiny_model *ret, uint64_t seed)
{
	uint64_t state = seed;
	for (unsigned i = 0; i < TINY_TOKENS; i++)
		for (unsigned j = 0; j < TINY_DIM; j++) {
			ret->embed[i][j] = 1.7320508F * weight(&state);
			ret->last[i][j] = weight(&state);
		}
	for (unsigned l = 0; l < TINY_LAYERS; l++) {
		fill(ret->layer[l].query[0], TINY_DIM, TINY_DIM, &state);
		fill(ret->layer[l].key[0], TINY_DIM, TINY_DIM, &state);
		fill(ret->layer[l].value[0], TINY_DIM, TINY_DIM, &state);
		fill(ret->layer[l].out[0], TINY_DIM, TINY_DIM, &state);
		fill(ret->layer[l].up[0], TINY_DIM, TINY_INNER, &state);
		fill(ret->layer[l].down[0], TINY_INNER, TINY_DIM, &state);
	}
}

/* ---- one token ---- */

struct run {
	const struct tiny_model *model;
	const struct tiny_past *past;
	char *state;   /* the state being written */
	uint32_t done; /* tokens of the state so far */
	float x[TINY_DIM];
};

static unsigned token_of(char c)
{
	return c > ' ' && c <= '~' ? (unsigned)(c - ' ') : 0;
}

static void times(float *ret, const float *x, const float *matrix, unsigned rows, unsigned columns)
{
	memset(ret, 0, columns * sizeof *ret);
	for (unsigned i = 0; i < rows; i++)
		for (unsigned j = 0; j < columns; j++)
			ret[j] += x[i] * matrix[(size_t)i * columns + j];
}

static void normalize(float *ret, const float *x)
{
	float sum = 0;
	for (unsigned i = 0; i < TINY_DIM; i++)
		sum += x[i] * x[i];
	float scale = 1 / sqrtf(sum / TINY_DIM + 1e-6F);
	for (unsigned i = 0; i < TINY_DIM; i++)
		ret[i] = x[i] * scale;
}

/* Of tokens of one state: products of query and keys, into ret. */
static void products(float *ret, const float *query, const float *keys, uint32_t n, uint32_t all)
{
	memset(ret, 0, n * sizeof *ret);
	for (unsigned d = 0; d < HEAD_DIM; d++)
		for (uint32_t t = 0; t < n; t++)
			ret[t] += query[d] * keys[(size_t)d * all + t];
}

static void mix(float *ret, const float *score, const float *values, uint32_t n)
{
	for (uint32_t t = 0; t < n; t++)
		for (unsigned d = 0; d < HEAD_DIM; d++)
			ret[d] += score[t] * values[(size_t)t * TINY_DIM + d];
}

static void attend_head(
    const struct run *r, unsigned layer, unsigned head, const float *query, float *ret)
{
	static _Thread_local float score[TINY_CONTEXT];
	uint32_t n = 0, all = head_of(r->state)->rows;
	size_t key_at = (size_t)head * HEAD_DIM;
	for (uint32_t s = 0; s < r->past->states; s++) {
		const void *state = r->past->state[s];
		uint32_t rows = head_of(state)->rows;
		products(score + n, query, keys_of(state, layer) + key_at * rows, rows, rows);
		n += rows;
	}
	products(score + n, query, keys_of(r->state, layer) + key_at * all, r->done + 1, all);
	n += r->done + 1;
	float most = score[0], sum = 0;
	for (uint32_t t = 1; t < n; t++)
		most = score[t] > most ? score[t] : most;
	for (uint32_t t = 0; t < n; t++)
		sum += score[t] = expf((score[t] - most) / sqrtf(HEAD_DIM));
	memset(ret, 0, HEAD_DIM * sizeof *ret);
	n = 0;
	for (uint32_t s = 0; s < r->past->states; s++) {
		const void *state = r->past->state[s];
		mix(ret, score + n, values_of(state, layer) + key_at, head_of(state)->rows);
		n += head_of(state)->rows;
	}
	mix(ret, score + n, values_of(r->state, layer) + key_at, r->done + 1);
	for (unsigned d = 0; d < HEAD_DIM; d++)
		ret[d] /= sum;
}

static void attend(struct run *r, unsigned layer)
{
	float x[TINY_DIM], query[TINY_DIM], key[TINY_DIM], value[TINY_DIM], mixed[TINY_DIM];
	uint32_t all = head_of(r->state)->rows;
	char *floats = r->state + sizeof(struct rag_head) + text_bytes(all);
	float *keys = (float *)(void *)floats + (size_t)layer * 2 * TINY_DIM * all;
	float *values = keys + (size_t)TINY_DIM * all;
	normalize(x, r->x);
	times(query, x, r->model->layer[layer].query[0], TINY_DIM, TINY_DIM);
	times(key, x, r->model->layer[layer].key[0], TINY_DIM, TINY_DIM);
	times(value, x, r->model->layer[layer].value[0], TINY_DIM, TINY_DIM);
	for (unsigned d = 0; d < TINY_DIM; d++)
		keys[(size_t)d * all + r->done] = key[d];
	memcpy(values + (size_t)r->done * TINY_DIM, value, sizeof value);
	for (unsigned h = 0; h < TINY_HEADS; h++)
		attend_head(r, layer, h, query + h * HEAD_DIM, mixed + h * HEAD_DIM);
	times(x, mixed, r->model->layer[layer].out[0], TINY_DIM, TINY_DIM);
	for (unsigned d = 0; d < TINY_DIM; d++)
		r->x[d] += x[d];
}

static void feed_forward(struct run *r, unsigned layer)
{
	float x[TINY_DIM], inner[TINY_INNER];
	normalize(x, r->x);
	times(inner, x, r->model->layer[layer].up[0], TINY_DIM, TINY_INNER);
	for (unsigned i = 0; i < TINY_INNER; i++)
		inner[i] = inner[i] > 0 ? inner[i] : 0;
	times(x, inner, r->model->layer[layer].down[0], TINY_INNER, TINY_DIM);
	for (unsigned d = 0; d < TINY_DIM; d++)
		r->x[d] += x[d];
}

/* The likeliest token after the last one. */
static unsigned most_likely(const struct run *r)
{
	float x[TINY_DIM], best = -INFINITY;
	unsigned token = 0;
	normalize(x, r->x);
	for (unsigned i = 0; i < TINY_TOKENS; i++) {
		float product = 0;
		for (unsigned d = 0; d < TINY_DIM; d++)
			product += x[d] * r->model->last[i][d];
		if (product > best) {
			best = product;
			token = i;
		}
	}
	return token;
}

static void step(struct run *r, unsigned token)
{
	uint32_t place = r->past->tokens + r->done;
	for (unsigned d = 0; d < TINY_DIM; d += 2) {
		float angle = (float)place * powf(10000, -(float)d / TINY_DIM);
		r->x[d] = r->model->embed[token][d] + sinf(angle);
		r->x[d + 1] = r->model->embed[token][d + 1] + cosf(angle);
	}
	for (unsigned l = 0; l < TINY_LAYERS; l++) {
		attend(r, l);
		feed_forward(r, l);
	}
	r->state[sizeof(struct rag_head) + r->done++] = (char)(' ' + (int)token);
}

bool tiny_run(const struct tiny_model *model, const struct tiny_past *past, const char *text,
    uint32_t n, uint64_t maker, void *ret, bool (*stop)(void *), void *context)
{
	struct run r = { .model = model, .past = past, .state = ret };
	struct rag_head head = { RAG_STATE, n, TINY_DIM, 0, maker };
	unsigned token = past->states ? head_of(past->state[past->states - 1])->more : 0;
	memcpy(ret, &head, sizeof head);
	memset(r.state + sizeof head, ' ', text_bytes(n));
	for (uint32_t i = 0; i < n; i++) {
		step(&r, text ? token_of(text[i]) : token);
		if (!text || i + 1 == n)
			token = most_likely(&r);
		if (stop(context))
			return false;
	}
	head.more = token;
	memcpy(ret, &head, sizeof head);
	return true;
}
