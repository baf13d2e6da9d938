#include "verify/soak/soak_judge.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ANCESTORS_MAX = 4096, TELL_MAX = 20 };
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct item { /* a task, a command or an object, with its outcome */
	const struct note *asked, *accepted, *refused, *begun, *seen;
	unsigned attempts, failures, cancels, returns, drops, seen_by_owner;
	unsigned visit; /* number of the last search that came here */
};

struct index { /* from a number to an item; open addressing */
	uint64_t *key;
	struct item **item;
	size_t mask;
};

struct trial {
	const struct history *history;
	struct verdict *verdict;
	FILE *out;
	struct item *item;
	size_t items;
	struct index by_task, by_ref, left; /* left: lives of clients that ended by themselves */
	const struct note **kill;
	size_t kills;
	unsigned visits, told;
};

/* ---- tables ---- */

static int index_open(struct index *index, size_t n)
{
	size_t places = 2;
	while (places < 2 * n + 2)
		places *= 2;
	index->key = calloc(places, sizeof *index->key);
	index->item = calloc(places, sizeof *index->item);
	index->mask = places - 1;
	return index->key && index->item ? 0 : -ENOMEM;
}

static void index_close(struct index *index)
{
	free(index->key);
	free(index->item);
}

static size_t index_place(const struct index *index, uint64_t key)
{
	size_t at = (size_t)(key * HASH_FACTOR >> 20) & index->mask;
	while (index->key[at] && index->key[at] != key)
		at = (at + 1) & index->mask;
	return at;
}

static struct item *index_find(const struct index *index, uint64_t key)
{
	return key ? index->item[index_place(index, key)] : NULL;
}

static void index_add(struct index *index, uint64_t key, struct item *item)
{
	size_t at = index_place(index, key);
	index->key[at] = key;
	index->item[at] = item;
}

/* ---- findings ---- */

static void tell_events(const struct trial *t, uint64_t task)
{
	static const char *const deeds[DEEDS] = { "asked", "accepted", "refused", "seen", "cancels",
		"returns", "drops", "hung", "left", "begun", "ended", "kills" };
	for (size_t i = 0; i < t->history->n; i++) {
		const struct note *e = &t->history->note[i];
		if (e->task != task || e->deed == DEED_KILLS)
			continue;
		fprintf(t->out,
		    "    %" PRIu64 ".%06" PRIu64 " %s by pid %d of %d: outcome %u "
		    "code %d signal %d ref %" PRIx64 " value %" PRIx64 "\n",
		    e->ns / 1000000000, e->ns / 1000 % 1000000, deeds[e->deed % DEEDS], e->pid,
		    e->parent, e->outcome, e->code, e->signal, e->ref, e->value);
	}
}

static void soak_judge_find(
    struct trial *t, const struct item *i, enum finding what, const char *how)
{
	const struct note *e = i->asked;
	t->verdict->found[what]++;
	if (++t->told > TELL_MAX)
		return;
	fprintf(t->out, "%s: task %" PRIx64 " (work %u, %u and %u retries): %s\n",
	    finding_name(what), e->task, e->work, e->retries, e->crash_retries, how);
	tell_events(t, e->task);
}

const char *finding_name(enum finding finding)
{
	static const char *const names[FINDINGS] = { "lost", "doubled", "wrong", "damaged",
		"unfounded", "hung" };
	return finding < FINDINGS ? names[finding] : "?";
}

/* ---- reading ---- */

static bool is_final(const struct note *seen)
{
	return seen->outcome <= OUTCOME_CANCELLED;
}

static bool is_same_end(const struct note *a, const struct note *b)
{
	return a->outcome == b->outcome && a->value == b->value && a->code == b->code;
}

static void read_seen(struct trial *t, struct item *i, const struct note *e)
{
	bool owner = e->life == task_life(e->task);
	i->seen_by_owner += owner;
	if (e->outcome == OUTCOME_GONE) {
		/* A receiver comes too late if the giver was killed. */
		if (owner || index_find(&t->left, task_life(e->task)))
			soak_judge_find(t, i, FOUND_LOST, "it is gone, though it was held");
	} else if (is_final(e) && i->seen) {
		if (!is_same_end(i->seen, e))
			soak_judge_find(t, i, FOUND_DOUBLED, "it was seen to end in two ways");
	} else if (is_final(e)) {
		i->seen = e;
		t->verdict->outcome[e->outcome]++;
	}
}

static void read_begun(struct trial *t, struct item *i, const struct note *e)
{
	i->begun = e;
	i->attempts++;
	/* A cancelled task may have been claimed before. */
	if (i->seen && i->seen->outcome != OUTCOME_CANCELLED)
		soak_judge_find(t, i, FOUND_DOUBLED, "it began after its end had been seen");
}

static void read_event(struct trial *t, const struct note *e)
{
	struct item *i = index_find(&t->by_task, e->task);
	if (!i)
		return;
	switch (e->deed) {
	case DEED_ACCEPTED:
		i->accepted = e;
		if (e->ref)
			index_add(&t->by_ref, e->ref, i);
		t->verdict->accepted[i->asked->work % WORKS]++;
		break;
	case DEED_REFUSED: i->refused = e; break;
	case DEED_SEEN: read_seen(t, i, e); break;
	case DEED_BEGUN: read_begun(t, i, e); break;
	case DEED_ENDED: i->failures += e->code != 0; break;
	case DEED_CANCELS: i->cancels++; break;
	case DEED_RETURNS: i->returns++; break;
	case DEED_DROPS: i->drops += e->life == task_life(e->task); break;
	case DEED_HUNG: soak_judge_find(t, i, FOUND_HUNG, "it did not end in time"); break;
	default: break;
	}
}

static int read_history(struct trial *t)
{
	const struct history *h = t->history;
	t->item = calloc(h->n + 1, sizeof *t->item);
	t->kill = calloc(h->n + 1, sizeof *t->kill);
	if (!t->item || !t->kill || index_open(&t->by_task, h->n) < 0 ||
	    index_open(&t->by_ref, h->n) < 0 || index_open(&t->left, h->n) < 0)
		return -ENOMEM;
	for (size_t k = 0; k < h->n; k++) {
		const struct note *e = &h->note[k];
		t->verdict->deeds[e->deed % DEEDS]++;
		if (e->deed == DEED_ASKED) {
			t->item[t->items].asked = e;
			index_add(&t->by_task, e->task, &t->item[t->items++]);
		} else if (e->deed == DEED_KILLS) {
			t->kill[t->kills++] = e;
		} else if (e->deed == DEED_LEFT) {
			index_add(&t->left, e->life, t->item);
		}
	}
	for (size_t k = 0; k < h->n; k++)
		read_event(t, &h->note[k]);
	return 0;
}

/* ---- reasons for a failure ---- */

/* How many deaths may count against the task: of workers that began an attempt, and, if no
 * attempt was noted, of workers that could have begun one. */
static unsigned soak_judge_killed(
    const struct trial *t, const struct item *i, uint64_t until_ns, bool commands)
{
	unsigned n = 0;
	for (size_t k = 0; k < t->kills; k++) {
		const struct note *e = t->kill[k];
		if (e->ns < i->asked->ns || e->ns > until_ns || e->code == VICTIM_CLIENT)
			continue;
		bool known = !commands && i->begun;
		n += commands ? e->code == VICTIM_COMMAND
			      : !known || e->pid == i->begun->pid || e->pid == i->begun->parent;
	}
	return n;
}

/* A killed command has failed; the death of a command's worker is the end of an attempt. */
static unsigned soak_judge_failures(const struct trial *t, const struct item *i, uint64_t until_ns)
{
	bool command = i->asked->work == WORK_COMMAND;
	return i->failures + (command ? soak_judge_killed(t, i, until_ns, true) : 0);
}

static const char *unfounded_death(const struct trial *t, const struct item *i, uint64_t until_ns)
{
	const struct note *asked = i->asked;
	if (asked->work == WORK_COMMAND && asked->crash_retries)
		return soak_judge_failures(t, i, until_ns) > asked->retries
		    ? NULL
		    : "it was killed, and had retries for that";
	if (asked->crash_retries)
		return "its worker died, and it had retries for that";
	return soak_judge_killed(t, i, until_ns, false) ? NULL
							: "its worker died, and nobody killed it";
}

static const char *soak_judge_unfounded(
    const struct trial *t, const struct item *i, const struct note *seen)
{
	const struct note *asked = i->asked;
	if (seen->code == EOWNERDEAD || seen->signal == SIGKILL)
		return unfounded_death(t, i, seen->ns);
	if (asked->code && seen->code == asked->code)
		return soak_judge_failures(t, i, seen->ns) > asked->retries
		    ? NULL
		    : "it failed with retries left";
	if (seen->code == ETIMEDOUT)
		return asked->flags & ASKED_LIMITED ? NULL : "it had no limit";
	if (seen->code == ECANCELED)
		return i->cancels ? NULL : "nobody cancelled it";
	return seen->code == ENOSPC ? NULL : "nothing accounts for this code";
}

/* True if `of` depends on `root`. A task that is known to be done fails no dependant. */
static bool is_ancestor(struct trial *t, const struct item *root, const struct item *of)
{
	const struct item *stack[ANCESTORS_MAX];
	size_t n = 0;
	stack[n++] = of;
	t->visits++;
	while (n > 0) {
		const struct note *asked = stack[--n]->asked;
		for (int k = 0; k < HISTORY_INPUTS; k++) {
			struct item *input = index_find(&t->by_task, asked->input[k]);
			if (input == root && input)
				return true;
			if (!input || input->visit == t->visits || n == ANCESTORS_MAX ||
			    (input->seen && input->seen->outcome == OUTCOME_DONE))
				continue;
			input->visit = t->visits;
			stack[n++] = input;
		}
	}
	return false;
}

static void judge_failure(struct trial *t, const struct item *i)
{
	const struct note *seen = i->seen;
	const struct item *root = index_find(&t->by_ref, seen->ref);
	if (!root || root == i) {
		const char *why = soak_judge_unfounded(t, i, seen);
		if (why)
			soak_judge_find(t, i, FOUND_UNFOUNDED, why);
		return;
	}
	const char *why = soak_judge_unfounded(t, root, seen);
	if (!is_ancestor(t, root, i))
		soak_judge_find(t, i, FOUND_UNFOUNDED, "it failed by a task it does not depend on");
	if (!why)
		return;
	soak_judge_find(t, i, FOUND_UNFOUNDED, why);
	tell_events(t, root->asked->task);
}

static void judge_value(struct trial *t, const struct item *i)
{
	const struct note *asked = i->asked;
	if (i->seen->value != asked->value)
		soak_judge_find(t, i, asked->work == WORK_OBJECT ? FOUND_DAMAGED : FOUND_WRONG,
		    "its value is another one");
	if (asked->code)
		soak_judge_find(t, i, FOUND_WRONG, "it has a value, and was to fail");
	for (int k = 0; k < HISTORY_INPUTS; k++) {
		const struct item *input = index_find(&t->by_task, asked->input[k]);
		if (input && input->seen && input->seen->outcome != OUTCOME_DONE)
			soak_judge_find(
			    t, i, FOUND_WRONG, "it has a value, and what it depends on has none");
	}
}

static void judge_refusal(struct trial *t, const struct item *i)
{
	int code = i->refused->code;
	if (code != ENOSPC && code != EAGAIN && code != EHOSTDOWN)
		soak_judge_find(
		    t, i, FOUND_UNFOUNDED, "it was refused, and nothing accounts for this code");
	if (i->attempts && code != EHOSTDOWN) /* plmctl gives this code also when plmctl cannot
					       * know */
		soak_judge_find(t, i, FOUND_UNFOUNDED, "it was refused, and began");
}

static void judge_item(struct trial *t, const struct item *i)
{
	const struct note *asked = i->asked;
	bool left = index_find(&t->left, task_life(asked->task)) != NULL;
	if (i->attempts > 1u + asked->retries + asked->crash_retries + i->returns)
		soak_judge_find(t, i, FOUND_DOUBLED, "it began more often than it may");
	if (i->refused)
		judge_refusal(t, i);
	if (i->accepted && left && !i->drops && !i->seen_by_owner)
		soak_judge_find(t, i, FOUND_LOST, "it was accepted, and nothing came of it");
	t->verdict->orphaned += i->accepted && !left && !i->seen && !i->drops;
	if (!i->seen)
		return;
	if (i->seen->outcome == OUTCOME_DONE)
		judge_value(t, i);
	else if (i->seen->outcome == OUTCOME_FAILED)
		judge_failure(t, i);
	else if (!i->cancels)
		soak_judge_find(t, i, FOUND_UNFOUNDED, "nobody cancelled it");
}

int judge(const struct history *history, FILE *out, struct verdict *verdict)
{
	struct trial t = { .history = history, .verdict = verdict, .out = out };
	int r = read_history(&t);
	for (size_t k = 0; r == 0 && k < t.items; k++)
		judge_item(&t, &t.item[k]);
	index_close(&t.by_task);
	index_close(&t.by_ref);
	index_close(&t.left);
	free(t.item);
	free(t.kill);
	return r;
}
