#include "cli/top/top_count.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"

enum { PAGE_ROWS = 32 };

/* How many tasks of a state are listed. */
static const unsigned listed_most[PLM_STATES] = {
	[PLM_STATE_RUNNING] = 1100,
	[PLM_STATE_FAILED] = 500,
	[PLM_STATE_READY] = 400,
	[PLM_STATE_WAITING] = 300,
	[PLM_STATE_DONE] = 200,
	[PLM_STATE_CANCELLED] = 100,
};

int counting_begin(struct counting *counting)
{
	counting_end(counting);
	counting->next = calloc(1, sizeof *counting->next);
	counting->last = calloc(1, sizeof *counting->last);
	counting->random = clock_ns() | 1;
	if (counting->next && counting->last)
		return 0;
	counting_end(counting);
	return why(-ENOMEM, "no memory for counting tasks");
}

void counting_end(struct counting *counting)
{
	char filter[sizeof counting->filter];
	memcpy(filter, counting->filter, sizeof filter);
	free(counting->next);
	free(counting->last);
	*counting = (struct counting){ .next = NULL };
	memcpy(counting->filter, filter, sizeof filter);
}

void counting_filter(struct counting *counting, const char *filter)
{
	snprintf(counting->filter, sizeof counting->filter, "%s", filter);
	counting->going = false;
}

void counting_restart(struct counting *counting)
{
	counting->going = false;
	counting_start(counting);
}

void counting_start(struct counting *counting)
{
	if (counting->going || !counting->next)
		return;
	memset(counting->next, 0, sizeof *counting->next);
	counting->cursor = 0;
	counting->going = true;
}

/* ---- one task ---- */

void count_name(const plm_task_row *row, char ret[COUNT_NAME_BYTES])
{
	const char *name = row->function;
	size_t length = strlen(name);
	if (row->marks & PLM_MARK_COMMAND && row->command[0] &&
	    strcmp(row->command, row->function) != 0) {
		length = strcspn(row->command, " \t\n");
		name = row->command;
		for (size_t i = 0; i < length; i++)
			if (row->command[i] == '/' && i + 1 < length)
				name = &row->command[i + 1];
		length -= (size_t)(name - row->command);
	}
	snprintf(ret, COUNT_NAME_BYTES, "%.*s", (int)length, name);
}

static struct count_group *count_group_of(struct count *count, const plm_task_row *row)
{
	char name[COUNT_NAME_BYTES];
	count_name(row, name);
	for (unsigned i = 0; i < count->groups; i++)
		if (strcmp(count->group[i].name, name) == 0)
			return &count->group[i];
	bool full = count->groups >= GROUPS_MAX - 1;
	struct count_group *group = &count->group[full ? GROUPS_MAX - 1 : count->groups];
	count->groups += count->groups < GROUPS_MAX;
	snprintf(group->name, sizeof group->name, "%s", full ? "(others)" : name);
	return group;
}

static void count_into_group(struct count *count, const plm_task_row *row)
{
	struct count_group *group = count_group_of(count, row);
	group->state[row->state]++;
	if ((row->state != PLM_STATE_DONE && row->state != PLM_STATE_FAILED) || row->attempt == 0)
		return;
	group->ran++;
	group->run_ms += row->run_ms;
	group->longest_ms = row->run_ms > group->longest_ms ? row->run_ms : group->longest_ms;
}

static struct count_priority *count_priority_of(struct count *count, int64_t priority)
{
	for (unsigned i = 0; i < count->priorities; i++)
		if (count->priority[i].priority == priority)
			return &count->priority[i];
	bool full = count->priorities >= PRIORITIES_MAX - 1;
	struct count_priority *p = &count->priority[full ? PRIORITIES_MAX - 1 : count->priorities];
	count->priorities += count->priorities < PRIORITIES_MAX;
	p->priority = full ? INT64_MAX : priority;
	return p;
}

static void count_into_priority(struct count *count, const plm_task_row *row)
{
	struct count_priority *p = count_priority_of(count, row->priority);
	p->ready += row->state == PLM_STATE_READY;
	p->waiting += row->state == PLM_STATE_WAITING;
	p->running += row->state == PLM_STATE_RUNNING;
	if (row->state != PLM_STATE_RUNNING && row->age_ms > p->oldest_ms)
		p->oldest_ms = row->age_ms;
}

/* Each queued task is in the sample with the same probability (reservoir sampling). */
static void count_into_sample(struct counting *counting, const plm_task_row *row)
{
	struct count *count = counting->next;
	uint64_t place = count->queued++;
	if (place >= SAMPLE_MAX) {
		counting->random ^= counting->random << 13;
		counting->random ^= counting->random >> 7;
		counting->random ^= counting->random << 17;
		place = counting->random % count->queued;
	}
	if (place >= SAMPLE_MAX)
		return;
	count->sample[place] = row->ref;
	count->sampled += count->sampled <= place;
}

static void count_fill(struct count_task *task, const plm_task_row *row)
{
	*task = (struct count_task){ .ref = row->ref,
		.state = row->state,
		.marks = row->marks,
		.priority = row->priority,
		.age_ms = row->age_ms,
		.run_ms = row->run_ms };
	snprintf(task->what, sizeof task->what, "%.*s", TASK_TEXT_BYTES - 1,
	    row->command[0] ? row->command : row->function);
}

const char *counting_state_name(const struct count_task *task)
{
	return task->state == PLM_STATE_FREE  ? "gone"
	    : task->marks & PLM_MARK_STOPPING ? "stopping"
	    : task->marks & PLM_MARK_DEAD     ? "dead"
					      : plm_state_name(task->state);
}

/* Looks at the same texts as the filter of the pane. */
static bool count_passes(const char *filter, const struct count_task *task)
{
	char ref[PLM_REF_TEXT_BYTES];
	plm_ref_print(task->ref, ref);
	return strcasestr(task->what, filter) || strcasestr(counting_state_name(task), filter) ||
	    strcasestr(ref, filter);
}

static void count_into_list(struct counting *counting, const plm_task_row *row)
{
	struct count *count = counting->next;
	struct count_task *task = &count->task[count->listed];
	bool room = count->listed_of[row->state] < listed_most[row->state];
	if (!room && !counting->filter[0]) {
		count->matching++;
		return;
	}
	count_fill(task, row);
	if (counting->filter[0] && !count_passes(counting->filter, task))
		return;
	count->matching++;
	if (!room)
		return;
	count->listed_of[row->state]++;
	count->listed++;
}

static void count_task(struct counting *counting, const plm_task_row *row)
{
	struct count *count = counting->next;
	if (row->state < 0 || row->state >= PLM_STATES)
		return;
	bool queued = row->state == PLM_STATE_READY || row->state == PLM_STATE_WAITING;
	count->tasks++;
	count->state[row->state]++;
	count_into_group(count, row);
	if (queued)
		count_into_sample(counting, row);
	if (queued || row->state == PLM_STATE_RUNNING)
		count_into_priority(count, row);
	count_into_list(counting, row);
}

/* ---- passes ---- */

static void count_finish(struct counting *counting)
{
	struct count *ended = counting->next;
	ended->ended_ns = clock_ns();
	counting->next = counting->last;
	counting->last = ended;
	counting->going = false;
}

bool counting_step(struct counting *counting, plm_inspect *in, uint64_t ns)
{
	static plm_task_row rows[PAGE_ROWS];
	uint64_t began = clock_ns();
	while (counting->going) {
		int n = plm_inspect_tasks(in, NULL, 0, PLM_LOOK_TEXTS, &counting->cursor, rows,
		    sizeof rows[0], PAGE_ROWS);
		for (int i = 0; i < n; i++)
			count_task(counting, &rows[i]);
		if (n <= 0) {
			count_finish(counting);
			return true;
		}
		if (clock_ns() - began >= ns)
			break;
	}
	return false;
}

static struct count *count_shown(const struct counting *counting)
{
	bool first = counting->last && counting->last->ended_ns == 0;
	return first ? counting->next : counting->last;
}

const struct count *counting_shown(const struct counting *counting)
{
	return count_shown(counting);
}

void counting_look_again(struct counting *counting, size_t at, plm_inspect *in)
{
	static plm_task_row row;
	struct count_task *task = &count_shown(counting)->task[at];
	if (plm_inspect_task(in, task->ref, PLM_LOOK_TEXTS, &row, sizeof row) == 0)
		count_fill(task, &row);
	else
		task->state = PLM_STATE_FREE;
}
