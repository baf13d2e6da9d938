#include "cli/runs/runs_tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/why.h"

enum { ENTRIES_LEAST = 1 << 10, ENTRIES_MOST = 1 << 20, GENERATION_SHIFT = 32, TEXT_PIECE = 8 };

int tasks_open(struct known_tasks *tasks, uint64_t records_max)
{
	uint64_t entries = ENTRIES_LEAST;
	while (entries < records_max && entries < ENTRIES_MOST)
		entries *= 2;
	if (records_max == 0)
		entries = ENTRIES_MOST;
	tasks->mask = entries - 1;
	tasks->entry = calloc(entries, sizeof *tasks->entry);
	return tasks->entry ? 0 : why(-ENOMEM, "no memory for a table of tasks");
}

void tasks_close(struct known_tasks *tasks)
{
	free(tasks->entry);
	tasks->entry = NULL;
}

/* The lower half of an id is the number of the record: small numbers, so few pages are touched. */
static struct known_task *tasks_at(struct known_tasks *tasks, plm_ref ref)
{
	return &tasks->entry[ref.id & tasks->mask];
}

struct known_task *tasks_find(struct known_tasks *tasks, plm_ref ref)
{
	struct known_task *task = tasks_at(tasks, ref);
	return ref.id && task->id == ref.id ? task : NULL;
}

/* The upper half of an id counts the lives of the record. */
static bool tasks_is_later(uint64_t id, uint64_t than)
{
	return (int32_t)((uint32_t)(id >> GENERATION_SHIFT) -
		   (uint32_t)(than >> GENERATION_SHIFT)) > 0;
}

struct known_task *tasks_take(struct known_tasks *tasks, plm_ref ref)
{
	struct known_task *task = tasks_at(tasks, ref);
	if (ref.id == 0)
		return NULL;
	if (task->id == ref.id)
		return task;
	if (task->id && (uint32_t)task->id == (uint32_t)ref.id && tasks_is_later(task->id, ref.id))
		return NULL;
	*task = (struct known_task){ .id = ref.id, .process = PLM_NOBODY, .function = PLM_NOBODY };
	return task;
}

void tasks_name(struct known_task *task, uint32_t attempt, uint64_t text)
{
	bool ended = task->name_length % TEXT_PIECE != 0;
	if (task->name_attempt != attempt || ended ||
	    task->name_length + TEXT_PIECE > RUN_BETTER_NAME_BYTES) {
		task->name_length = 0;
		task->name_attempt = attempt;
	}
	memcpy(task->name + task->name_length, &text, TEXT_PIECE);
	task->name_length += (uint32_t)strnlen(task->name + task->name_length, TEXT_PIECE);
	task->name[task->name_length] = 0;
}
