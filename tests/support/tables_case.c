#include "tests/support/tables_case.h"

#include <check.h>

#include "base/why.h"
#include "tests/support/suite_watcher.h"

struct tables tables;

void tables_case_create(const struct limits *limits)
{
	char name[RUNTIME_NAME_BYTES];
	test_runtime_name(name, sizeof name);
	ck_assert_msg(tables_create(name, limits, &tables) == 0, "%s", why_text());
	tables_unlink(name);
}

void tables_case_detach(void)
{
	tables_detach(&tables);
}
