/* spares.c - spare processes for workers whose tasks wait.
 *
 * A waiting task runs the awaited task in its own place. If the awaited task runs elsewhere, or
 * comes from outside, the process of the waiting task does nothing. If tasks are queued meanwhile
 * and no process is idle, a bit asks the manager for another process of the same worker to stand in
 * (control->relief).
 *
 * Each round counts the processes of a worker at work: as many processes without a wait as the
 * worker has cpus. Further spares rest: their word `booked` keeps them for nobody, so a single
 * clause is enough in every function for giving or taking tasks. A rest costs no fork, and a spare
 * returns from rest at once. When the relieved process has not waited for a second, its spare
 * leaves.
 *
 * If all processes wait, no more spares are allowed, and for a second no task makes progress though
 * tasks are queued, the youngest wait is refused: its task may go on and end, and frees a process.
 * Death: the bits are in the segment; everything else is seen again in the process table. */
#include <sys/eventfd.h>

#include "base/log.h"
#include "scheduler/placing.h"

enum {
	LOOK_NS = 5000000,       /* longer than waits with tasks run in place: no spare for them */
	CALM_LOOK_NS = 50000000, /* nothing is queued */
	ROOM_NS = 100000000,     /* no wait for so long: its spare may go to another */
	LINGER_NS = 1000000000,
	STUCK_NS = 1000000000,
};

static struct process *spares_process_at(const struct scheduler *s, uint32_t process)
{
	return &s->t->process[process];
}

/* True: the wait was longer than LOOK_NS when this round began. So the scheduler has read every
 * hint sent before the wait. */
static bool spares_is_away(const struct scheduler *s, uint32_t process)
{
	uint32_t sleeper = waits_sleeper(s, process);
	uint64_t since_ns = sleeper ? sh_load(&spares_process_at(s, sleeper)->waiting_ns) : 0;
	return since_ns && s->relief.round_ns >= since_ns + LOOK_NS && !waits_is_served(s, sleeper);
}

static bool spares_serves(const struct scheduler *s, uint32_t process)
{
	return s->worker_process[process].generation && !s->worker_process[process].leaving;
}

static bool spares_rests(const struct scheduler *s, uint32_t process)
{
	return s->worker_process[process].booked == BOOKED_FOR_NOBODY;
}

bool spares_may_relieve(const struct scheduler *s, uint32_t process)
{
	return tables_relieved(s->t, process) || s->relief.bits < s->t->control->spares;
}

/* ---- which spares rest ---- */

static uint32_t spares_count_at_work(const struct scheduler *s, uint32_t worker)
{
	uint32_t n = 0;
	for (uint32_t p = s->room.team[worker].first; p; p = s->worker_process[p].next)
		n += !spares_rests(s, p) && !spares_is_away(s, p);
	return n;
}

bool spares_is_due(const struct scheduler *s, uint32_t process)
{
	uint32_t worker = s->worker_process[process].worker;
	return spares_rests(s, process) && spares_serves(s, process) &&
	    spares_count_at_work(s, worker) < s->room.view[worker].slots;
}

/* A spare with a running task ends the task first: the word is read between two tasks. */
static void spares_set_rest(struct scheduler *s, uint32_t process, bool rest)
{
	uint64_t booked = rest ? BOOKED_FOR_NOBODY : 0;
	sh_store(&spares_process_at(s, process)->booked, booked);
	s->worker_process[process].booked = booked;
	room_refresh(s, process);
	if (rest)
		ready_note_again(s, process);
	process_post(s->t, process);
}

/* A booked spare rests after its task. */
static void spares_stop_surplus(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		const struct worker_process *w = &s->worker_process[p];
		if (spares_serves(s, p) && spares_process_at(s, p)->spare && !w->booked &&
		    !spares_is_away(s, p) &&
		    spares_count_at_work(s, w->worker) > s->room.view[w->worker].slots)
			spares_set_rest(s, p, true);
	}
}

void spares_start(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (spares_is_due(s, p))
			spares_set_rest(s, p, false);
}

/* A task with needs never runs in place. If a process waits for such a task, the task must not
 * stand behind other tasks with waits of the same kind. */
static void spares_fetch_awaited(struct scheduler *s, uint32_t sleeper)
{
	uint64_t word;
	for (uint32_t i = 0; i < WAITERS; i++) {
		const struct record *r = waits_awaited(s, sleeper, i, &word);
		uint32_t terms = r ? record_needs(s->t, r) : 0;
		if (!terms || word_state(word) != RECORD_READY || word_flags(word) & FLAG_PARKED)
			continue;
		struct heap_entry task = {
			.id = record_index(s->t, r), .tag = word_generation(word), .key = r->key
		};
		if (heap_remove(&s->t->task_heap, task.id))
			shelf_put(s, terms, task);
	}
}

static void spares_fetch_all_awaited(struct scheduler *s)
{
	scheduler_lock_heap(&s->t->task_heap);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint32_t sleeper = s->worker_process[p].generation ? waits_sleeper(s, p) : 0;
		if (sleeper)
			spares_fetch_awaited(s, sleeper);
	}
	heap_unlock(&s->t->task_heap);
}

/* ---- spares given and taken ---- */

static void spares_set_relief(struct scheduler *s, uint32_t process, bool wanted)
{
	uint64_t bit = (uint64_t)1 << process % 64;
	if (wanted == tables_relieved(s->t, process))
		return;
	if (wanted)
		sh_or(&s->t->control->relief[process / 64], bit);
	else
		sh_and(&s->t->control->relief[process / 64], ~bit);
	s->relief.bits += wanted ? 1 : UINT32_MAX;
	scheduler_ring_manager(s);
}

void spares_forget(struct scheduler *s, uint32_t process)
{
	spares_set_relief(s, process, false);
}

void spares_rebuild(struct scheduler *s)
{
	s->relief.next_ns = 0;
	for (uint32_t p = 0; p < tables_slots(s->t); p++)
		s->relief.bits += tables_relieved(s->t, p);
}

struct scene { /* the result of a look */
	uint64_t now_ns;
	uint32_t queued; /* startable tasks if processes were free, as far as known */
	uint32_t waiting, at_work, idle, spares; /* of serving processes */
	uint32_t all_spares;                     /* with coming and leaving spares */
	uint32_t joining;                        /* workers being born */
	uint32_t free;                           /* free process slots */
	uint64_t sign;                           /* changes when a wait begins or ends */
	uint32_t youngest; /* process of the latest wait, a worker or a client */
};

static void spares_see_worker(struct scheduler *s, uint32_t process, struct scene *scene)
{
	const struct process *p = spares_process_at(s, process);
	uint32_t sleeper = waits_sleeper(s, process);
	uint64_t waiting_ns = sleeper ? sh_load(&spares_process_at(s, sleeper)->waiting_ns) : 0;
	uint32_t outstanding = ready_outstanding(s, process);
	scene->spares += p->spare != 0;
	if (waiting_ns) {
		scene->waiting++;
		scene->sign += waiting_ns;
		if (!scene->youngest ||
		    waiting_ns > sh_peek(&spares_process_at(s, scene->youngest)->waiting_ns))
			scene->youngest = sleeper;
	}
	if (!spares_rests(s, process) && !waits_unserved(s, process)) {
		scene->at_work++;
		scene->idle += outstanding == 0 && s->worker_process[process].booked == 0;
		scene->queued += outstanding > 1 ? outstanding - 1 : 0;
	}
}

static void spares_see(struct scheduler *s, struct scene *ret)
{
	*ret = (struct scene){ .now_ns = clock_ns() };
	if (!(s->admission & ADMISSION_PAUSED))
		ret->queued =
		    heap_length(&s->t->task_heap) + s->ready.n + !shelf_empty(s) + seats_pending(s);
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		uint64_t word = sh_load(&spares_process_at(s, p)->state);
		ret->free += process_state(word) == PROCESS_FREE;
		ret->joining +=
		    process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_STARTING;
		ret->all_spares += process_kind(word) == KIND_WORKER && process_present(word) &&
		    spares_process_at(s, p)->spare;
		if (spares_serves(s, p))
			spares_see_worker(s, p, ret);
	}
}

static bool spares_team_is_idle(const struct scheduler *s, uint32_t worker)
{
	for (uint32_t p = s->room.team[worker].first; p; p = s->worker_process[p].next)
		if (!s->worker_process[p].booked && !waits_unserved(s, p) &&
		    !ready_outstanding(s, p))
			return true;
	return false;
}

/* Takes the spare from a process without a wait. */
static void spares_make_room(struct scheduler *s)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (tables_relieved(s->t, p) && !waits_unserved(s, p) &&
		    clock_ns() - s->worker_process[p].waited_ns >= ROOM_NS) {
			spares_set_relief(s, p, false);
			return;
		}
}

/* An idle process may belong to a worker unable to run the queued tasks; then these stand on a
 * shelf. */
static bool spares_is_to_be_relieved(
    struct scheduler *s, uint32_t process, const struct scene *scene)
{
	if (!spares_serves(s, process) || tables_relieved(s->t, process) ||
	    !spares_is_away(s, process))
		return false;
	return scene->idle == 0 ||
	    ((!shelf_empty(s) || seats_pending(s)) &&
		!spares_team_is_idle(s, s->worker_process[process].worker));
}

/* Asks for as many spares as tasks are queued, less the spares being born. */
static void spares_ask(struct scheduler *s, const struct scene *scene)
{
	uint32_t coming = s->relief.bits > scene->spares ? s->relief.bits - scene->spares : 0;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t) && coming < scene->queued;
	     p++) {
		if (!spares_is_to_be_relieved(s, p, scene))
			continue;
		if (s->relief.bits >= s->t->control->spares)
			spares_make_room(s);
		if (s->relief.bits >= s->t->control->spares)
			return;
		s->worker_process[p].waited_ns = scene->now_ns;
		spares_set_relief(s, p, true);
		coming++;
	}
}

static void spares_dismiss(struct scheduler *s, const struct scene *scene)
{
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++) {
		struct worker_process *w = &s->worker_process[p];
		if (!tables_relieved(s->t, p))
			continue;
		if (waits_unserved(s, p) || w->waited_ns == 0)
			w->waited_ns = scene->now_ns;
		if (!spares_serves(s, p) || scene->now_ns - w->waited_ns >= LINGER_NS)
			spares_set_relief(s, p, false);
	}
}

/* ---- no task makes progress ---- */

/* The process waits for a task in its pause before a retry, or for a parked task: the task will
 * start without help. */
static bool spares_awaits_a_pause(const struct scheduler *s, uint32_t process)
{
	uint64_t word;
	uint32_t sleeper = waits_sleeper(s, process);
	for (uint32_t i = 0; i < WAITERS && sleeper; i++) {
		const struct record *r = waits_awaited(s, sleeper, i, &word);
		if (r && word_state(word) == RECORD_READY &&
		    (word_flags(word) & FLAG_PARKED || due_is_resting(s->t, r, word)))
			return true;
	}
	return false;
}

static bool spares_nobody_goes_on(const struct scheduler *s, const struct scene *scene)
{
	if (!scene->queued || !scene->waiting || scene->at_work || scene->joining)
		return false;
	for (uint32_t p = SLOT_FIRST_SHARED; p < tables_slots(s->t); p++)
		if (s->worker_process[p].generation &&
		    ((s->worker_process[p].leaving && !waits_unserved(s, p)) ||
			spares_awaits_a_pause(s, p)))
			return false;
	return scene->all_spares >= s->t->control->spares || scene->free == 0;
}

static void spares_refuse_youngest(struct scheduler *s, struct scene *scene)
{
	struct relief *r = &s->relief;
	if (!spares_nobody_goes_on(s, scene)) {
		r->stuck_ns = 0;
		return;
	}
	if (r->stuck_ns == 0 || r->sign != scene->sign) {
		r->stuck_ns = scene->now_ns;
		r->sign = scene->sign;
	}
	if (scene->now_ns - r->stuck_ns < STUCK_NS)
		return;
	struct process *p = spares_process_at(s, scene->youngest);
	log_warn_about(
	    ABOUT(ABOUT_WORKER(p->worker), ABOUT_PROCESS_SLOT(scene->youngest), ABOUT_PID(p->pid)),
	    "%u workers wait inside tasks and no worker goes on: the wait of worker %u (process "
	    "slot %u, pid %d) is refused",
	    scene->waiting, p->worker, scene->youngest, p->pid);
	sh_store(&p->refused, sh_load(&p->waiting_ns));
	process_post_all(s->t, scene->youngest);
	r->stuck_ns = scene->now_ns;
}

/* ---- the look ---- */

/* Until tasks have been queued for a while, a process may still take them. */
static bool spares_queued_for_long(struct relief *r, const struct scene *scene)
{
	if (!scene->queued)
		r->queued_ns = 0;
	else if (!r->queued_ns)
		r->queued_ns = scene->now_ns;
	return r->queued_ns && scene->now_ns - r->queued_ns >= LOOK_NS;
}

static void spares_look_now(struct scheduler *s)
{
	struct scene scene;
	struct relief *r = &s->relief;
	nested_look_again(s);
	if (heap_length(&s->t->task_heap))
		spares_fetch_all_awaited(s);
	spares_see(s, &scene);
	if (spares_queued_for_long(r, &scene))
		spares_ask(s, &scene);
	spares_dismiss(s, &scene);
	spares_refuse_youngest(s, &scene);
	r->seen = s->room.turns + s->room.blocked;
	bool wanted = r->bits || scene.spares || (scene.waiting && scene.queued);
	r->next_ns =
	    !wanted ? DEADLINE_NEVER : scene.now_ns + (scene.queued ? LOOK_NS : CALM_LOOK_NS);
}

/* Tasks wait, and more are queued than at the last look. */
static bool spares_worth_a_look(const struct scheduler *s)
{
	return s->room.blocked &&
	    (s->room.turns + s->room.blocked != s->relief.seen || s->bookings.n ||
		heap_length(&s->t->task_heap) > 0 || !shelf_empty(s));
}

void spares_begin(struct scheduler *s)
{
	if (s->room.blocked || s->room.spares)
		s->relief.round_ns = clock_ns();
}

void spares_look(struct scheduler *s)
{
	struct relief *r = &s->relief;
	if (s->room.blocked == 0 && s->room.spares == 0 && r->next_ns == DEADLINE_NEVER)
		return; /* the usual case: nobody waits */
	if (s->room.spares) {
		if (heap_length(&s->t->task_heap))
			spares_fetch_all_awaited(s);
		spares_stop_surplus(s);
	}
	uint64_t now = clock_ns();
	if (r->next_ns > now + LOOK_NS && spares_worth_a_look(s))
		r->next_ns = now + LOOK_NS;
	if (r->next_ns <= now)
		spares_look_now(s);
}
