#include "tests/sweeps/reign.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "manager/adopt.h"
#include "manager/birth.h"
#include "manager/spare_processes.h"
#include "manager/staff.h"
#include "tables/segment_plan.h"
#include "tests/sweeps/standin.h"

enum { LAST_RINGS = 3 };

struct reign reign;

static struct { /* at the start */
	uint64_t word;
	uint32_t event, waiter;
	bool lives;
} before[EXTENSION_SLOTS];
static uint32_t room;
static uint64_t changes;

/* ---- the runtime at the start ---- */

struct process *reign_slot(uint32_t slot)
{
	return &world.tables.process[slot];
}

void reign_step(uint32_t slot, enum process_state state)
{
	uint64_t word = sh_load(&reign_slot(slot)->state);
	SWEEP_REQUIRE(process_step(reign_slot(slot), &word, state));
}

static void fall_asleep(uint32_t slot)
{
	struct process *p = reign_slot(slot);
	event_prepare(&p->event);
	if (slot == WORLD_B) {
		sh_store(&p->waiter[0].awaiting, AWAITING_ANY);
		event_prepare(&p->waiter[0].event);
	}
}

static bool is_clean(const struct process *p)
{
	bool awaits = false;
	for (int i = 0; i < WAITERS; i++)
		awaits |= sh_peek(&p->waiter[i].awaiting) != AWAITING_NOTHING;
	return !awaits && sh_peek(&p->beat_ns) && !sh_peek(&p->died_ns) &&
	    !sh_peek(&p->waiting_ns) && !sh_peek(&p->refused) && !sh_peek(&p->handed) &&
	    !sh_peek(&p->booked_seen) && !sh_peek(&p->lent) && !sh_peek(&p->running) &&
	    !sh_peek(&p->done) && !sh_peek(&p->failed) && !sh_peek(&p->unclean) &&
	    !sh_peek(&p->average_ns) && !sh_peek(&p->blocked) && !sh_peek(&p->node) &&
	    !sh_peek(&p->alert) && !sh_peek(&p->memory) && !sh_peek(&p->memory_peak) &&
	    !sh_peek(&p->inside_word);
}

/* All processes sleep; `dead` is dead, which no process knows yet (0: no process is dead). */
void reign_begin(uint32_t dead)
{
	for (uint32_t i = SLOT_SCHEDULER; i < world.tables.limits.processes; i++) {
		uint64_t word = sh_load(&reign_slot(i)->state);
		memset(&before[i], 0, sizeof before[i]);
		before[i].word = word;
		if (!process_present(word))
			continue;
		before[i].lives = i != dead;
		standin_take(reign_slot(i), i != dead);
		standin_watch(&reign.dying, i);
		process_set_awake(&world.tables, i, true);
		fall_asleep(i);
		before[i].event = sh_load(&reign_slot(i)->event.word);
		before[i].waiter = sh_load(&reign_slot(i)->waiter[0].event.word);
	}
	event_prepare(&world.tables.control->room);
	room = sh_load(&world.tables.control->room.word);
	changes = sh_load(&world.tables.control->changes);
}

static void open_manager(struct manager *m)
{
	*m = (struct manager){ .options = &reign.options,
		.door.socket = -1,
		.signals = -1,
		.joined = -1,
		.lock = -1,
		.parent = -1,
		.state_lock = -1,
		.ready = -1,
		.notify = -1,
		.announced = true,
		.scheduler.due_ns = DEADLINE_NEVER,
		.workers.due_ns = DEADLINE_NEVER,
		.journal.due_ns = DEADLINE_NEVER,
		.hang.due_ns = DEADLINE_NEVER };
	tables_share(&world.tables, &m->tables);
}

void reign_boot(void)
{
	standin_begin();
	reign.options.again = false;
	memset(reign.value, 'M', sizeof reign.value);
	world_boot();
	reign_step(SLOT_MANAGER, PROCESS_LIVE);
	sh_store(&world.tables.control->made, 1);
	open_manager(&reign.dying);
	SWEEP_REQUIRE(members_make_slots(&reign.dying) == 0);
	reign.of_b = world_put(&world.b, reign.value, sizeof reign.value);
	reign.run_by_worker =
	    world_submit(&world.b, "probe.echo", &PLM_FUTURE(reign.of_b), 1, 1, 0, 1);
	world_settle();
}

size_t reign_regions(struct sweep_region *ret)
{
	struct plan plan;
	size_t n = world_regions(ret), bytes = plan_ring_bytes();
	plan_make(&world.tables.limits, &plan);
	char *rings = (char *)world.tables.control_segment.header + plan.rings;
	/* Workers are started in the last slots. */
	ret[n] =
	    (struct sweep_region){ rings + (world.tables.limits.processes - LAST_RINGS) * bytes,
		    LAST_RINGS * bytes };
	return n + 1;
}

/* ---- the manager's part, and the next one's ---- */

static struct manager *play(struct manager *m)
{
	standin_plays = &world.tables;
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	SWEEP_REQUIRE(m->epoll >= 0);
	return m;
}

struct manager *reign_play(void)
{
	return play(&reign.dying);
}

/* The boot as in manager.c, once the segments are attached. */
void reign_adopt(void *image)
{
	(void)image;
	open_manager(&reign.next);
	play(&reign.next)->adopts = true;
	memcpy(reign.next.state, reign.dying.state, sizeof reign.next.state);
	SWEEP_REQUIRE(adopt_tables(&reign.next) == 0);
	outer_join(&reign.next);
	SWEEP_REQUIRE(adopt_processes(&reign.next) == 0);
	spare_processes_adjust(&reign.next);
	birth_spawn_due(&reign.next);
}

/* ---- verdicts ---- */

static bool is_same(uint32_t i, uint64_t word)
{
	return process_generation(word) == process_generation(before[i].word);
}

static const char *judge_the_living(uint32_t i, uint64_t word)
{
	const struct process *p = reign_slot(i);
	bool was_there = before[i].lives && is_same(i, word);
	if (process_present(word) && !standin_lives(p))
		return "one that is dead is not declared dead";
	if (process_present(word) && reign.next.slot[i].pidfd < 0)
		return "one that lives is not watched";
	if (was_there && !process_present(word))
		return "one that lives was declared dead";
	if (was_there && sh_load(&p->event.word) == before[i].event)
		return "somebody sleeps on";
	bool works = process_kind(word) == KIND_WORKER;
	if (process_state(word) == PROCESS_STARTING &&
	    (sh_peek(&p->booked) != (works ? BOOKED_AT_BIRTH : 0) || (works && !is_clean(p))))
		return "who is born has something of who had the slot before";
	if (was_there && i == WORLD_B && sh_load(&p->waiter[0].event.word) == before[i].waiter)
		return "somebody waits on for a future";
	return NULL;
}

/* The scheduler, which would bury the dead processes, has done nothing yet. */
static const char *judge_the_dead(uint32_t i, uint64_t word)
{
	const struct process *p = reign_slot(i);
	bool died = process_present(before[i].word) && !before[i].lives;
	if (died && i != SLOT_SCHEDULER &&
	    (!is_same(i, word) || process_state(word) != PROCESS_DEAD))
		return "the dead one's slot is not its own until it is buried";
	if (!died || process_kind(word) != KIND_WORKER)
		return NULL; /* no test asks how or when the process died */
	if (sh_load(&p->died_ns) == 0)
		return "nobody has noted when it died";
	return sh_load(&p->exit_status) ? NULL : "one that was killed is taken for one that ended";
}

static const char *judge_the_missing(void)
{
	struct vacancy vacancy;
	uint32_t serving = 0, spares = 0, journal = journal_slot(&world.tables);
	for (uint32_t i = SLOT_FIRST_SHARED; i < world.tables.limits.processes; i++) {
		uint64_t word = sh_load(&reign_slot(i)->state);
		if (process_kind(word) != KIND_WORKER || !process_present(word))
			continue;
		spares += reign_slot(i)->spare != 0;
		serving += !reign_slot(i)->spare && process_state(word) != PROCESS_LEAVING;
		if (tables_drained(&world.tables, reign_slot(i)->worker) &&
		    process_state(word) == PROCESS_LIVE)
			return "a worker that was drained stays";
	}
	if (!process_present(sh_load(&reign_slot(SLOT_SCHEDULER)->state)))
		return "no scheduler was started";
	if (journal && !process_present(sh_load(&reign_slot(journal)->state)) &&
	    !reign.next.journal.missing)
		return "no journal will be started";
	if (serving > staff_processes(&reign.next) || spares > world.tables.control->spares)
		return "there are more workers than there are to be";
	return staff_vacancy(&reign.next, &vacancy) ? "a worker was not started" : NULL;
}

static const char *judge_adoption(void)
{
	for (uint32_t i = SLOT_SCHEDULER; i < world.tables.limits.processes; i++) {
		uint64_t word = sh_load(&reign_slot(i)->state);
		const char *why = judge_the_living(i, word);
		if (!why)
			why = judge_the_dead(i, word);
		if (why)
			return why;
	}
	if (sh_load(&world.tables.control->changes) == changes)
		return "the scheduler is not told to look";
	if (sh_load(&world.tables.control->room.word) == room)
		return "who waits for room sleeps on";
	if (sh_load(&world.tables.control->mode) != MODE_UP && !reign.options.again)
		return "it does not go on";
	if (reign_slot(SLOT_MANAGER)->pid != getpid())
		return "nobody knows the next manager";
	return judge_the_missing();
}

static bool is_played(uint32_t slot)
{
	return slot == world.worker.rt.self || slot == WORLD_A || slot == WORLD_B;
}

/* The started processes come to life: one of the workers works, the rest end. */
static void come_to_life(void)
{
	uint64_t word = sh_load(&reign_slot(SLOT_SCHEDULER)->state);
	if (process_state(word) == PROCESS_STARTING)
		world_born(SLOT_SCHEDULER);
	word = sh_load(&reign_slot(world.worker.rt.self)->state);
	for (uint32_t i = SLOT_FIRST_SHARED; i < world.tables.limits.processes; i++) {
		uint64_t born = sh_load(&reign_slot(i)->state);
		if (process_state(word) == PROCESS_DEAD && process_kind(born) == KIND_WORKER &&
		    process_state(born) == PROCESS_STARTING) {
			world_born(i);
			word = sh_load(&reign_slot(i)->state);
		} else if (process_present(born) && !is_played(i)) {
			world_declare_dead(i);
		}
	}
	if (process_state(word) == PROCESS_LEAVING) {
		world_play(&world.worker.rt);
		worker_close(&world.worker);
		world_declare_dead(world.worker.rt.self);
	}
	world_settle();
}

static const char *b_has_its_own(void)
{
	if (!world_yields(reign.of_b, reign.value, sizeof reign.value))
		return "a value of the living is gone";
	return world_yields(reign.run_by_worker, reign.value, sizeof reign.value)
	    ? NULL
	    : "a task of the living has no value";
}

const char *reign_judge(uint32_t slot)
{
	const char *why = judge_adoption();
	if (why)
		return why;
	come_to_life();
	if (process_awake(&world.tables, slot))
		return "a dead one counts as awake";
	return world_judge(slot, b_has_its_own);
}
