/* roles_log.h - the event log of a test with roles as threads: always on, read all the while by a
 * thread, and judged at the end by the order rules of plm_inspect.h. */
#ifndef PLM_TEST_ROLES_LOG_H
#define PLM_TEST_ROLES_LOG_H

#include "client/plm_inspect.h"
#include "tables/tables.h"

/* Before any other role shares the tables. */
void roles_log_start(struct tables *t, const char *name);
/* After all roles have ended: every start has one end, in order, and nests on its process. */
void roles_log_stop(void);

/* ---- the judge alone, for any reader ---- */

struct log_judge;
struct log_judge *log_judge_new(void);
/* NULL, or the first broken rule. */
const char *log_judge_see(struct log_judge *judge, const plm_event *event);
/* Some attempt has a start and no end. */
bool log_judge_open(const struct log_judge *judge);
uint64_t log_judge_ends(const struct log_judge *judge);
void log_judge_free(struct log_judge *judge);

#endif
