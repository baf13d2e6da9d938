#include "cli/retry_tasks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "cli/look.h"
#include "cli/result.h"
#include "client/retry.h"
#include "tables/args.h"

enum { NOT_YET, UNDER_WAY, OVER };

/* What became of a record that is to be retried, or of a part of one; by its index. */
struct fate {
	uint64_t old;   /* its reference; 0: it is none of them */
	uint32_t from;  /* 1 + index of one that was retried as it; 0: none */
	uint32_t next;  /* of those who were retried as the same one */
	uint64_t again; /* 0: none so far */
	int step;
};

struct retries {
	struct context *context;
	const struct tables *t;
	struct fate *fate; /* [records] */
	uint32_t *stack;   /* [records]: each waits for the retry of the one above it */
	bool named;
	int worst;
	size_t done;
};

static struct fate *retry_tasks_fate_of(const struct retries *all, uint64_t ref)
{
	struct fate *fate =
	    ref_index(ref) < all->t->limits.records ? &all->fate[ref_index(ref)] : NULL;
	return ref && fate && fate->old == ref ? fate : NULL;
}

static plm_ref retry_tasks_instead(void *context, plm_ref argument)
{
	const struct retries *all = context;
	const struct fate *fate = retry_tasks_fate_of(all, argument.id);
	if (!fate || !fate->again)
		return argument;
	return (plm_ref){ .id = fate->again, .runtime = argument.runtime };
}

/* A result of it may be an argument, too. */
static void retry_tasks_note_parts(
    struct retries *all, const struct record *r, const plm_ref *again)
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

/* What was retried as this one, which is let go now, was retried as the new one. */
static void retry_tasks_pass_on(const struct retries *all, const struct fate *fate)
{
	for (uint32_t from = fate->from; from; from = all->fate[from - 1].next) {
		uint64_t word = sh_load(&record_at(all->t, from - 1)->state);
		retry_trace(all->context->rt, record_ref(from - 1, word_generation(word)),
		    fate->old, fate->again);
	}
}

/* Who was retried as one of those that are to be retried. */
static void retry_tasks_find_origins(struct retries *all)
{
	uint32_t end = pool_fresh(&all->t->pool);
	for (uint32_t i = 0; i < end; i++) {
		const struct record *r = record_at(all->t, i);
		bool failed = word_state(sh_load(&r->state)) == RECORD_FAILED;
		struct fate *fate =
		    failed ? retry_tasks_fate_of(all, sh_load(&r->failure.again)) : NULL;
		if (!fate)
			continue;
		all->fate[i].next = fate->from;
		fate->from = i + 1;
	}
}

static void retry_one(struct retries *all, uint32_t index)
{
	static plm_ref again[RESULTS_MAX];
	struct fate *fate = &all->fate[index];
	struct context *context = all->context;
	plm_ref failed_one = ref_public(context->rt, fate->old);
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(failed_one, text);
	fate->step = OVER;
	int r = retry_with(context->rt, failed_one, PLM_KEEP, retry_tasks_instead, all, again);
	if (r == 0) {
		fate->again = again[0].id;
		retry_tasks_note_parts(all, record_at(all->t, index), again);
		retry_tasks_pass_on(all, fate);
		r = plm_forget(context->rt, failed_one);
	}
	if (r == 0) {
		all->done++;
		print_reference(context, again[0]);
	} else if (all->named || r != -ESTALE) {
		all->worst = failed(r, text);
	}
}

/* The first argument that is still to be retried itself; NULL: none is. */
static struct fate *retry_tasks_missing(const struct retries *all, uint32_t index)
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
		struct fate *fate = retry_tasks_fate_of(all, retry_newest(all->t, ref));
		if (fate && fate->step == NOT_YET)
			return fate;
	}
	return NULL;
}

static bool retry_tasks_may_go_on(const struct retries *all)
{
	return all->worst != EXIT_NO_RUNTIME && all->worst != EXIT_FULL;
}

/* Its arguments first: each record is put on the stack once, so it ends. */
static void retry_with_arguments(struct retries *all, uint32_t index)
{
	uint32_t depth = 0;
	all->stack[depth++] = index;
	all->fate[index].step = UNDER_WAY;
	while (depth > 0 && retry_tasks_may_go_on(all)) {
		uint32_t top = all->stack[depth - 1];
		struct fate *first = retry_tasks_missing(all, top);
		if (!first) {
			retry_one(all, top);
			depth--;
			continue;
		}
		first->step = UNDER_WAY;
		all->stack[depth++] = ref_index(first->old);
	}
}

/* The reference of the task: any of its results may have been named. 0: it is gone. */
static uint64_t task_of(struct retries *all, plm_ref ref)
{
	uint64_t word;
	int error = 0;
	char text[PLM_REF_TEXT_BYTES];
	struct record *r = ref_resolve(all->context->rt, ref, &word, &error);
	if (r) {
		r = ref_speaker(all->context->rt, r, &word);
		return record_ref(record_index(all->t, r), word_generation(word));
	}
	plm_ref_print(ref, text);
	if (all->named)
		all->worst = failed(error, text);
	return 0;
}

static bool retry_tasks_still_failed(
    const struct retries *all, uint64_t ref, const struct task_filter *filter)
{
	static plm_task_row row;
	return all->named ||
	    (look_open(all->context) == EXIT_FINE &&
		filter_task(
		    all->context->in, ref_public(all->context->rt, ref), filter, false, &row));
}

static void retry_all(
    struct retries *all, const struct selection *selection, const struct task_filter *filter)
{
	for (size_t i = 0; i < selection->n; i++) {
		uint64_t ref = task_of(all, selection->ref[i]);
		if (ref && retry_tasks_still_failed(all, ref, filter))
			all->fate[ref_index(ref)].old = ref;
	}
	retry_tasks_find_origins(all);
	for (uint32_t i = 0; i < all->t->limits.records && retry_tasks_may_go_on(all); i++)
		if (all->fate[i].old && all->fate[i].step == NOT_YET)
			retry_with_arguments(all, i);
}

int retry_tasks(
    struct context *context, const struct selection *selection, const struct task_filter *filter)
{
	const struct tables *t = plm_tables(context->rt);
	struct retries all = { .context = context, .t = t, .named = selection->named };
	all.fate = calloc(t->limits.records, sizeof *all.fate);
	all.stack = calloc(t->limits.records, sizeof *all.stack);
	if (all.fate && all.stack)
		retry_all(&all, selection, filter);
	else
		all.worst = failed(-ENOMEM, "choosing tasks");
	free(all.fate);
	free(all.stack);
	if (all.done)
		handle_sync(context->rt); /* who looks for failed tasks next finds these no more */
	if (!selection->named && !context->json && !context->quiet)
		fprintf(stderr, "plmctl: %zu %s submitted anew\n", all.done,
		    all.done == 1 ? "task" : "tasks");
	return all.worst;
}
