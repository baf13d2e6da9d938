/* test_history.c - bounds, searches and sums of the history of durable tasks. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/journal_case.h"
#include "tests/support/json.h"
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

/* ---- the views, which anybody may read ---- */

/* The first value that a query finds in the file, as text; the caller frees. */
static char *ask_file(const char *sql)
{
	char path[STATE_BYTES + LINE_BYTES];
	sqlite3 *db;
	sqlite3_stmt *s;
	snprintf(path, sizeof path, "%s/journal.db", state_directory);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, "%s: %s", sql,
	    sqlite3_errmsg(db));
	int code = sqlite3_step(s);
	ck_assert_msg(code == SQLITE_ROW || code == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
	const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	char *ret = strdup(text ? text : "null");
	sqlite3_finalize(s);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return ret;
}

static void one_odd_task(void)
{
	journal_boot();
	free(keep("--label", "odd", "--shell", "echo out; exit 3 # Special"));
	history_reaches("failed", 1);
}

START_TEST(the_view_says_what_the_history_says)
{
	static const char *const keys[] = { "id", "ref", "state", "exit_code", "run_ms", "attempts",
		"label", "command", "message", "first_ref", "resumed", "function", "user",
		"priority", "worker", "code", "signal", "user_ms", "system_ms", "resident_bytes",
		"stdout_bytes", "stderr_bytes", "value_bytes", "not_durable", "stdout" };
	char sql[128];
	one_odd_task();
	char *line = history_line("Special");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		snprintf(sql, sizeof sql, "SELECT %s FROM history WHERE label = 'odd'", keys[i]);
		char *said = json_field(line, keys[i]), *stored = ask_file(sql);
		ck_assert_msg(said && strcmp(said, stored) == 0, "%s: %s, in the view %s", keys[i],
		    said, stored);
		free(said);
		free(stored);
	}
	free(line);
	char *ref = ask_file("SELECT ref FROM history"), *same;
	ck_assert_str_eq(same = ask_file("SELECT ref FROM history_ref"), ref);
	free(same);
	free(ref);
	journal_end();
}
END_TEST

START_TEST(a_journal_without_its_view_is_refused_and_the_next_boot_adds_the_view)
{
	one_odd_task();
	runtime_stop(&host);
	free(ask_file("DROP VIEW history"));
	struct output_of o = ctl(&host, "history", "--state-dir", state_directory);
	ck_assert_int_eq(o.code, 76);
	ck_assert_msg(strstr(o.err, "an earlier plm wrote it: boot plm once"), "%s", o.err);
	output_free(&o);
	journal_reboot();
	history_reaches("failed", 1);
	journal_end();
}
END_TEST

START_TEST(a_view_of_another_version_is_made_anew)
{
	one_odd_task();
	runtime_stop(&host);
	free(ask_file("DROP VIEW history"));
	free(ask_file("CREATE VIEW history AS SELECT id, 'none' AS state FROM task"));
	struct output_of o = ctl(&host, "history", "--state-dir", state_directory);
	ck_assert_int_eq(o.code, 125);
	ck_assert_msg(strstr(o.err, "is not understood"), "%s", o.err);
	output_free(&o);
	journal_reboot();
	history_reaches("failed", 1);
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
	tcase_add_test(tcase, the_view_says_what_the_history_says);
	tcase_add_test(
	    tcase, a_journal_without_its_view_is_refused_and_the_next_boot_adds_the_view);
	tcase_add_test(tcase, a_view_of_another_version_is_made_anew);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
