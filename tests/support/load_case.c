#include "tests/support/load_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct refs refs_of(struct output_of o)
{
	struct refs refs = { .text = strdup(o.out) };
	ck_assert_msg(o.code == 0, "exit code %d: %s", o.code, o.err);
	for (char *at = strtok(refs.text, "\n"); at; at = strtok(NULL, "\n")) {
		ck_assert_uint_lt(refs.n, REFS_MOST);
		refs.ref[refs.n++] = at;
	}
	output_free(&o);
	return refs;
}

void expect_value(const char *ref, const char *expected)
{
	check_output(ctl(&host, "get", ref), 0, expected, NULL);
}

unsigned count_tasks(const char *state)
{
	char *lines = ctl_expect(&host, 0, "tasks", "--json", "--state", state);
	unsigned n = 0;
	for (const char *at = lines; (at = strstr(at, "{\"ref\"")) != NULL; at++)
		n++;
	free(lines);
	return n;
}
