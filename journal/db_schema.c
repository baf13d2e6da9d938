/* db_schema.c - the tables of the journal's file, and the views that anybody may read. */
#include <stddef.h>

#include "journal/db_parts.h"
#include "tables/record.h"

_Static_assert(RECORD_DONE == 5 && RECORD_FAILED == 6 && RECORD_CANCELLED == 7, "as in the file");

/* A single transaction, so that a truncated file has all tables or none. References are written as
 * by plm_ref_print(). */
const char db_schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS boot(id INTEGER PRIMARY KEY, runtime INTEGER, name TEXT,"
    " user TEXT, at INTEGER);"
    "CREATE TABLE IF NOT EXISTS task(id INTEGER PRIMARY KEY, boot INTEGER, ref INTEGER,"
    " at INTEGER, function TEXT, text TEXT, label TEXT, priority INTEGER, retries INTEGER,"
    " crash_retries INTEGER, results INTEGER, needs TEXT, limits TEXT, args BLOB, sum INTEGER,"
    " undurable TEXT, identity BLOB);"
    "CREATE TABLE IF NOT EXISTS attempt(task INTEGER, boot INTEGER, attempt INTEGER,"
    " running INTEGER, failures INTEGER, returns INTEGER, at INTEGER,"
    " PRIMARY KEY(task, boot, attempt, running)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS ended(task INTEGER PRIMARY KEY, boot INTEGER, state INTEGER,"
    " dead INTEGER, at INTEGER, began INTEGER, attempt INTEGER, worker INTEGER, code INTEGER,"
    " signal INTEGER, exit_code INTEGER, message TEXT, user_us INTEGER, system_us INTEGER,"
    " resident_kb INTEGER, out_bytes INTEGER, err_bytes INTEGER, value_bytes INTEGER,"
    " out BLOB, err BLOB);"
    "CREATE TABLE IF NOT EXISTS forgotten(task INTEGER PRIMARY KEY, at INTEGER);"
    "CREATE TABLE IF NOT EXISTS resumed(task INTEGER, boot INTEGER, ref INTEGER, at INTEGER,"
    " retries INTEGER, crash_retries INTEGER, PRIMARY KEY(task, boot)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS moved(task INTEGER PRIMARY KEY, at INTEGER, priority INTEGER,"
    " turn INTEGER, parked INTEGER);"
    "CREATE TABLE IF NOT EXISTS needed(task INTEGER PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS value(task INTEGER, which INTEGER, blob INTEGER,"
    " PRIMARY KEY(task, which)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blob(id INTEGER PRIMARY KEY, task INTEGER, hash INTEGER,"
    " bytes BLOB);"
    "CREATE INDEX IF NOT EXISTS blob_hash ON blob(hash);"
    "CREATE TABLE IF NOT EXISTS mark(name TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;"
    /* The views: docs/durable.md describes each column. */
    "CREATE VIEW IF NOT EXISTS history_ref AS SELECT t.id AS task,"
    " printf('@%x.%x.%x', t.ref & 4294967295, t.ref >> 32 & 4294967295, b.runtime) AS ref"
    " FROM task t LEFT JOIN boot b ON b.id = t.boot"
    " UNION ALL SELECT r.task,"
    " printf('@%x.%x.%x', r.ref & 4294967295, r.ref >> 32 & 4294967295, b.runtime)"
    " FROM resumed r LEFT JOIN boot b ON b.id = r.boot;"
    "CREATE VIEW IF NOT EXISTS history AS SELECT t.id AS id,"
    " printf('@%x.%x.%x', coalesce(r.ref, t.ref) & 4294967295,"
    "  coalesce(r.ref, t.ref) >> 32 & 4294967295, coalesce(c.runtime, b.runtime)) AS ref,"
    " CASE e.state WHEN 5 THEN 'done' WHEN 6 THEN CASE WHEN e.dead THEN 'dead' ELSE 'failed' END"
    "  WHEN 7 THEN 'cancelled' ELSE coalesce((SELECT CASE WHEN a.running THEN 'running'"
    "   ELSE 'queued' END FROM attempt a WHERE a.task = t.id AND a.boot = coalesce(r.boot, t.boot)"
    "   ORDER BY a.attempt DESC, a.running LIMIT 1), 'queued') END AS state,"
    " CASE WHEN e.exit_code >= 0 THEN e.exit_code END AS exit_code, t.at AS submitted,"
    " CASE WHEN e.began > 0 AND e.at >= e.began THEN e.at - e.began END AS run_ms,"
    " coalesce(e.attempt, (SELECT max(a.attempt) FROM attempt a WHERE a.task = t.id"
    "  AND a.boot = coalesce(r.boot, t.boot)), 0) AS attempts,"
    " t.label AS label, t.text AS command, e.message AS message,"
    " printf('@%x.%x.%x', t.ref & 4294967295, t.ref >> 32 & 4294967295, b.runtime)"
    "  AS first_ref,"
    " (SELECT count(*) FROM resumed x WHERE x.task = t.id) AS resumed,"
    " t.function AS function, b.user AS user, t.priority AS priority,"
    " coalesce(e.began, (SELECT a.at FROM attempt a WHERE a.task = t.id AND a.running"
    "  ORDER BY a.boot DESC, a.attempt DESC LIMIT 1)) AS began, e.at AS ended,"
    " CASE WHEN e.worker >= 0 THEN e.worker END AS worker,"
    " coalesce(e.code, 0) AS code, coalesce(e.signal, 0) AS signal,"
    " coalesce(e.user_us, 0) / 1000 AS user_ms, coalesce(e.system_us, 0) / 1000 AS system_ms,"
    " coalesce(e.user_us + e.system_us, 0) / 1000 AS cpu_ms,"
    " coalesce(e.resident_kb, 0) * 1024 AS resident_bytes,"
    " coalesce(e.out_bytes, 0) AS stdout_bytes, coalesce(e.err_bytes, 0) AS stderr_bytes,"
    " coalesce(e.value_bytes, 0) AS value_bytes, t.undurable AS not_durable,"
    " e.out AS stdout, e.err AS stderr"
    " FROM task t LEFT JOIN ended e ON e.task = t.id LEFT JOIN boot b ON b.id = t.boot"
    " LEFT JOIN resumed r ON r.task = t.id"
    "  AND r.boot = (SELECT max(x.boot) FROM resumed x WHERE x.task = t.id)"
    " LEFT JOIN boot c ON c.id = r.boot;"
    "COMMIT;";

const char *const db_tables[] = {
	"boot",
	"task",
	"attempt",
	"ended",
	"forgotten",
	"resumed",
	"moved",
	"needed",
	"value",
	"blob",
	"mark",
	NULL,
};

const char *const db_tables_later[] = { "moved", NULL };

const char *const db_views[] = { "history", "history_ref", NULL };
