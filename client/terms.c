/* terms.c - what a task asks for, from the caller's words to a number in the table of terms. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "client/handle.h"
#include "tables/spec.h"

static int check_reserved(const plm_terms *terms)
{
	for (size_t i = 0; i < COUNT_OF(terms->reserved); i++)
		if (terms->reserved[i])
			return why(-EINVAL, "the reserved fields of plm_terms must be zero");
	return 0;
}

int terms_agree(struct plm *rt, const plm_terms *terms, uint32_t *ret)
{
	const struct control *c = rt->tables.control;
	struct resource_names names = c->resources;
	struct terms wanted;
	*ret = 0;
	if (!terms)
		return 0;
	memset(&wanted, 0, sizeof wanted); /* the padding too: terms are compared as bytes */
	int r = check_reserved(terms);
	if (r == 0 && terms->needs)
		r = spec_needs(terms->needs, &names, &wanted);
	if (r == 0)
		r = needs_fit(&wanted, c->kind, c->kinds, c->memory, &names);
	if (r < 0)
		return r;
	return terms_number(rt->tables.terms, &rt->tables.registry.lock, &wanted, ret);
}
