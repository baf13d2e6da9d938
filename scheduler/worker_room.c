/* worker_room.c - which workers have room, in the order of the policy in force.
 *
 * A worker has a worker process for each cpu. The ring of a process may hold a millisecond of
 * work at the recent pace (process_depth): hundreds of tiny tasks, one long task. Policies count
 * with the free share of this depth.
 *
 * A wake takes some 20 us: a sleeping process counts as a process with so much work in front. While
 * a worker for each core is awake and has short tasks that compute (brisk), a thrifty policy wakes
 * no other worker to take processor time from them: 256 workers serve short tasks as fast as two.
 * If the tasks turn out long, the number of awake workers allowed (the crew) doubles at each look,
 * a millisecond. Tasks that sleep leave the core to others, so their workers are not brisk. */
#include "base/clock.h"
#include "scheduler/workers.h"
#include "tables/cores.h"
#include "tables/spin.h"

enum {
	STUCK_LOOK_NS = 1000000,
	BUSY_LOOK_NS = 100000000,
	WAKE_NS = 20000,
	BRISK_NS = STUCK_LOOK_NS / 4, /* so a look at a brisk worker finds a hint taken */
	STUCK_SHIFT = 8,
	WORKERS_LOOKED_AT = 16,
	WEIGHT_OF_GENERATION = 2,
};

static bool room_is_idle(const struct worker_process *w)
{
	return w->depth > 0 && w->room == w->depth;
}

static uint32_t room_share_of(const struct worker_process *w)
{
	if (w->room == 0)
		return 0;
	uint32_t share = (uint32_t)((uint64_t)w->room * POLICY_SLOT / w->depth);
	if (w->stuck && !room_is_idle(w))
		share >>= STUCK_SHIFT;
	uint64_t wake = 0;
	if (!w->awake && w->average_ns)
		wake = (uint64_t)WAKE_NS * POLICY_SLOT / ((uint64_t)w->average_ns * w->depth);
	else if (!w->awake)
		wake = 1;
	return share > wake ? (uint32_t)(share - wake) : 1;
}

/* ---- halls: the open workers of a class ---- */

static void room_open_worker(struct hall *hall, struct team *team, uint32_t worker)
{
	if (team->place)
		return;
	hall->open[hall->n++] = worker;
	team->place = hall->n;
}

static void room_close_worker(struct scheduler *s, struct hall *hall, uint32_t worker)
{
	struct team *team = &s->room.team[worker];
	if (!team->place)
		return;
	uint32_t last = hall->open[--hall->n];
	hall->open[team->place - 1] = last;
	s->room.team[last].place = team->place;
	team->place = 0;
}

static uint64_t room_key_of(const struct scheduler *s, uint32_t worker)
{
	return s->room.policy->key ? s->room.policy->key(&s->room.view[worker])
				   : s->room.view[worker].free;
}

/* Workers with GPUs are few, and asked only as a last resort: no heap is needed. */
static void room_reorder(struct scheduler *s, uint32_t worker)
{
	struct team *team = &s->room.team[worker];
	struct hall *hall = &s->room.hall[team->hall];
	if (s->room.view[worker].free == 0)
		room_close_worker(s, hall, worker);
	else
		room_open_worker(hall, team, worker);
	if (team->hall == HALL_CPU && team->place)
		heap_update(&s->t->worker_heap, worker, room_key_of(s, worker));
	else if (team->hall == HALL_CPU)
		heap_remove(&s->t->worker_heap, worker);
}

static void room_set_brisk(struct scheduler *s, uint32_t process, bool brisk)
{
	struct room *room = &s->room;
	uint32_t place = s->worker_process[process].brisk;
	if (brisk == (place != 0))
		return;
	if (brisk) {
		room->brisk[room->brisks++] = process;
		s->worker_process[process].brisk = room->brisks;
		return;
	}
	uint32_t last = room->brisk[--room->brisks];
	room->brisk[place - 1] = last;
	s->worker_process[last].brisk = place;
	s->worker_process[process].brisk = 0;
}

/* Under the worker heap's lock. */
static void room_rekey(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	w->awake = process_awake(s->t, process);
	room_set_brisk(s, process,
	    w->awake && !w->stuck && w->average_ns && w->average_ns <= BRISK_NS &&
		!sh_peek(&s->t->process[process].tasks_sleep));
	uint32_t share = room_share_of(w);
	s->room.view[w->worker].free += share - (uint64_t)w->share;
	w->share = share;
	room_reorder(s, w->worker);
}

static uint32_t room_count(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	uint32_t outstanding = ready_outstanding(s, process);
	s->room.blocked -= w->blocked;
	w->average_ns = sh_peek(&s->t->process[process].average_ns);
	w->depth = waits_nested(s, process) ? 0 : process_depth(&s->t->process[process]);
	w->room = w->depth > outstanding && !w->booked ? w->depth - outstanding : 0;
	s->room.fresh |= w->depth == 0 &&
	    !w->blocked; /* perhaps the process looked before the task was queued */
	w->blocked = w->depth == 0;
	s->room.blocked += w->blocked;
	return outstanding;
}

void room_refresh(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	if (w->generation == 0)
		return;
	uint32_t outstanding = room_count(s, process);
	if (w->leaving)
		return;
	scheduler_lock_heap(&s->t->worker_heap);
	room_rekey(s, process);
	heap_unlock(&s->t->worker_heap);
	if (w->depth == 0 && outstanding > 1)
		ready_note_again(
		    s, process); /* its task sleeps in a wait: other workers may have the rest */
}

/* ---- processes come and go ---- */

void room_join(struct scheduler *s, uint32_t process)
{
	const struct process *p = &s->t->process[process];
	const struct control *c = s->t->control;
	struct worker_process *w = &s->worker_process[process];
	uint32_t worker = p->worker % WORKERS_MAX;
	const struct worker_kind *kind = &c->kind[p->worker_kind % WORKER_KINDS_MAX];
	struct policy_worker *view = &s->room.view[worker];
	view->number = worker;
	view->slots = kind->cpus ? kind->cpus : 1;
	view->weight = WEIGHT_OF_GENERATION * kind->generation;
	view->node = sh_peek(&p->node);
	w->worker = worker;
	w->next = s->room.team[worker].first;
	s->room.team[worker].first = process;
	s->room.spares += p->spare != 0;
	s->room.team[worker].hall = kind->amount[RESOURCE_GPUS] ? HALL_GPU : HALL_CPU;
}

/* From now on the process gets nothing. */
static void room_unseat(struct scheduler *s, uint32_t process)
{
	const struct worker_process *w = &s->worker_process[process];
	uint32_t *link = &s->room.team[w->worker].first;
	room_set_brisk(s, process, false);
	while (*link != process && *link != 0)
		link = &s->worker_process[*link].next;
	*link = w->next;
	scheduler_lock_heap(&s->t->worker_heap);
	s->room.view[w->worker].free -= w->share;
	room_reorder(s, w->worker);
	heap_unlock(&s->t->worker_heap);
}

void room_leave(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	s->loans.any = true; /* the process may have been lent */
	s->room.blocked -= w->blocked;
	s->room.spares -= s->t->process[process].spare != 0;
	w->blocked = false;
	if (!w->leaving)
		room_unseat(s, process);
}

/* The task may still wait for another task, and may have to run it in place: so the process still
 * counts as blocked. */
void room_retire(struct scheduler *s, uint32_t process)
{
	room_unseat(s, process);
	s->worker_process[process].leaving = true;
}

void room_rebuild(struct scheduler *s)
{
	scheduler_lock_heap(&s->t->worker_heap);
	heap_rebuild(&s->t->worker_heap);
	heap_unlock(&s->t->worker_heap);
}

/* ---- choosing ---- */

uint32_t room_choose_among(struct scheduler *s, const uint32_t *workers, uint32_t n)
{
	struct policy_view view = { s->room.view, workers, n };
	uint32_t best = workers[0];
	if (s->room.policy->draw)
		return workers[s->room.policy->draw(&view, &s->room.seed)];
	for (uint32_t i = 1; i < n; i++)
		if (room_key_of(s, workers[i]) > room_key_of(s, best))
			best = workers[i];
	return best;
}

/* Looks at all processes: the last hints may be old, and a worker gives back a failed task when
 * another worker is idle. */
bool room_choose_other(struct scheduler *s, uint32_t worker, uint32_t *ret)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		const struct worker_process *w = &s->worker_process[p];
		if (w->generation == 0 || w->leaving || w->worker == worker)
			continue;
		room_count(s, p);
		room_rekey(s, p);
		if (!room_is_idle(w))
			continue;
		*ret = p;
		return true;
	}
	return false;
}

static uint32_t room_choose_worker(struct scheduler *s, enum hall_name name)
{
	const struct hall *hall = &s->room.hall[name];
	struct heap_entry top;
	if (hall->n == 0)
		return POLICY_NOBODY;
	if (s->room.policy->key && name == HALL_CPU && heap_peek(&s->t->worker_heap, &top) &&
	    top.id < WORKERS_MAX)
		return top.id;
	return room_choose_among(s, hall->open, hall->n);
}

/* The process with most room; among equals the process with the latest task. */
uint32_t room_process_of(const struct scheduler *s, uint32_t worker)
{
	uint32_t best = s->room.team[worker].first;
	for (uint32_t p = best; p; p = s->worker_process[p].next) {
		const struct worker_process *w = &s->worker_process[p],
					    *b = &s->worker_process[best];
		if (w->share > b->share || (w->share == b->share && w->last_turn > b->last_turn))
			best = p;
	}
	return best;
}

/* The brisk process with most room: few are brisk, about as many as there are cores. */
static bool room_choose_brisk(struct scheduler *s, uint32_t *ret)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < s->room.brisks; i++) {
		const struct worker_process *w = &s->worker_process[s->room.brisk[i]];
		if (w->share > most && s->room.team[w->worker].hall == HALL_CPU) {
			most = w->share;
			*ret = s->room.brisk[i];
		}
	}
	return most > 0;
}

/* A worker to wake: the first of the equals, as workers choose when they hand a task over
 * (handover.h). So the same few workers stay warm, and the others sleep. */
static void room_choose_first(const struct scheduler *s, uint32_t *process)
{
	for (uint32_t n = 0; n < WORKERS_LOOKED_AT && n < s->t->limits.processes; n++) {
		uint32_t p = process_nth_slot(s->t, KIND_WORKER, n);
		const struct worker_process *w = &s->worker_process[p];
		if (p == *process)
			return;
		if (w->generation && !w->leaving && !w->awake && !process_awake(s->t, p) &&
		    w->share == s->worker_process[*process].share &&
		    s->room.team[w->worker].hall == HALL_CPU) {
			*process = p;
			return;
		}
	}
}

static bool room_may_wake(const struct scheduler *s)
{
	return !s->room.policy->thrifty || s->room.brisks < s->room.crew;
}

bool room_choose(struct scheduler *s, uint32_t *ret)
{
	for (;;) {
		uint32_t worker = room_choose_worker(s, HALL_CPU);
		if (worker == POLICY_NOBODY) /* tasks without a GPU overflow to workers with GPUs */
			worker = room_choose_worker(s, HALL_GPU);
		if (worker == POLICY_NOBODY)
			return false;
		*ret = room_process_of(s, worker);
		const struct worker_process *w = &s->worker_process[*ret];
		if (w->awake != process_awake(s->t, *ret)) {
			room_rekey(s, *ret); /* parked since, or woken */
			continue;
		}
		if (w->awake)
			return true;
		if (!room_may_wake(s))
			return room_choose_brisk(s, ret);
		if (s->room.policy->thrifty)
			room_choose_first(s, ret);
		return true;
	}
}

void room_take(struct scheduler *s, uint32_t process)
{
	struct worker_process *w = &s->worker_process[process];
	w->room--;
	w->last_turn = s->room.view[w->worker].last_turn = ++s->room.turns;
	process_set_awake(s->t, process, true); /* awake as soon as the hints are sent */
	room_rekey(s, process);
}

/* ---- the policy in force ---- */

void room_follow_policy(struct scheduler *s)
{
	uint32_t number = sh_peek(&s->t->control->policy);
	const struct policy *policy = policy_at(number);
	if (policy == s->room.policy || !policy)
		return;
	s->room.policy = policy;
	scheduler_lock_heap(&s->t->worker_heap);
	for (uint32_t h = 0; h < HALLS; h++)
		for (uint32_t i = 0; i < s->room.hall[h].n; i++)
			room_reorder(s, s->room.hall[h].open[i]);
	heap_unlock(&s->t->worker_heap);
}

/* ---- given to a worker, and not started ---- */

static bool room_serves(const struct worker_process *w)
{
	return w->generation && !w->leaving;
}

static bool room_somebody_is_idle(const struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (room_serves(&s->worker_process[p]) && room_is_idle(&s->worker_process[p]))
			return true;
	return false;
}

/* A process is stuck if it took none of the hints in its ring since the last look: the process
 * sleeps in a wait, or the task is long. Other workers may have the tasks behind. But with more
 * processes awake than cores, the process may also wait for a core, and a further worker would
 * wait, too: so more looks are needed then. */
static bool room_look_at(struct scheduler *s, uint32_t process, bool wanted, uint32_t looks)
{
	struct worker_process *w = &s->worker_process[process];
	struct ring ring = ring_down(s->t, process);
	uint32_t position = ring_position(&ring), outstanding = ready_outstanding(s, process);
	bool queued = outstanding > 1 || (outstanding && sh_peek(&s->t->process[process].blocked));
	bool was_stuck = w->stuck;
	w->unmoved = outstanding && position == w->seen_position ? w->unmoved + 1 : 0;
	w->stuck = w->unmoved >= looks;
	w->seen_position = position;
	if (w->stuck && queued && (wanted || floor_is_ignored(s, process)))
		ready_note_again(s, process);
	if (w->stuck && !was_stuck)
		s->room.newly_stuck++;
	room_refresh(s, process);
	return queued;
}

void room_look_for_stuck(struct scheduler *s)
{
	bool wanted = room_somebody_is_idle(s) && !(s->admission & ADMISSION_PAUSED);
	bool queued = heap_length(&s->t->task_heap) > 0;
	uint32_t looks = spin_awake(s->t) > s->t->control->cores ? ROOM_CROWD_LOOKS : 1;
	s->room.newly_stuck = 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (room_serves(&s->worker_process[p]))
			queued |= room_look_at(s, p, wanted, looks);
	s->room.calm_looks = s->room.newly_stuck ? 0 : s->room.calm_looks + 1;
	if (s->room.calm_looks >= looks)
		s->room.crew = s->t->control->cores;
	else if (s->room.newly_stuck && s->room.crew < s->t->limits.processes)
		s->room.crew *= 2;
	/* If no worker could take the tasks, the next free worker rings, and this function looks
	 * again. But a worker just looking for a task to steal seemed busy when its hint was read,
	 * and sends no second hint: so look again even then, after a longer pause. */
	uint64_t pause_ns = wanted ? STUCK_LOOK_NS : BUSY_LOOK_NS;
	bool useful = queued && !(s->admission & ADMISSION_PAUSED);
	s->room.next_look_ns = useful ? clock_ns() + pause_ns : DEADLINE_NEVER;
}

void room_tell_looks(struct scheduler *s)
{
	uint32_t looks = s->room.next_look_ns != DEADLINE_NEVER;
	if (sh_peek(&s->t->control->looks) != looks)
		sh_poke(&s->t->control->looks, looks, "looks");
}
