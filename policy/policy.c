#include "policy/policies.h"

#include <string.h>

#include "base/check.h"

static const struct policy *const policies[] = {
	&policy_locality, /* the default */
	&policy_load_aware,
	&policy_power_of_two,
	&policy_round_robin,
	&policy_random,
	&policy_static_fill,
};

const struct policy *policy_at(size_t index)
{
	return index < COUNT_OF(policies) ? policies[index] : NULL;
}

const struct policy *policy_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(policies); i++)
		if (strcmp(policies[i]->name, name) == 0)
			return policies[i];
	return NULL;
}
