#include "cli/runs/runs_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_LEAST = 64, NAMES_MOST = 1 << 14 };

static bool names_grow(struct run_names *names, uint32_t number)
{
	uint32_t size = names->size ? names->size : NAMES_LEAST;
	while (size <= number)
		size *= 2;
	void *grown = realloc(names->name, size * sizeof *names->name);
	if (!grown)
		return false;
	names->name = grown;
	memset(names->name[names->size], 0, (size - names->size) * sizeof *names->name);
	names->size = size;
	return true;
}

void names_learn(struct run_names *names, uint32_t number, const char *name)
{
	if (number >= NAMES_MOST || !name[0])
		return;
	if (number >= names->size && !names_grow(names, number))
		return;
	if (!names->name[number][0])
		snprintf(names->name[number], RUN_NAME_BYTES, "%.*s", RUN_NAME_BYTES - 1, name);
}

const char *names_of(const struct run_names *names, uint32_t number)
{
	return number < names->size ? names->name[number] : "";
}

void names_free(struct run_names *names)
{
	free(names->name);
	*names = (struct run_names){ .size = 0 };
}

const char *run_ending_name(enum run_ending ending)
{
	static const char *const names[RUN_ENDINGS] = { "done", "failed", "cancelled", "returned",
		"running", "end unknown" };
	return (unsigned)ending < RUN_ENDINGS ? names[ending] : "?";
}
