/* db_parts.h - what db.c and salvage.c share of the file.
 * Who: the journal alone.  Errors: as db.h. */
#ifndef PLM_JOURNAL_DB_PARTS_H
#define PLM_JOURNAL_DB_PARTS_H

#include <sqlite3.h>

#include "journal/db.h"

extern const char db_schema[];
extern const char *const db_tables[]; /* NULL behind the last */

/* The file as it is, with our settings; not looked through. */
int db_connect(struct db *db, bool fsync);

/* Sets the damaged file aside, makes a new one, and copies what can be read. */
int salvage(struct db *db, bool fsync, const char *damage);

#endif
