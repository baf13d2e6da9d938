/* test_history.c - bounds, searches and sums of the history of durable tasks. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/journal_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, LINE_BYTES = 32 };

/* A command that the history shows with this number. */
static char *keep_line(unsigned number)
{
	char line[LINE_BYTES];
	snprintf(line, sizeof line, ": '<%u>'", number);
	return keep("--shell", line);
}

START_TEST(the_history_is_bounded_by_count_and_by_age)
{
	journal_boot();
	for (unsigned i = 1; i <= 10; i++)
		free(keep_line(i));
	status_reaches("journal_ended", 10);
	runtime_stop(&host);
	journal_reboot("--history-count", "3", );
	until_history("<8>", "id", "8");
	uint64_t deadline = deadline_after_ms(DEADLINE_MS);
	while (history_count("done") > 3)
		ck_assert_msg(clock_ns() < deadline, "%u are left", history_count("done"));
	ck_assert_ptr_null(history_line("<7>"));
	runtime_stop(&host);
	journal_reboot("--history-age", "1ms", );
	while (history_count("done") > 0)
		ck_assert_msg(clock_ns() < deadline, "%u are left", history_count("done"));
	journal_end();
}
END_TEST

START_TEST(the_history_is_searched_and_summed_up)
{
	journal_boot();
	for (unsigned i = 1; i <= 3; i++)
		free(keep_line(i));
	free(keep("--label", "odd", "--shell", "exit 3 # Special"));
	status_reaches("journal_ended", 4);
	char *found = ctl_expect(&host, 0, "history", "--json", "--exit-code", "3");
	ck_assert_ptr_nonnull(strstr(found, "Special"));
	ck_assert_ptr_null(strchr(found, '\n'));
	free(found);
	found = ctl_expect(&host, 0, "history", "--json", "--label", "odd");
	ck_assert_ptr_nonnull(strstr(found, "\"label\": \"odd\""));
	ck_assert_ptr_null(strchr(found, '\n'));
	free(found);
	found = ctl_expect(&host, 0, "history", "--json", "--include", "special");
	ck_assert_ptr_nonnull(strstr(found, "Special"));
	free(found);
	found = ctl_expect(&host, 0, "history", "--json", "--since", "2020-01-01", "--until", "1h");
	ck_assert_str_eq(found, "");
	free(found);
	found = ctl_expect(&host, 0, "history", "--json", "--since", "1h", "--limit", "2");
	ck_assert_ptr_nonnull(strstr(found, "<3>"));
	ck_assert_ptr_null(strstr(found, "<2>"));
	free(found);
	found = ctl_expect(&host, 0, "history", "--json", "--totals", "user");
	ck_assert_ptr_nonnull(strstr(found, "\"tasks\": 4, \"done\": 3, \"failed\": 1,"));
	free(found);
	free(ctl_expect(&host, 65, "history", "12345"));
	free(ctl_expect(&host, 64, "history", "--since", "yesterday"));
	free(ctl_expect(&host, 66, "history", "--state-dir", "/"));
	journal_end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tcase = tcase_create("plmctl history");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	tcase_add_test(tcase, the_history_is_bounded_by_count_and_by_age);
	tcase_add_test(tcase, the_history_is_searched_and_summed_up);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
