/* spec_python.c - interpreters of Python workers, and the resource that each interpreter brings.
 *
 * A task that needs Python asks for python=1 like for any named resource. So the scheduler, the
 * refusals and explain know nothing of Python. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/why.h"
#include "spec/spec.h"

static const char python_word[] = "python";

static void spec_python_name(uint32_t i, char ret[RESOURCE_NAME_BYTES])
{
	if (i == 0)
		snprintf(ret, RESOURCE_NAME_BYTES, "%s", python_word);
	else
		snprintf(ret, RESOURCE_NAME_BYTES, "%s%u", python_word, i + 1);
}

bool spec_python_is_reserved(const char *key, size_t length)
{
	char name[RESOURCE_NAME_BYTES];
	for (uint32_t i = 0; i < PYTHONS_MAX; i++) {
		spec_python_name(i, name);
		if (strlen(name) == length && memcmp(name, key, length) == 0)
			return true;
	}
	return false;
}

uint32_t spec_python_resource(const struct resource_names *names, uint32_t i)
{
	char name[RESOURCE_NAME_BYTES];
	spec_python_name(i, name);
	for (uint32_t r = RESOURCE_FIRST_NAMED; r < RESOURCES_MAX; r++)
		if (strncmp(names->name[r], name, RESOURCE_NAME_BYTES) == 0)
			return r;
	return RESOURCES_MAX;
}

static int spec_python_add_resource(struct resource_names *names, uint32_t i)
{
	uint32_t r = RESOURCE_FIRST_NAMED;
	while (r < RESOURCES_MAX && names->name[r][0])
		r++;
	if (r == RESOURCES_MAX)
		return why(-EINVAL, "at most %d resources can be named, and an interpreter is one",
		    RESOURCES_MAX - RESOURCE_FIRST_NAMED);
	spec_python_name(i, names->name[r]);
	return 0;
}

int spec_python_add(struct resource_names *names, const char *path, size_t length, uint32_t *ret)
{
	uint32_t i = 0;
	if (length == 0 || length >= PYTHON_PATH_BYTES)
		return why(-EINVAL, "the path of an interpreter has 1 to %d characters",
		    PYTHON_PATH_BYTES - 1);
	while (i < PYTHONS_MAX && names->pythons.path[i][0] &&
	    (strlen(names->pythons.path[i]) != length ||
		memcmp(names->pythons.path[i], path, length) != 0))
		i++;
	if (i == PYTHONS_MAX)
		return why(-EINVAL, "a runtime has at most %d Python interpreters", PYTHONS_MAX);
	int r = names->pythons.path[i][0] ? 0 : spec_python_add_resource(names, i);
	if (r < 0)
		return r;
	snprintf(names->pythons.path[i], PYTHON_PATH_BYTES, "%.*s", (int)length, path);
	*ret = i;
	return 0;
}

void spec_python_grant(const struct resource_names *names, struct worker_kind *kind)
{
	uint32_t resource = kind->python && kind->python <= PYTHONS_MAX
	    ? spec_python_resource(names, kind->python - 1)
	    : (uint32_t)RESOURCES_MAX;
	if (resource < RESOURCES_MAX)
		kind->amount[resource] = (uint64_t)kind->cpus * AMOUNT_UNIT;
}

int spec_python_everywhere(
    const char *path, struct resource_names *names, struct worker_kind *kind, uint32_t kinds)
{
	uint32_t number;
	bool all_have = true;
	for (uint32_t i = 0; i < kinds; i++)
		all_have &= kind[i].python != 0;
	if (all_have)
		return 0;
	int r = spec_python_add(names, path, strlen(path), &number);
	for (uint32_t i = 0; i < kinds && r == 0; i++) {
		if (kind[i].python)
			continue;
		kind[i].python = number + 1;
		spec_python_grant(names, &kind[i]);
	}
	return r;
}
