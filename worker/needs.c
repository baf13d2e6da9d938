#include "worker/needs.h"

#include <stdlib.h>
#include <string.h>

#include "topology/threads.h"

enum { CPUS_OF_A_TASK = 1, VARIABLE_BYTES = DEVICES_MAX * DEVICE_ID_BYTES };

static unsigned needs_changes_count; /* of the environment, which belongs to the process, too */

unsigned needs_changes(void)
{
	return needs_changes_count;
}

bool needs_devices(const struct tables *t)
{
	for (uint32_t i = 0; i < tables_kinds(t); i++)
		if (t->control->kind[i].amount[RESOURCE_GPUS])
			return true;
	return false;
}

static void needs_show_devices(const struct worker *w, uint64_t gpus)
{
	const struct tables *t = &w->rt.tables;
	char list[VARIABLE_BYTES] = "";
	if (!needs_devices(t))
		return; /* devices set by the user stay */
	for (uint32_t i = 0; i < DEVICES_MAX; i++) {
		uint32_t device = w->rt.me->gpu_first + i;
		if (!(gpus >> i & 1) || device >= DEVICES_MAX)
			continue;
		if (list[0])
			strcat(list, ",");
		strncat(list, t->control->device[device], DEVICE_ID_BYTES - 1);
	}
	setenv("CUDA_VISIBLE_DEVICES", list, 1);
}

/* The alternative for which our worker is booked; NULL: not booked. */
static const struct demand *needs_demand_met(const struct plm *rt, const struct record *r)
{
	const struct terms *terms = terms_at(rt->tables.terms, r->terms);
	uint32_t way = sh_peek(&rt->me->booked_way);
	return terms && way > 0 && way <= ALTERNATIVES_MAX ? &terms->alternative[way - 1] : NULL;
}

bool needs_say_cpus(const struct plm_call *call)
{
	const struct demand *demand = needs_demand_met(call->rt, call->record);
	return demand && demand->says_cpus;
}

uint64_t needs_cpus(const struct plm_call *call)
{
	const struct demand *demand = needs_demand_met(call->rt, call->record);
	uint64_t cpus = demand ? demand->amount[RESOURCE_CPUS] / AMOUNT_UNIT : 0;
	return cpus ? cpus : CPUS_OF_A_TASK;
}

void needs_begin(struct worker *w, const struct record *r)
{
	const struct demand *demand = needs_demand_met(&w->rt, r);
	if (!demand)
		return;
	topology_set_threads((unsigned)(demand->amount[RESOURCE_CPUS] / AMOUNT_UNIT));
	needs_show_devices(w, sh_peek(&w->rt.me->booked_gpus));
	w->dressed = true;
	needs_changes_count++;
}

void needs_end(struct worker *w)
{
	topology_set_threads(CPUS_OF_A_TASK);
	needs_show_devices(w, 0);
	w->dressed = false;
	needs_changes_count++;
}
