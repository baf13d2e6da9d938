/* spec_fit.c - can the workers ever meet the needs of a task? */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/scan.h"
#include "base/why.h"
#include "spec/spec.h"

enum { REASON_BYTES = 100, REASONS_BYTES = 420 };

struct offer { /* the workers and the machine */
	const struct worker_kind *kind;
	uint32_t kinds;
	uint32_t staff;          /* workers wanted of the first kind, if more than at boot */
	uint64_t machine_memory; /* UINT64_MAX: not bounded */
	const struct resource_names *names;
};

/* The most of a resource that a task on this kind may use. */
static uint64_t spec_fit_most_of(
    const struct offer *o, const struct worker_kind *kind, uint32_t resource)
{
	uint64_t amount = kind->amount[resource];
	uint32_t count = kind == o->kind && o->staff > kind->count ? o->staff : kind->count;
	if (resource == RESOURCE_CPUS)
		return amount * count; /* several workers of a kind may give cpus to one task */
	if (resource != RESOURCE_MEMORY)
		return amount;
	return amount && amount < o->machine_memory ? amount : o->machine_memory;
}

static bool spec_fit_kind_meets(
    const struct offer *o, const struct worker_kind *kind, const struct demand *demand)
{
	for (uint32_t i = 0; i < RESOURCES_MAX; i++)
		if (demand->amount[i] > spec_fit_most_of(o, kind, i))
			return false;
	return true;
}

static bool spec_fit_any_meets(const struct offer *o, const struct demand *demand)
{
	for (uint32_t k = 0; k < o->kinds; k++)
		if (spec_fit_kind_meets(o, &o->kind[k], demand))
			return true;
	return false;
}

static uint64_t spec_fit_most(const struct offer *o, uint32_t resource)
{
	uint64_t most = 0;
	for (uint32_t k = 0; k < o->kinds; k++) {
		uint64_t amount = spec_fit_most_of(o, &o->kind[k], resource);
		if (amount > most)
			most = amount;
	}
	return most;
}

static const char *spec_fit_amount_text(
    uint32_t resource, uint64_t amount, char ret[DECIMAL_TEXT_BYTES])
{
	return resource == RESOURCE_MEMORY ? size_text(amount, ret)
					   : decimal_text(amount, AMOUNT_PLACES, ret);
}

/* Names the first resource that is too small everywhere; else only the combination is missing. */
static void spec_fit_reason(
    const struct offer *o, const struct demand *demand, char *ret, size_t size)
{
	char asked[DECIMAL_TEXT_BYTES], there[DECIMAL_TEXT_BYTES], all[SPEC_TEXT_BYTES];
	for (uint32_t i = 0; i < RESOURCES_MAX; i++) {
		uint64_t most = spec_fit_most(o, i);
		if (demand->amount[i] <= most)
			continue;
		const char *name = spec_resource_name(o->names, i);
		spec_fit_amount_text(i, demand->amount[i], asked);
		spec_fit_amount_text(i, most, there);
		snprintf(ret, size, "%s=%s: no worker has %s%s", name ? name : "?", asked,
		    most ? "more than " : "any", most ? there : "");
		return;
	}
	spec_print_demand(demand, o->names, all, sizeof all);
	snprintf(ret, size, "%.60s: no worker has all of these", all);
}

bool kind_fits(const struct worker_kind *kind, const struct terms *terms, uint64_t machine_memory)
{
	uint64_t most = machine_memory ? machine_memory : UINT64_MAX;
	const struct offer offer = { .machine_memory = most };
	for (uint32_t i = 0; i < terms->alternatives; i++)
		if (spec_fit_kind_meets(&offer, kind, &terms->alternative[i]))
			return true;
	return terms->alternatives == 0;
}

static int spec_fit_replicas(const struct terms *terms, const struct worker_kind *kind,
    uint32_t kinds, uint64_t machine_memory)
{
	uint32_t workers = 0;
	for (uint32_t i = 0; i < kinds; i++)
		workers += kind_fits(&kind[i], terms, machine_memory) ? kind[i].count : 0;
	if (terms->replicas <= workers)
		return 0;
	return why(-EINVAL,
	    "%u replicas want as many workers, but only %u worker%s can run the task",
	    terms->replicas, workers, workers == 1 ? "" : "s");
}

int needs_fit(const struct terms *terms, const struct worker_kind *kind, uint32_t kinds,
    uint32_t staff, uint64_t machine_memory, const struct resource_names *names)
{
	const struct offer offer = { kind, kinds, staff,
		machine_memory ? machine_memory : UINT64_MAX, names };
	char one[REASON_BYTES], all[REASONS_BYTES] = "";
	size_t n = 0;
	for (uint32_t i = 0; i < terms->alternatives; i++) {
		if (spec_fit_any_meets(&offer, &terms->alternative[i]))
			return spec_fit_replicas(terms, kind, kinds, machine_memory);
		spec_fit_reason(&offer, &terms->alternative[i], one, sizeof one);
		n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? "; " : "", one);
	}
	return terms->alternatives == 0 ? spec_fit_replicas(terms, kind, kinds, machine_memory)
					: why(-EINVAL, "%s", all);
}
