#include "journal/resume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/journal.h"
#include "journal/journal_rows.h"
#include "journal/journal_trouble.h"
#include "tables/command_block.h"

enum {
	RETRY_MS = 100,
	HELD = 64,
	LIMITS_LEAST = 6, /* older journals have no keep_ms */
};

struct task { /* as in the file */
	int64_t id, boot;
	char function[FUNCTION_NAME_BYTES];
	struct standing place;
	unsigned retries, crash_retries, results;
	char needs[TERMS_TEXT_BYTES], limits[128], undurable[192];
	unsigned char *args;
	size_t args_length;
	int64_t sum;
	bool forgotten;
	uint64_t identity[2];
	/* as submitted again */
	plm_arg *arg;
	size_t nargs;
	void **copy; /* [nargs], of bytes from blobs and values */
	size_t copies;
	plm_ref held[HELD]; /* objects made of arguments */
	size_t objects;
};

enum verdict { QUEUED, ENDED, LATER, SKIPPED }; /* LATER: no room now; or -errno */

/* ---- tasks resumed since the boot ---- */

static uint64_t resume_ref_of(const struct journal *j, uint64_t id)
{
	size_t low = 0, high = j->resume.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (j->resume.done[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < j->resume.count && j->resume.done[low].id == id ? j->resume.done[low].ref : 0;
}

static int resume_remember(struct journal *j, uint64_t id, uint64_t ref)
{
	size_t n = j->resume.count;
	if (n && j->resume.done[n - 1].id >= id)
		return 0; /* remembered before */
	if (n == j->resume.room) {
		size_t room = n ? n * 2 : 256;
		struct resumed *more = realloc(j->resume.done, room * sizeof *more);
		if (!more)
			return why(-ENOMEM, "no memory for %zu resumed tasks", room);
		j->resume.done = more;
		j->resume.room = room;
	}
	j->resume.done[j->resume.count++] = (struct resumed){ id, ref };
	return 0;
}

int resume_open(struct journal *j)
{
	int64_t n = 0;
	j->resume.next = UINT64_MAX;
	int r = db_number(&j->db, DB_COUNT_UNFINISHED, &n,
	    BIND(bind_int(j->boot), bind_int((int64_t)j->prune.unfinished - 1)));
	if (r < 0 || n == 0)
		return r < 0 ? r : 0;
	if (j->plan.durability == DURABILITY_NONE) {
		log_warn(
		    "%lld tasks of earlier boots have not ended, and are not queued again because "
		    "of --durability none",
		    (long long)n);
		return 0;
	}
	log_info("%lld tasks of earlier boots have not ended: queueing them again", (long long)n);
	sh_store(&j->shm->to_resume, (uint64_t)n);
	j->resume.next = j->prune.unfinished ? j->prune.unfinished - 1 : 0;
	return 0;
}

/* ---- reading a task ---- */

static void resume_copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* A row altered by somebody names no place: the task stands where any other would. */
static struct standing resume_read_place(int64_t priority, int64_t turn, int64_t parked)
{
	bool sound = priority >= PRIORITY_MIN && priority <= PRIORITY_MAX && turn >= 0 &&
	    (uint64_t)turn < TURNS_FIRST;
	return (struct standing){ .priority = sound ? (int16_t)priority : 0,
		.parked = parked != 0,
		.turn = sound ? (uint64_t)turn : 0 };
}

static int resume_read_task(struct journal *j, struct task *t)
{
	struct db *db = &j->db;
	const enum db_statement q = DB_UNFINISHED;
	int r = db_rows(db, q, BIND(bind_int(j->boot), bind_int((int64_t)j->resume.next)));
	if (r == 1) {
		*t = (struct task){ .id = db_int(db, q, 0),
			.boot = db_int(db, q, 1),
			.place = resume_read_place(
			    db_int(db, q, 14), db_int(db, q, 15), db_int(db, q, 16)),
			.retries = (unsigned)db_int(db, q, 4),
			.crash_retries = (unsigned)db_int(db, q, 5),
			.results = (unsigned)db_int(db, q, 6),
			.sum = db_int(db, q, 10),
			.forgotten = db_int(db, q, 12) != 0 };
		resume_copy_text(t->function, sizeof t->function, db_text(db, q, 2));
		resume_copy_text(t->needs, sizeof t->needs, db_text(db, q, 7));
		resume_copy_text(t->limits, sizeof t->limits, db_text(db, q, 8));
		resume_copy_text(t->undurable, sizeof t->undurable, db_text(db, q, 11));
		size_t length;
		const void *identity = db_blob(db, q, 13, &length);
		if (length == sizeof t->identity)
			memcpy(t->identity, identity, length);
		const void *args = db_blob(db, q, 9, &t->args_length);
		t->args = malloc(t->args_length + 1);
		if (t->args && t->args_length)
			memcpy(t->args, args, t->args_length);
		r = t->args ? 1 : why(-ENOMEM, "no memory for a task's arguments");
	}
	db_end(db, q);
	return r;
}

static void resume_free_task(struct journal *j, struct task *t)
{
	for (size_t i = 0; i < t->objects; i++)
		plm_drop(&j->rt, t->held[i]);
	for (size_t i = 0; i < t->copies; i++)
		free(t->copy[i]);
	free(t->copy);
	free(t->arg);
	free(t->args);
}

/* ---- budgets ---- */

static int resume_end_dead(struct journal *j, const struct task *t, unsigned tries)
{
	char message[160];
	snprintf(message, sizeof message,
	    "it was running when the runtime ended, and none of its "
	    "%u --crash-retries is left",
	    t->crash_retries);
	int r = rows_end_unqueued(j, t->id, tries > 1, EOWNERDEAD, message);
	return r < 0 ? r : ENDED;
}

static int resume_read_budgets(struct journal *j, struct task *t)
{
	struct db *db = &j->db;
	int64_t boot = t->boot;
	int r = db_rows(db, DB_LAST_RESUMED, BIND(bind_int(t->id)));
	if (r == 1) {
		boot = db_int(db, DB_LAST_RESUMED, 0);
		t->retries = (unsigned)db_int(db, DB_LAST_RESUMED, 2);
		t->crash_retries = (unsigned)db_int(db, DB_LAST_RESUMED, 3);
	}
	uint64_t ref = r == 1 ? (uint64_t)db_int(db, DB_LAST_RESUMED, 1) : 0, word;
	db_end(db, DB_LAST_RESUMED);
	if (r < 0)
		return r;
	if (boot == j->boot && record_lookup(&j->rt.tables, ref, &word)) {
		r = resume_remember(j, (uint64_t)t->id, ref);
		return r < 0 ? r : SKIPPED; /* queued by a former journal */
	}
	r = db_rows(db, DB_LAST_ATTEMPT, BIND(bind_int(t->id), bind_int(boot)));
	unsigned attempt = r == 1 ? (unsigned)db_int(db, DB_LAST_ATTEMPT, 0) : 0;
	bool running = r == 1 && db_int(db, DB_LAST_ATTEMPT, 1);
	unsigned failures = r == 1 ? (unsigned)db_int(db, DB_LAST_ATTEMPT, 2) : 0;
	unsigned no_crashes = failures + (r == 1 ? (unsigned)db_int(db, DB_LAST_ATTEMPT, 3) : 0);
	db_end(db, DB_LAST_ATTEMPT);
	if (r < 0)
		return r;
	unsigned crashes = attempt > no_crashes ? attempt - no_crashes : 0;
	if (running && crashes > t->crash_retries)
		return resume_end_dead(j, t, crashes + failures);
	t->retries -= failures < t->retries ? failures : t->retries;
	t->crash_retries -= crashes < t->crash_retries ? crashes : t->crash_retries;
	return QUEUED;
}

/* ---- arguments ---- */

static int resume_end_failed(struct journal *j, const struct task *t, int code, const char *message)
{
	int r = rows_end_unqueued(j, t->id, false, code, message);
	return r < 0 ? r : ENDED;
}

/* Short bytes are copied; long bytes become an object. */
static int resume_take_bytes(struct journal *j, struct task *t, const void *bytes, size_t length)
{
	if (length >= SHARED_BYTES_MIN && t->objects < HELD) {
		plm_ref ref;
		int r = plm_put(&j->rt, bytes, length, &ref);
		if (r < 0)
			return r;
		t->held[t->objects++] = ref;
		t->arg[t->nargs++] = PLM_FUTURE(ref);
		return QUEUED;
	}
	void *copy = malloc(length + 1);
	if (!copy)
		return why(-ENOMEM, "no memory for an argument");
	if (length)
		memcpy(copy, bytes, length);
	t->copy[t->copies++] = copy;
	t->arg[t->nargs++] = PLM_BYTES(copy, length);
	return QUEUED;
}

static int resume_take_blob(struct journal *j, struct task *t, uint64_t id)
{
	size_t length;
	int r = db_rows(&j->db, DB_READ_BLOB, BIND(bind_uint(id)));
	const void *bytes = r == 1 ? db_blob(&j->db, DB_READ_BLOB, 0, &length) : NULL;
	bool sound = r == 1 && encode_sum(bytes, length) == db_int(&j->db, DB_READ_BLOB, 1);
	if (sound)
		r = resume_take_bytes(j, t, bytes, length);
	db_end(&j->db, DB_READ_BLOB);
	if (r == -E2BIG)
		return resume_end_failed(j, t, E2BIG, why_text()); /* the store is smaller now */
	if (r == -ENOSPC || r == -EAGAIN)
		return LATER;
	if (r >= 0 && !sound)
		return resume_end_failed(j, t, EUCLEAN, "its arguments in the journal are damaged");
	return r;
}

static plm_ref resume_result_of(const struct journal *j, uint64_t ref, uint32_t which)
{
	const struct tables *t = &j->rt.tables;
	const struct record *r = record_at(t, ref_index(ref));
	uint32_t next = r->first_part;
	for (uint32_t steps = 0; which && next && next <= t->limits.records && steps < RESULTS_MAX;
	     steps++) {
		const struct record *part = record_at(t, next - 1);
		if (part->part.which == which)
			return ref_public(
			    &j->rt, record_ref(next - 1, word_generation(sh_load(&part->state))));
		next = part->part.next;
	}
	return ref_public(&j->rt, ref);
}

struct former {                  /* a task among the arguments */
	uint64_t ref;            /* of its record; 0: it has ended */
	enum record_state state; /* how it ended */
	struct command_after ended;
};

/* QUEUED with *ret; SKIPPED: the task waits for a module itself; or -errno. */
static int resume_find_former(struct journal *j, uint64_t id, struct former *ret)
{
	struct db *db = &j->db;
	const enum db_statement q = DB_FIND_ENDED;
	uint64_t word;
	int r = db_rows(db, q, BIND(bind_uint(id)));
	*ret = (struct former){ .ref = 0 };
	if (r == 1)
		*ret = (struct former){ .state = (enum record_state)db_int(db, q, 0),
			.ended = command_after_make((uint64_t)db_int(db, q, 2),
			    (uint64_t)db_int(db, q, 3), (enum record_state)db_int(db, q, 0),
			    (int)db_int(db, q, 1)) };
	db_end(db, q);
	if (r != 0)
		return r < 0 ? r : QUEUED;
	ret->ref = resume_ref_of(j, id);
	return ret->ref && record_lookup(&j->rt.tables, ret->ref, &word) ? QUEUED : SKIPPED;
}

/* The result of a task among the arguments. */
static int resume_take_result(struct journal *j, struct task *t, uint64_t id, uint32_t which)
{
	char message[128];
	struct former former;
	int64_t blob;
	int r = resume_find_former(j, id, &former);
	if (r != QUEUED)
		return r;
	if (former.ref) {
		t->arg[t->nargs++] = PLM_FUTURE(resume_result_of(j, former.ref, which));
		return QUEUED;
	}
	if (former.state != RECORD_DONE) {
		snprintf(message, sizeof message,
		    "task %llu, an argument, did not succeed "
		    "(plmctl history %llu)",
		    (unsigned long long)id, (unsigned long long)id);
		return resume_end_failed(j, t, ECANCELED, message);
	}
	r = db_number(&j->db, DB_FIND_VALUE, &blob, BIND(bind_uint(id), bind_uint(which)));
	if (r < 0)
		return r;
	if (r == 1)
		return resume_take_blob(j, t, (uint64_t)blob);
	snprintf(message, sizeof message,
	    "the value of task %llu, an argument, has more than "
	    "1 MiB and was not kept",
	    (unsigned long long)id);
	return resume_end_failed(j, t, ESTALE, message);
}

/* An order after a task, without a value. An ended task is no record any more: a command finds the
 * end in its variables (command/environment.c). */
static int resume_take_order(struct journal *j, struct task *t, uint64_t id, enum plm_after after)
{
	char message[128];
	struct former former;
	int r = resume_find_former(j, id, &former);
	if (r != QUEUED)
		return r;
	if (former.ref) {
		t->arg[t->nargs++] = PLM_AFTER(ref_public(&j->rt, former.ref), after);
		return QUEUED;
	}
	if (after == PLM_AFTER_FAILED && former.state == RECORD_DONE) {
		snprintf(message, sizeof message,
		    "not needed: task %llu succeeded, and this task was to run after its failure",
		    (unsigned long long)id);
		r = rows_cancel_unqueued(j, t->id, message);
		return r < 0 ? r : ENDED;
	}
	char text[END_TEXT_BYTES];
	bool command = strcmp(t->function, COMMAND_FUNCTION) == 0;
	return resume_take_bytes(j, t, text, command ? encode_end(&former.ended, text) : 0);
}

static int resume_take_arguments(struct journal *j, struct task *t)
{
	struct argument argument;
	size_t at = 0, n = 0;
	int r = QUEUED;
	while (encoding_next(t->args, t->args_length, &at, &argument))
		n++;
	t->arg = calloc(n + 1, sizeof *t->arg);
	t->copy = calloc(n + 1, sizeof *t->copy);
	if (!t->arg || !t->copy)
		return why(-ENOMEM, "no memory for %zu arguments", n);
	for (at = 0; r == QUEUED && encoding_next(t->args, t->args_length, &at, &argument);) {
		if (argument.kind == ARGUMENT_BYTES)
			t->arg[t->nargs++] = PLM_BYTES(argument.data, argument.length);
		else if (argument.kind == ARGUMENT_SHARED)
			r = resume_take_blob(j, t, argument.id);
		else if (argument.kind == ARGUMENT_AFTER_ANY)
			r = resume_take_order(j, t, argument.id, PLM_AFTER_ANY);
		else if (argument.kind == ARGUMENT_AFTER_FAILED)
			r = resume_take_order(j, t, argument.id, PLM_AFTER_FAILED);
		else
			r = resume_take_result(j, t, argument.id, argument.which);
	}
	return r;
}

/* ---- submitting ---- */

/* Called by plm_submit() before the task is visible, so a parked task is never started. */
static int resume_note_resumed(void *context, uint64_t ref)
{
	struct journal *j = context;
	const struct standing *place = j->resume.place;
	uint32_t index = ref_index(ref);
	int r = db_run(&j->db, DB_ADD_RESUMED,
	    BIND(bind_int(j->resume.task), bind_int(j->boot), bind_uint(ref),
		bind_int(journal_now()), bind_int(j->resume.retries),
		bind_int(j->resume.crash_retries)));
	j->resume.noted = r;
	if (r < 0)
		return r;
	if (place->turn)
		sh_fill(
		    record_at(&j->rt.tables, index)->key, key_make(place->priority, place->turn));
	j->rt.publish_flags = place->parked ? FLAG_PARKED : 0;
	j->entry[index] = (struct entry){ .id = (uint64_t)j->resume.task,
		.place = *place,
		.generation = ref_generation(ref),
		.flags = ENTRY_ACCEPTED };
	journal_record(&j->rt.tables, index);
	return 0;
}

static int resume_submit(struct journal *j, struct task *t)
{
	plm_terms terms = { .needs = t->needs[0] ? t->needs : NULL };
	plm_ref refs[RESULTS_MAX];
	bool limited = sscanf(t->limits, "%u %u %u %u %u %u %u", &terms.queue_ms, &terms.run_ms,
			   &terms.total_ms, &terms.backoff_ms, &terms.backoff_max_ms,
			   &terms.grace_ms, &terms.keep_ms) >= LIMITS_LEAST;
	plm_task task = { .function = t->function,
		.args = t->arg,
		.nargs = t->nargs,
		.priority = t->place.priority,
		.results = t->results,
		.retries = t->retries,
		.crash_retries = t->crash_retries,
		.flags = t->forgotten ? 0 : PLM_KEEP,
		.terms = limited || t->needs[0] ? &terms : NULL,
		.identity = { t->identity[0], t->identity[1] } };
	j->resume.task = t->id;
	j->resume.place = &t->place;
	j->resume.retries = t->retries;
	j->resume.crash_retries = t->crash_retries;
	if (t->results > RESULTS_MAX)
		return resume_end_failed(j, t, EUCLEAN, "its record in the journal is damaged");
	int r = plm_submit(&j->rt, &task, refs);
	if (r == 0) {
		sh_add(&j->shm->resumed, 1);
		r = resume_remember(j, (uint64_t)t->id, refs[0].id);
		return r < 0 ? r : QUEUED;
	}
	if (r == -ENOSPC && j->resume.noted)
		return r; /* the disk of the journal is full, not the store */
	if (r == -ENOSPC || r == -EAGAIN || r == -ESHUTDOWN || r == -EHOSTDOWN)
		return LATER;
	if (r == -EINVAL || r == -E2BIG)
		return resume_end_failed(
		    j, t, -r, why_text()); /* the needs cannot be met any more */
	return r;
}

static int resume_task(struct journal *j, struct task *t)
{
	char message[256];
	if (t->id <= j->resume.dubious)
		return resume_end_failed(j, t, EUCLEAN,
		    "the journal was damaged, and the end of this task, if any, "
		    "could not be read: the task is not run again");
	if (t->undurable[0]) {
		snprintf(message, sizeof message, "the task was not durable: %s", t->undurable);
		return resume_end_failed(j, t, ESTALE, message);
	}
	if (encode_sum(t->args, t->args_length) != t->sum)
		return resume_end_failed(j, t, EUCLEAN, "its arguments in the journal are damaged");
	int r = resume_read_budgets(j, t);
	if (r != QUEUED)
		return r;
	if (registry_find(&j->rt.tables.registry, t->function) == 0) {
		if (j->resume.without_module++ == 0)
			log_warn("task %lld waits for a module with the function %s: `plmctl "
				 "module load FILE.so`",
			    (long long)t->id, t->function);
		return SKIPPED;
	}
	r = resume_take_arguments(j, t);
	return r == QUEUED ? resume_submit(j, t) : r;
}

/* ---- some tasks at a time ---- */

static void resume_finish(struct journal *j)
{
	j->resume.next = UINT64_MAX;
	sh_store(&j->shm->to_resume, j->resume.without_module);
	log_info("%llu tasks of earlier boots are in the queue",
	    (unsigned long long)sh_peek(&j->shm->resumed));
}

/* 1: a task was handled; 0: no task is left, or not now; -errno. */
static int resume_next(struct journal *j)
{
	struct task t = { .id = 0 };
	int r = resume_read_task(j, &t);
	if (r == 0)
		resume_finish(j);
	if (r <= 0)
		return r;
	j->rt.before_publish = resume_note_resumed;
	j->rt.publish_context = j;
	j->resume.noted = 0;
	r = resume_task(j, &t);
	j->rt.before_publish = NULL;
	j->rt.publish_flags = 0;
	resume_free_task(j, &t);
	if (r < 0)
		return r;
	if (r == LATER) {
		j->resume.due_ns = deadline_after_ms(RETRY_MS);
		return 0;
	}
	j->resume.next = (uint64_t)t.id;
	if (sh_peek(&j->shm->to_resume))
		sh_store(&j->shm->to_resume, sh_peek(&j->shm->to_resume) - 1);
	return 1;
}

/* After a new module, tasks without a module are looked at again. */
static void resume_look_for_modules(struct journal *j)
{
	uint32_t modules = registry_modules(&j->rt.tables.registry);
	if (modules == j->resume.modules)
		return;
	j->resume.modules = modules;
	if (j->resume.next != UINT64_MAX || j->resume.without_module == 0)
		return;
	j->resume.without_module = 0;
	j->resume.next = j->prune.unfinished ? j->prune.unfinished - 1 : 0;
}

bool resume_some(struct journal *j)
{
	const struct control *c = j->rt.tables.control;
	int r = 1;
	if (sh_load(&c->mode) != MODE_UP)
		return false;
	resume_look_for_modules(j);
	if (j->resume.next == UINT64_MAX || sh_peek(&j->shm->trouble) ||
	    clock_ns() < j->resume.due_ns)
		return false;
	/* A power failure takes the queue, too, so notes need not be on the disk. */
	db_set_fsync(&j->db, false);
	for (int i = 0; i < RESUME_BATCH && r == 1; i++)
		r = resume_next(j);
	db_set_fsync(&j->db, true);
	if (r == -EUCLEAN)
		journal_give_up(j);
	if (r < 0) {
		log_warn("cannot queue tasks of earlier boots: %s; trying again", why_text());
		j->resume.due_ns = deadline_after_ms(TROUBLE_MS);
	}
	return r == 1;
}
