/* client_rag.c - questions to documents: pieces, search, a model with states, predictors.
 *
 *	rag check                      small and seeded; kills, wrong values, a client that leaves
 *	rag measure QUESTIONS FILE...  figures over these documents
 *	rag policies QUESTIONS FILE... each policy, on workers of three generations
 *	rag ask QUESTION FILE...       one answer, token by token; the pieces on stderr
 *
 * A wrong result ends the program with exit code 1. The text of an answer is nonsense: the model
 *has seeded weights. Costs and states are real. rag.py answers by a real model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment.h"
#include "search.h"
#include "tiny.h"

enum { PIECE_BYTES = 600, MODEL_SEED = 9, ANSWER_TOKENS = 48, CHECK_DOCUMENTS = 6 };

/* Earlier questions that the predictors know: some for each piece of the project's pages. With the
 * slow workers of `policies` each search takes milliseconds. */
enum { LEARNED = 3000, LEARNED_BY_POLICY = 240 };

#define MEASURE_BUDGET ((uint64_t)30 << 20)

static const char system_text[] =
    "You answer questions about documents. Use the documents below and nothing else. If the "
    "documents do not tell the answer, say so. Answer in two sentences.\n\n";

/* ---- checks ---- */

static plm_ref submit(const struct workload *w, const char *function, plm_arg *args, size_t n)
{
	plm_ref ref;
	plm_task task = { .function = function, .args = args, .nargs = n };
	workload_must(plm_submit(w->rt, &task, &ref), function);
	return ref;
}

/* The task must fail, with these words. */
static void expect(
    const struct workload *w, const char *function, plm_arg *args, size_t n, const char *words)
{
	plm_failure failure;
	plm_ref ref = submit(w, function, args, n);
	workload_wait(w, &ref, 1, 1);
	int r = plm_error(w->rt, ref, &failure);
	if (r < 0 || !strstr(failure.message, words))
		workload_fail("%s: \"%s\" was expected, not \"%s\"", function, words,
		    r < 0 ? plm_why() : failure.message);
	plm_drop(w->rt, ref);
}

static void check_wrong_values(const struct corpus *c)
{
	static char text[TINY_CONTEXT + 1];
	const struct workload *w = c->w;
	struct rag_head head = { RAG_MATRIX, 1, 2, 0, 77 }; /* another model's vector */
	struct {
		struct rag_head head;
		float number[2];
	} foreign = { head, { 1, 0 } };
	struct rag_split_order split = { 100 };
	struct rag_search_order order = { 3, 0 };
	uint64_t other = MODEL_SEED + 1;
	plm_arg seed = PLM_BYTES(&other, sizeof other);
	plm_ref model = submit(w, "rag.model", &seed, 1), state;
	memset(text, 'a', sizeof text);
	expect(w, "rag.split", (plm_arg[]){ PLM_BYTES(&split, sizeof split), PLM_BYTES("", 0) }, 2,
	    "the corpus is empty");
	expect(w, "rag.search",
	    (plm_arg[]){ PLM_BYTES(&order, sizeof order), PLM_FUTURE(c->matrix),
		PLM_BYTES(&foreign, sizeof foreign) },
	    3, "another model than the index");
	expect(w, "rag.search",
	    (plm_arg[]){
		PLM_BYTES(&order, sizeof order), PLM_FUTURE(c->matrix), PLM_FUTURE(c->model) },
	    3, "no matrix of vectors");
	expect(w, "rag.prefill", (plm_arg[]){ PLM_FUTURE(c->matrix), PLM_BYTES("x", 1) }, 2,
	    "of another architecture");
	expect(w, "rag.prefill", (plm_arg[]){ PLM_FUTURE(c->model), PLM_BYTES(text, sizeof text) },
	    2, "more than the context");
	plm_arg args[] = { PLM_FUTURE(c->model), PLM_BYTES("abc", 3) };
	state = submit(w, "rag.prefill", args, 2);
	expect(w, "rag.prefill",
	    (plm_arg[]){ PLM_FUTURE(model), PLM_BYTES("x", 1), PLM_FUTURE(state) }, 3,
	    "no state of this model");
	plm_drop(w->rt, state);
	plm_drop(w->rt, model);
}

/* Every answer must be that of one loop in this process, with states or without, with kills. */
static void check_answers(struct tree *t)
{
	static const char *const questions[] = { "what is hot?", "bada gefu", "", "x" };
	char text[ANSWER_TOKENS + 1], right[ANSWER_TOKENS + 1];
	for (size_t i = 0; i < 3 * sizeof questions / sizeof questions[0]; i++) {
		const char *question = questions[i / 3];
		struct answer a;
		struct answer_options options = { .hits = 2,
			.probes = i % 2 ? 2 : 0,
			.tokens = 12,
			.reuse = i % 3 != 0,
			.kills = i % 3 == 2 ? 2 : 0 };
		if (!question[0])
			question = "?";
		answer_question(t, question, &options, &a, text);
		answer_here(t, question, &a.path, options.tokens, right);
		if (strcmp(text, right) != 0)
			workload_fail("\"%s\" (%s): \"%s\", not \"%s\"", question,
			    options.reuse ? "reuse" : "no reuse", text, right);
	}
}

static bool leave_after(char token, void *context)
{
	uint32_t *left = context;
	(void)token;
	return --*left > 0;
}

/* A client that leaves: the rest of its answer is cancelled, and the runtime is idle again. */
static void check_leaving(struct tree *t)
{
	const struct workload *w = t->corpus->w;
	char text[257];
	uint32_t left = 2;
	struct answer a;
	struct answer_options options = {
		.hits = 1, .tokens = 256, .reuse = true, .token = leave_after, .context = &left
	};
	answer_question(t, "who leaves?", &options, &a, text);
	workload_must(plm_wait_all(w->rt, WORKLOAD_PATIENCE_MS), "plm_wait_all");
	plm_status status;
	workload_must(plm_sync(w->rt), "plm_sync");
	workload_must(plm_status_get(w->rt, &status), "plm_status_get");
	if (a.tokens >= 256 || status.ready + status.running + status.waiting > 0)
		workload_fail("%u tokens for a client that left, %llu tasks go on", a.tokens,
		    (unsigned long long)(status.ready + status.running + status.waiting));
}

static void run_check(void)
{
	static struct tree tree;
	struct workload w;
	struct corpus c;
	plm_ref documents[CHECK_DOCUMENTS];
	workload_boot(
	    &w, &(struct workload_options){ .workers = "2", .store = "64M", .module = "rag" });
	for (uint32_t i = 0; i < CHECK_DOCUMENTS; i++)
		documents[i] = corpus_seeded(&w, i + 1, 1200);
	corpus_open(&c, &w, documents, CHECK_DOCUMENTS, 160, MODEL_SEED);
	check_wrong_values(&c);
	experiment_search(&c, 20, false);
	tree_open(&tree, &c, system_text, 1); /* no state fits */
	check_answers(&tree);
	tree_close(&tree);
	tree_open(&tree, &c, system_text, 2 << 20); /* some ten states, a tenth of all paths */
	check_answers(&tree);
	check_leaving(&tree);
	experiment_reuse(&tree, 3, false);
	experiment_run(&tree,
	    &(struct experiment){
		.law = { 40, 3, 6, 300, 500, 1 }, .learned = 16, .tokens = 4, .think_ms = 1 });
	tree_close(&tree);
	corpus_close(&c);
	workload_end(&w);
	printf("rag: all results are right\n");
}

/* ---- documents of files ---- */

static void open_files(struct workload *w, const struct workload_options *options, struct corpus *c,
    char **paths, size_t n)
{
	plm_ref *documents = calloc(n, sizeof *documents);
	if (!documents || n == 0)
		workload_fail("which documents? Give files");
	workload_boot(w, options);
	for (size_t i = 0; i < n; i++)
		documents[i] = workload_put_file(w, paths[i]);
	corpus_open(c, w, documents, n, PIECE_BYTES, MODEL_SEED);
	free(documents);
}

static const struct workload_options plain = { .module = "rag" };

static void run_measure(uint32_t questions, char **paths, size_t n)
{
	static struct tree tree;
	struct workload w;
	struct corpus c;
	double begin = workload_now(), states = 0;
	open_files(&w, &plain, &c, paths, n);
	workload_row((workload_now() - begin) * 1e3, "ms", "rag, boot, pieces, vectors, lists");
	for (uint32_t i = 0; i < c.n; i++)
		states += (double)tiny_state_bytes(c.piece[i].bytes);
	workload_row(
	    states / (double)MEASURE_BUDGET, "x", "rag, states of all pieces, of the budget");
	experiment_search(&c, 50, true);
	struct experiment e = { .law = { LEARNED + questions, 4, 12, 300, 500, 1 },
		.learned = LEARNED,
		.tokens = ANSWER_TOKENS,
		.think_ms = 400,
		.show = true };
	tree_open(&tree, &c, system_text, MEASURE_BUDGET);
	experiment_predict(&c, &e);
	experiment_reuse(&tree, 15, true);
	experiment_run(&tree, &e);
	tree_close(&tree);
	corpus_close(&c);
	workload_end(&w);
}

/* A delay before each task plays the slower hardware; each token is a task. */
static void run_policies(uint32_t questions, char **paths, size_t n)
{
	static const char *const policies[] = { "locality", "load-aware", "power-of-two",
		"round-robin", "random", "static-fill" };
	static struct tree tree;
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		struct workload w;
		struct corpus c;
		struct workload_options options = { .workers = "gen=4 x1; gen=2 x1; gen=1 x1",
			.inject = "gen=2: delay=1ms@100%; gen=1: delay=4ms@100%",
			.policy = policies[i],
			.module = "rag" };
		struct experiment e = { .law = { LEARNED_BY_POLICY + questions, 4, 12, 300, 500,
					    1 },
			.learned = LEARNED_BY_POLICY,
			.tokens = ANSWER_TOKENS,
			.think_ms = 100 };
		open_files(&w, &options, &c, paths, n);
		tree_open(&tree, &c, system_text, MEASURE_BUDGET);
		experiment_policy(&tree, &e, policies[i]);
		tree_close(&tree);
		corpus_close(&c);
		workload_end(&w);
	}
}

static bool print_token(char token, void *context)
{
	(void)context;
	putchar(token);
	return fflush(stdout) == 0;
}

static void run_ask(const char *question, char **paths, size_t n)
{
	static struct tree tree;
	struct workload w;
	struct corpus c;
	struct answer a;
	char text[ANSWER_TOKENS + 1];
	struct answer_options options = {
		.hits = 2, .tokens = ANSWER_TOKENS, .reuse = true, .token = print_token
	};
	open_files(&w, &plain, &c, paths, n);
	tree_open(&tree, &c, system_text, MEASURE_BUDGET);
	answer_question(&tree, question, &options, &a, text);
	printf("\n");
	for (uint32_t i = 0; i < a.path.n; i++) {
		const struct rag_piece *p = &c.piece[a.path.piece[i]];
		fprintf(stderr, "  from %s, byte %u: %.50s...\n", paths[p->document], p->offset,
		    c.texts + p->at);
	}
	tree_close(&tree);
	corpus_close(&c);
	workload_end(&w);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "check";
	if (strcmp(mode, "check") == 0)
		run_check();
	else if (strcmp(mode, "measure") == 0 && argc > 3)
		run_measure(
		    (uint32_t)workload_number("QUESTIONS", argv[2]), argv + 3, (size_t)argc - 3);
	else if (strcmp(mode, "policies") == 0 && argc > 3)
		run_policies(
		    (uint32_t)workload_number("QUESTIONS", argv[2]), argv + 3, (size_t)argc - 3);
	else if (strcmp(mode, "ask") == 0 && argc > 3)
		run_ask(argv[2], argv + 3, (size_t)argc - 3);
	else
		workload_fail(
		    "there are check, measure or policies QUESTIONS FILE..., ask QUESTION "
		    "FILE..., not \"%s\"",
		    mode);
	return 0;
}
