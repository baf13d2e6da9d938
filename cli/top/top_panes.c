#include "cli/top/top_panes.h"

#include <stdio.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/check.h"
#include "base/clock.h"

enum { THOUSAND = 1000, PERCENT = 100, TIME_WIDTH = 7 }; /* "59.9min" */

#define P99 0.99
#define ALL_SEEN 0.98

#define NONE ((struct cell){ .form = CELL_NONE })
#define CELL(kind, value) ((struct cell){ .form = (kind), .number = (double)(value) })
#define TEXT(value) ((struct cell){ .form = CELL_TEXT, .text = (value) })

/* ---- cells ---- */

void rate_print(double rate, char *ret, size_t size)
{
	static const char units[] = "kMGT";
	int unit = -1;
	while (rate >= THOUSAND && unit < 3) {
		rate /= THOUSAND;
		unit++;
	}
	if (unit < 0)
		snprintf(ret, size, rate < 10 && rate > 0 ? "%.1f" : "%.0f", rate);
	else
		snprintf(ret, size, rate < 100 ? "%.1f%c" : "%.0f%c", rate, units[unit]);
}

void cell_print(const struct cell *cell, char *ret, size_t size)
{
	char ref[PLM_REF_TEXT_BYTES];
	switch (cell->form) {
	case CELL_TEXT: snprintf(ret, size, "%s", cell->text); return;
	case CELL_NUMBER: snprintf(ret, size, "%.0f", cell->number); return;
	case CELL_ABOUT: snprintf(ret, size, "~%.0f", cell->number); return;
	case CELL_RATE: rate_print(cell->number, ret, size); return;
	case CELL_PERCENT: snprintf(ret, size, "%.0f%%", cell->number * PERCENT); return;
	case CELL_MS: ms_print((uint64_t)cell->number, ret, size); return;
	case CELL_NS: ns_print((uint64_t)cell->number, ret, size); return;
	case CELL_REF:
		plm_ref_print(cell->ref, ref);
		snprintf(ret, size, "%s", ref);
		return;
	case CELL_NONE: break;
	}
	snprintf(ret, size, "-");
}

/* ---- workers ---- */

static const struct pane_column worker_columns[] = {
	{ "WORKER", 6, false },
	{ "PID", 7, false },
	{ "STATE", -9, false },
	{ "BUSY", 5, true },
	{ "TASKS/S", 7, true },
	{ "DONE", 9, true },
	{ "FAILED", 6, true },
	{ "FOR", TIME_WIDTH, true },
	{ "RUNNING", 0, false },
};

static size_t panes_worker_rows(const struct facts *facts)
{
	return facts->model.shown;
}

static struct cell panes_worker_cell(const struct facts *facts, size_t row, unsigned column)
{
	const struct model_worker *w = &facts->model.worker[row];
	bool there = w->row.process != PLM_NOBODY;
	switch (column) {
	case 0: return CELL(CELL_NUMBER, w->row.worker);
	case 1: return there ? CELL(CELL_NUMBER, w->row.pid) : NONE;
	case 2: return TEXT(w->condition);
	case 3: return w->measured ? CELL(CELL_PERCENT, w->busy) : NONE;
	case 4: return w->measured ? CELL(CELL_RATE, w->rate) : NONE;
	case 5: return there ? CELL(CELL_NUMBER, w->row.done) : NONE;
	case 6: return there ? CELL(CELL_NUMBER, w->row.failed) : NONE;
	case 7: return w->row.running.id ? CELL(CELL_MS, w->row.run_ms) : NONE;
	default: return w->what[0] ? TEXT(w->what) : NONE;
	}
}

static uint64_t panes_worker_id(const struct facts *facts, size_t row)
{
	const plm_work_row *w = &facts->model.worker[row].row;
	return (uint64_t)w->process << 32 | w->worker;
}

static void panes_worker_look_close(struct facts *facts, size_t row)
{
	model_look_close(&facts->model.worker[row], facts->in);
}

static void panes_about_workers(const struct facts *facts, char *ret, size_t size)
{
	(void)facts;
	snprintf(ret, size, "a row a cpu; FOR: how long the task runs");
}

/* ---- functions ---- */

static const struct count *panes_count(const struct facts *facts)
{
	return counting_shown(&facts->counting);
}

static const struct pane_column function_columns[] = {
	{ "RUNNING", 7, true },
	{ "READY", 8, true },
	{ "WAITING", 8, true },
	{ "DONE", 8, true },
	{ "FAILED", 8, true },
	{ "MEAN", 8, true },
	{ "LONGEST", 8, true },
	{ "FUNCTION", 0, false },
};

static const struct pane_column logged_function_columns[] = {
	{ "RUNNING", 7, true },
	{ "READY", 8, true },
	{ "WAITING", 8, true },
	{ "ENDED/S", 8, true },
	{ "FAILED/S", 8, true },
	{ "MEAN", 8, true },
	{ "P99", 8, true },
	{ "FUNCTION", 0, false },
};

_Static_assert(
    COUNT_OF(function_columns) == COUNT_OF(logged_function_columns), "the same keys sort by both");

static size_t panes_function_rows(const struct facts *facts)
{
	return facts->functions.n;
}

/* A record has its times in whole milliseconds. */
static struct cell panes_time(const struct count_group *g, uint64_t ms)
{
	return g->ran == 0 ? NONE : ms == 0 ? TEXT("<1ms") : CELL(CELL_MS, ms);
}

static struct cell panes_counted_cell(const struct function_row *f, unsigned column)
{
	static const int states[] = { PLM_STATE_RUNNING, PLM_STATE_READY, PLM_STATE_WAITING,
		PLM_STATE_DONE, PLM_STATE_FAILED };
	const struct count_group *g = f->counted;
	if (column < COUNT_OF(states))
		return CELL(CELL_NUMBER, g ? g->state[states[column]] : 0);
	if (column == COUNT_OF(states) + 2)
		return TEXT(f->name);
	if (!g)
		return NONE;
	return panes_time(g,
	    column == COUNT_OF(states) + 1 ? g->longest_ms
		: g->ran                   ? g->run_ms / g->ran
					   : 0);
}

/* The four columns that the log gives. */
static struct cell panes_logged_cell(
    const struct runs *runs, const struct runs_of *f, unsigned column)
{
	bool ran = f && f->ran > 0;
	switch (column) {
	case 3:
		return runs->seen_ns > 0 ? CELL(CELL_RATE, runs_rate(runs, f ? f->ended : 0))
					 : NONE;
	case 4:
		return runs->seen_ns > 0 ? CELL(CELL_RATE, runs_rate(runs, f ? f->failed : 0))
					 : NONE;
	case 5: return ran ? CELL(CELL_NS, f->run_ns / f->ran) : NONE;
	default: return ran ? CELL(CELL_NS, runs_percentile_ns(f, P99)) : NONE;
	}
}

static struct cell panes_function_cell(const struct facts *facts, size_t row, unsigned column)
{
	const struct function_row *f = &facts->functions.row[row];
	if (facts->flow.lives && column >= 3 && column <= 6)
		return panes_logged_cell(&facts->flow.runs, f->runs, column);
	return panes_counted_cell(f, column);
}

static uint64_t panes_hash(const char *text)
{
	uint64_t hash = 14695981039346656037u;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

static uint64_t panes_function_id(const struct facts *facts, size_t row)
{
	return panes_hash(facts->functions.row[row].name);
}

static void panes_age(const struct facts *facts, char *ret, size_t size)
{
	const struct count *count = panes_count(facts);
	uint64_t ms = count && count->ended_ns ? (clock_ns() - count->ended_ns) / NS_PER_MS : 0;
	char age[32];
	ret[0] = 0;
	if (!count || count->ended_ns == 0)
		snprintf(ret, size, "; counted so far");
	else if (ms >= 2 * THOUSAND) {
		ms_print(ms, age, sizeof age);
		snprintf(ret, size, "; counted %s ago", age);
	}
}

static void panes_about_functions(const struct facts *facts, char *ret, size_t size)
{
	char age[64], share[64] = "";
	const struct flow *flow = &facts->flow;
	panes_age(facts, age, sizeof age);
	if (flow->lives && flow->covered > 0 && flow->covered < ALL_SEEN)
		snprintf(share, sizeof share, " in %.2g%% of the time", flow->covered * PERCENT);
	if (flow->lives)
		snprintf(ret, size, "ends of the last 10s%s%s", share, age);
	else if (flow->trouble[0])
		snprintf(
		    ret, size, "tasks in the record table%s; no rates: %s", age, flow->trouble);
	else
		snprintf(ret, size, "tasks in the record table, and their run times%s", age);
}

/* ---- reasons ---- */

static const struct pane_column reason_columns[] = {
	{ "TASKS", 8, true },
	{ "REASON", -11, false },
	{ "EXAMPLE", 0, false },
};

static size_t panes_reason_rows(const struct facts *facts)
{
	return facts->reasons.last.groups;
}

static struct cell panes_reason_cell(const struct facts *facts, size_t row, unsigned column)
{
	const struct reason_list *list = &facts->reasons.last;
	const struct reason_group *g = &list->group[row];
	switch (column) {
	case 0: return CELL(list->exact ? CELL_NUMBER : CELL_ABOUT, g->tasks);
	case 1: return TEXT(g->code);
	default: return TEXT(g->text);
	}
}

static uint64_t panes_reason_id(const struct facts *facts, size_t row)
{
	return panes_hash(facts->reasons.last.group[row].code);
}

static void panes_about_reasons(const struct facts *facts, char *ret, size_t size)
{
	const struct reason_list *list = &facts->reasons.last;
	if (list->asked == 0 && !list->exact)
		snprintf(ret, size, "no task is asked yet");
	else if (list->exact)
		snprintf(ret, size, "the first reason of each queued task");
	else
		snprintf(ret, size, "the first reason, of %u among %llu queued tasks", list->asked,
		    (unsigned long long)list->queued);
}

/* ---- priorities ---- */

static const struct pane_column priority_columns[] = {
	{ "PRIORITY", 8, true },
	{ "READY", 10, true },
	{ "WAITING", 10, true },
	{ "RUNNING", 10, true },
	{ "OLDEST QUEUED", 13, true },
};

static size_t panes_priority_rows(const struct facts *facts)
{
	return facts->counting.last ? panes_count(facts)->priorities : 0;
}

static struct cell panes_priority_cell(const struct facts *facts, size_t row, unsigned column)
{
	const struct count_priority *p = &panes_count(facts)->priority[row];
	switch (column) {
	case 0: return p->priority == INT64_MAX ? TEXT("(others)") : CELL(CELL_NUMBER, p->priority);
	case 1: return CELL(CELL_NUMBER, p->ready);
	case 2: return CELL(CELL_NUMBER, p->waiting);
	case 3: return CELL(CELL_NUMBER, p->running);
	default: return p->ready + p->waiting ? CELL(CELL_MS, p->oldest_ms) : NONE;
	}
}

static uint64_t panes_priority_id(const struct facts *facts, size_t row)
{
	return (uint64_t)panes_count(facts)->priority[row].priority;
}

static void panes_about_priorities(const struct facts *facts, char *ret, size_t size)
{
	char age[64];
	panes_age(facts, age, sizeof age);
	snprintf(ret, size, "queued and running tasks by priority%s", age);
}

/* ---- tasks ---- */

static const struct pane_column task_columns[] = {
	{ "REF", -27, false },
	{ "STATE", -9, false },
	{ "PRIO", 6, true },
	{ "AGE", TIME_WIDTH, true },
	{ "RAN", TIME_WIDTH, true },
	{ "COMMAND", 0, false },
};

static size_t panes_task_rows(const struct facts *facts)
{
	return facts->counting.last ? panes_count(facts)->listed : 0;
}

/* Tasks that a user may want to end or retry come first. */
static int panes_state_rank(int state)
{
	static const int ranks[PLM_STATES] = {
		[PLM_STATE_RUNNING] = 1,
		[PLM_STATE_FAILED] = 2,
		[PLM_STATE_READY] = 3,
		[PLM_STATE_WAITING] = 4,
		[PLM_STATE_DONE] = 5,
		[PLM_STATE_CANCELLED] = 6,
	};
	return state > PLM_STATE_RESERVED && state < PLM_STATES ? ranks[state] : PLM_STATES;
}

static struct cell panes_task_cell(const struct facts *facts, size_t row, unsigned column)
{
	const struct count_task *t = &panes_count(facts)->task[row];
	bool runs = t->state == PLM_STATE_RUNNING;
	switch (column) {
	case 0:
		return (
		    struct cell){ .form = CELL_REF, .number = (uint32_t)t->ref.id, .ref = t->ref };
	case 1:
		return (struct cell){ .form = CELL_TEXT,
			.number = panes_state_rank(t->state),
			.text = counting_state_name(t) };
	case 2: return CELL(CELL_NUMBER, t->priority);
	case 3: return CELL(CELL_MS, t->age_ms);
	case 4: return t->run_ms || runs ? CELL(CELL_MS, t->run_ms) : NONE;
	default: return TEXT(t->what);
	}
}

static uint64_t panes_task_id(const struct facts *facts, size_t row)
{
	return panes_count(facts)->task[row].ref.id;
}

static void panes_task_look_close(struct facts *facts, size_t row)
{
	counting_look_again(&facts->counting, row, facts->in);
}

static void panes_about_tasks(const struct facts *facts, char *ret, size_t size)
{
	const struct count *count = panes_count(facts);
	char age[64];
	panes_age(facts, age, sizeof age);
	if (count && count->listed < count->matching)
		snprintf(ret, size, "%u of %llu tasks, some of each state%s", count->listed,
		    (unsigned long long)count->matching, age);
	else
		snprintf(ret, size, "all tasks%s", age);
}

/* ---- the table ---- */

const struct pane panes[PANES] = {
	[PANE_WORKERS] = { "Workers", "no worker lives", worker_columns, NULL,
	    COUNT_OF(worker_columns), 0, panes_worker_rows, panes_worker_cell, panes_worker_id,
	    panes_worker_look_close, panes_about_workers },
	[PANE_FUNCTIONS] = { "Functions", "no task is in the record table", function_columns,
	    logged_function_columns, COUNT_OF(function_columns), 0, panes_function_rows,
	    panes_function_cell, panes_function_id, NULL, panes_about_functions },
	[PANE_REASONS] = { "Waiting", "no task waits", reason_columns, NULL,
	    COUNT_OF(reason_columns), 0, panes_reason_rows, panes_reason_cell, panes_reason_id,
	    NULL, panes_about_reasons },
	[PANE_PRIORITIES] = { "Priorities", "no task is queued or runs", priority_columns, NULL,
	    COUNT_OF(priority_columns), 0, panes_priority_rows, panes_priority_cell,
	    panes_priority_id, NULL, panes_about_priorities },
	[PANE_TASKS] = { "Tasks", "no task is in the record table", task_columns, NULL,
	    COUNT_OF(task_columns), 1, panes_task_rows, panes_task_cell, panes_task_id,
	    panes_task_look_close, panes_about_tasks },
};

const struct pane_column *pane_columns(const struct facts *facts, enum pane_number pane)
{
	bool logged = facts->flow.lives && panes[pane].logged_columns;
	return logged ? panes[pane].logged_columns : panes[pane].columns;
}

/* ---- for keys ---- */

bool pane_task(const struct facts *facts, enum pane_number pane, size_t row, plm_ref *ret,
    const char **ret_what)
{
	if (pane == PANE_WORKERS && row < panes_worker_rows(facts)) {
		const struct model_worker *w = &facts->model.worker[row];
		*ret = w->row.running;
		*ret_what = w->what;
		return w->row.running.id != 0;
	}
	if (pane != PANE_TASKS || row >= panes_task_rows(facts))
		return false;
	*ret = panes_count(facts)->task[row].ref;
	*ret_what = panes_count(facts)->task[row].what;
	return true;
}

/* The process of a drained worker may still be on its way out, in a row of its own. */
static bool panes_drained(const struct facts *facts, uint32_t worker)
{
	for (size_t i = 0; i < facts->model.shown; i++) {
		const plm_work_row *w = &facts->model.worker[i].row;
		if (w->worker == worker && w->marks & PLM_MARK_DRAINED)
			return true;
	}
	return false;
}

bool pane_worker(
    const struct facts *facts, enum pane_number pane, size_t row, uint32_t *ret, bool *ret_drained)
{
	if (pane != PANE_WORKERS || row >= panes_worker_rows(facts))
		return false;
	*ret = facts->model.worker[row].row.worker;
	*ret_drained = panes_drained(facts, *ret);
	return true;
}
