/* booking.c - tasks with needs: several cpus, memory, GPUs, named resources.
 *
 * Such a task gets worker processes before the start. A process is booked by one word in its
 * process slot, and then claims no other task. The main process runs the task; the rest keep still,
 * so that their cpus are free for the task. Resources in use are summed over the bookings: no
 * second counter can be wrong.
 *
 * Order: the first waiting task gets processes as they become idle. No other booking begins until
 * the first has enough, so small tasks never starve a large task. Tasks for a single cpu run on in
 * the rest. If a resource is missing, tasks without need of the resource go ahead. A booking with a
 * process lost to a death goes before younger bookings: if each took a part of the free processes,
 * none might ever have enough.
 * Death: the words in the process table are the truth; a new scheduler reads them (booking_adopt).
 * When a still process of a running task dies, the next process born of the same kind replaces it
 * before claiming anything: the task keeps its cpus.
 * The main process is booked last and freed first. So a booking without a main process was half
 * made, or half undone, at the death of a scheduler; the next scheduler ends the booking. */
#include <string.h>

#include "scheduler/placing.h"
#include "tables/lent.h"
#include "spec/spec.h"

static struct process *booking_process(const struct scheduler *s, uint32_t process)
{
	return &s->t->process[process];
}

static uint32_t booking_cpus_of(const struct demand *demand)
{
	return (uint32_t)(demand->amount[RESOURCE_CPUS] / AMOUNT_UNIT);
}

/* ---- processes to book ---- */

static void booking_add_process(struct scheduler *s, struct booking *b, uint32_t process, bool main)
{
	b->seats++;
	if (main)
		b->main = process;
	seats_keep(s, process, b->ref, main ? b->way + 1 : 0, main ? b->gpus : 0);
}

/* A waiting process is kept only if no other process can stand in. */
static bool booking_waits_for_relief(const struct scheduler *s, uint32_t process)
{
	return waits_unserved(s, process) && spares_may_relieve(s, process);
}

static bool booking_is_kept(const struct scheduler *s, uint32_t process)
{
	uint64_t booked = s->worker_process[process].booked;
	return booked && !(booked == BOOKED_FOR_NOBODY && spares_is_due(s, process));
}

static bool booking_is_better(const struct scheduler *s, uint32_t a, uint32_t b, uint32_t worker)
{
	if (waits_unserved(s, a) != waits_unserved(s, b))
		return waits_unserved(s, b);
	bool a_idle = ready_outstanding(s, a) == 0, b_idle = ready_outstanding(s, b) == 0;
	if (a_idle != b_idle)
		return a_idle;
	return (s->worker_process[a].worker == worker) > (s->worker_process[b].worker == worker);
}

/* A process of the worker, or of any worker of this kind; 0 none. */
static uint32_t booking_find_process(
    const struct scheduler *s, uint32_t worker, uint32_t kind, bool own)
{
	uint32_t best = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		const struct worker_process *w = &s->worker_process[p];
		if (w->generation == 0 || w->leaving || booking_is_kept(s, p) ||
		    booking_process(s, p)->worker_kind != kind || (own && w->worker != worker) ||
		    booking_waits_for_relief(s, p))
			continue;
		if (!best || booking_is_better(s, p, best, worker))
			best = p;
	}
	return best;
}

/* ---- a booking begins ---- */

struct fitting { /* workers able to run a task */
	uint32_t worker[WORKERS_MAX];
	uint32_t n;
	uint32_t lacking; /* bit r: some worker lacked resource r alone */
};

/* Do not wait behind a running task while processes of this worker are lent: lend.c asks for them.
 */
static bool booking_fits(const struct scheduler *s, uint32_t worker, uint32_t kind)
{
	uint32_t process = booking_find_process(s, worker, kind, true);
	return process && !(ready_outstanding(s, process) && lend_has_of(s, worker));
}

/* All present processes, with room or without. A spare adds none, since it stands in for another.
 */
static void booking_count_processes(const struct scheduler *s, uint32_t ret[WORKER_KINDS_MAX])
{
	memset(ret, 0, WORKER_KINDS_MAX * sizeof ret[0]);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && !s->worker_process[p].leaving &&
		    !booking_process(s, p)->spare)
			ret[booking_process(s, p)->worker_kind % WORKER_KINDS_MAX]++;
}

static void booking_find_fitting(
    struct scheduler *s, const struct demand *demand, struct fitting *ret)
{
	const struct control *c = s->t->control;
	uint32_t seats[WORKER_KINDS_MAX];
	booking_count_processes(s, seats);
	ret->n = 0;
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		uint32_t first = s->room.team[w].first;
		if (!first)
			continue;
		uint32_t kind = booking_process(s, first)->worker_kind % WORKER_KINDS_MAX;
		if (booking_cpus_of(demand) > seats[kind])
			continue; /* too few workers just now */
		uint32_t lacking = amounts_lacking(s, w, &c->kind[kind], demand);
		if (lacking < RESOURCES_MAX)
			ret->lacking |= 1u << lacking;
		else if (!booking_fits(s, w, kind))
			ret->lacking |= 1u << RESOURCE_CPUS;
		else
			ret->worker[ret->n++] = w;
	}
}

/* For a task without GPUs prefer workers without GPUs: GPUs stay free for tasks with GPU needs. */
static void booking_keep_gpus_free(
    struct scheduler *s, const struct demand *demand, struct fitting *f)
{
	uint32_t plain = 0;
	for (uint32_t i = 0; i < f->n && !demand->amount[RESOURCE_GPUS]; i++)
		if (s->room.team[f->worker[i]].hall == HALL_CPU)
			f->worker[plain++] = f->worker[i];
	f->n = plain ? plain : f->n;
}

/* Prefer any worker over the worker of the failed attempt. */
static void booking_avoid_failed(
    struct scheduler *s, const struct heap_entry *task, struct fitting *f)
{
	uint32_t failed = record_failed_by(s->t, sh_load(&record_at(s->t, task->id)->state));
	for (uint32_t i = 0; i < f->n && f->n > 1; i++)
		if (f->worker[i] == failed)
			f->worker[i] = f->worker[--f->n];
}

/* The worker's position among all able workers: equal for all replicas of a task. */
static uint32_t booking_place_among_able(
    const struct scheduler *s, uint32_t worker, const struct terms *terms)
{
	const struct control *c = s->t->control;
	uint32_t able = 0, first = 0;
	uint32_t kinds = tables_kinds(s->t);
	for (uint32_t k = 0; k < kinds && first <= worker; first += c->kind[k++].count) {
		uint32_t count = c->kind[k].count, before = worker - first;
		if (kind_fits(&c->kind[k], terms, c->memory))
			able += before < count ? before : count;
	}
	return able;
}

/* Replicas run on different workers: each replica has every n-th able worker to itself. */
static void booking_keep_apart(
    const struct scheduler *s, const struct terms *terms, struct fitting *f)
{
	uint32_t n = 0;
	if (terms->rank == 0 || terms->replicas == 0)
		return;
	for (uint32_t i = 0; i < f->n; i++)
		if (booking_place_among_able(s, f->worker[i], terms) % terms->replicas ==
		    terms->rank - 1)
			f->worker[n++] = f->worker[i];
	f->n = n;
}

/* False: the worker has no process to book any more, since a task has just begun to wait. */
static bool booking_begin(struct scheduler *s, const struct heap_entry *task,
    const struct terms *terms, uint32_t way, const struct fitting *fitting)
{
	const struct demand *demand = &terms->alternative[way];
	uint32_t worker = room_choose_among(s, fitting->worker, fitting->n);
	uint32_t kind =
	    booking_process(s, s->room.team[worker].first)->worker_kind % WORKER_KINDS_MAX;
	uint32_t main = booking_find_process(s, worker, kind, true);
	if (!main)
		return false;
	struct booking *b = &s->bookings.booking[s->bookings.n++];
	*b = (struct booking){ .ref = record_ref(task->id, task->tag),
		.worker = worker,
		.kind = kind,
		.way = way,
		.demand = demand,
		.attempt = word_attempt(sh_load(&record_at(s->t, task->id)->state)) };
	uint64_t gpus = s->t->control->kind[kind].amount[RESOURCE_GPUS] / AMOUNT_UNIT;
	amounts_gpus(s, worker, gpus, demand->amount[RESOURCE_GPUS], &b->gpus);
	b->reserved_main = main;
	s->worker_process[main].booked = b->ref; /* the word of the main process is written last */
	return true;
}

/* False: *lacking tells the missing resource; none, if a replica waits for a worker. */
static bool booking_try_to_begin(struct scheduler *s, const struct heap_entry *task,
    const struct terms *terms, uint32_t *lacking)
{
	struct fitting fitting = { 0 };
	bool apart = false;
	for (uint32_t way = 0; way < terms->alternatives && way < ALTERNATIVES_MAX; way++) {
		booking_find_fitting(s, &terms->alternative[way], &fitting);
		apart |= fitting.n > 0;
		booking_keep_apart(s, terms, &fitting);
		booking_keep_gpus_free(s, &terms->alternative[way], &fitting);
		if (fitting.n == 0)
			continue;
		booking_avoid_failed(s, task, &fitting);
		if (booking_begin(s, task, terms, way, &fitting))
			return true;
		fitting.lacking |= 1u << RESOURCE_CPUS;
	}
	if (!apart)
		*lacking |= fitting.lacking;
	return false;
}

/* ---- a booking goes on ---- */

static bool booking_all_keep_still(const struct scheduler *s, const struct booking *b)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && s->worker_process[p].booked == b->ref &&
		    p != b->reserved_main && !seats_keeps_still(s, p))
			return false;
	return true;
}

static void booking_give(struct scheduler *s, struct booking *b)
{
	uint64_t hint = hint_make(HINT_LOOK, b->ref);
	struct ring ring = ring_down(s->t, b->main);
	struct eventlog_batch events;
	events.n = 0;
	if (eventlog_on(s->t))
		task_log_placed(s, &hint, 1, b->main, &events);
	eventlog_batch_write(s->t, &events, s->log_ns);
	if (ring_push(&ring, &hint, 1) == 1)
		b->given = true;
	process_post_all(
	    s->t, b->main); /* a task waiting in this process may wait for the booked task */
}

/* The worker gave the hint back, since the queue was paused. */
static bool booking_came_back(const struct scheduler *s, const struct booking *b)
{
	return ready_outstanding(s, b->main) == 0 && seats_is_ready(s, b->ref);
}

/* The task of the main process has begun to wait: another process of the worker takes over, and the
 * booking stays. If the old process claims the booked task at this moment, to run it in place, the
 * new process is kept in vain until the booked task settles. */
static void booking_move_main(struct scheduler *s, struct booking *b)
{
	uint32_t old = b->main ? b->main : b->reserved_main;
	uint32_t other = booking_find_process(s, b->worker, b->kind, true);
	if (!waits_unserved(s, old) || !other || waits_unserved(s, other))
		return;
	b->reserved_main = other;
	s->worker_process[other].booked = b->ref;
	if (b->main == 0) {
		s->worker_process[old].booked = sh_load(&booking_process(s, old)->booked);
		return;
	}
	booking_add_process(s, b, other, true);
	b->seats--;
	seats_free(s, old);
	booking_give(s, b);
}

static void booking_move_still(struct scheduler *s, struct booking *b)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t) && b->main == 0; p++) {
		if (!s->worker_process[p].generation || s->worker_process[p].booked != b->ref ||
		    p == b->reserved_main || !waits_unserved(s, p))
			continue;
		uint32_t other = booking_find_process(s, b->worker, b->kind, false);
		if (!other || waits_unserved(s, other))
			return;
		seats_free(s, p);
		b->seats--;
		booking_add_process(s, b, other, false);
	}
}

/* Books more processes as they become idle; then the main process, and sends the hint. */
static void booking_proceed(struct scheduler *s, struct booking *b)
{
	uint32_t cpus = booking_cpus_of(b->demand), process;
	if (s->room.blocked && seats_is_ready(s, b->ref)) {
		booking_move_main(s, b);
		booking_move_still(s, b);
	}
	if (b->main) {
		if (!b->given || booking_came_back(s, b))
			booking_give(s, b);
		return;
	}
	while (b->seats + 1 < cpus &&
	    (process = booking_find_process(s, b->worker, b->kind, false)) != 0)
		booking_add_process(s, b, process, false);
	if (b->seats + 1 < cpus || !booking_all_keep_still(s, b))
		return;
	booking_add_process(s, b, b->reserved_main, true);
	booking_give(s, b);
}

static bool booking_incomplete(const struct booking *b)
{
	return b->main == 0 && b->seats + 1 < booking_cpus_of(b->demand);
}

/* Workers have left since the booking began. Its processes must not wait for workers without an
 * arrival in sight. */
static void booking_give_up(struct scheduler *s, struct booking *b)
{
	uint32_t index = ref_index(b->ref);
	seats_end(s, b);
	ready_add(s, index);
}

/* True: a booking still lacks processes, and is the next to get any. */
static bool booking_proceed_with_all(struct scheduler *s)
{
	uint32_t seats[WORKER_KINDS_MAX];
	bool reserve = false;
	booking_count_processes(s, seats);
	for (uint32_t i = 0; i < s->bookings.n;) {
		struct booking *b = &s->bookings.booking[i];
		if (b->main == 0 && booking_cpus_of(b->demand) > seats[b->kind]) {
			booking_give_up(s, b); /* the next booking has moved to index i */
			continue;
		}
		booking_proceed(s, b);
		reserve |= booking_incomplete(b);
		i++;
	}
	return reserve;
}

static bool booking_wants_any(const struct terms *terms, uint32_t resources)
{
	for (uint32_t way = 0; way < terms->alternatives && way < ALTERNATIVES_MAX; way++)
		for (uint32_t i = 0; i < RESOURCES_MAX; i++)
			if (resources >> i & 1 && terms->alternative[way].amount[i])
				return true;
	return false;
}

/* The first task in order with no lacking resource, unless passed over. */
static uint32_t booking_best_shelf(
    struct scheduler *s, uint32_t lacking, const bool *passed, struct heap_entry *ret)
{
	struct heap_entry task;
	uint32_t best = 0;
	for (uint32_t number = 1; number <= s->shelves.n; number++) {
		const struct terms *terms = terms_at(s->t->terms, number);
		if (!terms || passed[number % TERMS_MAX] || booking_wants_any(terms, lacking) ||
		    !shelf_peek(s, number, &task) || (best && task.key < ret->key))
			continue;
		best = number;
		*ret = task;
	}
	return best;
}

/* The next task to begin, and the number of the terms; 0 none. */
static uint32_t booking_next_task(
    struct scheduler *s, uint32_t lacking, const bool *passed, struct heap_entry *ret)
{
	if (ageing_peek_shelved(s, ret)) {
		uint32_t number = sh_once(record_at(s->t, ret->id)->terms);
		const struct terms *terms = terms_at(s->t->terms, number);
		if (terms && !passed[number % TERMS_MAX] && !booking_wants_any(terms, lacking))
			return number;
	}
	return booking_best_shelf(s, lacking, passed, ret);
}

/* A due task may stand behind others on the shelf: it stays, and is found booked later. */
static void booking_leave_shelf(struct scheduler *s, uint32_t number, const struct heap_entry *task)
{
	struct heap_entry top;
	ageing_began(s, task);
	if (shelf_peek(s, number, &top) && top.id == task->id)
		shelf_drop(s, number);
}

/* ---- after a scheduler's death ---- */

static void booking_adopt_main(
    struct scheduler *s, uint32_t process, uint64_t ref, uint64_t word, const struct demand *demand)
{
	const struct process *p = booking_process(s, process);
	s->bookings.booking[s->bookings.n++] = (struct booking){ .ref = ref,
		.main = process,
		.reserved_main = process,
		.seats = booking_cpus_of(demand),
		.demand = demand,
		.worker = s->worker_process[process].worker,
		.kind = p->worker_kind % WORKER_KINDS_MAX,
		.way = sh_peek(&p->booked_way) - 1,
		.gpus = sh_peek(&p->booked_gpus),
		.attempt = word_attempt(word),
		.given = word_state(word) == RECORD_RUNNING };
}

/* Which processes keep still for nobody is known after all have been met (booking_free_unclaimed).
 */
void booking_adopt(struct scheduler *s, uint32_t process)
{
	uint64_t ref = sh_load(&booking_process(s, process)->booked), word = 0;
	uint32_t way = sh_peek(&booking_process(s, process)->booked_way);
	const struct record *r = ref ? record_lookup(s->t, ref, &word) : NULL;
	const struct terms *terms = r ? terms_at(s->t->terms, r->terms) : NULL;
	s->worker_process[process].booked = ref;
	if (terms && way > 0 && way <= terms->alternatives && way <= ALTERNATIVES_MAX &&
	    !state_settled(word_state(word)) && !seats_find(s, ref))
		booking_adopt_main(s, process, ref, word, &terms->alternative[way - 1]);
}

static uint32_t booking_processes_of(const struct scheduler *s, const struct booking *b)
{
	uint32_t n = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		n += s->worker_process[p].generation && s->worker_process[p].booked == b->ref;
	return n;
}

/* A running task of this kind with fewer processes than cpus; NULL: none. */
static struct booking *booking_short(struct scheduler *s, uint32_t kind)
{
	for (uint32_t i = 0; i < s->bookings.n; i++) {
		struct booking *b = &s->bookings.booking[i];
		if (b->main && b->kind == kind &&
		    booking_processes_of(s, b) < booking_cpus_of(b->demand))
			return b;
	}
	return NULL;
}

void booking_welcome(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		if (!s->worker_process[p].generation ||
		    s->worker_process[p].booked != BOOKED_AT_BIRTH)
			continue;
		struct booking *b = booking_process(s, p)->spare
		    ? NULL
		    : booking_short(s, booking_process(s, p)->worker_kind % WORKER_KINDS_MAX);
		uint32_t borrower = b || booking_process(s, p)->spare ? 0 : lend_short(s);
		if (b)
			booking_add_process(s, b, p, false);
		else if (borrower)
			lend_one(s, borrower, p);
		else
			seats_free(s, p);
	}
}

static void booking_free_unclaimed(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation && s->worker_process[p].booked &&
		    s->worker_process[p].booked != BOOKED_FOR_NOBODY &&
		    !lent_to(s->worker_process[p].booked) &&
		    !seats_find(s, s->worker_process[p].booked))
			seats_free(s, p);
	s->bookings.adopted = true;
}

uint32_t booking_place(struct scheduler *s)
{
	struct heap_entry task = { 0 };
	uint32_t lacking = 0, begun = 0, number;
	bool reserve, passed[TERMS_MAX] = { false }; /* no workers for these terms just now */
	if (!s->bookings.adopted)
		booking_free_unclaimed(s);
	const struct terms *terms; /* found by booking_next_task(); a stray write may have damaged
				      the entry since */
	while (!(reserve = booking_proceed_with_all(s)) &&
	    (number = booking_next_task(s, lacking, passed, &task)) != 0 &&
	    (terms = terms_at(s->t->terms, number)) != NULL) {
		if (seats_find(s, record_ref(task.id, task.tag))) {
			booking_leave_shelf(s, number, &task); /* a doubled hint: booked already */
		} else if (booking_try_to_begin(s, &task, terms, &lacking)) {
			booking_leave_shelf(s, number, &task);
			begun++;
		} else if (!booking_wants_any(terms, lacking)) {
			passed[number % TERMS_MAX] = true;
		}
	}
	s->bookings.short_of_processes |= reserve || lacking >> RESOURCE_CPUS & 1;
	return begun;
}
