/* top_acts.h - what keys do to the runtime.
 *
 * Looking needs no connection. Each act connects as a visit for a moment, so that top keeps no
 * process slot from clients. The outcome is a message in the frame.
 * Blocks: while a stopped manager or scheduler does not answer, for --timeout, else two seconds. */
#ifndef PLM_CLI_TOP_ACTS_H
#define PLM_CLI_TOP_ACTS_H

#include "cli/top/top.h"

void act_cancel(struct top *top, plm_ref ref);
void act_retry(struct top *top, plm_ref ref);
void act_pause(struct top *top, bool paused);
void act_drain(struct top *top, bool closed);
void act_drain_worker(struct top *top, uint32_t worker, bool away);

#endif
