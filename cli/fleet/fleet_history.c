/* fleet_history.c - the tasks of a fleet as a history: rows of a database in memory with the views
 * of a journal, so that filters, sums and cells are the same. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "base/check.h"
#include "base/why.h"
#include "cli/fleet/fleet_cli.h"
#include "cli/history.h"

static const char history_schema[] =
    "CREATE TABLE history(id INTEGER PRIMARY KEY, ref, state, exit_code, submitted, run_ms,"
    " attempts, label, command, message, host, needs, priority, began, ended, code, signal,"
    " user, cpu_ms);"
    "CREATE VIEW history_ref AS SELECT id AS task, ref FROM history;"
    "BEGIN";

static const char history_insert[] =
    "INSERT INTO history VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, ''), ?9, nullif(?10, ''),"
    " nullif(?11, ''), nullif(?12, ''), ?13, nullif(?14, 0), nullif(?15, 0), ?16, ?17, NULL, 0)";

static const char *fleet_history_state(const struct engine_row *row)
{
	if (!engine_settled(row->state))
		return row->state == ENGINE_RUNNING ? "running" : "queued";
	return fleet_is_dead(row) ? "dead" : engine_state_name(row->state);
}

static bool fleet_history_has_exit(const struct engine_row *row)
{
	return row->state == ENGINE_DONE ||
	    (row->state == ENGINE_FAILED &&
		strncmp(row->message, PLM_COMMAND_SAYS_EXIT, strlen(PLM_COMMAND_SAYS_EXIT)) == 0);
}

static bool fleet_history_add(struct context *context, const struct engine_row *row, void *argument)
{
	sqlite3_stmt *s = argument;
	char ref[PLM_REF_TEXT_BYTES];
	const struct {
		int at;
		const char *text;
	} texts[] = { { 2, ref }, { 3, fleet_history_state(row) }, { 8, row->label },
		{ 9, row->title }, { 10, row->message }, { 11, row->host }, { 12, row->needs } };
	const struct {
		int at;
		uint64_t number;
	} numbers[] = { { 1, row->id }, { 5, row->added_ms }, { 7, row->attempt },
		{ 14, row->began_ms }, { 15, row->ended_ms } };
	plm_ref_print(engine_ref(context->engine, row->id), ref);
	sqlite3_clear_bindings(s);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		sqlite3_bind_text(s, texts[i].at, texts[i].text, -1, SQLITE_STATIC);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		sqlite3_bind_int64(s, numbers[i].at, (int64_t)numbers[i].number);
	sqlite3_bind_int(s, 13, row->priority);
	sqlite3_bind_int(s, 16, row->code);
	sqlite3_bind_int(s, 17, row->signal);
	if (fleet_history_has_exit(row))
		sqlite3_bind_int(s, 4, row->code);
	if (row->ended_ms && row->began_ms && row->ended_ms >= row->began_ms)
		sqlite3_bind_int64(s, 6, (int64_t)(row->ended_ms - row->began_ms));
	return sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK;
}

int fleet_history(struct context *context, struct history **ret)
{
	static const struct task_filter all;
	sqlite3_stmt *s = NULL;
	int r = history_in_memory(ret);
	sqlite3 *db = r == 0 ? history_database(*ret) : NULL;
	int done = db ? sqlite3_exec(db, history_schema, NULL, NULL, NULL) : SQLITE_OK;
	if (db && done == SQLITE_OK)
		done = sqlite3_prepare_v2(db, history_insert, -1, &s, NULL);
	if (db && done != SQLITE_OK)
		r = history_failure(*ret, done);
	if (r < 0)
		return failed(r, "history");
	int code = fleet_each(context, &all, fleet_history_add, s);
	done = sqlite3_finalize(s);
	return done == SQLITE_OK ? code : failed(history_failure(*ret, done), "history");
}
