/* bridge_ends.c - tasks on the way out: their ends, told to the engine.
 *
 * The bridge remembers of an ended task the reference alone, so a commit lost with the connection
 * is made again from the runtime. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { COMMIT_BYTES = 4 << 20 };

struct batch { /* a commit being made */
	size_t n, bytes;
	size_t index[BRIDGE_COMMIT_MOST]; /* of the tasks, falling */
	struct engine_end end[BRIDGE_COMMIT_MOST];
	plm_view view[BRIDGE_COMMIT_MOST];
	struct engine_value *value[BRIDGE_COMMIT_MOST]; /* end[i].more; NULL: none */
	plm_view *more[BRIDGE_COMMIT_MOST];             /* of value[i] */
	char message[BRIDGE_COMMIT_MOST][BRIDGE_MESSAGE_BYTES];
};

void bridge_forget(struct bridge *b, size_t i)
{
	plm_drop(b->rt, b->task[i].ref);
	if (b->task[i].more)
		plm_drop_many(b->rt, b->task[i].more, b->task[i].mores);
	free(b->task[i].more);
	bridge_far_end(&b->task[i]);
	b->task[i] = b->task[--b->tasks];
}

void bridge_cancel(struct bridge *b, uint64_t id)
{
	for (size_t i = 0; i < b->tasks; i++)
		if (b->task[i].id == id && !b->task[i].cancelled) {
			b->task[i].cancelled = true;
			plm_cancel(b->rt, b->task[i].ref, (int)b->task[i].cancel_ms);
		}
}

/* A cancel of a waiting task leaves the count of attempts as it was; a task that began in the same
 * moment has done a part of its work, and is treated as after a death. */
bool bridge_send_one_back(struct bridge *b, struct bridge_task *task, bool all)
{
	plm_task_row row;
	if (task->cancelled || plm_inspect_task(b->in, task->ref, 0, &row, sizeof row) < 0)
		return false;
	task->begun = row.attempt > 0;
	if (row.state != PLM_STATE_READY || !(all || row.attempt > 0) ||
	    plm_cancel(b->rt, task->ref, 0) < 0)
		return false;
	task->cancelled = task->back = true;
	task->back_attempt = row.attempt;
	return row.attempt > 0;
}

void bridge_send_back(struct bridge *b)
{
	const plm_status *s = &b->status;
	bool all = s->paused || s->memory_short || b->drained || b->leaving;
	bool rest = false;
	for (size_t i = 0; i < b->tasks; i++)
		rest |= bridge_send_one_back(b, &b->task[i], all);
	/* What did not fit here goes to others first. */
	if (rest)
		b->rest_until_ns = clock_ns() + engine_lease_ms(b->engine) * NS_PER_MS;
}

static void ends_read_cancelled(
    struct bridge *b, const struct bridge_task *task, struct engine_end *end, char *message)
{
	plm_task_row row;
	end->kind = task->back ? ENDING_BACK : ENDING_CANCELLED;
	if (!task->back ||
	    (plm_inspect_task(b->in, task->ref, 0, &row, sizeof row) == 0 &&
		row.attempt == task->back_attempt))
		return;
	end->kind = ENDING_CRASHED;
	end->code = EOWNERDEAD;
	snprintf(message, BRIDGE_MESSAGE_BYTES, "host %s sent the task back as it began", b->host);
}

/* Half a result must not look like a whole result. */
static void ends_was_cut(struct engine_end *end, char *message, const plm_command_row *row)
{
	end->kind = ENDING_FAILED;
	end->code = EFBIG;
	snprintf(message, BRIDGE_MESSAGE_BYTES,
	    "the output has %llu bytes, and %llu of them were dropped: let --output-cap be larger, "
	    "or let the command write a file (--out)",
	    (unsigned long long)row->out_bytes, (unsigned long long)row->out_dropped);
}

/* The bytes stay in place while the bridge holds the reference. Of a failed command the end of its
 * output travels. */
static void ends_read_command(
    struct bridge *b, const struct bridge_task *task, struct engine_end *end, char *message)
{
	plm_command_row row;
	const void *data;
	size_t bytes;
	if (plm_inspect_command(b->in, task->ref, &row, sizeof row) < 0)
		return;
	end->wall_us = row.wall_us;
	if (plm_inspect_output(b->in, task->ref, STDERR_FILENO, &data, &bytes) == 0) {
		size_t from = bytes > ENGINE_ERRORS_MOST ? bytes - ENGINE_ERRORS_MOST : 0;
		end->error_output = (const char *)data + from;
		end->error_bytes = bytes - from;
	}
	if (plm_inspect_output(b->in, task->ref, STDOUT_FILENO, &data, &bytes) == 0) {
		end->value = data;
		end->value_bytes = bytes;
	}
	if (end->kind == ENDING_DONE && row.out_dropped)
		ends_was_cut(end, message, &row);
	if (end->kind != ENDING_DONE && end->value_bytes > ENGINE_VALUE_MOST) {
		end->value = (const char *)end->value + end->value_bytes - ENGINE_VALUE_MOST;
		end->value_bytes = ENGINE_VALUE_MOST;
	}
}

static void ends_read_value(
    struct bridge *b, plm_ref ref, plm_view *view, struct engine_end *end, char *message)
{
	int r = plm_get(b->rt, ref, view, 0);
	if (r < 0) {
		end->kind = ENDING_CRASHED;
		end->code = -r;
		snprintf(message, BRIDGE_MESSAGE_BYTES, "the value is gone: %.300s", plm_why());
		return;
	}
}

static void ends_read_first(struct bridge *b, const struct bridge_task *task, plm_view *view,
    struct engine_end *end, char *message)
{
	ends_read_value(b, task->ref, view, end, message);
	if (end->kind != ENDING_DONE)
		return;
	end->value = view->data;
	end->value_bytes = view->len;
}

/* Further results: of a function all, of a command the files that it wrote. */
static void ends_read_more(
    struct bridge *b, struct batch *batch, size_t n, const struct bridge_task *task)
{
	struct engine_end *end = &batch->end[n];
	unsigned first = task->command ? PLM_COMMAND_RESULTS : 1;
	if (task->mores < first || end->kind != ENDING_DONE)
		return;
	struct engine_value *value = calloc(task->mores, sizeof *value);
	batch->more[n] = calloc(task->mores, sizeof **batch->more);
	CHECK(value && batch->more[n]);
	end->more = batch->value[n] = value;
	for (unsigned part = first; part <= task->mores && end->kind == ENDING_DONE; part++) {
		plm_view *view = &batch->more[n][end->mores];
		ends_read_value(b, task->more[part - 1], view, end, batch->message[n]);
		value[end->mores++] = (struct engine_value){ part, view->data, view->len, NULL };
	}
	if (end->kind != ENDING_DONE)
		end->mores = 0;
}

static void ends_free_values(struct bridge *b, struct batch *batch, size_t n)
{
	const struct bridge_task *task = &b->task[batch->index[n]];
	if (batch->view[n].data)
		plm_release(b->rt, &batch->view[n]);
	for (unsigned j = 0; batch->more[n] && j < task->mores; j++)
		if (batch->more[n][j].data)
			plm_release(b->rt, &batch->more[n][j]);
	free(batch->more[n]);
	free(batch->value[n]);
}

/* What a function attached to its failure, such as an exception, travels as the value. */
static void ends_read_failure(struct bridge *b, const struct bridge_task *task, plm_view *view,
    struct engine_end *end, char *message)
{
	plm_failure f;
	if (plm_error(b->rt, task->ref, &f) < 0) {
		end->kind = ENDING_CRASHED;
		end->code = EIO;
		snprintf(message, BRIDGE_MESSAGE_BYTES, "%.300s", plm_why());
		return;
	}
	end->kind = f.code == EOWNERDEAD ? ENDING_CRASHED : ENDING_FAILED;
	end->code = f.code;
	end->signal = f.signal;
	snprintf(message, BRIDGE_MESSAGE_BYTES, "%s", f.message);
	if (task->command || plm_failure_detail(b->rt, task->ref, view) < 0)
		return;
	end->value = view->data;
	end->value_bytes = view->len;
}

static size_t ends_bytes(const struct engine_end *end)
{
	size_t bytes = end->value_bytes;
	for (size_t i = 0; i < end->mores; i++)
		bytes += end->more[i].bytes;
	return bytes;
}

/* Large results stay here, and the engine gets their places. 1; 0: the places are not known yet; or
 * an error of a verb. */
static int ends_place_large(
    struct bridge *b, struct batch *batch, size_t n, struct bridge_task *task)
{
	struct engine_end *end = &batch->end[n];
	if (end->kind != ENDING_DONE || ends_bytes(end) <= ENGINE_VALUE_MOST)
		return 1;
	int r = task->far ? 0 : bridge_far_begin(b, task);
	int state = r == 0 ? atomic_load(&task->far->state) : r;
	if (state < 0 && r == 0) {
		*end = (struct engine_end){ .id = task->id,
			.attempt = task->attempt,
			.block = task->block,
			.from = task->from,
			.kind = ENDING_CRASHED,
			.code = -state,
			.message = batch->message[n] };
		snprintf(batch->message[n], BRIDGE_MESSAGE_BYTES,
		    "a large result has left the store of host %s before it could be kept",
		    b->host);
	}
	if (state <= 0)
		return r < 0 ? r : state < 0;
	end->far = bridge_far_of(task->far, 0);
	if (end->far)
		end->value_bytes = 0;
	for (size_t i = 0; i < end->mores; i++)
		batch->value[n][i].far = bridge_far_of(task->far, batch->value[n][i].part);
	return 1;
}

static void ends_read(
    struct bridge *b, struct batch *batch, size_t n, const struct bridge_task *task, int outcome)
{
	struct engine_end *end = &batch->end[n];
	char *message = batch->message[n];
	if (outcome != 0 && !task->cancelled && bridge_fetch_failed(b, task, end, message))
		return;
	if (outcome == -PLM_ECANCELLED)
		ends_read_cancelled(b, task, end, message);
	else if (outcome != 0)
		ends_read_failure(b, task, &batch->view[n], end, message);
	if (task->command && outcome != -PLM_ECANCELLED)
		ends_read_command(b, task, end, message);
	else if (outcome == 0)
		ends_read_first(b, task, &batch->view[n], end, message);
	ends_read_more(b, batch, n, task);
}

/* 0, also if the task has not ended; or an error of a verb. */
static int ends_add(struct bridge *b, struct batch *batch, size_t i)
{
	struct bridge_task *task = &b->task[i];
	int outcome = plm_outcome(b->rt, task->ref);
	if (outcome == -EAGAIN || (task->far && atomic_load(&task->far->state) == 0))
		return 0;
	size_t n = batch->n;
	batch->index[n] = i;
	batch->view[n] = (plm_view){ .data = NULL };
	batch->more[n] = NULL;
	batch->value[n] = NULL;
	batch->message[n][0] = 0;
	batch->end[n] = (struct engine_end){ .id = task->id,
		.attempt = task->attempt,
		.block = task->block,
		.from = task->from,
		.kind = ENDING_DONE,
		.message = batch->message[n] };
	ends_read(b, batch, n, task, outcome);
	int r = ends_place_large(b, batch, n, task);
	if (r <= 0) {
		ends_free_values(b, batch, n);
		return r;
	}
	batch->bytes += ends_bytes(&batch->end[n]) + batch->end[n].error_bytes;
	batch->n++;
	return 0;
}

static void ends_say_void(struct bridge *b, const struct batch *batch, const uint8_t *taken)
{
	for (size_t i = 0; i < batch->n; i++)
		if (!taken[i])
			log_warn(
			    "the end of task %llu of the fleet, attempt %llu, is void on host %s: "
			    "the engine had given the task up or to another host",
			    (unsigned long long)batch->end[i].id,
			    (unsigned long long)batch->end[i].attempt, b->host);
}

/* Views end before the tasks are forgotten. The indices fall, so the task that takes the place of a
 * forgotten task was looked at already. */
static int ends_send(struct bridge *b, struct batch *batch)
{
	uint8_t taken[BRIDGE_COMMIT_MOST];
	bool idle;
	struct engine_room room = bridge_room(b);
	room.free += batch->n < b->status.workers ? (unsigned)batch->n : b->status.workers;
	int r = engine_commit(b->engine, b->member, &room, batch->end, batch->n, taken, &idle);
	for (size_t i = 0; i < batch->n; i++)
		ends_free_values(b, batch, i);
	if (r < 0)
		return r;
	ends_say_void(b, batch, taken);
	for (size_t i = 0; i < batch->n; i++) {
		const struct bridge_task *task = &b->task[batch->index[i]];
		if (task->class >= 0 && !task->back)
			b->class[task->class].pace++;
		bridge_forget(b, batch->index[i]);
	}
	b->pace += (unsigned)batch->n;
	b->hungry |= !idle || b->declined;
	return 0;
}

int bridge_commit(struct bridge *b)
{
	static struct batch batch;
	int r = 0;
	batch.n = batch.bytes = 0;
	for (size_t i = b->tasks; i > 0 && r == 0; i--) {
		r = ends_add(b, &batch, i - 1);
		if (r == 0 && (batch.n == BRIDGE_COMMIT_MOST || batch.bytes >= COMMIT_BYTES)) {
			r = ends_send(b, &batch);
			batch.n = batch.bytes = 0;
		}
	}
	if (r == 0 && batch.n)
		return ends_send(b, &batch);
	for (size_t i = 0; i < batch.n; i++)
		ends_free_values(b, &batch, i);
	return r;
}
