/* search.c - vectors of texts, and the nearest of many. */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES_MAX = 256 };

static uint64_t mixed(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- vectors of texts ---- */

static int letter_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 'a';
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ? c : 0;
}

/* The next word of a text, as a hash of its letters; 0: there is none. */
static uint64_t next_word(const char *text, size_t bytes, size_t *at)
{
	uint64_t hash = 0;
	while (*at < bytes && !letter_of(text[*at]))
		++*at;
	for (; *at < bytes && letter_of(text[*at]); ++*at)
		hash = mixed(hash + (uint64_t)letter_of(text[*at]));
	return hash;
}

/* The direction of a word: plus or minus its weight in each place, by the bits of its hash. */
static void add_word(float *ret, uint64_t hash, float weight)
{
	for (unsigned d = 0; d < RAG_DIM; d += 64) {
		uint64_t bits = mixed(hash + (d + 1) * UINT64_C(0x9e3779b97f4a7c15));
		for (unsigned b = 0; b < 64; b++)
			ret[d + b] += bits >> b & 1 ? weight : -weight;
	}
}

static void to_length_1(float *vector, uint32_t dim)
{
	float sum = 0;
	for (uint32_t d = 0; d < dim; d++)
		sum += vector[d] * vector[d];
	float scale = sum > 0 ? 1 / sqrtf(sum) : 0;
	for (uint32_t d = 0; d < dim; d++)
		vector[d] *= scale;
}

void embed(const char *text, size_t bytes, const float *weights, float ret[RAG_DIM])
{
	uint64_t word;
	memset(ret, 0, RAG_DIM * sizeof *ret);
	for (size_t at = 0; (word = next_word(text, bytes, &at));)
		add_word(ret, word, weights ? weights[word % RAG_WEIGHTS] : 1);
	to_length_1(ret, RAG_DIM);
}

void embed_count(const char *text, size_t bytes, float ret[RAG_WEIGHTS])
{
	bool seen[RAG_WEIGHTS] = { false };
	uint64_t word;
	for (size_t at = 0; (word = next_word(text, bytes, &at));) {
		ret[word % RAG_WEIGHTS] += seen[word % RAG_WEIGHTS] ? 0 : 1;
		seen[word % RAG_WEIGHTS] = true;
	}
}

void embed_weigh(float ret[RAG_WEIGHTS], uint32_t texts)
{
	for (unsigned i = 0; i < RAG_WEIGHTS; i++)
		ret[i] = logf(((float)texts + 1) / (ret[i] + 0.5F));
}

/* ---- values ---- */

size_t matrix_bytes(uint32_t rows, uint32_t dim, uint32_t weights)
{
	return sizeof(struct rag_head) + ((size_t)rows * dim + weights) * sizeof(float);
}

size_t lists_bytes(uint32_t lists, uint32_t dim, uint32_t vectors)
{
	return matrix_bytes(lists, dim, 0) + ((size_t)lists + 1 + vectors) * sizeof(uint32_t);
}

bool matrix_of(const void *value, size_t bytes, struct matrix *ret)
{
	struct rag_head head;
	if (bytes < sizeof head)
		return false;
	memcpy(&head, value, sizeof head);
	const void *floats = (const char *)value + sizeof head;
	*ret = (struct matrix){ head.rows, head.dim, head.maker, floats, NULL };
	if (head.more == RAG_WEIGHTS)
		ret->weights = ret->row + (size_t)head.rows * head.dim;
	return head.kind == RAG_MATRIX && head.dim > 0 &&
	    (head.more == 0 || head.more == RAG_WEIGHTS) &&
	    bytes == matrix_bytes(head.rows, head.dim, head.more);
}

bool lists_of(const void *value, size_t bytes, const struct matrix *matrix, struct lists *ret)
{
	struct rag_head head;
	if (bytes < sizeof head)
		return false;
	memcpy(&head, value, sizeof head);
	if (head.kind != RAG_LISTS || head.dim != matrix->dim || head.more != matrix->rows ||
	    head.maker != matrix->maker || head.rows == 0 ||
	    bytes != lists_bytes(head.rows, head.dim, head.more))
		return false;
	const char *at = (const char *)value;
	const void *centres = at + sizeof head,
		   *numbers = at + matrix_bytes(head.rows, head.dim, 0);
	*ret = (struct lists){ head.rows, head.dim, head.more, centres, numbers, NULL };
	ret->vector = ret->begin + head.rows + 1;
	for (uint32_t i = 0; i < head.rows; i++)
		if (ret->begin[i] > ret->begin[i + 1])
			return false;
	for (uint32_t i = 0; i < head.more; i++)
		if (ret->vector[i] >= head.more)
			return false;
	return ret->begin[head.rows] <= head.more;
}

/* ---- search ---- */

static float product(const float *x, const float *y, uint32_t dim)
{
	enum { LANES = 16 }; /* sums beside each other, which the compiler keeps in a register */
	float lane[LANES] = { 0 }, sum = 0;
	uint32_t d = 0;
	for (; d + LANES <= dim; d += LANES)
		for (unsigned i = 0; i < LANES; i++)
			lane[i] += x[d + i] * y[d + i];
	for (; d < dim; d++)
		sum += x[d] * y[d];
	for (unsigned i = 0; i < LANES; i++)
		sum += lane[i];
	return sum;
}

/* Keeps the best, in order; `found` of at most `hits` are there. Returns how many are there now. */
static uint32_t insert(
    struct rag_hit *ret, uint32_t found, uint32_t hits, uint32_t row, float score)
{
	uint32_t at = found < hits ? found : hits - 1;
	if (hits == 0 ||
	    (found == hits &&
		(score < ret[at].score || (score == ret[at].score && row > ret[at].row))))
		return found;
	while (at > 0 &&
	    (ret[at - 1].score < score || (ret[at - 1].score == score && ret[at - 1].row > row))) {
		ret[at] = ret[at - 1];
		at--;
	}
	ret[at] = (struct rag_hit){ row, score };
	return found < hits ? found + 1 : found;
}

uint32_t search(const struct matrix *matrix, const struct lists *lists, uint32_t probes,
    const float *query, uint32_t hits, struct rag_hit *ret)
{
	struct rag_hit near[PROBES_MAX];
	uint32_t found = 0, n = 0;
	if (!lists || !probes) {
		for (uint32_t row = 0; row < matrix->rows; row++)
			found = insert(ret, found, hits, row,
			    product(query, matrix->row + (size_t)row * matrix->dim, matrix->dim));
		return found;
	}
	if (probes > PROBES_MAX)
		probes = PROBES_MAX;
	for (uint32_t i = 0; i < lists->lists; i++)
		n = insert(near, n, probes, i,
		    product(query, lists->centre + (size_t)i * lists->dim, lists->dim));
	for (uint32_t p = 0; p < n; p++)
		for (uint32_t i = lists->begin[near[p].row]; i < lists->begin[near[p].row + 1];
		     i++) {
			uint32_t row = lists->vector[i];
			found = insert(ret, found, hits, row,
			    product(query, matrix->row + (size_t)row * matrix->dim, matrix->dim));
		}
	return found;
}

/* ---- lists ---- */

/* The centre nearest to each row. */
static void assign(const struct matrix *matrix, const float *centre, uint32_t lists, uint32_t *ret)
{
	for (uint32_t row = 0; row < matrix->rows; row++) {
		const float *x = matrix->row + (size_t)row * matrix->dim;
		float best = -INFINITY;
		for (uint32_t i = 0; i < lists; i++) {
			float score = product(x, centre + (size_t)i * matrix->dim, matrix->dim);
			if (score > best) {
				best = score;
				ret[row] = i;
			}
		}
	}
}

/* Each centre becomes the direction of its rows; a centre without rows stays. */
static void move(
    const struct matrix *matrix, const uint32_t *list, float *centre, uint32_t lists, float *sum)
{
	uint32_t dim = matrix->dim;
	memset(sum, 0, (size_t)lists * dim * sizeof *sum);
	for (uint32_t row = 0; row < matrix->rows; row++)
		for (uint32_t d = 0; d < dim; d++)
			sum[(size_t)list[row] * dim + d] += matrix->row[(size_t)row * dim + d];
	for (uint32_t i = 0; i < lists; i++) {
		to_length_1(sum + (size_t)i * dim, dim);
		if (product(sum + (size_t)i * dim, sum + (size_t)i * dim, dim) > 0)
			memcpy(centre + (size_t)i * dim, sum + (size_t)i * dim, dim * sizeof *sum);
	}
}

bool lists_make(const struct matrix *matrix, const struct rag_lists_order *order, void *ret)
{
	uint32_t lists = order->lists, dim = matrix->dim, rows = matrix->rows;
	struct rag_head head = { RAG_LISTS, lists, dim, rows, matrix->maker };
	uint32_t *list = calloc(rows + 1, sizeof *list);
	float *sum = calloc((size_t)lists * dim, sizeof *sum);
	void *centres = (char *)ret + sizeof head,
	     *numbers = (char *)ret + matrix_bytes(lists, dim, 0);
	float *centre = centres;
	uint32_t *begin = numbers, *vector = begin + lists + 1;
	memcpy(ret, &head, sizeof head);
	for (uint32_t i = 0; list && sum && i < lists; i++) {
		uint64_t row = rows ? mixed(order->seed + i) % rows : 0;
		if (rows)
			memcpy(
			    centre + (size_t)i * dim, matrix->row + row * dim, dim * sizeof *sum);
		else
			memset(centre + (size_t)i * dim, 0, dim * sizeof *sum);
	}
	for (uint32_t r = 0; list && sum && r <= order->rounds; r++) {
		assign(matrix, centre, lists, list);
		if (r < order->rounds)
			move(matrix, list, centre, lists, sum);
	}
	memset(begin, 0, ((size_t)lists + 1) * sizeof *begin);
	for (uint32_t row = 0; list && sum && row < rows; row++)
		begin[list[row] + 1]++;
	for (uint32_t i = 0; i < lists; i++)
		begin[i + 1] += begin[i];
	for (uint32_t i = 0, n = 0; list && sum && i < lists; i++)
		for (uint32_t row = 0; row < rows; row++)
			if (list[row] == i)
				vector[n++] = row;
	bool done = list && sum;
	free(list);
	free(sum);
	return done;
}
