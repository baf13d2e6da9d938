/* explore_image.c - the runtime at the start of a schedule, and the way back to that state. The
 * segments and all memory that the product allocated are copied once and put back before each
 * schedule. Memory that no schedule touches is not copied: the store behind the first pages, the
 * names of the functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "events/eventlog_segment.h"
#include "verify/explore/explore.h"
#include "tables/segment_plan.h"

enum {
	MEMORY_BYTES = 1 << 26,
	STORE_TOUCHED = 1 << 17,
	PIECES = 6,
	/* Counters that wrap within a schedule. */
	NEARLY_WRAPPED = -6,
};

struct image *image;
bool memory_is_ours;

static char *memory;
static size_t memory_used, memory_at_start;
static struct piece {
	char *at, *copy;
	size_t bytes;
} piece[PIECES];
static uint32_t pieces;
static struct world world_at_start;

/* ---- memory of the product ---- */

void *memory_take(size_t bytes)
{
	size_t at = (memory_used + 63) & ~(size_t)63;
	if (bytes > MEMORY_BYTES - at)
		explore_fail("the schedule took %zu bytes of memory", at);
	memory_used = at + bytes;
	memset(memory + at, 0, bytes);
	return memory + at;
}

bool memory_owns(const void *at)
{
	return (uintptr_t)at - (uintptr_t)memory < MEMORY_BYTES;
}

/* ---- the event log ---- */

static void boot_log(const char *name)
{
	struct tables *t = &image->tables;
	t->control->event_ring = EVENT_RING_MIN;
	MUST(eventlog_segment_create(t, name) == 0);
	tables_unlink(name);
	t->control->events_always = 1;
	sh_store(&t->control->events, 1);
}

static void image_remember(void *at, size_t bytes);

/* All rings: a hole in a new ring must not show an event of another schedule. */
static void remember_log(void)
{
	struct eventlog_plan plan;
	const struct tables *t = &image->tables;
	if (!t->event_segment.header)
		return;
	eventlog_segment_plan(t, &t->event_segment, &plan);
	image_remember(
	    eventlog_ring_at(&t->event_segment, &plan, 0), (size_t)(plan.total - plan.rings));
}

/* ---- boot, as the manager does ---- */

static void image_claim(uint32_t process, enum process_kind kind)
{
	uint32_t slot = w.proc[process].slot;
	struct process *p = &image->tables.process[slot];
	MUST(process_claim(p, kind, 0, process_kind_name(kind)));
	p->pid = PID_BASE + (int)process;
	p->start_time = (uint64_t)p->pid;
}

static void register_probe(void)
{
	const char *names[32];
	const plm_module *module;
	MUST(module_open(MODULE_BUILTIN, &module) == 0);
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].name;
	MUST(registry_add(
		 &image->tables.registry, MODULE_BUILTIN, module->name, names, module->count) == 0);
}

static uint32_t image_watched(
    enum process_kind kind, uint32_t slot, void (*body)(struct proc *self))
{
	uint32_t process = run_add(kind, slot, body);
	struct watched *seen = &image->manager.slot[slot];
	image_claim(process, kind);
	if (kind == KIND_MANAGER)
		return process;
	const struct process *p = &image->tables.process[slot];
	seen->pidfd = PIDFD_BASE + (int)process;
	seen->pid = p->pid;
	seen->kind = kind;
	seen->generation = process_generation(sh_peek(&p->state));
	return process;
}

static void boot_members(const struct scenario *scenario)
{
	uint32_t workers = scenario->workers ? scenario->workers : 2;
	image_watched(KIND_SCHEDULER, SLOT_SCHEDULER, body_scheduler);
	tables_share(&image->tables, &image->scheduler_tables);
	MUST(scheduler_open(&image->scheduler, &image->scheduler_tables) == 0);
	image->scheduler.manager = 0;
	for (uint32_t i = 0; i < workers; i++) {
		uint32_t slot = process_nth_slot(&image->tables, KIND_WORKER, i);
		image->tables.process[slot].worker = i;
		image_watched(KIND_WORKER, slot, body_worker);
		tables_share(&image->tables, &image->worker[i].rt.tables);
		MUST(worker_open(&image->worker[i], slot) == 0);
	}
	for (uint32_t i = 0; i < CLIENTS_MAX && scenario->client[i]; i++) {
		uint32_t process = image_watched(KIND_CLIENT, SLOT_FIRST_SHARED + i, body_client);
		w.proc[process].is_waited_for = true;
		w.waited_for++;
		image->client[i].socket = -1;
		tables_share(&image->tables, &image->client[i].tables);
		MUST(handle_open(&image->client[i], SLOT_FIRST_SHARED + i) == 0);
	}
}

/* Generations, event counts and rings start just before they wrap. */
static void nearly_wrap(void)
{
	const struct tables *t = &image->tables;
	for (uint32_t i = 0; i < t->limits.records; i++)
		atomic_store(&t->record[i].state,
		    word_make((uint32_t)NEARLY_WRAPPED + i % 5, 0, 0, RECORD_FREE, 0));
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		struct ring up = ring_up(t, i), down = ring_down(t, i);
		atomic_store(&up.shm->head, 0u - 2 * up.size);
		atomic_store(&up.shm->tail, 0u - 2 * up.size);
		atomic_store(&down.shm->head, 0u - 2 * down.size);
		atomic_store(&down.shm->tail, 0u - 2 * down.size);
		atomic_store(&t->process[i].event.word, (uint32_t)NEARLY_WRAPPED * 2);
	}
}

static void image_settle(void)
{
	while (scheduler_step(&image->scheduler))
		;
}

static void image_boot(const struct scenario *scenario)
{
	struct limits limits = { .processes = EXTENSION_SLOTS,
		.workers = scenario->workers ? scenario->workers : 2,
		.records = RECORDS_MIN,
		.nodes = 1,
		.store_bytes = STORE_BYTES_MIN };
	char name[RUNTIME_NAME_BYTES];
	snprintf(name, sizeof name, "explore-%d", (int)getpid());
	MUST(tables_create(name, &limits, &image->tables) == 0);
	if (scenario->logged)
		boot_log(name);
	tables_unlink(name);
	nearly_wrap();
	register_probe();
	image->tables.control->spares = scenario->spares;
	sh_store(&image->tables.control->made, 1);
	tables_share(&image->tables, &image->manager.tables);
	image->manager.options = &image->options;
	image->manager.epoll = image->manager.joined = -1;
	MUST(members_make_slots(&image->manager) == 0);
	w.manager = image_watched(KIND_MANAGER, SLOT_MANAGER, body_manager);
	uint64_t word = sh_load(&image->tables.process[SLOT_MANAGER].state);
	MUST(process_step(&image->tables.process[SLOT_MANAGER], &word, PROCESS_LIVE));
	sh_store(&image->tables.control->mode, MODE_UP);
	boot_members(scenario);
	image_settle();
}

/* ---- remembering ---- */

static void image_remember(void *at, size_t bytes)
{
	struct piece *p = &piece[pieces++];
	*p = (struct piece){ at, malloc(bytes), bytes };
	CHECK(p->copy);
	memcpy(p->copy, at, bytes);
}

static void image_forget(void)
{
	while (pieces)
		free(piece[--pieces].copy);
	if (image)
		tables_detach(&image->tables);
	image = NULL;
}

static void remember_all(void)
{
	struct plan plan;
	char *base = (char *)image->tables.control_segment.header;
	plan_make(&image->tables.limits, &plan);
	image_remember(base, plan.registry + 4096);
	image_remember(base + plan.terms, plan.total - plan.terms);
	image_remember(image->tables.store_write, STORE_TOUCHED);
	remember_log();
	memory_at_start = memory_used;
	image_remember(memory, memory_at_start);
}

void image_make(const struct scenario *scenario)
{
	image_forget();
	memory_is_ours = false;
	if (!memory)
		memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memory_used = 0;
	memory_is_ours = true;
	w = (struct world){ .scenario = scenario,
		.now_ns = CLOCK_BASE_NS,
		.current = NOBODY,
		.end_step = UINT64_MAX };
	image = memory_take(sizeof *image);
	image_boot(scenario);
	memory_is_ours = false;
	remember_all();
	world_at_start = w;
}

void image_restore(void)
{
	for (uint32_t i = 0; i < pieces; i++)
		memcpy(piece[i].at, piece[i].copy, piece[i].bytes);
	memory_used = memory_at_start;
	w = world_at_start;
}
