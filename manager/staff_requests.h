/* staff_requests.h - what `plmctl workers --set`, `drain WORKER` and `resume WORKER` ask for.
 *
 * Where: the manager.  Blocks: never.  Errors: -errno with a why for the client.
 * Death between the order and its effect: the order is one store in the control page, and the next
 * manager acts on the page. */
#ifndef PLM_STAFF_REQUESTS_H
#define PLM_STAFF_REQUESTS_H

struct manager;

int staff_set(struct manager *m, const char *text);      /* workers of the first kind */
int staff_drain(struct manager *m, const char *worker);  /* leaves and is not replaced ... */
int staff_resume(struct manager *m, const char *worker); /* ... until it is resumed */

#endif
