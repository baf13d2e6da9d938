/* corpus.c - documents as values of the store. */
#include "corpus.h"

#include <stdlib.h>
#include <string.h>

#include "search.h"
#include "text.h"

enum { FOREGROUND = 100, SEED_LISTS = 5, LIST_ROUNDS = 6 };

plm_ref corpus_seeded(const struct workload *w, uint64_t seed, uint32_t bytes)
{
	plm_ref ref;
	void *data;
	workload_must(plm_create(w->rt, bytes, &data, &ref), "a seeded document");
	text_make(&(struct text_order){ .seed = seed, .bytes = bytes }, data);
	workload_must(plm_seal(w->rt, ref), "a seeded document");
	return ref;
}

static plm_ref submit(
    const struct corpus *c, const char *function, const plm_arg *args, size_t nargs)
{
	plm_ref ref;
	plm_task task = { .function = function,
		.args = args,
		.nargs = nargs,
		.priority = FOREGROUND,
		.crash_retries = WORKLOAD_CRASH_RETRIES };
	workload_must(plm_submit(c->w->rt, &task, &ref), function);
	return ref;
}

/* Square root of the pieces: as many centres to look at as vectors in a list. */
static uint32_t lists_for(uint32_t pieces)
{
	uint32_t n = 1;
	while (n * n < pieces)
		n++;
	return n;
}

/* The neighbours of each piece, in this process, from the matrix in the store. */
static void find_near(struct corpus *c)
{
	plm_view view;
	struct matrix matrix;
	struct rag_hit hits[CORPUS_NEAR + 1];
	workload_get(c->w, c->matrix, &view);
	c->near = calloc(c->n, sizeof *c->near);
	if (!c->near || !matrix_of(view.data, view.len, &matrix))
		workload_fail("no memory for neighbours, or no matrix");
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t found = search(
		    &matrix, NULL, 0, matrix.row + (size_t)i * matrix.dim, CORPUS_NEAR + 1, hits);
		for (uint32_t k = 0, n = 0; n < CORPUS_NEAR; k++)
			if (k >= found)
				c->near[i][n++] = i; /* a corpus of a few pieces */
			else if (hits[k].row != i)
				c->near[i][n++] = hits[k].row;
	}
	plm_release(c->w->rt, &view);
}

void corpus_open(struct corpus *ret, const struct workload *w, const plm_ref *documents, size_t n,
    uint32_t piece_bytes, uint64_t model_seed)
{
	struct corpus *c = ret;
	struct rag_split_order split = { piece_bytes };
	plm_arg *args = calloc(1 + n, sizeof *args);
	if (!args)
		workload_fail("out of memory");
	*c = (struct corpus){ .w = w };
	args[0] = PLM_BYTES(&split, sizeof split);
	for (size_t i = 0; i < n; i++)
		args[1 + i] = PLM_FUTURE(documents[i]);
	c->pieces = submit(c, "rag.split", args, 1 + n);
	free(args);
	plm_arg pieces = PLM_FUTURE(c->pieces), seed = PLM_BYTES(&model_seed, sizeof model_seed);
	c->matrix = submit(c, "rag.index", &pieces, 1);
	c->model = submit(c, "rag.model", &seed, 1);
	workload_get(w, c->pieces, &c->view);
	plm_drop_many(w->rt, documents, n);
	const struct rag_head *head = c->view.data;
	c->n = head->rows;
	if (c->n > CORPUS_PIECES_MAX)
		workload_fail(
		    "%u pieces, more than %d: make the pieces larger", c->n, CORPUS_PIECES_MAX);
	const void *pieces_at = head + 1;
	c->piece = pieces_at;
	c->texts = (const char *)(c->piece + c->n);
	struct rag_lists_order order = { lists_for(c->n), LIST_ROUNDS, SEED_LISTS };
	plm_arg lists[] = { PLM_BYTES(&order, sizeof order), PLM_FUTURE(c->matrix) };
	c->lists = submit(c, "rag.lists", lists, 2);
	find_near(c);
}

void corpus_close(struct corpus *c)
{
	plm_ref all[] = { c->pieces, c->matrix, c->lists, c->model };
	plm_release(c->w->rt, &c->view);
	plm_drop_many(c->w->rt, all, sizeof all / sizeof all[0]);
	free(c->near);
	*c = (struct corpus){ 0 };
}

uint32_t corpus_search(const struct corpus *c, const char *text, size_t bytes, uint32_t hits,
    uint32_t probes, uint32_t *ret)
{
	struct rag_search_order order = { hits, probes };
	plm_arg words[] = { PLM_BYTES(text, bytes), PLM_FUTURE(c->matrix) };
	plm_ref vector = submit(c, "rag.embed", words, 2);
	plm_arg args[] = { PLM_BYTES(&order, sizeof order), PLM_FUTURE(c->matrix),
		PLM_FUTURE(vector), PLM_FUTURE(c->lists) };
	plm_ref found = submit(c, "rag.search", args, probes ? 4 : 3);
	plm_view view;
	workload_get(c->w, found, &view);
	const struct rag_head *head = view.data;
	const void *hits_at = head + 1;
	const struct rag_hit *hit = hits_at;
	uint32_t n = head->rows;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = hit[i].row;
	plm_release(c->w->rt, &view);
	plm_drop(c->w->rt, vector);
	plm_drop(c->w->rt, found);
	return n;
}
