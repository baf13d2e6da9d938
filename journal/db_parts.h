/* db_parts.h - what db.c, db_open.c and salvage.c share.
 * Where: the journal.  Errors: as db.h. */
#ifndef PLM_JOURNAL_DB_PARTS_H
#define PLM_JOURNAL_DB_PARTS_H

#include <sqlite3.h>

#include "journal/db.h"

enum {
	JOURNAL_VERSION = 1, /* of the meaning of rows */
	BUSY_MS = 5000,
};

/* db_schema.c: makes what is missing; the names of tables and views, to a NULL. Tables added after
 * the first version may be missing in a sound file. */
extern const char db_schema[];
extern const char *const db_tables[], *const db_tables_later[], *const db_views[];

/* Opens the file with our settings, without a look at the tables. */
int db_connect(struct db *db, bool fsync);
int db_execute(struct db *db, const char *sql, const char *doing);

/* Sets the damaged file aside, copies all readable rows into a new file, and opens that. */
int salvage(struct db *db, bool fsync, const char *damage);
/* 1: a journal died during a salvage, which is to be done again; 0; -errno. */
int salvage_is_due(const struct db *db);

/* Is a sound file of our version? 0, or -EPROTO with a why. */
int db_check_version(struct db *db);

#endif
