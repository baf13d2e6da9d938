/* load_batch.c - copies tasks, submits many at once, and submits again the tasks for which the
 * table of futures had no room. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/why.h"
#include "cli/load/load.h"

enum { BATCH_BYTES = 1 << 20, PATIENCE_MS = 1000, REASON_BYTES = 256 };

/* ---- copying ---- */

static unsigned load_batch_results_of(const plm_task *task)
{
	return task->results ? task->results : 1;
}

static size_t load_batch_bytes_of(const plm_task *task)
{
	size_t bytes = task->nargs * sizeof *task->args + strlen(task->function) + 1;
	for (size_t i = 0; i < task->nargs; i++)
		bytes += task->args[i].future.id ? 0 : task->args[i].len;
	return bytes + sizeof(plm_arg); /* alignment */
}

static const plm_arg *load_batch_copy_arguments(struct load_batch *batch, const plm_task *task)
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

static const char *load_batch_copy_name(struct load_batch *batch, const char *name)
{
	char *to = batch->memory + batch->used;
	batch->used += strlen(name) + 1;
	return strcpy(to, name);
}

static void load_batch_copy(
    struct load_batch *batch, const plm_task *task, const struct load_ticket *ticket)
{
	batch->results += load_batch_results_of(task);
	batch->ref = grow(batch->ref, batch->results, &batch->refs_room, sizeof *batch->ref);
	batch->task[batch->tasks] = *task;
	batch->task[batch->tasks].args = load_batch_copy_arguments(batch, task);
	batch->task[batch->tasks].function = load_batch_copy_name(batch, task->function);
	batch->ticket[batch->tasks++] = *ticket;
}

bool load_batch_is_hook(const plm_task *task)
{
	return (task->flags & PLM_PAIRED) != 0;
}

static void load_batch_copy_hook(
    struct load_batch *batch, const struct load_task *task, uint64_t line)
{
	struct load_ticket ticket = { .line = line, .label = HOOK_LABEL };
	memcpy(ticket.title, task->hook_title, sizeof ticket.title);
	load_batch_copy(batch, &task->hook.task, &ticket);
}

bool load_batch_add(
    struct load_batch *batch, const struct load_task *with_hook, const struct load_ticket *ticket)
{
	const plm_task *task = &with_hook->task;
	const plm_task *hook = with_hook->hook.command ? &with_hook->hook.task : NULL;
	size_t bytes = load_batch_bytes_of(task) + (hook ? load_batch_bytes_of(hook) : 0);
	if (batch->tasks + 1 >= BATCH_TASKS ||
	    (batch->tasks > 0 && bytes > batch->room - batch->used))
		return false;
	if (batch->tasks == 0) {
		batch->used = batch->results = 0;
		batch->memory =
		    grow(batch->memory, bytes < BATCH_BYTES ? BATCH_BYTES : bytes, &batch->room, 1);
	}
	load_batch_copy(batch, task, ticket);
	if (hook)
		load_batch_copy_hook(batch, with_hook, ticket->line);
	return true;
}

/* ---- submitting ---- */

/* Hands out the accepted tasks of n; returns how many. Nobody asks for the end of a hook. */
static size_t load_batch_hand_out(
    struct load_batch *batch, size_t first, size_t n, load_accepted_f *accepted, void *context)
{
	const plm_ref *refs = batch->ref;
	size_t i = first;
	for (; i < first + n && refs->id; refs += load_batch_results_of(&batch->task[i]), i++) {
		const plm_task *task = &batch->task[i];
		if (load_batch_is_hook(task)) {
			plm_drop_many(batch->context->rt, refs, load_batch_results_of(task));
			continue;
		}
		accepted(context, task, &batch->ticket[i], refs);
		batch->accepted++;
	}
	return i - first;
}

/* How many tasks a patient submission takes: a task, and its hook. */
static size_t load_batch_first(const struct load_batch *batch, size_t done)
{
	bool hook = done + 1 < batch->tasks && load_batch_is_hook(&batch->task[done + 1]);
	return hook ? 2 : 1;
}

static void load_batch_say_full(struct load_batch *batch)
{
	if (batch->told_full)
		return;
	batch->told_full = true;
	fprintf(stderr, "plmctl: waiting for room, with %llu tasks loaded: %s\n",
	    (unsigned long long)batch->accepted, plm_why());
}

static int load_batch_say_failed(const struct load_batch *batch, int error, const plm_task *task)
{
	int code = failed(error, task->function);
	fprintf(stderr,
	    "plmctl: %llu tasks were loaded before; they stay: the same file again, "
	    "with --unique, goes on from there\n",
	    (unsigned long long)batch->accepted);
	return code;
}

/* Lets go of ended tasks of the file. If no task has ended, room can only come from other clients,
 * and the next submission waits. plm_why() stays the reason of the submission. */
static int load_batch_await_room(
    struct load_batch *batch, void *context, bool waited, bool *ret_some)
{
	char reason[REASON_BYTES];
	snprintf(reason, sizeof reason, "%s", plm_why());
	int r = batch->make_room(context, waited, ret_some);
	if (r < 0)
		return r;
	why(-ENOSPC, "%s", reason);
	if (!*ret_some && waited)
		load_batch_say_full(batch);
	return 0;
}

/* Submits as many tasks as find room now; with patience a single task. plm_submit_many() holds
 * its tasks until the return, so several patient tasks could wait for the room they occupy. 0,
 * -ENOSPC, or -errno for good. */
static int load_batch_submit_some(struct load_batch *batch, size_t *done, int patience_ms,
    load_accepted_f *accepted, void *context)
{
	plm_patience(batch->context->rt, patience_ms);
	size_t n = patience_ms ? load_batch_first(batch, *done) : batch->tasks - *done;
	int r = plm_submit_many(batch->context->rt, batch->task + *done, n, batch->ref);
	n = load_batch_hand_out(batch, *done, n, accepted, context);
	*done += n;
	return r;
}

int load_batch_flush(struct load_batch *batch, load_accepted_f *accepted, void *context)
{
	int timeout_ms = batch->context->timeout_ms, r = 0;
	int patience_ms = timeout_ms >= 0 && timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS;
	uint64_t deadline_ns = deadline_after_ms(timeout_ms);
	size_t done = 0;
	bool patient = false;
	while (done < batch->tasks && r == 0) {
		size_t before = done;
		bool some = false;
		r = load_batch_submit_some(
		    batch, &done, patient ? patience_ms : 0, accepted, context);
		if (r == -ENOSPC && !(patient && done == before && clock_ns() >= deadline_ns))
			r = load_batch_await_room(batch, context, patient && done == before, &some);
		if (some || done > before)
			deadline_ns = deadline_after_ms(timeout_ms);
		patient = !some && done == before;
	}
	size_t tasks = batch->tasks;
	batch->tasks = 0;
	return done == tasks ? EXIT_FINE : load_batch_say_failed(batch, r, &batch->task[done]);
}

int load_batch_add_to_fleet(struct load_batch *batch, bool unique, bool was[BATCH_TASKS])
{
	static struct fleet_new new[BATCH_TASKS];
	for (size_t i = 0; i < batch->tasks; i++)
		new[i] = (struct fleet_new){ &batch->task[i], batch->ticket[i].label,
			batch->ticket[i].title };
	return fleet_add(batch->context, new, batch->tasks, unique, batch->ref, was);
}

void load_batch_free(struct load_batch *batch)
{
	free(batch->memory);
	free(batch->ref);
}
