/* web_server.h - the server: who is let in, limits, and the way from a request to its answer.
 *
 * Limits: SERVER_CONNECTIONS connections; 8 KiB of request line and headers; 4 KiB of a body, which
 * is thrown away; 15 s for a peer that neither sends nor reads. A page of live data waits without a
 * limit, but there are at most LIVE_PAGES_MAX of them.
 * Blocks: never. */
#ifndef PLM_WEB_SERVER_H
#define PLM_WEB_SERVER_H

#include "web/web.h"

enum { SERVER_CONNECTIONS = 1000 };

/* Serves connections that `listener` accepts. 0, or -errno with a why. */
int server_begin(struct web *web, int listener);
/* The descriptor to wait for, and the time until server_run() has something to do; -1: for ever. */
int server_descriptor(const struct web *web);
int server_timeout_ms(const struct web *web);
void server_run(struct web *web);
/* A job has come back from the hand thread: its request is answered. */
void server_job_done(struct web *web, struct hand_job *job);
/* After the hand thread has ended. */
void server_end(struct web *web);

#endif
