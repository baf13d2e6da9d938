/* lend.c - idle worker processes are lent to commands with use for more cpus, and asked back when
 * tasks wait.
 *
 * A process is lent by booking it for the borrower, like a still process of a task with several
 * cpus: the process claims nothing, and comes back when the borrower counts it no more. The rule:
 *	No task waits for a cpu: each wanting borrower gets an idle process, borrowers with the
 *	fewest first, at most twice as many at a time as before.
 *	Tasks wait: nobody may borrow. An unused process comes back at once, a used process when
 *	the borrower's job ends; no job is stopped.
 *	A borrower wants a process and none is idle: borrowers give unused processes back, and a
 *	borrower with two more than another gives up a process.
 * Nothing is remembered: the loans stand in the process table (tables/lent.h), so each look begins
 * with a count, and so does the next scheduler. While nobody borrows there is no look. */
#include <string.h>

#include "base/clock.h"
#include "scheduler/placing.h"
#include "tables/lent.h"

enum {
	USE_NS = 20000000, /* unused for so long after the loan: not wanted */
};

static uint64_t lend_word_of(const struct scheduler *s, uint32_t process)
{
	return s->worker_process[process].generation ? sh_load(&s->t->process[process].lent) : 0;
}

/* ---- a look ---- */

static void lend_count(struct scheduler *s)
{
	struct loans *l = &s->loans;
	memset(l->seats, 0, sizeof l->seats);
	memset(l->still, 0, sizeof l->still);
	l->any = l->queued = false;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint32_t borrower = lent_to(s->worker_process[p].booked);
		uint64_t lent = lend_word_of(s, p);
		l->queued |= s->worker_process[p].generation && ready_outstanding(s, p) > 1 &&
		    ready_has_queue(s, p);
		l->any |= borrower || lent_claim(lent) || lent_wants(lent);
		if (!borrower || borrower >= s->t->limits.processes || s->worker_process[p].leaving)
			continue;
		l->seats[borrower]++;
		l->still[borrower] += seats_keeps_still(s, p);
	}
}

/* Tasks in a ring behind a running task count, too: an idle process would steal them. */
static bool lend_tasks_wait(const struct scheduler *s)
{
	return !(s->admission & ADMISSION_PAUSED) &&
	    (heap_length(&s->t->task_heap) > 0 || s->bookings.short_of_processes ||
		s->loans.queued);
}

static bool lend_is_idle(const struct scheduler *s, uint32_t process)
{
	const struct worker_process *w = &s->worker_process[process];
	const struct process *p = &s->t->process[process];
	return w->generation && !w->leaving && !w->booked && !p->spare &&
	    s->room.team[w->worker].hall == HALL_CPU && !sh_load(&p->running) &&
	    !sh_load(&p->waiting_ns) && ready_outstanding(s, process) == 0;
}

static uint32_t lend_find_idle(const struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (lend_is_idle(s, p))
			return p;
	return 0;
}

bool lend_has_of(const struct scheduler *s, uint32_t worker)
{
	for (uint32_t p = s->room.team[worker].first; p; p = s->worker_process[p].next)
		if (lent_to(s->worker_process[p].booked))
			return true;
	return false;
}

/* The borrower sleeps for its command. After a request to stop, interrupts are counted: send none.
 */
static void lend_wake_borrower(struct scheduler *s, uint32_t process)
{
	uint64_t word, running = sh_load(&s->t->process[process].running);
	const struct record *r = running ? record_lookup(s->t, running, &word) : NULL;
	if (r && word_flags(word) == 0 && sh_load(&s->t->process[process].alert))
		scheduler_signal(s, process, PROCESS_INTERRUPT);
}

/* Does nothing if the turn has changed, or the borrower has changed the word: then the next look
 * decides. */
static void lend_set_limit(struct scheduler *s, uint32_t process, uint64_t lent, uint32_t limit)
{
	uint64_t seen = lent;
	if (limit == lent_limit(lent) || !lent_open(lent))
		return;
	if (sh_cas(&s->t->process[process].lent, &seen,
		lent_with(lent, lent_wants(lent), limit, lent_out(lent)))) {
		if (limit > lent_limit(lent))
			s->loans.given_ns[process] = clock_ns();
		lend_wake_borrower(s, process);
	} else {
		sh_add(&s->t->control->lent_changes, 1);
	}
}

/* ---- too few processes are kept for a borrower ---- */

void lend_one(struct scheduler *s, uint32_t borrower, uint32_t process)
{
	seats_keep_still(s, process, LENT_TO(borrower, ++s->loans.turn));
	s->loans.seats[borrower]++;
	s->loans.still[borrower] += seats_keeps_still(s, process);
	s->loans.any = true;
}

/* A lent process has died. Another takes its place before any task does. */
static void lend_make_good(struct scheduler *s, uint32_t borrower)
{
	uint64_t lent = lend_word_of(s, borrower);
	while (s->loans.seats[borrower] < lent_claim(lent)) {
		uint32_t process = lend_find_idle(s);
		if (!process)
			break;
		lend_one(s, borrower, process);
	}
	if (s->loans.seats[borrower] < lent_limit(lent))
		lend_set_limit(s, borrower, lent, s->loans.seats[borrower]);
}

uint32_t lend_short(struct scheduler *s)
{
	if (!s->t->control->jobserver)
		return 0;
	lend_count(s);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->loans.seats[p] < lent_claim(lend_word_of(s, p)))
			return p;
	return 0;
}

/* ---- too many are ---- */

enum use { KEEPS_STILL, ON_ITS_WAY, BUSY }; /* BUSY: runs a task older than the loan */

static enum use lend_use_of(const struct scheduler *s, uint32_t process)
{
	if (seats_keeps_still(s, process))
		return KEEPS_STILL;
	return sh_load(&s->t->process[process].running) ? BUSY : ON_ITS_WAY;
}

static bool lend_is_lent_to(const struct scheduler *s, uint32_t process, uint32_t borrower)
{
	return lent_to(s->worker_process[process].booked) == borrower &&
	    !s->worker_process[process].leaving;
}

/* The process of least use to the borrower. */
static uint32_t lend_find_lent(const struct scheduler *s, uint32_t borrower)
{
	uint32_t best = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (lend_is_lent_to(s, p, borrower) &&
		    (!best || lend_use_of(s, p) > lend_use_of(s, best)))
			best = p;
	return best;
}

static bool lend_take_back(struct scheduler *s, uint32_t borrower, uint32_t keep)
{
	bool any = false;
	while (s->loans.seats[borrower] > keep) {
		uint32_t process = lend_find_lent(s, borrower);
		s->loans.still[borrower] -= seats_keeps_still(s, process);
		s->loans.seats[borrower]--;
		seats_free(s, process);
		any = true;
	}
	return any;
}

static bool lend_drop_busy(struct scheduler *s, uint32_t borrower)
{
	uint32_t claim = lent_claim(lend_word_of(s, borrower)), useful = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		useful += lend_is_lent_to(s, p, borrower) && lend_use_of(s, p) != BUSY;
	return lend_take_back(s, borrower, useful > claim ? useful : claim);
}

/* Another borrower wants a process and has fewer. */
static bool lend_another_is_first(const struct scheduler *s, uint32_t borrower)
{
	uint32_t has = lent_claim(lend_word_of(s, borrower));
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (p != borrower && !s->worker_process[p].leaving &&
		    lent_wants(lend_word_of(s, p)) && lent_claim(lend_word_of(s, p)) < has)
			return true;
	return false;
}

/* The borrower may have every still process kept for the loan; without a right to more, the
 * borrower gives them back. */
static bool lend_settle(struct scheduler *s, uint32_t borrower, bool wait)
{
	if (s->loans.seats[borrower] < lent_claim(lend_word_of(s, borrower)))
		lend_make_good(s, borrower);
	if (wait)
		lend_set_limit(s, borrower, lend_word_of(s, borrower), 0);
	uint64_t lent = lend_word_of(s, borrower);
	uint32_t claim = lent_claim(lent), still = s->loans.still[borrower];
	bool may_have = lent_wants(lent) && !wait && !s->worker_process[borrower].leaving;
	if (s->loans.seats[borrower] <= claim)
		return false;
	if (!may_have || lend_another_is_first(s, borrower))
		return lend_take_back(s, borrower, claim);
	if (still > lent_limit(lent))
		lend_set_limit(s, borrower, lent, still);
	return lend_drop_busy(s, borrower);
}

/* ---- more are lent ---- */

/* Among wanting borrowers not yet given twice as many as before: the borrower with the fewest. */
static uint32_t lend_first_to_get(const struct scheduler *s)
{
	uint32_t best = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint64_t lent = lend_word_of(s, p);
		uint32_t claim = lent_claim(lent), most = claim ? 2 * claim : 1;
		if (!lent_wants(lent) || s->worker_process[p].leaving || s->loans.seats[p] >= most)
			continue;
		if (!best || s->loans.seats[p] < s->loans.seats[best])
			best = p;
	}
	return best;
}

/* The borrower may be about to use the process. */
static bool lend_is_fresh(struct scheduler *s, uint32_t process)
{
	uint64_t until_ns = s->loans.given_ns[process] + USE_NS;
	if (clock_ns() >= until_ns)
		return false;
	if (until_ns < s->loans.next_ns)
		s->loans.next_ns = until_ns;
	return true;
}

/* A borrower with enough gives back all unused processes. Otherwise a borrower with two more gives
 * up a process. */
static void lend_ask_back(struct scheduler *s, uint32_t hungry)
{
	uint32_t has = s->loans.seats[hungry];
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint64_t lent = lend_word_of(s, p);
		uint32_t out = lent_out(lent);
		if (p == hungry || !lent_limit(lent))
			continue;
		if (!lent_wants(lent) && !lend_is_fresh(s, p))
			lend_set_limit(s, p, lent, 0);
		else if (lent_wants(lent) && out >= has + 2 && lent_limit(lent) >= out)
			lend_set_limit(s, p, lent, out - 1);
	}
}

static void lend_idle(struct scheduler *s)
{
	uint32_t borrower, process;
	while ((borrower = lend_first_to_get(s)) != 0) {
		process = lend_find_idle(s);
		if (!process) {
			lend_ask_back(s, borrower);
			return;
		}
		lend_one(s, borrower, process);
	}
}

/* Runs before the look for idle processes: a process idle after the look sees the word and rings.
 */
static void lend_see_who_wants(struct scheduler *s)
{
	uint32_t any = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		any |= lent_wants(lend_word_of(s, p));
	if (sh_peek(&s->t->control->cpus_wanted) == any)
		return;
	sh_store(&s->t->control->cpus_wanted, any);
	sh_fence();
}

bool lend_look(struct scheduler *s)
{
	uint64_t changes = sh_load(&s->t->control->lent_changes);
	if (!s->loans.any && changes == s->loans.seen)
		return false; /* the usual case: nobody borrows */
	s->loans.seen = changes;
	s->loans.next_ns = DEADLINE_NEVER;
	lend_count(s);
	bool wait = lend_tasks_wait(s), came_back = false;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		came_back |= lend_settle(s, p, wait);
	lend_see_who_wants(s);
	if (!wait)
		lend_idle(s);
	return came_back;
}
