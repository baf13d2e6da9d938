#include "cli/top/top_functions.h"

#include <string.h>

/* The log cuts names of programs and of Python functions. */
static bool functions_same(const char *logged, const char *counted)
{
	size_t length = strlen(logged);
	return length == FLOW_NAME_LENGTH ? strncmp(logged, counted, length) == 0
					  : strcmp(logged, counted) == 0;
}

static void functions_add_runs(
    struct functions *functions, size_t counted, const struct runs_of *runs)
{
	for (size_t i = 0; i < counted; i++)
		if (!functions->row[i].runs && functions_same(runs->name, functions->row[i].name)) {
			functions->row[i].runs = runs;
			return;
		}
	functions->row[functions->n++] = (struct function_row){ runs->name, NULL, runs };
}

void functions_join(struct functions *functions, const struct count *count, const struct flow *flow)
{
	functions->n = 0;
	for (unsigned i = 0; count && i < count->groups; i++)
		functions->row[functions->n++] =
		    (struct function_row){ count->group[i].name, &count->group[i], NULL };
	size_t counted = functions->n;
	for (unsigned i = 0; flow->lives && i < flow->runs.functions; i++)
		functions_add_runs(functions, counted, &flow->runs.function[i]);
}
