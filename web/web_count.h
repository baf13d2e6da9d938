/* web_count.h - how many tasks of each function are in each state.
 *
 * A runtime keeps no counts for each function, so a pass looks at each record of the table. A pass
 * over a million records takes 0.4 s, and is therefore cut into steps of a few milliseconds: the
 * caller pays each step from an account (web_live.c). The numbers shown are those of the last
 * whole pass.
 * Who: one thread.  Blocks: never. */
#ifndef PLM_WEB_COUNT_H
#define PLM_WEB_COUNT_H

#include <stdbool.h>

#include "web/web_json.h"
#include "web/web_look.h"

enum { COUNT_GROUPS_MAX = 48, COUNT_NAME_BYTES = 64 };

struct count_group {
	char name[COUNT_NAME_BYTES]; /* of the function, or the program of a command */
	uint64_t state[PLM_STATES], ran, run_ms;
	uint64_t longest_ms;
};

struct count_pass {
	struct count_group group[COUNT_GROUPS_MAX]; /* the last takes what has no place */
	unsigned groups;
	uint64_t state[PLM_STATES];
	uint64_t ended_ns; /* 0: never */
};

struct count {
	struct count_pass next, last;
	uint64_t cursor;
	bool going;
};

/* For another boot. */
void count_forget(struct count *count);
/* Begins a pass, if none is under way, and goes on for this time at least. */
void count_step(struct count *count, plm_inspect *in, uint64_t ns);
/* "module.function", or the program of a command without its directory. */
void count_name(const plm_task_row *row, char ret[COUNT_NAME_BYTES]);
/* "counted_ms": the age of the pass, "tasks": {state: n}, "groups": [...] */
void count_put(const struct count *count, struct json *json);

#endif
