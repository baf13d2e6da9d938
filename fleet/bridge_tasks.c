/* bridge_tasks.c - tasks on the way in: how many, which, and their submission to the runtime. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { REST_MS = 500, PACE_MS = 50, GRACE_USUAL_MS = 1000, END_TEXT_BYTES = 32 };

/* ---- how many ---- */

/* The number of tasks ended in the last twentieth of a second. The bridge claims as many ahead, so
 * that short tasks do not wait for round trips, and long tasks never wait here while another host
 * is idle. */
static unsigned tasks_ahead(struct bridge *b)
{
	uint64_t now = clock_ns();
	if (now - b->pace_began_ns >= PACE_MS * NS_PER_MS) {
		b->pace_before = now - b->pace_began_ns < 2 * PACE_MS * NS_PER_MS ? b->pace : 0;
		b->pace = 0;
		bridge_needs_pace(b, now - b->pace_began_ns < 2 * PACE_MS * NS_PER_MS);
		b->pace_began_ns = now;
	}
	unsigned pace = b->pace > b->pace_before ? b->pace : b->pace_before;
	return pace < BRIDGE_AHEAD_MOST ? pace : (unsigned)BRIDGE_AHEAD_MOST;
}

static bool tasks_rest(const struct bridge *b)
{
	const plm_status *s = &b->status;
	return s->paused || s->closed || s->stopping || s->memory_short || b->drained ||
	    b->leaving || clock_ns() < b->rest_until_ns;
}

/* Tasks here, without those that wait for their needs; those of other clients count as of the last
 * renewal. */
static size_t tasks_here(const struct bridge *b)
{
	const plm_status *s = &b->status;
	size_t all = b->tasks > b->waiting ? b->tasks - b->waiting : 0;
	unsigned ours = all < s->workers ? (unsigned)all : s->workers;
	return all + (s->workers_busy > ours ? s->workers_busy - ours : 0);
}

/* Without tasks ahead: what came unasked would wait here while another host is idle. */
struct engine_room bridge_room(const struct bridge *b)
{
	size_t used = tasks_here(b);
	bool some = !tasks_rest(b) && b->status.workers > used;
	return (struct engine_room){ .free = some ? b->status.workers - (unsigned)used : 0,
		.heard = b->heard };
}

/* Free workers, and some tasks ahead. */
static unsigned tasks_room(struct bridge *b)
{
	if (tasks_rest(b))
		return 0;
	size_t used = tasks_here(b), all = b->status.workers + tasks_ahead(b);
	size_t room = all > used ? all - used : 0;
	return room < BRIDGE_CLAIM_MOST ? (unsigned)room : (unsigned)BRIDGE_CLAIM_MOST;
}

/* ---- submission ---- */

static struct bridge_task *tasks_add(struct bridge *b)
{
	if (b->tasks == b->tasks_room) {
		size_t room = b->tasks_room ? b->tasks_room * 2 : BRIDGE_CLAIM_MOST;
		b->task = realloc(b->task, room * sizeof *b->task);
		CHECK(b->task);
		b->tasks_room = room;
	}
	b->task[b->tasks] = (struct bridge_task){ .class = -1 };
	return &b->task[b->tasks++];
}

/* How a task ended that this one waited for, as the command module reads it: "REFERENCE STATE
 * CODE". A function sees an empty argument, as on one runtime. */
static plm_arg tasks_tell_end(const struct bridge *b, const struct engine_claim *claim,
    const struct task_read *read, size_t i)
{
	static char text[COUNT_OF(read->after)][PLM_REF_TEXT_BYTES + END_TEXT_BYTES];
	const char *end = "";
	uint64_t id = read->after[i].id;
	size_t n = engine_claim_end(claim, &id, &end);
	if (n == 0 || strcmp(read->function, PLM_COMMAND_FUNCTION) != 0)
		return PLM_BYTES(NULL, 0);
	plm_ref_print(engine_ref(b->engine, id), text[i]);
	size_t used = strlen(text[i]);
	snprintf(text[i] + used, sizeof text[i] - used, " %.*s", (int)n, end);
	return PLM_BYTES(text[i], strlen(text[i]));
}

/* Puts the values that the task takes into the store. 0 or -errno with a why. */
static int tasks_fetch(struct bridge *b, const struct engine_claim *claim, struct task_read *read,
    struct bridge_task *task)
{
	for (size_t i = 0; i < read->afters; i++) {
		struct engine_result value;
		if (read->after[i].condition != AFTER_DONE) {
			read->arg[read->after[i].arg] = tasks_tell_end(b, claim, read, i);
			continue;
		}
		int r = engine_result(b->engine, read->after[i].id, &value);
		plm_ref ref = PLM_NONE;
		if (r == 0 && value.far.ref.id)
			r = bridge_fetch(b, read->after[i].id, &value.far, task, &ref);
		else if (r == 0)
			r = plm_put(b->rt, value.value, value.value_bytes, &ref);
		if (r < 0)
			return r;
		read->arg[read->after[i].arg] = PLM_FUTURE(ref);
	}
	return 0;
}

static void tasks_drop_values(struct bridge *b, const struct task_read *read)
{
	for (size_t i = 0; i < read->afters; i++)
		if (read->arg[read->after[i].arg].future.id)
			plm_drop(b->rt, read->arg[read->after[i].arg].future);
}

static void tasks_take_references(struct bridge_task *task, const plm_ref *refs, unsigned n)
{
	task->ref = refs[0];
	if (n <= 1)
		return;
	task->mores = n - 1;
	task->more = malloc(task->mores * sizeof *task->more);
	CHECK(task->more);
	memcpy(task->more, refs + 1, task->mores * sizeof *task->more);
}

/* When the bridge dies, the runtime ends the tasks with the grace of their terms; the lease may end
 * soon then. A longer grace holds for the cancel of a user alone. */
static void tasks_limit_grace(
    const struct bridge *b, struct task_read *read, struct bridge_task *task)
{
	uint32_t wanted = read->terms.grace_ms ? read->terms.grace_ms : GRACE_USUAL_MS;
	task->cancel_ms = wanted;
	if (wanted <= bridge_grace_ms(b))
		return;
	read->terms.grace_ms = bridge_grace_ms(b);
	read->task.terms = &read->terms;
}

/* -ENOSYS: the runtime has no such function. */
static int tasks_give(const struct bridge *b, const struct task_read *read, plm_ref *refs)
{
	int r = plm_submit(b->rt, &read->task, refs);
	return r == -ENOENT ? why(-ENOSYS,
				  ENGINE_SAYS_NO_FUNCTION
				  "%s\" on host %s: plmctl module list there shows what there is",
				  read->function, b->host)
			    : r;
}

static int tasks_submit(
    struct bridge *b, const struct engine_claim *claim, struct bridge_task *task)
{
	static struct task_read read;
	static plm_ref refs[TASK_WORDS_RESULTS];
	char class[TASK_CLASS_BYTES];
	int r = task_words_read(claim->words, claim->words_bytes, &read);
	if (r < 0)
		return r;
	if (claim->left_ms && claim->left_ms < UINT32_MAX / 4) {
		read.terms.total_ms = (uint32_t)claim->left_ms;
		read.task.terms = &read.terms;
	}
	tasks_limit_grace(b, &read, task);
	r = tasks_fetch(b, claim, &read, task);
	if (r == 0)
		r = tasks_give(b, &read, refs);
	tasks_drop_values(b, &read);
	if (r < 0)
		return r;
	tasks_take_references(task, refs, read.task.results);
	bridge_trace_note(b, task->id, task->ref);
	task->command = strcmp(read.function, PLM_COMMAND_FUNCTION) == 0;
	if (read.needs[0])
		task_class_print(read.function, read.needs, class);
	task->class = read.needs[0] ? bridge_class(b, class) : -1;
	if (task->class >= 0)
		bridge_needs_took(b, task->class);
	return 0;
}

/* A task fails if the runtime can never take the task, and goes back if the runtime is full. */
static int tasks_refuse(struct bridge *b, const struct engine_claim *claim, int error)
{
	char text[500];
	bool back = error == -ENOSPC || error == -EAGAIN || error == -ESHUTDOWN ||
	    error == -ETIMEDOUT || error == -EHOSTDOWN;
	uint8_t taken;
	bool idle;
	struct engine_room room = bridge_room(b);
	bool unknown = error == -ENOSYS;
	snprintf(text, sizeof text, "%s%s%s%.300s", unknown ? "" : "host ", unknown ? "" : b->host,
	    unknown ? "" : ": ", why_text());
	if (back) {
		b->rest_until_ns = clock_ns() + REST_MS * NS_PER_MS;
		log_info("a task of the fleet goes back into its queue: %s", why_text());
	}
	const struct engine_end end = { .id = claim->id,
		.attempt = claim->attempt,
		.kind = back            ? ENDING_BACK
		    : error == -ENODATA ? ENDING_LACKS
					: ENDING_FAILED,
		.code = unknown ? ENOENT : -error,
		.lost = b->lost,
		.lost_at = &b->lost_at,
		.message = text };
	return engine_commit(b->engine, b->member, &room, &end, 1, &taken, &idle);
}

/* Without a connection the claim stays, and bridge_connect() returns the claim. */
static int tasks_take(struct bridge *b, const struct engine_claim *claim)
{
	struct bridge_task *task = tasks_add(b);
	task->id = claim->id;
	task->attempt = claim->attempt;
	task->block = claim->block;
	task->from = claim->from;
	int r = tasks_submit(b, claim, task);
	if (r == 0)
		return 0;
	b->tasks--;
	return r == -ENOTCONN || r == -ESTALE || r == -EXDEV ? r : tasks_refuse(b, claim, r);
}

int bridge_take(struct bridge *b, const struct engine_claim *claim)
{
	b->heard = claim->pushed;
	return claim->pushed > b->ignored ? tasks_take(b, claim) : 0;
}

int bridge_claim(struct bridge *b)
{
	static struct engine_claim claims[BRIDGE_CLAIM_MOST];
	struct engine_class classes[BRIDGE_CLASSES_MOST + 1];
	int64_t next_ms;
	bridge_needs_look(b);
	unsigned n = tasks_room(b);
	struct engine_room room = bridge_room(b);
	if (n == 0 && !b->idle)
		return 0;
	classes[0] = (struct engine_class){ "", n };
	size_t asked = n ? 1 + bridge_needs_ask(b, n, classes + 1) : 0;
	int found = engine_claim(b->engine, b->member, &room, n, classes, asked, claims, &next_ms);
	if (found < 0)
		return found;
	b->moment_ns = next_ms >= 0 ? clock_ns() + ((uint64_t)next_ms + 1) * NS_PER_MS : 0;
	b->hungry = found > 0;
	b->idle = (unsigned)found < n;
	void *words = engine_reply_take(b->engine);
	int r = 0;
	for (int i = 0; i < found && r == 0; i++)
		r = tasks_take(b, &claims[i]);
	engine_reply_free(words);
	b->declined = n == 0 || bridge_needs_declined(b);
	return r;
}
