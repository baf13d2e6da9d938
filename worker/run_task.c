/* run_task.c - one task: claim, call, commit. The hot path of a worker. */
#include <errno.h>
#include <string.h>

#include "base/why.h"
#include "tables/cores.h"
#include "tables/due.h"
#include "tables/floor.h"
#include "client/nested_wait.h"
#include "worker/inject.h"
#include "worker/needs.h"
#include "worker/task_events.h"

enum { HELP_DEPTH_MAX = 64, AVERAGE_SHARE = 8 };

bool worker_room_is_wanted(const struct worker *w)
{
	struct ring own = ring_down(&w->rt.tables, w->rt.self);
	return heap_length(&w->rt.tables.task_heap) > 0 &&
	    ring_used(&own) <= process_depth(w->rt.me) / 2 + 1;
}

/* Wake the scheduler if a client waits for the effect of the report, if queued tasks could use our
 * room, if the report lets large values go, or if the runtime is stopping and our task may have
 * been the last. Otherwise the scheduler would only tidy up, which can wait until the scheduler is
 * awake anyhow. */
static bool run_task_report_is_urgent(const struct worker *w)
{
	return w->urgent || unfreed_due(w) || worker_room_is_wanted(w) ||
	    sh_peek(&w->rt.tables.control->mode) == MODE_STOPPING;
}

/* If the ring is full, handle_tell() sleeps, which calls worker_report() again
 * (worker_note_blocked): so empty the report before telling it. */
void worker_report(struct worker *w)
{
	bool urgent = run_task_report_is_urgent(w), untold = w->untold, unfreed = unfreed_due(w);
	uint32_t reports = w->reports;
	w->reports = 0;
	w->untold = false;
	w->urgent = false;
	if (reports && urgent)
		handle_tell(&w->rt, w->report, reports);
	else if (reports)
		handle_tell_quietly(&w->rt, w->report, reports);
	else if (untold) /* all hints taken were stale: nothing else says that we have room */
		tell_scheduler(&w->rt.tables, w->rt.self, NULL, 0, urgent);
	unfreed_told(w, unfreed);
}

void worker_tell(struct worker *w, enum hint_kind kind, uint64_t ref, bool urgent)
{
	if (w->reports == 0)
		w->report_since_ns = w->now_ns;
	w->report[w->reports++] = hint_make(kind, ref);
	w->urgent |= urgent;
	if (w->reports == WORKER_BATCH)
		worker_report(w);
}

/* The time when the task began or ended, from the last clock reading: two more readings would cost
 * a tenth of the time of a tiny task. Not before the submission, which was stamped by a coarser
 * clock. */
static uint32_t run_task_time_of(const struct worker *w, const struct record *r)
{
	const struct tables *t = &w->rt.tables;
	uint32_t ms = (uint32_t)((w->now_ns - t->control->boot_ns) / NS_PER_MS);
	if (r->terms)
		return due_ms(t, r);
	return (int32_t)(ms - r->submit_ms) >= 0 ? ms : r->submit_ms;
}

/* ---- the commit ---- */

/* Returns RUNNING if somebody asked to stop the task before the commit; call->word holds the
 * request from now on. */
static enum record_state run_task_commit(
    struct worker *w, struct plm_call *call, enum record_state to, uint32_t flags)
{
	uint64_t word = call->word;
	call->record->end_ms = run_task_time_of(w, call->record);
	if (record_step(call->record, &word, to, w->rt.self, word_attempt(word), flags))
		return to;
	/* Only we move a RUNNING word; other processes only set flags. */
	CHECK(word_without_flags(word) == word_without_flags(call->word));
	call->word = word;
	return RECORD_RUNNING;
}

/* Queues the task for another attempt if a retry is left, else settles it as failed. */
static enum record_state run_task_commit_failure(
    struct worker *w, struct plm_call *call, bool may_retry)
{
	struct record *r = call->record;
	uint8_t failures = r->failures;
	call_discard_results(call);
	if (may_retry && failures < r->retries) {
		r->failures++;
		enum record_state state =
		    run_task_commit(w, call, RECORD_READY, word_flags(call->word) & FLAG_MEMORY);
		if (state != RECORD_READY)
			r->failures = failures;
		return state;
	}
	const struct record_failure failure = { .code = call->code,
		.root_function = r->function,
		.root = record_ref(record_index(&w->rt.tables, r), word_generation(call->word)) };
	failure_leave(&w->rt.tables, sh_peek(&w->rt.me->node), r, &failure,
	    &(struct failure_text){ call->message, call->detail, call->detail_bytes });
	return run_task_commit(w, call, RECORD_FAILED, FLAG_RETRIABLE);
}

/* A limit was over: the limit counts, even against a good result. */
static enum record_state run_task_commit_late(struct worker *w, struct plm_call *call)
{
	const struct tables *t = &w->rt.tables;
	bool total = due_total_is_over(t, call->record);
	due_describe(t, call->record, call->word, total ? LIMIT_TOTAL : LIMIT_RUN, call->message,
	    sizeof call->message);
	call->code = ETIMEDOUT;
	call_drop_detail(call);
	return run_task_commit_failure(w, call, !total);
}

/* The demand for memory seen by the scheduler when it decided, or by us before. */
static void run_task_raise_demand(struct worker *w, struct plm_call *call)
{
	record_raise_demand(call->record, sh_peek(&w->rt.me->memory_seen));
	record_raise_demand(call->record, call->memory_peak);
}

/* The task may be tried again, when it finds more memory or wants less. */
static enum record_state run_task_commit_evicted(struct worker *w, struct plm_call *call)
{
	run_task_raise_demand(w, call);
	memory_describe(&w->rt.tables, call->record, call->message, sizeof call->message);
	call->code = ENOMEM;
	call_drop_detail(call);
	return run_task_commit_failure(w, call, true);
}

static enum record_state run_task_commit_cancelled(struct worker *w, struct plm_call *call)
{
	call_discard_results(call);
	return run_task_commit(w, call, RECORD_CANCELLED, 0);
}

/* Throws away any result: it may be half of the work. */
static enum record_state run_task_commit_returned(struct worker *w, struct plm_call *call)
{
	call_discard_results(call);
	if (word_flags(call->word) & FLAG_MEMORY)
		run_task_raise_demand(w, call);
	record_count_return(call->record, word_attempt(call->word));
	return run_task_commit(
	    w, call, RECORD_READY, FLAG_RETURN | (word_flags(call->word) & FLAG_MEMORY));
}

/* Ends: flags are only ever added, and few exist. */
static enum record_state run_task_commit_outcome(struct worker *w, struct plm_call *call)
{
	enum record_state state;
	do {
		if (word_flags(call->word) & FLAG_CANCEL)
			state = run_task_commit_cancelled(w, call);
		else if (word_flags(call->word) & FLAG_RETURN)
			state = run_task_commit_returned(w, call);
		else if (word_flags(call->word) & FLAG_MEMORY)
			state = run_task_commit_evicted(w, call);
		else if (word_flags(call->word) & FLAG_LATE)
			state = run_task_commit_late(w, call);
		else if (call->code)
			state = run_task_commit_failure(w, call, true);
		else
			state = run_task_commit(w, call, RECORD_DONE, 0);
	} while (state == RECORD_RUNNING);
	return state;
}

/* Tells that the task is settled. */
static void run_task_tell_end(
    struct worker *w, uint64_t ref, bool urgent, const struct let_go *unfreed)
{
	worker_tell(w, HINT_SETTLED, ref, urgent);
	if (!unfreed_note(w, unfreed))
		return;
	worker_report(w);
	unfreed_await(w);
}

static void run_task_settle(struct worker *w, struct plm_call *call)
{
	struct plm *rt = &w->rt;
	uint32_t index = record_index(&rt->tables, call->record);
	uint64_t ref = record_ref(index, word_generation(call->word));
	bool has_terms =
	    call->record
		->terms; /* read before the commit: then the record may begin another life */
	struct let_go unfreed = unfreed_of(call);
	struct task_end end;
	end.logged = eventlog_on(&rt->tables); /* the rest stays as found */
	if (end.logged)
		task_events_before_end(w, call, ref, &end);
	enum record_state state = run_task_commit_outcome(w, call);
	if (end.logged)
		task_events_ended(w, call, &end, state);
	bool returned = state == RECORD_READY && word_flags(call->word) & FLAG_RETURN;
	shared64 *count = state == RECORD_DONE ? &rt->me->done : &rt->me->failed;
	if (returned)
		sh_add(&rt->tables.control->returned, 1);
	else
		sh_poke(count, sh_peek(count) + 1, "done or failed");
	if (state == RECORD_READY) {
		if (journal_wants(&rt->tables, call->record))
			journal_tell(&rt->tables, index); /* the task does not run any more */
		worker_tell(w, HINT_LOOK, ref, true);     /* to be run again */
		return;
	}
	wake_holders(&rt->tables, index);
	bool told = sh_load(&call->record->dependents) == 0 ||
	    (state == RECORD_DONE && worker_tell_successors(w, ref));
	run_task_tell_end(w, ref, !told || has_terms, &unfreed);
}

/* ---- the call ---- */

static void run_task_call_function(struct worker *w, struct plm_call *call)
{
	plm_function *function;
	int r = call_open(call);
	bool takes_first = r == 0 && call->record->terms && call_takes_first(call);
	if (r == 0 && !takes_first)
		r = functions_find(
		    &w->functions, &w->rt.tables.registry, call->record->function, &function);
	if (r < 0) {
		plm_fail(call, -r, "%s", why_text());
	} else if (takes_first) {
		call_take_first(call);
	} else if (!w->injection || inject(w->injection, call) == 0) {
		r = function(call);
		if (r != 0 && call->code == 0)
			plm_fail(call, r < 0 ? -r : r, "the function returned %d", r);
		else if (r == 0)
			call->code = 0; /* the function went on after a plm_fail(), and succeeded */
	}
	call_close(call);
}

/* A moving average: the scheduler fills our ring according to it. */
static void run_task_account(struct worker *w, uint64_t started_ns)
{
	w->now_ns = clock_ns();
	uint64_t took = w->now_ns - started_ns;
	if (took > UINT32_MAX)
		took = UINT32_MAX;
	int64_t step = ((int64_t)took - w->average_ns) / AVERAGE_SHARE;
	w->average_ns = (uint32_t)((int64_t)w->average_ns + step);
	/* Tell growth at once, so that no deep queue builds up behind long tasks. */
	if (took > w->average_ns)
		w->average_ns = (uint32_t)((took + w->average_ns) / 2);
	sh_poke(&w->rt.me->average_ns, w->average_ns);
	task_sleep_note(w);
}

/* The time of the attempt is limited from now on, and the scheduler has the clock. */
static void run_task_tell_start(struct worker *w, const struct record *r, uint64_t word)
{
	const struct terms *terms = due_terms(&w->rt.tables, r);
	if (!terms || !terms->run_ms)
		return;
	uint32_t index = record_index(&w->rt.tables, r);
	worker_tell(w, HINT_LOOK, record_ref(index, word_generation(word)), true);
	worker_report(w);
}

/* A worker booked for a task claims no other task, except in place of the booked task; and a task
 * with needs runs only on a worker booked for it. Other hints go back to the scheduler: a hint
 * handed to us while we were booked, a task ended for want of memory meanwhile, or a task below the
 * priority floor. */
static bool run_task_may_claim(
    struct worker *w, const struct record *r, uint64_t ref, uint64_t word)
{
	uint64_t booked = sh_load(&w->rt.me->booked);
	if (booked == ref)
		return true;
	if (r->terms && record_needs(&w->rt.tables, r))
		return false;
	if ((booked == 0 || w->call) && !(word_flags(word) & FLAG_MEMORY) &&
	    (w->call || !floor_refuses(&w->rt.tables, r)) &&
	    !(word_attempt(word) && worker_leaves_retry(w, ref, word)))
		return true;
	worker_tell(w, HINT_LOOK, ref, true);
	return false;
}

/* Claims the task, calls its function, commits the outcome and wakes the waiting processes. */
bool worker_run_record(struct worker *w, uint32_t index)
{
	struct plm *rt = &w->rt;
	struct record *r = record_at(&rt->tables, index);
	uint64_t word = sh_load(&r->state);
	uint32_t attempt = word_attempt(word) + 1;
	if (word_state(word) != RECORD_READY || word_flags(word) & FLAG_PARKED ||
	    due_is_resting(&rt->tables, r, word) ||
	    !run_task_may_claim(w, r, record_ref(index, word_generation(word)), word) ||
	    !record_step(r, &word, RECORD_RUNNING, rt->self, attempt, 0))
		return false;
	word = word_make(word_generation(word), rt->self, attempt, RECORD_RUNNING, 0);
	cores_note(&rt->tables);
	struct plm_call call;
	call_begin(&call, rt, r, word);
	call.outer = w->call;
	uint64_t started_ns = call.started_ns = w->now_ns;
	if (eventlog_on(&rt->tables))
		task_events_started(w, &call, record_ref(index, word_generation(word)));
	uint64_t outer_running = sh_peek(&rt->me->running);
	if (call.outer && sh_peek(&rt->me->waiting_ns))
		sh_store(&rt->me->waiting_ns, 0); /* the cpu of the waiting task is at work again */
	r->start_ms = run_task_time_of(w, r);
	if (r->terms)
		run_task_tell_start(w, r, call.word);
	sh_poke(&rt->me->running, record_ref(index, word_generation(word)), "running, begun");
	sh_poke(&rt->me->running_since_ns, started_ns);
	sh_poke(&rt->me->beat_ns, started_ns);
	w->call = &call;
	if (journal_wants(&rt->tables, r))
		journal_tell(&rt->tables, index); /* the task has begun */
	if (r->terms && record_needs(&rt->tables, r))
		needs_begin(w, r);
	run_task_call_function(w, &call);
	if (w->dressed && !call.outer)
		needs_end(w);
	w->call = call.outer;
	run_task_account(w, started_ns);
	run_task_settle(w, &call);
	if (call.detail)
		call_drop_detail(&call);
	sh_poke(&rt->me->running, outer_running, "running, ended");
	if (!w->call && rt->adopted_count)
		ref_drop_adopted(rt);
	return true;
}

/* ---- in place of a waiting task ---- */

static bool run_task_help(struct worker *w, uint32_t index, int depth)
{
	struct tables *t = &w->rt.tables;
	if (index >= t->limits.records || depth > HELP_DEPTH_MAX)
		return false;
	struct record *r = record_at(t, index);
	uint64_t word = sh_load(&r->state);
	if (word_state(word) == RECORD_READY)
		return worker_run_record(w, index);
	if (word_state(word) == RECORD_PART)
		return run_task_help(w, ref_index(r->part.task), depth + 1);
	struct args_reader reader;
	struct arg arg;
	if (word_state(word) != RECORD_WAITING || !args_open(t, r, &reader))
		return false;
	while (args_next(&reader, &arg))
		if (arg.future && run_task_help(w, ref_index(arg.future->ref), depth + 1))
			return true;
	return false;
}

/* On top of a waiting task run only the awaited task and tasks awaited by that task in turn. Any
 * other task could wait for the task below on the same stack, for ever. */
bool worker_help(void *worker, uint32_t index)
{
	struct worker *w = worker;
	w->now_ns = clock_ns();
	worker_report(w); /* settling what we report may make the next task ready */
	return run_task_help(w, index, 0);
}

static bool run_task_is_running_here(void *worker, const struct record *r)
{
	const struct worker *w = worker;
	const struct plm_call *call = w->call;
	while (call && call->record != r)
		call = call->outer;
	return call != NULL;
}

bool worker_deadlocked(void *worker, uint32_t index)
{
	struct worker *w = worker;
	return nested_deadlock(&w->rt.tables, index, run_task_is_running_here, w);
}
