#include "tests/support/explain_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 60 };

void end(void)
{
	runtime_end(&host);
}

enum { KEPT_MAX = 64 };
static char *kept[KEPT_MAX];
static size_t kept_count;

char *keep(char *text)
{
	ck_assert_uint_lt(kept_count, KEPT_MAX);
	return kept[kept_count++] = text;
}

void until_code(const char *ref, const char *code)
{
	char line[64];
	snprintf(line, sizeof line, "\"number\": 1, \"reason\": \"%s\"", code);
	ctl_until(&host, line, "explain", "--json", ref);
}

void until_running(const char *ref)
{
	ctl_until(&host, ref, "tasks", "--state", "running", "--quiet");
}

void until_all(const char *ref, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		ctl_until(&host, words[i], "explain", ref);
	struct output_of o = ctl(&host, "explain", ref);
	for (size_t i = 0; words[i]; i++)
		ck_assert_msg(strstr(o.out, words[i]) != NULL, "no \"%s\" in: %s", words[i], o.out);
	output_free(&o);
}

int member_pid(const char *kind)
{
	char *save, *out = ctl_expect(&host, 0, "workers", "--all", "--json"), words[64];
	int pid = 0;
	snprintf(words, sizeof words, "\"kind\": \"%s\"", kind);
	for (char *line = strtok_r(out, "\n", &save); line && pid == 0;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, words) && strstr(line, "\"state\": \"live\""))
			pid = atoi(strstr(line, "\"pid\": ") + strlen("\"pid\": "));
	free(out);
	return pid;
}

int run_explain(const char *name, const TTest *const *tests, size_t n)
{
	return run_tests(name, TEST_TIMEOUT_S, NULL, NULL, tests, n);
}
