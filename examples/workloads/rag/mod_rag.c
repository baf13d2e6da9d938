/* mod_rag.c - a module: documents to pieces, vectors and lists; search; a small model with states.
 *
 * Each value is read in place in the store, also the matrix of all vectors and the weights of the
 * model: no worker has a copy. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plm.h"
#include "search.h"
#include "tiny.h"
#include "values.h"

static void *room(plm_call *call, size_t bytes)
{
	void *out = plm_result(call, bytes);
	if (!out)
		plm_fail(call, ENOSPC, "no room for a result: %s", plm_why());
	return out;
}

static bool take(plm_call *call, size_t i, void *ret, size_t bytes, const char *what)
{
	size_t n = 0;
	const void *data = i < plm_nargs(call) ? plm_arg_data(call, i, &n) : NULL;
	memset(ret, 0, bytes);
	if (n != bytes)
		plm_fail(call, EINVAL, "argument %zu is no %s", i, what);
	else
		memcpy(ret, data, bytes);
	return n == bytes;
}

/* ---- documents ---- */

/* Where the piece that begins at `at` ends: behind the last empty line that fits, else behind the
 * last line, else the last blank. */
static size_t piece_end(const char *text, size_t at, size_t bytes, size_t most)
{
	size_t line = 0, blank = 0;
	if (bytes - at <= most)
		return bytes;
	for (size_t end = at + most; end > at + most / 2; end--) {
		if (end >= 2 && text[end - 1] == '\n' && text[end - 2] == '\n')
			return end;
		if (!line && text[end - 1] == '\n')
			line = end;
		if (!blank && text[end - 1] == ' ')
			blank = end;
	}
	return line ? line : blank ? blank : at + most;
}

/* ORDER DOCUMENT...: the pieces. The first pass counts. */
static int split(plm_call *call)
{
	struct rag_split_order order;
	struct rag_head head = { .kind = RAG_PIECES };
	size_t texts = 0;
	if (!take(call, 0, &order, sizeof order, "order of pieces"))
		return EINVAL;
	if (order.piece_bytes < 16)
		return plm_fail(call, EINVAL, "a piece has at least 16 bytes");
	for (size_t i = 1; i < plm_nargs(call); i++) {
		size_t bytes;
		const char *text = plm_arg_data(call, i, &bytes);
		for (size_t at = 0; at < bytes; at = piece_end(text, at, bytes, order.piece_bytes))
			head.rows++;
		texts += bytes;
	}
	if (head.rows == 0)
		return plm_fail(call, ENODATA, "the corpus is empty: no document has a byte");
	char *out = room(call, sizeof head + head.rows * sizeof(struct rag_piece) + texts);
	if (!out)
		return ENOSPC;
	memcpy(out, &head, sizeof head);
	char *piece_at = out + sizeof head, *base = piece_at + head.rows * sizeof(struct rag_piece);
	uint32_t used = 0;
	for (size_t i = 1; i < plm_nargs(call); i++) {
		size_t bytes, end;
		const char *text = plm_arg_data(call, i, &bytes);
		for (size_t at = 0; at < bytes; at = end) {
			end = piece_end(text, at, bytes, order.piece_bytes);
			struct rag_piece piece = { (uint32_t)i - 1, (uint32_t)at, used,
				(uint32_t)(end - at) };
			memcpy(piece_at, &piece, sizeof piece);
			memcpy(base + used, text + at, end - at);
			piece_at += sizeof piece;
			used += piece.bytes;
		}
	}
	return 0;
}

/* ---- vectors ---- */

static bool take_matrix(plm_call *call, size_t i, struct matrix *ret)
{
	size_t bytes = 0;
	const void *value = i < plm_nargs(call) ? plm_arg_data(call, i, &bytes) : NULL;
	bool good = matrix_of(value, bytes, ret);
	if (!good)
		plm_fail(call, EINVAL, "argument %zu is no matrix of vectors", i);
	return good;
}

/* TEXT MATRIX: a vector, with the weights of the matrix */
static int embed_text(plm_call *call)
{
	size_t bytes = 0;
	const char *text = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	struct rag_head head = { RAG_MATRIX, 1, RAG_DIM, 0, EMBED_MAKER };
	struct matrix matrix;
	float vector[RAG_DIM];
	if (!take_matrix(call, 1, &matrix))
		return EINVAL;
	if (matrix.maker != EMBED_MAKER || !matrix.weights)
		return plm_fail(call, EPROTO, "the index was made with vectors of another model");
	char *out = room(call, matrix_bytes(1, RAG_DIM, 0));
	if (!out)
		return ENOSPC;
	embed(text, bytes, matrix.weights, vector);
	memcpy(out, &head, sizeof head);
	memcpy(out + sizeof head, vector, sizeof vector);
	return 0;
}

/* Piece number i of a value of rag.split; false: it lies outside. */
static bool piece_of(const char *value, size_t bytes, uint32_t rows, uint32_t i,
    const char **ret_text, uint32_t *ret_bytes)
{
	struct rag_piece piece;
	size_t texts = sizeof(struct rag_head) + (size_t)rows * sizeof piece;
	memcpy(&piece, value + sizeof(struct rag_head) + i * sizeof piece, sizeof piece);
	*ret_text = value + texts + piece.at;
	*ret_bytes = piece.bytes;
	return (size_t)piece.at + piece.bytes <= bytes - texts;
}

/* PIECES: the matrix of their vectors, written in place. The first pass counts words. */
static int index_pieces(plm_call *call)
{
	struct rag_head head = { 0 };
	size_t bytes = 0;
	const char *value = plm_nargs(call) ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes >= sizeof head)
		memcpy(&head, value, sizeof head);
	if (head.kind != RAG_PIECES || bytes < sizeof head + head.rows * sizeof(struct rag_piece))
		return plm_fail(call, EINVAL, "argument 0 is no value of rag.split");
	char *out = room(call, matrix_bytes(head.rows, RAG_DIM, RAG_WEIGHTS));
	if (!out)
		return ENOSPC;
	struct rag_head matrix = { RAG_MATRIX, head.rows, RAG_DIM, RAG_WEIGHTS, EMBED_MAKER };
	memcpy(out, &matrix, sizeof matrix);
	float *vector = (float *)(void *)(out + sizeof matrix);
	float *weights = vector + (size_t)head.rows * RAG_DIM;
	memset(weights, 0, RAG_WEIGHTS * sizeof *weights);
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < head.rows; i++) {
			const char *text;
			uint32_t n;
			if (!piece_of(value, bytes, head.rows, i, &text, &n))
				return plm_fail(call, EINVAL, "piece %u lies outside", i);
			if (pass == 0)
				embed_count(text, n, weights);
			else
				embed(text, n, weights, vector + (size_t)i * RAG_DIM);
		}
		if (pass == 0)
			embed_weigh(weights, head.rows);
	}
	return 0;
}

/* ORDER MATRIX: lists of near vectors */
static int make_lists(plm_call *call)
{
	struct rag_lists_order order;
	struct matrix matrix;
	if (!take(call, 0, &order, sizeof order, "order of lists") ||
	    !take_matrix(call, 1, &matrix))
		return EINVAL;
	if (order.lists == 0)
		return plm_fail(call, EINVAL, "at least one list is wanted");
	void *out = room(call, lists_bytes(order.lists, matrix.dim, matrix.rows));
	if (!out)
		return ENOSPC;
	return lists_make(&matrix, &order, out) ? 0 : plm_fail(call, ENOMEM, "no memory for lists");
}

/* ORDER MATRIX VECTOR [LISTS]: the nearest vectors */
static int search_matrix(plm_call *call)
{
	struct rag_search_order order;
	struct matrix matrix, query;
	struct lists lists;
	size_t bytes = 0;
	if (!take(call, 0, &order, sizeof order, "order of search") ||
	    !take_matrix(call, 1, &matrix) || !take_matrix(call, 2, &query))
		return EINVAL;
	if (query.maker != matrix.maker || query.dim != matrix.dim || query.rows != 1)
		return plm_fail(call, EPROTO,
		    "the question has a vector of another model than the index (%u numbers, not "
		    "%u): "
		    "make the index anew",
		    query.dim, matrix.dim);
	const void *value = plm_nargs(call) > 3 ? plm_arg_data(call, 3, &bytes) : NULL;
	if (plm_nargs(call) > 3 && !lists_of(value, bytes, &matrix, &lists))
		return plm_fail(call, EPROTO, "argument 3 is no lists of this matrix");
	uint32_t most = order.hits < matrix.rows ? order.hits : matrix.rows;
	struct rag_hit *hits = calloc(most + 1, sizeof *hits);
	if (!hits)
		return plm_fail(call, ENOMEM, "no memory for hits");
	struct rag_head head = { RAG_HITS, 0, 0, 0, matrix.maker };
	head.rows = search(&matrix, value ? &lists : NULL, order.probes, query.row, most, hits);
	char *out = room(call, sizeof head + head.rows * sizeof *hits);
	if (out) {
		memcpy(out, &head, sizeof head);
		memcpy(out + sizeof head, hits, head.rows * sizeof *hits);
	}
	free(hits);
	return out ? 0 : ENOSPC;
}

/* ---- the model ---- */

/* SEED: the weights */
static int model(plm_call *call)
{
	uint64_t seed;
	if (!take(call, 0, &seed, sizeof seed, "seed"))
		return EINVAL;
	char *out = room(call, sizeof(struct rag_head) + sizeof(struct tiny_model));
	if (!out)
		return ENOSPC;
	struct rag_head head = { RAG_MODEL, TINY_LAYERS, TINY_DIM, 0, seed };
	memcpy(out, &head, sizeof head);
	tiny_make((struct tiny_model *)(void *)(out + sizeof head), seed);
	return 0;
}

static bool asked_to_stop(void *context)
{
	return plm_cancelled(context);
}

/* The model in argument 0, and the states from argument 2 on. */
static int take_past(plm_call *call, struct tiny_past *past, const struct tiny_model **ret_model,
    uint64_t *ret_maker)
{
	struct rag_head head = { 0 };
	size_t bytes = 0;
	const char *value = plm_nargs(call) > 1 ? plm_arg_data(call, 0, &bytes) : NULL;
	if (bytes >= sizeof head)
		memcpy(&head, value, sizeof head);
	if (bytes != sizeof head + sizeof(struct tiny_model) || head.kind != RAG_MODEL ||
	    head.rows != TINY_LAYERS || head.dim != TINY_DIM)
		return plm_fail(call, EPROTO,
		    "argument 0 is no model of %d layers: it was cut, or is of another "
		    "architecture",
		    TINY_LAYERS);
	for (size_t i = 2; i < plm_nargs(call); i++) {
		const void *state = plm_arg_data(call, i, &bytes);
		if (!tiny_past_add(past, state, bytes, head.maker))
			return plm_fail(call, EPROTO, "argument %zu is no state of this model", i);
	}
	*ret_model = (const void *)(value + sizeof head);
	*ret_maker = head.maker;
	return 0;
}

/* MODEL TEXT STATE...: the state after a text. MODEL COUNT STATE...: with further tokens. */
static int run_model(plm_call *call, const char *text, uint32_t tokens)
{
	struct tiny_past past = { .states = 0 };
	const struct tiny_model *weights = NULL;
	uint64_t maker = 0;
	int r = take_past(call, &past, &weights, &maker);
	if (r != 0)
		return r;
	if (tokens == 0)
		return plm_fail(call, EINVAL, "a state has at least a token");
	if (tokens > TINY_CONTEXT || past.tokens > TINY_CONTEXT - tokens)
		return plm_fail(call, E2BIG, "%u tokens are more than the context of %d",
		    past.tokens + tokens, TINY_CONTEXT);
	void *out = room(call, tiny_state_bytes(tokens));
	if (!out)
		return ENOSPC;
	if (!tiny_run(weights, &past, text, tokens, maker, out, asked_to_stop, call))
		return plm_fail(call, ECANCELED, "cancelled");
	return 0;
}

static int prefill(plm_call *call)
{
	size_t bytes = 0;
	const char *text = plm_nargs(call) > 1 ? plm_arg_data(call, 1, &bytes) : NULL;
	return run_model(call, text, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes);
}

static int generate(plm_call *call)
{
	uint32_t count;
	if (!take(call, 1, &count, sizeof count, "number of tokens"))
		return EINVAL;
	if (plm_nargs(call) < 3)
		return plm_fail(call, EINVAL, "there is no state to go on from");
	return run_model(call, NULL, count);
}

PLM_MODULE(rag, { "split", split, "ORDER DOCUMENT...: pieces of documents" },
    { "embed", embed_text, "TEXT MATRIX: a vector" },
    { "index", index_pieces, "PIECES: the matrix of their vectors" },
    { "lists", make_lists, "ORDER MATRIX: lists of near vectors" },
    { "search", search_matrix, "ORDER MATRIX VECTOR [LISTS]: the nearest vectors" },
    { "model", model, "SEED: the weights of a small transformer" },
    { "prefill", prefill, "MODEL TEXT STATE...: the state after a text" },
    { "generate", generate, "MODEL COUNT STATE...: the state after further tokens" });
