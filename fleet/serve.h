/* serve.h - the door of a host for its large values: threads that hand values of the runtime to
 * whoever proves to know the secret of the queue (carry.h).
 *
 * Who: the bridge.  The threads use the handle of the runtime until serve_stop(). */
#ifndef PLM_FLEET_SERVE_H
#define PLM_FLEET_SERVE_H

#include "fleet/carry.h"

struct serve;

/* Listens at an address of this machine, at any port. 0, or -errno with a why. */
int serve_start(
    struct serve **ret, plm *rt, const char *address, const uint8_t secret[CARRY_SECRET_BYTES]);
/* "HOST PORT", for others. */
const char *serve_address(const struct serve *s);
/* A new secret: the queue was replaced. */
void serve_trust(struct serve *s, const uint8_t secret[CARRY_SECRET_BYTES]);
/* True: no thread uses the handle any more. False: one is still sending. */
bool serve_stop(struct serve *s);

#endif
