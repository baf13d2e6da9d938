/* worker_rows.h - the lists that plmctl and plmdump share: one row a task, object, process, module,
 * function.
 * Who: plmctl on a live runtime, plmdump on any control segment.  Blocks: in stdio. */
#ifndef PLM_CLI_ROWS_H
#define PLM_CLI_ROWS_H

#include "cli/output.h"
#include "tables/tables.h"

void rows_tasks(const struct tables *t, struct output *out); /* all (task_filter.h has fewer) */
void rows_objects(const struct tables *t, struct output *out);
void rows_processes(const struct tables *t, struct output *out); /* all */
void rows_workers(const struct tables *t, struct output *out);   /* and who is drained */
void rows_clients(const struct tables *t, struct output *out);
void rows_modules(const struct tables *t, struct output *out);
void rows_functions(const struct tables *t, struct output *out);

#endif
