/* tls.h - a connection to Redis under TLS (rediss://).
 *
 * hiredis of Debian 12 knows no TLS. So a thread of this process moves the bytes between the
 * network and one end of a socket pair, and hiredis has the other end; the thread ends with either
 * side. OpenSSL is loaded by the first connection: a runtime without rediss:// does not pay for it.
 * Who: any thread.  Blocks: until the server has answered once, timeout_ms at most. */
#ifndef PLM_FLEET_TLS_H
#define PLM_FLEET_TLS_H

#include "fleet/url.h"

/* socket: connected, and taken over whatever happens. Returns the descriptor for hiredis; -EACCES
 * (certificates), -ENOTCONN or -EPROTO (no OpenSSL) with a why. */
int tls_wrap(const struct fleet_url *url, int socket, int timeout_ms);

#endif
