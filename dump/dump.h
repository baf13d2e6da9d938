/* dump.h - what plmdump shows beyond the lists it shares with plmctl (worker_rows.h).
 *
 * Everything here reads a control segment that may be in motion, dead or damaged: no lock, no
 * store, every number in its range before it is used, every loop bounded by this process's own copy
 * of the limits. */
#ifndef PLM_CLI_DUMP_H
#define PLM_CLI_DUMP_H

#include "cli/output.h"
#include "tables/tables.h"

void dump_header(const struct tables *t, struct output *out);
void dump_heap(const struct tables *t, struct output *out, const struct heap *heap);
void dump_locks(const struct tables *t, struct output *out);
void dump_rings(const struct tables *t, struct output *out);

/* What each checker says; false if anything is unsound. In a runtime that goes on (moving) a
 * checker may meet a structure between two steps: then it is asked again, a bounded number of
 * times. */
bool dump_check(const struct tables *t, struct output *out, bool moving);

#endif
