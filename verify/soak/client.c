/* client.c - a client of libplm: submits tasks that depend on each other, stores objects,
 * cancels and drops; clients pass futures to each other through boxes. */
#include "verify/soak/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "verify/soak/bytes.h"
#include "tests/support/deaths.h"
#include "tests/support/run_suite.h"

enum {
	HELD = 48, /* futures at once */
	BATCH = 8,
	ROOM_MS = 1000, /* how long to wait for room */
	CODE = 77,
	STURDY = 100, /* retries of each kind, for a task that must succeed despite all faults */
	RESULT_BITS = 10,
	LARGE_RESULT_BITS = 22,
	OBJECT_BITS = 17,
	LARGE_OBJECT_BITS = 26,
	ONE_IN_LARGE = 64,
	BUSY_US = 4000,
};

struct held {
	uint64_t task, digest;
	plm_ref ref;
	int box; /* the box that holds the future; -1: none */
};

struct client {
	const struct attendance *a;
	plm *rt;
	int history;
	uint32_t count;
	uint64_t random;
	struct held held[HELD];
	size_t n;
	unsigned char *room; /* OBJECT_BYTES_MAX */
};

uint64_t random_size(uint64_t *random, unsigned bits)
{
	uint64_t most = UINT64_C(1) << (random_next(random) >> 8) % (bits + 1);
	return 1 + (random_next(random) >> 8) % most;
}

static uint64_t client_below(struct client *c, uint64_t n)
{
	return (random_next(&c->random) >> 16) % n;
}

static void client_tell(struct client *c, struct note event)
{
	event.life = c->a->life;
	if (history_write(c->history, event) == 0)
		return;
	perror("soak: a client's history");
	_exit(1);
}

static void client_add(struct client *c, uint64_t task, plm_ref ref, uint64_t digest)
{
	c->held[c->n++] = (struct held){ task, digest, ref, -1 };
}

/* ---- what became of a task ---- */

static void client_explain(const struct client *c, plm_ref ref)
{
	static const char *const look[] = { "tasks", "workers" };
	char text[PLM_REF_TEXT_BYTES];
	plm_ref_print(ref, text);
	struct output_of o = ctl(c->a->rt, "explain", text);
	fprintf(stderr, "hung: %s\n%s%s", text, o.out, o.err);
	output_free(&o);
	for (size_t i = 0; i < 2; i++) {
		o = dump(c->a->rt, look[i]);
		fprintf(stderr, "%s", o.out);
		output_free(&o);
	}
}

static void tell_failure(struct client *c, struct note seen, plm_ref ref)
{
	plm_failure failure;
	seen.outcome = OUTCOME_FAILED;
	if (plm_error(c->rt, ref, &failure) == 0) {
		seen.code = failure.code;
		seen.signal = failure.signal;
		seen.ref = failure.task.id;
	}
	client_tell(c, seen);
}

/* Asks again while all processes of the runtime are dead, because the soak boots a new runtime. */
static int client_get(struct client *c, plm_ref ref, plm_view *view, int timeout_ms)
{
	uint64_t deadline = deadline_after_ms(PATIENT_MS);
	int r;
	do
		r = plm_get(c->rt, ref, view, timeout_ms);
	while (r == -EHOSTDOWN && clock_ns() < deadline);
	return r;
}

static void client_look(struct client *c, const struct held *held, int timeout_ms)
{
	plm_view view;
	struct note seen = { .deed = DEED_SEEN, .task = held->task };
	int r = client_get(c, held->ref, &view, timeout_ms);
	if (r == -ETIMEDOUT && timeout_ms != PATIENT_MS)
		return;
	if (r == 0) {
		seen.value = bytes_digest(view.data, view.len);
		plm_release(c->rt, &view);
		client_tell(c, seen);
	} else if (r == -PLM_EFAILED) {
		tell_failure(c, seen, held->ref);
	} else if (r == -ETIMEDOUT || r == -EHOSTDOWN) {
		seen.deed = DEED_HUNG;
		client_tell(c, seen);
		client_explain(c, held->ref);
	} else {
		seen.outcome = r == -PLM_ECANCELLED ? OUTCOME_CANCELLED : OUTCOME_GONE;
		seen.code = -r;
		client_tell(c, seen);
	}
}

static void let_go(struct client *c, size_t which)
{
	client_tell(c, (struct note){ .deed = DEED_DROPS, .task = c->held[which].task });
	plm_drop(c->rt, c->held[which].ref);
	c->held[which] = c->held[--c->n];
}

static void client_answer(struct client *c, uint64_t task, plm_ref ref, int r, uint64_t digest)
{
	if (ref.id == 0) {
		client_tell(c, (struct note){ .deed = DEED_REFUSED, .task = task, .code = -r });
		return;
	}
	client_tell(c, (struct note){ .deed = DEED_ACCEPTED, .task = task, .ref = ref.id });
	client_add(c, task, ref, digest);
}

/* ---- asking ---- */

struct parcel { /* tasks that are submitted together */
	plm_task task[BATCH];
	struct order order[BATCH];
	plm_arg arg[BATCH][HISTORY_INPUTS + 1];
	plm_terms terms[BATCH];
	uint64_t digest[BATCH];
};

/* Draws one of three fates: no dependencies at all, sure to succeed, or sure to fail after
 * retries. */
static void choose_fate(
    struct client *c, plm_task *task, struct order *order, plm_terms *terms, struct note *asked)
{
	switch (client_below(c, 8)) {
	case 0:
	case 1: break;
	case 2:
		order->fails = FAILS_ALWAYS;
		asked->code = order->code;
		task->retries = (unsigned)client_below(c, 3);
		task->crash_retries = STURDY;
		break;
	case 3:
		*(uint32_t *[]){ &terms->queue_ms, &terms->run_ms,
			&terms->total_ms }[client_below(c, 3)] = 1 + (uint32_t)client_below(c, 20);
		task->terms = terms;
		task->crash_retries = STURDY;
		asked->flags |= ASKED_LIMITED;
		break;
	default:
		order->fails = client_below(c, 4) ? FAILS_NEVER : FAILS_AT_TIMES;
		order->nests = client_below(c, 4) == 0;
		task->retries = task->crash_retries = STURDY;
		break;
	}
	asked->retries = (uint16_t)task->retries;
	asked->crash_retries = (uint16_t)task->crash_retries;
}

static void order_task(struct client *c, struct parcel *p, size_t i)
{
	struct order *order = &p->order[i];
	struct note asked = { .deed = DEED_ASKED, .work = WORK_TASK };
	*order = (struct order){ .task = task_number(c->a->life, ++c->count),
		.seed = random_next(&c->random),
		.code = CODE,
		.busy_us = (uint32_t)client_below(c, 2) * (uint32_t)client_below(c, BUSY_US),
		.length = random_size(&c->random,
			      client_below(c, ONE_IN_LARGE) ? RESULT_BITS : LARGE_RESULT_BITS) -
		    1 };
	p->arg[i][0] = PLM_BYTES(order, sizeof *order);
	p->task[i] = (plm_task){ .function = "soak.work",
		.args = p->arg[i],
		.nargs = 1,
		.priority = (int)client_below(c, 5) - 2 };
	p->terms[i] = (plm_terms){ 0 };
	uint64_t seed = order->seed;
	size_t inputs = c->n ? client_below(c, 2) * client_below(c, HISTORY_INPUTS + 1) : 0;
	for (size_t k = 0; k < inputs; k++) {
		const struct held *input = &c->held[client_below(c, c->n)];
		p->arg[i][p->task[i].nargs++] = PLM_FUTURE(input->ref);
		asked.input[k] = input->task;
		seed = bytes_with(seed, input->digest);
	}
	choose_fate(c, &p->task[i], order, &p->terms[i], &asked);
	if (order->nests) {
		bytes_fill(c->room, NESTED_BYTES, NESTED_SEED(order));
		seed = bytes_with(seed, bytes_digest(c->room, NESTED_BYTES));
	}
	bytes_fill(c->room, order->length, seed);
	p->digest[i] = asked.value = bytes_digest(c->room, order->length);
	asked.task = order->task;
	client_tell(c, asked);
}

static void client_submit(struct client *c)
{
	struct parcel p;
	plm_ref ref[BATCH] = { { 0 } };
	size_t n = 1 + client_below(c, 2) * client_below(c, BATCH), room = HELD - c->n;
	if (n > room)
		n = room;
	for (size_t i = 0; i < n; i++)
		order_task(c, &p, i);
	int r = n ? plm_submit_many(c->rt, p.task, n, ref) : 0;
	for (size_t i = 0; i < n; i++)
		client_answer(c, p.order[i].task, ref[i], r, p.digest[i]);
}

/* Brought whole, or written in place. */
static void client_put(struct client *c)
{
	plm_ref ref = PLM_NONE;
	size_t length = random_size(
	    &c->random, client_below(c, ONE_IN_LARGE) ? OBJECT_BITS : LARGE_OBJECT_BITS);
	uint64_t task = task_number(c->a->life, ++c->count);
	void *place = NULL;
	if (c->n == HELD)
		return;
	bytes_fill(c->room, length, random_next(&c->random));
	uint64_t digest = bytes_digest(c->room, length);
	client_tell(c,
	    (struct note){
		.deed = DEED_ASKED, .work = WORK_OBJECT, .task = task, .value = digest });
	int r;
	if (client_below(c, 2)) {
		r = plm_put(c->rt, c->room, length, &ref);
	} else if ((r = plm_create(c->rt, length, &place, &ref)) == 0) {
		memcpy(place, c->room, length);
		r = plm_seal(c->rt, ref);
	}
	client_answer(c, task, r < 0 ? PLM_NONE : ref, r, digest);
}

/* ---- cancelling, returning, dropping ---- */

static void stop_one(struct client *c, enum deed deed)
{
	if (c->n == 0)
		return;
	const struct held *held = &c->held[client_below(c, c->n)];
	int grace = (int)client_below(c, 100);
	client_tell(c, (struct note){ .deed = deed, .task = held->task });
	if (deed == DEED_CANCELS)
		plm_cancel(c->rt, held->ref, grace);
	else
		plm_requeue(c->rt, held->ref, grace);
}

/* True if the receiver took the future or never will: then the giver may let go of the hold. */
static bool is_given(const struct client *c, struct held *held)
{
	if (held->box < 0)
		return false;
	uint64_t word = atomic_load(&c->a->meeting->box[held->box].word);
	if (word >> 8 != held->task)
		held->box = -1;
	return held->box >= 0;
}

static void drop_one(struct client *c)
{
	if (c->n == 0)
		return;
	size_t which = client_below(c, c->n);
	if (is_given(c, &c->held[which]))
		return;
	if (client_below(c, 4))
		client_look(c, &c->held[which], PATIENT_MS);
	let_go(c, which);
}

static void client_give(struct client *c)
{
	if (c->n == 0)
		return;
	struct held *held = &c->held[client_below(c, c->n)];
	unsigned which = (unsigned)client_below(c, BOXES);
	struct box *box = &c->a->meeting->box[which];
	uint64_t empty = 0;
	/* The client that submitted a future accounts for the future; a receiver does not. */
	if (task_life(held->task) != c->a->life || is_given(c, held) ||
	    !atomic_compare_exchange_strong(
		&box->word, &empty, box_word(held->task, 0, BOX_FILLING)))
		return;
	box->task = held->task;
	box->digest = held->digest;
	box->ref = held->ref;
	held->box = (int)which;
	atomic_store(&box->word, box_word(held->task, 0, BOX_FULL));
}

static void client_take(struct client *c)
{
	struct box *box = &c->a->meeting->box[client_below(c, BOXES)];
	uint64_t word = atomic_load(&box->word);
	if (c->n == HELD || box_phase(word) != BOX_FULL)
		return;
	struct held held = { box->task, box->digest, box->ref, -1 };
	if (task_life(held.task) == c->a->life ||
	    !atomic_compare_exchange_strong(
		&box->word, &word, box_word(held.task, c->a->slot, BOX_TAKING)))
		return;
	int r = plm_hold(c->rt, held.ref);
	if (r == 0)
		c->held[c->n++] = held;
	else
		client_tell(c,
		    (struct note){ .deed = DEED_SEEN,
			.task = held.task,
			.code = -r,
			.outcome = r == -ESTALE ? OUTCOME_GONE : OUTCOME_UNSURE });
	atomic_store(&box->word, 0);
}

void meeting_forget(struct meeting *meeting, uint32_t slot, uint32_t life)
{
	for (struct box *box = meeting->box; box < meeting->box + BOXES; box++) {
		uint64_t word = atomic_load(&box->word);
		bool filled = box_phase(word) == BOX_FILLING && word >> 40 == life;
		bool took = box_phase(word) == BOX_TAKING && (word >> 2 & 63) == slot;
		if (filled || took)
			atomic_store(&box->word, 0);
	}
}

/* ---- the client's life ---- */

static void client_act(struct client *c)
{
	switch (client_below(c, 16)) {
	case 0:
	case 1:
	case 2:
	case 3: client_submit(c); break;
	case 4:
	case 5: client_put(c); break;
	case 6: stop_one(c, DEED_CANCELS); break;
	case 7: stop_one(c, DEED_RETURNS); break;
	case 8: client_give(c); break;
	case 9: client_take(c); break;
	case 10: drop_one(c); break;
	default:
		if (c->n)
			client_look(c, &c->held[client_below(c, c->n)],
			    client_below(c, 2) ? 0 : PATIENT_MS);
		break;
	}
	if (c->n == HELD)
		drop_one(c);
}

static void take_back(struct client *c, struct held *held)
{
	uint64_t deadline = deadline_after_ms(PATIENT_MS);
	while (is_given(c, held) && clock_ns() < deadline) {
		uint64_t full = box_word(held->task, 0, BOX_FULL);
		atomic_compare_exchange_strong(&c->a->meeting->box[held->box].word, &full, 0);
	}
}

static bool connect_for_long(struct client *c)
{
	uint64_t deadline = deadline_after_ms(PATIENT_MS);
	int r;
	do
		r = plm_connect(&c->rt, c->a->rt->name);
	while (r < 0 && !atomic_load(&c->a->meeting->over) && clock_ns() < deadline);
	if (r < 0 && !atomic_load(&c->a->meeting->over)) {
		fprintf(stderr, "soak: a client cannot connect: %d, %s\n", r, plm_why());
		_exit(1);
	}
	return r == 0;
}

_Noreturn void client_run(const struct attendance *a)
{
	struct client c = { .a = a, .random = a->random, .room = malloc(OBJECT_BYTES_MAX) };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c.history = history_open(a->history, "client");
	if (!c.room || c.history < 0)
		_exit(1);
	if (connect_for_long(&c)) {
		plm_patience(c.rt, ROOM_MS);
		while (!atomic_load(&a->meeting->over))
			client_act(&c);
		for (size_t i = 0; i < c.n; i++)
			take_back(&c, &c.held[i]);
		while (c.n > 0) {
			client_look(&c, &c.held[0], PATIENT_MS);
			let_go(&c, 0);
		}
		plm_disconnect(&c.rt);
	}
	client_tell(&c, (struct note){ .deed = DEED_LEFT });
	_exit(0);
}
