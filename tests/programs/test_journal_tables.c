/* test_journal_tables.c - a journal with foreign tables, and rare rows: a sound file is refused
 * and left alone, a damaged file is salvaged, its tasks run, and no process dies. */
#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/plm.h"
#include "tests/support/fixture.h"
#include "tests/support/journal_case.h"
#include "tests/support/run_suite.h"

enum { TEST_TIMEOUT_S = 120, PATH_BYTES = 256, TEXT_BYTES = 4096, LARGE_BYTES = 8 << 20 };

static void journal_path(char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "%s/journal.db", state_directory);
}

/* Changes the tables as a user, or a page of another file, may do. */
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
	ctl_until(&host, "\"journal_trouble\": null", "status", "--json");
	ck_assert_uint_eq(files_set_aside(), before + 1);
	free(keep("true"));
	history_settles();
	runtime_stop(&host);
}

static void one_that_has_ended(void)
{
	journal_boot();
	free(keep("true"));
	history_reaches("done", 1);
	runtime_stop(&host);
}

/* plm refuses to boot, says what to do, and moves and writes no file. */
static void is_refused(void)
{
	unsigned before = files_set_aside();
	const char *const arguments[] = { "--name", host.name, "--tied", "--state", state_directory,
		NULL };
	struct output_of o = program_run(&host, "plm", arguments, NULL, 0);
	ck_assert_msg(o.code == 73, "exit code %d: %s", o.code, o.err);
	ck_assert_msg(
	    strstr(o.err, "a newer version made it, or a user altered it") != NULL, "%s", o.err);
	output_free(&o);
	ck_assert_uint_eq(files_set_aside(), before);
}

START_TEST(a_column_more_is_refused_and_no_task_is_lost)
{
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	for (int i = 0; i < 5; i++)
		free(keep("true"));
	journal_crash();
	change_tables("ALTER TABLE task ADD COLUMN newer TEXT");
	is_refused();
	is_refused();
	change_tables("ALTER TABLE task DROP COLUMN newer");
	journal_reboot();
	history_reaches("done", 5);
	journal_end();
}
END_TEST

START_TEST(tables_of_other_columns_or_none_are_refused)
{
	static const char *const changes[][2] = {
		{ "DROP VIEW history; CREATE TABLE history(mine)", "DROP TABLE history" },
		{ "UPDATE mark SET number = 2 WHERE name = 'version'",
		    "UPDATE mark SET number = 1 WHERE name = 'version'" },
		{ "ALTER TABLE task RENAME COLUMN label TO word",
		    "ALTER TABLE task RENAME COLUMN word TO label" },
		/* the last: SQLite writes the old name back with quotes, which is refused, too */
		{ "ALTER TABLE ended RENAME TO over", "ALTER TABLE over RENAME TO ended" },
	};
	one_that_has_ended();
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		change_tables(changes[i][0]);
		const char *const arguments[] = { "--name", host.name, "--tied", "--state",
			state_directory, NULL };
		struct output_of o = program_run(&host, "plm", arguments, NULL, 0);
		ck_assert_msg(o.code == 73 && strstr(o.err, "--state DIR"), "%s: exit code %d: %s",
		    changes[i][0], o.code, o.err);
		output_free(&o);
		change_tables(changes[i][1]);
	}
	ck_assert_uint_eq(files_set_aside(), 0);
	change_tables("UPDATE sqlite_schema SET sql = replace(sql, '\"ended\"', 'ended')");
	journal_reboot();
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

/* An older version made the file: the table of moves came later. */
START_TEST(a_file_without_the_table_of_moves_is_taken_and_gets_the_table)
{
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	free(keep("true"));
	journal_crash();
	change_tables("DROP TABLE moved");
	journal_reboot();
	history_reaches("done", 1);
	runtime_stop(&host);
	change_tables("DELETE FROM moved"); /* it is there */
	change_tables("ALTER TABLE moved ADD COLUMN newer");
	is_refused();
	runtime_end(&host);
}
END_TEST

START_TEST(a_view_without_end_in_the_place_of_a_table_holds_nobody_up)
{
	one_that_has_ended();
	change_tables(
	    "DROP TABLE resumed; CREATE VIEW resumed AS WITH RECURSIVE n(task) AS "
	    "(SELECT 1 UNION ALL SELECT task + 1 FROM n) "
	    "SELECT task, 1 AS boot, 1 AS ref, 1 AS at, 0 AS retries, 0 AS crash_retries FROM n");
	struct output_of o = ctl(&host, "history", "--state-dir", state_directory);
	ck_assert_int_eq(o.code, 125);
	ck_assert_msg(strstr(o.err, "is not understood"), "%s", o.err);
	output_free(&o);
	is_refused();
	runtime_end(&host);
}
END_TEST

/* ---- foreign tables in a damaged file ---- */

/* Two empty tables name the same page. */
#define DAMAGE                                                                           \
	"UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE " \
	"name = 'forgotten') WHERE name = 'needed'"

START_TEST(of_a_damaged_file_with_other_columns_all_that_we_know_is_salvaged)
{
	one_that_has_ended();
	change_tables("ALTER TABLE task ADD COLUMN newer TEXT;"
		      "ALTER TABLE task DROP COLUMN identity;" DAMAGE);
	is_salvaged();
	journal_reboot();
	ck_assert_uint_eq(history_count("done"), 2);
	journal_end();
}
END_TEST

/* The file has the tasks but not their ends. plm does not guess, and runs no such task. */
START_TEST(without_the_table_of_ends_no_task_is_run_again)
{
	one_that_has_ended();
	change_tables("DROP TABLE ended;" DAMAGE);
	is_salvaged();
	journal_reboot();
	ck_assert_uint_eq(history_count("failed"), 1);
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

/* ---- a salvage was killed ---- */

static void leave_half_salvaged(const char *aside, bool moved)
{
	char path[PATH_BYTES], name[PATH_BYTES + 64];
	journal_path(path);
	snprintf(name, sizeof name, "%s.salvage", path);
	ck_assert_int_eq(symlink(aside, name), 0);
	if (moved)
		ck_assert_int_eq(rename(path, aside), 0);
	snprintf(name, sizeof name, "%s.new", path);
	FILE *half = fopen(name, "w");
	ck_assert_ptr_nonnull(half);
	fputs("half of it", half);
	fclose(half);
}

START_TEST(a_salvage_that_was_killed_is_begun_again_and_loses_nothing)
{
	char path[PATH_BYTES], aside[PATH_BYTES + 64];
	one_that_has_ended();
	journal_path(path);
	for (int moved = 0; moved < 2; moved++) {
		snprintf(aside, sizeof aside, "%s.damaged-by-test-%d", path, moved);
		leave_half_salvaged(aside, moved);
		journal_reboot();
		ctl_until(&host, "\"journal_damage\": \"set aside as journal.db.damaged-by-test",
		    "status", "--json");
		ck_assert_uint_eq(history_count("done"), 1);
		ck_assert_int_eq(access(aside, F_OK), 0);
		runtime_stop(&host);
	}
	journal_reboot();
	ctl_until(&host, "\"journal_damage\": null", "status", "--json");
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

/* If a process had died, the log would name the death and the replacement. */
static void log_is_silent_about(const char *text)
{
	char path[PATH_BYTES], line[TEXT_BYTES];
	scratch_path(&host, "plm.log", path, sizeof path);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f))
		ck_assert_msg(!strstr(line, text), "the log says: %s", line);
	fclose(f);
}

START_TEST(an_argument_of_no_bytes_is_queued_again)
{
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	free(ctl_expect(&host, 0, "call", "--detach", "probe.wordcount", ""));
	journal_crash();
	journal_reboot();
	history_settles();
	ck_assert_uint_eq(history_count("done"), 1);
	log_is_silent_about("signal");
	journal_end();
}
END_TEST

/* Other tasks must not wait for room that this store can never have. */
START_TEST(an_argument_that_this_store_cannot_hold_fails_its_task_alone)
{
	plm *rt;
	plm_ref ref;
	char *large = calloc(1, LARGE_BYTES);
	ck_assert_ptr_nonnull(large);
	journal_boot("--durability", "sync", );
	free(ctl_expect(&host, 0, "pause"));
	const plm_task task = { .function = "probe.wordcount",
		.nargs = 1,
		.flags = PLM_KEEP,
		.args = &PLM_BYTES(large, LARGE_BYTES) };
	ck_assert_int_eq(plm_connect(&rt, host.name), 0);
	ck_assert_int_eq(plm_submit(rt, &task, &ref), 0);
	plm_disconnect(&rt);
	free(large);
	free(keep("true"));
	journal_crash();
	journal_reboot("--store", "4M", );
	history_settles();
	ck_assert_uint_eq(history_count("failed"), 1);
	ck_assert_uint_eq(history_count("done"), 1);
	journal_end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_column_more_is_refused_and_no_task_is_lost,
		tables_of_other_columns_or_none_are_refused,
		a_file_without_the_table_of_moves_is_taken_and_gets_the_table,
		a_view_without_end_in_the_place_of_a_table_holds_nobody_up,
		of_a_damaged_file_with_other_columns_all_that_we_know_is_salvaged,
		without_the_table_of_ends_no_task_is_run_again,
		a_salvage_that_was_killed_is_begun_again_and_loses_nothing,
		an_argument_of_no_bytes_is_queued_again,
		an_argument_that_this_store_cannot_hold_fails_its_task_alone,
	};
	return run_tests(
	    "journal, tables", TEST_TIMEOUT_S, NULL, NULL, tests, sizeof tests / sizeof tests[0]);
}
