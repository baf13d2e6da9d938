/* submit.c - tasks: fill a reserved record, publish the record by one CAS, tell the scheduler. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/durable.h"
#include "client/names.h"
#include "client/nested_wait.h"
#include "client/submit.h"
#include "client/submit_events.h"
#include "client/submit_measure.h"
#include "events/eventlog.h"
#include "tables/args.h"
#include "tables/due.h"
#include "tables/handover.h"
#include "tables/turns.h"

enum { SUBMIT_CHUNK = 64 };

/* ---- tasks published, and not told yet ---- */

struct chunk {
	uint64_t hint[SUBMIT_CHUNK];
	uint32_t n;
	const plm_task
	    *holding[SUBMIT_CHUNK]; /* tasks with held arguments (submit_hold_arguments) */
	uint32_t holdings;
	uint32_t reserved[SUBMIT_CHUNK]; /* indices of records; not yet used: from `next` on */
	uint32_t reserves, next;
	size_t left;                  /* tasks still to come */
	uint64_t logged_ns;           /* the time of all events of the chunk; 0: not read yet */
	struct eventlog_batch events; /* of the log: tasks without futures */
};

static void submit_chunk_begin(struct chunk *chunk, size_t tasks)
{
	/* The arrays stay as found: to clear them would cost time in each call. */
	chunk->n = chunk->holdings = chunk->reserves = chunk->next = chunk->events.n = 0;
	chunk->logged_ns = 0;
	chunk->left = tasks;
}

static void submit_drop_arguments(struct plm *rt, const plm_task *task, size_t held)
{
	while (held-- > 0)
		if (task->args[held].future.id)
			plm_drop(rt, task->args[held].future);
}

static uint64_t submit_log_time(struct chunk *chunk)
{
	if (!chunk->logged_ns)
		chunk->logged_ns = clock_ns();
	return chunk->logged_ns;
}

/* Our drops follow the submissions in the same ring. When the scheduler reads a drop, the task
 * before the drop has its own hold. */
static int submit_chunk_tell(struct plm *rt, struct chunk *chunk)
{
	uint64_t now_ns = chunk->events.n ? submit_log_time(chunk) : 0;
	int r = chunk->n ? handle_tell(rt, chunk->hint, chunk->n) : 0;
	chunk->n = 0;
	if (chunk->events.n) /* while the scheduler is at work */
		eventlog_batch_write(&rt->tables, &chunk->events, now_ns);
	chunk->logged_ns = 0;
	while (chunk->holdings > 0) {
		const plm_task *task = chunk->holding[--chunk->holdings];
		submit_drop_arguments(rt, task, task->nargs);
	}
	return r;
}

/* Tells the scheduler of all published tasks before waiting for room, because one of them may free
 * room at its end. */
static int submit_chunk_alloc(
    struct plm *rt, struct chunk *chunk, const struct submission *s, shared32 *granule)
{
	int r = store_alloc(
	    &rt->tables, sh_peek(&rt->me->node), s->args_bytes, ARENA_ARGUMENTS, granule);
	if (r != -ENOSPC && r != -EDQUOT)
		return r;
	r = submit_chunk_tell(rt, chunk);
	return r < 0 ? r
		     : handle_alloc(rt, s->args_bytes, ARENA_ARGUMENTS, granule, s->deadline_ns);
}

/* ---- filling a record ---- */

static int submit_fill_args(
    struct plm *rt, struct chunk *chunk, struct record *record, const struct submission *s)
{
	const plm_task *task = s->task;
	void *block = record->args_inline;
	record->nargs = (uint16_t)task->nargs;
	record->args_bytes = (uint32_t)s->args_bytes;
	if (s->args_bytes > RECORD_INLINE_ARGS) {
		int r = submit_chunk_alloc(rt, chunk, s, &record->args);
		if (r < 0)
			return r;
		block = store_writable(&rt->tables, sh_peek(&record->args));
		record->identity[0] = task->identity[0];
		record->identity[1] = task->identity[1];
	}
	struct args_writer writer;
	args_begin(&writer, block, (uint32_t)task->nargs);
	for (size_t i = 0; i < task->nargs; i++) {
		if (task->args[i].future.id)
			args_add_future(&writer, task->args[i].future.id,
			    (enum arg_condition)task->args[i].len);
		else
			args_add_bytes(&writer, task->args[i].data, task->args[i].len);
	}
	return 0;
}

/* A result beyond the first has a separate record, a PART, for which the task's word speaks. */
static int submit_fill_parts(
    struct plm *rt, uint32_t index, const struct submission *s, plm_ref *ret)
{
	struct record *record = record_at(&rt->tables, index);
	uint64_t task = ret[0].id;
	for (uint32_t which = 1; which < s->results; which++) {
		uint32_t part_index, n;
		int r = reserved_take(rt, &part_index, 1, &n, s->deadline_ns);
		if (r < 0)
			return r;
		struct record *part = record_at(&rt->tables, part_index);
		uint64_t word = sh_peek(&part->state);
		/* Holding the task holds the part: count one hold for each reference given out. */
		atomic_fetch_add_explicit(&rt->refs[index], 1, memory_order_relaxed);
		part->part.task = task;
		part->part.which = which;
		part->part.next = record->first_part;
		record->first_part = part_index + 1;
		record_step(part, &word, RECORD_PART, rt->self, 0, 0);
		ret[which] = ref_public(rt, record_ref(part_index, word_generation(word)));
	}
	return 0;
}

/* Sets the holds of the runtime and of the journal before the task is visible, so an accepted task
 * is kept from the same step on. */
static void submit_keep(struct plm *rt, uint32_t index)
{
	struct record *record = record_at(&rt->tables, index);
	sh_poke(&record->holds, sh_peek(&record->holds) | (uint64_t)1 << SLOT_MANAGER);
	journal_hold(&rt->tables, index);
}

/* Writes the payload of a reserved record. On failure nothing stays held. */
static int submit_fill(struct plm *rt, struct chunk *chunk, uint32_t index,
    const struct submission *s, uint64_t turn, plm_ref *ret)
{
	struct record *record = record_at(&rt->tables, index);
	const plm_task *task = s->task;
	/* A process following a hint from the record's last life may read these
	 * (tables/floor.h). */
	sh_fill(record->key, key_make(task->priority, turn));
	record->function = (uint16_t)s->function;
	sh_fill(record->terms, (uint16_t)s->terms);
	record->results = s->results & 0x3fff; /* at most RESULTS_MAX */
	record->tied = (task->flags & PLM_TIED) != 0;
	record->paired = (task->flags & PLM_PAIRED) != 0;
	record->retries = (uint8_t)task->retries;
	record->crash_retries = (uint8_t)task->crash_retries;
	sh_fill(record->submit_ms, due_ms(&rt->tables, record));
	ref_born(rt, index);
	if (task->flags & PLM_KEEP)
		submit_keep(rt, index);
	for (uint32_t i = 0; i < s->results; i++)
		ret[i] = PLM_NONE;
	ret[0] = ref_public(rt, record_ref(index, word_generation(sh_peek(&record->state))));
	int r = submit_fill_args(rt, chunk, record, s);
	if (r == 0 && s->results > 1)
		r = submit_chunk_tell(rt, chunk);
	if (r == 0 && s->results > 1)
		r = submit_fill_parts(rt, index, s, ret);
	if (r < 0) {
		plm_drop_many(rt, ret, s->results);
		for (uint32_t i = 0; i < s->results; i++)
			ret[i] = PLM_NONE;
	}
	return r;
}

static void submit_publish(struct plm *rt, uint32_t index, const struct submission *s)
{
	struct record *record = record_at(&rt->tables, index);
	uint64_t seen = sh_peek(&record->state);
	CHECK(record_step(record, &seen, s->futures ? RECORD_WAITING : RECORD_READY, rt->self, 0,
	    rt->publish_flags));
}

/* Holds the futures among the arguments which our process does not hold yet, until the scheduler
 * knows the task. */
static int submit_hold_arguments(struct plm *rt, const plm_task *task, size_t *ret_held)
{
	for (*ret_held = 0; *ret_held < task->nargs; ++*ret_held) {
		plm_ref ref = task->args[*ret_held].future;
		int r = ref.id ? ref_hold(rt, ref) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int submit_ask_before(struct plm *rt, plm_ref *ret, uint32_t results)
{
	int r = rt->before_publish(rt->publish_context, ret[0].id);
	if (r == 0)
		return 0;
	plm_drop_many(rt, ret, results);
	for (uint32_t i = 0; i < results; i++)
		ret[i] = PLM_NONE;
	return r;
}

static int submit_chunk_record(
    struct plm *rt, struct chunk *chunk, uint64_t deadline_ns, uint32_t *ret)
{
	if (chunk->next == chunk->reserves) {
		uint32_t wanted = chunk->left < SUBMIT_CHUNK ? (uint32_t)chunk->left : SUBMIT_CHUNK;
		chunk->next = chunk->reserves = 0;
		int r = submit_chunk_tell(rt, chunk);
		if (r == 0)
			r = handle_await_room_to_tell(rt, wanted);
		if (r == 0)
			r = reserved_take(
			    rt, chunk->reserved, wanted, &chunk->reserves, deadline_ns);
		if (r < 0)
			return r;
	}
	*ret = chunk->reserved[chunk->next++];
	return 0;
}

/* True: an idle worker has the task already. */
static bool submit_hand_over(
    struct plm *rt, const struct submission *s, plm_ref ref, uint32_t *ret_process)
{
	return s->alone && !s->futures && !s->terms && !rt->publish_flags &&
	    handover(&rt->tables, hint_make(HINT_LOOK, ref.id), ret_process) == HANDOVER_GIVEN;
}

/* Notes a published task without futures for the event log. The event of a task handed over is
 * written here, while the worker works. */
static void submit_note(struct plm *rt, struct chunk *chunk, const struct submission *s,
    plm_ref ref, bool handed, uint32_t process)
{
	if (handed)
		submit_events_handed(rt, s->task, s->function, ref.id, process);
	else
		eventlog_batch_pair(
		    &chunk->events, submit_events_stamp(s->function, s->task->priority), ref.id);
}

static void submit_filled(struct plm *rt, struct chunk *chunk, const struct submission *s,
    uint32_t index, uint64_t turn, plm_ref ref)
{
	uint32_t process = 0;
	if (s->futures && eventlog_on(&rt->tables))
		submit_events_with_futures(
		    rt, s->task, s->function, ref.id, submit_log_time(chunk));
	submit_publish(rt, index, s);
	atomic_store_explicit(&rt->mine[index], ref_generation(ref.id), memory_order_relaxed);
	bool handed = submit_hand_over(rt, s, ref, &process);
	if (handed)
		turns_give_back(&rt->next_turn, turn);
	else
		chunk->hint[chunk->n++] = hint_make(HINT_LOOK, ref.id);
	if (!s->futures && eventlog_on(&rt->tables))
		submit_note(rt, chunk, s, ref, handed, process);
	if (journal_wants(&rt->tables, record_at(&rt->tables, index)))
		journal_tell(&rt->tables, index);
}

struct draft { /* a task in a reserved record, not visible yet */
	struct submission s;
	uint32_t index;
	size_t held; /* arguments */
	uint64_t turn;
	plm_ref *ref; /* of all its results */
};

/* On failure nothing stays held. */
static int submit_draft(struct plm *rt, struct chunk *chunk, const struct submission *s,
    uint64_t turn, plm_ref *ref, struct draft *ret)
{
	*ret = (struct draft){ .s = *s, .turn = turn, .ref = ref };
	int r = s->futures ? submit_hold_arguments(rt, s->task, &ret->held) : 0;
	if (r == 0)
		r = submit_chunk_record(rt, chunk, s->deadline_ns, &ret->index);
	if (r == 0)
		r = submit_fill(rt, chunk, ret->index, s, turn, ref);
	if (r == 0 && rt->before_publish)
		r = submit_ask_before(rt, ref, s->results);
	if (r < 0)
		submit_drop_arguments(rt, s->task, ret->held);
	return r;
}

static void submit_accept(struct plm *rt, struct chunk *chunk, const struct draft *draft)
{
	submit_filled(rt, chunk, &draft->s, draft->index, draft->turn, draft->ref[0]);
	if (draft->held)
		chunk->holding[chunk->holdings++] = draft->s.task;
}

static int submit_one(
    struct plm *rt, struct chunk *chunk, const struct submission *s, uint64_t turn, plm_ref *ret)
{
	struct draft draft;
	int r = submit_draft(rt, chunk, s, turn, ret, &draft);
	if (r < 0)
		return r;
	submit_accept(rt, chunk, &draft);
	return chunk->n >= SUBMIT_CHUNK || chunk->holdings >= SUBMIT_CHUNK
	    ? submit_chunk_tell(rt, chunk)
	    : 0;
}

/* Gives back unused reserved records. */
static void submit_chunk_return(struct plm *rt, struct chunk *chunk)
{
	while (chunk->next < chunk->reserves) {
		uint32_t index = chunk->reserved[chunk->next++];
		uint64_t word = sh_peek(&record_at(&rt->tables, index)->state);
		uint64_t hint = hint_make(HINT_DROPPED, record_ref(index, word_generation(word)));
		handle_tell(rt, &hint, 1);
	}
}

static int submit_look_up(struct plm *rt, const plm_task *task, struct submission *s)
{
	int r = 0;
	if (task->function != s->known || !s->known)
		r = names_find(rt->names, &rt->tables.registry, task->function, &s->function);
	s->known = task->function;
	if (r == 0 && task->terms != s->agreed)
		r = terms_agree(rt, task->terms, 0, &s->terms);
	s->agreed = task->terms;
	return r;
}

/* ---- two tasks in one step ---- */

/* The second task with the first in the place of PLM_PREVIOUS. */
static int submit_fill_previous(const plm_task *second, plm_ref first, plm_arg *args)
{
	bool named = false;
	for (size_t i = 0; i < second->nargs; i++) {
		args[i] = second->args[i];
		if (args[i].future.id != PLM_PREVIOUS.id)
			continue;
		args[i].future = first;
		named = true;
	}
	return named
	    ? 0
	    : why(-EINVAL, "%s: a task with PLM_PAIRED has PLM_PREVIOUS among its arguments",
		  second->function);
}

static int submit_draft_second(struct plm *rt, struct chunk *chunk, const plm_task *task,
    const struct draft *first, struct draft *ret)
{
	struct submission s = { .deadline_ns = first->s.deadline_ns };
	if (task->terms && task->terms->replicas > 1)
		return why(-EINVAL, "%s: a task with PLM_PAIRED has no replicas", task->function);
	int r = submit_look_up(rt, task, &s);
	if (r == 0)
		r = submit_measure(rt, task, &s);
	return r < 0
	    ? r
	    : submit_draft(rt, chunk, &s, first->turn + 1, first->ref + first->s.results, ret);
}

static void submit_take_back(struct plm *rt, const struct draft *draft)
{
	plm_drop_many(rt, draft->ref, draft->s.results);
	for (uint32_t i = 0; i < draft->s.results; i++)
		draft->ref[i] = PLM_NONE;
	submit_drop_arguments(rt, draft->s.task, draft->held);
}

/* The second task becomes visible first, and waits for a record that is only reserved. The step
 * that makes the first task visible accepts both. If this process dies before, the scheduler frees
 * the reserved record and takes the second task back (graph_abandoned()). */
static int submit_both(struct plm *rt, struct chunk *chunk, const struct submission *s,
    const plm_task *second, plm_arg *args, uint64_t turn, plm_ref *ret)
{
	struct draft first, next;
	plm_task task = *second;
	task.args = args;
	int r = submit_draft(rt, chunk, s, turn, ret, &first);
	if (r < 0)
		return r;
	r = submit_fill_previous(second, ret[0], args);
	if (r == 0)
		r = submit_draft_second(rt, chunk, &task, &first, &next);
	if (r < 0) {
		submit_take_back(rt, &first);
		return r;
	}
	submit_accept(rt, chunk, &next);
	submit_accept(rt, chunk, &first);
	return submit_chunk_tell(rt, chunk); /* before `task` and `args` end */
}

/* s: the first task, measured. */
static int submit_pair(struct plm *rt, struct chunk *chunk, const struct submission *s,
    const plm_task *second, uint64_t turn, plm_ref *ret)
{
	plm_arg *args = calloc(second->nargs + 1, sizeof *args);
	if (!args)
		return why(-ENOMEM, "no memory for %zu arguments", second->nargs);
	int r = submit_both(rt, chunk, s, second, args, turn, ret);
	free(args);
	return r;
}

/* ---- many ---- */

static bool submit_is_paired(const plm_task *task)
{
	return (task->flags & PLM_PAIRED) != 0;
}

/* A task, and with it `second`, if that is not NULL. */
static int submit_next(struct plm *rt, struct chunk *chunk, struct submission *s,
    const plm_task *task, const plm_task *second, uint64_t turn, plm_ref *ret)
{
	s->results = 1;
	if (submit_is_paired(task))
		return why(-EINVAL,
		    "%s: a task with PLM_PAIRED follows a task without, in one call of "
		    "plm_submit_many()",
		    task->function);
	if (task->terms && task->terms->replicas > 1)
		return submit_replicas(rt, task, second, ret);
	int r = submit_look_up(rt, task, s);
	if (r == 0)
		r = submit_measure(rt, task, s);
	if (r < 0)
		return r;
	return second ? submit_pair(rt, chunk, s, second, turn, ret)
		      : submit_one(rt, chunk, s, turn, ret);
}

static int submit_all(struct plm *rt, const plm_task *tasks, size_t n, plm_ref *ret)
{
	struct submission s = { .deadline_ns = handle_deadline(rt), .alone = n == 1 };
	struct chunk chunk;
	submit_chunk_begin(&chunk, n);
	uint64_t turn = turns_take(&rt->tables, &rt->next_turn, n);
	int r = 0;
	for (size_t i = 0, some; i < n && r == 0; i += some, chunk.left -= some) {
		const plm_task *second =
		    i + 1 < n && submit_is_paired(&tasks[i + 1]) ? &tasks[i + 1] : NULL;
		some = second ? 2 : 1;
		r = submit_next(rt, &chunk, &s, &tasks[i], second, turn + i, ret);
		ret += s.results + (second ? submit_results_of(second) : 0);
	}
	int told = submit_chunk_tell(rt, &chunk);
	submit_chunk_return(rt, &chunk);
	return r < 0 ? r : told;
}

/* A task of a task belongs to accepted work, so a drained or stopping runtime accepts it too. */
static int submit_check_open(const struct plm *rt)
{
	const struct control *c = rt->tables.control;
	if (rt->help || nested_inside(rt))
		return 0;
	if (sh_load(&c->mode) == MODE_STOPPING)
		return why(-ESHUTDOWN,
		    "the runtime is being stopped and takes no new tasks; "
		    "`plmctl resume` takes the stop back");
	if (sh_peek(&c->admission) & ADMISSION_CLOSED)
		return why(-EAGAIN,
		    "the runtime is drained and takes no new tasks until "
		    "`plmctl resume`");
	return 0;
}

int submit_with(
    struct plm *rt, const plm_task *task, const plm_task *second, uint32_t terms, plm_ref *ret)
{
	struct submission s = { .deadline_ns = handle_deadline(rt), .terms = terms };
	struct chunk chunk;
	submit_chunk_begin(&chunk, second ? 2 : 1);
	uint64_t turn = turns_take(&rt->tables, &rt->next_turn, second ? 2 : 1);
	int r = submit_check_open(rt);
	if (r == 0)
		r = names_find(rt->names, &rt->tables.registry, task->function, &s.function);
	if (r == 0)
		r = submit_measure(rt, task, &s);
	if (r == 0)
		r = second ? submit_pair(rt, &chunk, &s, second, turn, ret)
			   : submit_one(rt, &chunk, &s, turn, ret);
	int told = submit_chunk_tell(rt, &chunk);
	submit_chunk_return(rt, &chunk);
	r = r < 0 ? r : told;
	return r < 0 ? r : durable_await(rt, task, 1, ret);
}

/* How many references the caller's array holds. If a task asks for too many results, the array may
 * be shorter: then assume room for one reference a task, and write no more. */
static int submit_count_results(const plm_task *tasks, size_t n, size_t *ret)
{
	int r = 0;
	*ret = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = submit_check_results(&tasks[i]);
		*ret += submit_results_of(&tasks[i]);
	}
	if (r < 0)
		*ret = n;
	return r;
}

static int submit_many(plm *rt, const plm_task *tasks, size_t n, plm_ref *ret)
{
	size_t total = 0;
	int r = handle_check(rt);
	if (r < 0)
		return r;
	r = submit_count_results(tasks, n, &total);
	for (size_t i = 0; i < total; i++)
		ret[i] = PLM_NONE;
	if (r == 0)
		r = submit_check_open(rt);
	if (r == 0)
		r = submit_all(rt, tasks, n, ret);
	return r < 0 ? r : durable_await(rt, tasks, n, ret);
}

int plm_submit_many(plm *rt, const plm_task *tasks, size_t n, plm_ref *ret)
{
	unsigned said = why_count();
	if (n && (!tasks || !ret))
		return why(-EINVAL, "plm_submit: no task, or no place for its references");
	return handle_end(said, submit_many(rt, tasks, n, ret));
}

int plm_submit(plm *rt, const plm_task *task, plm_ref *ret)
{
	return plm_submit_many(rt, task, 1, ret);
}
