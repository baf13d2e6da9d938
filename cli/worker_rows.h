/* worker_rows.h - the lists shared by plmctl and plmdump: a row for each task, object, process,
 * module or function.
 * Who: both programs, on everything plm_inspect.h can open.  Blocks: in stdio. */
#ifndef PLM_CLI_ROWS_H
#define PLM_CLI_ROWS_H

#include "cli/output.h"
#include "client/plm_inspect.h"

/* All tasks (task_filter.h has fewer). */
void rows_tasks(plm_inspect *in, struct output *out);
void rows_objects(plm_inspect *in, struct output *out);
void rows_processes(plm_inspect *in, struct output *out);     /* all */
void rows_workers(plm_inspect *in, struct output *out);       /* drained workers last */
void rows_workers_short(plm_inspect *in, struct output *out); /* for 80 columns */
void rows_clients(plm_inspect *in, struct output *out);
void rows_modules(plm_inspect *in, struct output *out);
void rows_functions(plm_inspect *in, struct output *out);

#endif
