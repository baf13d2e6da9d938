/* retry_many.c - failed tasks submitted anew together: a failed graph runs again as a graph.
 *
 * Each record enters the stack once, so the loop ends although arguments may form any graph. */
#include <errno.h>
#include <stdlib.h>

#include "base/why.h"
#include "client/retry.h"
#include "tables/args.h"

enum { NOT_YET, UNDER_WAY, OVER };

/* A record to be retried, or a further result of such a task; by index of the record. */
struct fate {
	uint64_t old;   /* the old reference; 0: not to be retried */
	uint32_t from;  /* 1 + index of a task whose retry is this record; 0: none */
	uint32_t next;  /* of the tasks with the same retry */
	uint64_t again; /* the reference of the retry; 0: none so far */
	int step;
};

struct retries {
	struct plm *rt;
	const struct tables *t;
	plm_retry_told *told;
	void *context;
	struct fate *fate; /* [records] */
	uint32_t *stack;   /* [records]: each record waits for the retry of the record above */
	bool stop;         /* the caller wants no more */
	int done;
};

static struct fate *retry_many_fate_of(const struct retries *all, uint64_t ref)
{
	struct fate *fate =
	    ref_index(ref) < all->t->limits.records ? &all->fate[ref_index(ref)] : NULL;
	return ref && fate && fate->old == ref ? fate : NULL;
}

static plm_ref retry_many_instead(void *context, plm_ref argument)
{
	const struct retries *all = context;
	const struct fate *fate = retry_many_fate_of(all, argument.id);
	if (!fate || !fate->again)
		return argument;
	return (plm_ref){ .id = fate->again, .runtime = argument.runtime };
}

/* Notes the retries of further results, which may be arguments, too. */
static void retry_many_note_parts(struct retries *all, const struct record *r, const plm_ref *again)
{
	uint32_t next = r->first_part;
	for (unsigned i = 0; next && next <= all->t->limits.records && i < RESULTS_MAX; i++) {
		const struct record *part = record_at(all->t, next - 1);
		uint64_t word = sh_load(&part->state);
		if (word_state(word) != RECORD_PART || part->part.which >= RESULTS_MAX)
			return;
		struct fate *fate = &all->fate[next - 1];
		fate->old = record_ref(next - 1, word_generation(word));
		fate->again = again[part->part.which].id;
		fate->step = OVER;
		next = part->part.next;
	}
}

/* Before the record is let go: tasks whose retry is this record now name the new task as retry. */
static void retry_many_pass_on(const struct retries *all, const struct fate *fate)
{
	for (uint32_t from = fate->from; from; from = all->fate[from - 1].next) {
		uint64_t word = sh_load(&record_at(all->t, from - 1)->state);
		retry_trace(
		    all->rt, record_ref(from - 1, word_generation(word)), fate->old, fate->again);
	}
}

/* Finds failed tasks whose retry is to be retried again. */
static void retry_many_find_origins(struct retries *all)
{
	uint32_t end = pool_fresh(&all->t->pool);
	for (uint32_t i = 0; i < end && i < all->t->limits.records; i++) {
		const struct record *r = record_at(all->t, i);
		bool failed = word_state(sh_load(&r->state)) == RECORD_FAILED;
		struct fate *fate =
		    failed ? retry_many_fate_of(all, sh_load(&r->failure.again)) : NULL;
		if (!fate)
			continue;
		all->fate[i].next = fate->from;
		fate->from = i + 1;
	}
}

static void retry_many_tell(struct retries *all, plm_ref failed, plm_ref again, int error)
{
	all->done += error == 0;
	all->stop = all->told(all->context, failed, again, error) != 0 || all->stop;
}

static void retry_many_one(struct retries *all, uint32_t index, plm_ref *again)
{
	struct fate *fate = &all->fate[index];
	plm_ref failed = ref_public(all->rt, fate->old);
	fate->step = OVER;
	int r = retry_with(all->rt, failed, PLM_KEEP, retry_many_instead, all, again);
	if (r == 0) {
		fate->again = again[0].id;
		retry_many_note_parts(all, record_at(all->t, index), again);
		retry_many_pass_on(all, fate);
		r = plm_forget(all->rt, failed);
	}
	retry_many_tell(all, failed, r == 0 ? again[0] : PLM_NONE, r);
}

/* The first argument that must be retried before this record; NULL: none. */
static struct fate *retry_many_missing(const struct retries *all, uint32_t index)
{
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(all->t, record_at(all->t, index), &reader);
	while (readable && args_next(&reader, &arg)) {
		const struct record *speaker =
		    arg.future ? record_lookup(all->t, arg.future->ref, &(uint64_t){ 0 }) : NULL;
		uint64_t ref = arg.future ? arg.future->ref : 0;
		if (speaker && word_state(sh_load(&speaker->state)) == RECORD_PART)
			ref = speaker->part.task;
		struct fate *fate = retry_many_fate_of(all, retry_newest(all->t, ref));
		if (fate && fate->step == NOT_YET)
			return fate;
	}
	return NULL;
}

/* Retries the arguments of a task first. */
static void retry_many_with_arguments(struct retries *all, uint32_t index, plm_ref *again)
{
	uint32_t depth = 0;
	all->stack[depth++] = index;
	all->fate[index].step = UNDER_WAY;
	while (depth > 0 && !all->stop) {
		uint32_t top = all->stack[depth - 1];
		struct fate *first = retry_many_missing(all, top);
		if (!first) {
			retry_many_one(all, top, again);
			depth--;
			continue;
		}
		first->step = UNDER_WAY;
		all->stack[depth++] = ref_index(first->old);
	}
}

/* Marks the task of a result. */
static void retry_many_mark(struct retries *all, plm_ref ref)
{
	uint64_t word;
	int error = 0;
	struct record *r = ref_resolve(all->rt, ref, &word, &error);
	if (!r) {
		retry_many_tell(all, ref, PLM_NONE, error);
		return;
	}
	r = ref_speaker(all->rt, r, &word);
	uint32_t index = record_index(all->t, r);
	all->fate[index].old = record_ref(index, word_generation(word));
}

static void retry_many_all(struct retries *all, const plm_ref *failed, size_t n, plm_ref *again)
{
	for (size_t i = 0; i < n && !all->stop; i++)
		retry_many_mark(all, failed[i]);
	retry_many_find_origins(all);
	for (uint32_t i = 0; i < all->t->limits.records && !all->stop; i++)
		if (all->fate[i].old && all->fate[i].step == NOT_YET)
			retry_many_with_arguments(all, i, again);
}

static int retry_many_checked(
    plm *rt, const plm_ref *failed, size_t n, plm_retry_told *told, void *context)
{
	struct retries all = { .rt = rt, .t = &rt->tables, .told = told, .context = context };
	plm_ref *again = calloc(RESULTS_MAX, sizeof *again);
	all.fate = calloc(all.t->limits.records, sizeof *all.fate);
	all.stack = calloc(all.t->limits.records, sizeof *all.stack);
	int r = 0;
	if (again && all.fate && all.stack)
		retry_many_all(&all, failed, n, again);
	else
		r = why(-ENOMEM, "no memory to retry %zu tasks", n);
	free(all.fate);
	free(all.stack);
	free(again);
	return r < 0 ? r : all.done;
}

int plm_retry_many(plm *rt, const plm_ref *failed, size_t n, plm_retry_told *told, void *context)
{
	unsigned said = why_count();
	int r = handle_check(rt);
	if (r == 0 && (!told || (n > 0 && !failed)))
		r = why(-EINVAL, "plm_retry_many: no tasks, or no function to tell");
	return handle_end(said, r < 0 ? r : retry_many_checked(rt, failed, n, told, context));
}
