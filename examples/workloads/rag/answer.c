/* answer.c - one question, from its text to the last token of its answer.
 *
 * Each token is a task of its own, which has the states before as arguments: the tasks of an answer
 * are a chain. So the client sees each token when it is there, a killed worker costs one token, and
 * the chain may move from worker to worker; nothing is copied on the way. */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "tiny.h"

enum { FOREGROUND = 100, ANSWER_TOKENS_MAX = 256, ANSWER_STATES = TREE_DEPTH + 2 };

struct chain {
	const struct tree *tree;
	plm_arg args[2 + ANSWER_STATES + ANSWER_TOKENS_MAX];
	size_t nargs;
	plm_ref token[ANSWER_TOKENS_MAX], state;
};

/* PLM_TIED: a client that leaves takes its answer along. */
static plm_ref submit(const struct chain *c, const char *function)
{
	plm_ref ref;
	plm_task task = { .function = function,
		.args = c->args,
		.nargs = c->nargs,
		.priority = FOREGROUND,
		.flags = PLM_TIED,
		.crash_retries = WORKLOAD_CRASH_RETRIES };
	workload_must(plm_submit(c->tree->corpus->w->rt, &task, &ref), function);
	return ref;
}

/* The state after the question: behind the states of its path, or, without reuse and when the
 * states do not fit, behind nothing: then the task reads system text, pieces and question anew. */
static void begin(
    struct chain *c, struct tree *t, const char *question, const struct path *path, bool reuse)
{
	plm_ref states[TREE_DEPTH + 1];
	size_t bytes = strlen(t->system) + strlen(question) + 1;
	for (uint32_t i = 0; i < path->n; i++)
		bytes += t->corpus->piece[path->piece[i]].bytes;
	char *prompt = malloc(bytes), *at = prompt;
	if (!prompt)
		workload_fail("out of memory");
	c->tree = t;
	c->args[0] = PLM_FUTURE(t->corpus->model);
	c->nargs = 2;
	uint32_t n = reuse ? tree_want(t, path->piece, path->n, states) : 0;
	for (uint32_t i = 0; i < n; i++)
		c->args[c->nargs++] = PLM_FUTURE(states[i]);
	if (n == 0) {
		at = stpcpy(at, t->system);
		for (uint32_t i = 0; i < path->n; i++) {
			const struct rag_piece *p = &t->corpus->piece[path->piece[i]];
			memcpy(at, t->corpus->texts + p->at, p->bytes);
			at += p->bytes;
		}
	}
	at = stpcpy(at, question);
	c->args[1] = PLM_BYTES(prompt, (size_t)(at - prompt));
	c->state = submit(c, "rag.prefill");
	c->args[c->nargs++] = PLM_FUTURE(c->state);
	free(prompt);
}

/* Submits the rest of the answer; each task needs the token before. */
static void go_on(struct chain *c, uint32_t tokens)
{
	uint32_t one = 1;
	c->args[1] = PLM_BYTES(&one, sizeof one);
	for (uint32_t i = 0; i < tokens; i++) {
		c->token[i] = submit(c, "rag.generate");
		c->args[c->nargs++] = PLM_FUTURE(c->token[i]);
	}
}

/* The first token comes next after the state of the question, and is the text of the first task. */
static char first_token(const struct chain *c)
{
	plm_view view;
	workload_get(c->tree->corpus->w, c->state, &view);
	const struct rag_head *head = view.data;
	char token = (char)(' ' + (int)head->more);
	plm_release(c->tree->corpus->w->rt, &view);
	return token;
}

void answer_question(struct tree *t, const char *question, const struct answer_options *options,
    struct answer *ret, char *text)
{
	static struct chain chain;
	const struct workload *w = t->corpus->w;
	uint32_t tokens = options->tokens < ANSWER_TOKENS_MAX ? options->tokens : ANSWER_TOKENS_MAX;
	uint32_t pieces[CORPUS_HITS_MAX];
	double start = workload_now();
	*ret = (struct answer){ .tokens = 0 };
	uint32_t hits = options->hits < PREDICT_DEPTH ? options->hits : PREDICT_DEPTH;
	ret->path.n =
	    corpus_search(t->corpus, question, strlen(question), hits, options->probes, pieces);
	memcpy(ret->path.piece, pieces, ret->path.n * sizeof pieces[0]);
	begin(&chain, t, question, &ret->path, options->reuse);
	go_on(&chain, tokens);
	text[0] = first_token(&chain);
	ret->first_s = workload_now() - start;
	bool stays = !options->token || options->token(text[0], options->context);
	for (uint32_t i = 0; stays && i < tokens; i++) {
		plm_view view;
		if (i < options->kills)
			workload_kill_worker(w);
		workload_get(w, chain.token[i], &view);
		text[i] = tiny_text(view.data)[0];
		plm_release(w->rt, &view);
		ret->tokens++;
		stays = i == 0 || !options->token || options->token(text[i], options->context);
	}
	text[ret->tokens] = 0;
	ret->all_s = workload_now() - start;
	plm_drop_many(w->rt, chain.token, tokens);
	plm_drop(w->rt, chain.state);
	tree_unpin(t);
}

static bool goes_on(void *context)
{
	(void)context;
	return false;
}

/* Runs a text, or a token, and appends the state to the past. The caller frees the states. */
static void run_here(const struct tiny_model *model, struct tiny_past *past, const char *text,
    uint32_t n, uint64_t maker)
{
	void *state = malloc(tiny_state_bytes(n));
	if (!state || !tiny_run(model, past, text, n, maker, state, goes_on, NULL) ||
	    !tiny_past_add(past, state, tiny_state_bytes(n), maker))
		workload_fail("the model does not run here");
}

void answer_here(const struct tree *t, const char *question, const struct path *path,
    uint32_t tokens, char *text)
{
	static struct tiny_past past;
	const struct corpus *c = t->corpus;
	plm_view view;
	workload_get(c->w, c->model, &view);
	const struct rag_head *head = view.data;
	const void *weights = head + 1;
	past = (struct tiny_past){ .states = 0 };
	run_here(weights, &past, t->system, (uint32_t)strlen(t->system), head->maker);
	for (uint32_t i = 0; i < path->n; i++) {
		const struct rag_piece *p = &c->piece[path->piece[i]];
		run_here(weights, &past, c->texts + p->at, p->bytes, head->maker);
	}
	run_here(weights, &past, question, (uint32_t)strlen(question), head->maker);
	for (uint32_t i = 0; i < tokens; i++) {
		run_here(weights, &past, NULL, 1, head->maker);
		text[i] = tiny_text(past.state[past.states - 1])[0];
	}
	text[tokens] = 0;
	plm_release(c->w->rt, &view);
	for (uint32_t i = 0; i < past.states; i++) {
		union {
			const void *read;
			void *own;
		} state = { past.state[i] };
		free(state.own);
	}
}
