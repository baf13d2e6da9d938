/* repair.c - new processes, dead processes, and the state left behind by the dead.
 *
 * The manager alone declares a death, after the kernel did. Everything owned by a dead process is
 * found by the process slot in the words of the records: one scan, then a pass over tied tasks. A
 * client that left nothing behind (`unclean` is 0) needs neither. The scans at the start of a
 * scheduler take the same steps. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/scheduler.h"

/* ---- a task whose worker died ---- */

static void repair_describe_death(struct scheduler *s, const struct record *r, uint32_t owner,
    char *ret, size_t size, int *ret_signal)
{
	struct function_entry function = { .name = "?" };
	registry_function(&s->t->registry, r->function, &function);
	int status = (int)sh_load(&s->t->process[owner].exit_status);
	bool known = owner != SLOT_SCHEDULER && !((uint32_t)status & PROCESS_UNSEEN);
	*ret_signal = known && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (owner ==
	    SLOT_SCHEDULER) /* the scheduler with the knowledge of the death has died, too */
		snprintf(ret, size, "its worker died while it ran %s", function.name);
	else if ((uint32_t)status & PROCESS_UNSEEN)
		snprintf(ret, size,
		    "its worker ended, while no manager lived to see how, and it "
		    "ran %s",
		    function.name);
	else if ((uint32_t)status & PROCESS_HUNG)
		snprintf(ret, size,
		    "its worker gave no sign of life and was killed "
		    "while it ran %s",
		    function.name);
	else if (*ret_signal)
		snprintf(ret, size, "its worker was killed by signal %d (%s) while it ran %s",
		    *ret_signal, strsignal(*ret_signal), function.name);
	else
		snprintf(ret, size, "its worker ended with exit code %d while it ran %s",
		    WEXITSTATUS(status), function.name);
}

/* Exit code or signal, and what the worker had used: for programs. "": not known. */
static void repair_describe_usage(const struct scheduler *s, uint32_t owner, char *ret, size_t size)
{
	const struct process *p = &s->t->process[owner];
	int status = (int)sh_load(&p->exit_status);
	ret[0] = 0;
	if (owner == SLOT_SCHEDULER || (uint32_t)status & PROCESS_UNSEEN)
		return;
	snprintf(ret, size,
	    "exit=%d signal=%d hung=%d user_us=%" PRIu64 " system_us=%" PRIu64 " rss_kib=%" PRIu64,
	    WIFEXITED(status & 0xffff) ? WEXITSTATUS(status) : -1,
	    WIFSIGNALED(status & 0xffff) ? WTERMSIG(status) : 0,
	    ((uint32_t)status & PROCESS_HUNG) != 0, sh_peek(&p->used_user_us),
	    sh_peek(&p->used_system_us), sh_peek(&p->used_rss_kib));
}

static void repair_fail_crashed(struct scheduler *s, uint32_t index, uint64_t word, uint32_t owner)
{
	char message[128], usage[128];
	struct record *r = record_at(s->t, index);
	struct record_failure failure = { .code = EOWNERDEAD,
		.root_function = r->function,
		.root = record_ref(index, word_generation(word)) };
	int signal = 0;
	repair_describe_death(s, r, owner, message, sizeof message, &signal);
	failure.signal = (uint8_t)signal;
	repair_describe_usage(s, owner, usage, sizeof usage);
	graph_fail_saying(s, index, &failure, FLAG_RETRIABLE,
	    &(struct failure_text){ message, usage, strlen(usage) });
}

/* A task whose worker was killed because the task ran too long fails like any other. If the
 * scheduler dies before the word says so, the next scheduler counts the failure twice: a retry
 * less, but never a retry too many.
 */
static bool repair_spend_failure(struct scheduler *s, struct record *r, uint32_t tries)
{
	if (r->failures >= r->retries || due_total_is_over(s->t, r))
		return false;
	if (r->failures < tries)
		r->failures++;
	return true;
}

static bool repair_may_run_again(struct scheduler *s, struct record *r, uint64_t word)
{
	uint32_t owner = word_owner(word);
	if (word_flags(word) & FLAG_MEMORY && owner < s->t->limits.processes)
		record_raise_demand(r, sh_load(&s->t->process[owner].memory_seen));
	if (word_flags(word) & FLAG_RETURN) {
		record_count_return(r, word_attempt(word));
		return true;
	}
	if (word_flags(word) & FLAG_LATE)
		return repair_spend_failure(s, r, record_tries(r, word));
	return record_tries(r, word) - r->failures <= r->crash_retries;
}

/* The attempt is over. The task runs once more if it was returned, if `retries` allow (a time limit
 * was over, or the task did not fit into memory), or if crash_retries allow (any other death); a
 * cancelled task never does. Otherwise the task ends. Only flags set by clients still move the
 * word; then the word is looked at again. */
static void repair_end_attempt(struct scheduler *s, uint32_t index, uint64_t word, uint32_t owner)
{
	struct record *r = record_at(s->t, index);
	uint32_t attempt = word_attempt(word), returned = word_flags(word) & FLAG_RETURN;
	uint32_t memory = word_flags(word) & FLAG_MEMORY;
	bool again = repair_may_run_again(s, r, word);
	if (!free_results(s, r)) {
		if (graph_take_over(r, &word)) /* the process slot will belong to another process */
			owed_note(s, index);
		return;
	}
	r->end_ms = due_ms(s->t, r);
	while (word_state(word) == RECORD_RUNNING && !(word_flags(word) & FLAG_CANCEL) && again)
		if (record_step(r, &word, RECORD_READY, owner, attempt, returned | memory)) {
			if (eventlog_on(s->t))
				task_log_end(s, EVENT_RETURNED, index, word,
				    memory         ? EVENT_RETURN_MEMORY
					: returned ? EVENT_RETURN_ASKED
						   : EVENT_RETURN_DEAD);
			ready_add(s, index);
			s->requeued++;
			if (returned)
				sh_add(&s->t->control->returned, 1);
			return;
		}
	if (!(word_flags(word) & FLAG_CANCEL)) {
		if (word_flags(word) & FLAG_MEMORY)
			pressure_fail(s, index, word);
		else if (word_flags(word) & FLAG_LATE)
			limits_fail(
			    s, index, word, due_total_is_over(s->t, r) ? LIMIT_TOTAL : LIMIT_RUN);
		else
			repair_fail_crashed(s, index, word, owner);
		return;
	}
	record_step(r, &word, RECORD_CANCELLED, owner, attempt, 0);
	if (eventlog_on(s->t))
		task_log_end(s, EVENT_CANCELLED, index, word, 0);
	wake_holders(s->t, index);
	graph_settled(s, index);
}

/* ---- one dead process ---- */

/* The task of the part was never submitted, and never will be. */
static bool repair_part_is_lost(const struct scheduler *s, const struct record *part, uint32_t dead)
{
	uint64_t word;
	return !record_lookup(s->t, part->part.task, &word) ||
	    (word_state(word) == RECORD_RESERVED && word_owner(word) == dead);
}

/* Finishes everything left undone or untold at this record by the dead process. */
static void repair_record(struct scheduler *s, uint32_t index, uint32_t dead)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	bool its_own = word_owner(word) == dead;
	/* A record held by the journal is not written yet: leave the hold to the next journal. */
	if (hold_test(s->t, index, dead) && dead != journal_slot(s->t))
		hold_clear(s->t, index, dead);
	if (r->terms ||
	    word_flags(word) & FLAGS_STOPPING) /* asked to stop, and the hint never came */
		limits_look(s, index);
	switch (word_state(word)) {
	case RECORD_RESERVED:
		if (its_own)
			free_abandoned(s, index);
		break;
	case RECORD_WAITING:
		/* Submitted, the hint never sent; or the dead process was to make the task ready.
		 */
		graph_admit(s, index);
		break;
	case RECORD_READY:
		/* Submitted, the hint never sent; or the task stood in the ring or the hand of a
		 * dead worker, or was its next, while the word names the submitter. */
		if (its_own || process_kind(sh_load(&s->t->process[dead].state)) == KIND_WORKER)
			ready_add(s, index);
		break;
	case RECORD_RUNNING:
		if (its_own)
			repair_end_attempt(s, index, word, dead);
		break;
	case RECORD_PART:
		if (its_own && repair_part_is_lost(s, r, dead))
			free_orphan(s, index);
		break;
	case RECORD_DONE:
	case RECORD_FAILED:
	case RECORD_CANCELLED:
		graph_settled(s, index); /* settled, the hint never sent; or dropped only now */
		break;
	default: break;
	}
	if (journal_wants(s->t, r))
		journal_tell(s->t, index); /* the dead process may never have told the journal */
	if (s->settled.n >= FREED_BATCH)
		graph_spread(s);
	if (s->ready.n >= READY_BATCH)
		place_flush(s);
}

static void repair_note_reassigned(struct scheduler *s, uint64_t died_ns)
{
	struct reassigned *all = &s->t->control->reassigned;
	uint64_t now = clock_ns(), took = now > died_ns ? now - died_ns : 0;
	uint64_t n = sh_peek(&all->count);
	sh_poke(&all->ns[n % REASSIGNED_KEPT], took);
	if (took > sh_peek(&all->max_ns))
		sh_poke(&all->max_ns, took);
	sh_store(&all->count, n + 1);
}

/* Ends tied tasks with a dead last client. Only after a look at all records: a later record may
 * need an earlier one. */
static void repair_end_tied(struct scheduler *s)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		const struct record *r = record_at(s->t, i);
		if (record_unsettled(sh_load(&r->state)) && r->tied)
			free_if_unneeded(s, i);
	}
	graph_spread(s);
}

/* A task submitted in a pair names a record that may be RESERVED yet, or freed in this burial: its
 * argument is counted before. */
static void repair_admit_pairs(struct scheduler *s)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		const struct record *r = record_at(s->t, i);
		if (word_state(sh_load(&r->state)) == RECORD_WAITING && r->paired)
			graph_admit(s, i);
	}
}

static void repair_records(struct scheduler *s, uint32_t dead)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	uint64_t requeued = s->requeued;
	if (eventlog_on(s->t))
		task_log_meet_dead(s, dead);
	repair_admit_pairs(s);
	for (uint32_t i = 0; i < fresh; i++)
		repair_record(s, i, dead);
	if (s->unended.n)
		task_log_flush(s);
	graph_spread(s);
	repair_end_tied(s);
	place_flush(s);
	if (s->requeued != requeued)
		repair_note_reassigned(s, sh_peek(&s->t->process[dead].died_ns));
	free_flush(s);
}

static void repair_forget_worker(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	if (w->generation == 0)
		return;
	if (w->pidfd >= 0)
		close(w->pidfd);
	seats_gone(s, process);
	room_leave(s, process);
	ready_note_again(s, process);
	*w = (struct worker_process){ .pidfd = -1 };
}

/* Recovers the locks of the pool, the graph and the arenas now, if the dead process held them; the
 * other locks at their next use. A lock held by another process is not waited for. */
static void repair_heal_locks(struct scheduler *s)
{
	struct lock *locks[ARENAS_MAX + 2] = { &s->t->pool.lock, &s->t->graph_lock };
	uint32_t n = 2;
	for (uint32_t i = 0; i < s->t->limits.nodes; i++)
		locks[n++] = &s->t->arena[i].lock;
	for (uint32_t i = 0; i < n; i++)
		if (lock_try(locks[i]) == 0)
			lock_release(locks[i]);
}

/* The process slot stays DEAD until the last line: if the scheduler dies on the way, the next
 * buries the process. */
static void repair_bury(struct scheduler *s, uint32_t process)
{
	struct process *p = &s->t->process[process];
	uint64_t word = sh_load(&p->state);
	struct ring up = ring_up(s->t, process), down = ring_down(s->t, process);
	process_set_awake(s->t, process, false);
	ring_fill_holes(
	    &up, hint_make(HINT_NONE, 0)); /* a thread died in a push, others pushed behind it */
	repair_heal_locks(s);
	hints_read_one(s, process);
	repair_forget_worker(s, process);
	spares_forget(s, process);
	nested_forget(s, process);
	if (sh_load(&p->unclean) || process_kind(word) != KIND_CLIENT)
		repair_records(s, process);
	if (owed_to_process(s, process))
		return; /* stays DEAD; buried again when the record is free */
	task_log_forget(s, process);
	ring_reset(&up);
	ring_reset(&down);
	sh_and(&s->t->control->unread[process / 64], ~((uint64_t)1 << process % 64));
	sh_and(&s->t->control->unread_quiet[process / 64], ~((uint64_t)1 << process % 64));
	process_step(p, &word, PROCESS_FREE);
}

/* ---- worker processes ---- */

/* Open the pidfd first: then the check of the start time proves the pid is still the same process.
 */
static int repair_pidfd_of(const struct process *p)
{
	int32_t pid = p->pid;
	int pidfd = pid <= 1 || pid == getpid() ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 || process_start_time(pid) == p->start_time)
		return pidfd;
	close(pidfd);
	return -1;
}

static void repair_meet_worker(struct scheduler *s, uint32_t process, uint64_t word)
{
	struct worker_process *w = &s->worker_process[process];
	struct process *p = &s->t->process[process];
	if (w->generation)
		repair_forget_worker(s, process);
	*w = (struct worker_process){ .generation = process_generation(word) };
	w->pidfd = repair_pidfd_of(p);
	/* A former scheduler may have died while writing hints into this ring, or before waking the
	 * worker. */
	struct ring down = ring_down(s->t, process);
	ring_fill_holes(&down, hint_make(HINT_NONE, 0));
	process_post(s->t, process);
	room_join(s, process);
	booking_adopt(s, process);
	room_refresh(s, process);
}

static void repair_retire_worker(struct scheduler *s, uint32_t process)
{
	room_retire(s, process);
	seats_retires(s, process);
	room_refresh(s, process);
	ready_note_again(s, process);
}

static void repair_look_at_worker(struct scheduler *s, uint32_t process, uint64_t word)
{
	bool leaving = process_state(word) == PROCESS_LEAVING;
	if (!leaving && process_state(word) != PROCESS_LIVE)
		return;
	if (s->worker_process[process].generation != process_generation(word))
		repair_meet_worker(s, process, word);
	if (leaving && !s->worker_process[process].leaving)
		repair_retire_worker(s, process);
}

/* Called in each round: buries dead processes and meets new worker processes. */
void repair_look(struct scheduler *s)
{
	uint64_t changes = sh_load(&s->t->control->changes);
	if (changes == s->changes)
		return;
	s->changes = changes;
	for (uint32_t p = SLOT_FIRST_SHARED; p < s->t->limits.processes; p++) {
		uint64_t word = sh_load(&s->t->process[p].state);
		if (process_state(word) == PROCESS_DEAD)
			repair_bury(s, p);
		else if (process_kind(word) == KIND_WORKER)
			repair_look_at_worker(s, p, word);
	}
	booking_welcome(s);
	place_flush(s);
}

/* ---- start-up: derive everything again ---- */

/* Every argument of an unsettled task, or of a failed task kept for plm_retry(), is a use. Count
 * them all before anything is judged.
 */
static void repair_count_uses(struct scheduler *s, struct record *r)
{
	struct args_reader reader;
	struct arg arg;
	bool readable = args_open(s->t, r, &reader);
	while (readable && args_next(&reader, &arg)) {
		struct record *used = arg.future ? edges_speaker(s->t, arg.future->ref) : NULL;
		if (!used)
			continue;
		sh_poke(&used->uses, sh_peek(&used->uses) + 1, "uses, one more");
		sh_poke(&r->uses, sh_peek(&r->uses) | USES_COUNTED, "uses, counted");
	}
	if (word_state(sh_load(&r->state)) == RECORD_WAITING)
		sh_poke(&r->uses, sh_peek(&r->uses) | USES_COUNTED, "uses, counted");
}

static void repair_derive_graph_locked(struct scheduler *s)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	for (uint32_t i = 0; i < fresh; i++)
		if (sh_peek(&s->t->record[i].uses))
			sh_poke(&s->t->record[i].uses, 0, "uses, derived");
	for (uint32_t i = 0; i < fresh; i++) {
		struct record *r = &s->t->record[i];
		enum record_state state = word_state(sh_load(&r->state));
		if (state == RECORD_WAITING || state == RECORD_READY || state == RECORD_RUNNING ||
		    word_retriable(sh_load(&r->state)))
			repair_count_uses(s, r);
	}
	edges_rebuild(s->t);
}

/* A former scheduler was ending the task: an argument had failed, as graph_check() finds again, or
 * the worker had died. */
static void repair_end_again(struct scheduler *s, uint32_t index, uint64_t word)
{
	graph_check(s, index);
	if (sh_load(&record_at(s->t, index)->state) == word)
		repair_end_attempt(s, index, word, SLOT_SCHEDULER);
}

static void repair_rebuild_record(struct scheduler *s, uint32_t index)
{
	struct record *r = record_at(s->t, index);
	uint64_t word = sh_load(&r->state);
	limits_look(s, index);
	switch (word_state(word)) {
	case RECORD_WAITING:
		graph_admit(s, index); /* submitted since the count: none of its edges is linked */
		break;
	case RECORD_RUNNING:
		if (word_owner(word) == SLOT_SCHEDULER)
			repair_end_again(s, index, word);
		break;
	case RECORD_DONE:
	case RECORD_FAILED:
	case RECORD_CANCELLED: graph_settled(s, index); break;
	default: break;
	}
	if (journal_wants(s->t, r))
		journal_tell(s->t, index);
}

/* Frees the parts of a task whose end is only half done: a former scheduler began to free the parts
 * one by one. */
static void repair_free_orphans(struct scheduler *s)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	uint64_t task;
	for (uint32_t i = 0; i < fresh; i++) {
		const struct record *r = record_at(s->t, i);
		if (word_state(sh_load(&r->state)) == RECORD_PART &&
		    !record_lookup(s->t, r->part.task, &task))
			free_orphan(s, i);
	}
}

static void repair_meet_dead(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint64_t word = sh_load(&s->t->process[p].state);
		if (process_state(word) == PROCESS_DEAD && process_kind(word) == KIND_WORKER)
			task_log_meet_dead(s, p);
	}
}

void scheduler_rebuild(struct scheduler *s)
{
	if (lock_acquire(&s->t->graph_lock) < 0)
		scheduler_give_up();
	repair_derive_graph_locked(s);
	lock_release(&s->t->graph_lock);
	uint32_t fresh = pool_fresh(&s->t->pool);
	if (eventlog_on(s->t))
		repair_meet_dead(s);
	for (uint32_t i = 0; i < fresh; i++)
		repair_rebuild_record(s, i);
	if (s->unended.n)
		task_log_flush(s);
	/* Frees come last: a record unneeded now may still be counted by a later record. */
	graph_spread(s);
	repair_end_tied(s);
	repair_free_orphans(s);
	place_flush(s);
	free_flush(s);
	place_rebuild(s);
	floor_rebuild(s);
	room_rebuild(s);
	spares_rebuild(s);
	if (s->owed.pool || pool_rebuild(&s->t->pool) < 0)
		owed_note_pool(s);
	for (uint32_t w = 0; w < s->t->limits.processes / 64; w++)
		sh_store(&s->t->control->unread[w],
		    ~(uint64_t)0);                      /* hints may wait whose bit was taken */
	s->changes = ~sh_load(&s->t->control->changes); /* look once, in any case */
}

bool repair_all_settled(const struct scheduler *s)
{
	uint32_t fresh = pool_fresh(&s->t->pool);
	for (uint32_t i = 0; i < fresh; i++) {
		enum record_state state = word_state(sh_load(&s->t->record[i].state));
		if (state == RECORD_WAITING || state == RECORD_READY || state == RECORD_RUNNING)
			return false;
	}
	return true;
}

/* ---- memory that could not be freed ---- */

static void repair_free_again(struct scheduler *s, uint32_t index)
{
	uint64_t task, word = sh_load(&record_at(s->t, index)->state);
	switch (word_state(word)) {
	case RECORD_RESERVED: free_abandoned(s, index); break;
	case RECORD_RUNNING:
		if (word_owner(word) == SLOT_SCHEDULER)
			repair_end_again(s, index, word);
		break;
	case RECORD_PART:
		if (record_lookup(s->t, record_at(s->t, index)->part.task, &task))
			owed_note(s, index); /* freed with the task, or later */
		else
			free_orphan(s, index);
		break;
	case RECORD_DONE:
	case RECORD_FAILED:
	case RECORD_CANCELLED: graph_settled(s, index); break;
	default: break;
	}
}

uint32_t repair_owed(struct scheduler *s)
{
	struct owed *owed = &s->owed;
	if (!owed_is_due(s))
		return 0;
	uint32_t before = owed->records, fresh = pool_fresh(&s->t->pool);
	if (owed->pool && pool_try_rebuild(&s->t->pool) == 0)
		owed->pool = false;
	for (uint32_t i = 0; i < fresh && owed->records > 0; i++)
		if (owed_take(s, i))
			repair_free_again(s, i);
	if (s->unended.n)
		task_log_flush(s);
	graph_spread(s);
	place_flush(s);
	free_flush(s);
	if (owed->bury && owed->records < before) {
		owed->bury = false;
		s->changes = ~sh_load(&s->t->control->changes); /* look at DEAD processes again */
	}
	return owed_tried(s);
}
