/* dump.h - what plmdump shows beyond the lists it shares with plmctl (worker_rows.h).
 *
 * Everything here prints rows of plm_inspect.h: of a runtime in motion, of a dead one, or of a
 * damaged copy. */
#ifndef PLM_DUMP_H
#define PLM_DUMP_H

#include "cli/event_row.h"
#include "client/plm_inspect.h"

void dump_header(plm_inspect *in, struct output *out);
void dump_heap(plm_inspect *in, struct output *out, int heap); /* PLM_HEAP_... */
void dump_locks(plm_inspect *in, struct output *out);
void dump_rings(plm_inspect *in, struct output *out);
/* The events of the log that pass the filter, of the last time before the last event. 0, or -errno
 * with a why: there is no log. */
int dump_events(
    plm_inspect *in, struct output *out, const struct event_filter *filter, bool copied);
/* The verdict of each checker; false if anything is unsound. */
bool dump_check(plm_inspect *in, struct output *out);

#endif
