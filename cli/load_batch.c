/* load_batch.c - tasks on their way in: copied, submitted many at once, and again as far as the
 * table of futures was full. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/load.h"

enum { BATCH_BYTES = 1 << 20, PATIENCE_MS = 1000 };

/* ---- copying ---- */

static unsigned results_of(const plm_task *task)
{
	return task->results ? task->results : 1;
}

static size_t bytes_of(const plm_task *task)
{
	size_t bytes = task->nargs * sizeof *task->args + strlen(task->function) + 1;
	for (size_t i = 0; i < task->nargs; i++)
		bytes += task->args[i].future.id ? 0 : task->args[i].len;
	return bytes + sizeof(plm_arg); /* to begin where an argument may */
}

static const plm_arg *copy_arguments(struct load_batch *batch, const plm_task *task)
{
	size_t at = (batch->used + sizeof(plm_arg) - 1) / sizeof(plm_arg) * sizeof(plm_arg);
	plm_arg *args = (plm_arg *)(void *)(batch->memory + at);
	char *text = batch->memory + at + task->nargs * sizeof *args;
	for (size_t i = 0; i < task->nargs; i++) {
		args[i] = task->args[i];
		if (args[i].future.id || args[i].len == 0)
			continue;
		memcpy(text, task->args[i].data, args[i].len);
		args[i].data = text;
		text += args[i].len;
	}
	batch->used = (size_t)(text - batch->memory);
	return args;
}

static const char *copy_name(struct load_batch *batch, const char *name)
{
	char *to = batch->memory + batch->used;
	batch->used += strlen(name) + 1;
	return strcpy(to, name);
}

bool load_batch_add(struct load_batch *batch, const plm_task *task, struct load_ticket ticket)
{
	size_t bytes = bytes_of(task);
	if (batch->tasks == BATCH_TASKS || (batch->tasks > 0 && bytes > batch->room - batch->used))
		return false;
	if (batch->tasks == 0) {
		batch->used = batch->results = 0;
		batch->memory = grow(batch->memory, bytes < BATCH_BYTES ? BATCH_BYTES : bytes,
		    &batch->room, 1);
	}
	batch->results += results_of(task);
	batch->ref = grow(batch->ref, batch->results, &batch->refs_room, sizeof *batch->ref);
	batch->task[batch->tasks] = *task;
	batch->task[batch->tasks].args = copy_arguments(batch, task);
	batch->task[batch->tasks].function = copy_name(batch, task->function);
	batch->ticket[batch->tasks++] = ticket;
	return true;
}

/* ---- submitting ---- */

/* As far as they were accepted; how many were. */
static size_t hand_out(const struct load_batch *batch, size_t first, const plm_ref *refs,
    load_accepted_f *accepted, void *context)
{
	size_t i = first;
	for (; i < batch->tasks && refs->id; refs += results_of(&batch->task[i]), i++)
		accepted(context, &batch->task[i], &batch->ticket[i], refs);
	return i - first;
}

static void say_full(struct load_batch *batch)
{
	if (batch->told_full)
		return;
	batch->told_full = true;
	fprintf(stderr, "plmctl: waiting for room, with %llu tasks loaded: %s\n",
	    (unsigned long long)batch->accepted, plm_why());
}

static int say_failed(const struct load_batch *batch, int error, const plm_task *task)
{
	int code = failed(error, task->function);
	fprintf(stderr, "plmctl: %llu tasks were loaded before; they stay: the same file again, "
	    "with --unique, goes on from there\n", (unsigned long long)batch->accepted);
	return code;
}

int load_batch_flush(struct load_batch *batch, load_accepted_f *accepted, void *context)
{
	int timeout_ms = batch->context->timeout_ms;
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	size_t done = 0;
	int r = 0;
	plm_patience(batch->context->rt,
	    timeout_ms >= 0 && timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS);
	while (done < batch->tasks) {
		r = plm_submit_many(batch->context->rt, batch->task + done, batch->tasks - done,
		    batch->ref);
		size_t n = hand_out(batch, done, batch->ref, accepted, context);
		done += n;
		batch->accepted += n;
		if (n > 0)
			deadline_ns = deadline_after_ms(timeout_ms);
		if (r == 0)
			continue;
		if (r != -ENOSPC || clock_ns() >= deadline_ns)
			break;
		say_full(batch);
	}
	size_t tasks = batch->tasks;
	batch->tasks = 0;
	return done == tasks ? EXIT_FINE : say_failed(batch, r, &batch->task[done]);
}

void load_batch_free(struct load_batch *batch)
{
	free(batch->memory);
	free(batch->ref);
}
