/* places.h - process slots for clients.
 *
 * Members and clients share the process slots. Without workers no task runs, and without a process
 * slot nobody can look at the runtime or rule the runtime. So waiting clients may not take all
 * process slots: the manager keeps a process slot for each planned process (wanted workers and
 * spares, also dead ones), and a few for visits (DOOR_VISIT). A dead process keeps the process slot
 * until the scheduler has cleaned up, for some milliseconds; the successor waits.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_PLACES_H
#define PLM_PLACES_H

#include <stdbool.h>
#include <stdint.h>

struct manager;
struct backoff;

/* May another client come in? *ret_kept: into a process slot kept for visits. 0 or -EUSERS. */
int places_for_client(const struct manager *m, bool visit, bool *ret_kept);
int places_none(const struct manager *m);         /* -EUSERS, with a why */
uint32_t places_clients(const struct manager *m); /* process slots in use by clients */

/* A member found no process slot, or has found one again. A long search is logged. */
void places_starve(const struct manager *m, struct backoff *b, const char *what);
void places_feed(struct backoff *b, const char *what);

#endif
