#include "tests/support/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"
#include "tables/segment_plan.h"

enum { STEPS_MAX = 10000, IMAGE_STORE_BYTES = 1 << 17, CORES = 2 };

struct world world;

static struct limits limits = { .workers = 1, .records = 64, .nodes = 1, .store_bytes = 1 << 20 };

/* ---- boot ---- */

static void world_claim(uint32_t slot, enum process_kind kind)
{
	/* Pid 0: no reader of the table may signal a real process. */
	SWEEP_REQUIRE(process_claim(&world.tables.process[slot], kind, 0, process_kind_name(kind)));
	/* No core has this number, so the first note of a core is a step, on whatever core. */
	atomic_store(&world.tables.process[slot].cpu, UINT32_MAX);
}

void world_learn(void)
{
	const char *names[32];
	const plm_module *module;
	SWEEP_REQUIRE(module_open(MODULE_BUILTIN, &module) == 0);
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].name;
	SWEEP_REQUIRE(registry_add(&world.tables.registry, MODULE_BUILTIN, module->name, names,
			  module->count) == 0);
}

void world_join(struct plm *rt, uint32_t slot)
{
	*rt = (struct plm){ .socket = -1 };
	tables_share(&world.tables, &rt->tables);
	world_claim(slot, KIND_CLIENT);
	SWEEP_REQUIRE(handle_open(rt, slot) == 0);
}

void world_born(uint32_t slot)
{
	if (slot == SLOT_SCHEDULER) {
		tables_share(&world.tables, &world.scheduler_tables);
		SWEEP_REQUIRE(scheduler_open(&world.scheduler, &world.scheduler_tables) == 0);
		return;
	}
	world.worker = (struct worker){ 0 };
	tables_share(&world.tables, &world.worker.rt.tables);
	SWEEP_REQUIRE(worker_open(&world.worker, slot) == 0);
}

void world_open_worker(struct worker *w, uint32_t slot, uint32_t number, uint32_t spare_of)
{
	*w = (struct worker){ 0 };
	tables_share(&world.tables, &w->rt.tables);
	world_claim(slot, KIND_WORKER);
	world.tables.process[slot].worker = number;
	world.tables.process[slot].spare = spare_of;
	SWEEP_REQUIRE(worker_open(w, slot) == 0);
}

static void open_worker(void)
{
	world_open_worker(&world.worker, WORLD_WORKER, 0, 0);
}

static void open_scheduler(void)
{
	world_claim(SLOT_SCHEDULER, KIND_SCHEDULER);
	world_born(SLOT_SCHEDULER);
}

void world_boot(void)
{
	world_boot_for(EXTENSION_SLOTS);
}

void world_boot_for(uint32_t processes)
{
	char name[RUNTIME_NAME_BYTES];
	limits.processes = processes;
	tables_detach(&world.tables);
	snprintf(name, sizeof name, "sweep-%d", (int)getpid());
	if (tables_create(name, &limits, &world.tables) < 0)
		sweep_fail(why_text());
	tables_unlink(name);
	world.tables.control->cores = CORES; /* the same steps on every machine */
	world_learn();
	world_claim(SLOT_MANAGER, KIND_MANAGER);
	open_scheduler();
	sh_store(&world.tables.control->mode, MODE_UP);
	open_worker();
	world_join(&world.a, WORLD_A);
	world_join(&world.b, WORLD_B);
	world_settle();
}

void world_crowd(void)
{
	world.tables.control->cores = 1;
	for (uint32_t p = WORLD_SLOTS; p < limits.processes; p++)
		process_set_awake(&world.tables, p, true);
}

void world_hush(void)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	SWEEP_REQUIRE(nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
	close(nowhere);
}

/* The used part of the segments; the rest never changes. */
size_t world_regions(struct sweep_region *ret)
{
	struct plan plan;
	char *base = (char *)world.tables.control_segment.header;
	plan_make(&limits, &plan);
	ret[0] = (struct sweep_region){ base, plan.registry };
	ret[1] = (struct sweep_region){ base + plan.rings, WORLD_SLOTS * plan_ring_bytes() };
	ret[2] =
	    (struct sweep_region){ base + plan.worker_heap, plan.extension - plan.worker_heap };
	ret[3] = (struct sweep_region){ world.tables.store_write, IMAGE_STORE_BYTES };
	return 4;
}

/* fork() wiped the page that names the owner of the handle. */
void world_play(struct plm *rt)
{
	*rt->alive = 1;
}

/* ---- roles, one step at a time ---- */

void world_settle(void)
{
	for (int i = 0; i < STEPS_MAX; i++)
		if (scheduler_step(&world.scheduler) == 0)
			return;
	sweep_fail("the scheduler never comes to rest");
}

uint32_t world_run_some(void)
{
	uint32_t n = worker_step(&world.worker);
	worker_report(&world.worker);
	return n;
}

void world_work(void)
{
	for (int i = 0; i < STEPS_MAX; i++)
		if (scheduler_step(&world.scheduler) + world_run_some() == 0)
			return;
	sweep_fail("the work never ends");
}

void world_claim_only(plm_ref ref)
{
	uint64_t word;
	struct record *r = record_lookup(&world.tables, ref.id, &word);
	SWEEP_REQUIRE(
	    r && record_step(r, &word, RECORD_RUNNING, WORLD_WORKER, word_attempt(word) + 1, 0));
}

void world_share(struct plm *with, plm_ref ref)
{
	uint32_t index = ref_index(ref.id);
	hold_set(&world.tables, index, with->self);
	sh_store(&with->me->unclean, 1);
	atomic_fetch_add(&with->refs[index], 1);
	atomic_fetch_add(&with->held, 1);
}

/* ---- death and recovery ---- */

void world_declare_dead(uint32_t slot)
{
	struct process *p = &world.tables.process[slot];
	uint64_t word = sh_load(&p->state);
	if (process_present(word))
		process_step(p, &word, PROCESS_DEAD);
	processes_changed(&world.tables);
}

/* Like the manager, also after a recovery that was cut short. */
static void replace_scheduler(void)
{
	struct process *p = &world.tables.process[SLOT_SCHEDULER];
	uint64_t word = sh_load(&p->state);
	if (process_present(word))
		process_step(p, &word, PROCESS_DEAD);
	word = sh_load(&p->state);
	if (process_state(word) == PROCESS_DEAD)
		process_step(p, &word, PROCESS_FREE);
	open_scheduler();
}

void world_recover(uint32_t victim)
{
	/* A word of the manager that no process reads says that a recovery has begun before. */
	shared64 *begun = &world.tables.process[SLOT_MANAGER].done;
	bool again = sh_load(begun) != 0;
	sh_store(begun, 1);
	if (victim != SLOT_SCHEDULER)
		world_declare_dead(victim);
	if (again || victim == SLOT_SCHEDULER)
		replace_scheduler();
	world_settle();
}

void recover_client(void *image)
{
	(void)image;
	world_recover(WORLD_A);
}

void recover_worker(void *image)
{
	(void)image;
	world_recover(WORLD_WORKER);
}

void recover_scheduler(void *image)
{
	(void)image;
	world_recover(SLOT_SCHEDULER);
}

/* ---- judgement ---- */

static const char *judge_record(const struct tables *t, uint32_t index, uint32_t victim)
{
	static char text[96];
	uint64_t word = sh_load(&t->record[index].state);
	enum record_state state = word_state(word);
	bool owned = state == RECORD_RESERVED || state == RECORD_RUNNING;
	const char *what = NULL;
	if (state >= RECORD_STATES)
		what = "is in no state";
	else if (state != RECORD_FREE && hold_test(t, index, victim))
		what = "is held by the dead";
	else if (owned && word_owner(word) == victim)
		what = "is the dead one's still";
	else if (state == RECORD_RUNNING && word_owner(word) == SLOT_SCHEDULER)
		what = "is being ended for ever";
	if (!what)
		return NULL;
	snprintf(text, sizeof text, "record %u, %s, %s", index, record_state_name(state), what);
	return text;
}

/* Free space is the complement of the extents that records name; the counter must agree. */
static uint64_t bytes_named(const struct tables *t)
{
	uint64_t named = 0;
	for (uint32_t i = 0; i < pool_fresh(&t->pool); i++) {
		const struct record *r = &t->record[i];
		named += sh_load(&r->args) ? arena_footprint(r->args_bytes) : 0;
		named += sh_load(&r->value) ? arena_footprint(r->value_bytes) : 0;
	}
	return named;
}

static uint64_t bytes_used(const struct tables *t)
{
	struct arena_usage usage;
	arena_usage(&t->arena[0], &usage);
	return usage.used_bytes;
}

/* A structure is sound after the next locker has recovered, not before. */
static void take_all_locks(struct tables *t)
{
	struct lock *const locks[] = { &t->arena[0].grow_lock, &t->pool.lock, &t->task_heap.lock,
		&t->worker_heap.lock, &t->arena[0].lock, &t->registry.lock };
	for (size_t i = 0; i < COUNT_OF(locks); i++) {
		SWEEP_REQUIRE(lock_acquire(locks[i]) == 0);
		lock_release(locks[i]);
	}
}

static const char *judge_crash(uint32_t victim)
{
	const struct tables *t = &world.tables;
	take_all_locks(&world.tables);
	const char *why = tables_check(t);
	for (uint32_t i = 0; i < pool_fresh(&t->pool) && !why; i++)
		why = judge_record(t, i, victim);
	if (!why && process_state(sh_load(&t->process[victim].state)) != PROCESS_FREE &&
	    victim != SLOT_SCHEDULER)
		why = "the dead one's slot is not free";
	if (!why && bytes_named(t) != bytes_used(t))
		why = "the store counts other bytes than the records name";
	return why;
}

static void forget_all(void)
{
	for (uint32_t i = 0; i < pool_fresh(&world.tables.pool); i++) {
		uint64_t word = sh_load(&world.tables.record[i].state);
		if (word_state(word) != RECORD_FREE && hold_test(&world.tables, i, SLOT_MANAGER))
			plm_forget(
			    &world.b, ref_public(&world.b, record_ref(i, word_generation(word))));
	}
}

/* A buried process has left. */
static void world_leave(struct plm *rt)
{
	if (process_state(sh_load(&world.tables.process[rt->self].state)) != PROCESS_LIVE)
		return;
	world_play(rt);
	handle_close(rt);
	world_declare_dead(rt->self);
}

void world_end_worker(struct worker *w)
{
	world_leave(&w->rt);
	world_settle();
}

static void all_leave(void)
{
	world_play(&world.b);
	forget_all();
	world_leave(&world.b);
	world_leave(&world.a);
	world_leave(&world.worker.rt);
	world_settle();
}

static const char *judge_end(void)
{
	static char text[128];
	const struct tables *t = &world.tables;
	const char *why = tables_check(t);
	for (uint32_t i = 0; i < pool_fresh(&t->pool) && !why; i++) {
		uint64_t word = sh_load(&t->record[i].state);
		if (word_state(word) == RECORD_FREE)
			continue;
		snprintf(text, sizeof text,
		    "when all have left record %u is %s, owner %u, held by %#llx, uses %#x", i,
		    record_state_name(word_state(word)), word_owner(word),
		    (unsigned long long)sh_load(&t->record[i].holds), sh_load(&t->record[i].uses));
		why = text;
	}
	if (!why && bytes_used(t) != 0)
		why = "when all have left the store is not empty";
	for (uint32_t p = SLOT_FIRST_SHARED; p < t->limits.processes && !why; p++)
		if (process_state(sh_load(&t->process[p].state)) != PROCESS_FREE)
			why = "when all have left a slot is taken";
	return why;
}

const char *world_judge(uint32_t victim, const char *(*outcome)(void))
{
	const char *why = judge_crash(victim);
	if (why)
		return why;
	const struct process *worker = &world.tables.process[world.worker.rt.self];
	if (process_state(sh_load(&worker->state)) == PROCESS_FREE)
		open_worker(); /* the replacement that the manager starts */
	world_play(&world.worker.rt);
	world_play(&world.b);
	world_work();
	why = outcome ? outcome() : NULL;
	if (why)
		return why;
	all_leave();
	return judge_end();
}

/* ---- short ways ---- */

plm_ref world_submit(struct plm *rt, const char *function, const plm_arg *args, size_t n,
    unsigned results, unsigned retries, unsigned crash_retries)
{
	static plm_ref refs[RESULTS_MAX];
	plm_task task = { .function = function,
		.args = args,
		.nargs = n,
		.results = results,
		.retries = retries,
		.crash_retries = crash_retries };
	SWEEP_REQUIRE(plm_submit(rt, &task, refs) == 0);
	return refs[0];
}

plm_ref world_put(struct plm *rt, const void *data, size_t length)
{
	plm_ref ref;
	SWEEP_REQUIRE(plm_put(rt, data, length, &ref) == 0);
	return ref;
}

bool world_yields(plm_ref ref, const void *data, size_t length)
{
	plm_view view;
	if (plm_get(&world.b, ref, &view, 0) < 0)
		return false;
	bool same = view.len == length && memcmp(view.data, data, length) == 0;
	plm_release(&world.b, &view);
	return same;
}

bool world_failed(plm_ref ref, int code, const char *message, plm_ref root)
{
	plm_failure failure;
	return plm_error(&world.b, ref, &failure) == 0 && failure.code == code &&
	    failure.task.id == root.id && (!message || strcmp(failure.message, message) == 0);
}

enum record_state world_state_of(plm_ref ref)
{
	uint64_t word;
	return record_lookup(&world.tables, ref.id, &word) ? word_state(word) : RECORD_FREE;
}
