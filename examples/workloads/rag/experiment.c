/* experiment.c - sessions of questions, without reuse, with reuse, and with each predictor. */
#include "experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tiny.h"

enum { HITS = 2, PROBES = 6, TEXT_BYTES = 512, ROUNDS_MAX = 99, SEARCH_HITS = 5, PREFETCHED = 6 };

static const struct answer_options plain = { .hits = HITS, .probes = PROBES, .reuse = true };

/* ---- one way ---- */

struct run {
	double *first, rate; /* seconds until the first token, of each question; tokens a second */
	double mean_s, waited_s;
	uint64_t texts; /* a hash of all answers */
	struct tree_figures figures;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/* The reader's pause. */
static void think(uint32_t ms)
{
	struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
	nanosleep(&pause, NULL);
}

static void prefetch(struct tree *t, const struct seen *s, const struct prediction *p,
    uint32_t session, const struct path *next)
{
	struct path likely[PREDICT_MOST];
	uint32_t n = p->predict(s, session, next, likely);
	for (uint32_t i = 0; i < n && i < PREFETCHED; i++)
		tree_prefetch(t, likely[i].piece, likely[i].n);
}

/* next[i]: the question after question i in its session, or the number of questions. */
static uint32_t *next_of(const struct question *q, uint32_t n)
{
	uint32_t *next = calloc(n, sizeof *next);
	if (!next)
		workload_fail("out of memory");
	for (uint32_t i = 0; i < n; i++)
		for (next[i] = i + 1; next[i] < n && q[next[i]].session != q[i].session;)
			next[i]++;
	return next;
}

static void run_way(struct tree *t, const struct experiment *e, const struct question *q,
    const struct prediction *p, const struct path *path, struct run *ret)
{
	struct seen seen;
	char text[TEXT_BYTES];
	double tokens = 0, seconds = 0;
	uint32_t *next = next_of(q, e->law.questions);
	struct answer_options options = plain;
	options.reuse = p != NULL;
	options.tokens = e->tokens;
	seen_open(&seen, t->corpus);
	tree_clear(t);
	ret->texts = 1;
	ret->mean_s = 0;
	for (uint32_t i = 0; i < e->learned; i++)
		seen_add(&seen, q[i].session, &path[i]);
	for (uint32_t i = e->learned; i < e->law.questions; i++) {
		struct answer a;
		answer_question(t, q[i].text, &options, &a, text);
		ret->first[i - e->learned] = a.first_s;
		ret->mean_s += a.first_s / (e->law.questions - e->learned);
		ret->texts = hash_text(ret->texts, text);
		tokens += a.tokens - 1;
		seconds += a.all_s - a.first_s;
		seen_add(&seen, q[i].session, &a.path);
		if (p)
			prefetch(t, &seen, p, q[i].session,
			    next[i] < e->law.questions ? &path[next[i]] : NULL);
		think(e->think_ms);
	}
	ret->rate = tokens / seconds;
	ret->figures = t->figures;
	for (uint32_t i = 1; i < TREE_NODES; i++)
		if (t->node[i].name && t->node[i].prefetched &&
		    plm_outcome(t->corpus->w->rt, t->node[i].state) == 0)
			ret->figures.wasted_bytes += t->node[i].bytes;
	free(next);
	seen_close(&seen);
}

/* ---- rows ---- */

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

static void show_way(const char *name, const struct experiment *e, struct run *r)
{
	const struct tree_figures *f = &r->figures;
	uint32_t n = e->law.questions - e->learned;
	double p50 = workload_median(r->first, n); /* sorts */
	workload_row(p50 * 1e3, "ms", "rag, %s: first token p50", name);
	workload_row(
	    r->first[(n * 99 + 99) / 100 - 1] * 1e3, "ms", "rag, %s: first token p99", name);
	workload_row(r->mean_s * 1e3, "ms", "rag, %s: first token mean", name);
	workload_row(r->rate, "1/s", "rag, %s: tokens", name);
	workload_row(share(f->found, f->wanted), "share", "rag, %s: states found", name);
	workload_row(share(f->used, f->prefetched), "share", "rag, %s: prefetches used", name);
	workload_row((double)f->prefetched, "count", "rag, %s: prefetches", name);
	workload_row((double)f->cancelled, "count", "rag, %s: prefetches cancelled", name);
	workload_row((double)f->wasted_bytes / 1e6, "MB", "rag, %s: prefetched in vain", name);
	workload_row((double)f->bytes_most / 1e6, "MB", "rag, %s: states, at most", name);
}

/* gain: the part of the oracle's gain in mean time to the first token, both beside reuse alone. No
 * row if the oracle gains nothing, as on a machine that is busy with other work. */
static void show_gain(const struct prediction *p, const struct run *r, double none, double oracle)
{
	for (uint32_t i = 0; p[i].name && oracle < none; i++)
		workload_row((none - r[i].mean_s) / (none - oracle), "share",
		    "rag, %s: part of the oracle's gain", p[i].name);
}

static void find_paths(
    const struct corpus *c, const struct question *q, uint32_t n, struct path *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t pieces[CORPUS_HITS_MAX];
		ret[i].n = corpus_search(c, q[i].text, strlen(q[i].text), HITS, PROBES, pieces);
		memcpy(ret[i].piece, pieces, ret[i].n * sizeof pieces[0]);
	}
}

/* Of the next question of the session: 2 the path was named, 1 its first piece, 0 neither. */
static int named(const struct path *likely, uint32_t n, const struct path *next)
{
	int best = 0;
	for (uint32_t i = 0; i < n && i < PREFETCHED; i++) {
		bool first = likely[i].n && likely[i].piece[0] == next->piece[0];
		bool all = first && likely[i].n == next->n &&
		    memcmp(likely[i].piece, next->piece, next->n * sizeof next->piece[0]) == 0;
		best = all ? 2 : first && best < 1 ? 1 : best;
	}
	return best;
}

static void show_named(const struct corpus *c, const struct experiment *e, const struct question *q,
    const struct path *path, const struct prediction *p)
{
	struct seen seen;
	uint32_t n = e->law.questions, *next = next_of(q, n), asked = 0, first = 0, all = 0;
	seen_open(&seen, c);
	for (uint32_t i = 0; i < n; i++) {
		struct path likely[PREDICT_MOST];
		seen_add(&seen, q[i].session, &path[i]);
		if (i < e->learned || next[i] == n)
			continue;
		uint32_t found = p->predict(&seen, q[i].session, &path[next[i]], likely);
		int best = named(likely, found, &path[next[i]]);
		asked++;
		first += best >= 1;
		all += best == 2;
	}
	workload_row(share(first, asked), "share", "rag, %s: next first piece named", p->name);
	workload_row(share(all, asked), "share", "rag, %s: next path named", p->name);
	free(next);
	seen_close(&seen);
}

void experiment_predict(const struct corpus *c, const struct experiment *e)
{
	uint32_t n = e->law.questions, right = 0;
	struct question *q = calloc(n, sizeof *q);
	struct path *path = calloc(n, sizeof *path);
	if (!q || !path)
		workload_fail("out of memory");
	sessions_make(c, &e->law, q);
	find_paths(c, q, n, path);
	for (uint32_t i = 0; i < n; i++)
		right += path[i].n && path[i].piece[0] == q[i].piece;
	workload_row(share(right, n), "share", "rag, questions: the piece meant is found first");
	for (const struct prediction *p = predictions; p->name; p++)
		show_named(c, e, q, path, p);
	free(path);
	free(q);
}

void experiment_run(struct tree *t, const struct experiment *e)
{
	enum { WAYS_MAX = 8 };
	uint32_t n = e->law.questions, ways = 0;
	struct question *q = calloc(n, sizeof *q);
	struct path *path = calloc(n, sizeof *path);
	struct run none = { .first = calloc(n, sizeof(double)) }, run[WAYS_MAX];
	double reuse = 0, oracle = 0;
	if (!q || !path || !none.first)
		workload_fail("out of memory");
	sessions_make(t->corpus, &e->law, q);
	find_paths(t->corpus, q, n, path);
	run_way(t, e, q, NULL, path, &none);
	if (e->show)
		show_way("no reuse", e, &none);
	for (; predictions[ways].name && ways < WAYS_MAX; ways++) {
		const char *name = predictions[ways].name;
		run[ways] = (struct run){ .first = calloc(n, sizeof(double)) };
		if (!run[ways].first)
			workload_fail("out of memory");
		run_way(t, e, q, &predictions[ways], path, &run[ways]);
		if (run[ways].texts != none.texts)
			workload_fail("predictor %s: other answers than without reuse", name);
		if (run[ways].figures.bytes_most > t->budget)
			workload_fail("predictor %s: more states than the budget", name);
		if (strcmp(name, "none") == 0)
			reuse = run[ways].mean_s;
		if (strcmp(name, "oracle") == 0)
			oracle = run[ways].mean_s;
		if (e->show)
			show_way(name, e, &run[ways]);
	}
	if (e->show)
		show_gain(predictions, run, reuse, oracle);
	for (uint32_t i = 0; i < ways; i++)
		free(run[i].first);
	free(none.first);
	free(path);
	free(q);
}

void experiment_policy(struct tree *t, const struct experiment *e, const char *policy)
{
	uint32_t n = e->law.questions;
	struct question *q = calloc(n, sizeof *q);
	struct path *path = calloc(n, sizeof *path);
	struct run run = { .first = calloc(n, sizeof(double)) };
	const struct prediction *p = predictions;
	if (!q || !path || !run.first)
		workload_fail("out of memory");
	while (strcmp(p->name, "markov") != 0)
		p++;
	sessions_make(t->corpus, &e->law, q);
	find_paths(t->corpus, q, n, path);
	run_way(t, e, q, p, path, &run);
	workload_row(run.mean_s * 1e3, "ms", "rag, policy %s: first token mean", policy);
	workload_row(run.rate, "1/s", "rag, policy %s: tokens", policy);
	free(run.first);
	free(path);
	free(q);
}

/* ---- one question ---- */

/* The seconds of a task: `text` behind these states. */
static double time_prefill(
    const struct corpus *c, const char *text, size_t bytes, const plm_ref *states, uint32_t n)
{
	plm_arg args[2 + TREE_DEPTH + 1] = { PLM_FUTURE(c->model), PLM_BYTES(text, bytes) };
	plm_ref ref;
	for (uint32_t i = 0; i < n; i++)
		args[2 + i] = PLM_FUTURE(states[i]);
	plm_task task = { .function = "rag.prefill", .args = args, .nargs = 2 + n };
	double begin = workload_now();
	workload_must(plm_submit(c->w->rt, &task, &ref), "rag.prefill");
	workload_wait(c->w, &ref, 1, 1);
	double took = workload_now() - begin;
	plm_drop(c->w->rt, ref);
	return took;
}

void experiment_reuse(struct tree *t, uint32_t rounds, bool show)
{
	double without[ROUNDS_MAX], with[ROUNDS_MAX], whole[ROUNDS_MAX], one[ROUNDS_MAX];
	const struct corpus *c = t->corpus;
	char text[TEXT_BYTES], other[TEXT_BYTES], question[QUESTION_BYTES];
	struct answer_options options = plain;
	options.tokens = 1;
	for (uint32_t r = 0; r < rounds && r < ROUNDS_MAX; r++) {
		struct answer a;
		plm_ref states[TREE_DEPTH + 1];
		const struct rag_piece *p = &c->piece[r * 37 % c->n];
		snprintf(question, sizeof question, "%.30s?", c->texts + p->at);
		options.reuse = false;
		answer_question(t, question, &options, &a, text);
		without[r] = a.first_s;
		options.reuse = true;
		answer_question(t, question, &options, &a, other); /* computes the states */
		answer_question(t, question, &options, &a, other);
		with[r] = a.first_s;
		if (strcmp(text, other) != 0)
			workload_fail("\"%s\" is answered otherwise with states", question);
		uint32_t n = tree_want(t, a.path.piece, a.path.n, states);
		p = &c->piece[a.path.piece[a.path.n - 1]];
		whole[r] = time_prefill(c, c->texts + p->at, p->bytes, states, n - 1);
		one[r] = time_prefill(c, "?", 1, states, n);
		tree_unpin(t);
	}
	if (!show)
		return;
	double cold = workload_median(without, rounds), warm = workload_median(with, rounds);
	workload_row(cold * 1e3, "ms", "rag, one question: first token, no state");
	workload_row(warm * 1e3, "ms", "rag, one question: first token, states in the store");
	workload_row(cold / warm, "x", "rag, one question: shorter by states");
	workload_row(workload_median(one, rounds) / workload_median(whole, rounds), "x",
	    "rag, a task behind a state, of the state's own prefill");
}

/* ---- search ---- */

static double time_search(const struct corpus *c, const char *text, size_t bytes, uint32_t probes,
    uint32_t *hits, uint32_t *n)
{
	double begin = workload_now();
	*n = corpus_search(c, text, bytes, SEARCH_HITS, probes, hits);
	return workload_now() - begin;
}

void experiment_search(const struct corpus *c, uint32_t rounds, bool show)
{
	double exact[ROUNDS_MAX], lists[ROUNDS_MAX];
	uint32_t wanted = 0, found = 0;
	for (uint32_t r = 0; r < rounds && r < ROUNDS_MAX; r++) {
		const struct rag_piece *p = &c->piece[r * 53 % c->n];
		uint32_t right[SEARCH_HITS], got[SEARCH_HITS], n, m;
		uint32_t bytes = p->bytes < 60 ? p->bytes : 60;
		exact[r] = time_search(c, c->texts + p->at, bytes, 0, right, &n);
		lists[r] = time_search(c, c->texts + p->at, bytes, PROBES, got, &m);
		wanted += n;
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < m; k++)
				found += right[i] == got[k];
	}
	if (wanted == 0 || found * 4 < wanted)
		workload_fail("lists find %u of %u hits of the exact search", found, wanted);
	if (!show)
		return;
	workload_row((double)c->n, "count", "rag, pieces");
	workload_row(workload_median(exact, rounds) * 1e6, "us", "rag, exact search");
	workload_row(workload_median(lists, rounds) * 1e6, "us", "rag, search in lists");
	workload_row(
	    share(found, wanted), "share", "rag, search in lists: hits of the exact search");
}
