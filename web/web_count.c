#include "web/web_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { PAGE_ROWS = 32 };

void count_forget(struct count *count)
{
	memset(count, 0, sizeof *count);
}

void count_name(const plm_task_row *row, char ret[COUNT_NAME_BYTES])
{
	const char *name = row->function;
	size_t length = strlen(name);
	if (row->marks & PLM_MARK_COMMAND && row->command[0] &&
	    strcmp(row->command, row->function) != 0) {
		length = strcspn(row->command, " \t\n");
		const char *slash = length > 1 ? memrchr(row->command, '/', length - 1) : NULL;
		name = slash ? slash + 1 : row->command;
		length -= (size_t)(name - row->command);
	}
	snprintf(ret, COUNT_NAME_BYTES, "%.*s",
	    (int)(length < COUNT_NAME_BYTES ? length : COUNT_NAME_BYTES - 1), name);
}

static struct count_group *count_group_of(struct count_pass *pass, const plm_task_row *row)
{
	char name[COUNT_NAME_BYTES];
	count_name(row, name);
	for (unsigned i = 0; i < pass->groups; i++)
		if (strcmp(pass->group[i].name, name) == 0)
			return &pass->group[i];
	bool full = pass->groups >= COUNT_GROUPS_MAX - 1;
	struct count_group *group = &pass->group[full ? COUNT_GROUPS_MAX - 1 : pass->groups];
	pass->groups += pass->groups < COUNT_GROUPS_MAX;
	snprintf(group->name, sizeof group->name, "%s", full ? "(others)" : name);
	return group;
}

static void count_row(struct count_pass *pass, const plm_task_row *row)
{
	if (row->state < 0 || row->state >= PLM_STATES)
		return; /* damaged */
	struct count_group *group = count_group_of(pass, row);
	group->state[row->state]++;
	pass->state[row->state]++;
	if ((row->state != PLM_STATE_DONE && row->state != PLM_STATE_FAILED) || row->attempt == 0)
		return;
	group->ran++;
	group->run_ms += row->run_ms;
	if (row->run_ms > group->longest_ms)
		group->longest_ms = row->run_ms;
}

static int count_compare(const void *a, const void *b)
{
	return strcmp(((const struct count_group *)a)->name, ((const struct count_group *)b)->name);
}

void count_step(struct count *count, plm_inspect *in, uint64_t ns)
{
	static plm_task_row rows[PAGE_ROWS];
	uint64_t began = clock_ns();
	int n = 1;
	if (!count->going) {
		memset(&count->next, 0, sizeof count->next);
		count->cursor = 0;
		count->going = true;
	}
	while (clock_ns() - began < ns &&
	    (n = plm_inspect_tasks(
		 in, NULL, 0, PLM_LOOK_TEXTS, &count->cursor, rows, sizeof rows[0], PAGE_ROWS)) > 0)
		for (int i = 0; i < n; i++)
			count_row(&count->next, &rows[i]);
	if (n > 0)
		return;
	count->going = false;
	count->last = count->next;
	count->last.ended_ns = clock_ns();
	qsort(count->last.group, count->last.groups, sizeof count->last.group[0], count_compare);
}

static void count_put_states(const uint64_t state[PLM_STATES], struct json *json)
{
	for (int i = PLM_STATE_WAITING; i <= PLM_STATE_CANCELLED; i++)
		jsontext_number(json, plm_state_name(i), state[i]);
}

void count_put(const struct count *count, struct json *json)
{
	const struct count_pass *pass = &count->last;
	if (pass->ended_ns)
		jsontext_number(json, "counted_ms", (clock_ns() - pass->ended_ns) / NS_PER_MS);
	jsontext_open(json, "tasks", '{');
	count_put_states(pass->state, json);
	jsontext_close(json, '}');
	jsontext_open(json, "groups", '[');
	for (unsigned i = 0; i < pass->groups; i++) {
		const struct count_group *group = &pass->group[i];
		jsontext_open(json, NULL, '{');
		jsontext_text(json, "name", group->name);
		count_put_states(group->state, json);
		jsontext_real(
		    json, "mean_ms", group->ran ? (double)group->run_ms / (double)group->ran : 0.0);
		jsontext_number(json, "longest_ms", group->longest_ms);
		jsontext_close(json, '}');
	}
	jsontext_close(json, ']');
}
