/* inspect_tasks.c - tasks as rows: read between two looks at the state word, judged by a filter. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/why.h"
#include "client/handle.h"
#include "client/inspect.h"
#include "client/inspect_command_text.h"

enum { LOOKS_MAX = 8 };

_Static_assert(sizeof((plm_task_row *)NULL)->label > COMMAND_LABEL_MAX, "room for each label");

/* ---- reading ---- */

/* The granules of the texts: a granule freed during a reading is 0 afterwards. */
struct places {
	uint32_t args, log;
};

static struct places tasks_places_of(const struct tables *t, const struct record *r)
{
	const struct record *part = command_log_part(t, r);
	return (
	    struct places){ .args = sh_load(&r->args), .log = part ? sh_load(&part->value) : 0 };
}

static void tasks_read_log(const struct tables *t, const struct record *r, plm_task_row *row)
{
	const struct record *part = command_log_part(t, r);
	uint64_t length = 0;
	struct command_log log;
	struct command_texts texts;
	const void *data = part && sh_load(&part->value) ? record_value(t, part, &length) : NULL;
	if (!command_log_read(data, length, &log, &texts))
		return;
	snprintf(row->command, sizeof row->command, "%.*s", (int)log.text_bytes, texts.command);
	snprintf(row->label, sizeof row->label, "%.*s", (int)log.label_bytes, texts.label);
	row->marks |= PLM_MARK_OUTPUT;
	row->output_bytes = log.out_bytes;
	if (log.status < 0)
		return;
	row->marks |= PLM_MARK_EXIT;
	row->exit = WIFSIGNALED(log.status) ? COMMAND_SIGNALLED + WTERMSIG(log.status)
					    : WEXITSTATUS(log.status);
}

static void tasks_read_texts(
    const struct tables *t, struct record *r, uint64_t word, plm_task_row *row)
{
	if (!command_is(t, r, word))
		return;
	row->command[0] = 0;
	if (state_settled(word_state(word)))
		tasks_read_log(t, r, row);
	if (row->command[0] || (state_settled(word_state(word)) && !word_retriable(word)))
		return;
	command_words(t, r, row->command, sizeof row->command);
	command_label(t, r, word, row->label);
}

/* A task that failed before any attempt, through an argument or a limit, has no exit code. */
static void tasks_read_end(const struct record *r, const struct record_view *v, plm_task_row *row)
{
	if (v->state == RECORD_FAILED && v->attempt > 0) {
		row->marks |= PLM_MARK_EXIT;
		row->exit =
		    r->failure.signal ? COMMAND_SIGNALLED + r->failure.signal : r->failure.code;
	} else if (v->state == RECORD_DONE) {
		row->marks |= PLM_MARK_EXIT | PLM_MARK_OUTPUT;
		row->output_bytes = v->bytes;
	}
}

static uint64_t tasks_queued(
    const struct tables *t, const struct record *r, const struct record_view *v)
{
	uint32_t until = v->attempt   ? r->start_ms
	    : state_settled(v->state) ? r->end_ms
				      : tables_ms(t);
	return tables_ms_between(r->submit_ms, until);
}

/* Records hold 32 bits of the time; the upper bits are those of now. */
static uint64_t tasks_submitted(const struct tables *t, const struct record *r)
{
	uint64_t now_ms = (clock_ns() - t->control->boot_ns) / NS_PER_MS;
	return now_ms - (uint64_t)(int64_t)(int32_t)((uint32_t)now_ms - r->submit_ms);
}

/* The worker running the task; PLM_NOBODY while the scheduler settles the task. */
static uint32_t tasks_worker(const struct tables *t, const struct record_view *v)
{
	if (v->state != RECORD_RUNNING || v->owner >= t->limits.processes)
		return PLM_NOBODY;
	const struct process *p = &t->process[v->owner];
	return process_kind(sh_load(&p->state)) == KIND_WORKER ? p->worker : PLM_NOBODY;
}

static uint32_t tasks_marks(const struct tables *t, uint32_t index, const struct record_view *v)
{
	return (v->damaged ? PLM_MARK_DAMAGED : 0u) | (v->moved ? PLM_MARK_MOVED : 0u) |
	    (v->stopping ? PLM_MARK_STOPPING : 0u) | (v->dead ? PLM_MARK_DEAD : 0u) |
	    (hold_test(t, index, SLOT_MANAGER) ? PLM_MARK_KEPT : 0u) |
	    (v->parked ? PLM_MARK_PARKED : 0u) |
	    (strcmp(v->function, COMMAND_FUNCTION) == 0 ? PLM_MARK_COMMAND : 0u);
}

/* The identity of the life of the record that the row is about, else zeroes. */
static void tasks_read_identity(const struct record *r, uint64_t ref, uint64_t ret[2])
{
	uint64_t word = sh_load(&r->state), identity[2];
	if (!record_identity(r, word, identity))
		return;
	uint64_t again = sh_load(&r->state);
	if (word_generation(again) == ref_generation(ref))
		memcpy(ret, identity, sizeof identity);
}

static void tasks_read_row(
    const plm_inspect *in, const struct record *r, const struct record_view *v, plm_task_row *row)
{
	const struct tables *t = &in->tables;
	*row = (plm_task_row){ .ref = inspect_ref(in, v->ref),
		.state = (int)v->state,
		.marks = tasks_marks(t, ref_index(v->ref), v),
		.priority = v->priority,
		.attempt = v->attempt,
		.worker = tasks_worker(t, v),
		.process = v->state == RECORD_RUNNING ? v->owner : PLM_NOBODY,
		.args = v->nargs,
		.results = v->results,
		.holders = v->holders,
		.pending = v->pending,
		.uses = v->uses,
		.failures = v->failures,
		.returned = v->returned,
		.age_ms = v->age_ms,
		.queue_ms = tasks_queued(t, r, v),
		.run_ms = v->run_ms,
		.value_bytes = v->bytes,
		.turn = v->turn,
		.submitted_ms = tasks_submitted(t, r) };
	inspect_text(row->function, sizeof row->function, v->function);
	inspect_text(row->command, sizeof row->command, v->function);
	tasks_read_identity(r, v->ref, row->identity);
	tasks_read_end(r, v, row);
}

/* A RESERVED record is in the hands of some process: no task yet. */
static bool tasks_is_task(const struct record_view *v)
{
	return !v->object && !v->part && v->state != RECORD_RESERVED;
}

/* False: no task has this index. */
static bool tasks_read(const plm_inspect *in, uint32_t index, bool texts, plm_task_row *ret)
{
	const struct tables *t = &in->tables;
	struct record *r = &t->record[index];
	for (int look = 0; look < LOOKS_MAX; look++) {
		struct record_view v;
		uint64_t word = sh_load(&r->state);
		if (!view_record(t, index, &v) || !tasks_is_task(&v))
			return false;
		struct places before = tasks_places_of(t, r);
		tasks_read_row(in, r, &v, ret);
		if (texts)
			tasks_read_texts(t, r, word, ret);
		sh_fence();
		struct places after = tasks_places_of(t, r);
		if (before.args == after.args && before.log == after.log &&
		    word_without_flags(sh_load(&r->state)) == word_without_flags(word))
			return true;
	}
	ret->command[0] = ret->label[0] = 0; /* the texts may be another task's */
	ret->marks |= PLM_MARK_MOVED;
	return true;
}

/* ---- the filter ---- */

/* A look at the word alone: most records of a long list need no more. */
static bool tasks_state_passes(const plm_task_filter *f, uint64_t word)
{
	enum record_state state = word_state(word);
	if (state == RECORD_FREE || state == RECORD_RESERVED || state == RECORD_PART ||
	    word_flags(word) & FLAG_OBJECT)
		return false;
	bool dead = state == RECORD_FAILED && f->states & PLM_ONLY_DEAD;
	bool parked = word_flags(word) & FLAG_PARKED && f->states & PLM_ONLY_PARKED;
	return !(f->by & PLM_BY_STATE) || f->states >> state & 1 || dead || parked;
}

static bool tasks_pass(const plm_inspect *in, const plm_task_filter *f, const plm_task_row *row)
{
	bool dead = f->states & PLM_ONLY_DEAD && row->marks & PLM_MARK_DEAD;
	bool parked = f->states & PLM_ONLY_PARKED && row->marks & PLM_MARK_PARKED;
	return (!(f->by & PLM_BY_STATE) || dead || parked || f->states >> row->state & 1) &&
	    (!(f->by & PLM_BY_FUNCTION) || strcmp(row->function, f->function) == 0) &&
	    (!(f->by & PLM_BY_LABEL) || strcmp(row->label, f->label) == 0) &&
	    (!(f->by & PLM_BY_WORKER) || row->worker == f->worker) &&
	    (!(f->by & PLM_BY_KEPT) || row->marks & PLM_MARK_KEPT) &&
	    (!(f->by & PLM_BY_HOLDER) || hold_test(&in->tables, ref_index(row->ref.id), f->holder));
}

static int tasks_take_filter(
    const plm_inspect *in, const plm_task_filter *filter, size_t size, plm_task_filter *ret)
{
	*ret = (plm_task_filter){ .by = 0 };
	if (filter)
		inspect_give(ret, sizeof *ret, filter, size);
	if ((ret->by & PLM_BY_FUNCTION && !ret->function) ||
	    (ret->by & PLM_BY_LABEL && !ret->label))
		return why(-EINVAL, "plm_inspect_tasks: the filter names no function or label");
	if (ret->by & PLM_BY_HOLDER && ret->holder >= in->tables.limits.processes)
		return why(-EINVAL, "plm_inspect_tasks: there is no process slot %u", ret->holder);
	return 0;
}

/* ---- the calls ---- */

int plm_inspect_tasks(plm_inspect *in, const plm_task_filter *filter, size_t filter_size,
    unsigned flags, uint64_t *cursor, plm_task_row *rows, size_t size, size_t n)
{
	struct inspect_page page = { .n = n };
	plm_task_filter f;
	plm_task_row row;
	int r = inspect_check_page("plm_inspect_tasks", in, cursor, rows, size, &page);
	if (r == 0)
		r = tasks_take_filter(in, filter, filter_size, &f);
	if (r < 0)
		return r;
	const struct tables *t = &in->tables;
	uint64_t end = pool_fresh(&t->pool);
	bool texts = flags & PLM_LOOK_TEXTS || f.by & PLM_BY_LABEL;
	for (; *cursor < end && *cursor < t->limits.records && !inspect_page_full(&page);
	     ++*cursor) {
		uint32_t index = (uint32_t)*cursor;
		if (tasks_state_passes(&f, sh_load(&t->record[index].state)) &&
		    tasks_read(in, index, texts, &row) && tasks_pass(in, &f, &row))
			inspect_page_add(&page, &row, sizeof row);
	}
	return (int)page.filled;
}

int plm_inspect_task(plm_inspect *in, plm_ref ref, unsigned flags, plm_task_row *ret, size_t size)
{
	plm_task_row row;
	uint64_t word;
	int error = 0;
	if (!in || !ret)
		return why(-EINVAL, "plm_inspect_task: no handle, or no place for the row");
	const struct record *r = inspect_speaker(in, ref, &word, &error);
	if (!r)
		return error;
	if (!tasks_read(in, record_index(&in->tables, r), flags & PLM_LOOK_TEXTS, &row))
		return why(-EINVAL, "the future is an object that was put, and no task");
	if (ref_generation(row.ref.id) != word_generation(word))
		return ref_gone(&in->tables, ref.id);
	inspect_give(ret, size, &row, sizeof row);
	return 0;
}
