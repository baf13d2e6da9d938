#include "tests/support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/why.h"
#include "worker/modules.h"

enum { STEPS_MAX = 100000, NAMES_MAX = 64 };

struct stage stage;

static void stage_must(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "stage: %s\n", why_text());
	abort();
}

uint32_t stage_worker(uint32_t i)
{
	return process_nth_slot(&stage.tables, KIND_WORKER, i);
}

static void stage_claim(uint32_t slot, enum process_kind kind)
{
	stage_must(tables_open_slot(&stage.tables, slot));
	CHECK(process_claim(&stage.tables.process[slot], kind, 0, process_kind_name(kind)));
}

/* The first free process slot for a client; workers may have taken the front, too. */
static uint32_t slot_of_client(void)
{
	for (uint32_t n = 0;; n++) {
		uint32_t slot = process_nth_slot(&stage.tables, KIND_CLIENT, n);
		if (process_state(sh_load(&stage.tables.process[slot].state)) == PROCESS_FREE)
			return slot;
	}
}

/* A worker that is LIVE and asleep. */
static void add_worker(uint32_t i, uint32_t average_ns)
{
	struct process *p = &stage.tables.process[stage_worker(i)];
	p->worker = i;
	stage_claim(stage_worker(i), KIND_WORKER);
	uint64_t word = sh_load(&p->state);
	CHECK(process_step(p, &word, PROCESS_LIVE));
	sh_poke(&p->average_ns, average_ns);
	sh_add(&stage.tables.control->changes, 1);
}

static void open_client(uint32_t i)
{
	uint32_t slot = slot_of_client();
	stage.client[i] = (struct plm){ .socket = -1 };
	tables_share(&stage.tables, &stage.client[i].tables);
	stage_claim(slot, KIND_CLIENT);
	stage_must(handle_open(&stage.client[i], slot));
}

static void register_probe(void)
{
	const char *names[NAMES_MAX];
	const plm_module *module;
	stage_must(module_open(MODULE_BUILTIN, &module));
	for (uint32_t i = 0; i < module->count; i++)
		names[i] = module->exports[i].name;
	stage_must(registry_add(
	    &stage.tables.registry, MODULE_BUILTIN, module->name, names, module->count));
}

void stage_follow(const char *policy)
{
	for (uint32_t i = 0; policy_at(i); i++)
		if (strcmp(policy_at(i)->name, policy) == 0)
			sh_store(&stage.tables.control->policy, i);
}

void stage_boot(const struct stage_plan *plan)
{
	char name[RUNTIME_NAME_BYTES];
	snprintf(name, sizeof name, "stage-%d", (int)getpid());
	stage_must(tables_create(name, &plan->limits, &stage.tables));
	tables_unlink(name);
	register_probe();
	stage.tables.control->cores = STAGE_CORES;
	stage.tables.control->ageing_ms = plan->ageing_ms;
	stage_follow(plan->policy);
	stage_claim(SLOT_MANAGER, KIND_MANAGER);
	stage_claim(SLOT_SCHEDULER, KIND_SCHEDULER);
	tables_share(&stage.tables, &stage.scheduler_tables);
	stage_must(scheduler_open(&stage.scheduler, &stage.scheduler_tables));
	sh_store(&stage.tables.control->mode, MODE_UP);
	for (uint32_t i = 0; i < plan->workers; i++)
		add_worker(i, plan->average_ns);
	for (uint32_t i = 0; i < STAGE_CLIENTS; i++)
		open_client(i);
	stage_rest();
}

void stage_close(void)
{
	for (uint32_t i = 0; i < STAGE_CLIENTS; i++)
		handle_close(&stage.client[i]);
	scheduler_close(&stage.scheduler);
	tables_detach(&stage.tables);
}

void stage_rest(void)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		stage.scheduler.room.next_look_ns = DEADLINE_NEVER - 1;
		if (scheduler_step(&stage.scheduler) == 0)
			return;
	}
	CHECK(!"the scheduler never comes to rest");
}

void stage_submit(struct plm *from, int priority, uint32_t n, plm_ref *refs)
{
	plm_task *tasks = calloc(n, sizeof *tasks);
	plm_ref *own = calloc(n, sizeof *own);
	CHECK(tasks && own);
	for (uint32_t i = 0; i < n; i++)
		tasks[i] = (plm_task){ .function = "probe.noop", .priority = priority };
	stage_must(plm_submit_many(from, tasks, n, refs ? refs : own));
	stage_rest();
	free(tasks);
	free(own);
}
