/* bridge_values.c - values too large for the engine. A value made here stays in the store of the
 * runtime; a value made elsewhere is fetched before the reading task begins.
 *
 * Hashing and fetching take long, so threads do both. A fetched value is an object of the runtime
 * from the claim on, and is sealed when all bytes are there: the reading task is submitted at once,
 * and the runtime starts the task after the seal. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { FETCH_AGAIN_MS = 300, FETCH_TRIES = 5, STOP_MS = 2000, STOP_LOOK_MS = 10 };

/* ---- threads ---- */

static int values_thread(struct bridge *b, void *(*run)(void *), void *argument)
{
	pthread_t thread;
	pthread_attr_t detached;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&b->threads, 1);
	int error = pthread_create(&thread, &detached, run, argument);
	pthread_attr_destroy(&detached);
	if (error)
		atomic_fetch_sub(&b->threads, 1);
	return error ? why(-error, "no thread for a large value: %s", strerror(error)) : 0;
}

static void values_thread_ends(struct bridge *b)
{
	eventfd_write(b->bell, 1);
	atomic_fetch_sub(&b->threads, 1);
}

/* ---- the store of this host ---- */

int bridge_values_open(struct bridge *b)
{
	static plm_runtime_row row;
	b->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->bell < 0)
		return why(-errno, "eventfd: %s", strerror(errno));
	int r = plm_inspect_runtime(b->in, &row, sizeof row);
	b->boot = row.runtime;
	return r;
}

void bridge_values_serve(struct bridge *b)
{
	if (b->serve) {
		serve_trust(b->serve, engine_secret(b->engine));
		return;
	}
	if (serve_start(&b->serve, b->rt, engine_own_address(b->engine), engine_secret(b->engine)) <
	    0)
		log_warn("other hosts cannot fetch large values from this one: %s", why_text());
}

bool bridge_values_close(struct bridge *b)
{
	bool quiet = !b->serve || serve_stop(b->serve);
	for (int ms = 0; atomic_load(&b->threads) && ms < STOP_MS; ms += STOP_LOOK_MS)
		poll(NULL, 0, STOP_LOOK_MS);
	return quiet && atomic_load(&b->threads) == 0;
}

/* Drops values that the engine does not need. A value of a task that is being committed stays: the
 * commit may take the value. */
void bridge_values_drop(struct bridge *b, const char *refs)
{
	char text[ENGINE_PLACE_BYTES], dropped[ENGINE_DROPS_MOST * (ENGINE_PLACE_BYTES + 1)] = "";
	plm_ref ref;
	int n, used = 0;
	for (; sscanf(refs, " %33s%n", text, &n) == 1; refs += n) {
		bool ours = false;
		if (!engine_place_parse(text, &ref))
			continue;
		for (size_t i = 0; i < b->tasks && !ours; i++) {
			const struct bridge_far *far = b->task[i].far;
			for (unsigned j = 0; far && j < far->n; j++)
				ours |= far->value[j].ref.id == ref.id;
		}
		if (ours)
			continue;
		plm_forget(b->rt, ref);
		used += snprintf(dropped + used, sizeof dropped - (size_t)used, "%s ", text);
	}
	if (used && engine_dropped(b->engine, b->boot, dropped) < 0)
		log_info("large values were dropped, and the engine does not know: %s", why_text());
}

/* ---- values made here ---- */

static void values_far_free(struct bridge_far *far)
{
	if (far && atomic_fetch_sub(&far->owners, 1) == 1)
		free(far);
}

static void *values_hash(void *argument)
{
	struct bridge_far *far = argument;
	int r = 0;
	for (unsigned i = 0; i < far->n && r == 0; i++) {
		plm_view view;
		r = plm_get(far->b->rt, far->value[i].ref, &view, 0);
		if (r < 0)
			break;
		carry_hash(view.data, view.len, far->value[i].hash);
		plm_release(far->b->rt, &view);
	}
	atomic_store(&far->state, r < 0 ? r : 1);
	values_thread_ends(far->b);
	values_far_free(far);
	return NULL;
}

/* Chooses the results that are too large for the engine, one by one or together. */
static void values_choose(struct bridge *b, const struct bridge_task *task, struct bridge_far *far)
{
	size_t inline_bytes = 0;
	for (unsigned part = 0; part <= task->mores; part++) {
		plm_view view;
		plm_ref ref = part ? task->more[part - 1] : task->ref;
		if ((task->command && part == 1) || plm_get(b->rt, ref, &view, 0) < 0)
			continue;
		if (inline_bytes + view.len > ENGINE_VALUE_MOST) {
			struct engine_far *value = &far->value[far->n];
			*value = (struct engine_far){ .ref = ref, .bytes = view.len };
			snprintf(value->host, sizeof value->host, "%.99s", b->host);
			far->part[far->n++] = part;
		} else {
			inline_bytes += view.len;
		}
		plm_release(b->rt, &view);
	}
}

/* The engine learns of the values before the runtime keeps them, so that no death leaves a value
 * behind for ever. */
static int values_keep(struct bridge *b, const struct bridge_far *far)
{
	size_t room = far->n * (ENGINE_PLACE_BYTES + 1) + 1, used = 0;
	char *refs = calloc(room, 1);
	CHECK(refs);
	for (unsigned i = 0; i < far->n; i++) {
		char text[ENGINE_PLACE_BYTES];
		engine_place_print(far->value[i].ref, text);
		used += (size_t)snprintf(refs + used, room - used, "%s ", text);
	}
	int r = engine_pledge(b->engine, b->boot, refs);
	for (unsigned i = 0; i < far->n && r == 0; i++)
		plm_keep(b->rt, far->value[i].ref);
	free(refs);
	return r;
}

int bridge_far_begin(struct bridge *b, struct bridge_task *task)
{
	unsigned n = task->mores + 1;
	struct bridge_far *far =
	    calloc(1, sizeof *far + n * (sizeof *far->value + sizeof *far->part));
	CHECK(far);
	far->part = (unsigned *)(far->value + n);
	far->b = b;
	atomic_store(&far->owners, 2);
	values_choose(b, task, far);
	task->far = far; /* from now on no renewal drops the values */
	int r = values_keep(b, far);
	if (r == 0)
		r = values_thread(b, values_hash, far);
	if (r < 0) {
		task->far = NULL;
		free(far);
	}
	return r;
}

void bridge_far_end(struct bridge_task *task)
{
	values_far_free(task->far);
	task->far = NULL;
}

const struct engine_far *bridge_far_of(const struct bridge_far *far, unsigned part)
{
	for (unsigned i = 0; far && i < far->n; i++)
		if (far->part[i] == part)
			return &far->value[i];
	return NULL;
}

/* ---- values made elsewhere ---- */

static int values_fetch_one(struct bridge_fetch *f)
{
	int r = carry_fetch(&f->order, f->data);
	for (int i = 1; i < FETCH_TRIES && r < 0 && r != -ENODATA && r != -EACCES; i++) {
		poll(NULL, 0, FETCH_AGAIN_MS);
		r = carry_fetch(&f->order, f->data);
	}
	return r;
}

static void *values_fetch(void *argument)
{
	struct bridge_fetch *f = argument;
	struct bridge *b = f->b;
	int r = values_fetch_one(f);
	snprintf(f->why, sizeof f->why, "%.199s", r < 0 ? why_text() : "");
	if (r == 0)
		r = plm_seal(b->rt, f->here);
	atomic_store(&f->state, r < 0 ? r : FETCH_HERE);
	plm_drop(b->rt, f->here); /* unsealed: the reading task fails */
	values_thread_ends(b);
	return NULL;
}

/* A place of the table without a running fetch, and without a reading task. */
static struct bridge_fetch *values_place(struct bridge *b)
{
	uint64_t used = 0;
	for (size_t i = 0; i < b->tasks; i++)
		used |= b->task[i].fetches;
	for (size_t i = 0; i < BRIDGE_FETCHES; i++)
		if (atomic_load(&b->fetch[i].state) != FETCH_RUNS && !(used >> i & 1))
			return &b->fetch[i];
	return NULL;
}

static int values_fetch_begin(struct bridge *b, uint64_t id, const struct engine_far *far,
    struct bridge_task *task, plm_ref *ret)
{
	struct bridge_fetch *f = values_place(b);
	void *data;
	if (!f)
		return why(-EAGAIN, "%d large values are being fetched already", BRIDGE_FETCHES);
	struct carry_order order;
	int r = engine_place(b->engine, far, &order);
	if (r == 0)
		r = plm_create(b->rt, far->bytes, &data, ret);
	if (r < 0)
		return r;
	f->b = b;
	f->order = order;
	f->far = *far;
	f->id = id;
	f->here = *ret;
	f->data = data;
	atomic_store(&f->state, FETCH_RUNS);
	r = plm_hold(b->rt, *ret); /* of the thread */
	if (r == 0) {
		r = values_thread(b, values_fetch, f);
		if (r < 0)
			plm_drop(b->rt, *ret);
	}
	if (r < 0) {
		atomic_store(&f->state, FETCH_FREE);
		plm_drop(b->rt, *ret);
		return r;
	}
	task->fetches |= UINT64_C(1) << (f - b->fetch);
	return 0;
}

int bridge_fetch(struct bridge *b, uint64_t id, const struct engine_far *far,
    struct bridge_task *task, plm_ref *ret)
{
	int r;
	b->lost = id;
	b->lost_at = *far;
	if (far->ref.runtime == b->boot) {
		*ret = far->ref;
		r = plm_hold(b->rt, *ret);
		return r == -ESTALE ? why(-ENODATA, "the value has left the store") : r;
	}
	for (size_t i = 0; i < BRIDGE_FETCHES; i++) {
		struct bridge_fetch *f = &b->fetch[i];
		int state = atomic_load(&f->state);
		if ((state != FETCH_RUNS && state != FETCH_HERE) || f->far.ref.id != far->ref.id ||
		    f->far.ref.runtime != far->ref.runtime || plm_hold(b->rt, f->here) < 0)
			continue;
		*ret = f->here;
		task->fetches |= UINT64_C(1) << i;
		return 0;
	}
	return values_fetch_begin(b, id, far, task, ret);
}

/* True: the task never began, since some fetch failed; the end says which. */
bool bridge_fetch_failed(
    struct bridge *b, const struct bridge_task *task, struct engine_end *end, char *message)
{
	for (size_t i = 0; i < BRIDGE_FETCHES; i++) {
		const struct bridge_fetch *f = &b->fetch[i];
		int state = task->fetches >> i & 1 ? atomic_load(&f->state) : FETCH_HERE;
		if (state >= 0)
			continue;
		end->kind = state == -ENODATA ? ENDING_LACKS : ENDING_CRASHED;
		end->code = -state;
		end->lost = f->id;
		end->lost_at = &f->far;
		snprintf(message, BRIDGE_MESSAGE_BYTES,
		    "host %s could not fetch the value of task %llu from host %s: %s", b->host,
		    (unsigned long long)engine_task_id(f->id), f->far.host, f->why);
		return true;
	}
	return false;
}
