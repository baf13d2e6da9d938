/* test_journal_tables.c - a journal whose tables are not those that it is made with, and rows that
 * are rare: it is salvaged, its tasks run, and nobody dies of it. */
#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/plm.h"
#include "tests/journal_case.h"
#include "tests/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 256, TEXT_BYTES = 4096, COLUMNS = 400,
	LARGE_BYTES = 8 << 20 };

static void journal_path(char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/journal.db", state_directory);
}

/* As somebody's hand, or a page of another file, leaves it. */
static void change_tables(const char *sql)
{
	char path[PATH_BYTES];
	sqlite3 *db;
	char *said = NULL;
	journal_path(path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA writable_schema=ON", NULL, NULL, NULL), 0);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &said) == 0, "%s: %s", sql, said);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static unsigned files_set_aside(void)
{
	unsigned n = 0;
	DIR *all = opendir(state_directory);
	ck_assert_ptr_nonnull(all);
	for (const struct dirent *entry; (entry = readdir(all)) != NULL;)
		n += strncmp(entry->d_name, "journal.db.damaged-", 19) == 0;
	closedir(all);
	return n;
}

static void is_salvaged(void)
{
	unsigned before = files_set_aside();
	journal_reboot();
	ctl_until(&lasting, "\"journal_trouble\": null", "status", "--json");
	ck_assert_uint_eq(files_set_aside(), before + 1);
	free(keep("true"));
	history_settles();
	runtime_stop(&lasting);
}

static void one_that_has_ended(void)
{
	journal_boot();
	free(keep("true"));
	history_reaches("done", 1);
	runtime_stop(&lasting);
}

START_TEST(a_column_of_another_name_is_a_damage_that_is_salvaged)
{
	one_that_has_ended();
	change_tables("UPDATE sqlite_schema SET sql = replace(sql, 'label TEXT', 'lobel TEXT')");
	is_salvaged();
	journal_reboot();
	ck_assert_uint_eq(history_count("done"), 2);
	journal_end();
}
END_TEST

START_TEST(more_columns_than_a_table_has_are_not_copied)
{
	char sql[TEXT_BYTES];
	one_that_has_ended();
	int n = snprintf(sql, sizeof sql,
	    "UPDATE sqlite_schema SET sql = 'CREATE TABLE boot(id");
	for (int i = 0; i < COLUMNS; i++)
		n += snprintf(sql + n, sizeof sql - (size_t)n, ", c%d", i);
	snprintf(sql + n, sizeof sql - (size_t)n, ")' WHERE name = 'boot'");
	change_tables(sql);
	is_salvaged();
	journal_end();
}
END_TEST

START_TEST(a_view_without_end_in_the_place_of_a_table_holds_nobody_up)
{
	one_that_has_ended();
	change_tables("DROP TABLE resumed; CREATE VIEW resumed AS WITH RECURSIVE n(task) AS "
	    "(SELECT 1 UNION ALL SELECT task + 1 FROM n) "
	    "SELECT task, 1 AS boot, 1 AS ref, 1 AS at, 0 AS retries, 0 AS crash_retries FROM n");
	struct output_of o = ctl(&lasting, "history", "--state-dir", state_directory);
	ck_assert_int_eq(o.code, 125);
	ck_assert_msg(strstr(o.err, "is damaged"), "%s", o.err);
	output_free(&o);
	is_salvaged();
	journal_end();
}
END_TEST

/* Tasks are there, whether they ended is not: they are not run on a guess. */
START_TEST(without_the_table_of_ends_no_task_is_run_again)
{
	one_that_has_ended();
	change_tables("DROP TABLE ended");
	is_salvaged();
	journal_reboot();
	ck_assert_uint_eq(history_count("failed"), 1);
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

/* Who died would have been replaced. */
static void log_is_silent_about(const char *text)
{
	char path[PATH_BYTES], line[TEXT_BYTES];
	scratch_path(&lasting, "plm.log", path, sizeof path);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f))
		ck_assert_msg(!strstr(line, text), "the log says: %s", line);
	fclose(f);
}

START_TEST(an_argument_of_no_bytes_is_queued_again)
{
	journal_boot("--durability", "sync",);
	free(ctl_expect(&lasting, 0, "pause"));
	free(ctl_expect(&lasting, 0, "call", "--detach", "probe.wordcount", ""));
	journal_crash();
	journal_reboot();
	history_settles();
	ck_assert_uint_eq(history_count("done"), 1);
	log_is_silent_about("signal");
	journal_end();
}
END_TEST

/* The others do not wait for a store that is never going to be larger. */
START_TEST(an_argument_that_this_store_cannot_hold_fails_its_task_alone)
{
	plm *rt;
	plm_ref ref;
	char *large = calloc(1, LARGE_BYTES);
	ck_assert_ptr_nonnull(large);
	journal_boot("--durability", "sync",);
	free(ctl_expect(&lasting, 0, "pause"));
	const plm_task task = { .function = "probe.wordcount", .nargs = 1, .flags = PLM_KEEP,
		.args = &PLM_BYTES(large, LARGE_BYTES) };
	ck_assert_int_eq(plm_connect(&rt, lasting.name), 0);
	ck_assert_int_eq(plm_submit(rt, &task, &ref), 0);
	plm_disconnect(&rt);
	free(large);
	free(keep("true"));
	journal_crash();
	journal_reboot("--store", "4M",);
	history_settles();
	ck_assert_uint_eq(history_count("failed"), 1);
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_column_of_another_name_is_a_damage_that_is_salvaged,
		more_columns_than_a_table_has_are_not_copied,
		a_view_without_end_in_the_place_of_a_table_holds_nobody_up,
		without_the_table_of_ends_no_task_is_run_again,
		an_argument_of_no_bytes_is_queued_again,
		an_argument_that_this_store_cannot_hold_fails_its_task_alone,
	};
	Suite *suite = suite_create("journal, tables");
	TCase *tcase = tcase_create("plm --state");
	tcase_set_timeout(tcase, TEST_TIMEOUT_S);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
