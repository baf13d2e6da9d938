/* db_parts.h - what db.c and salvage.c share of the file.
 * Who: the journal alone.  Errors: as db.h. */
#ifndef PLM_JOURNAL_DB_PARTS_H
#define PLM_JOURNAL_DB_PARTS_H

#include <sqlite3.h>

#include "journal/db.h"

enum { JOURNAL_VERSION = 1 }; /* of what the rows mean */

extern const char db_schema[];
extern const char *const db_tables[]; /* NULL behind the last */

/* The file as it is, with our settings; not looked through. */
int db_connect(struct db *db, bool fsync);

/* Sets the damaged file aside, makes a new one, copies what can be read, and opens it. */
int salvage(struct db *db, bool fsync, const char *damage);
/* A salvage was begun, and who did it died: 1, and it is to be done again; 0; or -errno. */
int salvage_is_due(const struct db *db);

/* Of a sound file: is it of our version? 0, or -EPROTO with a why. */
int db_check_version(struct db *db);

#endif
