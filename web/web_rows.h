/* web_rows.h - rows of plm_inspect.h as JSON objects, the same on every route.
 * Blocks, allocates: never. */
#ifndef PLM_WEB_ROWS_H
#define PLM_WEB_ROWS_H

#include "client/plm_inspect.h"
#include "web/web_json.h"

/* The names of the marks: "marks": ["kept", "stopping"]. */
void row_put_marks(uint32_t marks, struct json *json);
/* The fields of a task, without the brackets. */
void row_put_task(const plm_task_row *row, struct json *json);
/* A number, or nothing: PLM_NOBODY. */
void row_put_number(const char *key, uint32_t number, struct json *json);

#endif
