/* staff_requests.h - the requests `plmctl workers --set`, `drain WORKER`, `resume WORKER`.
 *
 * Where: the manager.  Blocks: never.  Errors: -errno with a why for the client.
 * Death between order and effect: the order is a single store in the control page, and the next
 * manager acts on the page. */
#ifndef PLM_STAFF_REQUESTS_H
#define PLM_STAFF_REQUESTS_H

struct manager;

int staff_set(struct manager *m, const char *text);      /* workers of the first kind */
int staff_drain(struct manager *m, const char *worker);  /* leaves and is not replaced ... */
int staff_resume(struct manager *m, const char *worker); /* ... until resumed */

#endif
