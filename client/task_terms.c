/* task_terms.c - from the terms of a task, as written by the submitter, to a number in the table of
 * terms. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/submit.h"
#include "tables/due.h"
#include "spec/spec.h"

static int task_terms_check_reserved(const plm_terms *terms)
{
	uint64_t any = 0;
	for (size_t i = 0; i < COUNT_OF(terms->reserved); i++)
		any |= terms->reserved[i];
	if (any)
		return why(-EINVAL, "the reserved fields of plm_terms must be zero");
	return 0;
}

static int task_terms_take_limits(const plm_terms *terms, struct terms *ret)
{
	const struct {
		const char *name;
		uint32_t ms, *ret;
	} all[] = {
		{ "queue_ms", terms->queue_ms, &ret->queue_ms },
		{ "run_ms", terms->run_ms, &ret->run_ms },
		{ "total_ms", terms->total_ms, &ret->total_ms },
		{ "backoff_ms", terms->backoff_ms, &ret->backoff_ms },
		{ "backoff_max_ms", terms->backoff_max_ms, &ret->backoff_max_ms },
		{ "grace_ms", terms->grace_ms, &ret->grace_ms },
		{ "keep_ms", terms->keep_ms, &ret->keep_ms },
	};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i].ms > LIMIT_MAX_MS)
			return why(-EINVAL, "%s of a task's terms is %u, at most %d are possible",
			    all[i].name, all[i].ms, LIMIT_MAX_MS);
		*all[i].ret = all[i].ms;
	}
	return 0;
}

/* A replica asks for a cpu of a separate worker. Other tasks without needs ask for nothing. */
static int task_terms_take_rank(const plm_terms *terms, uint32_t rank, struct terms *ret)
{
	if (terms->replicas > REPLICAS_MAX)
		return why(
		    -EINVAL, "%u replicas, at most %d are possible", terms->replicas, REPLICAS_MAX);
	if (rank == 0)
		return 0;
	ret->replicas = terms->replicas;
	ret->rank = rank;
	if (ret->alternatives == 0)
		ret->alternative[ret->alternatives++].amount[RESOURCE_CPUS] = AMOUNT_UNIT;
	return 0;
}

int terms_agree(struct plm *rt, const plm_terms *terms, uint32_t rank, uint32_t *ret)
{
	const struct control *c = rt->tables.control;
	struct resource_names names;
	struct terms wanted;
	*ret = 0;
	if (!terms)
		return 0;
	tables_resource_names(&rt->tables, &names);
	memset(&wanted, 0, sizeof wanted); /* the padding too: terms are compared as bytes */
	int r = task_terms_check_reserved(terms);
	if (r == 0)
		r = task_terms_take_limits(terms, &wanted);
	if (r == 0 && terms->needs)
		r = spec_needs(terms->needs, &names, &wanted);
	if (r == 0)
		r = task_terms_take_rank(terms, rank, &wanted);
	if (r == 0)
		r = needs_fit(&wanted, c->kind, tables_kinds(&rt->tables), sh_load(&c->staff),
		    c->memory, &names);
	return r < 0 ? r : terms_note(rt, &wanted, ret);
}

int terms_note(struct plm *rt, const struct terms *terms, uint32_t *ret)
{
	return terms_number(rt->tables.terms, &rt->tables.registry.lock, terms, ret);
}
