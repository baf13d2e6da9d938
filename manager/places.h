/* places.h - which process slots clients may have.
 *
 * Members and clients share the process slots. Without workers no task runs, and without a process
 * slot nobody can look at the runtime or rule it. So clients that only wait may not take all of
 * them: a process slot is kept for each planned process (wanted workers and the spares they may
 * get, also while they are dead), and a few are kept for visits (DOOR_VISIT). A dead process keeps
 * its process slot until the scheduler has cleaned up, for some milliseconds; its successor waits.
 * Where: the manager.  Blocks: never. */
#ifndef PLM_PLACES_H
#define PLM_PLACES_H

#include <stdbool.h>
#include <stdint.h>

struct manager;
struct backoff;

/* May one more client come in? *ret_kept: into a process slot kept for visits. 0 or -EUSERS. */
int places_for_client(const struct manager *m, bool visit, bool *ret_kept);
int places_none(const struct manager *m);         /* -EUSERS, with a why */
uint32_t places_clients(const struct manager *m); /* process slots that clients have */

/* A member found no process slot, or has found one again. Logged when it lasts. */
void places_starve(const struct manager *m, struct backoff *b, const char *what);
void places_feed(struct backoff *b, const char *what);

#endif
